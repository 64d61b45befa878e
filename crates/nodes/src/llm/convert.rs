//! Our requests in genai's words, and its answers in ours.

use genai::adapter::AdapterKind;
use genai::chat::{
    ChatMessage, ChatOptions, ChatRequest, ContentPart, JsonSpec, MessageContent, ReasoningEffort,
    StopReason, StreamEnd, Tool as TheirTool, ToolCall as TheirCall, ToolResponse,
};
use genai::resolver::{AuthData, Endpoint};
use genai::{ModelIden, ServiceTarget};
use serde_json::{Value, json};

use super::chat::{Chat, Finish, Message, Role, Tool, ToolCall};
use super::settings::{Api, Target};

pub(super) fn target(target: &Target) -> ServiceTarget {
    let kind = match target.api {
        Api::Openai => AdapterKind::OpenAI,
        Api::Anthropic => AdapterKind::Anthropic,
        Api::Gemini => AdapterKind::Gemini,
    };
    ServiceTarget {
        endpoint: Endpoint::from_owned(target.base_url.as_str()),
        // A server without keys does not look at this one; the client insists on something.
        auth: AuthData::from_single(target.api_key.as_deref().unwrap_or("none")),
        model: ModelIden::new(kind, target.model.as_str()),
    }
}

pub(super) fn request(chat: &Chat) -> ChatRequest {
    let messages = chat.messages.iter().map(|one| message(one, &chat.messages)).collect();
    let mut request = ChatRequest::from_messages(messages);
    request.system = chat.system.clone();
    if !chat.tools.is_empty() {
        request = request.with_tools(chat.tools.iter().map(tool));
    }
    request
}

pub(super) fn options(chat: &Chat, target: &Target) -> ChatOptions {
    let mut options = ChatOptions::default()
        .with_capture_usage(true)
        .with_capture_content(true)
        .with_capture_tool_calls(true)
        // The signed thoughts of a turn have to be sent back with it.
        .with_capture_reasoning_content(true);
    options.temperature = chat.temperature;
    options.max_tokens = chat.max_tokens;
    if let Some(schema) = &chat.schema {
        options = options.with_response_format(JsonSpec::new("answer", schema.clone()));
    }
    // The client takes the end of a name such as `qwen-max` for an effort and cuts it off, unless
    // there is an effort already. A budget is none that this wire format could say, so it says
    // nothing.
    let ends_in_effort = ReasoningEffort::from_model_name(&target.model).0.is_some();
    if target.api == Api::Openai && ends_in_effort {
        options = options.with_reasoning_effort(ReasoningEffort::Budget(0));
    }
    options
}

fn tool(tool: &Tool) -> TheirTool {
    let mut theirs = TheirTool::new(tool.name.as_str());
    theirs.description = tool.description.clone();
    let nothing = || json!({ "type": "object", "properties": {} });
    theirs.schema = Some(tool.parameters.clone().unwrap_or_else(nothing));
    theirs
}

fn message(message: &Message, all: &[Message]) -> ChatMessage {
    let text = message.text();
    match message.role {
        Role::System => ChatMessage::system(text),
        Role::User => ChatMessage::user(text),
        Role::Tool => {
            let id = message.tool_call_id.clone().unwrap_or_default();
            let mut response = ToolResponse::new(id.clone(), text);
            // Gemini knows calls by the tool's name.
            let calls = all.iter().flat_map(|one| &one.tool_calls);
            response.fn_name =
                calls.filter(|call| call.id == id).map(|call| call.name.clone()).next_back();
            ChatMessage::tool(MessageContent::from_tool_responses(vec![response]))
        }
        Role::Assistant => {
            let kept =
                message.continuation.clone().and_then(|kept| serde_json::from_value(kept).ok());
            let content = kept.unwrap_or_else(|| {
                let mut parts = Vec::new();
                if !text.is_empty() {
                    parts.push(ContentPart::Text(text));
                }
                parts.extend(message.tool_calls.iter().map(|call| {
                    ContentPart::ToolCall(TheirCall {
                        call_id: call.id.clone(),
                        fn_name: call.name.clone(),
                        fn_arguments: call.arguments.clone(),
                        thought_signatures: None,
                    })
                }));
                MessageContent::from_parts(parts)
            });
            ChatMessage::assistant(content)
        }
    }
}

/// What is kept of the end of an answer. `None` if it ended because it was refused.
pub(super) fn ended(text: &str, end: StreamEnd) -> (Message, Option<Finish>) {
    let content = end.captured_content.unwrap_or_default();
    let tool_calls: Vec<ToolCall> = content
        .tool_calls()
        .into_iter()
        .map(|call| ToolCall {
            id: call.call_id.clone(),
            name: call.fn_name.clone(),
            arguments: arguments(&call.fn_arguments),
        })
        .collect();
    let finish = match end.captured_stop_reason {
        _ if !tool_calls.is_empty() => Some(Finish::ToolCalls),
        Some(StopReason::ContentFilter(_)) => None,
        Some(StopReason::MaxTokens(_)) => Some(Finish::Length),
        Some(StopReason::Completed(_) | StopReason::StopSequence(_)) => Some(Finish::Stop),
        Some(StopReason::ToolCall(_)) => Some(Finish::ToolCalls),
        Some(StopReason::Other(_)) | None => Some(Finish::Other),
    };
    // A text is sent back just as well without it.
    let is_plain = content.is_text_only();
    let continuation = (!is_plain).then(|| serde_json::to_value(&content).ok()).flatten();
    let message = Message { tool_calls, continuation, ..Message::new(Role::Assistant, text) };
    (message, finish)
}

/// The arguments of a call. A tool without any is often called with nothing at all.
fn arguments(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::String(text) if text.trim().is_empty() => json!({}),
        other => other.clone(),
    }
}
