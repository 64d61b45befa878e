//! An S3-compatible service of our own, for as long as the tests run: `tests/s3/server.py`.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use serde_json::{Value, json};

/// What the service knows us by. The secret has what addresses quote.
pub(crate) const KEY_ID: &str = "windlass-tests";
pub(crate) const SECRET: &str = "s3cr/et+key";
pub(crate) const REGION: &str = "eu-test-1";

/// One service for all tests that do not disturb it.
static SHARED: LazyLock<Arc<Service>> = LazyLock::new(|| Arc::new(Service::start()));

pub(crate) struct Service {
    /// The process ends when nobody can write to it any more, however ours ends.
    orders: Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>,
    process: Mutex<Child>,
    port: u64,
}

impl Service {
    pub(crate) fn start() -> Service {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/s3/server.py");
        let python = python();
        let mut process = Command::new(&python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("`{}`: {error}; `./test` makes it", python.display()));
        let orders = process.stdin.take().unwrap();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let port = read(&mut answers)["port"].as_u64().unwrap();
        let (orders, process) = (Mutex::new(Some((orders, answers))), Mutex::new(process));
        Service { orders, process, port }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Gives an order that the script knows, and answers its answer.
    pub(crate) fn order(&self, order: &Value) -> Value {
        let mut guard = self.orders.lock().unwrap();
        let (orders, answers) = guard.as_mut().unwrap();
        writeln!(orders, "{order}").unwrap();
        read(answers)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.orders.lock().unwrap().take());
        self.process.lock().unwrap().wait().unwrap();
    }
}

fn read(answers: &mut BufReader<ChildStdout>) -> Value {
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    serde_json::from_str(&line).expect("the service has ended, see what it wrote above")
}

/// The Python that `./test` installs things for, beside what cargo builds.
fn python() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let target = program.ancestors().nth(3).unwrap();
    target.join("venv/bin/python")
}

/// A bucket that nobody else uses.
#[derive(Clone)]
pub(crate) struct Bucket {
    pub(crate) service: Arc<Service>,
    pub(crate) name: String,
}

impl Bucket {
    pub(crate) fn fresh() -> Bucket {
        Bucket::fresh_at(SHARED.clone())
    }

    pub(crate) fn fresh_at(service: Arc<Service>) -> Bucket {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        service.order(&json!(["bucket", name]));
        Bucket { service, name }
    }

    /// The names of all objects, sorted.
    pub(crate) fn keys(&self) -> Vec<String> {
        serde_json::from_value(self.service.order(&json!(["list", self.name]))).unwrap()
    }

    pub(crate) fn read(&self, key: &str) -> String {
        self.service.order(&json!(["read", self.name, key])).as_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, key: &str, text: &str) {
        self.service.order(&json!(["put", self.name, key, text]));
    }

    pub(crate) fn remove(&self, key: &str) {
        self.service.order(&json!(["remove", self.name, key]));
    }
}
