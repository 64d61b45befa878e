//! Why a run does not move. It reads the very sets that deciding reads, so what it says is what holds
//! things up.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::event::{Holder, Verdict};
use super::state::{Ask, Block, BlockOf, Pause};
use super::token::UnitWhy;
use super::{RunState, Step, StepStatus};
use crate::definition::{Graph, Join, Node, Plan};
use crate::kinds::{Awaits, Quorum};
use crate::time::Time;

/// Steps that [`RunState::why`] names, at most.
pub const WHY_STEP_COUNT_MAX: usize = 200;

/// Why a step is where it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepWhy {
    /// The step.
    pub path: String,
    /// Where it stands.
    pub status: StepStatus,
    /// What it waits for.
    #[serde(flatten)]
    pub because: Because,
}

/// What a step waits for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum Because {
    /// Nodes before it that are not over.
    Upstream {
        /// Their steps.
        waits_for: Vec<String>,
        /// How many edges lead to it.
        edges: u32,
        /// How many of them are decided.
        decided: u32,
        /// How many of those are taken.
        taken: u32,
        /// How many it needs.
        #[serde(skip_serializing_if = "Option::is_none")]
        needs: Option<u32>,
    },
    /// Its turn has come; it goes on in a moment, or when the run does.
    Ready,
    /// An attempt that is to be made, or being made.
    Attempt {
        /// Which, from 1.
        attempt: u32,
        /// The kind of its node.
        kind: String,
        /// Since when it is being made.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<Time>,
    },
    /// A worker outside.
    Task {
        /// The queue it stands in.
        queue: String,
        /// Which attempt, from 1.
        attempt: u32,
        /// Since when it is offered.
        offered_at: Time,
        /// Who has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        holder: Option<Holder>,
        /// Until when it has to be done.
        #[serde(skip_serializing_if = "Option::is_none")]
        deadline: Option<Time>,
    },
    /// The time of the next attempt.
    Retry {
        /// When.
        at: Time,
        /// Which attempt is over.
        attempt: u32,
        /// Why that failed; `interrupted` if it was lost with a process.
        error: String,
    },
    /// A time.
    Timer {
        /// When it goes on.
        until: Time,
    },
    /// The end of another run.
    ChildRun {
        /// That run.
        run_id: Uuid,
    },
    /// People who decide.
    Approval {
        /// What they are asked.
        title: String,
        /// Who may decide; everybody with the right to approve, if nobody is named.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        approvers: Vec<String>,
        /// How many have to approve.
        needed: u32,
        /// Who has decided, and what.
        decided: Vec<(String, Verdict)>,
        /// Until when they can.
        #[serde(skip_serializing_if = "Option::is_none")]
        deadline: Option<Time>,
    },
    /// A signal to the run.
    Signal {
        /// Its name.
        name: String,
        /// Until when.
        #[serde(skip_serializing_if = "Option::is_none")]
        deadline: Option<Time>,
    },
    /// An event from outside.
    Event {
        /// Its name.
        name: String,
        /// What its data has to be.
        #[serde(rename = "match")]
        matching: Value,
        /// Until when.
        #[serde(skip_serializing_if = "Option::is_none")]
        deadline: Option<Time>,
    },
    /// Somebody who says what has become of an attempt.
    OutcomeUnknown {
        /// The attempt.
        attempt: u32,
    },
    /// Bodies that run under it.
    Bodies {
        /// How many have begun.
        begun: u32,
        /// How many of those are over.
        over: u32,
        /// How many there are to be, if that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<u32>,
        /// How many may run at once.
        #[serde(skip_serializing_if = "Option::is_none")]
        concurrency: Option<u32>,
    },
}

/// Why a run is where it is, as far as the run itself knows.
#[derive(Clone, Debug, PartialEq)]
pub struct RunWhy {
    /// Who has paused it.
    pub pause: Option<Pause>,
    /// Whether it waits to be admitted.
    pub awaits_admission: bool,
    /// Since when the program that drives it has said nothing, if that is too long.
    pub silent_since: Option<Time>,
    /// Until when it has to be over.
    pub deadline: Option<Time>,
    /// Its steps that are not over, in the order of their scopes, at most [`WHY_STEP_COUNT_MAX`].
    pub steps: Vec<StepWhy>,
    /// Its units of work that are not over, at most [`WHY_STEP_COUNT_MAX`].
    pub units: Vec<UnitWhy>,
    /// Whether there are more.
    pub has_more: bool,
}

