//! Flows that run elsewhere: what the catalogue knows of them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::doc::{Effect, On};
use super::findings::Findings;
use super::plan::{Edge, Graph, Node, Plan};
use crate::expr::Template;
use crate::finding::Finding;
use crate::kinds::{Described, Kind};
use crate::limits::{
    EDGE_COUNT_MAX, LABEL_BYTES_MAX, LABEL_COUNT_MAX, NAME_BYTES_MAX, NODE_COUNT_MAX,
};
use crate::run::observed::TASK;
use crate::schema::Schema;
use crate::source::Source;

/// A flow, as whoever runs it describes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowPlan {
    /// What tells it from all other flows, such as `shop.jobs:nightly`.
    #[serde(rename = "flow")]
    pub key: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who looks after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// Its tasks, as far as they are known before it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<FlowNode>,
    /// Tasks whose number is known only when it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dynamic_fanouts: Vec<FlowFanout>,
    /// More about it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// A task of a flow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowNode {
    /// What the flow's runs call it, such as `load:1`.
    pub id: String,
    /// The task's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub task: String,
    /// The nodes whose results it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstream: Vec<String>,
    /// What else is said of it.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

/// A task that is made once for each result of another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowFanout {
    /// What the flow calls it, such as `fanout:1`.
    pub id: String,
    /// The task's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub task: String,
    /// The node whose results it is made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The nodes that need its results.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumers: Vec<String>,
    /// What else is said of it.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

/// Whether a document describes a flow that runs elsewhere: it names it under `flow`.
pub fn is_flow(document: &Value) -> bool {
    document.get("flow").is_some_and(Value::is_string)
}

pub(super) fn compile(source: &Source) -> (Option<Plan>, Vec<Finding>) {
    let mut findings = Findings::new(source);
    let flow = match read(&source.value) {
        Ok(flow) => Some(flow),
        Err(message) => {
            findings.add(Finding::error("bad-flow", "", message));
            None
        }
    };
    if let Some(flow) = &flow {
        check(flow, &mut findings);
    }
    let plan = flow.filter(|_| !findings.has_errors()).map(plan);
    (plan, findings.into_sorted())
}

fn read(value: &Value) -> Result<FlowPlan, String> {
    serde_json::from_value(value.clone()).map_err(|error| error.to_string())
}

fn check(flow: &FlowPlan, findings: &mut Findings<'_>) {
    let mut wrong = |place: String, message: String| {
        findings.add(Finding::error("bad-value", place, message));
    };
    if flow.key.trim().is_empty()
        || flow.key.len() > NAME_BYTES_MAX
        || flow.key.contains(char::is_control)
    {
        let message =
            format!("a flow's key has 1 to {NAME_BYTES_MAX} bytes and no control characters");
        wrong("/flow".to_owned(), message);
    }
    if flow.tags.len() > LABEL_COUNT_MAX || flow.tags.iter().any(|it| it.len() > LABEL_BYTES_MAX) {
        let message = format!("at most {LABEL_COUNT_MAX} tags of at most {LABEL_BYTES_MAX} bytes");
        wrong("/tags".to_owned(), message);
    }
    let edges = flow.nodes.iter().map(|node| node.upstream.len()).sum::<usize>();
    if flow.nodes.len() + flow.dynamic_fanouts.len() > NODE_COUNT_MAX || edges > EDGE_COUNT_MAX {
        let message = format!("at most {NODE_COUNT_MAX} nodes and {EDGE_COUNT_MAX} edges");
        wrong("/nodes".to_owned(), message);
    }
    for (place, node) in flow.nodes.iter().enumerate() {
        if node.id.is_empty() || node.id.len() > LABEL_BYTES_MAX {
            let message = format!("a node's id has 1 to {LABEL_BYTES_MAX} bytes");
            wrong(format!("/nodes/{place}/id"), message);
        }
    }
}

fn plan(flow: FlowPlan) -> Plan {
    let bare = Plan::bare(flow.key.clone(), flow.description.clone());
    Plan { graph: graph(&flow), flow: Some(Arc::new(flow)), ..bare }
}

