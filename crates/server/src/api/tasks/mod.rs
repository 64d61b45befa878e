//! `/api/v1/tasks`: what workers ask and say. `docs/workers.md` describes the protocol.

pub mod complete;
pub mod fail;
pub mod heartbeat;
pub mod logs;
pub mod poll;
pub mod release;

use std::time::Duration;

use uuid::Uuid;
use windlass_nodes::worker::{Hold, Origin, Over, Refused, Scope};

use crate::access::{Caller, Proof};
use crate::api::execute::refusal;
use crate::app::App;
use crate::http::problem::{self, Problem};

/// The longest name of a worker, in characters.
const WORKER_LENGTH_MAX: usize = 100;
/// How long the end of a task may take to become durable before its worker is told that nobody knows.
const DURABLE_TIME_MAX: Duration = Duration::from_secs(10);

/// Whose tasks a caller may take.
fn scope_of(caller: &Caller) -> Scope {
    match &caller.principal.proof {
        Proof::Plugin(plugin) => Scope::Plugin(plugin.clone()),
        _ => Scope::Project(caller.project().to_owned()),
    }
}

fn task_id(word: &str) -> Result<Uuid, Problem> {
    Uuid::parse_str(word).map_err(|_| refused(Refused::NotFound))
}

fn hold(worker: String, fence: u64) -> Result<Hold, Problem> {
    check_worker(&worker)?;
    Ok(Hold { worker, fence })
}

fn check_worker(name: &str) -> Result<(), Problem> {
    let length = name.chars().count();
    if (1..=WORKER_LENGTH_MAX).contains(&length) && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let message = format!("a name has 1 to {WORKER_LENGTH_MAX} characters that can be seen");
    Err(Problem::parameter("worker", message).in_body())
}

/// What the board has refused, as a problem.
fn refused(refused: Refused) -> Problem {
    match refused {
        Refused::NotFound => {
            Problem::new(problem::TASK_NOT_FOUND, "no task has this id, or not any more")
        }
        Refused::LeaseLost(fence) => {
            let message = format!(
                "the lease with the fence {fence} has ended, or is another worker's; let go of the \
                 task"
            );
            Problem::new(problem::LEASE_LOST, message)
        }
        Refused::Over(how) => {
            let message = match how {
                Over::Told => "the task has ended already",
                Over::Cancelled => "the step was cancelled meanwhile",
                Over::TimedOut => "the time of the step was up before",
                Over::GoingDown => "the server is going down; the step will be made again",
                Over::Lost => "the task was lost too often; its attempt has failed",
            };
            Problem::new(problem::TASK_OVER, message)
        }
        Refused::BadOutput(violations) => {
            let detail = problem::summary(&violations).unwrap_or_default();
            let detail = format!("the attempt has failed, since its output does not fit: {detail}");
            Problem::violations(problem::INVALID_OUTPUT, &detail, violations)
        }
        Refused::TooManyPolls => Problem::new(
            problem::UNAVAILABLE,
            format!(
                "{} polls of this project wait already",
                windlass_nodes::worker::POLL_COUNT_MAX
            ),
        ),
    }
}

/// Waits until what a worker has said of a task is durable.
async fn settled(app: &App, origin: &Origin, success: bool) -> Result<(), Problem> {
    let settled = app.engine.settled(origin.run_id, &origin.step, origin.attempt, success);
    match tokio::time::timeout(DURABLE_TIME_MAX, settled).await {
        Ok(settled) => settled.map_err(refusal),
        Err(_) => Err(Problem::new(
            problem::OUTCOME_UNKNOWN,
            format!("it was not durable within {DURABLE_TIME_MAX:?}; say it again"),
        )),
    }
}
