//! Runs that are deleted are in the archive first.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Stopped, ok, serve_with};

#[test]
fn what_retention_deletes_is_in_the_archive() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let one = "name: one\nnodes: [{ id: a, type: shell, config: { script: 'echo kept' } }]\n";
    std::fs::write(at.join("one.yaml"), one).unwrap();
    for _ in 0..3 {
        ok(at, &["run", "one.yaml", "--data", "d"]);
    }
    let settings = "[retention]\narchive = 'old'\n[retention.workflows.one]\ncount = 1\n";
    std::fs::write(at.join("windlass.toml"), settings).unwrap();
    let arguments = ["serve", "--data", "d", "--listen", "127.0.0.1:0"];
    let (server, url) = serve_with(at, &arguments);
    let _server = Stopped(server);
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let listed = ok(at, &["runs", "list", "--server", &url, "-o", "json"]);
        let listed: Value = serde_json::from_str(&listed).unwrap();
        if listed.as_array().unwrap().len() == 1 {
            break;
        }
        assert!(Instant::now() < until, "{listed}");
    }
    let mut found = Vec::new();
    for file in std::fs::read_dir(at.join("old")).unwrap() {
        let packed = std::fs::File::open(file.unwrap().path()).unwrap();
        let text = std::io::read_to_string(zstd::Decoder::new(packed).unwrap()).unwrap();
        found.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    assert_eq!(found.len(), 2);
    for run in found {
        assert_eq!(
            (&run["format"], &run["run"]["status"]),
            (&"windlass.run".into(), &"succeeded".into())
        );
        assert_eq!(run["logs"][0]["text"], "kept");
    }
}
