//! A run as one file: everything that is known of it, to be looked at elsewhere. `docs/run-files.md`
//! says what is in it.
//!
//! The journal is all that is read back. How the run and its steps stand follows from it, here as
//! everywhere; the file says it too, for programs that know nothing of journals.

use anyhow::{anyhow, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::{Event, Fact};
use windlass_engine::{Definitions, Replay};
use windlass_store::{
    DefinitionRow, LogFilter, LogLevel, LogRow, LogStream, MemoryStore, NumberedEvent, RunRow,
    Store, StoreError, WorkflowRow,
};

use crate::api::log_line::LogLineBody;
use crate::api::run::RunBody;
use crate::api::step::read_steps;
use crate::app::PROJECT;
use crate::http::paging::{LIMIT_MAX, PAGE_BYTES_MAX};

/// What the first field of every such file says.
pub const FORMAT: &str = "windlass.run";
/// The newest form of such files, which is written. All forms up to it can be read.
pub const FORMAT_VERSION: u32 = 1;
/// Portions of a journal, of [`PAGE_BYTES_MAX`] each, that are held in memory at once.
const PORTION_COUNT_MAX: usize = 4;
/// Log lines in a file: the last ones.
const LINE_COUNT_MAX: u64 = 20_000;

/// A run as one file.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RunFile {
    /// `windlass.run`.
    pub format: String,
    /// Which form it has; 1 so far.
    pub format_version: u32,
    /// The version of Windlass that wrote it.
    pub windlass: String,
    /// When it was written, RFC 3339.
    pub exported_at: String,
    /// The definition it ran by; null if it is gone.
    pub definition: Option<FileDefinition>,
    /// The run, as `GET /api/v1/runs/{run}` answers it, with input and output.
    #[schema(value_type = RunBody)]
    pub run: Value,
    /// Its steps, as `/steps` lists them, with inputs and outputs.
    #[schema(value_type = Vec<crate::api::step::StepBody>)]
    pub steps: Vec<Value>,
    /// Its journal from the first event on, each as it was written: `at` in microseconds since 1970,
    /// `is` what happened.
    #[schema(value_type = Vec<Object>)]
    pub events: Vec<Event>,
    /// Its log lines, as `/logs` lists them; the last 20,000.
    #[schema(value_type = Vec<LogLineBody>)]
    pub logs: Vec<FileLine>,
}

/// The definition of a run.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FileDefinition {
    /// What it is for.
    pub description: Option<String>,
    /// What it is written in: `yaml` or `json`.
    pub format: String,
    /// The text as it was deployed.
    pub source: String,
    /// A hash of what the text says.
    pub content_hash: String,
    /// When it was deployed, RFC 3339.
    pub created_at: String,
}

/// A log line.
#[derive(Debug, Serialize, Deserialize)]
pub struct FileLine {
    /// Its number among the run's lines, from 1.
    pub log_seq: u64,
    /// When it was written, RFC 3339.
    pub at: String,
    /// The step that wrote it.
    pub path: String,
    /// The attempt that wrote it.
    pub attempt: u32,
    /// `stdout`, `stderr`, `system` or `log`.
    pub stream: String,
    /// The text.
    pub text: String,
    /// How serious it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
}

/// A journal from its first event up to `until`; `None` if it is too large to be held in memory.
///
/// # Errors
///
/// If the store cannot be read.
pub fn journal(
    store: &dyn Store,
    run_id: Uuid,
    until: u64,
) -> Result<Option<Vec<NumberedEvent>>, StoreError> {
    let mut events: Vec<NumberedEvent> = Vec::new();
    for _ in 0..PORTION_COUNT_MAX {
        let after = events.last().map_or(0, |event| event.seq);
        let wanted = usize::try_from(until - after).unwrap_or(usize::MAX);
        let page = store.events(run_id, after, wanted, PAGE_BYTES_MAX)?;
        events.extend(page.items);
        if !page.has_more || events.last().is_none_or(|event| event.seq >= until) {
            return Ok(Some(events));
        }
    }
    Ok(None)
}

/// The first events of a run, folded, as a store that has nothing else in it.
///
/// # Errors
///
/// If they are no journal.
pub fn store_of(project: &str, events: &[NumberedEvent]) -> Result<MemoryStore, StoreError> {
    let damaged = |what: &str| StoreError::Damaged(what.to_owned());
    let replay = Replay::of(events)
        .ok_or_else(|| damaged("the journal does not begin with the run's creation"))?;
    let store = MemoryStore::new();
    let conflicts = store.commit(0, &[replay.write(project, events)])?;
    if conflicts.is_empty() { Ok(store) } else { Err(damaged("the journal cannot be written")) }
}

