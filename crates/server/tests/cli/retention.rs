//! Runs that are deleted are in the archive first.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::bucket::{Bucket, KEY_ID, REGION, SECRET, Service};
use crate::{Stopped, command, ok, serve_with, text};

const TOO_LONG: Duration = Duration::from_secs(60);

/// Three runs, of which one is to stay.
fn runs_that_go(at: &Path, archive: &str) {
    let one = "name: one\nnodes: [{ id: a, type: shell, config: { script: 'echo kept' } }]\n";
    std::fs::write(at.join("one.yaml"), one).unwrap();
    for _ in 0..3 {
        ok(at, &["run", "one.yaml", "--data", "d"]);
    }
    let settings = format!("{archive}[retention.workflows.one]\ncount = 1\n");
    std::fs::write(at.join("windlass.toml"), settings).unwrap();
}

/// The settings of an archive in a bucket, but for the secret.
fn in_bucket(bucket: &Bucket) -> String {
    format!(
        "[retention]\narchive = 's3://{}/old'\n[retention.s3]\nendpoint = '{}'\nregion = '{REGION}'\n\
         access_key_id = '{KEY_ID}'\n",
        bucket.name,
        bucket.service.endpoint()
    )
}

fn run_count(at: &Path, url: &str) -> usize {
    let listed = ok(at, &["runs", "list", "--server", url, "-o", "json"]);
    serde_json::from_str::<Value>(&listed).unwrap().as_array().unwrap().len()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + TOO_LONG;
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The lines of an archive's file are the two runs that went.
fn check_lines(packed: impl Read) -> Vec<Value> {
    let text = std::io::read_to_string(zstd::Decoder::new(packed).unwrap()).unwrap();
    let found: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(found.len(), 2);
    for run in &found {
        let is = (&run["format"], &run["run"]["status"]);
        assert_eq!(is, (&"windlass.run".into(), &"succeeded".into()));
        assert_eq!(run["logs"][0]["text"], "kept");
    }
    found
}

#[test]
fn what_retention_deletes_is_in_the_archive() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    runs_that_go(at, "[retention]\narchive = 'old'\n");
    let arguments = ["serve", "--data", "d", "--listen", "127.0.0.1:0"];
    let (server, url) = serve_with(at, &arguments);
    let _server = server;
    wait_until("runs are deleted", || run_count(at, &url) == 1);
    let mut files = std::fs::read_dir(at.join("old")).unwrap();
    check_lines(File::open(files.next().unwrap().unwrap().path()).unwrap());
    assert!(files.next().is_none(), "one file a batch");
}

/// A server whose log is a file.
fn serve_to_file(at: &Path, secret: &str, log: &str) -> Stopped {
    let mut serve = command(at, &["serve", "--data", "d", "--listen", "127.0.0.1:0"]);
    serve.env("WINDLASS_RETENTION__S3__SECRET_ACCESS_KEY", secret);
    serve.env("WINDLASS_LOG__LEVEL", "debug");
    Stopped(serve.stderr(File::create(at.join(log)).unwrap()).spawn().unwrap())
}

fn url_in(at: &Path, log: &str) -> String {
    let read = || std::fs::read_to_string(at.join(log)).unwrap();
    wait_until("the server is ready", || read().contains("is ready at"));
    let told = read();
    let line = told.lines().find_map(|line| line.strip_prefix("windlass is ready at "));
    line.unwrap().to_owned()
}

#[test]
fn what_retention_deletes_is_in_the_bucket() {
    let (directory, bucket) = (tempfile::tempdir().unwrap(), Bucket::fresh());
    let at = directory.path();
    runs_that_go(at, &in_bucket(&bucket));
    let server = serve_to_file(at, SECRET, "log");
    let url = url_in(at, "log");
    wait_until("runs are deleted", || run_count(at, &url) == 1);
    drop(server);
    let keys = bucket.keys();
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    assert!(key.starts_with("old/runs-") && key.ends_with(".jsonl.zst"), "{key}");
    let packed = bucket.service.order(&json!(["bytes", bucket.name, key]));
    let found = check_lines(&STANDARD.decode(packed.as_str().unwrap()).unwrap()[..]);
    std::fs::write(at.join("case.wfrun"), found[0].to_string()).unwrap();
    let mut open = command(at, &["open", "case.wfrun"]);
    let mut opened = Stopped(open.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut address = String::new();
    BufReader::new(opened.0.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let run = found[0]["run"]["id"].as_str().unwrap();
    assert!(address.trim().ends_with(&format!("/runs/{run}")), "{address}");
    let log = std::fs::read_to_string(at.join("log")).unwrap();
    assert!(!log.contains(SECRET) && !log.contains("X-Amz"), "{log}");
    let mut show = command(at, &["config", "show"]);
    let shown = show.env("WINDLASS_RETENTION__S3__SECRET_ACCESS_KEY", SECRET).output().unwrap();
    let shown = text(&shown.stdout);
    assert!(shown.contains("***") && !shown.contains(SECRET) && !shown.contains(KEY_ID), "{shown}");
}

#[test]
fn runs_stay_until_the_bucket_has_them() {
    let bucket = Bucket::fresh_at(Arc::new(Service::start()));
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    runs_that_go(at, &in_bucket(&bucket));
    let log = |name: &str| std::fs::read_to_string(at.join(name)).unwrap();
    let wrong = serve_to_file(at, "wrong", "wrong");
    let url = url_in(at, "wrong");
    wait_until("the secret is refused", || log("wrong").contains("403: SignatureDoesNotMatch"));
    assert_eq!(run_count(at, &url), 3);
    drop(wrong);
    bucket.service.order(&json!(["down"]));
    let _server = serve_to_file(at, SECRET, "away");
    let url = url_in(at, "away");
    let stays = "old runs stay, because they could not be archived";
    wait_until("the service is missed", || log("away").contains(stays));
    assert_eq!(run_count(at, &url), 3);
    bucket.service.order(&json!(["up"]));
    wait_until("the bucket has them", || run_count(at, &url) == 1);
    assert_eq!(bucket.keys().len(), 1, "tried again, it is the same object");
    wait_until("it is told", || log("away").contains("old runs are archived again"));
}
