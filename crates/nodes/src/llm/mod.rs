//! One exchange with a language model, whoever provides it.
//!
//! [`LlmSettings`] knows the providers and what their models cost, and finds the [`Target`] that a
//! model's name stands for. [`ask`] sends a [`Chat`] there, hands on every piece of text as it
//! comes, and accounts for every exchange, also for one that failed.
//!
//! The wire formats are those of the crate `genai` (`docs/decisions/0017-llm-client.md`). None of
//! its types leaves this module, except as the opaque `continuation` of a [`Message`].
//!
//! Not here: what is asked and what becomes of the answer (`kinds::llm`), prompt files (`prompt`).

mod chat;
mod convert;
mod error;
mod exchange;
mod frames;
mod meter;
mod settings;
#[cfg(test)]
mod tests;
mod usage;

pub use chat::{Chat, Finish, Message, Reply, Role, Tool, ToolCall};
pub use error::LlmError;
pub use exchange::{Call, ask};
pub use meter::{Accountant, Bound, Meter, OverBudget, Refusal, Tally, Then};
pub use settings::{Api, At, LlmSettings, Provider, Target};
pub use usage::{Price, Usage};
