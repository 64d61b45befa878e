//! Why a run does not move, as the API, the pages and the command line say it.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::token::{UnitBecause, UnitWhy};
use windlass_core::run::{Because, StepWhy, Verdict};
use windlass_engine::Why;
use windlass_engine::desk::{SEEN_RECENTLY, TaskWait};
use windlass_store::RunRow;

/// Why a run does not move.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WhyBody {
    /// The run.
    pub run_id: Uuid,
    /// Where it stands.
    pub status: &'static str,
    /// Why, in a word.
    pub reason: Option<String>,
    /// What holds the whole run up; empty if only its steps wait.
    pub because: Vec<RunCause>,
    /// Until when it has to be over, RFC 3339.
    #[schema(format = DateTime)]
    pub deadline: Option<String>,
    /// Its steps that are not over, those in mid-life first; at most 200.
    pub steps: Vec<StepCause>,
    /// Whether there are more.
    pub has_more: bool,
}

/// What holds a whole run up.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct RunCause {
    /// `halted`, `paused`, `silence` (of the program that drives it), `workflow_paused` or
    /// `concurrency`.
    pub because: &'static str,
    /// The same as a sentence.
    pub message: String,
    /// What a program may want to know: `by`, `at` and `reason`, or `since`, or `key`, `limit`, `position`,
    /// `holder_count` and the first 20 `holders`.
    pub details: Value,
}

/// What a step waits for.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct StepCause {
    /// Its path.
    pub path: String,
    /// Where it stands.
    pub status: &'static str,
    /// `upstream`, `ready`, `attempt`, `retry`, `timer`, `approval`, `signal`, `event`, `child_run`,
    /// `outcome_unknown`, `bodies`, `kind_limit` or `worker`.
    pub because: String,
    /// The same as a sentence.
    pub message: String,
    /// What a program may want to know, by word.
    pub details: Value,
}

impl WhyBody {
    /// From what the engine says of a run.
    pub fn of(row: &RunRow, why: Why) -> WhyBody {
        let queue_of = |step: &StepWhy| {
            why.queues.iter().find(|(path, _)| *path == step.path).map(|(_, queue)| queue)
        };
        let task_of = |step: &StepWhy| {
            why.tasks.iter().find(|(path, _)| *path == step.path).map(|(_, task)| task)
        };
        let steps = why.run.steps.iter().map(|step| match queue_of(step) {
            None => match task_of(step) {
                Some(task) => cause_by_worker(&step.path, step.status.as_str(), task),
                None => cause_of(step),
            },
            Some(queue) => {
                let running = queue.holder_count;
                StepCause {
                    path: step.path.clone(),
                    status: step.status.as_str(),
                    because: "kind_limit".to_owned(),
                    message: format!(
                        "place {} in the queue: {running} of at most {} `{}` attempts are under way",
                        queue.position, queue.limit, queue.kind
                    ),
                    details: serde_json::json!({
                        "kind": queue.kind,
                        "limit": queue.limit,
                        "position": queue.position,
                        "holder_count": queue.holder_count,
                        "holders": queue.holders.iter().map(|(run_id, step)| {
                            serde_json::json!({ "run_id": run_id, "step": step })
                        }).collect::<Vec<_>>(),
                    }),
                }
            }
        });
        let units = why.run.units.iter().map(|unit| {
            let task = why.tasks.iter().find(|(path, _)| *path == unit.path).map(|(_, task)| task);
            cause_of_unit(unit, task)
        });
        let steps = steps.chain(units);
        WhyBody {
            run_id: row.run_id,
            status: row.status.as_str(),
            reason: row.reason.clone(),
            steps: steps.collect(),
            deadline: why.run.deadline.map(|deadline| deadline.to_string()),
            has_more: why.run.has_more,
            because: if row.status.is_terminal() { Vec::new() } else { causes_of(&why) },
        }
    }
}

