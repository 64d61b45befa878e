//! Runs that are watched.

use std::process::{Command, Stdio};

use crate::{ok, serve, stop, text, windlass};

#[test]
fn a_run_is_watched_over_a_restart_of_its_server() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let definition = "name: nap\nnodes:\n  - {id: nap, type: delay, config: {duration: 2s}}\n  \
                      - {id: b, type: noop, needs: [nap], config: {output: '{{ input.n }}'}}\n";
    std::fs::write(at.join("nap.yaml"), definition).unwrap();
    let (server, url) = serve(at, "127.0.0.1:0");
    ok(at, &["workflow", "deploy", "nap.yaml", "--data", "d"]);
    let run = ok(at, &["workflow", "execute", "nap", "-i", "n=1", "--data", "d"]);
    let mut watch = Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(["runs", "watch", run.trim(), "--server", &url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = std::io::BufReader::new(watch.stdout.take().unwrap());
    let mut story = String::new();
    while !story.contains("step waiting") {
        assert_ne!(std::io::BufRead::read_line(&mut told, &mut story).unwrap(), 0, "{story}");
    }
    stop(server);
    let mut excuse = std::io::BufReader::new(watch.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut excuse, &mut line).unwrap();
    assert!(line.contains("trying again"), "{line}");
    let (server, _) = serve(at, url.trim_start_matches("http://"));
    std::io::Read::read_to_string(&mut told, &mut story).unwrap();
    assert!(watch.wait().unwrap().success(), "{story}");
    assert_eq!(story.matches("run started").count(), 1, "{story}");
    assert!(story.contains("run succeeded"), "{story}");
    let failed = windlass(at, &["workflow", "execute", "nap", "--watch", "--data", "d"]);
    assert_eq!(failed.status.code(), Some(1), "{}", text(&failed.stdout));
    stop(server);
}
