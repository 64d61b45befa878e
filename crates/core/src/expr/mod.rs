//! The expression language: conditions, `when`, and the `{{ … }}` inside values.
//!
//! It is total and small on purpose. Nothing is coerced, so `"abc" > 10` is an error and not an
//! answer; nothing is pasted, so a value never becomes part of an expression; nothing has a side
//! effect, and fuel, depth and output are bounded. The reference is `docs/expressions.md`.
//!
//! ```text
//! text ── token ── parse ── Ast ── bind (names become roots) ── Expression
//!                                                   infer: types, before a run
//!                                                   eval:  a value, inside a run
//! ```
//!
//! Not here: which names exist (`definition::compile`), what they hold in a run (`run::names`).

mod ast;
mod bind;
mod eval;
mod functions;
mod guard;
mod infer;
mod numbers;
mod ops;
mod parse;
mod template;
#[cfg(test)]
mod tests;
mod token;
mod types;

pub use ast::{Expression, Root};
pub use bind::Bindings;
pub use eval::{Environment, Names, NodeView};
pub use guard::GUARD_FUNCTIONS;
pub use infer::{TypeEnv, infer};
pub(crate) use ops::{compare_numbers, equal};
pub use template::{Rendered, SecretPart, SecretSlot, Template};
pub use types::Type;

/// What is wrong with an expression, and where in its text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExprError {
    /// A stable word such as `syntax`, `unknown-name`, `type-mismatch` or `missing-field`.
    pub code: &'static str,
    /// One sentence, without the place.
    pub message: String,
    /// Where in the expression's text, in characters from 0.
    pub offset: usize,
    /// What was probably meant.
    pub hint: Option<String>,
}

impl ExprError {
    pub(crate) fn new(code: &'static str, offset: usize, message: impl Into<String>) -> ExprError {
        ExprError { code, message: message.into(), offset, hint: None }
    }

    pub(crate) fn hint(mut self, hint: Option<String>) -> ExprError {
        self.hint = hint;
        self
    }
}

/// Words with a meaning of their own. A node cannot have one of them as its id.
pub const RESERVED: &[&str] = &[
    "input", "item", "index", "vars", "run", "error", "secrets", "nodes", "true", "false", "null",
    "and", "or", "not", "in", "if", "else",
];
