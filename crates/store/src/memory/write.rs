use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::Event;

use super::{Data, Run};
use crate::error::StoreError;
use crate::rows::{
    AskRow, DefinitionRow, KeyRow, NumberedEvent, Pause, RunRow, StepRow, UsageRow, WorkflowRow,
};
use crate::text::nul_safe;
use crate::write::{Chunk, Conflict, Deploy, Deployed, NewRun, RunWrite, Standing, expired_at};

impl Data {
    pub(super) fn write_run(
        &mut self,
        epoch: i64,
        write: &RunWrite,
    ) -> Result<Option<Conflict>, StoreError> {
        if write.is_only_messages() {
            self.exchange_messages(write);
            return Ok(None);
        }
        let events = parse(&write.chunks)?;
        if let Some(conflict) = self.conflict(write) {
            return Ok(Some(conflict));
        }
        if let (Some(new), Some(standing)) = (&write.create, &write.standing) {
            self.create_run(epoch, write, new, standing);
        }
        let Some(run) = self.runs.get_mut(&write.run_id) else {
            return Ok(Some(Conflict::Changed));
        };
        if let Some(standing) = write.standing.clone() {
            run.row = RunRow {
                status: standing.status,
                reason: standing.reason,
                error: standing.error,
                started_at: standing.started_at,
                finished_at: standing.finished_at,
                last_seq: standing.last_seq,
                counts: standing.counts,
                owner: epoch,
                ..run.row.clone()
            };
        }
        if let Some(to) = &write.renamed {
            run.row.workflow_id = to.workflow_id;
            run.row.workflow.clone_from(&to.workflow);
            run.row.version = to.version;
            run.row.definition_id = to.definition_id;
        }
        run.row.labels.extend(write.labels_set.clone());
        run.events.extend(events);
        for step in &write.new_steps {
            run.steps.insert(step.ordinal, step.clone());
        }
        for step in &write.changed_steps {
            let Some(earlier) = run.steps.get(&step.ordinal).cloned() else { continue };
            let changed = StepRow {
                path: earlier.path,
                kind: earlier.kind,
                queued_at: step.queued_at.or(earlier.queued_at),
                input_seq: step.input_seq.or(earlier.input_seq),
                end_seq: step.end_seq.or(earlier.end_seq),
                ..step.clone()
            };
            run.steps.insert(step.ordinal, changed);
        }
        run.timers.extend(write.timers_set.iter().cloned());
        for path in &write.timers_cleared {
            run.timers.remove(path);
        }
        for path in &write.asks_cleared {
            run.asks.remove(path);
        }
        run.asks.extend(write.asks_set.iter().map(|ask| {
            let name = nul_safe(&ask.name).into_owned();
            (ask.path.clone(), AskRow { name, ..ask.clone() })
        }));
        if write.snapshot.is_some() || write.drop_snapshot {
            run.snapshot.clone_from(&write.snapshot);
        }
        self.add_logs(write.run_id, &write.logs);
        for row in &write.cached {
            self.cache.insert((row.project.clone(), row.key.clone()), row.clone());
        }
        self.add_usage(&write.usage);
        self.tokens.write(write)?;
        self.exchange_messages(write);
        Ok(None)
    }

    fn add_usage(&mut self, rows: &[UsageRow]) {
        for row in rows {
            let UsageRow { run_id, day, node, provider, model, .. } = row.clone();
            let known = self.usage.entry((run_id, day, node, provider, model));
            known.and_modify(|known| known.taken += row.taken).or_insert_with(|| row.clone());
        }
    }

    pub(super) fn prune_usage(&mut self, before_day: i64, limit: usize) -> usize {
        let old = self.usage.iter().filter(|(_, row)| row.day < before_day);
        let old: Vec<_> = old.map(|(place, _)| place.clone()).take(limit).collect();
        for place in &old {
            self.usage.remove(place);
        }
        old.len()
    }

    fn exchange_messages(&mut self, write: &RunWrite) {
        for key in &write.received {
            self.messages.remove(key);
        }
        for message in &write.messages {
            self.messages.entry(message.key()).or_insert_with(|| message.clone());
        }
    }

    fn conflict(&self, write: &RunWrite) -> Option<Conflict> {
        let Some(new) = &write.create else {
            let ends_at = self.runs.get(&write.run_id).map_or(0, Run::last_seq);
            return (ends_at != write.after_seq).then_some(Conflict::Changed);
        };
        if let Some(key) = &new.key {
            let place = (new.project.clone(), key.route.clone(), key.key.clone());
            let found = self.keys.get(&place);
            let found = found.filter(|(_, used_at)| *used_at > expired_at(new.created_at));
            if let Some((row, _)) = found {
                let KeyRow { run_id, request_hash } = row.clone();
                return Some(Conflict::KeyTaken { run_id, request_hash });
            }
        }
        if let Some(external_id) = &new.external_id
            && let Some(run) = self.by_external_id(&new.project, external_id)
        {
            return Some(Conflict::ExternalIdTaken { run_id: run.row.run_id });
        }
        self.runs.contains_key(&write.run_id).then_some(Conflict::Changed)
    }

