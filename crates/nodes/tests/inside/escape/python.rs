use serde_json::json;

use super::surroundings::Surroundings;

/// Each `attack` raises one of these.
const REFUSED: &[&str] = &[
    "PermissionError",
    "FileNotFoundError",
    "ProcessLookupError",
    "NotADirectoryError",
    "OSError: [Errno 1]",
    "OSError: [Errno 13]",
    "OSError: [Errno 18]",
    "OSError: [Errno 22]",
    "OSError: [Errno 30]",
    "OSError: [Errno 38]",
];

const AROUND: &str = "
import ctypes, os, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), 'refused')
    return 'it worked'
def process():
    try:
        got = attack()
    except BaseException as error:
        return f'{type(error).__name__}: {error}'
    return f'GOT {got!r}'
";

/// A name, and what is tried.
const ATTACKS: &[(&str, &str)] = &[
    ("the database", "open('$DATABASE').read()"),
    ("the database by a link", "(os.symlink('$DATABASE', 'link'), open('link').read())"),
    ("the database by a hard link", "(os.link('$DATABASE', 'link'), open('link').read())"),
    ("the database through the root of a process", "open('/proc/self/root$DATABASE').read()"),
    ("the database through the first process", "open('/proc/1/root$DATABASE').read()"),
    ("the database through the way up", "open('../../../../../../..$DATABASE').read()"),
    ("a write to the database", "open('$DATABASE', 'a').write('x')"),
    ("removing the database", "os.remove('$DATABASE')"),
    ("the name of the data directory", "os.rename('$DATA', '/tmp/mine')"),
    ("directories of other steps", "os.listdir('$DATA/work')"),
    ("neighbours in its own directory", "os.listdir('/tmp')"),
    ("the server's environment", "open('/proc/$SERVER/environ').read()"),
    ("the server's memory", "open('/proc/$SERVER/mem', 'rb').read(1)"),
    ("the server's open files", "os.listdir('/proc/$SERVER/fd')"),
    ("the server's command line", "open('/proc/$SERVER/cmdline').read()"),
    ("the environment of the parent", "open(f'/proc/{os.getppid() or 1}/environ').read()"),
    ("the memory of the first process", "open('/proc/1/mem', 'rb').read(1)"),
    ("a list of processes", "os.listdir('/proc')"),
    ("ending the server", "os.kill($SERVER, 9)"),
    ("ending its parent", "os.kill(os.getppid() or 2, 9)"),
    ("tracing its parent", "call(101, 16, os.getppid() or 1, 0, 0)"),
    ("being traced", "call(101, 0, 0, 0, 0)"),
    ("reading another's memory", "call(310, 1, 0, 0, 0, 0, 0)"),
    ("a port of the server", "socket.create_connection(('127.0.0.1', $PORT), 2)"),
    ("a port of the server, by IPv6", "socket.create_connection(('::1', $PORT), 2)"),
    ("the metadata of a cloud", "socket.create_connection(('169.254.169.254', 80), 2)"),
    ("listening", "socket.socket().bind(('0.0.0.0', 0))"),
    (
        "datagrams",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', $PORT))",
    ),
    ("raw packets", "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"),
    ("the network's own interface", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)"),
    ("an abstract socket", "socket.socket(socket.AF_UNIX).connect('\\0$ABSTRACT')"),
    ("a socket with a name", "socket.socket(socket.AF_UNIX).connect('$OUTSIDE/socket')"),
    ("a file outside", "open('$OUTSIDE/mine', 'w')"),
    ("a note outside", "open('$OUTSIDE/note', 'w').write('x')"),
    ("reading outside", "open('$OUTSIDE/note').read()"),
    ("cutting a file outside", "os.truncate('$OUTSIDE/note', 0)"),
    ("a directory outside", "os.mkdir('$OUTSIDE/mine')"),
    ("moving something out", "(open('x', 'w').close(), os.rename('x', '$OUTSIDE/x'))"),
    ("passwords", "open('/etc/shadow').read()"),
    ("keys of this host", "os.listdir('/etc/ssh')"),
    ("the home of root", "os.listdir('/root')"),
    ("a program of the system", "open('/usr/bin/env', 'ab')"),
    ("the library of Python", "open(os.__file__, 'a')"),
    ("shared memory", "open('/dev/shm/x', 'w')"),
    ("a disk", "open('/dev/vda', 'rb')"),
    ("making a device", "os.mknod('disk', 0o60600, os.makedev(254, 0))"),
    ("a setting of the kernel", "open('/proc/sys/kernel/core_pattern', 'w').write('|/tmp/x')"),
    ("mounting", "call(165, b'none', b'/tmp', b'tmpfs', 0, 0)"),
    ("unmounting", "call(166, b'/proc', 2)"),
    ("another root", "os.chroot('.')"),
    ("namespaces of its own", "call(272, 0x10000000)"),
    ("a child in namespaces of its own", "call(56, 0x10000000 | 17, 0, 0, 0, 0)"),
    ("clone3, whose flags nobody sees", "call(435, b'\\0' * 88, 88)"),
    ("the namespaces of another", "call(308, os.open('/proc/1/ns/net', 0), 0)"),
    ("becoming root", "os.setuid(0)"),
    ("becoming another", "os.setresuid(12345, 12345, 12345)"),
    ("another group", "os.setgroups([0])"),
    ("giving a file away", "(open('x', 'w').close(), os.chown('x', 0, 0))"),
    (
        "becoming root by a program",
        "(subprocess.run(['su', '-c', 'id'], check=True, capture_output=True), 1)",
    ),
    ("programs for the kernel", "call(321, 0, b'\\0' * 128, 128)"),
    ("io_uring", "call(425, 1, b'\\0' * 120)"),
    ("userfaultfd", "call(323, 0)"),
    ("keys of the kernel", "call(250, 0, -3, 0)"),
    ("counters of the machine", "call(298, b'\\0' * 128, 0, -1, -1, 0)"),
    ("memory that no limit counts", "os.memfd_create('x')"),
    ("memory of System V", "call(29, 0, 1 << 30, 0o1600)"),
    ("files by handle", "call(304, -100, b'\\0' * 16, 0)"),
    ("the second name of a call", "call(0x40000000 + 101, 0, 0, 0, 0)"),
    ("the clock", "call(227, 0, b'\\0' * 16)"),
    ("the name of the machine", "socket.sethostname('mine')"),
    ("a higher limit", "__import__('resource').setrlimit(7, (1 << 20, 1 << 20))"),
    (
        "what is left open",
        "[os.readlink(f'/proc/self/fd/{fd}') for fd in map(int, os.listdir('/proc/self/fd')) if fd > 3] or os.stat('/none')",
    ),
];

