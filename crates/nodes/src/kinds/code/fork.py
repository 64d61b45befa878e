"""Runs steps that are written in Python, each in a process of its own.

`once` runs the one step on standard input. `serve` stands by, warmed up, and forks for each step that
it is told of on the socket that is its standard input. It runs no step itself, and reads nothing that
a step has written. Between it and a step stands a keeper, which makes the step's namespaces, waits for
it, and is the only one that the step's end can take along.

It already lives within the boundary when it starts; what is added for each step is in `enclose`.
"""

import ctypes
import gc
import json
import linecache
import os
import signal
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
    try:
        outcome = {"output": call(job["code"], job["arguments"])}
        text = encode(outcome)
    except BaseException as error:
        text = json.dumps({"error": failure(error)})
    with open(os.path.join(job["dir"], RESULT), "w", encoding="utf-8") as file:
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

    def landlock(self, job):
        if self.version == 0:
            return
        own = [(job["dir"], self.all), ("/proc/self", READ)]
        own += [(path, READ) for path in job["read"]]
        own += [(path, self.all) for path in job["write"]]
        rules = self.held + [rule for path, access in own if (rule := self.rule(path, access))]
        net = 0b11 if self.version >= 4 and not self.network else 0
        scoped = 0b11 if self.version >= 6 else 0
        attribute = struct.pack("=QQQ", self.all, net, scoped)
        size = 24 if self.version >= 6 else 16 if self.version >= 4 else 8
        ruleset = checked(LIBC.syscall(CREATE_RULESET, attribute, size, 0), "Landlock")
        for rule in rules:
            checked(LIBC.syscall(ADD_RULE, ruleset, 1, rule, 0), "Landlock")
        checked(LIBC.syscall(RESTRICT_SELF, ruleset, 0), "Landlock")

    def enclose(self, job):
        """The part of the boundary that is this step's alone. Whatever cannot be had ends it."""
        import resource

        limits = [
            (resource.RLIMIT_AS, job["memory"]),
            (resource.RLIMIT_NPROC, job["processes"]),
            (resource.RLIMIT_FSIZE, job["file"]),
        ]
        for which, limit in limits:
            resource.setrlimit(which, (limit, limit))
        self.landlock(job)
        header = struct.pack("=Ii", 0x20080522, 0)
        checked(LIBC.syscall(CAPSET[os.uname().machine], header, bytes(24)), "capset")
        checked(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
        for _, program in self.filters:
            checked(LIBC.prctl(PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0), "seccomp")


# The keeper of one step.


def own_namespaces():
    user, group = os.geteuid(), os.getegid()
    checked(LIBC.unshare(CLONE_NEWUSER | CLONE_NEWPID), "unshare")
    for name, text in [("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")]:
        fd = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(fd, text.encode())
        os.close(fd)


def die_with_parent():
    checked(LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "PDEATHSIG")


def keep(boundary, job, fds):
    """The life of a keeper: the step begins, and everything of it is over when this ends."""
    child = 0

    def end(*_):
        if child:
            os.kill(child, signal.SIGKILL)
        else:
            os._exit(1)

    signal.signal(signal.SIGTERM, end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    die_with_parent()
    for number, fd in enumerate(fds):
        os.dup2(fd, number, inheritable=True)
    try:
        own_namespaces()
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        child = os.fork()
    except OSError as error:
        os.write(2, f"windlass: {error}\n".encode())
        os._exit(125)
    if child == 0:
        step(boundary, job)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    null = os.open("/dev/null", os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    # The step is the first of its process namespace: when it can be waited for, the rest is gone.
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def step(boundary, job):
    try:
        die_with_parent()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.setsid()
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
    import select
    import socket

    # What steps often use costs them nothing when it is here already.
    import base64, collections, datetime, decimal, functools, hashlib  # noqa: E401, F401
    import itertools, math, random, re, resource, statistics, uuid  # noqa: E401, F401

    line = socket.socket(fileno=os.dup(0))
    boundary = Boundary(json.loads(line.recv(1 << 18)))
    gc.collect()
    gc.freeze()
    line.send(json.dumps({"ready": can_nest()}).encode())
    keepers = {}
    poll = select.poll()
    poll.register(line, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == line.fileno():
                message, fds, _, _ = socket.recv_fds(line, 1 << 18, 3)
                if not message:
                    os._exit(0)
                begin_or_end(boundary, keepers, poll, json.loads(message), fds)
            else:
                poll.unregister(fd)
                os.close(fd)
                id, pid = keepers.pop(fd)
                _, status = os.waitpid(pid, 0)
                line.send(json.dumps({"id": id, "status": status}).encode())


def begin_or_end(boundary, keepers, poll, message, fds):
    import select

    if "end" in message:
        for id, pid in keepers.values():
            if id == message["end"]:
                os.kill(pid, signal.SIGTERM)
        return
    # A keeper that is told to end before it can listen would be lost with its step.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    pid = os.fork()
    if pid == 0:
        keep(boundary, message, fds)
    for fd in fds:
        os.close(fd)
    pidfd = os.pidfd_open(pid)
    keepers[pidfd] = (message["id"], pid)
    poll.register(pidfd, select.POLLIN)


if sys.argv[1:] == ["serve"]:
    serve()
else:
    perform(os.getcwd())
