//! What a tool is.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use rmcp::model::{JsonObject, Tool as Described, ToolAnnotations};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::access::{Caller, Permission};
use crate::app::App;
use crate::http::body;
use crate::http::problem::Problem;

/// Who calls a tool, and what there is to answer with.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) app: Arc<App>,
    pub(super) caller: Caller,
}

impl Call {
    /// How long to wait, in seconds, within what the server allows.
    pub(super) fn wait(&self, seconds: u32) -> Duration {
        Duration::from_secs(seconds.into()).min(self.app.config.server.wait_time_max.0)
    }

    pub(super) fn may(&self, permission: Permission) -> bool {
        self.caller.principal.may(permission)
    }
}

/// A tool. The type is that of its arguments; its comment is what agents read about it.
pub(super) trait Tool: DeserializeOwned + JsonSchema + Send + 'static {
    const NAME: &'static str;
    /// What it takes to see and to call it.
    const NEED: Permission;
    /// What it does, in the audit log's words; empty if it changes nothing.
    const ACTION: &'static str = "";

    /// To what it does that, in the audit log's words: the path that does the same.
    fn target(&self) -> String {
        super::PATH.to_owned()
    }

    fn call(self, call: Call) -> impl Future<Output = Result<Value, Problem>> + Send;
}

/// A tool among the others.
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) need: Permission,
    pub(super) described: Described,
    /// Makes a job of it.
    pub(super) job: fn(Call, JsonObject) -> Job,
}

/// A call of a tool that has not begun.
pub(super) struct Job {
    pub(super) need: Permission,
    pub(super) action: &'static str,
    pub(super) target: String,
    pub(super) work: BoxFuture<'static, Result<Value, Problem>>,
}

/// A tool's entry.
pub(super) fn entry<T: Tool>() -> Entry {
    Entry { name: T::NAME, need: T::NEED, described: describe::<T>(), job: job::<T> }
}

fn job<T: Tool>(call: Call, arguments: JsonObject) -> Job {
    let bytes = serde_json::to_vec(&arguments).unwrap_or_default();
    let (target, work): (_, BoxFuture<'static, _>) = match body::parse::<T>(&bytes) {
        Ok(tool) => (tool.target(), Box::pin(tool.call(call))),
        Err(problem) => (super::PATH.to_owned(), Box::pin(std::future::ready(Err(problem)))),
    };
    Job { need: T::NEED, action: T::ACTION, target, work }
}

fn describe<T: Tool>() -> Described {
    let mut schema = match schemars::schema_for!(T).to_value() {
        Value::Object(schema) => schema,
        _ => JsonObject::new(),
    };
    let summary = schema.shift_remove("description");
    let summary = summary.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    schema.shift_remove("title");
    let reads = T::NEED == Permission::Read;
    let hints = ToolAnnotations::new().read_only(reads).open_world(false);
    Described::new(T::NAME, summary, schema).with_annotations(hints)
}
