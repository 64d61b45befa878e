//! Asking until there is an answer that can be used, or nobody is left to ask.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_core::run::AttemptError;

use super::Llm;
use super::answer;
use super::question::Question;
use crate::context::{LogStream, NodeContext};
use crate::llm::{At, Call, Chat, Finish, LlmError, Message, Reply, Role, Target, ask};
use crate::node::{fail, retry};

/// The longest `Retry-After` that is waited for within an attempt. A longer one is the retry
/// policy's business: the attempt ends and its place is free.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);
/// How often one exchange is put off like that.
const WAIT_COUNT_MAX: u32 = 2;

pub(super) async fn run(llm: Llm, context: &NodeContext) -> Result<Value, AttemptError> {
    let question = Question::new(llm, context).await?;
    let mut turn = 0;
    let mut failures: Vec<(String, AttemptError)> = Vec::new();
    for (model, at) in &question.models {
        match ask_one(&question, model, at, &mut turn, context).await {
            Ok(output) => return Ok(output),
            Err(error) => {
                let line = format!("{model}: {}", error.failure.message);
                context.logs.line(LogStream::System, line).await;
                failures.push((model.clone(), error));
            }
        }
    }
    Err(all_failed(failures))
}

/// Asks one model, again if its answer does not fit.
async fn ask_one(
    question: &Question,
    model: &str,
    at: &At,
    turn: &mut u64,
    context: &NodeContext,
) -> Result<Value, AttemptError> {
    let target = context.llm.target(model, at, &context.http).map_err(LlmError::into_attempt)?;
    let mut chat = question.chat.clone();
    for asked_again in 0..=question.re_asks {
        let reply = ask_patiently(&target, &chat, question.limit, turn, context).await;
        let reply = reply.map_err(LlmError::into_attempt)?;
        let unfit = match answer::read(&reply, question.schema.as_ref()) {
            Ok(output) => return Ok(output),
            Err(unfit) => unfit,
        };
        if reply.finish == Finish::Length {
            let message = format!("the answer was cut off at its longest: {}", unfit.sentence());
            let error = fail("output_truncated", message);
            return Err(with_text(error, &reply));
        }
        if asked_again == question.re_asks {
            let message = format!("{} (asked {} times)", unfit.sentence(), asked_again + 1);
            return Err(with_text(retry("bad_output", message), &reply));
        }
        let line = format!("{model}: {}; asked again", unfit.sentence());
        context.logs.line(LogStream::System, line).await;
        chat.messages.push(reply.message);
        chat.messages.push(Message::new(Role::User, unfit.told()));
    }
    unreachable!("the last turn returns")
}

/// Asks, and waits where the provider says for how long.
async fn ask_patiently(
    target: &Target,
    chat: &Chat,
    limit: Duration,
    turn: &mut u64,
    context: &NodeContext,
) -> Result<Reply, LlmError> {
    let mut wait_count = 0;
    loop {
        *turn += 1;
        let (number, mut offset) = (*turn, 0);
        let on_text = |text: &str| {
            // The offset lets a page see that something was dropped in between.
            let data = json!({ "turn": number, "offset": offset, "text": text });
            offset += text.len();
            context.live.send("llm_token", data);
        };
        let call = Call { chat, limit, usage: &context.usage };
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

/// Shows what could not be used.
fn with_text(mut error: AttemptError, reply: &Reply) -> AttemptError {
    let text: String = reply.text.chars().take(10_000).collect();
    error.failure.details = Some(json!({ "text": text, "model": reply.usage.model }));
    error
}

/// The last failure, or the last one after which another attempt makes sense: if one of the models
/// may answer later, so may the step.
fn all_failed(mut failures: Vec<(String, AttemptError)>) -> AttemptError {
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
