use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::doc::{Effect, Join, On, OnFailure, OnLimit, Policy, Retry};
use super::flow::FlowPlan;
use super::trigger::Trigger;
use crate::budget::Budget;
use crate::duration::HumanDuration;
use crate::expr::{Expression, Template};
use crate::kinds::{Branch, Kind, Work};
use crate::run::path::{self, UNDO};
use crate::run::token::TokenPlan;
use crate::schema::Schema;

/// A definition, compiled: everything a run is decided by.
#[derive(Debug)]
pub struct Plan {
    /// What people call the workflow.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What the input must look like.
    pub input: Option<Schema>,
    /// Constants, read as `vars.x`.
    pub vars: Value,
    /// Labels that every run gets.
    pub labels: BTreeMap<String, String>,
    /// What the failure of a step does to the rest.
    pub on_failure: Policy,
    /// How long a run may take.
    pub deadline: Option<HumanDuration>,
    /// How many runs may be under way at once.
    pub concurrency: Option<SharedRuns>,
    /// The higher, the sooner a run's turn comes.
    pub priority: i32,
    /// How much all calls to models may take.
    pub budgets: Vec<Budget>,
    /// What starts runs of it without anybody asking for them.
    pub triggers: Vec<Trigger>,
    /// The nodes and edges. None, if actors drive it.
    pub graph: Graph,
    /// What units of work are decided by, if actors drive it.
    pub tokens: Option<Arc<TokenPlan>>,
    /// What is known of it, if another program drives it. The graph is then only looked at.
    pub flow: Option<Arc<FlowPlan>>,
}

/// How many runs may be under way at once.
#[derive(Debug)]
pub struct SharedRuns {
    /// What tells runs apart that are counted apart.
    pub key: Option<Template>,
    /// How many of one key.
    pub limit: u32,
    /// What happens to a run that finds the limit reached.
    pub on_limit: OnLimit,
}

/// Nodes and edges: those of the definition, or those inside a block.
#[derive(Debug, Default)]
pub struct Graph {
    /// The nodes, in the order of the document.
    pub nodes: Vec<Node>,
    /// Those a run starts with.
    pub roots: Vec<u32>,
    /// The output, if it was written.
    pub output: Option<Template>,
    /// Nodes whose outputs are the output, if none was written.
    pub ends: Vec<u32>,
    pub(super) by_id: HashMap<String, u32>,
}

/// One node.
#[derive(Debug)]
pub struct Node {
    /// What expressions call it.
    pub id: String,
    /// What people call it, if that is something else.
    pub title: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What it is.
    pub kind: Arc<Kind>,
    /// What its kind needs to know.
    pub config: Template,
    /// Where it leads.
    pub edges: Vec<Edge>,
    /// Where it may jump back to. The first one that is taken is gone, and no edge besides.
    pub jumps: Vec<Jump>,
    /// How many edges lead to it.
    pub incoming: u32,
    /// Which of them it waits for.
    pub join: Option<Join>,
    /// Whether it runs when its turn comes.
    pub when: Option<Expression>,
    /// What to do when an attempt fails.
    pub retry: Option<Retry>,
    /// How long one attempt may take.
    pub timeout: Option<HumanDuration>,
    /// What repeating an attempt would do to the world.
    pub effect: Effect,
    /// When an earlier output may be used again.
    pub cache: Option<Cache>,
    /// How much its calls to models may take.
    pub budgets: Vec<Budget>,
    /// What its failure does to the rest, whatever the policy.
    pub on_failure: Option<OnFailure>,
    /// The graphs inside, if it is a block: one, or those of a `try` in the order in which they may
    /// run.
    pub bodies: Vec<Body>,
    /// How long that graph runs again, if it is a loop.
    pub repeat: Option<Repeat>,
    /// What the results of its items are called, if it is a `map` that says so.
    pub key: Option<Template>,
    /// The nodes it may branch to.
    pub branches: Vec<Branch>,
    /// What undoes it, if it has succeeded and something later fails.
    pub compensate: Option<Box<Node>>,
}

/// When an output may be used again.
#[derive(Clone, Debug, PartialEq)]
pub struct Cache {
    /// What it depends on. Left out, the whole config.
    pub key: Option<Template>,
    /// How long it may be used.
    pub ttl: HumanDuration,
}

/// A graph inside a node.
#[derive(Debug)]
pub struct Body {
    /// The nodes and edges.
    pub graph: Graph,
    /// What it is for.
    pub role: Role,
}

