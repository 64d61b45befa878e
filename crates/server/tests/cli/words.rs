//! What a command says when it cannot do what it was asked for.

use std::io::BufRead;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::{command, ok, text, windlass};

/// A server on the directory `d`, with this key.
fn serve(at: &Path, key: &str) -> Child {
    let mut server = command(at, &["serve", "--listen", "127.0.0.1:0", "--data", "d"]);
    let mut server = server.env("SERVER_API_KEY", key).stderr(Stdio::piped()).spawn().unwrap();
    let lines = std::io::BufReader::new(server.stderr.take().unwrap()).lines();
    lines.map(Result::unwrap).find(|line| line.starts_with("windlass is ready")).unwrap();
    server
}

#[test]
fn a_refusal_has_its_code_and_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let mut server = serve(at, "a long key");
    let refused = windlass(at, &["runs", "list", "--data", "d"]);
    let known = command(at, &["runs", "show", "nobody", "--data", "d"])
        .env("WINDLASS_API_KEY", "a long key")
        .output()
        .unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(refused.status.code(), Some(5));
    assert_eq!(
        text(&refused.stderr),
        "error[unauthenticated]: a key is needed: `Authorization: Bearer wl_…` or `X-API-Key`\n    \
         hint: show a key by `--api-key` or `WINDLASS_API_KEY`\n"
    );
    assert_eq!(
        text(&known.stderr),
        "error[run-not-found]: There is no such run: no run has the id or external id `nobody`\n"
    );
}

#[test]
fn what_cannot_be_used_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let told = |arguments: &[&str]| text(&windlass(at, arguments).stderr);
    assert_eq!(
        told(&["open", "none.wfrun"]),
        "error: `none.wfrun` cannot be read: No such file or directory (os error 2)\n"
    );
    assert_eq!(
        told(&["runs", "list", "--server", "http://127.0.0.1:1"]),
        "error: cannot reach http://127.0.0.1:1: Connection refused (os error 111)\n"
    );
    for odd in ["here", "127.0.0.1", "127.0.0.1:99999"] {
        assert_eq!(
            told(&["serve", "--data", "d", "--listen", odd]),
            format!(
                "error: server.listen: an address with a port is expected, such as \
                 `127.0.0.1:8000`, not `{odd}` (from --listen)\n"
            )
        );
    }
}

#[test]
fn where_nothing_is_to_be_done_that_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    std::fs::write(at.join("a.yaml"), "name: a\nnodes: [{id: a, type: noop}]\n").unwrap();
    ok(at, &["run", "a.yaml", "--data", "d"]);
    let none = windlass(at, &["workflow", "rerun-failed", "a", "--data", "d"]);
    assert_eq!(text(&none.stdout), "");
    assert_eq!(text(&none.stderr), "no run that has failed is left to be resumed\n");
    let stopped = ok(at, &["halt", "--reason", "fire", "--data", "d"]);
    assert!(stopped.starts_with("everything is stopped, by local at 20"), "{stopped}");
    assert!(stopped.ends_with("Z: fire\n"), "{stopped}");
    ok(at, &["halt", "--data", "d"]);
    assert!(ok(at, &["halt", "--status", "--data", "d"]).ends_with("Z\n"));
}

#[test]
fn a_long_reason_does_not_push_the_columns_away() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    std::fs::write(
        at.join("w.yaml"),
        "name: w\nnodes: [{id: a, type: delay, config: {duration: 1h}}]\n",
    )
    .unwrap();
    ok(at, &["db", "migrate", "--data", "d"]);
    ok(at, &["workflow", "deploy", "w.yaml", "--data", "d"]);
    let run = ok(at, &["workflow", "execute", "w", "--data", "d"]);
    let reason = "somebody has had a very long story to tell about this";
    ok(at, &["runs", "cancel", run.trim(), "--reason", reason, "--data", "d"]);
    let list = ok(at, &["runs", "list", "--data", "d"]);
    assert!(list.contains("(somebody has had a very long s…)"), "{list}");
    assert!(ok(at, &["runs", "show", run.trim(), "--data", "d"]).contains(reason));
}
