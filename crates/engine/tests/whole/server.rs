//! One server, and what a test asks of it.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;
use uuid::Uuid;
use windlass_core::run::{Event, RunStatus};
use windlass_engine::shard::{Answer, Command, Published};
use windlass_engine::{
    DispatchConfig, Engine, EngineConfig, NewRun, RetentionRules, RunView, SecretSource,
};
use windlass_nodes::{AllowList, ChildGuard, HttpClient, Mark, Registry, ShellSettings};
use windlass_store::{LogFilter, LogRow, NumberedEvent, RunRow, StepRow, Store};

pub(crate) const PROJECT: &str = "default";

/// Past this a test has failed: what it waits for does not come.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    pub(crate) engine: Arc<Engine>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) heard: Heard,
}

/// What a server has told its surroundings.
#[derive(Clone)]
pub(crate) struct Heard {
    /// Everything that became durable.
    pub(crate) published: Arc<Mutex<Vec<Published>>>,
    /// The process groups of children that are there.
    pub(crate) children: watch::Sender<BTreeSet<i32>>,
}

#[derive(Debug)]
struct Children(watch::Sender<BTreeSet<i32>>);

impl ChildGuard for Children {
    fn begun(&self, group: i32) {
        self.0.send_modify(|groups| _ = groups.insert(group));
    }

    fn ended(&self, group: i32) {
        self.0.send_modify(|groups| _ = groups.remove(&group));
    }
}

pub(crate) struct Secrets(pub(crate) &'static [(&'static str, &'static str)]);

impl SecretSource for Secrets {
    fn secret(&self, _: &str, name: &str) -> Result<Option<String>, String> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        Ok(found.map(|(_, secret)| (*secret).to_owned()))
    }
}

pub(crate) fn config(store: Arc<dyn Store>, directory: &Path) -> (EngineConfig, Heard) {
    let heard = Heard { published: Arc::default(), children: watch::channel(BTreeSet::new()).0 };
    let published = heard.published.clone();
    let config = EngineConfig {
        read_count: 4,
        store,
        dispatch: DispatchConfig {
            registry: Arc::new(Registry::builtin()),
            http: Arc::new(HttpClient::new(AllowList::default()).unwrap()),
            shell: Arc::new(ShellSettings {
                kept: windlass_nodes::Kept::new(directory),
                work_dir: directory.to_owned(),
                guard: Arc::new(Children(heard.children.clone())),
                owner: Mark::new("test", 1),
                sandbox: Arc::new(windlass_nodes::Sandbox::trusting()),
            }),
            llm: Arc::default(),
            prompts: Arc::default(),
            secrets: Arc::new(Secrets(&[])),
            budgets: HashMap::new(),
            limits: HashMap::new(),
        },
        shard_count: 2,
        is_active: true,
        retention: RetentionRules::default(),
        archive: None,
        queues: Vec::new(),
        sweep_every: Duration::from_secs(3_600),
        observer: Arc::new(move |news| published.lock().push(news.clone())),
    };
    (config, heard)
}

/// Waits, but not for ever.
pub(crate) async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.unwrap_or_else(|_| panic!("in vain waited for: {what}"))
}

impl Server {
    /// Deploys a definition. What comes back makes runs of it.
    pub(crate) async fn deploy(&self, text: &str) -> NewRun {
        self.deploy_in(PROJECT, text).await
    }

    pub(crate) async fn deploy_in(&self, project: &str, text: &str) -> NewRun {
        let (checked, deployed) = self.engine.deploy(project, text.into(), None).await.unwrap();
        assert!(deployed.is_some(), "{text}\n{:#?}", checked.findings);
        let name = checked.plan.unwrap().name;
        let workflow = self.engine.definitions().newest(project, &name).unwrap().unwrap();
        NewRun {
            plan: workflow.plan.clone(),
            workflow_id: workflow.row.workflow_id,
            version: workflow.row.version,
            definition_id: workflow.row.definition_id,
            input: Value::Null,
            labels: Default::default(),
            external_id: None,
            rerun_of: None,
            priority: None,
            is_paused: workflow.row.pause.is_some(),
            by: None,
            reused: Default::default(),
            key: None,
            unit: None,
            begins_paused: false,
        }
    }

    /// Begins a run of a definition, and answers its id once it is durable.
    pub(crate) async fn begin(&self, text: &str, input: Value) -> Uuid {
        let new = NewRun { input, ..self.deploy(text).await };
        view(self.create(new, false).await).run_id
    }

