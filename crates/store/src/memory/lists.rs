use std::cmp::Reverse;
use std::collections::BTreeMap;

use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::RunStatus;

use super::{Data, Run};
use crate::message::{Message, MessageKey};
use crate::rows::{
    Admission, AskKey, AskRow, DefinitionRow, NumberedEvent, Page, RunFilter, RunPage, RunRow,
    StepRow, Taken, TimerRow, UsageFilter, UsageRow, WorkflowRow,
};
use crate::text::nul_safe;

impl Data {
    /// What models have taken, summed over runs.
    pub(super) fn list_usage(
        &self,
        project: &str,
        filter: &UsageFilter,
        limit: usize,
    ) -> Vec<UsageRow> {
        let mut sums: BTreeMap<_, UsageRow> = BTreeMap::new();
        for row in self.usage.values() {
            let is_wanted = row.project == project
                && (filter.from_day..=filter.to_day).contains(&row.day)
                && filter.workflow.as_ref().is_none_or(|workflow| *workflow == row.workflow);
            if !is_wanted {
                continue;
            }
            let UsageRow { day, workflow, node, provider, model, .. } = row.clone();
            let hour = filter.by_hour.then(|| row.first_at.micros().div_euclid(3_600_000_000));
            let sum = sums.entry((Reverse(day), Reverse(hour), workflow, node, provider, model));
            let sum = sum.or_insert_with(|| UsageRow {
                run_id: Uuid::nil(),
                taken: Taken::default(),
                ..row.clone()
            });
            sum.first_at = sum.first_at.min(row.first_at);
            sum.taken += row.taken;
        }
        sums.into_values().take(limit).collect()
    }

    pub(super) fn by_name<'a>(&'a self, project: &'a str, name: &str) -> Option<&'a WorkflowRow> {
        self.live_workflows(project).find(|workflow| workflow.name == name)
    }

