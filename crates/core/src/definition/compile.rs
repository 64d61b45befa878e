//! From documents to a [`Plan`], with everything found on the way.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::doc::{DefaultsDoc, DefinitionDoc, NodeDoc};
use super::findings::Findings;
use super::graph;
use super::names::{Level, Surroundings};
use super::plan::{Graph, Jump, Node, Plan};
use super::read::{self, GraphDoc};
use super::trigger;
use super::upstream::Upstream;
use crate::expr::Type;
use crate::finding::{Finding, nearest};
use crate::kinds::{Kind, Kinds};
use crate::limits::{
    BLOCK_DEPTH_MAX, EDGE_COUNT_MAX, LABEL_BYTES_MAX, LABEL_COUNT_MAX, NAME_BYTES_MAX,
    NODE_COUNT_MAX, PRIORITY_MAX,
};
use crate::schema::Schema;
use crate::source::Source;

pub(super) fn compile(source: &Source, kinds: &Kinds) -> (Option<Plan>, Vec<Finding>) {
    let mut findings = Findings::new(source);
    let plan = read::definition(&source.value, &mut findings).and_then(|(doc, graph)| {
        check_top(&doc, &mut findings);
        let input = input_schema(&doc, &mut findings);
        let input_type = doc.input.as_ref().map_or(Type::Any, Type::of_schema);
        let vars = Value::Object(doc.vars);
        let triggers = trigger::compile(&doc.name, &doc.triggers, &vars, &mut findings);
        let mut compiler = Compiler {
            kinds,
            names: Surroundings::new(input_type, &vars),
            findings: &mut findings,
            defaults: doc.defaults.clone(),
            node_count: 0,
            edge_count: 0,
        };
        compiler.check_retry("/defaults", doc.defaults.retry.as_ref());
        let budgets = compiler.budgets("", doc.budget.as_ref());
        let concurrency = compiler.concurrency(doc.concurrency.as_ref());
        let graph = compiler.graph(&graph, Inside::default())?;
        Some(Plan {
            name: doc.name,
            description: doc.description,
            input,
            vars,
            labels: doc.labels,
            on_failure: doc.on_failure,
            deadline: doc.deadline,
            concurrency,
            priority: doc.priority,
            budgets,
            triggers,
            graph,
            tokens: None,
            flow: None,
        })
    });
    let plan = plan.filter(|_| !findings.has_errors());
    (plan, findings.into_sorted())
}

fn check_top(doc: &DefinitionDoc, findings: &mut Findings<'_>) {
    if doc.name.trim().is_empty() || doc.name.len() > NAME_BYTES_MAX {
        let message = format!("a name has 1 to {NAME_BYTES_MAX} bytes");
        findings.add(Finding::error("bad-value", "/name", message));
    }
    if doc.name.contains(char::is_control) {
        findings.add(Finding::error("bad-value", "/name", "a name has no control characters"));
    }
    if !(-PRIORITY_MAX..=PRIORITY_MAX).contains(&doc.priority) {
        let message = format!("a priority is -{PRIORITY_MAX} to {PRIORITY_MAX}");
        findings.add(Finding::error("bad-value", "/priority", message));
    }
    let long = |text: &String| text.len() > LABEL_BYTES_MAX;
    if doc.labels.len() > LABEL_COUNT_MAX || doc.labels.iter().any(|(k, v)| long(k) || long(v)) {
        let message =
            format!("at most {LABEL_COUNT_MAX} labels of at most {LABEL_BYTES_MAX} bytes");
        findings.add(Finding::error("bad-value", "/labels", message));
    }
}

fn input_schema(doc: &DefinitionDoc, findings: &mut Findings<'_>) -> Option<Schema> {
    let source = doc.input.as_ref()?;
    Schema::compile(source)
        .map_err(|message| {
            let message = format!("this is not a JSON Schema: {message}");
            findings.add(Finding::error("bad-schema", "/input", message));
        })
        .ok()
}

pub(super) struct Compiler<'f, 's> {
    pub(super) kinds: &'f Kinds,
    pub(super) names: Surroundings,
    pub(super) findings: &'f mut Findings<'s>,
    pub(super) defaults: DefaultsDoc,
    node_count: usize,
    edge_count: usize,
}