/// The graph, to be looked at. What a description has twice or in a circle is drawn once.
fn graph(flow: &FlowPlan) -> Graph {
    let fanouts = flow.dynamic_fanouts.iter();
    let mut needs: Vec<(&str, &str, Vec<&str>)> = flow
        .nodes
        .iter()
        .map(|node| (&*node.id, &*node.task, node.upstream.iter().map(|it| &**it).collect()))
        .collect();
    needs.extend(fanouts.clone().map(|fanout| {
        (&*fanout.id, &*fanout.task, fanout.source.iter().map(|it| &**it).collect())
    }));
    let mut consumed: HashMap<&str, Vec<&str>> = HashMap::new();
    for fanout in fanouts {
        for consumer in &fanout.consumers {
            consumed.entry(consumer).or_default().push(&fanout.id);
        }
    }
    for (id, _, upstream) in &mut needs {
        upstream.extend(consumed.get(id).into_iter().flatten());
    }
    let kind = Arc::new(task());
    let mut nodes = Vec::new();
    let mut by_id = HashMap::new();
    for (id, task, _) in &needs {
        if !by_id.contains_key(*id) {
            by_id.insert((*id).to_owned(), u32::try_from(nodes.len()).unwrap_or(u32::MAX));
            nodes.push(node(id, task, &kind));
        }
    }
    let mut wanted: Vec<Vec<u32>> = nodes.iter().map(|_| Vec::new()).collect();
    let mut known = HashSet::new();
    for (id, _, upstream) in &needs {
        let target = by_id[*id];
        for source in upstream.iter().filter_map(|source| by_id.get(*source).copied()) {
            if known.insert((source, target)) {
                wanted[source as usize].push(target);
            }
        }
    }
    for (source, target) in forward(&wanted) {
        let edge = Edge { target, on: On::Success, when: None, is_branch: false };
        nodes[source as usize].edges.push(edge);
        nodes[target as usize].incoming += 1;
    }
    let having = |is: fn(&Node) -> bool| {
        let places = nodes.iter().zip(0..).filter(|(node, _)| is(node));
        places.map(|(_, place)| place).collect()
    };
    let (roots, ends) = (having(|node| node.incoming == 0), having(|node| node.edges.is_empty()));
    Graph { nodes, roots, output: None, ends, by_id }
}

/// The edges without those that close a circle, found in one walk over all.
fn forward(wanted: &[Vec<u32>]) -> Vec<(u32, u32)> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        /// On the way from where the walk began.
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; wanted.len()];
    let mut kept = Vec::new();
    for begin in 0..wanted.len() {
        if marks[begin] != Mark::New {
            continue;
        }
        marks[begin] = Mark::Open;
        let mut way = vec![(begin, 0)];
        while let Some((place, next)) = way.last_mut() {
            let source = *place;
            let Some(target) = wanted[source].get(*next).copied() else {
                marks[source] = Mark::Done;
                way.pop();
                continue;
            };
            *next += 1;
            let aim = target as usize;
            if marks[aim] == Mark::Open {
                continue;
            }
            kept.push((u32::try_from(source).unwrap_or(u32::MAX), target));
            if marks[aim] == Mark::New {
                marks[aim] = Mark::Open;
                way.push((aim, 0));
            }
        }
    }
    kept
}

/// What another program does is no kind that a definition can name.
fn task() -> Kind {
    let any = Schema::compile(&Value::Bool(true)).expect("it says nothing");
    Kind::described(Described {
        name: TASK.to_owned(),
        summary: "Something that another program does".to_owned(),
        config: any,
        output: None,
        example: String::new(),
    })
}

fn node(id: &str, task: &str, kind: &Arc<Kind>) -> Node {
    Node {
        id: id.to_owned(),
        title: Some(task.to_owned()).filter(|task| !task.is_empty() && !id.starts_with(task)),
        description: None,
        kind: kind.clone(),
        config: Template::Literal(Value::Null),
        edges: Vec::new(),
        jumps: Vec::new(),
        incoming: 0,
        join: None,
        when: None,
        retry: None,
        timeout: None,
        effect: Effect::default(),
        cache: None,
        budgets: Vec::new(),
        on_failure: None,
        bodies: Vec::new(),
        repeat: None,
        key: None,
        branches: Vec::new(),
        compensate: None,
    }
}
