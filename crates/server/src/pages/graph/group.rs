//! Nodes that are drawn as one box.

use std::collections::{BTreeMap, BTreeSet};

use windlass_core::definition::Graph;

/// As many nodes with the same neighbours are worth a box of their own each.
const ALIKE_MAX: usize = 4;

/// One box: one node, or many that look alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// The nodes, as indices into the graph.
    pub(super) nodes: Vec<u32>,
}

/// What makes nodes look alike.
type Likeness<'a> = (&'a str, BTreeSet<u32>, Vec<(u32, &'static str)>);

/// The boxes of a graph, in the order of its nodes.
pub(super) fn groups(graph: &Graph) -> Vec<Group> {
    let mut sources: Vec<BTreeSet<u32>> = vec![BTreeSet::new(); graph.nodes.len()];
    for (index, node) in (0..).zip(&graph.nodes) {
        for edge in &node.edges {
            sources[edge.target as usize].insert(index);
        }
    }
    let mut alike: BTreeMap<Likeness<'_>, Vec<u32>> = BTreeMap::new();
    for (index, node) in (0_u32..).zip(&graph.nodes) {
        let targets = node.edges.iter().map(|edge| (edge.target, super::svg::edge_word(edge)));
        let likeness =
            (node.kind.name, sources[index as usize].clone(), targets.collect::<Vec<_>>());
        alike.entry(likeness).or_default().push(index);
    }
    let mut groups: Vec<Group> = Vec::new();
    for nodes in alike.into_values() {
        let is_block = !graph.nodes[nodes[0] as usize].bodies.is_empty();
        // Where each jumps back to would be lost.
        let jumps = nodes.iter().any(|node| !graph.nodes[*node as usize].jumps.is_empty());
        if nodes.len() > ALIKE_MAX && !is_block && !jumps {
            groups.push(Group { nodes });
        } else {
            groups.extend(nodes.into_iter().map(|node| Group { nodes: vec![node] }));
        }
    }
    groups.sort_by_key(|group| group.nodes[0]);
    groups
}
