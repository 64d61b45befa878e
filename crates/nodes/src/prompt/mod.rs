//! Prompt files: Markdown with a typed head, `*.prompt.md`.
//!
//! [`parse`] reads the text of one and touches nothing. [`PromptSettings`] is the directory they
//! live in: it lists them, finds the ones they extend, and renders them. What a file says about
//! its inputs and its output becomes JSON Schema, by a small language of types ([`types`]).
//!
//! Not here: who is asked (`llm`), what becomes of the answer (`kinds::llm`).

mod directory;
mod head;
mod render;
#[cfg(test)]
mod tests;
mod types;

pub use directory::{Listed, PromptSettings};
pub use head::{Prompt, PromptType, parse};
pub use render::Rendered;

use windlass_core::Finding;
use windlass_core::schema::Violation;

/// A prompt file, in bytes.
pub const PROMPT_BYTES_MAX: usize = 256 * 1024;
/// How long a rendered prompt may be, in bytes.
pub const RENDERED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Steps of work that one rendering may take.
const FUEL: u64 = 1_000_000;
/// How many files may extend one another.
const EXTENDS_MAX: usize = 8;
/// How many files are listed.
const LISTED_MAX: usize = 10_000;

/// Why there is no prompt.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PromptError {
    /// There is no directory of prompts.
    #[error("this server has no directory of prompts; `llm.prompts` names one")]
    NoDirectory,
    /// The path does not lead to a file of the directory.
    #[error("`{path}` is no prompt file of the directory: {reason}")]
    NotFound {
        /// As it was given.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is none.
    #[error("`{path}`: {}", finding.message)]
    Bad {
        /// Which file.
        path: String,
        /// What is wrong with it, and where.
        finding: Box<Finding>,
    },
    /// The inputs do not fit.
    #[error("the inputs do not fit: {}", listed(.0))]
    Inputs(Vec<Violation>),
    /// The body cannot be rendered.
    #[error("the prompt cannot be rendered: {0}")]
    Render(String),
}

impl PromptError {
    /// The stable word for it.
    pub fn code(&self) -> &'static str {
        match self {
            PromptError::NoDirectory | PromptError::NotFound { .. } => "prompt_not_found",
            PromptError::Bad { .. } => "bad_prompt",
            PromptError::Inputs(_) => "bad_inputs",
            PromptError::Render(_) => "prompt_render",
        }
    }
}

/// Violations as one sentence.
pub(crate) fn listed(violations: &[Violation]) -> String {
    let one = |violation: &Violation| match violation.path.as_str() {
        "" => violation.message.clone(),
        path => format!("{path}: {}", violation.message),
    };
    violations.iter().take(20).map(one).collect::<Vec<_>>().join("; ")
}
