//! What calls to models may take, and what they took.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::Value;
use windlass_core::run::AttemptError;

use super::chat::Chat;
use super::exchange::short;
use super::settings::Target;
use super::usage::Usage;

/// How many tokens an answer may have within a budget, if neither the node nor the settings say so.
const OUTPUT_TOKENS: u32 = 16_384;
/// What a provider puts before a conversation with tools, in tokens.
const TOOLS_TOKENS: u64 = 1_024;
/// What a provider puts around a message, in tokens.
const MESSAGE_TOKENS: u64 = 16;

/// The most that a call can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Who provides the model.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Tokens, sent and answered.
    pub tokens: u64,
    /// Millionths of a US dollar. `None` if the settings have no price for the model.
    pub cost_micros: Option<u64>,
}

impl Bound {
    /// The most that a call can take whose answer has at most so many tokens. No token is shorter
    /// than a byte.
    fn of(target: &Target, chat: &Chat, output: u32) -> Bound {
        let bytes = |value: serde_json::Result<String>| value.map_or(0, |text| text.len() as u64);
        let sent = bytes(serde_json::to_string(&chat.messages))
            + bytes(serde_json::to_string(&chat.tools))
            + bytes(serde_json::to_string(&chat.system))
            + bytes(serde_json::to_string(&chat.schema));
        let around = MESSAGE_TOKENS * (chat.messages.len() as u64 + 2)
            + if chat.tools.is_empty() { 0 } else { TOOLS_TOKENS };
        let input = sent + around;
        Bound {
            provider: target.provider.clone(),
            model: short(target.model.clone()),
            tokens: input.saturating_add(u64::from(output)),
            cost_micros: target.price.map(|price| price.micros(input, 0, u64::from(output))),
        }
    }
}

/// How many tokens the answer of a call within a budget may have.
fn output_tokens(target: &Target, chat: &Chat) -> u32 {
    chat.max_tokens.or(target.max_output_tokens).unwrap_or(OUTPUT_TOKENS)
}

/// Why a call may not be made.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// It would take more than a budget has left.
    OverBudget(OverBudget),
    /// Nobody can know now.
    Failed(AttemptError),
}

/// A budget that a call does not fit into, and what is to happen.
#[derive(Clone, Debug, PartialEq)]
pub struct OverBudget {
    /// Whose budget it is, and what of it is spent.
    pub message: String,
    /// What is to happen.
    pub then: Then,
}

/// What happens to a call that does not fit into a budget.
#[derive(Clone, Debug, PartialEq)]
pub enum Then {
    /// The step fails.
    Stop,
    /// Somebody decides whether the step may take as much again.
    Ask {
        /// What the answer is recorded as.
        key: String,
        /// What is asked: the config of an `approval`.
        question: Value,
    },
    /// This cheaper model is asked.
    Fallback(String),
}

/// Keeps count of the calls of an attempt.
#[async_trait]
pub trait Accountant: Send + Sync {
    /// Whether any budget holds for the attempt.
    fn has_budget(&self) -> bool;

    /// Waits until there is room for a call, and holds what it can take, durably. Answers the call's
    /// number.
    ///
    /// # Errors
    ///
    /// Why the call may not be made.
    async fn hold(&self, bound: Bound) -> Result<u64, Refusal>;

    /// A call has ended, and this is what it took: nothing if it was turned down. `number` is that of
    /// what was held for it.
    async fn settle(&self, number: Option<u64>, usage: Option<Usage>);

    /// A call was broken off. What was held for it counts as spent; if nothing was, what is known of
    /// it counts.
    fn give_up(&self, number: Option<u64>, usage: Option<Usage>);
}

/// Where the calls of an attempt are counted.
#[derive(Clone)]
pub struct Meter(Option<Arc<dyn Accountant>>);

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Meter({})", if self.0.is_some() { "counted" } else { "not counted" })
    }
}

/// A call that may be made. One that nobody settles counts with all it could have taken.
pub(super) struct Held {
    accountant: Option<Arc<dyn Accountant>>,
    number: Option<u64>,
}

impl Meter {
    /// Counts with someone.
    pub fn new(accountant: Arc<dyn Accountant>) -> Meter {
        Meter(Some(accountant))
    }

    /// Counts nothing, for calls outside of any run.
    pub fn none() -> Meter {
        Meter(None)
    }

    /// Waits until a call may be made. Within a budget the length of its answer has a limit, which is
    /// set on `chat`.
    pub(super) async fn hold(
        &self,
        target: &Target,
        chat: &mut Cow<'_, Chat>,
    ) -> Result<Held, Refusal> {
        let accountant = self.0.clone();
        let mut number = None;
        if let Some(accountant) = accountant.as_ref().filter(|one| one.has_budget()) {
            let output = output_tokens(target, chat);
            chat.to_mut().max_tokens = Some(output);
            number = Some(accountant.hold(Bound::of(target, chat, output)).await?);
        }
        Ok(Held { accountant, number })
    }
}

impl Held {
    /// The call has ended, and this is what it took; `None` if it was turned down.
    pub(super) async fn settle(mut self, usage: Option<Usage>) {
        let number = self.number.take();
        if let Some(accountant) = self.accountant.take()
            && (number.is_some() || usage.is_some())
        {
            accountant.settle(number, usage).await;
        }
    }

    /// The call was broken off, and this is what is known of it.
    pub(super) fn give_up(mut self, usage: Option<Usage>) {
        if let Some(accountant) = self.accountant.take() {
            accountant.give_up(self.number.take(), usage);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(accountant) = self.accountant.take().filter(|_| self.number.is_some()) {
            accountant.give_up(self.number, None);
        }
    }
}

/// Adds up what calls took, and allows all of them: for attempts outside of any run.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Vec<Usage>>);

impl Tally {
    /// What calls took since this was asked last.
    pub fn take(&self) -> Vec<Usage> {
        std::mem::take(&mut *self.0.lock())
    }
}

#[async_trait]
impl Accountant for Tally {
    fn has_budget(&self) -> bool {
        false
    }

    async fn hold(&self, _: Bound) -> Result<u64, Refusal> {
        Ok(0)
    }

    async fn settle(&self, _: Option<u64>, usage: Option<Usage>) {
        self.0.lock().extend(usage);
    }

    fn give_up(&self, _: Option<u64>, usage: Option<Usage>) {
        self.0.lock().extend(usage);
    }
}