/// What a graph inside a node is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is what the node is for.
    Main,
    /// It runs if the first has failed, with one of these codes if there are some.
    Catch(Option<Vec<String>>),
    /// It runs last, whatever happened before.
    Finally,
}

/// How long a loop goes on. `item` is the output of the iteration before, `index` the number of the
/// iteration that is asked about.
#[derive(Debug)]
pub enum Repeat {
    /// As long as this holds; asked before each iteration.
    While(Expression),
    /// Until this holds; asked after each iteration.
    Until(Expression),
}

/// One edge.
#[derive(Debug)]
pub struct Edge {
    /// Where it leads: an index into the graph's nodes.
    pub target: u32,
    /// How the source must have ended.
    pub on: On,
    /// A condition, looked at when the source has ended.
    pub when: Option<Expression>,
    /// Whether the source chooses it: then it is taken only if chosen.
    pub is_branch: bool,
}

/// An edge that jumps back.
#[derive(Debug)]
pub struct Jump {
    /// The edge.
    pub edge: Edge,
    /// How often its target may run.
    pub max_visits: u32,
    /// What runs again: its target and everything that follows it, as indexes into the graph's
    /// nodes.
    pub again: Vec<u32>,
}

impl Plan {
    /// A definition that says nothing but what it is called and for.
    pub(super) fn bare(name: String, description: Option<String>) -> Plan {
        Plan {
            name,
            description,
            input: None,
            vars: Value::Object(Default::default()),
            labels: BTreeMap::new(),
            on_failure: Policy::default(),
            deadline: None,
            concurrency: None,
            priority: 0,
            budgets: Vec::new(),
            triggers: Vec::new(),
            graph: Graph::default(),
            tokens: None,
            flow: None,
        }
    }

    /// The node that the step at `path` is a life of, such as `each[3].fetch`, and its graph. Of
    /// `book~undo` it is what undoes `book`.
    pub fn locate(&self, path: &str) -> Option<(&Graph, &Node)> {
        let (path, undoes) = match path.strip_suffix(UNDO) {
            Some(done) => (done, true),
            None => (path, false),
        };
        let mut graph = &self.graph;
        let mut segments = path.split('.').peekable();
        while let Some(segment) = segments.next() {
            let (id, index) = match segment.split_once('[') {
                Some((id, rest)) => (id, rest.strip_suffix(']')?.parse().ok()?),
                None => (segment, 0),
            };
            let node = graph.node(path::without_visit(id))?;
            if segments.peek().is_none() {
                let node = if undoes { node.compensate.as_deref()? } else { node };
                return Some((graph, node));
            }
            graph = node.body(index)?;
        }
        None
    }

    /// The graph of the scope at `path`: the definition's own for an empty path, a block's body for
    /// one such as `each[3]`.
    pub fn graph_of(&self, scope: &str) -> Option<&Graph> {
        if scope.is_empty() {
            return Some(&self.graph);
        }
        let (step, index) = path::block_of(scope)?;
        self.locate(step)?.1.body(index)
    }
}

impl Node {
    /// The graph that runs as number `index`: always the same one, but in a `try`.
    pub fn body(&self, index: u32) -> Option<&Graph> {
        let index = if matches!(self.kind.work, Work::Try) { index as usize } else { 0 };
        self.bodies.get(index).map(|body| &body.graph)
    }
}

impl Graph {
    /// How many nodes it has, without those inside blocks.
    pub fn len(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }

    /// Whether it has none. Such a graph does not pass the check.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The nodes that a run of it starts with.
    pub fn root_ids(&self) -> Vec<String> {
        self.roots.iter().map(|root| self.nodes[*root as usize].id.clone()).collect()
    }

    /// The node of this id.
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.by_id.get(id).map(|index| &self.nodes[*index as usize])
    }

    /// The node an edge leads to.
    pub fn target(&self, edge: &Edge) -> &Node {
        &self.nodes[edge.target as usize]
    }

    /// Nodes from which an edge leads to `id`, each once.
    pub fn sources(&self, id: &str) -> impl Iterator<Item = &Node> {
        let target = self.by_id.get(id).copied();
        self.nodes.iter().filter(move |node| {
            target.is_some_and(|target| node.edges.iter().any(|edge| edge.target == target))
        })
    }

    /// All nodes, those inside blocks included.
    pub fn all_nodes(&self) -> Vec<&Node> {
        let mut found = Vec::new();
        for node in &self.nodes {
            found.push(node);
            found.extend(node.bodies.iter().flat_map(|body| body.graph.all_nodes()));
        }
        found
    }
}
