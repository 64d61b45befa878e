use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use uuid::Uuid;
use windlass_core::run::AttemptError;
use windlass_nodes::{
    AllowList, Executor, HttpClient, Journal, LiveSink, LogLine, LogSink, LogStream, Mark, NoGuard,
    NodeContext, Notes, Outcome, Registry, Sandbox, SandboxSettings, ShellSettings, Stop,
    StopReason,
};

static NEXT_USERS: AtomicU32 = AtomicU32::new(1_900_000_000);

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::builtin);

/// A server's surroundings: a data directory with something secret in it, and a place for steps.
pub(crate) struct Bench {
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) data: TempDir,
    pub(crate) notes: Notes,
    pub(crate) ask: watch::Sender<Option<StopReason>>,
    stop: Stop,
    http: Arc<HttpClient>,
    pub(crate) llm: Arc<windlass_nodes::llm::LlmSettings>,
    heard: Arc<Mutex<Vec<LogLine>>>,
    pub(crate) first: watch::Sender<bool>,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut SandboxSettings)) -> Bench {
        let data = tempfile::tempdir().unwrap();
        std::fs::create_dir(data.path().join("work")).unwrap();
        std::fs::write(data.path().join("windlass.db"), "the crown jewels").unwrap();
        std::fs::write(data.path().join("key.json"), "{\"key\": 1}").unwrap();
        let mut settings = SandboxSettings {
            program: PathBuf::from(env!("CARGO_BIN_EXE_windlass-inside")),
            hide: vec![data.path().to_owned()],
            // How many processes a user has is counted over all who go by its number.
            first_user: NEXT_USERS.fetch_add(100, Ordering::Relaxed),
            ..SandboxSettings::default()
        };
        change(&mut settings);
        let (ask, stop) = Stop::channel();
        Bench {
            sandbox: Arc::new(Sandbox::new(settings)),
            data,
            notes: Notes::default(),
            ask,
            stop,
            http: Arc::new(HttpClient::new(AllowList::default()).unwrap()),
            llm: Arc::default(),
            heard: Arc::default(),
            first: watch::channel(false).0,
        }
    }

    pub(crate) async fn run(&self, kind: &str, config: Value) -> Result<Value, AttemptError> {
        let (logs, mut lines) = LogSink::channel();
        let context = NodeContext {
            run_id: Uuid::nil(),
            step: "a".into(),
            attempt: 1,
            terms: Default::default(),
            logs,
            stop: self.stop.clone(),
            http: self.http.clone(),
            shell: Arc::new(ShellSettings {
                kept: windlass_nodes::Kept::new(&self.data.path().join("work")),
                work_dir: self.data.path().join("work"),
                guard: Arc::new(NoGuard),
                owner: Mark::new("test", 1),
                sandbox: self.sandbox.clone(),
            }),
            notes: self.notes.clone(),
            workflows: windlass_nodes::no_workflows(),
            journal: Journal::none(),
            live: LiveSink::none(),
            meter: windlass_nodes::llm::Meter::none(),
            llm: self.llm.clone(),
            prompts: Arc::default(),
        };
        let (heard, first) = (self.heard.clone(), self.first.clone());
        let listener = tokio::spawn(async move {
            while let Some(line) = lines.recv().await {
                heard.lock().unwrap().push(line);
                first.send_replace(true);
            }
        });
        let Some(Executor::Task(run)) = REGISTRY.executor(kind) else { panic!("no {kind}") };
        let result = run(config, context).await;
        listener.await.unwrap();
        result.map(|outcome| match outcome {
            Outcome::Output(output) => output,
            Outcome::Ask { question, .. } => panic!("nothing here asks: {question}"),
        })
    }

    pub(crate) async fn python(&self, code: &str) -> Result<Value, AttemptError> {
        self.run("code", json!({ "language": "python", "code": code })).await
    }

    pub(crate) async fn javascript(&self, code: &str) -> Result<Value, AttemptError> {
        self.run("code", json!({ "language": "javascript", "code": code })).await
    }

    pub(crate) async fn shell(&self, script: &str) -> Result<Value, AttemptError> {
        self.run("shell", json!({ "script": script })).await
    }

    /// What was written so far, to this stream.
    pub(crate) fn lines(&self, stream: LogStream) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|line| line.stream == stream).map(|line| line.text.clone()).collect()
    }

    pub(crate) fn work_dir(&self) -> PathBuf {
        self.data.path().join("work")
    }

    pub(crate) fn database(&self) -> String {
        self.data.path().join("windlass.db").display().to_string()
    }
}

/// A directory that steps of any user may write to.
pub(crate) fn shared() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    open(directory.path());
    fn open(path: &Path) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    directory
}
