use std::time::Instant;

use serde_json::json;
use windlass_nodes::{LogStream, StopReason};

use crate::bench::{Bench, shared};

#[tokio::test]
async fn a_script_works_in_a_directory_of_its_own() {
    let bench = Bench::new();
    let script = "echo hi > file; cat file; pwd; echo $HOME $TMPDIR; ps ax | wc -l >&2; \
                  echo '{\"n\": 1}' > $WINDLASS_OUTPUT; echo to stderr > /dev/stderr";
    let output = bench.shell(script).await.unwrap();
    let expected = json!({ "exit_code": 0, "stdout": "hi\n/tmp\n/tmp /tmp", "result": { "n": 1 } });
    assert_eq!(output, expected);
    assert!(bench.lines(LogStream::Stderr).contains(&"to stderr".to_owned()));
    assert!(bench.notes.sandbox_level().unwrap().starts_with("full, Landlock"));
    assert_eq!(std::fs::read_dir(bench.work_dir()).unwrap().count(), 0, "it is cleared away");
}

#[tokio::test]
async fn values_input_and_ends_are_as_outside() {
    let bench = Bench::new();
    let config = json!({ "argv": ["sh", "-c", "cat; printf %s \"$A\"; exit 3"], "stdin": "in ",
                         "env": { "A": "$(id)" } });
    let error = bench.run("shell", config).await.unwrap_err();
    let details = json!({ "exit_code": 3, "stdout": "in $(id)", "stderr": "" });
    assert_eq!(error.failure.details, Some(details));
    let error = bench.shell("kill -9 $$").await.unwrap_err();
    assert_eq!(error.failure.message, "it was killed by signal 9");
    let error = bench.run("shell", json!({ "argv": ["/no/such/program"] })).await.unwrap_err();
    assert_eq!((error.failure.code.as_str(), error.is_final), ("start", true));
    assert!(error.failure.message.contains("/no/such/program"), "{error:?}");
    let error =
        bench.run("shell", json!({ "script": "true", "cwd": "/no/such/place" })).await.unwrap_err();
    assert!(error.is_final && error.failure.message.contains("/no/such/place"), "{error:?}");
}

#[tokio::test]
async fn what_the_settings_allow_is_there() {
    let (shared, read) = (shared(), shared());
    std::fs::write(read.path().join("in"), "read me").unwrap();
    let bench = Bench::with(|settings| {
        settings.write = vec![shared.path().to_owned()];
        settings.read = vec![read.path().to_owned()];
    });
    let script = "cat $IN/in > out; ! touch $IN/more";
    let config = json!({ "script": script, "cwd": shared.path(), "env": { "IN": read.path() } });
    bench.run("shell", config).await.unwrap();
    assert_eq!(std::fs::read_to_string(shared.path().join("out")).unwrap(), "read me");
    // A step may ask for less, and not for more.
    let config = json!({ "script": "! ls $IN", "env": { "IN": read.path() }, "sandbox": {} });
    bench.run("shell", config).await.unwrap();
    let config = json!({ "script": "true", "sandbox": { "read": ["/root"] } });
    let error = bench.run("shell", config).await.unwrap_err();
    assert_eq!((error.failure.code.as_str(), error.is_final), ("sandbox_denied", true));
}

#[tokio::test]
async fn it_is_asked_to_end_before_it_is_made_to() {
    let bench = Bench::new();
    let script = "trap 'echo bye; exit 0' TERM; echo begun; sleep 300 & wait";
    let mut first = bench.first.subscribe();
    let asked = async {
        first.wait_for(|begun| *begun).await.unwrap();
        bench.ask.send_replace(Some(StopReason::TimedOut));
    };
    let begin = Instant::now();
    let (result, ()) = tokio::join!(bench.shell(script), asked);
    assert_eq!(result.unwrap_err().failure.code, "timeout");
    assert_eq!(bench.lines(LogStream::Stdout), ["begun", "bye"]);
    assert!(begin.elapsed().as_secs() < 2, "nobody waited for the end of its time");
}
