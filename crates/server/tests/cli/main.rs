//! The commands, as a shell calls them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agent;
#[path = "../../../store/tests/conformance/bucket.rs"]
#[expect(dead_code, reason = "the store's own tests need more of it")]
mod bucket;
mod compact;
mod customer_support;
mod database;
#[path = "../../../../sdk/rust/tests/desk/mod.rs"]
#[expect(dead_code, reason = "the client's own tests need more of it")]
mod desk;
mod hybrid;
mod mcp;
#[path = "../api/model.rs"]
#[expect(dead_code, reason = "the API's tests need more of it")]
mod model;
mod plugins;
#[path = "../../../store/tests/conformance/server.rs"]
#[expect(dead_code, reason = "the store's own tests need more of it")]
mod postgres;
mod prompt;
#[path = "../../../nodes/tests/llm/proxy.rs"]
mod proxy;
mod retention;
mod sdk;
mod settings;
mod traces;
mod units;
mod watch;
mod words;
mod worker;

mod s3;
#[path = "../api/tamper.rs"]
mod tamper;

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
    command.args(arguments).current_dir(directory).stdin(Stdio::null());
    // What the developer has set must not decide what the tests see.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_other = windlass_server::config::SEED_VARIABLES.iter().any(|(one, _)| *one == text);
        if text.starts_with("WINDLASS_") || is_other {
            command.env_remove(name);
        }
    }
    command
}

fn windlass(directory: &Path, arguments: &[&str]) -> Output {
    command(directory, arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn ok(directory: &Path, arguments: &[&str]) -> String {
    let output = windlass(directory, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn help_says_what_there_is() {
    let directory = tempfile::tempdir().unwrap();
    let mut pages = String::new();
    let commands = [
        "",
        "dev",
        "serve",
        "run",
        "check",
        "test",
        "workflow",
        "workflow list",
        "workflow show",
        "workflow deploy",
        "workflow execute",
        "workflow delete",
        "runs",
        "runs list",
        "runs show",
        "runs watch",
        "runs logs",
        "runs mark",
        "runs cancel",
        "runs terminate",
        "runs rerun",
        "runs export",
        "runs import",
        "template",
        "template import",
        "template export",
        "template list",
        "template show",
        "template delete",
        "template graph",
        "instance",
        "instance create",
        "instance list",
        "instance show",
        "instance pause",
        "uow",
        "uow add",
        "uow list",
        "uow show",
        "uow history",
        "queue",
        "queue list",
        "queue show",
        "prompt",
        "prompt list",
        "prompt show",
        "prompt render",
        "prompt test",
        "open",
        "mcp",
        "worker",
        "key",
        "key create",
        "key list",
        "key revoke",
        "audit",
        "audit list",
        "audit verify",
        "config",
        "config show",
        "config check",
        "db",
        "db migrate",
        "db check",
        "db compact",
        "db backup",
        "db move",
        "doctor",
        "bench",
        "openapi",
        "completions",
    ];
    for command in commands {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        pages.push_str(&format!("$ windlass {}\n", arguments.join(" ")));
        pages.push_str(&ok(directory.path(), &arguments));
        pages.push('\n');
    }
    insta::assert_snapshot!("help", pages);
}

#[test]
fn a_run_prints_its_output_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let file = format!("{EXAMPLES}/triage-order.json");
    let arguments = ["run", &file, "--input", "customer=Ada", "--input", "amount=50"];
    let output = windlass(directory.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed, json!({ "customer": "Ada", "how": "at once", "shipping": "this week" }));
    let told = text(&output.stderr);
    assert!(told.contains("pay: succeeded") && told.contains("ask: skipped (not_taken)"), "{told}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is left behind");
    let quiet = windlass(directory.path(), &[&arguments[..], &["--quiet"]].concat());
    assert_eq!(text(&quiet.stderr), "");
}

#[test]
fn a_run_says_by_its_exit_status_how_it_ended() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        std::fs::write(directory.path().join(name), content).unwrap();
    };
    write("fails.yaml", "name: f\nnodes:\n  - {id: a, type: fail, config: {message: no way}}\n");
    write("broken.yaml", "name: f\nnodes:\n  - {id: a, type: nope}\n");
    write(
        "late.yaml",
        "name: l\ndeadline: 200ms\nnodes:\n  - {id: a, type: delay, config: {duration: 1h}}\n",
    );
    let table: [(&[&str], i32, &str); 8] = [
        (&["run", "late.yaml"], 1, "was not over by"),
        (&["run", "fails.yaml"], 1, "no way"),
        (&["run", "broken.yaml"], 3, "broken.yaml:3:19: error[unknown-kind]"),
        (&["run", "missing.yaml"], 2, "`missing.yaml` cannot be read"),
        (&["run"], 2, "required"),
        (&["run", "fails.yaml", "--input", "x"], 2, "neither `key=value`"),
        (&["check", "fails.yaml"], 0, "fine"),
        (&["check", "fails.yaml", "broken.yaml"], 3, "not usable"),
    ];
    for (arguments, code, told) in table {
        let output = windlass(directory.path(), arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(told), "{arguments:?}: {}", text(&output.stderr));
    }
    let input = format!("{EXAMPLES}/triage-order.json");
    let output = windlass(directory.path(), &["run", &input, "--input", "amount=x"]);
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output.stderr);
    assert_eq!(told.matches("/amount").count(), 1, "{told}");
}

