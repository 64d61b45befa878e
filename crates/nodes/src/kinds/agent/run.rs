//! Turn after turn: what the model says, what the tools give, each journaled before the next.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_core::run::AttemptError;
use windlass_core::schema::Schema;

use super::tools::{Tools, cut};
use super::{Agent, ToolField};
use crate::context::{LogStream, NodeContext, StopReason};
use crate::kinds::llm::answer;
use crate::llm::{
    At, Call, Chat, Finish, LlmError, Message, Reply, Role, Target, ToolCall, Usage, ask,
};
use crate::node::{Outcome, fail};

/// An answer of the model, as it is journaled.
#[derive(Serialize, Deserialize)]
struct Turn {
    text: String,
    tool_calls: Vec<ToolCall>,
    finish: Finish,
    message: Message,
    usage: Usage,
}

impl From<Reply> for Turn {
    fn from(reply: Reply) -> Turn {
        let Reply { text, tool_calls, finish, message, usage } = reply;
        Turn { text, tool_calls, finish, message, usage }
    }
}

impl From<Turn> for Reply {
    fn from(turn: Turn) -> Reply {
        let Turn { text, tool_calls, finish, message, usage } = turn;
        Reply { text, tool_calls, finish, message, usage }
    }
}

pub(super) async fn run(agent: Agent, context: NodeContext) -> Result<Outcome, AttemptError> {
    let mut stop = context.stop.clone();
    tokio::select! {
        result = work(agent, &context) => result,
        reason = stop.asked() => Err(match reason {
            StopReason::TimedOut => fail("timeout", "the time was up before it was done"),
            StopReason::Cancelled => fail("cancelled", "it was cancelled"),
            StopReason::ShuttingDown => fail("interrupted", "the server went down"),
        }),
    }
}

async fn work(agent: Agent, context: &NodeContext) -> Result<Outcome, AttemptError> {
    let schema = agent.output_schema.as_ref().map(Schema::compile).transpose();
    let schema = schema.map_err(|error| fail("bad_config", format!("`output_schema`: {error}")))?;
    let at = At { provider: agent.provider, base_url: agent.base_url, api_key: agent.api_key };
    let target = context.llm.target(&agent.model, &at, &context.http);
    let target = target.map_err(LlmError::into_attempt)?;
    let fields: Vec<ToolField> = agent.tools.into_iter().map(ToolField::from).collect();
    let tools = Tools::new(fields, agent.directory, agent.network);
    let mut chat = Chat {
        system: agent.system,
        messages: vec![Message { content: agent.prompt, ..Message::new(Role::User, "") }],
        tools: tools.described(),
        temperature: agent.temperature,
        max_tokens: agent.max_tokens,
        schema: None,
    };
    let mut spent = Spent::default();
    for turn in 1..=agent.max_turns {
        context.live.send("agent_turn", json!({ "turn": turn, "max_turns": agent.max_turns }));
        let reply = say(&target, &chat, (turn, agent.timeout.0), context).await?;
        spent.add(&reply.usage);
        chat.messages.push(reply.message.clone());
        if reply.tool_calls.is_empty() {
            match answer::read(&reply, schema.as_ref()) {
                Ok(output) => return Ok(Outcome::Output(spent.into_output(output, turn))),
                Err(unfit) => {
                    let line = format!("turn {turn}: {}; told so", unfit.sentence());
                    context.logs.line(LogStream::System, line).await;
                    chat.messages.push(Message::new(Role::User, unfit.told()));
                }
            }
        }
        for (number, call) in reply.tool_calls.iter().enumerate() {
            match use_tool(&tools, call, (turn, number), context).await? {
                Used::Outcome(told) => chat.messages.push(Message::tool_result(call, told)),
                Used::Asks(outcome) => return Ok(outcome),
            }
        }
    }
    let message = format!("it was not done after {} turns", agent.max_turns);
    Err(fail("max_turns", message))
}

