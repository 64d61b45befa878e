/* Preloaded into a server: lets the disk fail on demand.
 *
 * While the file named by WINDLASS_FAULT exists, what is done to files of the database fails with
 * EIO: its first letter says what, `s` for syncs, `w` for writes. Nothing else is touched. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(int fd, char what)
{
    const char *control = getenv("WINDLASS_FAULT");
    if (!control)
        return 0;
    int file = syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    char wanted = 0;
    syscall(SYS_read, file, &wanted, 1);
    syscall(SYS_close, file);
    if (wanted != what)
        return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0)
        return 0;
    path[length] = 0;
    /* The shared memory beside the WAL is no disk. */
    if (!strstr(path, "windlass.db") || strstr(path, "-shm"))
        return 0;
    errno = EIO;
    return 1;
}

#define NEXT(name) \
    static __typeof__(&name) next; \
    if (!next) \
        next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

int fsync(int fd)
{
    NEXT(fsync);
    return fails(fd, 's') ? -1 : next(fd);
}

int fdatasync(int fd)
{
    NEXT(fdatasync);
    return fails(fd, 's') ? -1 : next(fd);
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    NEXT(write);
    return fails(fd, 'w') ? -1 : next(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    NEXT(pwrite);
    return fails(fd, 'w') ? -1 : next(fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at)
{
    NEXT(pwrite64);
    return fails(fd, 'w') ? -1 : next(fd, bytes, count, at);
}
