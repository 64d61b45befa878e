//! Edges that jump back: where to, and what runs again because of them.

use std::collections::HashMap;

use super::compile::Compiler;
use super::doc::Join;
use super::links::Link;
use super::read::GraphDoc;
use super::upstream::Upstream;
use crate::finding::Finding;

impl Compiler<'_, '_> {
    /// For each link that jumps back, by its place, what runs again: the target and everything that
    /// follows it.
    ///
    /// All of that must lie on the way from the target to the source or behind the source. What ran
    /// beside it could be under way when the jump is taken, and nobody could say which visit it
    /// belongs to.
    pub(super) fn loops(
        &mut self,
        doc: &GraphDoc,
        links: &[Link],
        forward: &[(usize, usize)],
        mut upstream: Option<&mut Upstream>,
    ) -> HashMap<usize, Vec<u32>> {
        let mut loops = HashMap::new();
        if links.iter().all(|link| link.max_visits.is_none()) {
            return loops;
        }
        let count = doc.nodes.len();
        let (mut following, mut preceding) = (vec![Vec::new(); count], vec![Vec::new(); count]);
        for &(source, target) in forward {
            following[source].push(target);
            preceding[target].push(source);
        }
        for (place, link) in links.iter().enumerate().filter(|(_, link)| link.max_visits.is_some())
        {
            let again = reached(link.target, &following);
            let before = reached(link.source, &preceding);
            let behind = reached(link.source, &following);
            let id = |node: usize| doc.nodes[node].1.id.as_str();
            let complaint = if !again[link.source] {
                let (source, target) = (id(link.source), id(link.target));
                Some(format!("`{target}` does not come before `{source}`, so nothing jumps back"))
            } else if let Some(beside) =
                (0..count).find(|node| again[*node] && !before[*node] && !behind[*node])
            {
                Some(format!(
                    "`{}` runs beside `{}` and could be under way when it jumps back",
                    id(beside),
                    id(link.source)
                ))
            } else {
                let hasty = |join| matches!(join, Some(Join::Any | Join::Count(_)));
                let hasty = |node: &usize| hasty(doc.nodes[*node].1.join);
                let hasty = (0..count).find(|node| {
                    again[*node] && before[*node] && *node != link.target && hasty(node)
                });
                hasty.map(|node| {
                    format!("`{}` does not wait for all that runs again with it", id(node))
                })
            };
            if let Some(message) = complaint {
                self.findings.add(Finding::error("bad-jump", link.path.clone(), message));
                continue;
            }
            if let Some(upstream) = upstream.as_deref_mut() {
                for later in (0..count).filter(|node| again[*node]) {
                    for earlier in (0..count).filter(|node| again[*node] && before[*node]) {
                        upstream.add(earlier, later);
                    }
                }
            }
            let again = (0..count).filter(|node| again[*node]);
            let again = again.map(|node| u32::try_from(node).unwrap_or(u32::MAX));
            loops.insert(place, again.collect());
        }
        loops
    }
}

/// The nodes that edges lead to from `start`, itself included.
fn reached(start: usize, edges: &[Vec<usize>]) -> Vec<bool> {
    let mut reached = vec![false; edges.len()];
    reached[start] = true;
    let mut open = vec![start];
    while let Some(node) = open.pop() {
        for &next in &edges[node] {
            if !std::mem::replace(&mut reached[next], true) {
                open.push(next);
            }
        }
    }
    reached
}
