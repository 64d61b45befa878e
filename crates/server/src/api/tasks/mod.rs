//! `/api/v1/tasks`: what workers ask and say. `docs/workers.md` describes the protocol.

pub mod claim;
pub mod complete;
pub mod fail;
pub mod get;
pub mod heartbeat;
pub mod logs;
pub mod poll;
pub mod release;

use uuid::Uuid;
use windlass_core::run::Hold;
use windlass_engine::desk::{Over, POLL_COUNT_MAX, Scope, TaskRefused};
use windlass_engine::shard::Answer;

use crate::access::{Caller, Proof};
use crate::api::execute::refusal;
use crate::http::problem::{self, Problem};

/// The longest name of a worker, in characters.
const WORKER_LENGTH_MAX: usize = 100;

/// Whose tasks a caller may take.
pub(crate) fn scope_of(caller: &Caller) -> Scope {
    match &caller.principal.proof {
        Proof::Plugin(plugin) => Scope::Plugin(plugin.clone()),
        _ => Scope::Project(caller.project().to_owned()),
    }
}

fn task_id(word: &str) -> Result<Uuid, Problem> {
    Uuid::parse_str(word).map_err(|_| refused(TaskRefused::NotFound))
}

fn hold(worker: String, fence: u64) -> Result<Hold, Problem> {
    check_worker(&worker)?;
    Ok(Hold { by: worker, fence: Some(fence) })
}

pub(crate) fn check_worker(name: &str) -> Result<(), Problem> {
    let length = name.chars().count();
    if (1..=WORKER_LENGTH_MAX).contains(&length) && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let message = format!("a name has 1 to {WORKER_LENGTH_MAX} characters that can be seen");
    Err(Problem::parameter("worker", message).in_body())
}

/// What the engine has refused, as a problem.
pub(crate) fn refused(refused: TaskRefused) -> Problem {
    match refused {
        TaskRefused::NotFound => {
            Problem::new(problem::TASK_NOT_FOUND, "no task has this id, or not any more")
        }
        TaskRefused::LeaseLost(fence) => {
            let lease = match fence {
                Some(fence) => format!("the lease with the fence {fence}"),
                None => "the lease".to_owned(),
            };
            let message = format!("{lease} has ended, or is another worker's; let go of the task");
            Problem::new(problem::LEASE_LOST, message)
        }
        TaskRefused::Over(how) => {
            let message = match how {
                Over::Told => "the task has ended already",
                Over::Cancelled => "the task is not wanted any more",
                Over::TimedOut => "the time of the step was up before",
                Over::Lost => "nothing was heard of the worker for too long",
            };
            Problem::new(problem::TASK_OVER, message)
        }
        TaskRefused::BadOutput(violations) => {
            let detail = problem::summary(&violations).unwrap_or_default();
            let detail = format!("the attempt has failed, since its output does not fit: {detail}");
            Problem::violations(problem::INVALID_OUTPUT, &detail, violations)
        }
        TaskRefused::TooManyPolls => Problem::new(
            problem::UNAVAILABLE,
            format!("{POLL_COUNT_MAX} polls of this project wait already"),
        ),
        TaskRefused::Limited => {
            let message = "the limits of its queue let nothing be handed out now";
            Problem::new(problem::UNAVAILABLE, message)
        }
        TaskRefused::Refused(refused) => refusal(Answer::Refused(refused)),
        TaskRefused::Unavailable(message) => Problem::new(problem::UNAVAILABLE, message),
        TaskRefused::OutcomeUnknown(message) => Problem::new(problem::OUTCOME_UNKNOWN, message),
    }
}
