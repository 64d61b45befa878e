//! Whether what an expression reads has run by then.

use super::findings::Findings;
use crate::finding::Finding;

/// Graphs with more nodes are not looked at: the table below would take too much memory.
const NODE_COUNT_MAX: usize = 4_096;

/// For every node, the nodes that come before it on some way.
pub(super) struct Upstream {
    words: usize,
    bits: Vec<u64>,
}

impl Upstream {
    /// `order` has every node behind its predecessors; `None` if the graph is too large or a cycle
    /// left nodes out.
    pub(super) fn new(count: usize, order: &[usize], edges: &[(usize, usize)]) -> Option<Upstream> {
        if count > NODE_COUNT_MAX || order.len() < count {
            return None;
        }
        let words = count.div_ceil(64);
        let mut bits = vec![0_u64; words * count];
        let mut following: Vec<Vec<usize>> = vec![Vec::new(); count];
        for &(source, target) in edges {
            following[source].push(target);
        }
        for &source in order {
            for &target in &following[source] {
                for word in 0..words {
                    bits[target * words + word] |= bits[source * words + word];
                }
                bits[target * words + source / 64] |= 1 << (source % 64);
            }
        }
        Some(Upstream { words, bits })
    }

    /// Notes that a node has run by the time of another, on a way that jumps back.
    pub(super) fn add(&mut self, earlier: usize, later: usize) {
        self.bits[later * self.words + earlier / 64] |= 1 << (earlier % 64);
    }

    fn is_before(&self, earlier: usize, later: usize) -> bool {
        self.bits[later * self.words + earlier / 64] & (1 << (earlier % 64)) != 0
    }

    /// Warns about an expression of `reader` that reads `read`, which may not have run by then.
    pub(super) fn warn(
        &self,
        reader: (usize, &str),
        read: (usize, &str),
        path: &str,
        findings: &mut Findings<'_>,
    ) {
        if self.is_before(read.0, reader.0) {
            return;
        }
        let (reader, read) = (reader.1, read.1);
        let message = if reader == read {
            format!("`{reader}` reads its own output, which is null while it runs")
        } else {
            format!("`{read}` may not have run when `{reader}` reads it; its output is then null")
        };
        let hint = format!("add an edge, or `needs: [{read}]` on `{reader}`");
        findings.add(Finding::error("not-upstream", path, message).as_warning().hint(hint));
    }
}