/// What the model says in a turn: what it said then, if it is journaled.
async fn say(
    target: &Target,
    chat: &Chat,
    (turn, limit): (u32, std::time::Duration),
    context: &NodeContext,
) -> Result<Reply, AttemptError> {
    let key = format!("turn-{turn}");
    if let Some(known) = context.journal.find(&key) {
        let known: Result<Turn, _> = serde_json::from_value((**known).clone());
        let known = known.map_err(|error| fail("bad_record", format!("{key}: {error}")))?;
        return Ok(known.into());
    }
    let mut offset = 0;
    let on_text = |text: &str| {
        let data = json!({ "turn": turn, "offset": offset, "text": text });
        offset += text.len();
        context.live.send("llm_token", data);
    };
    let call = Call { chat, limit, usage: &context.usage };
    let reply = ask(target, call, on_text).await.map_err(LlmError::into_attempt)?;
    let turn = Turn::from(reply);
    let record =
        serde_json::to_value(&turn).map_err(|error| fail("bad_record", error.to_string()))?;
    context.journal.record(key, record).await?;
    Ok(turn.into())
}

/// What has come of a call.
enum Used {
    /// What the model is told.
    Outcome(String),
    /// Somebody has to approve it first.
    Asks(Outcome),
}

async fn use_tool(
    tools: &Tools,
    call: &ToolCall,
    (turn, number): (u32, usize),
    context: &NodeContext,
) -> Result<Used, AttemptError> {
    let key = format!("tool-{turn}-{number}");
    if let Some(known) = context.journal.find(&key) {
        return Ok(Used::Outcome(known.as_str().unwrap_or_default().to_owned()));
    }
    let told = match tools.find(&call.name) {
        None => format!("{{\"error\": \"there is no tool `{}`\"}}", call.name),
        Some(tool) => {
            if tool.approve {
                let asked = format!("approval-{turn}-{number}");
                match context.journal.find(&asked) {
                    None => return Ok(Used::Asks(question(call, asked, context))),
                    Some(answer) if answer["approved"] != true => {
                        let refused = json!({ "error": "refused", "comment": answer["comment"] });
                        context.journal.record(key, Value::from(refused.to_string())).await?;
                        return Ok(Used::Outcome(refused.to_string()));
                    }
                    Some(_) => {}
                }
            }
            let place = json!({ "turn": turn, "tool": call.name, "input": call.arguments });
            context.live.send("tool_start", place);
            let line =
                format!("turn {turn}: {} {}", call.name, cut(&call.arguments.to_string(), 500));
            context.logs.line(LogStream::System, line).await;
            // A key of its own, so that the other side recognises a repetition of this very call.
            let step = format!("{}/{key}", context.step);
            let result = tools.run(tool, call, NodeContext { step, ..context.clone() }).await;
            let success = result.is_ok();
            let told = result.unwrap_or_else(|error| {
                let failure = error.failure;
                json!({ "error": failure.code, "message": failure.message,
                        "details": failure.details })
                .to_string()
            });
            let told = cut(&told, super::tools::OUTCOME_BYTES_MAX);
            let place = json!({ "turn": turn, "tool": call.name, "success": success, "output": cut(&told, 2_000) });
            context.live.send("tool_end", place);
            told
        }
    };
    context.journal.record(key, Value::from(told.as_str())).await?;
    Ok(Used::Outcome(told))
}

/// What somebody is asked about a call.
fn question(call: &ToolCall, key: String, context: &NodeContext) -> Outcome {
    let title = format!("May `{}` use the tool `{}`?", context.step, call.name);
    let subject = json!({ "tool": call.name, "arguments": call.arguments });
    Outcome::Ask { key, question: json!({ "title": title, "subject": subject }) }
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

    fn into_output(self, mut output: Value, turns: u32) -> Value {
        output["turns"] = turns.into();
        output["usage"] = json!({
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cached_tokens": self.cached_tokens,
            "cost_micros": self.cost_micros,
        });
        output
    }
}
