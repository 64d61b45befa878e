//! Templates: roles that pull units of work from interactions and push them on, past guardians.
//!
//! ```text
//! text ── source::read ── Value ── read ── Draft ── rules, topology, branches ── Template
//!                                    └───────── findings ─────────┘
//! ```
//!
//! The reference is `docs/templates.md`. Not here: what happens to a unit of work in a run
//! (`run::token`), how templates are kept (`windlass-store`).

mod branches;
mod conditions;
mod dot;
mod draft;
pub mod examples;
mod export;
mod guardian;
pub mod guardians;
mod model;
mod policy;
mod read;
mod reader;
mod routing;
mod rules;
mod subject;
#[cfg(test)]
mod tests;
mod topology;

use serde_json::Value;

pub use dot::dot;
pub use guardians::{Gate, Verdict};
pub use model::{
    BetaWord, Component, Direction, Guardian, GuardianKind, Interaction, Role, RoleKind, Strategy,
    Template,
};
pub use policy::{Branch, Policy, Route, Taken, When};
pub use routing::{Closed, Routing, route};
pub use subject::{BranchError, Condition, RESERVED_NAMES, Subject};

use crate::definition::findings::Findings;
use crate::finding::{Finding, Severity};
use crate::source::{self, Format, Positions, Source};

/// What reading a template gave.
#[derive(Debug)]
pub struct Checked {
    /// The template, if no finding is an error.
    pub template: Option<Template>,
    /// Everything that was found, in the order of the document.
    pub findings: Vec<Finding>,
    /// The document as a value, if it could be read.
    pub document: Option<Value>,
    /// What it is written in, if it could be read.
    pub format: Option<Format>,
}

impl Checked {
    /// Whether the template can be imported.
    pub fn is_ok(&self) -> bool {
        self.template.is_some()
    }

    /// How many findings are errors.
    pub fn error_count(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error).count()
    }
}

/// Reads and checks a template, in YAML or JSON.
pub fn read(text: &str) -> Checked {
    match source::read(text) {
        Ok(source) => check(source),
        Err(finding) => {
            Checked { template: None, findings: vec![finding], document: None, format: None }
        }
    }
}

/// Reads and checks a template that is a value already. Its findings have no line and column.
pub fn read_document(document: Value) -> Checked {
    check(Source { value: document, positions: Positions::default(), format: Format::Json })
}

/// Whether a document is a template and not a graph: it has `roles` and `interactions`, at the top
/// or under `workflow`.
pub fn is_template(document: &Value) -> bool {
    let workflow = document.get("workflow");
    let has = |name: &str| {
        document.get(name).is_some() || workflow.is_some_and(|inner| inner.get(name).is_some())
    };
    has("roles") && has("interactions")
}

fn check(source: Source) -> Checked {
    let mut findings = Findings::new(&source);
    let draft = read::draft(&source.value, &mut findings);
    if source.value.is_object() {
        rules::check(&draft, &mut findings);
        topology::check(&draft, &mut findings);
        branches::check(&draft, &mut findings);
    }
    let template = if findings.has_errors() { None } else { draft.into_template() };
    let findings = findings.into_sorted();
    Checked { template, findings, document: Some(source.value), format: Some(source.format) }
}
