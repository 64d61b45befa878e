//! What is said in each turn, and by which model.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_core::run::AttemptError;
use windlass_core::schema::Schema;

use crate::context::{LogStream, NodeContext};
use crate::kinds::llm::ask::{Unanswered, all_failed, ask_within};
use crate::kinds::llm::question::Question;
use crate::llm::{Chat, Finish, Message, Reply, ToolCall, Usage};
use crate::node::{Outcome, fail};

/// An answer of the model, as it is journaled.
#[derive(Serialize, Deserialize)]
struct Turn {
    text: String,
    tool_calls: Vec<ToolCall>,
    finish: Finish,
    message: Message,
    usage: Usage,
    /// Which of the models has answered, from 0.
    #[serde(default)]
    asked: usize,
}

/// A conversation with the first of several models that answers.
pub(super) struct Conversation {
    question: Question,
    pub(super) chat: Chat,
    /// The model that has answered last, by its place. Those before it have failed.
    asked: usize,
    spent: Spent,
}

impl Conversation {
    pub(super) fn new(question: Question) -> Conversation {
        let chat = question.chat.clone();
        Conversation { question, chat, asked: 0, spent: Spent::default() }
    }

    /// What the last answer has to fit.
    pub(super) fn schema(&self) -> Option<&Schema> {
        self.question.schema.as_ref()
    }

    /// What the model says in a turn: what it said then, if it is journaled. If it says nothing, the
    /// end of the attempt.
    pub(super) async fn say(
        &mut self,
        turn: u32,
        context: &NodeContext,
    ) -> Result<Reply, Result<Outcome, AttemptError>> {
        let key = format!("turn-{turn}");
        let (asked, reply) = match context.journal.find(&key) {
            Some(known) => {
                let known: Result<Turn, _> = serde_json::from_value((**known).clone());
                let known =
                    known.map_err(|error| Err(fail("bad_record", format!("{key}: {error}"))))?;
                let Turn { text, tool_calls, finish, message, usage, asked } = known;
                (asked, Reply { text, tool_calls, finish, message, usage })
            }
            None => {
                let (asked, reply) = self.ask(turn, context).await?;
                let Reply { text, tool_calls, finish, message, usage } = reply.clone();
                let said = Turn { text, tool_calls, finish, message, usage, asked };
                let record = serde_json::to_value(said);
                let record = record.map_err(|error| Err(fail("bad_record", error.to_string())))?;
                context.journal.record(key, record).await.map_err(Err)?;
                (asked, reply)
            }
        };
        self.change_to(asked);
        self.spent.add(&reply.usage);
        self.chat.messages.push(reply.message.clone());
        Ok(reply)
    }

    /// Asks the model that has answered last, and those behind it once it has failed.
    async fn ask(
        &mut self,
        turn: u32,
        context: &NodeContext,
    ) -> Result<(usize, Reply), Result<Outcome, AttemptError>> {
        let mut failures = Vec::new();
        for asked in self.asked..self.question.models.len() {
            self.change_to(asked);
            let (model, at) = &self.question.models[asked];
            let error = match context.llm.target(model, at, &context.http) {
                Ok(target) => {
                    let limit = self.question.limit;
                    let mut number = || u64::from(turn);
                    match ask_within(&target, &self.chat, limit, &mut number, context).await {
                        Ok(reply) => return Ok((asked, reply)),
                        Err(Unanswered::Ends(end)) => return Err(end),
                        Err(Unanswered::Failed(error)) => error,
                    }
                }
                Err(error) => error.into_attempt(),
            };
            let line = format!("turn {turn}: {model}: {}", error.failure.message);
            context.logs.line(LogStream::System, line).await;
            failures.push((model.clone(), error));
        }
        Err(Err(all_failed(failures)))
    }

    /// What a model wants sent back as it came is of no use to another one.
    fn change_to(&mut self, asked: usize) {
        if asked != self.asked {
            self.chat.messages.iter_mut().for_each(|message| message.continuation = None);
            self.asked = asked;
        }
    }

    /// The output, with what all turns took.
    pub(super) fn output(&self, mut output: Value, turns: u32) -> Value {
        output["turns"] = turns.into();
        output["usage"] = json!({
            "input_tokens": self.spent.input_tokens,
            "output_tokens": self.spent.output_tokens,
            "cached_tokens": self.spent.cached_tokens,
            "cost_micros": self.spent.cost_micros,
        });
        output
    }
}

/// What all turns took together.
#[derive(Default)]
struct Spent {
    input_tokens: u64,
    output_tokens: u64,
    cached_tokens: u64,
    cost_micros: Option<u64>,
}

impl Spent {
    fn add(&mut self, usage: &Usage) {
        self.input_tokens += usage.input_tokens;
        self.output_tokens += usage.output_tokens;
        self.cached_tokens += usage.cached_tokens;
        if let Some(cost) = usage.cost_micros {
            *self.cost_micros.get_or_insert(0) += cost;
        }
    }
}
