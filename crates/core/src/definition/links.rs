//! The edges of a graph: written ones, `needs`, and those that a branch implies.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::compile::{Compiler, Scope, config_of};
use super::doc::On;
use super::graph;
use super::plan::Edge;
use super::read::GraphDoc;
use crate::finding::Finding;
use crate::kinds::Kind;
use crate::limits::VISIT_COUNT_MAX;

/// An edge under way, by the places of its nodes.
pub(super) struct Link {
    pub(super) source: usize,
    pub(super) target: usize,
    on: On,
    when: Option<(String, Value)>,
    is_branch: bool,
    /// How often the target may run, if the edge jumps back.
    pub(super) max_visits: Option<u32>,
    /// Where it stands in the document.
    pub(super) path: String,
}

impl Compiler<'_, '_> {
    /// All edges: written ones, `needs`, and those that a branch implies.
    pub(super) fn links(
        &mut self,
        doc: &GraphDoc,
        ids: &HashMap<String, usize>,
        node_kinds: &[Option<Arc<Kind>>],
    ) -> Vec<Link> {
        let mut links: Vec<Link> = Vec::new();
        for (path, edge) in &doc.edges {
            let source = graph::target(&edge.source, &format!("{path}/source"), ids, self.findings);
            let target = graph::target(&edge.target, &format!("{path}/target"), ids, self.findings);
            let (Some(source), Some(target)) = (source, target) else { continue };
            let same =
                |link: &&Link| (link.source, link.target, link.on) == (source, target, edge.on);
            if links.iter().rev().take(64).find(same).is_some_and(|_| edge.when.is_none()) {
                let message = format!("a second edge from `{}` to `{}`", edge.source, edge.target);
                self.findings
                    .add(Finding::error("duplicate-edge", path.clone(), message).as_warning());
                continue;
            }
            let when = edge.when.clone().map(|when| (format!("{path}/when"), when));
            let max_visits = edge.max_visits;
            if max_visits.is_some_and(|most| !(2..=VISIT_COUNT_MAX).contains(&most)) {
                let message = format!("a node may run 2 to {VISIT_COUNT_MAX} times");
                let place = format!("{path}/max_visits");
                self.findings.add(Finding::error("bad-value", place, message));
            }
            let (on, path) = (edge.on, path.clone());
            links.push(Link { source, target, on, when, is_branch: false, max_visits, path });
        }
        let written: HashSet<(usize, usize)> =
            links.iter().map(|link| (link.source, link.target)).collect();
        for (target, (path, node)) in doc.nodes.iter().enumerate() {
            for (index, id) in node.needs.ids().iter().enumerate() {
                let place = format!("{path}/needs/{index}");
                let Some(source) = graph::target(id, &place, ids, self.findings) else { continue };
                if !written.contains(&(source, target)) {
                    let on = On::Success;
                    links.push(Link {
                        source,
                        target,
                        on,
                        when: None,
                        is_branch: false,
                        max_visits: None,
                        path: place,
                    });
                }
            }
        }
        for (source, (path, node)) in doc.nodes.iter().enumerate() {
            let Some(kind) = &node_kinds[source] else { continue };
            for branch in kind.branches(&config_of(node)) {
                let place = format!("{path}/config{}", branch.path);
                let Some(target) = graph::target(&branch.target, &place, ids, self.findings) else {
                    continue;
                };
                let mut explicit = false;
                for link in &mut links {
                    if (link.source, link.target) == (source, target) {
                        link.is_branch = true;
                        explicit = true;
                    }
                }
                if !explicit {
                    let on = On::Success;
                    links.push(Link {
                        source,
                        target,
                        on,
                        when: None,
                        is_branch: true,
                        max_visits: None,
                        path: place,
                    });
                }
            }
        }
        links
    }

    pub(super) fn edge(&mut self, scope: &Scope<'_>, link: Link) -> (usize, Edge) {
        let when = link
            .when
            .and_then(|(path, when)| self.condition(&when, &path, Some((scope, link.source))));
        let target = u32::try_from(link.target).unwrap_or(u32::MAX);
        (link.source, Edge { target, on: link.on, when, is_branch: link.is_branch })
    }
}