    pub(super) fn find_workflow<'a>(
        &'a self,
        project: &'a str,
        word: &str,
    ) -> Option<&'a WorkflowRow> {
        let id = Uuid::parse_str(word).ok();
        self.live_workflows(project)
            .find(|workflow| Some(workflow.workflow_id) == id)
            .or_else(|| self.by_name(project, word))
    }

    pub(super) fn list_workflows(
        &self,
        project: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Page<WorkflowRow> {
        let mut found: Vec<WorkflowRow> = self
            .live_workflows(project)
            .filter(|workflow| workflow.name.as_str() > after.unwrap_or(""))
            .cloned()
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        page(found, limit)
    }

    fn live_workflows<'a>(&'a self, project: &'a str) -> impl Iterator<Item = &'a WorkflowRow> {
        self.workflows
            .values()
            .filter(move |(workflow, deleted)| workflow.project == project && deleted.is_none())
            .map(|(workflow, _)| workflow)
    }

    pub(super) fn list_versions(
        &self,
        workflow_id: Uuid,
        before: Option<u32>,
        limit: usize,
    ) -> Page<DefinitionRow> {
        let mut found: Vec<DefinitionRow> = self
            .definitions
            .values()
            .filter(|row| row.workflow_id == workflow_id)
            .filter(|row| before.is_none_or(|before| row.version < before))
            .cloned()
            .collect();
        found.sort_by_key(|row| Reverse(row.version));
        page(found, limit)
    }

    pub(super) fn by_external_id(&self, project: &str, external_id: &str) -> Option<&Run> {
        self.runs.values().find(|run| {
            run.row.project == project && run.row.external_id.as_deref() == Some(external_id)
        })
    }

    pub(super) fn find_run(&self, project: &str, word: &str) -> Option<&Run> {
        let by_id = Uuid::parse_str(word).ok().and_then(|id| self.runs.get(&id));
        by_id
            .filter(|run| run.row.project == project)
            .or_else(|| self.by_external_id(project, word))
    }

    pub(super) fn find_called(&self, project: &str, names: &[String]) -> Vec<(String, Uuid)> {
        let run = |name: &String| {
            let run = self.by_external_id(project, name)?;
            Some((name.clone(), run.row.run_id))
        };
        names.iter().filter_map(run).collect()
    }

    pub(super) fn list_runs(
        &self,
        project: &str,
        filter: &RunFilter,
        before: Option<Uuid>,
        limit: usize,
    ) -> RunPage {
        let text = filter.text.as_deref();
        let rest = || {
            self.runs
                .values()
                .rev()
                .map(|run| &run.row)
                .filter(|row| row.project == project)
                .filter(|row| before.is_none_or(|before| row.run_id < before))
                .filter(|row| shows(filter, row))
                .filter(|row| !filter.is_unrepeated || !self.is_repeated(row.run_id))
        };
        let each_status = match filter.statuses.as_slice() {
            [] => RunStatus::ALL.chunks(RunStatus::ALL.len()).collect::<Vec<_>>(),
            some => some.chunks(1).collect(),
        };
        let most = filter.look_at_most.filter(|_| text.is_some());
        let given_up = most.and_then(|most| {
            let last = |statuses: &[RunStatus]| {
                let mut of_status = rest().filter(|row| statuses.contains(&row.status));
                of_status.nth(most.saturating_sub(1)).map(|row| row.run_id)
            };
            each_status.iter().filter_map(|statuses| last(statuses)).max()
        });
        let found = rest().filter(|row| text.is_none_or(|text| has_text(row, text)));
        RunPage::cut(found.take(limit.saturating_add(1)).cloned().collect(), limit, given_up)
    }

    fn is_repeated(&self, run_id: Uuid) -> bool {
        self.runs.values().any(|run| run.row.rerun_of == Some(run_id))
    }

    pub(super) fn orphans(&self, epoch: i64, after: Option<Uuid>, limit: usize) -> Vec<Uuid> {
        let open = |status| matches!(status, RunStatus::Queued | RunStatus::Running);
        self.runs
            .values()
            .map(|run| &run.row)
            .filter(|row| open(row.status) && row.owner < epoch)
            .map(|row| row.run_id)
            .filter(|run_id| after.is_none_or(|after| *run_id > after))
            .take(limit)
            .collect()
    }

    pub(super) fn list_admissions(&self, after: Option<Uuid>, limit: usize) -> Page<Admission> {
        let in_line = self
            .runs
            .values()
            .map(|run| &run.row)
            .filter(|row| !row.status.is_terminal())
            .filter(|row| row.status == RunStatus::Queued || row.concurrency.is_some())
            .filter(|row| after.is_none_or(|after| row.run_id > after))
            .map(|row| Admission {
                run_id: row.run_id,
                project: row.project.clone(),
                workflow_id: row.workflow_id,
                concurrency: row.concurrency.clone(),
                priority: row.priority,
                has_started: row.started_at.is_some(),
            });
        page(in_line.take(limit.saturating_add(1)).collect(), limit)
    }

    pub(super) fn list_messages(
        &self,
        after: Option<(Time, MessageKey)>,
        limit: usize,
    ) -> Page<Message> {
        let place = |message: &Message| (message.created_at, message.key());
        let mut found: Vec<Message> = self
            .messages
            .values()
            .filter(|message| after.as_ref().is_none_or(|after| place(message) > *after))
            .cloned()
            .collect();
        found.sort_by_key(place);
        page(found, limit)
    }

    pub(super) fn list_asks(
        &self,
        project: &str,
        kind: &str,
        name: Option<&str>,
        after: Option<&AskKey>,
        limit: usize,
    ) -> Page<AskRow> {
        let name = name.map(nul_safe);
        let asks = self.runs.values().flat_map(|run| run.asks.values());
        let mut found: Vec<AskRow> = asks
            .filter(|ask| ask.project == project && ask.kind == kind)
            .filter(|ask| name.as_ref().is_none_or(|name| ask.name == **name))
            .filter(|ask| after.is_none_or(|after| ask.key() > *after))
            .cloned()
            .collect();
        found.sort_by_key(AskRow::key);
        page(found, limit)
    }

    pub(super) fn due_timers(&self, until: Time, limit: usize) -> Vec<TimerRow> {
        let mut due: Vec<TimerRow> = self
            .runs
            .iter()
            .flat_map(|(run_id, run)| {
                run.timers.iter().map(|(path, due_at)| TimerRow {
                    due_at: *due_at,
                    run_id: *run_id,
                    path: path.clone(),
                })
            })
            .filter(|timer| timer.due_at <= until)
            .collect();
        due.sort();
        due.truncate(limit);
        due
    }

    pub(super) fn list_steps(
        &self,
        run_id: Uuid,
        after: Option<u32>,
        limit: usize,
    ) -> Page<StepRow> {
        let steps = self.runs.get(&run_id).into_iter().flat_map(|run| run.steps.values());
        let behind = steps.filter(|step| after.is_none_or(|after| step.ordinal > after));
        page(behind.take(limit.saturating_add(1)).cloned().collect(), limit)
    }

    /// The texts are as long as in a database, but they are not cut into chunks: the page may end
    /// at another event. Only that it ends, and goes on from there, is promised.
    pub(super) fn list_events(
        &self,
        run_id: Uuid,
        after: u64,
        limit: usize,
        bytes_max: usize,
    ) -> Page<NumberedEvent> {
        let mut page = Page { items: Vec::new(), has_more: false };
        let mut bytes = 0;
        let events = self.runs.get(&run_id).into_iter().flat_map(|run| &run.events);
        for event in events.filter(|event| event.seq > after) {
            if page.items.len() >= limit || bytes >= bytes_max {
                page.has_more = true;
                break;
            }
            bytes += serde_json::to_string(&event.event).map_or(0, |text| text.len());
            page.items.push(event.clone());
        }
        page
    }
}

fn has_text(row: &RunRow, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let error = row.error.as_ref().map(serde_json::to_string);
    let error = error.and_then(Result::ok).unwrap_or_default();
    let id = row.run_id.to_string();
    let external_id = row.external_id.as_deref().unwrap_or("");
    [row.workflow.as_str(), &id, external_id, &error]
        .iter()
        .any(|place| place.to_ascii_lowercase().contains(&text))
}

/// Whether a run is what a filter shows, but for its text.
fn shows(filter: &RunFilter, row: &RunRow) -> bool {
    (filter.statuses.is_empty() || filter.statuses.contains(&row.status))
        && filter.workflow_id.is_none_or(|id| row.workflow_id == id)
        && filter.parent.is_none_or(|id| row.parent.as_ref().is_some_and(|it| it.run_id == id))
        && filter.labels.iter().all(|(key, value)| row.labels.get(key) == Some(value))
        && filter.created_after.is_none_or(|after| row.created_at >= after)
        && filter.created_before.is_none_or(|before| row.created_at < before)
}

pub(super) fn page<T>(mut items: Vec<T>, limit: usize) -> Page<T> {
    let has_more = items.len() > limit;
    items.truncate(limit);
    Page { items, has_more }
}
