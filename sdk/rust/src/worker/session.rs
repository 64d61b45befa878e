//! Asking for work, handing it to functions, and ending in good order.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::hold::Hold;
use super::task::{Stop, TaskBody};
use super::{Function, Worker};
use crate::{Error, Request};

const POLL: &str = "/api/v1/tasks/poll";
/// A poll waits for 30 seconds.
const POLL_TIME_MAX: Duration = Duration::from_secs(45);
const TASKS_AT_ONCE: usize = 100;
const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);

type Poll = Pin<Box<dyn Future<Output = Result<Vec<TaskBody>, Error>> + Send>>;

#[derive(Deserialize)]
struct TaskList {
    tasks: Vec<TaskBody>,
}

/// Works until the worker is told to end, and drains.
pub(super) async fn run(worker: Arc<Worker>) -> Result<(), Error> {
    let is_empty = worker.kinds.is_empty() && worker.queues.is_empty();
    if is_empty && worker.roles.is_empty() && worker.units.is_empty() {
        return Err(Error::Invalid("the worker has no function to do anything with".to_owned()));
    }
    let mut session = Session { worker: worker.clone(), works: JoinSet::new(), holds: Vec::new() };
    let mut stop = worker.stop.subscribe();
    let asked = tokio::select! {
        // Tasks that have come are taken, so that they are given back.
        biased;
        refused = session.ask() => Err(refused),
        _ = stop.wait_for(|count| *count >= 1) => Ok(()),
    };
    let drained = timeout(worker.drain, async {
        tokio::select! {
            () = session.all_ended() => {}
            _ = stop.wait_for(|count| *count >= 2) => {}
        }
    });
    // Whether they have ended by themselves is seen by who is left.
    let _ = drained.await;
    for hold in session.holds.iter().filter_map(std::sync::Weak::upgrade) {
        hold.stop(Stop::Draining);
    }
    session.all_ended().await;
    asked
}

struct Session {
    worker: Arc<Worker>,
    works: JoinSet<()>,
    holds: Vec<std::sync::Weak<Hold>>,
}

impl Session {
    /// Asks for work and has it done; answers why it does no more.
    async fn ask(&mut self) -> Error {
        let mut pause = PAUSE_FIRST;
        let mut poll: Option<Poll> = None;
        loop {
            let free = self.worker.concurrency.saturating_sub(self.works.len());
            // One that waits goes on waiting, whatever ends meanwhile: it may have been handed tasks.
            if poll.is_none() && free > 0 {
                poll = Some(Box::pin(ask(self.worker.clone(), free.min(TASKS_AT_ONCE))));
            }
            let answer = match &mut poll {
                Some(asking) => tokio::select! {
                    answer = asking => answer,
                    Some(_) = self.works.join_next() => continue,
                },
                None => {
                    self.works.join_next().await;
                    continue;
                }
            };
            poll = None;
            match answer {
                Ok(tasks) => {
                    pause = PAUSE_FIRST;
                    tasks.into_iter().for_each(|task| self.begin(task));
                }
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "no work can be asked for");
                    let asked = match &error {
                        Error::Refused(problem) => problem.retry_after.unwrap_or_default(),
                        _ => 0,
                    };
                    let share = 0.5 + fastrand::f64() / 2.0;
                    sleep(pause.mul_f64(share).max(Duration::from_secs(asked))).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                Err(error) => return error,
            }
        }
    }

    fn begin(&mut self, task: TaskBody) {
        let Worker { client, name, lease, .. } = &*self.worker;
        let hold = Arc::new(Hold::new(client, name, *lease, &task));
        self.holds.retain(|hold| hold.strong_count() > 0);
        self.holds.push(Arc::downgrade(&hold));
        let function: Option<Function> = self.worker.function(&task).cloned();
        match function {
            Some(function) => self.works.spawn(hold.work(function, task)),
            None => {
                tracing::error!(task = task.id, kind = task.kind, "a task was not asked for");
                self.works.spawn(async move { hold.release().await })
            }
        };
    }

    async fn all_ended(&mut self) {
        while self.works.join_next().await.is_some() {}
    }
}

async fn ask(worker: Arc<Worker>, max: usize) -> Result<Vec<TaskBody>, Error> {
    let request = Request::post(POLL, &worker.demand(max)).within(POLL_TIME_MAX);
    let body = worker.client.fetch_bytes(request).await?;
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let list: Result<TaskList, _> = serde_json::from_slice(&body);
    list.map(|list| list.tasks)
        .map_err(|error| Error::Nonsense(format!("the tasks make no sense: {error}")))
}
