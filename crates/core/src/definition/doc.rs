//! The document users write, field by field. Its doc comments are the reference and the JSON
//! Schema; unknown fields are refused by that schema, with a hint.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::budget::Budgets;
use crate::duration::HumanDuration;
use crate::run::RunStatus;

/// A workflow: what to run, in which order, and what comes out.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct DefinitionDoc {
    /// What people call it. Unique in a project; may have spaces.
    pub(super) name: String,
    /// What it is for.
    #[serde(default)]
    pub(super) description: Option<String>,
    /// JSON Schema (2020-12) of the input. A run with an input that does not fit is refused.
    #[serde(default)]
    pub(super) input: Option<Value>,
    /// Constants, read as `vars.x`.
    #[serde(default)]
    pub(super) vars: Map<String, Value>,
    /// Labels that every run gets.
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    /// The nodes.
    #[expect(dead_code, reason = "for the schema; the graph is read part by part")]
    pub(super) nodes: Vec<NodeDoc>,
    /// The edges.
    #[serde(default)]
    #[expect(dead_code, reason = "for the schema; the graph is read part by part")]
    pub(super) edges: Vec<EdgeDoc>,
    /// The output: any JSON with templates. Left out, it is the single end node's output, else an
    /// object by node id.
    #[serde(default)]
    #[expect(dead_code, reason = "for the schema; the graph is read part by part")]
    pub(super) output: Option<Value>,
    /// What the failure of a step does to the rest of the run.
    #[serde(default)]
    pub(super) on_failure: Policy,
    /// What holds for every node that acts outside and says nothing itself.
    #[serde(default)]
    pub(super) defaults: DefaultsDoc,
    /// How long a run may take, from its start. Past it the run fails, cleans up and undoes.
    #[serde(default)]
    pub(super) deadline: Option<HumanDuration>,
    /// How many runs of the workflow may be under way at once. Left out, there is no limit.
    #[serde(default)]
    pub(super) concurrency: Option<ConcurrencyDoc>,
    /// The higher, the sooner a run's turn comes among those that wait for the same: -1000 to 1000.
    #[serde(default)]
    pub(super) priority: i32,
    /// How much all calls to models may take. One budget or a list of them.
    #[serde(default)]
    pub(super) budget: Option<Budgets>,
    /// What starts a run of the workflow without anybody asking for it.
    #[serde(default)]
    pub(super) triggers: Vec<TriggerDoc>,
}

/// Something that starts a run of the workflow.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct TriggerDoc {
    /// What it listens for.
    pub(super) on: TriggerOn,
    /// The name of another workflow, or of another program's flow, in the same project. It need not
    /// exist yet.
    pub(super) source: String,
    /// How its runs have to end. Left out, however they end.
    #[serde(default)]
    pub(super) status: Ends,
    /// The input of the new run: any JSON with templates, which see `run` and `vars`. Left out, it is
    /// `{"run": …}`.
    #[serde(default)]
    pub(super) input: Option<Value>,
}

/// What a trigger listens for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum TriggerOn {
    /// The end of a run.
    Run,
}

/// One way to end or a list of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Ends {
    /// One way.
    One(End),
    /// Several ways.
    Many(Vec<End>),
}

impl Default for Ends {
    fn default() -> Ends {
        Ends::Many(vec![End::Succeeded, End::Failed, End::Cancelled])
    }
}

impl Ends {
    pub(super) fn ends(&self) -> &[End] {
        match self {
            Ends::One(end) => std::slice::from_ref(end),
            Ends::Many(ends) => ends,
        }
    }
}

/// How a run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    /// It has an output.
    Succeeded,
    /// It has an error.
    Failed,
    /// Somebody has stopped it.
    Cancelled,
}

impl End {
    pub(super) fn status(self) -> RunStatus {
        match self {
            End::Succeeded => RunStatus::Succeeded,
            End::Failed => RunStatus::Failed,
            End::Cancelled => RunStatus::Cancelled,
        }
    }
}