/// Everything that is known of a run; `None` if it is too large to be taken whole.
///
/// # Errors
///
/// If the store cannot be read.
pub fn read(
    store: &dyn Store,
    definitions: &Definitions,
    row: &RunRow,
    now: Time,
) -> Result<Option<RunFile>, StoreError> {
    let run_id = row.run_id;
    // Everything else follows from the journal, so that all of it is of one moment.
    let Some(events) = journal(store, run_id, u64::MAX)? else { return Ok(None) };
    let folded = store_of(&row.project, &events)?;
    let Some(overview) = folded.overview(run_id, 0)? else { return Ok(None) };
    let definition = store.definition(row.definition_id)?;
    let plan = definitions.plan(row.definition_id).ok();
    let (mut steps, mut place) = (Vec::new(), None);
    loop {
        let (page, next) = read_steps(&folded, &overview.row, plan.as_deref(), place, LIMIT_MAX)?;
        steps.extend(page.iter().filter_map(|step| serde_json::to_value(step).ok()));
        place = next;
        if place.is_none() {
            break;
        }
    }
    let description = plan.as_deref().and_then(|plan| plan.description.clone());
    let run = RunBody::read(&folded, overview.row)?;
    Ok(Some(RunFile {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        windlass: env!("CARGO_PKG_VERSION").to_owned(),
        exported_at: now.to_string(),
        definition: definition.map(|row| FileDefinition {
            description,
            format: row.format,
            source: row.source,
            content_hash: row.content_hash,
            created_at: row.created_at.to_string(),
        }),
        run: serde_json::to_value(run).unwrap_or_default(),
        steps,
        events: events.into_iter().map(|numbered| numbered.event).collect(),
        logs: lines(store, run_id)?,
    }))
}

fn lines(store: &dyn Store, run_id: Uuid) -> Result<Vec<FileLine>, StoreError> {
    let last = store.overview(run_id, 0)?.map_or(0, |overview| overview.last_log_seq);
    let mut lines: Vec<FileLine> = Vec::new();
    let mut after = last.saturating_sub(LINE_COUNT_MAX);
    while after < last {
        let page = store.logs(run_id, after, &LogFilter::default(), LIMIT_MAX)?;
        let Some(end) = page.items.last() else { break };
        after = end.log_seq;
        lines.extend(page.items.into_iter().map(FileLine::from));
    }
    Ok(lines)
}

impl From<LogRow> for FileLine {
    fn from(row: LogRow) -> FileLine {
        let line = LogLineBody::from(row);
        FileLine {
            log_seq: line.log_seq,
            at: line.at,
            path: line.path,
            attempt: line.attempt,
            stream: line.stream.to_owned(),
            text: line.text,
            level: line.level.map(str::to_owned),
        }
    }
}

impl FileLine {
    fn row(self) -> anyhow::Result<LogRow> {
        let FileLine { log_seq, at, path, attempt, stream, text, level } = self;
        let at = time(&at)?;
        let stream = LogStream::parse(&stream).ok_or_else(|| anyhow!("`{stream}` is no stream"))?;
        let level = level.as_deref().and_then(LogLevel::parse);
        Ok(LogRow { log_seq, at, path, attempt, stream, text, level })
    }
}

fn time(text: &str) -> anyhow::Result<Time> {
    Time::parse(text).ok_or_else(|| anyhow!("`{text}` is no time"))
}

impl RunFile {
    /// Reads a file's text.
    ///
    /// # Errors
    ///
    /// If it is none of ours, of a newer form, or damaged. The message is for people.
    pub fn parse(text: &[u8]) -> anyhow::Result<RunFile> {
        let head: Head = serde_json::from_slice(text).map_err(|error| {
            anyhow!("this is no file that `windlass runs export` has written: {error}")
        })?;
        if head.format != FORMAT {
            bail!(
                "this is no file that `windlass runs export` has written, but a `{}`",
                head.format
            );
        }
        if head.format_version > FORMAT_VERSION {
            bail!(
                "the file has form {} and this version of Windlass reads up to {FORMAT_VERSION}; \
                 a newer one reads it",
                head.format_version
            );
        }
        serde_json::from_slice(text).map_err(|error| anyhow!("the file is damaged: {error}"))
    }

    /// The run in a store of its own, and its id.
    ///
    /// # Errors
    ///
    /// If what the file says makes no run.
    pub fn into_store(self) -> anyhow::Result<(MemoryStore, Uuid)> {
        let events = (1..).zip(self.events).map(|(seq, event)| NumberedEvent { seq, event });
        let events: Vec<NumberedEvent> = events.collect();
        let Some(Fact::RunCreated(created)) = events.first().map(|first| &first.event.fact) else {
            bail!("the file's journal does not begin with the run's creation");
        };
        let replay = Replay::of(&events).ok_or_else(|| anyhow!("the file has no journal"))?;
        let mut write = replay.write(PROJECT, &events);
        write.logs = self.logs.into_iter().map(FileLine::row).collect::<Result<_, _>>()?;
        let store = MemoryStore::new();
        if let Some(definition) = self.definition {
            let created_at = time(&definition.created_at)?;
            let workflow = WorkflowRow {
                workflow_id: created.workflow_id,
                project: PROJECT.to_owned(),
                name: created.workflow.clone(),
                version: created.version,
                definition_id: created.definition_id,
                description: definition.description,
                created_at,
                updated_at: created_at,
                pause: None,
            };
            let definition = DefinitionRow {
                definition_id: created.definition_id,
                workflow_id: created.workflow_id,
                version: created.version,
                format: definition.format,
                source: definition.source,
                content_hash: definition.content_hash,
                created_at,
            };
            store.put_definition(workflow, definition);
        }
        store.commit(0, &[write])?;
        Ok((store, created.run_id))
    }
}

/// The fields by which a file is known.
#[derive(Deserialize)]
struct Head {
    format: String,
    format_version: u32,
}
