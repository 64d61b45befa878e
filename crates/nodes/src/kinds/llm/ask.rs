//! One exchange with a model, with patience, and what is left when no model has answered.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_core::run::AttemptError;

use crate::context::{LogStream, NodeContext};
use crate::llm::{At, Call, Chat, LlmError, OverBudget, Reply, Target, Then, ask};
use crate::node::{Outcome, fail};

/// The longest `Retry-After` that is waited for within an attempt. A longer one is the retry
/// policy's business: the attempt ends and its place is free.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);
/// How often one exchange is put off like that.
const WAIT_COUNT_MAX: u32 = 2;

/// Why a model has not answered.
pub(crate) enum Unanswered {
    /// It could not; another one may.
    Failed(AttemptError),
    /// Nobody is to be asked now.
    Ends(Result<Outcome, AttemptError>),
}

/// Asks within the budgets of the attempt. One that is spent may name a cheaper model to ask, or have
/// somebody asked whether it may be more.
pub(crate) async fn ask_within(
    target: &Target,
    chat: &Chat,
    limit: Duration,
    turn: &mut (impl FnMut() -> u64 + Send),
    context: &NodeContext,
) -> Result<Reply, Unanswered> {
    let over = match ask_patiently(target, chat, limit, turn, context).await {
        Ok(reply) => return Ok(reply),
        Err(LlmError::OverBudget(over)) => over,
        Err(error) => return Err(unanswered(error)),
    };
    let Then::Fallback(cheaper) = over.then else {
        return Err(unanswered(LlmError::OverBudget(over)));
    };
    let line = format!("{}; `{cheaper}` is asked instead", over.message);
    context.logs.line(LogStream::System, line).await;
    let target = context.llm.target(&cheaper, &At::default(), &context.http).map_err(unanswered)?;
    let mut chat = chat.clone();
    // What a model wants sent back as it came is of no use to another one.
    chat.messages.iter_mut().for_each(|message| message.continuation = None);
    ask_patiently(&target, &chat, limit, turn, context).await.map_err(unanswered)
}

fn unanswered(error: LlmError) -> Unanswered {
    match error {
        LlmError::OverBudget(OverBudget { then: Then::Ask { key, question }, .. }) => {
            Unanswered::Ends(Ok(Outcome::Ask { key, question }))
        }
        LlmError::OverBudget(over) => Unanswered::Ends(Err(fail("budget_spent", over.message))),
        LlmError::Uncounted(error) => Unanswered::Ends(Err(error)),
        error => Unanswered::Failed(error.into_attempt()),
    }
}

/// Asks, and waits where the provider says for how long. `turn` numbers the exchanges for whoever
/// looks on.
async fn ask_patiently(
    target: &Target,
    chat: &Chat,
    limit: Duration,
    turn: &mut (impl FnMut() -> u64 + Send),
    context: &NodeContext,
) -> Result<Reply, LlmError> {
    let mut wait_count = 0;
    loop {
        let (number, mut offset) = (turn(), 0);
        let on_text = |text: &str| {
            // The offset lets a page see that something was dropped in between.
            let data = json!({ "turn": number, "offset": offset, "text": text });
            offset += text.len();
            context.live.send("llm_token", data);
        };
        let call = Call { chat, limit, meter: &context.meter };
        let error = match ask(target, call, on_text).await {
            Ok(reply) => return Ok(reply),
            Err(error) => error,
        };
        let wait = error.retry_after().filter(|wait| *wait <= RETRY_AFTER_MAX);
        let Some(wait) = wait.filter(|_| wait_count < WAIT_COUNT_MAX) else { return Err(error) };
        wait_count += 1;
        let line = format!("{}: {error}; asked again after {wait:?}", target.model);
        context.logs.line(LogStream::System, line).await;
        tokio::time::sleep(wait).await;
    }
}

/// The last failure, or the last one after which another attempt makes sense: if one of the models
/// may answer later, so may the step.
pub(crate) fn all_failed(mut failures: Vec<(String, AttemptError)>) -> AttemptError {
    let models: Vec<Value> = failures
        .iter()
        .map(|(model, error)| json!({ "model": model, "code": error.failure.code, "message": error.failure.message }))
        .collect();
    let chosen = failures.iter().rposition(|(_, error)| !error.is_final);
    // As soon as one of them may answer again, another attempt makes sense.
    let worth_it = failures.iter().filter(|(_, error)| !error.is_final);
    let wait = worth_it.map(|(_, error)| error.retry_after).min().flatten();
    let (_, mut error) = match chosen {
        Some(chosen) => failures.swap_remove(chosen),
        None => failures.pop().expect("there is at least one model"),
    };
    error.retry_after = wait;
    if models.len() > 1 {
        let details = error.failure.details.get_or_insert_with(|| json!({}));
        details["models"] = Value::from(models);
        error.failure.message = format!("no model has answered; {}", error.failure.message);
    }
    error
}
