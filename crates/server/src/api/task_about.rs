//! What a program has said of one of its tasks, which is the step's input.

use serde_json::Value;

use super::step::StepBody;

/// What a task is, as far as that was said.
pub(crate) struct TaskAbout {
    /// What it is called; without a word of it, what stands before the number in `load:1`.
    pub task: String,
    /// What tells it from tasks of the same name elsewhere.
    pub task_key: Option<String>,
    /// The higher ones go first.
    pub priority: Option<i64>,
    /// Words to find it by.
    pub tags: Vec<String>,
}

impl TaskAbout {
    pub(crate) fn of(step: &StepBody) -> TaskAbout {
        let said = |field: &str| step.input.as_ref().and_then(|about| about.get(field));
        let text = |field: &str| said(field).and_then(Value::as_str).map(str::to_owned);
        let of_path = step.path.rsplit_once(':').map_or(step.node.as_str(), |(task, _)| task);
        let tags = said("tags").and_then(Value::as_array).into_iter().flatten();
        TaskAbout {
            task: text("task").unwrap_or_else(|| of_path.to_owned()),
            task_key: text("task_key"),
            priority: said("priority").and_then(Value::as_i64),
            tags: tags.filter_map(|tag| tag.as_str().map(str::to_owned)).collect(),
        }
    }
}