/// How many runs may be under way at once.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ConcurrencyDoc {
    /// Counts the runs of each value apart, such as `{{ input.customer }}`. Left out, all runs of
    /// the workflow are counted together.
    #[serde(default)]
    pub(super) key: Option<String>,
    /// How many, 1 to 100,000.
    pub(super) limit: u32,
    /// What happens to a run that finds the limit reached.
    #[serde(default)]
    pub(super) on_limit: OnLimit,
}

/// What happens to a run that finds the limit of its concurrency reached.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OnLimit {
    /// It waits for its turn.
    #[default]
    Queue,
    /// It is cancelled at once.
    Skip,
    /// The run that began first is cancelled, and it takes its place.
    CancelOldest,
}

/// What holds for every node that acts outside and says nothing itself.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct DefaultsDoc {
    /// What to do when an attempt fails.
    #[serde(default)]
    pub(super) retry: Option<Retry>,
    /// How long one attempt may take.
    #[serde(default)]
    pub(super) timeout: Option<HumanDuration>,
}

/// One node.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct NodeDoc {
    /// A letter or `_`, then letters, digits, `_` and `-`. Expressions call the node by it.
    pub(super) id: String,
    /// What people call it.
    #[serde(default)]
    pub(super) name: Option<String>,
    /// What it is for.
    #[serde(default)]
    pub(super) description: Option<String>,
    /// The kind of node, such as `http`. `kind` means the same.
    #[serde(default, rename = "type")]
    pub(super) type_: Option<String>,
    /// The kind of node, such as `http`. `type` means the same.
    #[serde(default)]
    pub(super) kind: Option<String>,
    /// What the kind needs to know.
    #[serde(default)]
    pub(super) config: Option<Map<String, Value>>,
    /// Nodes that come before: a short form of edges. `join: all` makes every one a condition.
    #[serde(default)]
    pub(super) needs: Needs,
    /// A condition. If it is false when the node's turn comes, the node is skipped.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub(super) when: Option<Value>,
    /// Which of its edges the node waits for. Left out: until none is undecided, and then it runs
    /// if at least one was taken.
    #[serde(default)]
    pub(super) join: Option<Join>,
    /// What to do when an attempt fails.
    #[serde(default)]
    pub(super) retry: Option<Retry>,
    /// How long one attempt may take.
    #[serde(default)]
    pub(super) timeout: Option<HumanDuration>,
    /// What repeating an attempt would do to the world.
    #[serde(default)]
    pub(super) effect: Effect,
    /// What the node's failure does to the rest, whatever the definition says.
    #[serde(default)]
    pub(super) on_failure: Option<OnFailure>,
    /// Uses an earlier output again, of this or another run, instead of making an attempt.
    #[serde(default)]
    pub(super) cache: Option<CacheDoc>,
    /// How much the calls of this node to models may take. One budget or a list of them.
    #[serde(default)]
    pub(super) budget: Option<Budgets>,
    /// What undoes the node, if it has succeeded and a later step fails or the run is cancelled.
    #[serde(default)]
    pub(super) compensate: Option<CompensateDoc>,
}

/// When an output may be used again.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct CacheDoc {
    /// What the output depends on: any JSON with templates. Left out, the whole config.
    #[serde(default)]
    pub(super) key: Option<Value>,
    /// How long it may be used.
    pub(super) ttl: HumanDuration,
}

/// What undoes a node. Its config sees the output of the node.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct CompensateDoc {
    /// The kind of node that undoes it, such as `http`. `kind` means the same.
    #[serde(default, rename = "type")]
    pub(super) type_: Option<String>,
    /// The kind of node that undoes it, such as `http`. `type` means the same.
    #[serde(default)]
    pub(super) kind: Option<String>,
    /// What the kind needs to know.
    #[serde(default)]
    pub(super) config: Option<Map<String, Value>>,
    /// What to do when an attempt fails.
    #[serde(default)]
    pub(super) retry: Option<Retry>,
    /// How long one attempt may take.
    #[serde(default)]
    pub(super) timeout: Option<HumanDuration>,
    /// What repeating an attempt would do to the world.
    #[serde(default)]
    pub(super) effect: Effect,
}

