//! Plugins: the examples as they are, children of a server and from outside.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};
use windlass_server::client::{Answer, Client, Question};
use windlass_server::config::Secret;

use crate::{EXAMPLES, Stopped, command, serve_with, text, windlass};

/// A server with the settings in its directory, asked in the name of a key.
struct Server {
    child: Stopped,
    url: String,
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    fn start(at: &Path) -> Server {
        let (child, url) = serve_with(at, &["serve", "--listen", "127.0.0.1:0", "--data", "d"]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Server { child, client: Client::remote(&url).unwrap(), url, runtime }
    }

    fn showing(mut self, key: &str) -> Server {
        self.client = self.client.with_key(Some(Secret::from(key)));
        self
    }

    fn get(&self, path: &str) -> Value {
        self.runtime.block_on(self.client.expect(Question::get(path))).unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.runtime.block_on(self.client.ask(Question::post(path, body))).unwrap()
    }

    fn deploy(&self, plugin: &str) {
        let workflow = std::fs::read(format!("{EXAMPLES}/plugins/{plugin}/workflow.yaml")).unwrap();
        let mut question = Question::post("/api/v1/workflows", &Value::Null);
        question.body = Some(("application/yaml", workflow));
        self.runtime.block_on(self.client.expect(question)).unwrap();
    }

    /// Runs a workflow to its end.
    fn run(&self, workflow: &str, input: Value) -> Value {
        let path = format!("/api/v1/workflows/{workflow}/execute");
        let body = json!({ "input": input });
        let mut question = Question::post(&path, &body);
        let wait = axum::http::HeaderName::from_static("prefer");
        question.headers.push((wait, "wait=60".to_owned()));
        let run = self.runtime.block_on(self.client.expect(question)).unwrap();
        assert_eq!(run["status"], "succeeded", "{run}");
        run
    }

    /// The workers, as soon as they are as wanted.
    fn workers(&self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let workers = self.get("/api/v1/workers")["items"].clone();
            if is_wanted(&workers) {
                return workers;
            }
        }
    }
}

fn settings(at: &Path, plugins: &str) {
    std::fs::write(at.join("windlass.toml"), plugins).unwrap();
}

fn manifest(plugin: &str) -> String {
    format!("manifest = \"{EXAMPLES}/plugins/{plugin}/plugin.json\"\n")
}

/// The process at the end of a worker's name.
fn process_of(worker: &Value) -> i32 {
    worker["name"].as_str().unwrap().rsplit('-').next().unwrap().parse().unwrap()
}

fn signal(process: i32, signal: rustix::process::Signal) {
    let process = rustix::process::Pid::from_raw(process).unwrap();
    rustix::process::kill_process(process, signal).unwrap();
}

fn is_alive(process: i32) -> bool {
    let process = rustix::process::Pid::from_raw(process).unwrap();
    rustix::process::test_kill_process(process).is_ok()
}

/// The example in Rust, built once.
fn rust_worker() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let output = Command::new(env!("CARGO"))
            .args(["build", "--package", "windlass-example-plugin", "--message-format", "json"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success());
        let lines = text(&output.stdout);
        let messages = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let built =
            messages.filter_map(|one| one["executable"].as_str().map(PathBuf::from)).next_back();
        built.unwrap()
    })
}

fn worker(program: &mut Command, url: &str, key: Option<&str>) -> Stopped {
    program.env("WINDLASS_SERVER", url).env("WINDLASS_WORKER_TOKEN", key.unwrap_or_default());
    Stopped(program.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn a_server_starts_its_worker_again_and_ends_it_with_itself() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let command = "command = [\"python3\", \"worker.py\"]\n";
    settings(
        at,
        &format!(
            "[plugins.text]\n{}{command}env = {{ CAGE = \"canary-in-env\" }}\n",
            manifest("python")
        ),
    );
    let server = Server::start(at);
    server.deploy("python");
    let input = json!({ "text": "To be or not to be" });
    let sentence = "6 words, most often to";
    assert_eq!(server.run("count-words", input.clone())["output"], sentence);

    let is_there = |workers: &Value| workers[0]["polling"] == true;
    let workers = server.workers(is_there);
    assert_eq!(
        (&workers[0]["plugin"], &workers[0]["queues"]),
        (&json!("text"), &json!(["kind:count_words"]))
    );
    let first = process_of(&workers[0]);
    let environment = std::fs::read(format!("/proc/{first}/environ")).unwrap();
    let environment = text(&environment);
    // What starts Python may add to it, but cannot know what it was not given.
    let names: Vec<_> =
        environment.split_terminator('\0').filter_map(|set| Some(set.split_once('=')?.0)).collect();
    assert!(std::env::var_os("HOME").is_some() && !names.contains(&"HOME"), "{names:?}");
    for name in ["CAGE", "PATH", "WINDLASS_OWNER", "WINDLASS_SERVER", "WINDLASS_WORKER_TOKEN"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }

    signal(first, rustix::process::Signal::KILL);
    assert_eq!(server.run("count-words", input)["output"], sentence, "by the next one");
    let workers = server.workers(|workers| {
        workers
            .as_array()
            .unwrap()
            .iter()
            .any(|one| process_of(one) != first && is_there(&json!([one])))
    });
    let second = workers.as_array().unwrap().iter().map(process_of).find(|one| *one != first);
    let second = second.unwrap();
    assert!(is_alive(second));
    let shown = windlass(at, &["config", "show", "-o", "json"]);
    assert!(!text(&shown.stdout).contains("canary-in-env"), "{}", text(&shown.stdout));

    let Server { mut child, .. } = server;
    signal(i32::try_from(child.0.id()).unwrap(), rustix::process::Signal::TERM);
    assert!(child.0.wait().unwrap().success());
    assert!(!is_alive(second), "it ends with the server");
}

#[test]
fn whoever_holds_a_task_may_end_it_after_a_crash_of_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    settings(at, &format!("[plugins.text]\n{}", manifest("python")));
    let server = Server::start(at);
    server.deploy("python");
    let body = json!({ "input": { "text": "a" } });
    let run = server.post("/api/v1/workflows/count-words/execute", &body).body["id"].clone();
    let question = json!({ "worker": "hand", "kinds": ["count_words"], "wait": "30s" });
    let task = server.post("/api/v1/tasks/poll", &question).body["tasks"][0].clone();
    assert_eq!(task["run_id"], run);
    drop(server);

    let server = Server::start(at);
    let fence = task["fence"].as_u64().unwrap();
    let complete = |fence: u64| {
        json!({ "worker": "hand", "fence": fence,
            "output": { "words": 1, "top": [{ "word": "a", "count": 1 }] } })
    };
    let path = format!("/api/v1/tasks/{}/complete", task["id"].as_str().unwrap());
    assert_eq!(server.post(&path, &complete(fence + 1)).body["code"], "lease-lost");
    assert_eq!(server.post(&path, &complete(fence)).status, 204);
    assert_eq!(server.post(&path, &complete(fence)).status, 204, "said twice, it counts once");
    let ended = loop {
        let run = server.get(&format!("/api/v1/runs/{}", run.as_str().unwrap()));
        if run["status"] != "running" {
            break run;
        }
    };
    assert_eq!(ended["output"], "1 words, most often a", "{ended}");
    drop(server);
}

