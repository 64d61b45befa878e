//! What a tool has given, as a text for the model.

use rmcp::model::{CallToolResult, ContentBlock};
use windlass_core::run::AttemptError;

use crate::node::fail;

pub(super) fn read(result: CallToolResult) -> Result<String, AttemptError> {
    let texts: Vec<String> = result.content.iter().map(text).collect();
    let text = match &result.structured_content {
        // The text only repeats it.
        Some(structured) if !structured.is_null() => structured.to_string(),
        _ => texts.join("\n"),
    };
    if result.is_error == Some(true) {
        return Err(fail("tool_failed", if texts.is_empty() { text } else { texts.join("\n") }));
    }
    Ok(text)
}

fn text(block: &ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        // Nothing that a model could read as text; it is told what there would be.
        ContentBlock::Image(image) => format!("[an image, {}]", image.mime_type),
        ContentBlock::Audio(audio) => format!("[a sound, {}]", audio.mime_type),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}
