//! A worker: functions that do what a server hands out.
//!
//! [`session`] asks for work and ends in good order, [`hold`] keeps the lease of one task and says
//! what has come of it, [`task`] is what a function gets.

mod hold;
mod session;
mod task;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

pub use task::{Child, Fail, LogStream, Stop, Submit, Task, Unit};

use crate::{Client, Error};
use task::TaskBody;

/// What a function comes to: the body of its `complete`, or why there is none.
type Ended = Result<Value, Fail>;
type Work = Pin<Box<dyn Future<Output = Ended> + Send>>;
type Function = Arc<dyn Fn(Task, TaskBody) -> Work + Send + Sync>;

/// Lengths that a lease may have.
const LEASE_MIN: Duration = Duration::from_secs(1);
const LEASE_MAX: Duration = Duration::from_secs(3_600);

/// Asks a server for work and has functions do it, several at once if it may.
///
/// While a function works, heartbeats go out by themselves, three in each lease. One that is to stop
/// is told by [`Task::stopped`], and dropped a little later if it goes on. A worker that is told to
/// end asks for no more work, gives what it does some time to end, and gives the rest back.
#[derive(Clone)]
pub struct Worker {
    client: Client,
    name: String,
    concurrency: usize,
    lease: Duration,
    drain: Duration,
    kinds: BTreeMap<String, Function>,
    queues: BTreeMap<String, Function>,
    roles: BTreeMap<String, Function>,
    units: Vec<(String, String, Function)>,
    /// How often it was told to end.
    stop: watch::Sender<u32>,
}

/// Tells a worker to end.
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<u32>);

impl Stopper {
    /// Asks for no more work and drains. Said twice, the worker gives back at once what it does.
    pub fn stop(&self) {
        self.0.send_modify(|count| *count += 1);
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker with a name of its own that does one task at a time.
    pub fn new(client: Client) -> Worker {
        let unique = uuid::Uuid::now_v7().simple().to_string();
        Worker {
            client: client.with_retries(0),
            name: format!("rust-{}-{}", std::process::id(), &unique[20..]),
            concurrency: 1,
            lease: Duration::from_secs(60),
            drain: Duration::from_secs(30),
            kinds: BTreeMap::new(),
            queues: BTreeMap::new(),
            roles: BTreeMap::new(),
            units: Vec::new(),
            stop: watch::Sender::new(0),
        }
    }

    /// With a name, 1 to 100 characters. Two workers at the same time take two names.
    pub fn named(self, name: impl Into<String>) -> Worker {
        Worker { name: name.into(), ..self }
    }

    /// Doing so many tasks at once; one at least.
    pub fn concurrency(self, concurrency: usize) -> Worker {
        Worker { concurrency: concurrency.max(1), ..self }
    }

    /// How long a task is its own without a heartbeat: one second to one hour.
    pub fn lease(self, lease: Duration) -> Worker {
        Worker { lease: lease.clamp(LEASE_MIN, LEASE_MAX), ..self }
    }

    /// How long what it does may take to end when it is to end itself.
    pub fn drain(self, drain: Duration) -> Worker {
        Worker { drain, ..self }
    }

    /// The function does steps of a plugin's kind, and answers with the output.
    pub fn kind<F, W>(mut self, kind: impl Into<String>, function: F) -> Worker
    where
        F: Fn(Task) -> W + Send + Sync + 'static,
        W: Future<Output = Result<Value, Fail>> + Send + 'static,
    {
        self.kinds.insert(kind.into(), of_step(function));
        self
    }

    /// The function does steps of the kind `worker` on a queue, and answers with the output.
    pub fn queue<F, W>(mut self, queue: impl Into<String>, function: F) -> Worker
    where
        F: Fn(Task) -> W + Send + Sync + 'static,
        W: Future<Output = Result<Value, Fail>> + Send + 'static,
    {
        self.queues.insert(queue.into(), of_step(function));
        self
    }

    /// The function does steps of the kind `actor` with a role, and answers with the output.
    pub fn role<F, W>(mut self, role: impl Into<String>, function: F) -> Worker
    where
        F: Fn(Task) -> W + Send + Sync + 'static,
        W: Future<Output = Result<Value, Fail>> + Send + 'static,
    {
        self.roles.insert(role.into(), of_step(function));
        self
    }

    /// The function does units of work for a role of an instance, which is named by its id or name;
    /// by its id, if several instances have the role and this worker works for them.
    pub fn unit<F, W>(
        mut self,
        instance: impl Into<String>,
        role: impl Into<String>,
        function: F,
    ) -> Worker
    where
        F: Fn(Unit) -> W + Send + Sync + 'static,
        W: Future<Output = Result<Submit, Fail>> + Send + 'static,
    {
        let function = Arc::new(function);
        let work = move |task: Task, body: TaskBody| -> Work {
            let function = function.clone();
            Box::pin(async move {
                let unit = Unit::read(task, body.unit.unwrap_or_default())?;
                function(unit).await.map(Submit::into_body)
            })
        };
        self.units.push((instance.into(), role.into(), Arc::new(work)));
        self
    }

    /// What ends it from elsewhere.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.stop.clone())
    }

