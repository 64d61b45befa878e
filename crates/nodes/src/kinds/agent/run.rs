//! Turn after turn: what the model says, what the tools give, each journaled before the next.

use serde_json::{Value, json};
use windlass_core::run::AttemptError;

use super::conversation::Conversation;
use super::fields::{AgentTool, ToolField};
use super::tools::{Belongings, OUTCOME_BYTES_MAX, Place, ToolName, Tools, cut};
use super::{Agent, TURN_COUNT_MAX};
use crate::context::{LogStream, NodeContext, StopReason};
use crate::kinds::llm::answer;
use crate::kinds::llm::question::Question;
use crate::llm::{Message, Role, ToolCall};
use crate::node::{Outcome, fail};
use crate::prompt::Prompt;

/// How many answers there may be if nobody says.
const TURN_COUNT_DEFAULT: u32 = 10;

pub(super) async fn run(agent: Agent, context: NodeContext) -> Result<Outcome, AttemptError> {
    let mut stop = context.stop.clone();
    let belongings = Belongings::default();
    let (result, reason) = tokio::select! {
        result = work(agent, &context, &belongings) => (result, None),
        reason = stop.asked() => (Err(match reason {
            StopReason::TimedOut => fail("timeout", "the time was up before it was done"),
            StopReason::Cancelled => fail("cancelled", "it was cancelled"),
            StopReason::ShuttingDown => fail("interrupted", "the server went down"),
        }), Some(reason)),
    };
    belongings.end(&context, reason).await;
    result
}

async fn work(
    agent: Agent,
    context: &NodeContext,
    belongings: &Belongings,
) -> Result<Outcome, AttemptError> {
    let question = Question::new(agent.asking(), None, context).await?;
    let file = question.file.as_ref();
    let of_file = file.map_or(TURN_COUNT_DEFAULT, |file| file.max_turns.min(TURN_COUNT_MAX));
    let max_turns = agent.max_turns.unwrap_or(of_file);
    let fields = match agent.tools {
        Some(tools) => tools,
        None => file.map(tools_of).transpose()?.unwrap_or_default(),
    };
    let place = Place { directory: agent.directory, has_network: agent.network };
    let tools = Tools::new(fields, agent.mcp, place, context, belongings).await?;
    let mut conversation = Conversation::new(question);
    conversation.chat.tools = tools.described();
    for turn in 1..=max_turns {
        context.live.send("agent_turn", json!({ "turn": turn, "max_turns": max_turns }));
        let reply = match conversation.say(turn, context).await {
            Ok(reply) => reply,
            Err(end) => return end,
        };
        if reply.tool_calls.is_empty() {
            match answer::read(&reply, conversation.schema()) {
                Ok(output) => return Ok(Outcome::Output(conversation.output(output, turn))),
                Err(unfit) => {
                    let line = format!("turn {turn}: {}; told so", unfit.sentence());
                    context.logs.line(LogStream::System, line).await;
                    conversation.chat.messages.push(Message::new(Role::User, unfit.told()));
                }
            }
        }
        for (number, call) in reply.tool_calls.iter().enumerate() {
            match use_tool(&tools, call, (turn, number), context).await? {
                Used::Outcome(told) => {
                    conversation.chat.messages.push(Message::tool_result(call, told));
                }
                Used::Asks(outcome) => return Ok(outcome),
            }
        }
    }
    Err(fail("max_turns", format!("it was not done after {max_turns} turns")))
}

/// The tools that a prompt file names.
fn tools_of(file: &Prompt) -> Result<Vec<AgentTool>, AttemptError> {
    let known = |name: &String| {
        let known = serde_json::from_value::<ToolName>(Value::from(name.as_str()));
        let known = known.map(|name| AgentTool::More(ToolField::from(name)));
        known.map_err(|_| {
            fail(
                "bad_prompt",
                format!("the prompt file names a tool `{name}`, and there is none of that name"),
            )
        })
    };
    file.tools.iter().map(known).collect()
}

/// What has come of a call.
enum Used {
    /// What the model is told.
    Outcome(String),
    /// Somebody has to approve it first.
    Asks(Outcome),
}

async fn use_tool(
    tools: &Tools<'_>,
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
            let result = tools.run(tool, call, &key, context).await?;
            let success = result.is_ok();
            let told = result.unwrap_or_else(|failure| {
                json!({ "error": failure.code, "message": failure.message,
                        "details": failure.details })
                .to_string()
            });
            let told = cut(&told, OUTCOME_BYTES_MAX);
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
