//! What is wrong with a graph as a graph: ids, edges to nowhere, cycles, nodes nothing leads to.

use std::collections::{HashMap, HashSet};

use super::findings::Findings;
use super::read::GraphDoc;
use crate::expr::RESERVED;
use crate::finding::{Finding, nearest};
use crate::json;
use crate::limits::NODE_ID_BYTES_MAX;

/// Reports ids that cannot be used, and returns the others with the place of their first node.
pub(super) fn ids(doc: &GraphDoc, findings: &mut Findings<'_>) -> HashMap<String, usize> {
    let mut ids: HashMap<String, usize> = HashMap::new();
    for (index, (path, node)) in doc.nodes.iter().enumerate() {
        let place = json::pointer(path, "id");
        let id = node.id.as_str();
        if let Some(message) = refused_id(id) {
            findings.add(Finding::error("bad-id", place, message));
        } else if let Some(first) = ids.get(id) {
            let message = format!("two nodes are called `{id}`");
            let hint = format!("the other one is at {}", doc.nodes[*first].0);
            findings.add(Finding::error("duplicate-id", place, message).hint(hint));
            continue;
        }
        ids.insert(id.to_owned(), index);
    }
    ids
}

fn refused_id(id: &str) -> Option<String> {
    let mut chars = id.chars();
    let starts = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !starts || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        return Some(format!(
            "`{id}` cannot be an id: a letter or `_` comes first, then letters, digits, `_` and `-`"
        ));
    }
    if RESERVED.contains(&id) {
        return Some(format!("`{id}` cannot be an id: it has a meaning in expressions"));
    }
    (id.len() > NODE_ID_BYTES_MAX)
        .then(|| format!("an id may have at most {NODE_ID_BYTES_MAX} bytes"))
}

/// Looks up a node that `path` names, and reports it if there is none.
pub(super) fn target(
    id: &str,
    path: &str,
    ids: &HashMap<String, usize>,
    findings: &mut Findings<'_>,
) -> Option<usize> {
    let found = ids.get(id).copied();
    if found.is_none() {
        let hint = nearest(id, ids.keys().map(String::as_str));
        let finding = Finding::error("unknown-node", path, format!("there is no node `{id}`"));
        findings.add(finding.hint_if(hint));
    }
    found
}

/// Reports cycles, one finding for each knot, and returns the nodes in an order in which every edge
/// leads forward. With a cycle the order lacks its nodes.
pub(super) fn order(
    doc: &GraphDoc,
    edges: &[(usize, usize)],
    findings: &mut Findings<'_>,
) -> Vec<usize> {
    let count = doc.nodes.len();
    let mut incoming = vec![0_usize; count];
    let mut following: Vec<Vec<usize>> = vec![Vec::new(); count];
    for &(source, target) in edges {
        incoming[target] += 1;
        following[source].push(target);
    }
    let mut order: Vec<usize> = (0..count).filter(|node| incoming[*node] == 0).collect();
    let mut at = 0;
    while at < order.len() {
        for &target in &following[order[at]] {
            incoming[target] -= 1;
            if incoming[target] == 0 {
                order.push(target);
            }
        }
        at += 1;
    }
    let knotted: Vec<usize> = (0..count).filter(|node| incoming[*node] > 0).collect();
    for cycle in cycles(knotted, &following) {
        let ids: Vec<&str> =
            cycle.iter().chain(cycle.first()).map(|node| doc.nodes[*node].1.id.as_str()).collect();
        let path = doc.nodes[cycle[0]].0.clone();
        let message = format!("these nodes wait for each other: {}", ids.join(" → "));
        findings.add(Finding::error("cycle", path, message));
    }
    order
}

/// Some cycle of each knot, at most twenty.
fn cycles(mut knotted: Vec<usize>, following: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut found = Vec::new();
    while found.len() < 20 {
        let preceding = trim(&mut knotted, following);
        let Some(&start) = knotted.first() else { break };
        let mut seen = vec![start];
        let mut node = start;
        let cycle = loop {
            node = preceding[&node];
            if let Some(first) = seen.iter().position(|seen| *seen == node) {
                break seen.split_off(first);
            }
            seen.push(node);
        };
        knotted.retain(|node| !cycle.contains(node));
        found.push(cycle.into_iter().rev().collect());
    }
    found
}

/// Drops what has no predecessor or no successor among the others, until all have both. Returns a
/// predecessor of each.
fn trim(knotted: &mut Vec<usize>, following: &[Vec<usize>]) -> HashMap<usize, usize> {
    loop {
        let among: HashSet<usize> = knotted.iter().copied().collect();
        let mut preceding = HashMap::new();
        let mut has_successor = HashSet::new();
        for &source in knotted.iter() {
            for &target in following[source].iter().filter(|target| among.contains(target)) {
                preceding.entry(target).or_insert(source);
                has_successor.insert(source);
            }
        }
        let before = knotted.len();
        knotted.retain(|node| preceding.contains_key(node) && has_successor.contains(node));
        if knotted.len() == before {
            return preceding;
        }
    }
}

/// Reports nodes that `start` does not lead to, in a graph that has a `start`.
pub(super) fn unreachable(
    doc: &GraphDoc,
    edges: &[(usize, usize)],
    starts: &[usize],
    findings: &mut Findings<'_>,
) {
    if starts.is_empty() {
        return;
    }
    let mut following: Vec<Vec<usize>> = vec![Vec::new(); doc.nodes.len()];
    for &(source, target) in edges {
        following[source].push(target);
    }
    let mut reached: HashSet<usize> = starts.iter().copied().collect();
    let mut open = starts.to_vec();
    while let Some(node) = open.pop() {
        for &target in &following[node] {
            if reached.insert(target) {
                open.push(target);
            }
        }
    }
    for (index, (path, node)) in doc.nodes.iter().enumerate() {
        if !reached.contains(&index) {
            let message = format!("nothing leads from the start to `{}`", node.id);
            let finding = Finding::error("unreachable", path.clone(), message);
            findings.add(finding.hint("add an edge to it, or `needs`"));
        }
    }
}
