//! The graph of a definition as inline SVG, with the states of a run if there is one.
//!
//! Nodes with the same kind and the same neighbours are drawn as one, so a fan of a thousand nodes
//! is one box that says so. A block is a box around the graph inside it.

mod group;
mod place;
mod svg;
pub mod template;

use std::collections::BTreeMap;

use windlass_core::definition::{Graph, Plan};
use windlass_core::run::Counts;
use windlass_store::RunRow;

/// How a run stands, for the colours of its graph.
#[derive(Clone, Copy)]
pub struct Standing<'a> {
    /// The run.
    pub row: &'a RunRow,
    /// How the steps of each node stand, by the node's address.
    pub nodes: &'a BTreeMap<String, Counts>,
    /// The address of a step of this path.
    pub link: &'a dyn Fn(&str) -> String,
}

/// Boxes past which a graph is told in words: nobody could read the picture.
const BOX_COUNT_MAX: usize = 250;

/// A definition as SVG; empty if that were too large, `None` if there is nothing to draw because nobody
/// has described the flow.
pub fn draw(plan: &Plan, standing: Option<&Standing<'_>>) -> Option<String> {
    if plan.flow.is_some() && plan.graph.is_empty() {
        return None;
    }
    if count(&plan.graph) > BOX_COUNT_MAX {
        return Some(String::new());
    }
    Some(svg::draw(plan, standing))
}

/// How many boxes a graph has, those inside blocks included.
fn count(graph: &Graph) -> usize {
    let groups = group::groups(graph);
    let inside = groups.iter().flat_map(|group| &graph.nodes[group.nodes[0] as usize].bodies);
    groups.len() + inside.map(|body| count(&body.graph)).sum::<usize>()
}
