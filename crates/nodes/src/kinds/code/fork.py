"""Runs steps that are written in Python, each in a process of its own.

`once` runs the one step on standard input. `serve` stands by, warmed up, and forks: a spare is a
process that waits for one step, and a keeper beside it, which ends with the step and takes everything
along that the step has started. Whoever asked for the spare talks to both of them by sockets of their
own, so the server of forks runs no step and reads nothing that a step has written.

It already lives within the boundary when it starts. What is added for each step is in `Boundary`.
"""

import ctypes
import gc
import json
import linecache
import os
import resource
import select
import signal
import socket
import struct
import sys
import traceback
import types

RESULT = "output.json"
FILE = "step.py"
TRACEBACK_CHARS_MAX = 64 * 1024
# Past what is open here: the server of forks limits itself to as many.
FD_MAX = 4096

LIBC = ctypes.CDLL(None, use_errno=True)


# A step.


def run(job):
    """Calls the step's function and writes what it returns. All of it is the step's: whatever it does
    to this process, it does to itself."""
    # Opened first: afterwards there may be nothing left to open it with.
    with open(os.path.join(job["dir"], RESULT), "w", encoding="utf-8") as file:
        try:
            outcome = {"output": call(job["code"], job["arguments"])}
            text = encode(outcome)
        except BaseException as error:
            text = json.dumps({"error": failure(error)})
        file.write(text)


class BadOutput(Exception):
    pass


def call(code, arguments):
    linecache.cache[FILE] = (len(code), None, code.splitlines(True), FILE)
    module = types.ModuleType("step")
    sys.modules["step"] = module
    exec(compile(code, FILE, "exec", dont_inherit=True), module.__dict__)
    process = getattr(module, "process", None)
    if not callable(process):
        raise NameError("the code defines no function `process`")
    returned = process(**arguments)
    if isinstance(returned, types.CoroutineType):
        import asyncio

        returned = asyncio.run(returned)
    return returned