    pub(crate) async fn create(&self, new: NewRun, until_over: bool) -> Answer {
        self.create_all(vec![new], until_over).await.remove(0)
    }

    /// Creates runs in one commit, and answers for each, in order.
    pub(crate) async fn create_all(&self, runs: Vec<NewRun>, until_over: bool) -> Vec<Answer> {
        let mut answers = Vec::new();
        for mut submitted in self.engine.submit(PROJECT, runs, until_over) {
            answers.push(submitted.answer().await);
        }
        answers
    }

    /// Runs a definition to its end.
    pub(crate) async fn run(&self, text: &str, input: Value) -> RunView {
        let run_id = self.begin(text, input).await;
        self.end_of(run_id).await
    }

    /// Waits for the end of a run.
    pub(crate) async fn end_of(&self, run_id: Uuid) -> RunView {
        self.until(run_id, "the end", |server| server.row(run_id).status.is_terminal()).await;
        view(self.engine.command(run_id, Command::Wake).await)
    }

    /// Waits until a run stands somewhere.
    pub(crate) async fn until_it_is(&self, run_id: Uuid, status: RunStatus) {
        let what = format!("the run is {status}");
        self.until(run_id, &what, |server| server.row(run_id).status == status).await;
    }

    /// Waits until an event, written as by [`Server::facts`], is in the journal of a run.
    pub(crate) async fn until_fact(&self, run_id: Uuid, wanted: &str) {
        let has_happened = |server: &Server| server.facts(run_id).iter().any(|fact| fact == wanted);
        self.until(run_id, wanted, has_happened).await;
    }

    /// Waits until some step of a run has written `line`.
    pub(crate) async fn until_it_says(&self, run_id: Uuid, line: &str) {
        let is_said = |server: &Server| server.logs(run_id).iter().any(|log| log.text == line);
        self.until(run_id, line, is_said).await;
    }

    /// Waits until something is true, looking again whenever the run has news.
    pub(crate) async fn until(&self, run_id: Uuid, what: &str, holds: impl Fn(&Server) -> bool) {
        // Whoever listens before it looks misses nothing.
        let mut news = self.engine.feed().subscribe(run_id);
        let wait = async {
            while !holds(self) {
                news.next().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        assert!(waited.is_ok(), "in vain waited for: {what}\n{:#?}", self.journal(run_id));
    }

    /// Waits until no child process is left.
    pub(crate) async fn until_childless(&self) {
        let mut children = self.heard.children.subscribe();
        let gone = children.wait_for(BTreeSet::is_empty);
        patiently("all children are gone", gone).await.unwrap();
    }

    pub(crate) async fn cancel(&self, run_id: Uuid) -> Answer {
        let command = Command::Cancel { by: "somebody".into(), reason: Some("enough".into()) };
        self.engine.command(run_id, command).await
    }

    pub(crate) fn row(&self, run_id: Uuid) -> RunRow {
        self.store.run(PROJECT, &run_id.to_string()).unwrap().unwrap()
    }

    pub(crate) fn journal(&self, run_id: Uuid) -> Vec<NumberedEvent> {
        self.store.events(run_id, 0, usize::MAX, usize::MAX).unwrap().items
    }

    /// `event step`, in the order of the journal.
    pub(crate) fn facts(&self, run_id: Uuid) -> Vec<String> {
        let shown = |Event { fact, .. }: Event| match fact.step() {
            Some(step) => format!("{} {step}", fact.name()),
            None => fact.name().to_owned(),
        };
        self.journal(run_id).into_iter().map(|numbered| shown(numbered.event)).collect()
    }

    pub(crate) fn steps(&self, run_id: Uuid) -> Vec<StepRow> {
        self.store.steps(run_id, None, usize::MAX - 1).unwrap().items
    }

    pub(crate) fn step(&self, run_id: Uuid, path: &str) -> StepRow {
        self.steps(run_id).into_iter().find(|step| step.path == path).unwrap()
    }

    pub(crate) fn logs(&self, run_id: Uuid) -> Vec<LogRow> {
        self.store.logs(run_id, 0, &LogFilter::default(), usize::MAX - 1).unwrap().items
    }

    /// Goes down without any grace. The store is then free for the next server.
    pub(crate) async fn stop(self) {
        patiently("the server is down", self.engine.shut_down(Duration::ZERO)).await;
    }
}

/// The run in an answer that must hold one.
pub(crate) fn view(answer: Answer) -> RunView {
    match answer {
        Answer::Run(view) => *view,
        other => panic!("{other:?}"),
    }
}