impl Compiler<'_, '_> {
    /// Compiles one graph.
    pub(super) fn graph(&mut self, doc: &GraphDoc, inside: Inside) -> Option<Graph> {
        let ids = graph::ids(doc, self.findings);
        let node_kinds: Vec<Option<Arc<Kind>>> =
            doc.nodes.iter().map(|(path, node)| self.kind(path, node)).collect();
        let links = self.links(doc, &ids, &node_kinds);
        let forward = links.iter().filter(|link| link.max_visits.is_none());
        let pairs: Vec<(usize, usize)> = forward.map(|link| (link.source, link.target)).collect();
        if !self.within_limits(doc, links.len()) {
            return None;
        }
        let order = graph::order(doc, &pairs, self.findings);
        let of_kind =
            |index: &usize, name| node_kinds[*index].as_ref().is_some_and(|kind| kind.name == name);
        let all = 0..doc.nodes.len();
        let starts: Vec<usize> = all.clone().filter(|index| of_kind(index, "start")).collect();
        graph::unreachable(doc, &pairs, &starts, self.findings);
        let mut upstream = Upstream::new(doc.nodes.len(), &order, &pairs);
        let loops = self.loops(doc, &links, &pairs, upstream.as_mut());

        let outputs = doc.nodes.iter().zip(&node_kinds).map(|((_, node), kind)| {
            let config = config_of(node);
            (node.id.clone(), kind.as_ref().map_or(Type::Any, |kind| kind.output_type(&config)))
        });
        let Inside { item, has_error } = inside;
        self.names.enter(Level { outputs: outputs.collect(), item, has_error });
        let scope = Scope { doc, ids: &ids, upstream: upstream.as_ref() };
        let nodes: Vec<Option<Node>> =
            all.clone().map(|index| self.node(&scope, index, node_kinds[index].as_ref())).collect();
        let mut edges = Vec::with_capacity(links.len());
        for (place, link) in links.into_iter().enumerate() {
            let max_visits = link.max_visits;
            let (source, edge) = self.edge(&scope, link);
            edges.push((source, edge, max_visits.zip(loops.get(&place).cloned())));
        }
        let output = doc
            .output
            .as_ref()
            .and_then(|output| self.template(output, &format!("{}/output", doc.path), false, None));
        self.names.leave();

        let mut nodes: Vec<Node> = nodes.into_iter().collect::<Option<_>>()?;
        let mut incoming = vec![0_u32; nodes.len()];
        for (source, edge, jump) in edges {
            if let Some((max_visits, again)) = jump {
                nodes[source].jumps.push(Jump { edge, max_visits, again });
            } else {
                incoming[edge.target as usize] += 1;
                nodes[source].edges.push(edge);
            }
        }
        for (node, incoming) in nodes.iter_mut().zip(&incoming) {
            node.incoming = *incoming;
        }
        let to_index = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        let roots = all.clone().filter(|index| incoming[*index] == 0).map(to_index).collect();
        let mut ends: Vec<usize> = all.clone().filter(|index| of_kind(index, "end")).collect();
        if ends.is_empty() {
            ends = all.filter(|index| nodes[*index].edges.is_empty()).collect();
        }
        let by_id = nodes.iter().enumerate().map(|(at, node)| (node.id.clone(), to_index(at)));
        Some(Graph {
            by_id: by_id.collect(),
            roots,
            ends: ends.into_iter().map(to_index).collect(),
            output,
            nodes,
        })
    }

    fn within_limits(&mut self, doc: &GraphDoc, edge_count: usize) -> bool {
        self.node_count += doc.nodes.len();
        self.edge_count += edge_count;
        let message = if doc.nodes.is_empty() {
            "there are no nodes".to_owned()
        } else if self.node_count > NODE_COUNT_MAX {
            format!("there are more than {NODE_COUNT_MAX} nodes")
        } else if self.edge_count > EDGE_COUNT_MAX {
            format!("there are more than {EDGE_COUNT_MAX} edges")
        } else if self.names.depth() > BLOCK_DEPTH_MAX {
            format!("blocks nest deeper than {BLOCK_DEPTH_MAX}")
        } else {
            return true;
        };
        self.findings.add(Finding::error("bad-value", format!("{}/nodes", doc.path), message));
        false
    }

    pub(super) fn kind(&mut self, path: &str, node: &NodeDoc) -> Option<Arc<Kind>> {
        let (field, name) = match (&node.type_, &node.kind) {
            (Some(_), Some(_)) => {
                let message = "`type` and `kind` mean the same: one is enough";
                self.findings.add(Finding::error("bad-value", format!("{path}/kind"), message));
                return None;
            }
            (Some(name), None) => ("type", name),
            (None, Some(name)) => ("kind", name),
            (None, None) => {
                let hint = format!("known: {}", self.kinds.names().collect::<Vec<_>>().join(", "));
                let finding = Finding::error("bad-value", path, "the field `type` is missing");
                self.findings.add(finding.hint(hint));
                return None;
            }
        };
        let kind = self.kinds.get(name).cloned();
        if kind.is_none() {
            let hint = nearest(name, self.kinds.names()).unwrap_or_else(|| {
                format!("known: {}", self.kinds.names().collect::<Vec<_>>().join(", "))
            });
            let message = format!("there is no kind of node called `{name}`");
            let finding = Finding::error("unknown-kind", format!("{path}/{field}"), message);
            self.findings.add(finding.hint(hint));
        }
        kind
    }
}

/// What is known in a graph because of where it stands.
#[derive(Default)]
pub(super) struct Inside {
    /// The type of the items, if it runs for items.
    pub(super) item: Option<Type>,
    /// Whether it is where a `try` catches or cleans up.
    pub(super) has_error: bool,
}

/// The graph around a node while it is compiled.
pub(super) struct Scope<'a> {
    pub(super) doc: &'a GraphDoc,
    pub(super) ids: &'a HashMap<String, usize>,
    pub(super) upstream: Option<&'a Upstream>,
}

pub(super) fn config_of(node: &NodeDoc) -> Value {
    node.config.clone().map_or_else(crate::kinds::empty_config, Value::Object)
}