def encode(outcome):
    try:
        return json.dumps(outcome, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadOutput(f"what `process` returned is not JSON: {error}") from None


def failure(error):
    if isinstance(error, MemoryError):
        return {"code": "out_of_memory", "type": "MemoryError", "message": "the memory is used up"}
    kind = type(error).__name__
    if isinstance(error, BadOutput):
        return {"code": "bad_output", "type": kind, "message": str(error)}
    # Frames of this file tell nobody anything.
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename != FILE:
        frame = frame.tb_next
    try:
        lines = traceback.format_exception(type(error), error, frame)
        message = f"{kind}: {error}"
    except BaseException:
        lines, message = [], kind
    text = "".join(lines)[-TRACEBACK_CHARS_MAX:]
    return {"code": "exception", "type": kind, "message": message[:4096], "traceback": text}


def read_all(fd):
    parts = []
    while part := os.read(fd, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def perform(directory):
    job = json.loads(read_all(0))
    job["dir"] = directory
    # Made anew: those of the server of forks believe that they lead elsewhere.
    say = {"mode": "w", "buffering": 1, "encoding": "utf-8", "errors": "backslashreplace"}
    sys.stdout = sys.__stdout__ = open(1, closefd=False, **say)
    sys.stderr = sys.__stderr__ = open(2, closefd=False, **say)
    code = 0
    try:
        run(job)
    except BaseException as error:
        print(f"the result cannot be written: {error}", file=sys.stderr)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass
    # Threads and exit handlers that are left have nothing to work for.
    os._exit(code)


# The boundary of one step.

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
CLONE_NEWUSER, CLONE_NEWPID = 0x10000000, 0x20000000
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
CAPSET = {"x86_64": 126, "aarch64": 91, "riscv64": 91}
READ = 0b1101
OF_FILES = 0b1100_0000_0000_0111
SPECIAL = 1 << 6 | 1 << 11 | 1 << 15
PROC = ["cpuinfo", "meminfo", "stat", "uptime", "loadavg", "version", "sys/kernel", "filesystems"]


def checked(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


class Instructions(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


class Boundary:
    """What can be made ready for all steps at once."""

    def __init__(self, setup):
        self.filters = []
        for text in setup["filters"]:
            code = ctypes.create_string_buffer(bytes.fromhex(text))
            program = Instructions(len(text) // 16, ctypes.cast(code, ctypes.c_void_p))
            self.filters.append((code, program))
        self.version = max(LIBC.syscall(CREATE_RULESET, None, 0, 1), 0)
        known = {0: 0, 1: 13, 2: 14, 3: 15, 4: 15}.get(self.version, 16)
        self.all = (1 << known) - 1
        self.held = []
        prefixes = [sys.prefix, sys.base_prefix, *filter(os.path.isabs, sys.path)]
        # The root of an interpreter such as `/usr`, not everything below `/`.
        prefixes = [path for path in prefixes if path != "/"]
        for path in {*setup["read"], *prefixes}:
            self.hold(path, READ)
        for path in setup["devices"]:
            self.hold(path, self.all)
        for path in PROC:
            self.hold(f"/proc/{path}", READ)
        self.network = setup["network"]

    def hold(self, path, access):
        if (rule := self.rule(path, access)) is not None:
            self.held.append(rule)

    def rule(self, path, access):
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return None
        if not os.path.isdir(f"/proc/self/fd/{fd}"):
            access &= OF_FILES
        # The order of the kernel's structure, without gaps.
        return struct.pack("=Qi", access & self.all & ~SPECIAL, fd)

    def prepare(self):
        """What does not depend on the step, done while nobody waits for it."""
        self.ruleset = -1
        if self.version:
            net = 0b11 if self.version >= 4 and not self.network else 0
            scoped = 0b11 if self.version >= 6 else 0
            attribute = struct.pack("=QQQ", self.all, net, scoped)
            size = 24 if self.version >= 6 else 16 if self.version >= 4 else 8
            self.ruleset = checked(LIBC.syscall(CREATE_RULESET, attribute, size, 0), "Landlock")
            for rule in [*self.held, self.rule("/proc/self", READ)]:
                self.allow(rule)
        header = struct.pack("=Ii", 0x20080522, 0)
        checked(LIBC.syscall(CAPSET[os.uname().machine], header, bytes(24)), "capset")
        checked(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
        for _, program in self.filters:
            checked(LIBC.prctl(PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0), "seccomp")

    def allow(self, rule):
        if rule is not None:
            checked(LIBC.syscall(ADD_RULE, self.ruleset, 1, rule, 0), "Landlock")

    def enclose(self, job):
        """What is this step's alone. Whatever cannot be had ends it."""
        limits = [
            (resource.RLIMIT_AS, job["memory"]),
            (resource.RLIMIT_NPROC, job["processes"]),
            (resource.RLIMIT_FSIZE, job["file"]),
        ]
        for which, limit in limits:
            resource.setrlimit(which, (limit, limit))
        if self.version:
            for path in job["read"]:
                self.allow(self.rule(path, READ))
            for path in [job["dir"], *job["write"]]:
                self.allow(self.rule(path, self.all))
            checked(LIBC.syscall(RESTRICT_SELF, self.ruleset, 0), "Landlock")


# A spare and its keeper.


def own_namespaces():
    user, group = os.geteuid(), os.getegid()
    checked(LIBC.unshare(CLONE_NEWUSER | CLONE_NEWPID), "unshare")
    maps = {"setgroups": "deny", "uid_map": f"{user} {user} 1", "gid_map": f"{group} {group} 1"}
    for name, text in maps.items():
        fd = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(fd, text.encode())
        os.close(fd)


def die_with_parent():
    checked(LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "PDEATHSIG")


def keep(boundary, orders, line):
    """The life of a keeper. When it tells how the step ended, nothing is left of it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    die_with_parent()
    own_namespaces()
    child = os.fork()
    if child == 0:
        line.close()
        wait_for_step(boundary, orders)
    orders.close()
    poll = select.poll()
    poll.register(os.pidfd_open(child), select.POLLIN)
    poll.register(line, select.POLLIN)
    # Whoever asked for the step is the only one to write here, and does so by going away.
    if any(fd == line.fileno() for fd, _ in poll.poll()):
        os.kill(child, signal.SIGKILL)
    # It is the first of its process namespace: when it can be waited for, the others are gone.
    _, status = os.waitpid(child, 0)
    try:
        line.send(str(status).encode())
    except OSError:
        pass
    os._exit(0)


def wait_for_step(boundary, orders):
    try:
        die_with_parent()
        os.setsid()
        boundary.prepare()
        # The memory that every step writes to is this process's own from here on.
        encode({"output": call("def process(): pass", {})})
        message, fds, _, _ = socket.recv_fds(orders, 1 << 18, 3)
        if not message:
            os._exit(0)
        for number, fd in enumerate(fds):
            os.dup2(fd, number, inheritable=True)
    except BaseException:
        os._exit(125)
    try:
        job = json.loads(message)
        os.chdir(job["dir"])
        os.environ.clear()
        os.environ.update(job["env"])
        boundary.enclose(job)
        os.closerange(3, FD_MAX)
    except BaseException as error:
        os.write(2, f"windlass: {error}\n".encode())
        os._exit(125)
    perform(job["dir"])


# The server of forks.


def can_nest():
    child = os.fork()
    if child == 0:
        try:
            own_namespaces()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def serve():
    # What steps often use is here already; more of it would make every fork slower than it saves.
    import collections, datetime, functools, itertools, math, re  # noqa: E401, F401

    line = socket.socket(fileno=os.dup(0))
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    boundary = Boundary(json.loads(line.recv(1 << 18)))
    resource.setrlimit(resource.RLIMIT_NOFILE, (FD_MAX, FD_MAX))
    encode({"output": call("def process(): pass", {})})
    line.send(b"ready" if can_nest() else b"alone")
    # Keepers tell of themselves.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    # One spare for each message.
    while line.recv(1):
        orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        keeper, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            for other in (line, orders, keeper):
                other.close()
            try:
                keep(boundary, theirs, its)
            finally:
                os._exit(125)
        socket.send_fds(line, [b"spare"], [orders.fileno(), keeper.fileno()])
        for one in (orders, theirs, keeper, its):
            one.close()


if sys.argv[1:] == ["serve"]:
    serve()
else:
    perform(os.getcwd())
