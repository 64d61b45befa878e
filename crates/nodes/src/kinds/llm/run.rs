//! Asking until there is an answer that can be used, or nobody is left to ask.

use serde_json::{Value, json};
use windlass_core::run::AttemptError;

use super::Llm;
use super::answer;
use super::ask::{Unanswered, all_failed, ask_within};
use super::question::Question;
use crate::context::{LogStream, NodeContext};
use crate::llm::{At, Chat, Finish, Message, Reply, Role};
use crate::node::{Outcome, fail, retry};

pub(super) async fn run(llm: Llm, context: &NodeContext) -> Result<Outcome, AttemptError> {
    let (re_asks, is_structured) = (llm.re_asks, llm.structured_output);
    let mut question = Question::new(llm.asking(), llm.messages, context).await?;
    question.chat.tools = llm.tools;
    match question.output_schema.clone() {
        Some(schema) if is_structured => question.chat.schema = Some(schema),
        Some(schema) => tell_schema(&mut question.chat, &schema),
        None => {}
    }
    let mut turn = 0;
    let mut failures: Vec<(String, AttemptError)> = Vec::new();
    for (model, at) in &question.models {
        match ask_one((&question, re_asks), (model, at), &mut turn, context).await {
            Ok(output) => return Ok(Outcome::Output(output)),
            Err(Unanswered::Ends(end)) => return end,
            Err(Unanswered::Failed(error)) => {
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
    (question, re_asks): (&Question, u32),
    (model, at): (&str, &At),
    turn: &mut u64,
    context: &NodeContext,
) -> Result<Value, Unanswered> {
    let target = context.llm.target(model, at, &context.http);
    let target = target.map_err(|error| Unanswered::Failed(error.into_attempt()))?;
    let mut chat = question.chat.clone();
    for asked_again in 0..=re_asks {
        let mut next = || {
            *turn += 1;
            *turn
        };
        let reply = ask_within(&target, &chat, question.limit, &mut next, context).await?;
        let unfit = match answer::read(&reply, question.schema.as_ref()) {
            Ok(output) => return Ok(output),
            Err(unfit) => unfit,
        };
        if reply.finish == Finish::Length {
            let message = format!("the answer was cut off at its longest: {}", unfit.sentence());
            let error = fail("output_truncated", message);
            return Err(Unanswered::Failed(with_text(error, &reply)));
        }
        if asked_again == re_asks {
            let message = format!("{} (asked {} times)", unfit.sentence(), asked_again + 1);
            return Err(Unanswered::Failed(with_text(retry("bad_output", message), &reply)));
        }
        let line = format!("{model}: {}; asked again", unfit.sentence());
        context.logs.line(LogStream::System, line).await;
        chat.messages.push(reply.message);
        chat.messages.push(Message::new(Role::User, unfit.told()));
    }
    unreachable!("the last turn returns")
}

/// Tells the model the schema in words.
fn tell_schema(chat: &mut Chat, schema: &Value) {
    let told = format!("Answer with nothing but JSON that fits this JSON Schema:\n{schema:#}");
    chat.system = Some(match chat.system.take() {
        Some(system) => format!("{system}\n\n{told}"),
        None => told,
    });
}

/// Shows what could not be used.
fn with_text(mut error: AttemptError, reply: &Reply) -> AttemptError {
    let text: String = reply.text.chars().take(10_000).collect();
    error.failure.details = Some(json!({ "text": text, "model": reply.usage.model }));
    error
}