#[test]
fn an_input_may_be_larger_than_a_definition() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let file = "name: Big\nnodes: [{id: a, type: transform, config: {output: '{{ len(input.text) \
                }}'}}]\n";
    std::fs::write(at.join("big.yaml"), file).unwrap();
    let input = json!({ "text": "x".repeat(3_000_000) }).to_string();
    std::fs::write(at.join("3mb.json"), &input).unwrap();
    assert_eq!(ok(at, &["run", "big.yaml", "-i", "@3mb.json", "--data", "d"]).trim(), "3000000");
    ok(at, &["workflow", "execute", "Big", "-i", "@3mb.json", "--data", "d"]);
    let mut child = command(at, &["run", "big.yaml", "-i", "-"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    assert_eq!(text(&child.wait_with_output().unwrap().stdout).trim(), "3000000");
}

#[test]
fn a_killed_run_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let definition = "name: long\nnodes:\n  - {id: a, type: shell, config: {env: {F: '{{ input.f }}'}, \
                      script: 'echo done >> \"$F\"'}}\n  - {id: nap, type: delay, needs: [a], \
                      config: {duration: 3s}}\n  - {id: b, type: transform, needs: [nap], config: \
                      {output: '{{ a.output.exit_code }}'}}\n";
    std::fs::write(directory.path().join("long.yaml"), definition).unwrap();
    let effects = directory.path().join("effects");
    let mut child = Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(["run", "long.yaml", "--data", "state", "--input"])
        .arg(format!("f={}", effects.display()))
        .current_dir(directory.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let lines = std::io::BufRead::lines(stderr).map(Result::unwrap);
    let mut run = None;
    for line in lines {
        if let Some(rest) = line.strip_prefix("run ") {
            run = rest.split(',').next().map(str::to_owned);
        }
        if line.starts_with("nap: waits") {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let run = run.unwrap();
    let shown = ok(directory.path(), &["runs", "show", &run, "--data", "state"]);
    assert!(shown.contains("waiting (timer)"), "{shown}");
    let printed = ok(directory.path(), &["run", "--resume", &run, "--data", "state"]);
    assert_eq!(printed.trim(), "0");
    assert_eq!(std::fs::read_to_string(effects).unwrap(), "done\n", "done once");
    let again = ok(directory.path(), &["run", "--resume", &run, "--data", "state"]);
    assert_eq!(again.trim(), "0");
}

#[test]
fn commands_open_the_directory_themselves_if_no_server_runs() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let nothing = windlass(at, &["runs", "list"]);
    assert_eq!(nothing.status.code(), Some(7));
    assert!(text(&nothing.stderr).contains("there is no server and no data"));
    let file = format!("{EXAMPLES}/triage-order.json");
    ok(at, &["run", &file, "-i", "customer=Ada", "-i", "amount=5", "--data", "d"]);
    let data = ["--data", "d"];
    let list = ok(at, &[&["runs", "list", "-o", "json"], &data[..]].concat());
    let list: Value = serde_json::from_str(&list).unwrap();
    let run = list[0]["id"].as_str().unwrap();
    assert_eq!(list[0]["status"], "succeeded");
    assert!(ok(at, &["workflow", "list", "--data", "d"]).contains("Triage an order"));
    let source = ok(at, &["workflow", "show", "Triage an order", "--data", "d"]);
    assert_eq!(source.trim(), std::fs::read_to_string(&file).unwrap().trim());
    assert!(ok(at, &["workflow", "deploy", &file, "--data", "d"]).contains("version 1, unchanged"));
    assert!(ok(at, &["runs", "watch", run, "--data", "d"]).contains("run succeeded"));
    let cancel = windlass(at, &["runs", "cancel", run, "--data", "d"]);
    assert_eq!(cancel.status.code(), Some(6), "{}", text(&cancel.stderr));
    let missing = windlass(at, &["runs", "show", "nobody", "--data", "d"]);
    assert_eq!(missing.status.code(), Some(4));
    ok(at, &["workflow", "delete", "Triage an order", "--data", "d"]);
    assert!(!ok(at, &["workflow", "list", "--data", "d"]).contains("Triage"));
    let unreachable = windlass(at, &["runs", "list", "--server", "http://127.0.0.1:1"]);
    assert_eq!(unreachable.status.code(), Some(7));
    let nonsense = windlass(at, &["runs", "list", "--server", "not a url"]);
    assert_eq!(nonsense.status.code(), Some(2), "{}", text(&nonsense.stderr));
}

#[test]
fn settings_say_where_they_come_from() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    std::fs::write(at.join("windlass.toml"), "[shell]\nconcurrency = 3\n").unwrap();
    let shown = Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(["config", "show", "-o", "json", "--listen", "127.0.0.1:9999"])
        .env("WINDLASS_LOG__LEVEL", "debug")
        .current_dir(at)
        .output()
        .unwrap();
    let settings: Vec<Value> = serde_json::from_slice(&shown.stdout).unwrap();
    let origin = |key: &str| {
        let setting = settings.iter().find(|setting| setting["key"] == key).unwrap();
        let from = setting["origin"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        (setting["value"].clone(), from)
    };
    assert_eq!(origin("server.listen"), (json!("127.0.0.1:9999"), "--listen".into()));
    assert_eq!(origin("shell.concurrency"), (json!(3), "windlass.toml".into()));
    assert_eq!(origin("log.level"), (json!("debug"), "WINDLASS_LOG__LEVEL".into()));
    assert_eq!(origin("http.concurrency"), (json!(256), "default".into()));
    assert_eq!(windlass(at, &["config", "check"]).status.code(), Some(0));
    for (content, told) in [
        ("[shell]\nconcurrensy = 3\n", "concurrensy"),
        ("[shell]\nconcurrency = 0\n", "shell.concurrency"),
        ("[access]\njwt_secret = \"short\"\n", "access.jwt_secret"),
        ("[access]\njwt_algorithm = \"RS256\"\n", "`RS256` is none of"),
        ("[server]\ncors_allowed_origins = [\"example.com\"]\n", "is no origin"),
        ("[http]\nallow = [\"10.0.0.0/99\"]\n", "10.0.0.0/99"),
        ("[store]\nblobs = \"bucket\"\n", "`s3://bucket/prefix`"),
        ("[store]\nblobs = \"s3://my-bucket\"\n", "store.s3_access_key_id: `store.blobs` needs it"),
        ("[store]\nblobs = \"s3://my-bucket\"\ns3_endpoint = \"minio\"\n", "store.s3_endpoint"),
        ("[store]\nblobs = \"s3://my-bucket\"\ns3_region = \"a b\"\n", "store.s3_region"),
        (
            "[retention]\narchive = \"ftp://a:b@c\"\n",
            "`s3://bucket/prefix` is expected, not `ftp://` ",
        ),
        ("[retention]\narchive = \"s3://ab\"\n", "retention.archive: `ab` is no name of a bucket"),
        (
            "[retention]\narchive = \"s3://my-bucket\"\n",
            "retention.s3.access_key_id: `retention.archive` needs it, or `store.s3_access_key_id`",
        ),
        (
            "[retention]\narchive = \"s3://my-bucket\"\ns3 = { endpoint = \"minio\" }\n",
            "retention.s3.endpoint: an address",
        ),
        ("[shell", "TOML"),
    ] {
        std::fs::write(at.join("windlass.toml"), content).unwrap();
        let output = windlass(at, &["config", "check"]);
        assert_eq!(output.status.code(), Some(3), "{content}");
        assert!(text(&output.stderr).contains(told), "{content}: {}", text(&output.stderr));
        assert_eq!(windlass(at, &["serve"]).status.code(), Some(2), "{content}");
    }
}

/// The table of `docs/settings.md`, as it stands there.
#[test]
fn names_of_other_systems_set_what_the_docs_say() {
    let directory = tempfile::tempdir().unwrap();
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let table: [(&str, &str, &str, Value); 23] = [
        // What is secret is not shown.
        ("SERVER_API_KEY", "long enough", "access.server_api_key", json!("***")),
        ("JWT_SECRET", "long enough", "access.jwt_secret", json!("***")),
        ("AWS_ACCESS_KEY_ID", "AKIA-of-ours", "store.s3_access_key_id", json!("***")),
        ("AWS_SECRET_ACCESS_KEY", "Not/Shown", "store.s3_secret_access_key", json!("***")),
        ("AWS_REGION", "eu-west-1", "store.s3_region", json!("eu-west-1")),
        ("AWS_ENDPOINT_URL", "http://Minio:9000", "store.s3_endpoint", json!("http://Minio:9000")),
        ("JWT_ALGORITHM", "hs512", "access.jwt_algorithm", json!("HS512")),
        ("HOST", "127.0.0.2", "server.listen", json!("127.0.0.2:8000")),
        ("HOST", "localhost", "server.listen", json!("127.0.0.1:8000")),
        ("PORT", "9001", "server.listen", json!("127.0.0.1:9001")),
        ("WORKFLOW_ENGINE_HOST", "::1", "server.listen", json!("[::1]:8000")),
        ("WORKFLOW_ENGINE_PORT", "9002", "server.listen", json!("127.0.0.1:9002")),
        (
            "CORS_ALLOWED_ORIGINS",
            "http://localhost:3000, https://a.example.com/",
            "server.cors_allowed_origins",
            json!(["http://localhost:3000", "https://a.example.com"]),
        ),
        (
            "CORS_ALLOWED_ORIGINS",
            "[\"http://localhost:3000\"]",
            "server.cors_allowed_origins",
            json!(["http://localhost:3000"]),
        ),
        (
            "DATABASE_URL",
            "postgres://ann:s3cret@db/x",
            "store.database",
            json!("postgres://ann:***@db/x"),
        ),
        ("DATABASE_URL", "sqlite:////var/lib/app/app.db", "store.data", json!("/var/lib/app")),
        ("INSTANCE_DB_URL", "sqlite:///./state", "store.data", json!("./state")),
        ("RETENTION_DAYS", "30", "store.retention", json!("30d")),
        ("RETENTION_DAYS", "0", "store.retention", Value::Null),
        ("LOG_LEVEL", "WARNING", "log.level", json!("warn")),
        ("LOG_LEVEL", "debug", "log.level", json!("debug")),
        ("LOG_FORMAT", "JSON", "log.format", json!("json")),
        ("LOG_FORMAT", "", "log.format", json!("text")),
    ];
    let show = |variables: &[(&str, &str)]| {
        let mut command = command(directory.path(), &["config", "show", "-o", "json"]);
        command.envs(variables.iter().copied()).output().unwrap()
    };
    for (name, value, key, wanted) in table {
        let output = show(&[(name, value)]);
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let setting = shown.as_array().and_then(|all| all.iter().find(|one| one["key"] == key));
        let setting = setting.unwrap_or_else(|| panic!("{name}: {}", text(&output.stderr)));
        assert_eq!(setting["value"], wanted, "{name}");
        let origin = if value.is_empty() { "default" } else { name };
        assert_eq!(setting["origin"], origin, "{name}");
        let is_told = docs.contains(&format!("| `{name}` |")) && docs.contains(&format!("`{key}`"));
        assert!(is_told, "{name} is not in the docs");
    }
    for (name, _) in windlass_server::config::SEED_VARIABLES {
        assert!(docs.contains(&format!("| `{name}` |")), "{name} is not in the docs");
    }
    let both = show(&[("LOG_LEVEL", "error"), ("WINDLASS_LOG__LEVEL", "debug")]);
    assert!(text(&both.stdout).contains("debug"), "ours wins");
    let odd = show(&[("HOST", "my box")]);
    assert_eq!(odd.status.code(), Some(2));
    assert!(text(&odd.stderr).contains("HOST: `my box` is neither"), "{}", text(&odd.stderr));
}

#[test]
fn what_the_program_prints_about_itself_can_be_used() {
    let directory = tempfile::tempdir().unwrap();
    let document: Value = serde_json::from_str(&ok(directory.path(), &["openapi"])).unwrap();
    assert_eq!(document["info"]["title"], "Windlass");
    for shell in ["bash", "zsh", "fish", "elvish"] {
        assert!(ok(directory.path(), &["completions", shell]).contains("windlass"), "{shell}");
    }
}

#[test]
fn keys_are_made_with_and_without_a_server() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let exposed = windlass(at, &["serve", "--data", "d", "--listen", "0.0.0.0:0"]);
    assert_eq!(exposed.status.code(), Some(2));
    let told = text(&exposed.stderr);
    assert!(told.contains("there is no key yet") && told.contains("windlass key create"), "{told}");
    // The first one, before there is anything else.
    let at_data = ["--data", "fresh"];
    let arguments = ["key", "create", "--role", "admin", "--name", "root", "-o", "json"];
    let made = ok(at, &[&arguments[..], &at_data].concat());
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made.as_object().unwrap().len(), 2, "{made}");
    let key = made["key"].as_str().unwrap();
    assert!(ok(at, &["audit", "list", "--data", "fresh"]).contains("key.create"));

    let mut child = serve_with(at, &["serve", "--data", "fresh", "--listen", "0.0.0.0:0"]);
    let url = child.1.replace("0.0.0.0", "127.0.0.1");
    let list = ["key", "list", "--data", "fresh"];
    let denied = windlass(at, &list);
    assert_eq!(denied.status.code(), Some(5), "{}", text(&denied.stderr));
    let listed = ok(at, &[&list[..], &["--api-key", key]].concat());
    assert!(listed.contains("root") && !listed.contains(key), "{listed}");
    let shown =
        command(at, &["runs", "list", "--server", &url]).env("WINDLASS_API_KEY", key).output();
    assert!(shown.unwrap().status.success());
    let more =
        ["key", "create", "--role", "viewer", "--name", "v", "--expires", "30d", "-o", "json"];
    let viewer = ok(at, &[&more[..], &at_data, &["--api-key", key]].concat());
    let viewer: Value = serde_json::from_str(&viewer).unwrap();
    let (id, weak) = (viewer["id"].as_str().unwrap(), viewer["key"].as_str().unwrap());
    let forbidden = windlass(at, &["key", "revoke", id, "--data", "fresh", "--api-key", weak]);
    assert_eq!(forbidden.status.code(), Some(5), "{}", text(&forbidden.stderr));
    ok(at, &["key", "revoke", id, "--data", "fresh", "--api-key", key]);
    let gone = windlass(at, &["runs", "list", "--data", "fresh", "--api-key", weak]);
    assert_eq!(gone.status.code(), Some(5), "{}", text(&gone.stderr));
    child.0.kill().unwrap();
    child.0.wait().unwrap();

    // Who owns the directory needs no key, and finds what somebody has changed in it.
    assert!(ok(at, &["key", "list", "--data", "fresh"]).contains("viewer"));
    let fine = windlass(at, &["audit", "verify", "--data", "fresh"]);
    assert!(text(&fine.stderr).contains("all as they were written"), "{}", text(&fine.stderr));
    tamper::alter_audit(&at.join("fresh"), 2);
    let altered = windlass(at, &["audit", "verify", "--data", "fresh"]);
    assert_eq!(altered.status.code(), Some(3));
    assert!(text(&altered.stderr).contains("record 2 is the first"), "{}", text(&altered.stderr));
}