impl NodeDoc {
    /// What undoes a node, written as a node.
    pub(super) fn of_compensate(node: &NodeDoc, undo: &CompensateDoc) -> NodeDoc {
        NodeDoc {
            type_: undo.type_.clone(),
            kind: undo.kind.clone(),
            config: undo.config.clone(),
            retry: undo.retry.clone(),
            timeout: undo.timeout,
            effect: undo.effect,
            compensate: None,
            cache: None,
            budget: None,
            ..node.clone()
        }
    }
}

/// One edge.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct EdgeDoc {
    /// The node it leads from.
    pub(super) source: String,
    /// The node it leads to.
    pub(super) target: String,
    /// How the source must have ended.
    #[serde(default)]
    pub(super) on: On,
    /// A condition, looked at when the source has ended.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub(super) when: Option<Value>,
    /// Makes it an edge that jumps back to a node before its source: that node, and what follows it,
    /// runs again. The target runs at most so many times, 2 to 10,000; past that the source fails
    /// with `visit_limit`.
    #[serde(default)]
    pub(super) max_visits: Option<u32>,
}

/// One id or a list of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Needs {
    /// One node.
    One(String),
    /// Several nodes.
    Many(Vec<String>),
}

impl Default for Needs {
    fn default() -> Needs {
        Needs::Many(Vec::new())
    }
}

impl Needs {
    pub(super) fn ids(&self) -> &[String] {
        match self {
            Needs::One(id) => std::slice::from_ref(id),
            Needs::Many(ids) => ids,
        }
    }
}

/// What the failure of a step does to the rest of its run or block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Stops: running steps are cancelled, steps never started are skipped.
    #[default]
    FailFast,
    /// What does not depend on it goes on; the run then fails with the first error.
    ContinueIndependent,
    /// As `continue_independent`, and the run's error lists every failure.
    Aggregate,
}

/// What a node's failure does, whatever the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It stops the run.
    Stop,
    /// It is passed over: what follows runs, with a null output and the `error` to read.
    Continue,
}

/// What repeating an attempt would do to the world. It decides what happens when nobody knows
/// whether an attempt took place, as after a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing worse: it is simply repeated.
    #[default]
    Safe,
    /// Nothing, because the other side recognises the step's stable idempotency key.
    Keyed,
    /// Harm. The start is made durable first, and after a crash the step waits for a decision with
    /// the reason `outcome_unknown`.
    Never,
}

/// How a source must have ended for its edge to be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// It succeeded.
    #[default]
    Success,
    /// It failed. The failure is then handled and does not fail the run.
    Failure,
    /// It succeeded or failed. A failure still fails the run, after this way has been gone.
    Always,
}

/// Which of its edges a node waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// Every edge must be taken; if one is skipped, so is the node.
    All,
    /// The first taken edge is enough.
    Any,
    /// As many taken edges are enough.
    Count(
        /// How many.
        u32,
    ),
}

/// What to do when an attempt fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Retry {
    /// How many attempts there may be, the first included. 1 to 1,000.
    pub max_attempts: u32,
    /// How long to wait before the second attempt.
    pub delay: HumanDuration,
    /// By how much the wait grows with every further attempt. At least 1.
    pub multiplier: f64,
    /// The longest wait.
    pub max_delay: HumanDuration,
    /// The share of each wait that is left to chance, from 0 to 1, so that steps which failed
    /// together do not come back together.
    pub jitter: f64,
    /// Error codes worth another attempt, such as `timeout`, `http_503` or `http_5xx`. Left out: every error
    /// that the kind itself does not call final.
    pub on: Option<Vec<String>>,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry {
            max_attempts: 3,
            delay: HumanDuration(std::time::Duration::from_secs(1)),
            multiplier: 2.0,
            max_delay: HumanDuration(std::time::Duration::from_secs(60)),
            jitter: 0.1,
            on: None,
        }
    }
}
