use serde_json::{Value, json};
use windlass_nodes::{LogStream, StopReason};

use crate::bench::Bench;

#[tokio::test]
async fn python_is_called_with_values_and_returns_one() {
    let bench = Bench::new();
    let code = "
import sys
def process(name, n=2, **more):
    print('hello', name)
    print('oh', file=sys.stderr)
    return {'n': n + 1, 'more': more, 'text': '{{ not a template }}'}
";
    let config =
        json!({ "language": "python", "code": code, "input_mapping": { "name": "Ada", "x": [1] } });
    let output = bench.run("code", config).await.unwrap();
    assert_eq!(output, json!({ "n": 3, "more": { "x": [1] }, "text": "{{ not a template }}" }));
    assert_eq!(bench.lines(LogStream::Stdout), ["hello Ada"]);
    assert_eq!(bench.lines(LogStream::Stderr), ["oh"]);
    assert!(bench.notes.sandbox_level().unwrap().ends_with("network closed"));
}

#[tokio::test]
async fn a_coroutine_is_waited_for() {
    let bench = Bench::new();
    let code = "import asyncio\nasync def process():\n    await asyncio.sleep(0)\n    return 7";
    assert_eq!(bench.python(code).await, Ok(json!(7)));
    let code = "export default async function ({ n }) { return await Promise.resolve(n) + 1 }";
    let config = json!({ "language": "javascript", "code": code, "input_mapping": { "n": 6 } });
    assert_eq!(bench.run("code", config).await, Ok(json!(7)));
}

#[tokio::test]
async fn an_exception_has_a_traceback() {
    let bench = Bench::new();
    let error = bench.python("def process():\n    return {}['x']\n").await.unwrap_err();
    assert_eq!(error.failure.code, "exception");
    assert_eq!(error.failure.message, "KeyError: 'x'");
    let details = error.failure.details.unwrap();
    let traceback = details["traceback"].as_str().unwrap();
    assert!(
        traceback.contains("File \"step.py\", line 2, in process\n    return {}['x']"),
        "{traceback}"
    );
    assert!(!traceback.contains("<string>"), "{traceback}");
    let code = "function process() {\n  return inner();\n}\nfunction inner() { throw new TypeError('no') }";
    let error = bench.javascript(code).await.unwrap_err();
    assert_eq!(
        (error.failure.code.as_str(), error.failure.message.as_str()),
        ("exception", "TypeError: no")
    );
    let details = error.failure.details.unwrap();
    let traceback = details["traceback"].as_str().unwrap();
    assert!(traceback.contains("inner (code.js:4"), "{traceback}");
}

async fn code_of(bench: &Bench, language: &str, code: &str) -> String {
    let config = json!({ "language": language, "code": code });
    bench.run("code", config).await.unwrap_err().failure.code
}

#[tokio::test]
async fn what_cannot_be_is_said() {
    let bench = Bench::new();
    for (language, code, expected) in [
        ("python", "x = 1", "exception"),
        ("python", "def process(: pass", "exception"),
        ("python", "def process(): return object()", "bad_output"),
        ("python", "def process(): return float('nan')", "bad_output"),
        ("python", "def process():\n    a = []\n    a.append(a)\n    return a", "bad_output"),
        ("python", "import os\ndef process(): os._exit(3)", "crashed"),
        ("python", "def process(): raise SystemExit(0)", "exception"),
        ("python", "def process(): return process()", "exception"),
        ("python", "def process(): return 'x' * (17 << 20)", "payload_too_large"),
        ("javascript", "const x = 1", "exception"),
        ("javascript", "function process( {", "exception"),
        ("javascript", "function process() { return process() }", "exception"),
        ("javascript", "function process() { return new Promise(() => {}) }", "exception"),
        ("javascript", "function process() { const a = []; a.push(a); return a }", "exception"),
        ("javascript", "function process() { throw 'a word' }", "exception"),
        ("javascript", "import x from 'fs'; export default () => 1", "exception"),
    ] {
        assert_eq!(code_of(&bench, language, code).await, expected, "{code}");
    }
    assert_eq!(bench.javascript("function process() {}").await, Ok(Value::Null));
    assert_eq!(bench.javascript("export const process = () => 1n < 2").await, Ok(json!(true)));
}

#[tokio::test]
async fn values_are_shown_as_people_expect() {
    let bench = Bench::new();
    let code = "function process() { console.log('a', 1, { b: [2] }, null, undefined); console.error(new Error('e').message) }";
    bench.javascript(code).await.unwrap();
    assert_eq!(bench.lines(LogStream::Stdout), ["a 1 {\"b\":[2]} null undefined"]);
    assert_eq!(bench.lines(LogStream::Stderr), ["e"]);
}

#[tokio::test]
async fn no_process_serves_two_attempts() {
    let bench = Bench::new();
    let code = "import builtins\ndef process():\n    had = hasattr(builtins, 'mine')\n    builtins.mine = 1\n    open('left', 'w').close()\n    return had";
    for _ in 0..3 {
        assert_eq!(bench.python(code).await, Ok(json!(false)));
    }
    let code =
        "function process() { const had = 'mine' in globalThis; globalThis.mine = 1; return had }";
    for _ in 0..2 {
        assert_eq!(bench.javascript(code).await, Ok(json!(false)));
    }
}

#[tokio::test]
async fn a_missing_python_is_one_clear_sentence() {
    let bench = Bench::with(|settings| settings.python = Some("/no/such/python".into()));
    let error = bench.python("def process(): pass").await.unwrap_err();
    assert_eq!((error.failure.code.as_str(), error.is_final), ("python_missing", true));
    assert!(error.failure.message.starts_with("there is no Python on this host; install"));
    assert_eq!(bench.javascript("export default () => 1").await, Ok(json!(1)));
}

#[tokio::test]
async fn a_stop_ends_it_whatever_it_does() {
    for (language, code) in [
        (
            "python",
            "import signal\ndef process():\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    print('begun')\n    while True: pass",
        ),
        ("javascript", "function process() { console.log('begun'); for (;;); }"),
    ] {
        let bench = Bench::new();
        let mut first = bench.first.subscribe();
        let asked = async {
            first.wait_for(|begun| *begun).await.unwrap();
            bench.ask.send_replace(Some(StopReason::TimedOut));
        };
        let config = json!({ "language": language, "code": code });
        let (result, ()) = tokio::join!(bench.run("code", config), asked);
        assert_eq!(result.unwrap_err().failure.code, "timeout", "{language}");
    }
    let bench = Bench::new();
    let config = json!({ "language": "python", "timeout": "200ms",
                         "code": "def process():\n    while True: pass" });
    assert_eq!(bench.run("code", config).await.unwrap_err().failure.code, "timeout");
}
