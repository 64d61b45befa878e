//! Definitions: reading what users write, finding everything that is wrong with it at once, and
//! compiling it into a [`Plan`] that runs are decided by.
//!
//! ```text
//! text ── source::read ── Value ── read (shape) ── docs ── compile ── Plan
//!                                    └──────── findings ────┘
//! ```
//!
//! Not here: what a node's kind does (`kinds`), the language of conditions (`expr`), what happens
//! in a run (`run`).

mod blocks;
mod compile;
mod doc;
mod expressions;
pub(crate) mod findings;
mod flow;
mod graph;
mod jumps;
mod links;
mod names;
mod node;
mod plan;
mod read;
#[cfg(test)]
mod tests;
mod tokens;
mod trigger;
mod upstream;

use serde_json::Value;

pub use doc::{Effect, Join, On, OnFailure, OnLimit, Policy, Retry};
pub use flow::{FlowFanout, FlowNode, FlowPlan, is_flow};
pub use plan::{Body, Cache, Edge, Graph, Jump, Node, Plan, Repeat, Role, SharedRuns};
pub use read::schema;
pub use trigger::Trigger;

use crate::finding::{Finding, Severity};
use crate::kinds::Kinds;
use crate::source::{self, Format};
use crate::template;

/// What `check` has to say about a document.
#[derive(Debug)]
pub struct Checked {
    /// The plan, if no finding is an error.
    pub plan: Option<Plan>,
    /// Everything that was found, in the order of the document.
    pub findings: Vec<Finding>,
    /// The document as a value, if it could be read.
    pub document: Option<Value>,
    /// What it is written in, if it could be read.
    pub format: Option<Format>,
}

impl Checked {
    /// Whether the definition can be deployed.
    pub fn is_ok(&self) -> bool {
        self.plan.is_some()
    }

    /// How many findings are errors.
    pub fn error_count(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error).count()
    }
}

/// Reads, checks and compiles a definition, in YAML or JSON.
pub fn check(text: &str, kinds: &Kinds) -> Checked {
    let source = match source::read(text) {
        Ok(source) => source,
        Err(finding) => {
            return Checked { plan: None, findings: vec![finding], document: None, format: None };
        }
    };
    if template::is_template(&source.value) {
        let checked = template::read(text);
        let plan = checked.template.map(tokens::of_template);
        let (document, format) = (Some(source.value), Some(source.format));
        return Checked { plan, findings: checked.findings, document, format };
    }
    if tokens::is_instance(&source.value) {
        let (plan, findings) = match tokens::of_instance(&source.value) {
            Ok(plan) => (Some(plan), Vec::new()),
            Err(findings) => (None, findings),
        };
        return Checked {
            plan,
            findings,
            document: Some(source.value),
            format: Some(source.format),
        };
    }
    let (plan, findings) = match is_flow(&source.value) {
        true => flow::compile(&source),
        false => compile::compile(&source, kinds),
    };
    Checked { plan, findings, document: Some(source.value), format: Some(source.format) }
}
