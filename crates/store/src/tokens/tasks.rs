use serde_json::Value;
use uuid::Uuid;
use windlass_core::Time;

use crate::text::make_safe;

/// Something that a worker or an actor outside can claim, or has claimed.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRow {
    /// Its id: the unit's, or one made of run and step.
    pub task_id: Uuid,
    /// The run.
    pub run_id: Uuid,
    /// The step, or the unit's path.
    pub path: String,
    /// The project it belongs to.
    pub project: String,
    /// The queue it is on.
    pub queue: String,
    /// `unit`, `actor`, `worker` or a kind of a plugin.
    pub kind: String,
    /// What people call it.
    pub title: String,
    /// Tasks of a higher priority are handed out first.
    pub priority: i32,
    /// Tasks of different keys take turns.
    pub fairness_key: String,
    /// Since when it is on the queue.
    pub offered_at: Time,
    /// The attempt, from 1.
    pub attempt: u32,
    /// How many times it was claimed.
    pub fence: u64,
    /// Who has claimed it.
    pub holder: Option<String>,
    /// When it was claimed.
    pub claimed_at: Option<Time>,
    /// For how long it is held without a heartbeat.
    pub lease_micros: Option<i64>,
    /// What a person fills in, as a JSON Schema.
    pub form: Option<Value>,
    /// What a person is shown.
    pub input: Option<Value>,
}

impl TaskRow {
    pub(crate) fn safe(mut self) -> TaskRow {
        let texts = [&mut self.queue, &mut self.kind, &mut self.title, &mut self.fairness_key];
        make_safe(texts);
        make_safe(&mut self.holder);
        self
    }
}