#[test]
fn workers_from_outside_show_a_key_and_follow_one_another() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    settings(
        at,
        &format!("[plugins.numbers]\n{}[plugins.text]\n{}", manifest("rust"), manifest("python")),
    );
    let key = |role: &str| {
        let made = windlass(
            at,
            &["key", "create", "--role", role, "--name", role, "--data", "d", "-o", "json"],
        );
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        made["key"].as_str().unwrap().to_owned()
    };
    let (admin, work) = (key("admin"), key("worker"));
    let server = Server::start(at).showing(&admin);
    server.deploy("rust");
    server.deploy("python");
    let factorizer = worker(&mut Command::new(rust_worker()), &server.url, Some(&work));
    let run = server.run("factorize", json!({ "number": 9_007_199_254_740_881_u64 }));
    assert_eq!(run["output"], json!([9_007_199_254_740_881_u64]), "a prime");
    assert_eq!(server.run("factorize", json!({ "number": 60 }))["output"], json!([2, 2, 3, 5]));

    // The first who takes the step is killed in the middle of it, like a machine that is gone.
    let body = json!({ "input": { "text": "a a b" } });
    let run = server.post("/api/v1/workflows/count-words/execute", &body).body["id"].clone();
    let question =
        json!({ "worker": "gone", "kinds": ["count_words"], "wait": "30s", "lease": "1s" });
    assert_eq!(server.post("/api/v1/tasks/poll", &question).status, 200);
    let script = format!("{EXAMPLES}/plugins/python/worker.py");
    let python = worker(Command::new("python3").arg(script), &server.url, Some(&work));
    let path = format!("/api/v1/runs/{}", run.as_str().unwrap());
    let ended = loop {
        let run = server.get(&path);
        if run["status"] == "succeeded" {
            break run;
        }
        assert!(run["status"] == "running" || run["status"] == "waiting", "{run}");
    };
    assert_eq!(ended["output"], "3 words, most often a");
    let mut refused = worker(&mut Command::new(rust_worker()), &server.url, Some("wl_nobody"));
    assert!(!refused.0.wait().unwrap().success());
    drop((factorizer, python));
    drop(server);
}

#[test]
fn what_is_wrong_with_a_plugin_is_said_before_the_server_starts() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    std::fs::write(at.join("bad.json"), "{\"name\": \"x\", \"version\": \"1\", \"kinds\": []}")
        .unwrap();
    for (plugins, told) in [
        (
            "[plugins.a]\nmanifest = \"none.json\"\n",
            "plugins.a.manifest: `none.json` cannot be read",
        ),
        ("[plugins.a]\nmanifest = \"bad.json\"\n", "plugins.a.manifest: `bad.json` at `/kinds`: "),
        ("[plugins.a]\n", "plugins: a: `manifest` is missing"),
        (
            "[plugins.a]\nmanifest = \"bad.json\"\ncommand = []\n",
            "plugins: a: `command` names no program",
        ),
        (
            "[plugins.a]\nmanifest = \"bad.json\"\nenv = { WINDLASS_SERVER = \"x\" }\n",
            "plugins: a: `env`: `WINDLASS_SERVER` is no variable of a plugin's own",
        ),
        (
            &format!("[plugins.a]\n{0}[plugins.b]\n{0}", manifest("python")),
            "plugins: `b`: the plugin `a` has a kind `count_words` too",
        ),
    ] {
        settings(at, plugins);
        let checked = windlass(at, &["config", "check"]);
        assert_eq!(checked.status.code(), Some(3), "{}", text(&checked.stderr));
        assert!(text(&checked.stderr).starts_with(told), "{told}: {}", text(&checked.stderr));
        let started = windlass(at, &["serve", "--data", "d", "--listen", "127.0.0.1:0"]);
        assert_eq!(started.status.code(), Some(2));
        assert!(text(&started.stderr).contains(told), "{told}: {}", text(&started.stderr));
    }
    settings(at, &format!("[plugins.text]\n{}", manifest("python")));
    let workflow = format!("{EXAMPLES}/plugins/python/workflow.yaml");
    let checked = command(at, &["check", &workflow]).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
}
