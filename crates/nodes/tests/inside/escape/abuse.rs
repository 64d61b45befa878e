use std::time::{Duration, Instant};

use serde_json::{Value, json};
use windlass_core::run::AttemptError;
use windlass_nodes::LogStream;

use super::is_running;
use super::surroundings::Surroundings;

async fn python(around: &Surroundings, code: &str) -> Result<Value, AttemptError> {
    let config =
        json!({ "language": "python", "code": code, "memory": "256 MB", "timeout": "20s" });
    around.bench.run("code", config).await
}

#[tokio::test]
async fn memory_is_bounded() {
    let around = Surroundings::new();
    let error = python(&around, "def process(): return len(bytearray(4 << 30))").await.unwrap_err();
    assert_eq!((error.failure.code.as_str(), error.is_final), ("out_of_memory", true));
    let code = "import mmap\ndef process(): return len(mmap.mmap(-1, 4 << 30))";
    let error = python(&around, code).await.unwrap_err();
    assert!(error.failure.message.contains("Cannot allocate memory"), "{error:?}");
    let code = "def process():\n    a = []\n    while True: a.append('x' * 1000000)";
    assert_eq!(python(&around, code).await.unwrap_err().failure.code, "out_of_memory");
    for code in [
        "function process() { const a = []; for (;;) a.push(new ArrayBuffer(1 << 24)) }",
        "function process() { return 'x'.repeat(2 ** 29).length }",
        "function process() { let s = 'x'; for (;;) s += s }",
    ] {
        let error = around.bench.javascript(code).await.unwrap_err();
        let is_refused = ["out_of_memory", "exception"].contains(&error.failure.code.as_str());
        assert!(is_refused, "{code}: {error:?}");
    }
    let script = "python3 -c 'bytearray(5 << 30)'";
    let error = around.bench.shell(script).await.unwrap_err();
    assert!(error.failure.details.unwrap()["stderr"].as_str().unwrap().contains("MemoryError"));
    around.check("memory").await;
}

#[tokio::test]
async fn processes_are_bounded() {
    let around = Surroundings::new();
    let code = "
import os, time
def process():
    count = 0
    try:
        while True:
            if os.fork() == 0:
                time.sleep(300)
            count += 1
    except OSError as error:
        return [error.errno, count]
";
    let told = python(&around, code).await.unwrap();
    assert_eq!(told[0], 11);
    assert!(told[1].as_u64().unwrap() <= 64, "{told}");
    let code = "
import threading
def process():
    count = 0
    try:
        while True:
            threading.Thread(target=threading.Event().wait, daemon=True).start()
            count += 1
    except RuntimeError:
        return count
";
    assert!(python(&around, code).await.unwrap().as_u64().unwrap() <= 64);
    // The classic one. What follows it needs no process, and gives it time.
    let script = "bomb() { bomb | bomb & }; bomb; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; \
                  echo over";
    let bomb = json!({ "script": script });
    let output = around.bench.run("shell", bomb).await;
    assert!(output.is_ok_and(|output| output["stdout"] == "over"));
    around.check("processes").await;
}

#[tokio::test]
async fn files_are_bounded() {
    let around = Surroundings::new();
    let code = "
def process():
    with open('large', 'wb') as file:
        file.truncate(10 << 30)
";
    let error = python(&around, code).await.unwrap_err();
    assert!(error.failure.message.contains("File too large"), "{error:?}");
    let code = "import os\ndef process():\n    os.posix_fallocate(os.open('x', os.O_CREAT | os.O_RDWR), 0, 10 << 30)";
    let error = python(&around, code).await.unwrap_err();
    assert!(error.failure.message.contains("File too large"), "{error:?}");
    let script = "truncate -s 10G large";
    assert_eq!(around.bench.shell(script).await.unwrap_err().failure.code, "exit_code");
    let code = "import os\ndef process():\n    files = []\n    while True: files.append(os.open('/dev/null', 0))";
    let error = python(&around, code).await.unwrap_err();
    assert!(error.failure.message.contains("Too many open files"), "{error:?}");
    around.check("files").await;
}

#[tokio::test]
async fn output_is_bounded() {
    let around = Surroundings::new();
    let code = "def process():\n    for _ in range(100500): print('x')\n    return 'done'";
    assert_eq!(python(&around, code).await, Ok(json!("done")));
    assert_eq!(around.bench.lines(LogStream::Stdout).len(), 100_000);
    assert_eq!(around.bench.lines(LogStream::System).len(), 1);
    for (language, code) in [
        ("python", "def process():\n    while True: print('x' * 100000)"),
        ("javascript", "function process() { for (;;) console.log('x'.repeat(100000)) }"),
    ] {
        let config = json!({ "language": language, "code": code, "timeout": "1s" });
        let error = around.bench.run("code", config).await.unwrap_err();
        assert_eq!(error.failure.code, "timeout", "{language}");
    }
    around.check("output").await;
}

/// However it hides, it is gone when the step is over.
#[tokio::test]
async fn nobody_stays_behind() {
    let around = Surroundings::new();
    let daemon = "
import os, time
def process():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.environ.clear()
            for fd in range(3): os.close(fd)
            os.execv('/bin/sleep', ['sleep', '86399.5'])
        os._exit(0)
    os.wait()
    time.sleep(0.1)
    return os.path.exists('/bin/sleep')
";
    assert_eq!(python(&around, daemon).await, Ok(json!(true)));
    assert!(!is_running("86399.5"));
    let script =
        "(setsid sh -c 'trap \"\" TERM HUP; exec sleep 86398.5' > /dev/null 2>&1 &) ; sleep 0.1";
    around.bench.shell(script).await.unwrap();
    assert!(!is_running("86398.5"));
    around.check("nobody").await;
}

#[tokio::test]
async fn a_time_that_is_up_is_up() {
    let around = Surroundings::new();
    for code in [
        "import signal, time\ndef process():\n    for one in set(signal.Signals) - {9, 19}: signal.signal(one, signal.SIG_IGN)\n    time.sleep(300)",
        "import os\ndef process():\n    os.setsid() if os.fork() == 0 else None\n    while True: pass",
        "def process():\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass",
        "import os, signal\ndef process():\n    os.kill(os.getpid(), signal.SIGSTOP)\n    while True: pass",
        "import ctypes\ndef process():\n    ctypes.CDLL(None).pause()",
    ] {
        let begin = Instant::now();
        let config = json!({ "language": "python", "code": code, "timeout": "300ms" });
        let error = around.bench.run("code", config).await.unwrap_err();
        assert_eq!(error.failure.code, "timeout", "{code}");
        assert!(begin.elapsed() < Duration::from_secs(5), "{code}");
    }
    around.check("time").await;
}

#[tokio::test]
async fn what_ends_badly_says_how() {
    let around = Surroundings::new();
    for (code, expected) in [
        ("import os\ndef process(): os.abort()", "it was killed by signal"),
        ("import ctypes\ndef process(): ctypes.string_at(0)", "it was killed by signal 11"),
        ("import os\ndef process(): os._exit(0)", "it ended with exit code 0"),
        ("import os\ndef process(): os._exit(125)", "it ended with exit code 125"),
        (
            "import os\ndef process():\n    open('output.json', 'w').write('[]')\n    os._exit(0)",
            "it ended with exit code 0",
        ),
    ] {
        let error = python(&around, code).await.unwrap_err();
        assert_eq!(error.failure.code, "crashed", "{code}");
        assert!(error.failure.message.starts_with(expected), "{code}: {}", error.failure.message);
    }
    around.check("crashes").await;
}