    /// Works until SIGTERM or SIGINT, and has drained when this returns. A second signal gives back at
    /// once what it does.
    ///
    /// # Errors
    ///
    /// What the server refuses for good, such as a key that may not work.
    pub async fn run(self) -> Result<(), Error> {
        let stopper = self.stopper();
        let signals = tokio::spawn(stop_on_signals(stopper));
        let result = self.run_until_stopped().await;
        signals.abort();
        result
    }

    /// Works until a [`Stopper`] says so, and has drained when this returns.
    ///
    /// # Errors
    ///
    /// What the server refuses for good, such as a key that may not work.
    pub async fn run_until_stopped(self) -> Result<(), Error> {
        session::run(Arc::new(self)).await
    }

    /// What to ask for. What there is nothing of is not named at all.
    fn demand(&self, max: usize) -> Value {
        let mut demand = json!({
            "worker": self.name,
            "max": max,
            "wait": "30s",
            "lease": format!("{}ms", self.lease.as_millis()),
        });
        let named = [("kinds", &self.kinds), ("queues", &self.queues), ("roles", &self.roles)];
        for (name, functions) in named {
            if !functions.is_empty() {
                demand[name] = functions.keys().cloned().collect();
            }
        }
        if !self.units.is_empty() {
            let units = self.units.iter();
            let units =
                units.map(|(instance, role, _)| json!({ "instance": instance, "role": role }));
            demand["units"] = units.collect();
        }
        demand
    }

    /// The function for a task, if we have asked for such.
    fn function(&self, task: &TaskBody) -> Option<&Function> {
        if let Some(unit) = &task.unit {
            let role = unit["role"].as_str().unwrap_or_default();
            let mut of_role = self.units.iter().filter(|(_, known, _)| known == role);
            return match (of_role.next(), of_role.next()) {
                (Some((_, _, only)), None) => Some(only),
                // A task says of its instance nothing but the id.
                _ => self.units.iter().find_map(|(instance, known, function)| {
                    let is_it = unit["instance_id"].as_str() == Some(instance);
                    (is_it && known == role).then_some(function)
                }),
            };
        }
        let queue = task.queue.as_deref().unwrap_or_default();
        match task.kind.as_str() {
            "actor" => self.roles.get(queue.strip_prefix("role:").unwrap_or(queue)),
            "worker" => self.queues.get(queue),
            kind => self.kinds.get(kind),
        }
    }
}

fn of_step<F, W>(function: F) -> Function
where
    F: Fn(Task) -> W + Send + Sync + 'static,
    W: Future<Output = Result<Value, Fail>> + Send + 'static,
{
    let function = Arc::new(function);
    Arc::new(move |task, _| {
        let function = function.clone();
        Box::pin(async move { Ok(json!({ "output": function(task).await? })) })
    })
}

async fn stop_on_signals(stopper: Stopper) {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
        return tracing::error!("no signal will end this worker: they cannot be listened to");
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stopper.stop();
    }
}