    fn create_run(&mut self, epoch: i64, write: &RunWrite, new: &NewRun, standing: &Standing) {
        let row = RunRow {
            run_id: write.run_id,
            project: new.project.clone(),
            workflow_id: new.workflow_id,
            workflow: new.workflow.clone(),
            version: new.version,
            definition_id: new.definition_id,
            status: standing.status,
            reason: None,
            error: None,
            labels: new.labels.clone(),
            external_id: new.external_id.clone(),
            rerun_of: new.rerun_of,
            parent: new.parent.clone(),
            concurrency: new.concurrency.clone(),
            priority: new.priority,
            created_by: new.created_by.as_deref().map(|by| nul_safe(by).into_owned()),
            created_at: new.created_at,
            started_at: None,
            finished_at: None,
            last_seq: 0,
            counts: standing.counts.clone(),
            owner: epoch,
        };
        let run = Run {
            row,
            events: Vec::new(),
            steps: Default::default(),
            timers: Default::default(),
            asks: Default::default(),
            snapshot: None,
            logs: Vec::new(),
        };
        self.runs.insert(write.run_id, run);
        if let Some(key) = &new.key {
            let place = (new.project.clone(), key.route.clone(), key.key.clone());
            let row = KeyRow { run_id: write.run_id, request_hash: key.request_hash.clone() };
            self.keys.insert(place, (row, new.created_at));
        }
    }

    pub(super) fn deploy(&mut self, deploy: &Deploy) -> Deployed {
        let current = self.by_name(&deploy.project, &deploy.name).cloned();
        let current_version = current.as_ref().map_or(0, |current| current.version);
        if deploy.expected_version.is_some_and(|expected| expected != current_version) {
            return Deployed::VersionMismatch { current: current_version };
        }
        if let Some(current) = &current {
            let newest = self.definitions.get(&current.definition_id);
            if newest.is_some_and(|newest| newest.content_hash == deploy.content_hash) {
                return Deployed::Same(current.clone());
            }
        }
        let workflow = WorkflowRow {
            workflow_id: current
                .as_ref()
                .map_or(deploy.new_workflow_id, |current| current.workflow_id),
            project: deploy.project.clone(),
            name: deploy.name.clone(),
            version: current_version + 1,
            definition_id: deploy.new_definition_id,
            description: deploy.description.clone(),
            created_at: current.as_ref().map_or(deploy.now, |current| current.created_at),
            updated_at: deploy.now,
            pause: current.as_ref().and_then(|current| current.pause.clone()),
        };
        let definition = DefinitionRow {
            definition_id: deploy.new_definition_id,
            workflow_id: workflow.workflow_id,
            version: workflow.version,
            format: deploy.format.clone(),
            source: deploy.source.clone(),
            content_hash: deploy.content_hash.clone(),
            created_at: deploy.now,
        };
        self.definitions.insert(definition.definition_id, definition);
        self.workflows.insert(workflow.workflow_id, (workflow.clone(), None));
        Deployed::New(workflow)
    }

    pub(super) fn pause_workflow(
        &mut self,
        workflow_id: Uuid,
        pause: Option<&Pause>,
    ) -> Option<WorkflowRow> {
        let (workflow, deleted_at) = self.workflows.get_mut(&workflow_id)?;
        if deleted_at.is_some() {
            return None;
        }
        let safe = |pause: &Pause| Pause {
            at: pause.at,
            by: nul_safe(&pause.by).into_owned(),
            reason: pause.reason.as_deref().map(|reason| nul_safe(reason).into_owned()),
        };
        workflow.pause = pause.map(safe);
        Some(workflow.clone())
    }

    pub(super) fn prune_cache(&mut self, now: Time, limit: usize) -> usize {
        let old = self.cache.iter().filter(|(_, row)| row.expires_at <= now);
        let mut old: Vec<_> = old.map(|(place, row)| (row.expires_at, place.clone())).collect();
        old.sort();
        old.truncate(limit);
        for (_, place) in &old {
            self.cache.remove(place);
        }
        old.len()
    }

    pub(super) fn prune_keys(&mut self, before: Time, limit: usize) -> usize {
        let mut old: Vec<_> = self
            .keys
            .iter()
            .filter(|(_, (_, used_at))| *used_at < before)
            .map(|(place, (_, used_at))| (*used_at, place.clone()))
            .collect();
        old.sort();
        old.truncate(limit);
        for (_, place) in &old {
            self.keys.remove(place);
        }
        old.len()
    }
}

fn parse(chunks: &[Chunk]) -> Result<Vec<NumberedEvent>, StoreError> {
    let mut parsed = Vec::new();
    for chunk in chunks {
        let events: Vec<Event> = serde_json::from_str(&chunk.body)
            .map_err(|error| StoreError::Damaged(error.to_string()))?;
        parsed.extend(
            (chunk.first_seq..).zip(events).map(|(seq, event)| NumberedEvent { seq, event }),
        );
    }
    Ok(parsed)
}