impl RunState {
    /// Why the run, and each step of it that is not over, does not move. `only` names one step.
    pub fn why(&self, plan: &Plan, only: Option<&str>) -> RunWhy {
        let mut why = RunWhy {
            pause: self.paused.clone(),
            awaits_admission: self.awaits_admission(),
            silent_since: self.observed().filter(|it| it.inferred.is_some()).map(|it| it.seen_at),
            deadline: self.deadline,
            steps: Vec::new(),
            units: Vec::new(),
            has_more: false,
        };
        if self.status.is_terminal() {
            return why;
        }
        why.units = self.why_units(plan, only);
        why.has_more = why.units.len() > WHY_STEP_COUNT_MAX;
        why.units.truncate(WHY_STEP_COUNT_MAX);
        // What is in mid-life first: there the rest waits.
        for path in self.active.iter().filter(|path| only.is_none_or(|only| only == &***path)) {
            if let Some(step) = self.steps.get(path) {
                let because = self.because_active(path, step);
                why.add(path, step.status, because);
            }
        }
        for scope in self.scopes.keys() {
            let Some(graph) = plan.graph_of(scope) else { continue };
            if why.has_more {
                break;
            }
            for node in &graph.nodes {
                let path = self.path_in(scope, &node.id);
                if only.is_some_and(|only| only != path) || self.active.contains(&*path) {
                    continue;
                }
                let step = self.steps.get(&*path);
                let status = step.map_or(StepStatus::Pending, |step| step.status);
                if !status.is_terminal() {
                    why.add(&path, status, self.because_idle(scope, (graph, node), step));
                }
            }
        }
        why
    }

    fn because_active(&self, path: &str, step: &Step) -> Because {
        if let Some(ask) = step.ask() {
            return because_of(ask);
        }
        let attempt = step.attempt;
        if let (Some(task), StepStatus::Queued | StepStatus::Running) =
            (step.task.as_deref(), step.status)
        {
            return Because::Task {
                queue: task.terms.queue.clone(),
                attempt,
                offered_at: task.offered_at,
                holder: task.holder.clone(),
                deadline: step.until,
            };
        }
        match (step.status, step.until, &step.child) {
            (StepStatus::BackingOff, Some(at), _) => {
                let lost = step.reason.as_deref() == Some("interrupted");
                let error = match &step.error {
                    Some(error) if !lost => error.code.clone(),
                    _ => "interrupted".to_owned(),
                };
                Because::Retry { at, attempt, error }
            }
            (StepStatus::Waiting, Some(until), _) => Because::Timer { until },
            (StepStatus::Waiting, None, Some(child)) => Because::ChildRun { run_id: child.run_id },
            (StepStatus::Waiting, None, None) => Because::OutcomeUnknown { attempt },
            (status, ..) => {
                // A task that another program drives began with its first attempt.
                let begun = self.observed.as_deref().and_then(|observed| observed.begun_at(path));
                let since = begun.or(step.started_at).filter(|_| status == StepStatus::Running);
                Because::Attempt { attempt, kind: step.kind.to_string(), since }
            }
        }
    }

    fn because_idle(
        &self,
        scope: &str,
        (graph, node): (&Graph, &Node),
        step: Option<&Step>,
    ) -> Because {
        if let Some(block) = step.and_then(|step| step.block.as_deref()) {
            return bodies(block);
        }
        if step.is_some_and(|step| step.is_decided) {
            return Because::Ready;
        }
        let (decided, taken) = step.map_or((0, 0), |step| (step.edges_known, step.edges_taken));
        let sources = graph.sources(&node.id).map(|source| self.path_in(scope, &source.id));
        let is_open =
            |path: &str| self.steps.get(path).is_none_or(|step| !step.status.is_terminal());
        let waits_for = sources.filter(|path| is_open(path)).map(|path| path.into_owned());
        let needs = match node.join {
            None => None,
            Some(Join::All) => Some(node.incoming),
            Some(Join::Any) => Some(1),
            Some(Join::Count(count)) => Some(count),
        };
        let waits_for = waits_for.take(20).collect();
        Because::Upstream { waits_for, edges: node.incoming, decided, taken, needs }
    }
}