#[tokio::test]
async fn nothing_is_to_be_had() {
    let around = Surroundings::new();
    let mut wrong = Vec::new();
    for (name, attack) in ATTACKS {
        let code = format!("{AROUND}\ndef attack():\n    return {}\n", around.aim(attack));
        let told = around.bench.python(&code).await;
        let told = told.unwrap_or_else(|error| json!(format!("FAILED {error:?}")));
        let told = told.as_str().unwrap_or_default().to_owned();
        let is_denied =
            told.starts_with("CalledProcessError") || told.starts_with("ValueError: not allowed");
        if !is_denied && !REFUSED.iter().any(|refused| told.starts_with(refused)) {
            wrong.push(format!("{name}: {told}"));
        }
    }
    around.check("Python").await;
    assert_eq!(wrong, Vec::<String>::new());
}

#[tokio::test]
async fn nothing_is_told_to_it() {
    let around = Surroundings::new();
    let code = "import os, sys\ndef process():\n    return [sorted(os.environ), sys.argv[1:], os.getcwd().startswith('/tmp/step-')]";
    let names = [
        "HOME",
        "LANG",
        "PATH",
        "TMPDIR",
        "WINDLASS_ATTEMPT",
        "WINDLASS_IDEMPOTENCY_KEY",
        "WINDLASS_RUN_ID",
        "WINDLASS_STEP",
    ];
    assert_eq!(around.bench.python(code).await, Ok(json!([names, ["serve"], true])));
}
