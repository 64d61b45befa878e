use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;
use windlass_core::Time;

use crate::text::make_safe;

/// That somebody is asked to step in for a unit of work.
#[derive(Clone, Debug, PartialEq)]
pub struct InterventionRow {
    /// Its id.
    pub request_id: Uuid,
    /// The project it belongs to.
    pub project: String,
    /// The instance.
    pub instance_id: Uuid,
    /// The run.
    pub run_id: Uuid,
    /// The unit of work.
    pub unit_id: Uuid,
    /// The unit's path in the run.
    pub path: String,
    /// What is asked for, such as `clarification`.
    pub kind: String,
    /// Where it stands, such as `PENDING`.
    pub status: String,
    /// `critical`, `high`, `normal` or `low`.
    pub priority: String,
    /// In a line.
    pub title: String,
    /// In more words.
    pub description: String,
    /// What led to it, as JSON.
    pub context: Value,
    /// Who may answer.
    pub required_role: String,
    /// Who has taken it on.
    pub assigned_to: Option<String>,
    /// Since when.
    pub created_at: Time,
    /// Until when.
    pub expires_at: Time,
    /// When its row changed last.
    pub updated_at: Time,
    /// Who has answered.
    pub action_by: Option<String>,
    /// With what reason.
    pub action_reason: Option<String>,
    /// When.
    pub action_at: Option<Time>,
}

/// Which requests a list shows. Each field that is set leaves others out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterventionFilter {
    /// Only requests that stand there.
    pub status: Option<String>,
    /// Only requests of this instance.
    pub instance_id: Option<Uuid>,
    /// Only requests about this unit.
    pub unit_id: Option<Uuid>,
    /// Only requests that this one has taken on.
    pub assigned_to: Option<String>,
    /// Only requests of this kind.
    pub kind: Option<String>,
}

/// How many requests there are, and how long they took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterventionMetrics {
    /// How many there are.
    pub total: u64,
    /// How many stand where.
    pub by_status: BTreeMap<String, u64>,
    /// How many there are of each kind.
    pub by_kind: BTreeMap<String, u64>,
    /// How many there are of each priority.
    pub by_priority: BTreeMap<String, u64>,
    /// How long those that were answered took on average, in microseconds.
    pub mean_resolution_micros: Option<i64>,
    /// Who has answered how many: the ten who answered most.
    pub top: Vec<(String, u64)>,
}

/// So many names are in [`InterventionMetrics::top`].
pub(crate) const TOP: usize = 10;

impl InterventionRow {
    pub(crate) fn safe(mut self) -> InterventionRow {
        let texts = [
            &mut self.kind,
            &mut self.status,
            &mut self.priority,
            &mut self.title,
            &mut self.description,
            &mut self.required_role,
        ];
        make_safe(texts);
        let more = [&mut self.assigned_to, &mut self.action_by, &mut self.action_reason];
        make_safe(more.into_iter().flatten());
        self
    }

    /// How far in front it stands in lists. Words that are not known come last.
    pub(crate) fn rank(&self) -> i64 {
        const PRIORITIES: [&str; 4] = ["critical", "high", "normal", "low"];
        let rank = PRIORITIES.iter().position(|word| *word == self.priority);
        rank.unwrap_or(PRIORITIES.len()) as i64
    }
}

impl InterventionFilter {
    pub(crate) fn safe(mut self) -> InterventionFilter {
        let texts = [&mut self.status, &mut self.assigned_to, &mut self.kind];
        make_safe(texts.into_iter().flatten());
        self
    }
}

impl InterventionMetrics {
    /// Counts `count` requests that are alike.
    pub(crate) fn count(&mut self, status: String, kind: String, priority: String, count: u64) {
        self.total += count;
        *self.by_status.entry(status).or_default() += count;
        *self.by_kind.entry(kind).or_default() += count;
        *self.by_priority.entry(priority).or_default() += count;
    }
}
