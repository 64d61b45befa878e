//! The commands with large values in an S3-compatible service.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::bucket::{Bucket, KEY_ID, REGION, SECRET, Service};
use crate::{command, serve, stop, text};

const BIG: &str = "name: big\nnodes:\n  - {id: big, type: transform, config: {output: \"{{ 'x' * \
                   100000 }}\"}}\n";

fn with_key(mut command: Command, bucket: &Bucket) -> Command {
    command
        .env("WINDLASS_STORE__BLOBS", format!("s3://{}/w", bucket.name))
        .env("AWS_ENDPOINT_URL", bucket.service.endpoint())
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET);
    command
}

#[test]
fn commands_keep_large_values_in_a_bucket() {
    let (directory, bucket) = (tempfile::tempdir().unwrap(), Bucket::fresh());
    let at = directory.path();
    let told = |arguments: &[&str], status: i32| {
        let output = with_key(command(at, arguments), &bucket).output().unwrap();
        let (data, messages) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {data}{messages}");
        assert!(!messages.contains(SECRET) && !data.contains(SECRET), "{data}{messages}");
        data + &messages
    };
    std::fs::write(at.join("big.yaml"), BIG).unwrap();
    told(&["config", "check"], 0);
    assert!(told(&["config", "show"], 0).contains(&format!("s3://{}/w", bucket.name)));
    told(&["run", "big.yaml", "--data", "d"], 0);
    let keys = bucket.keys();
    assert!(!keys.is_empty() && keys.iter().all(|key| key.starts_with("w/")), "{keys:?}");
    assert!(!at.join("d/blobs").exists());
    told(&["db", "check", "--data", "d"], 0);
    assert!(told(&["doctor", "--data", "d"], 0).contains("1 of"));
    told(&["db", "backup", "copy.db", "--data", "d"], 0);
    told(&["db", "move", "--data", "d", "--to", "there"], 0);
    assert!(at.join("there/blobs").is_dir(), "files, where the settings say nothing of the target");
    crate::ok(at, &["db", "check", "--data", "there"]);
    bucket.write(&keys[0], "altered");
    let broken = told(&["db", "check", "--data", "d"], 3);
    let hash = keys[0].strip_prefix("w/").unwrap();
    assert!(broken.contains(&format!("the blob `{hash}` is not as it was written")), "{broken}");
}

#[test]
fn a_wrong_key_or_bucket_is_told_at_the_start() {
    let (directory, bucket) = (tempfile::tempdir().unwrap(), Bucket::fresh());
    for (variable, value, word) in [
        ("AWS_SECRET_ACCESS_KEY", "wrong", "403: SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", "wrong", "403: InvalidAccessKeyId"),
        ("WINDLASS_STORE__BLOBS", "s3://no-such-bucket", "404: NoSuchBucket"),
    ] {
        let mut serve = with_key(command(directory.path(), &["serve", "--data", "d"]), &bucket);
        let output = serve.env(variable, value).output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(7), "{told}");
        assert!(told.contains("where large values go") && told.contains(word), "{told}");
        assert!(!told.contains(SECRET) && !told.contains("Signature="), "{told}");
    }
}

fn until_ready(url: &str) {
    let address = url.strip_prefix("http://").unwrap();
    loop {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        if answer.starts_with("HTTP/1.1 200") {
            return;
        }
    }
}

/// While the service is away nothing with a large value is acknowledged. The server itself goes on.
#[test]
fn a_server_outlives_its_bucket() {
    let bucket = Bucket::fresh_at(Arc::new(Service::start()));
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let settings = json!({ "name": "echo", "nodes": [{ "id": "a", "type": "noop" }] });
    std::fs::write(at.join("echo.json"), settings.to_string()).unwrap();
    let toml = format!(
        "[store]\nblobs = \"s3://{}/w\"\ns3_endpoint = \"{}\"\ns3_region = \"{REGION}\"\n\
         s3_access_key_id = \"{KEY_ID}\"\ns3_secret_access_key = \"{SECRET}\"\n",
        bucket.name,
        bucket.service.endpoint()
    );
    std::fs::write(at.join("windlass.toml"), toml).unwrap();
    std::fs::write(at.join("large.json"), json!({ "text": "x".repeat(100_000) }).to_string())
        .unwrap();
    let (server, url) = serve(at, "127.0.0.1:0");
    let execute = |input: &str| {
        let words = ["workflow", "execute", "echo", "--data", "d", "--input", input];
        command(at, &words).output().unwrap()
    };
    std::fs::write(at.join("small.json"), "{}").unwrap();
    crate::ok(at, &["workflow", "deploy", "echo.json", "--data", "d"]);
    assert!(execute("@large.json").status.success());
    bucket.service.order(&json!(["down"]));
    let refused = execute("@large.json");
    assert!(!refused.status.success(), "{}", text(&refused.stdout));
    assert!(execute("@small.json").status.success(), "what is small needs no bucket");
    bucket.service.order(&json!(["up"]));
    // Whoever met the trouble looks again before it takes anything more.
    until_ready(&url);
    let again = execute("@large.json");
    assert!(again.status.success(), "{}", text(&again.stderr));
    let runs = crate::ok(at, &["runs", "list", "--data", "d", "-o", "json"]);
    let runs: Vec<Value> = serde_json::from_str(&runs).unwrap();
    assert_eq!(runs.len(), 3, "{runs:?}");
    stop(server);
}
