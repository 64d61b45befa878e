use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::usage::Usage;

/// What a model is asked.
#[derive(Clone, Debug, Default)]
pub struct Chat {
    /// What holds for the whole conversation.
    pub system: Option<String>,
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// What the model may ask to have done.
    pub tools: Vec<Tool>,
    /// How much chance decides, from 0.
    pub temperature: Option<f64>,
    /// How long the answer may be.
    pub max_tokens: Option<u32>,
    /// JSON Schema that the provider is asked to hold the answer to. It need not succeed.
    pub schema: Option<Value>,
}

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Role {
    /// Whoever set the conversation up.
    System,
    /// Whoever asks.
    User,
    /// The model.
    Assistant,
    /// The outcome of a tool that the model asked for.
    Tool,
}

/// One message of a conversation. It can be kept as JSON and sent again later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said. What is no text is given as JSON.
    #[serde(default)]
    pub content: Value,
    /// The tools that the model has asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Of a tool's outcome: which call it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// What the provider wants to be sent back as it came: its signed thoughts, and more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub continuation: Option<Value>,
}

impl Message {
    /// A message of nothing but text.
    pub fn new(role: Role, text: impl Into<String>) -> Message {
        Message {
            role,
            content: Value::String(text.into()),
            tool_calls: Vec::new(),
            tool_call_id: None,
            continuation: None,
        }
    }

    /// The outcome of a tool.
    pub fn tool_result(call: &ToolCall, outcome: impl Into<String>) -> Message {
        Message { tool_call_id: Some(call.id.clone()), ..Message::new(Role::Tool, outcome) }
    }

    /// What is said, as text.
    pub fn text(&self) -> String {
        match &self.content {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

/// Something a model may ask to have done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Tool {
    /// What the model calls it.
    pub name: String,
    /// When and how to use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema of its arguments, an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
}

/// A model's wish to have something done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct ToolCall {
    /// Tells the calls of one answer apart.
    pub id: String,
    /// The tool.
    pub name: String,
    /// With what. A text if the model wrote no JSON.
    pub arguments: Value,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// All was said.
    Stop,
    /// It was cut off at `max_tokens` or at the end of the model's window.
    Length,
    /// The model waits for tools.
    ToolCalls,
    /// For a reason of the provider's own.
    Other,
}

impl Finish {
    /// The word for it, as OpenTelemetry has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Finish::Stop => "stop",
            Finish::Length => "length",
            Finish::ToolCalls => "tool_calls",
            Finish::Other => "other",
        }
    }
}

/// What a model has answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The text.
    pub text: String,
    /// What it wants to have done.
    pub tool_calls: Vec<ToolCall>,
    /// Why it ended.
    pub finish: Finish,
    /// The answer as a message, to go on with.
    pub message: Message,
    /// What it took.
    pub usage: Usage,
}