/// What a unit of work waits for.
fn cause_of_unit(unit: &UnitWhy, task: Option<&TaskWait>) -> StepCause {
    let mut details = serde_json::to_value(unit).unwrap_or_default();
    if let Some(task) = task {
        details["task"] = details_of(task);
    }
    // Times are told as everywhere.
    for field in ["until", "since"] {
        if let Some(micros) = details[field].as_i64() {
            details[field] = Time::from_micros(micros).to_string().into();
        }
    }
    let because = details["because"].as_str().unwrap_or_default().to_owned();
    let message = match &unit.because {
        UnitBecause::Actor { .. } if task.is_some_and(|task| task.is_closed) => {
            let place = unit.place.as_deref().unwrap_or_default();
            format!("waits at `{place}`; its instance is paused or archived, and hands nothing out")
        }
        UnitBecause::Actor { roles, .. } => {
            let place = unit.place.as_deref().unwrap_or_default();
            let ahead = task.map_or(0, |task| task.ahead);
            let seen = task.map_or(0, |task| task.worker_count);
            let limited = task.filter(|task| task.is_limited).map(limits_of).unwrap_or_default();
            format!(
                "waits at `{place}` for an actor as {}; {ahead} stand before it, {seen} have asked in \
                 the last {} s{limited}",
                roles.join(" or "),
                SEEN_RECENTLY.as_secs()
            )
        }
        UnitBecause::Holder { by, role, since } => {
            format!("`{by}` has it as {role} since {}", clock(*since))
        }
        UnitBecause::Set { message, .. } => format!("CERBERUS holds its set: {message}"),
        UnitBecause::Parent { path } => format!("its parent {path} gathers the set"),
        UnitBecause::Pilot { kind, .. } => format!("waits for a pilot ({kind})"),
        UnitBecause::ChildWorkflow { path } => format!("is in a child workflow, as {path}"),
        UnitBecause::Ready => "goes on in a moment".to_owned(),
    };
    let (path, status) = (unit.path.clone(), unit.status.as_str());
    StepCause { path, status, because, message, details }
}

/// Who makes what is for workers outside, or could.
fn cause_by_worker(path: &str, status: &'static str, task: &TaskWait) -> StepCause {
    let queue = &task.queue;
    let within = SEEN_RECENTLY.as_secs();
    let what = match queue.split_once(':') {
        Some(("kind", kind)) => format!("a worker that does `{kind}`"),
        Some(("role", role)) => format!("an actor in the role `{role}`"),
        _ if queue.contains('/') => format!("an actor, at `{queue}`"),
        _ => format!("a worker that takes from `{queue}`"),
    };
    let mut message = match (&task.held, task.worker_count) {
        (Some(held), _) => {
            format!("`{}` has it, for {} s so far", held.worker, held.since.as_secs())
        }
        (None, 0) => {
            format!("waits for {what}; none has asked for work in the last {within} s")
        }
        (None, 1) => format!("waits for {what}; one has asked in the last {within} s"),
        (None, count) => format!("waits for {what}; {count} have asked in the last {within} s"),
    };
    if task.held.is_none() && task.ahead > 0 {
        message.push_str(&format!("; {} stand before it", task.ahead));
    }
    if task.held.is_none() && task.is_limited {
        message.push_str(&limits_of(task));
    }
    StepCause {
        path: path.to_owned(),
        status,
        because: "worker".to_owned(),
        message,
        details: details_of(task),
    }
}

/// All that the turn of a task depends on.
fn details_of(task: &TaskWait) -> Value {
    let (held, rate) = (task.held.as_ref(), task.limits.rate);
    serde_json::json!({
        "queue": task.queue,
        "priority": task.priority,
        "fairness_key": task.fairness_key,
        "worker": held.map(|held| &held.worker),
        "fence": held.map(|held| held.fence),
        "ahead": task.ahead,
        "depth": task.depth,
        "held_count": task.held_count,
        "concurrency": task.limits.concurrency,
        "rate": rate.map(|rate| format!("{} in {:?}", rate.count, rate.per)),
        "is_limited": task.is_limited,
        "is_closed": task.is_closed,
        "worker_count": task.worker_count,
    })
}

/// The limits of the queue of a task, as the end of a sentence.
fn limits_of(task: &TaskWait) -> String {
    let limits = [
        task.limits.concurrency.map(|most| format!("{} of {most} are out", task.held_count)),
        task.limits.rate.map(|rate| format!("{} in {:?} are handed out", rate.count, rate.per)),
    ];
    let limits: Vec<String> = limits.into_iter().flatten().collect();
    format!("; the queue is limited: {}", limits.join(", "))
}