/// A server on a directory, and where it listens.
fn serve(directory: &Path, listen: &str) -> (Stopped, String) {
    serve_with(directory, &["serve", "--data", "d", "--listen", listen])
}

fn serve_with(directory: &Path, arguments: &[&str]) -> (Stopped, String) {
    ready(command(directory, arguments).stderr(Stdio::piped()).spawn().unwrap())
}

/// Waits until a server is ready, and says where it listens.
fn ready(child: Child) -> (Stopped, String) {
    let mut child = Stopped(child);
    let stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut lines = std::io::BufRead::lines(stderr).map(Result::unwrap);
    let ready = "windlass is ready at ";
    let url = lines.find_map(|line| line.strip_prefix(ready).map(str::to_owned)).unwrap();
    // Whoever writes to a pipe that nobody reads is ended by it.
    std::thread::spawn(move || lines.for_each(drop));
    (child, url)
}

/// Ends a server at once.
fn stop(server: Stopped) {
    drop(server);
}

/// A child that does not outlive its test.
struct Stopped(Child);

impl std::ops::Deref for Stopped {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl std::ops::DerefMut for Stopped {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_run_is_exported_and_opened_without_its_server() {
    let directory = tempfile::tempdir().unwrap();
    let file = format!("{EXAMPLES}/triage-order.json");
    let arguments =
        ["run", &file, "--data", "data", "--input", "customer=Ada", "--input", "amount=50"];
    ok(directory.path(), &arguments);
    let runs = ok(directory.path(), &["runs", "list", "--data", "data", "-o", "json"]);
    let runs: Value = serde_json::from_str(&runs).unwrap();
    let run = runs[0]["id"].as_str().unwrap();
    ok(directory.path(), &["runs", "export", run, "--data", "data", "-o", "case.wfrun"]);
    std::fs::remove_dir_all(directory.path().join("data")).unwrap();
    let mut child = Stopped(
        command(directory.path(), &["open", "case.wfrun"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut address = String::new();
    let out = std::io::BufReader::new(child.0.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut { out }, &mut address).unwrap();
    assert!(address.trim().ends_with(&format!("/runs/{run}")), "{address}");
    let url = address.trim().to_owned();
    let shown = ok(
        directory.path(),
        &["runs", "show", run, "--server", url.split("/runs").next().unwrap()],
    );
    assert!(shown.contains("succeeded"), "{shown}");
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "nothing but the file is there: {names:?}");
    std::fs::write(directory.path().join("other.json"), "{}").unwrap();
    let output = windlass(directory.path(), &["open", "other.json"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("other.json"), "{}", text(&output.stderr));
}

#[test]
fn the_doctor_finds_what_is_not_as_its_journal_says() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let nothing = windlass(at, &["doctor", "--data", "d", "-o", "json"]);
    assert_eq!(nothing.status.code(), Some(1), "{}", text(&nothing.stderr));
    let found: Value = serde_json::from_slice(&nothing.stdout).unwrap();
    assert_eq!((&found["ok"], &found["checks"][0]["name"]), (&json!(false), &json!("store")));
    let file = format!("{EXAMPLES}/triage-order.json");
    ok(at, &["run", &file, "-i", "customer=Ada", "-i", "amount=5", "--data", "d"]);
    let found = ok(at, &["doctor", "--data", "d", "-o", "json"]);
    let found: Value = serde_json::from_str(&found).unwrap();
    let names: Vec<&str> = found["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["store", "clock", "runs", "disk", "shell", "plugins", "sandbox"]);
    assert!(found["checks"][2]["message"].as_str().unwrap().starts_with("1 of"), "{found}");
    let run = tamper::alter_step(&at.join("d"), "pay");
    let table = windlass(at, &["doctor", "--data", "d"]);
    assert_eq!(table.status.code(), Some(1), "{}", text(&table.stderr));
    let told = text(&table.stdout);
    assert!(told.contains("what their journals say") && told.contains(&run), "{told}");
}
