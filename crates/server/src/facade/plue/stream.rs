use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use windlass_engine::Told;
use windlass_store::LogStream;

use super::{OkBody, held};
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::tasks::{refused, scope_of};
use crate::app::Shared;
use crate::facade::{Detail, DetailResponses, Old};

/// Lines of one message, at most.
const LINES_MAX: usize = 1_000;

/// Something that happens in a task.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
pub struct StreamEvent {
    /// `token`, `llm_token`, `tool_start`, `tool_end`, `step_start`, `step_end`, `log`, `done` or
    /// `error`.
    #[serde(rename = "type")]
    pub type_: String,
    /// The rest, by type.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// What becomes of an event.
struct Shown {
    told: Option<Told>,
    line: Option<(LogStream, String)>,
}

/// Takes in what happens in a task: words of a model and tools are shown live, the rest becomes lines
/// of the log.
#[utoipa::path(
    post, path = "/internal/tasks/{task}/stream", tag = "facades",
    params(("task" = String, Path, description = "Its id")),
    request_body(content = StreamEvent),
    responses((status = 200, body = OkBody), DetailResponses)
)]
pub async fn stream(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Old(event): Old<StreamEvent>,
) -> Result<Json<OkBody>, Detail> {
    let (task_id, hold) = held(&app, &caller, &word)?;
    let scope = scope_of(&caller);
    let Shown { told, line } = event.shown()?;
    if let Some(told) = told {
        app.engine.tell_task(&scope, task_id, &hold, told).await.map_err(refused)?;
    }
    if let Some((stream, text)) = line {
        let lines = text.lines().take(LINES_MAX).map(|line| (stream, line.to_owned())).collect();
        app.engine.log_task(&scope, task_id, &hold, lines).await.map_err(refused)?;
    }
    Ok(Json(OkBody { ok: true }))
}

impl StreamEvent {
    fn text(&self, field: &str) -> String {
        match self.fields.get(field) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        }
    }

    fn shown(&self) -> Result<Shown, Detail> {
        let out = |text: String| Some((LogStream::Stdout, text));
        let note = || {
            Some(Told::Note { kind: self.type_.clone(), data: Value::Object(self.fields.clone()) })
        };
        let step = || match self.text("step_name") {
            name if name.is_empty() => format!("step {}", self.text("step_index")),
            name => format!("step `{name}`"),
        };
        Ok(match self.type_.as_str() {
            "token" | "llm_token" => {
                // Each message of theirs is an answer of its own; they have names, ours have numbers.
                let turn = turn(&self.text("message_id"));
                Shown { told: Some(Told::Words { turn, text: self.text("text") }), line: None }
            }
            "tool_start" => {
                let line = format!("tool {}: {}", self.text("tool_name"), self.text("args"));
                Shown { told: note(), line: out(line) }
            }
            "tool_end" => {
                let (state, output) = (self.text("tool_state"), self.text("output"));
                Shown { told: note(), line: out(format!("tool ended ({state}): {output}")) }
            }
            "step_start" => Shown { told: None, line: out(format!("{} begins", step())) },
            "step_end" => {
                let (state, output) = (self.text("step_state"), self.text("output"));
                let line = format!("{} ends ({state}): {output}", step());
                Shown { told: None, line: out(line.trim_end_matches([':', ' ']).to_owned()) }
            }
            "log" => {
                let is_bad = matches!(self.text("level").as_str(), "stderr" | "error");
                let stream = if is_bad { LogStream::Stderr } else { LogStream::Stdout };
                Shown { told: None, line: Some((stream, self.text("message"))) }
            }
            "error" => Shown { told: None, line: Some((LogStream::Stderr, self.text("message"))) },
            // What counts is what `complete` says.
            "done" => Shown { told: None, line: None },
            other => {
                let message = format!(
                    "there is no event `{other:.64}`; known are token, llm_token, tool_start, \
                     tool_end, step_start, step_end, log, done and error"
                );
                return Err(Detail::field("type", &message));
            }
        })
    }
}

/// A number for a message of a runner.
fn turn(message_id: &str) -> u64 {
    if let Ok(number) = message_id.parse() {
        return number;
    }
    let hash = windlass_core::json::sha256(&Value::from(message_id));
    let digits = hash.get(..8).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or(0)
}