fn causes_of(why: &Why) -> Vec<RunCause> {
    let mut causes = Vec::new();
    let told =
        |reason: Option<&String>| reason.map_or(String::new(), |reason| format!(": {reason}"));
    if let Some(halt) = &why.halt {
        causes.push(RunCause {
            because: "halted",
            message: format!("{} has stopped everything{}", halt.by, told(halt.reason.as_ref())),
            details: serde_json::to_value(halt).unwrap_or_default(),
        });
    }
    if let Some(pause) = &why.run.pause {
        causes.push(RunCause {
            because: "paused",
            message: format!("{} has paused the run{}", pause.by, told(pause.reason.as_ref())),
            details: serde_json::to_value(pause).unwrap_or_default(),
        });
    }
    if let Some(since) = why.run.silent_since {
        causes.push(RunCause {
            because: "silence",
            message: format!("its program has said nothing since {}", clock(since)),
            details: serde_json::json!({ "since": since.to_string() }),
        });
    }
    let Some(waiting) = &why.admission else { return causes };
    if waiting.is_paused {
        causes.push(RunCause {
            because: "workflow_paused",
            message: "its workflow is paused".to_owned(),
            details: Value::Null,
        });
    }
    if let Some(slot) = &waiting.slot {
        causes.push(RunCause {
            because: "concurrency",
            message: format!(
                "place {} in the queue: {} of at most {} runs of its key are under way",
                slot.position, slot.holder_count, slot.limit
            ),
            details: serde_json::json!({
                "key": slot.key,
                "limit": slot.limit,
                "position": slot.position,
                "holder_count": slot.holder_count,
                "holders": slot.holders,
            }),
        });
    }
    causes
}

fn cause_of(step: &StepWhy) -> StepCause {
    let message = match &step.because {
        Because::Upstream { waits_for, edges, decided, needs, .. } => {
            let names = waits_for.join(", ");
            let open = edges.saturating_sub(*decided);
            match needs {
                Some(needs) => {
                    format!("waits for {names} ({open} of {edges} edges are open, {needs} needed)")
                }
                None => format!("waits for {names}"),
            }
        }
        Because::Ready => "its turn has come".to_owned(),
        Because::Attempt { attempt, since: Some(since), .. } => {
            format!("attempt {attempt} is under way since {}", clock(*since))
        }
        Because::Attempt { attempt, .. } => format!("attempt {attempt} is to be made"),
        Because::Task { queue, attempt, holder: None, .. } => {
            format!("attempt {attempt} waits in the queue `{queue}`")
        }
        Because::Task { holder: Some(holder), .. } => {
            format!("`{}` has it since {}", holder.by, clock(holder.since))
        }
        Because::Retry { at, attempt, error } => {
            format!("attempt {attempt} ended with `{error}`; the next one comes at {}", clock(*at))
        }
        Because::Timer { until } => format!("waits until {}", clock(*until)),
        Because::ChildRun { run_id } => format!("waits for the run {run_id}"),
        Because::Approval { title, approvers, needed, decided, deadline } => {
            let who = match approvers.as_slice() {
                [] => "whoever may approve".to_owned(),
                some => some.join(", "),
            };
            let given = decided.iter().filter(|(_, verdict)| *verdict == Verdict::Approve).count();
            let until = until(*deadline);
            format!("asks {who}: {title} ({given} of {needed} have approved{until})")
        }
        Because::Signal { name, deadline } => {
            format!("waits for the signal `{name}`{}", until(*deadline))
        }
        Because::Event { name, deadline, .. } => {
            format!("waits for the event `{name}`{}", until(*deadline))
        }
        Because::OutcomeUnknown { attempt } => {
            format!("nobody knows what has become of attempt {attempt}; somebody has to say")
        }
        Because::Bodies { begun, over, total, .. } => match total {
            Some(total) => {
                format!("{} of {total} items are under way, {over} are over", begun - over)
            }
            None => format!("body {begun} is under way"),
        },
    };
    let mut details = serde_json::to_value(&step.because).unwrap_or_default();
    let because = details.as_object_mut().and_then(|details| details.shift_remove("because"));
    StepCause {
        path: step.path.clone(),
        status: step.status.as_str(),
        because: because.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default(),
        message,
        details,
    }
}

fn until(deadline: Option<Time>) -> String {
    deadline.map_or_else(String::new, |deadline| format!(", until {}", clock(deadline)))
}

/// A time as people read it, in UTC and to the second. The exact one is in the details.
fn clock(at: Time) -> String {
    let exact = at.to_string();
    format!("{} UTC", exact.get(..19).unwrap_or(&exact).replace('T', " "))
}