impl RunWhy {
    fn add(&mut self, path: &str, status: StepStatus, because: Because) {
        if self.steps.len() < WHY_STEP_COUNT_MAX {
            self.steps.push(StepWhy { path: path.to_owned(), status, because });
        } else {
            self.has_more = true;
        }
    }
}

fn because_of(ask: &Ask) -> Because {
    let deadline = ask.deadline();
    match &ask.awaits {
        Awaits::Approval => {
            let field = |name: &str| ask.input.get(name).cloned().unwrap_or_default();
            let approvers = serde_json::from_value(field("approvers")).unwrap_or_default();
            let quorum: Quorum = serde_json::from_value(field("quorum")).unwrap_or_default();
            let decisions = ask.decisions.iter();
            Because::Approval {
                title: field("title").as_str().unwrap_or_default().to_owned(),
                approvers,
                needed: quorum.needed,
                decided: decisions.map(|one| (one.by.clone(), one.verdict)).collect(),
                deadline,
            }
        }
        Awaits::Signal(name) => Because::Signal { name: name.clone(), deadline },
        Awaits::Event(name) => {
            let matching = ask.input.get("match").cloned().unwrap_or_default();
            Because::Event { name: name.clone(), matching, deadline }
        }
    }
}

fn bodies(block: &Block) -> Because {
    let (total, concurrency) = match &block.of {
        BlockOf::Map { items, concurrency, .. } => (u32::try_from(items.len()).ok(), *concurrency),
        BlockOf::Loop { .. } | BlockOf::Try { .. } => (None, None),
    };
    Because::Bodies { begun: block.opened, over: block.settled, total, concurrency }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::run::What;
    use crate::run::tests::{Run, plan};

    fn told(run: &Run) -> Vec<Value> {
        let steps = run.state.why(&run.plan, None).steps;
        steps.iter().map(|step| serde_json::to_value(step).unwrap()).collect()
    }

    #[test]
    fn every_step_that_is_not_over_says_what_it_waits_for() {
        let mut run = Run::start(
            "
name: x
nodes:
  - { id: a, type: work, retry: { max_attempts: 2, delay: 5s, jitter: 0 } }
  - { id: d, type: delay, config: { duration: 1s } }
  - { id: both, type: work, needs: [a, d], join: all }
  - { id: each, type: map, config: { items: [1, 2, 3], concurrency: 1, body: { nodes: [{ id: w, type: work }] } } }
  - { id: child, type: workflow, config: { workflow: other } }
",
            json!(null),
        );
        run.fail("a", "boom").unwrap();
        let now = run.now;
        let child = run.state.step("child").unwrap().child().unwrap().run_id;
        assert_eq!(
            told(&run),
            [
                json!({ "path": "a", "status": "backing_off", "because": "retry",
                        "at": now.plus(std::time::Duration::from_secs(5)), "attempt": 1, "error": "boom" }),
                json!({ "path": "child", "status": "waiting", "because": "child_run", "run_id": child }),
                json!({ "path": "d", "status": "waiting", "because": "timer",
                        "until": now.plus(std::time::Duration::from_secs(1)) }),
                json!({ "path": "each[0].w", "status": "queued", "because": "attempt", "attempt": 1,
                        "kind": "work" }),
                json!({ "path": "both", "status": "pending", "because": "upstream",
                        "waits_for": ["a", "d"], "edges": 2, "decided": 0, "taken": 0, "needs": 2 }),
                json!({ "path": "each", "status": "running", "because": "bodies", "begun": 1, "over": 0,
                        "total": 3, "concurrency": 1 }),
            ]
        );
        let one = run.state.why(&run.plan, Some("both")).steps;
        assert_eq!(one.len(), 1);
    }

    #[test]
    fn a_run_says_who_has_paused_it() {
        let text = "{ name: x, nodes: [{ id: a, type: transform, config: { output: 1 } }] }";
        let mut run = Run::create(plan(text), json!(null));
        run.give(What::Pause { by: "ada".into(), reason: Some("lunch".into()) }).unwrap();
        let why = run.state.why(&run.plan, None);
        assert_eq!(why.pause.unwrap().by, "ada");
        run.give(What::Cancel { by: "ada".into(), reason: None }).unwrap();
        let why = run.state.why(&run.plan, None);
        assert_eq!((why.pause, why.steps), (None, vec![]));
    }
}
