//! A LiteLLM proxy of our own, for as long as the tests run: `tests/llm/server.py`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

pub(crate) const KEY: &str = "sk-windlass-tests";

static PROXY: LazyLock<Proxy> = LazyLock::new(Proxy::start);

struct Proxy {
    port: u64,
    /// The process ends when nobody can write to it any more, however ours ends.
    _input: ChildStdin,
    _process: Child,
}

impl Proxy {
    fn start() -> Proxy {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/llm/server.py");
        let python = python();
        let mut process = Command::new(&python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("`{}`: {error}; `./test` makes it", python.display()));
        let input = process.stdin.take().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).expect("it has ended, see what it wrote");
        Proxy { port: ready["port"].as_u64().unwrap(), _input: input, _process: process }
    }
}

/// Its address.
pub(crate) fn address() -> String {
    format!("http://127.0.0.1:{}", PROXY.port)
}

/// The Python that `./test` installs things for, beside what cargo builds.
pub(crate) fn python() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let target = program.ancestors().nth(3).unwrap();
    target.join("venv/bin/python")
}
