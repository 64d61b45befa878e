//! The commit path: a group of runs in one transaction, table by table.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::read::Columns;
use super::waves::{Writing, waves};
use super::{
    Connection, Driver, IdText, SqlError, SqlStore, Statement, Value, asks, blobs, cache,
    interventions, journal, labels, logs, memories, messages, renamed, steps, tasks, timers,
    to_json, units, usage,
};
use crate::error::StoreError;
use crate::text::nul_safe;
use crate::write::{Conflict, NewRun, RunWrite, Standing, expired_at};

static NEWER_EPOCH: Statement = Statement::new("SELECT epoch FROM server WHERE epoch > $1 LIMIT 1");

static SAVE: Statement = Statement::new("SAVEPOINT one_run");
static FORGET: Statement = Statement::new("ROLLBACK TO one_run");
static KEEP: Statement = Statement::new("RELEASE one_run");

static FIND_KEY: Statement = Statement::new(
    "SELECT run_id, request_hash FROM idempotency_key
      WHERE project = $1 AND route = $2 AND key = $3 AND used_at > $4",
);

/// One that is there still has had its time.
static INSERT_KEY: Statement = Statement::new(
    "INSERT INTO idempotency_key (project, route, key, request_hash, run_id, used_at)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (project, route, key) DO UPDATE
        SET request_hash = excluded.request_hash, run_id = excluded.run_id,
            used_at = excluded.used_at",
);

static FIND_EXTERNAL_ID: Statement =
    Statement::new("SELECT run_id FROM run WHERE project = $1 AND external_id = $2");

static INSERT_RUN: Statement = Statement::new(
    "INSERT INTO run (run_id, project, workflow_id, workflow, version, definition_id, status,
                      reason, error, labels, external_id, rerun_of, parent_run_id, parent_step,
                      depth, concurrency_key, concurrency_limit, priority, created_by,
                      created_at, started_at, finished_at, last_seq, counts, owner)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
             $20, $21, $22, $23, $24, $25)",
);

static UPDATE_RUN: Statement = Statement::new(
    "UPDATE run SET status = $1, reason = $2, error = $3, started_at = $4, finished_at = $5,
                    last_seq = $6, counts = $7, owner = $8
      WHERE run_id = $9",
);

/// Why runs were not written, with their places.
type Conflicts = Vec<(usize, Conflict)>;

impl<D: Driver> SqlStore<D> {
    pub(super) fn write_group(
        &self,
        epoch: i64,
        group: &[RunWrite],
    ) -> Result<Conflicts, StoreError> {
        let filed = blobs::Filed::of(self.0.blobs(), group)?;
        let all_at_once = self.0.write(|connection| {
            prove_epoch(connection, epoch)?;
            let mut conflicts = Vec::new();
            for (first, wave) in waves(group) {
                let refused = write_wave(connection, epoch, wave, &filed)?;
                conflicts.extend(refused.into_iter().map(|(place, it)| (first + place, it)));
            }
            Ok(conflicts)
        });
        match all_at_once {
            // Some run broke a rule nobody expected it to break. It must not fail its neighbours.
            Err(SqlError::Constraint(_)) => self.write_one_by_one(epoch, group, &filed),
            Err(SqlError::Store(error)) => Err(error),
            Ok(conflicts) => Ok(conflicts),
        }
    }

    fn write_one_by_one(
        &self,
        epoch: i64,
        group: &[RunWrite],
        filed: &blobs::Filed<'_>,
    ) -> Result<Conflicts, StoreError> {
        let result = self.0.write(|connection| {
            prove_epoch(connection, epoch)?;
            let mut conflicts = Vec::new();
            for (place, run) in group.iter().enumerate() {
                connection.execute(&SAVE, &[])?;
                let written = write_wave(connection, epoch, std::slice::from_ref(run), filed);
                match written.and_then(|refused| connection.flush().map(|()| refused)) {
                    Ok(refused) => conflicts.extend(refused.into_iter().map(|(_, it)| (place, it))),
                    Err(SqlError::Constraint(message)) => {
                        connection.execute(&FORGET, &[])?;
                        conflicts.push((place, Conflict::Refused(message)));
                    }
                    Err(error) => return Err(error),
                }
                connection.execute(&KEEP, &[])?;
            }
            Ok(conflicts)
        });
        result.map_err(StoreError::from)
    }
}

pub(super) fn prove_epoch(connection: &mut impl Connection, epoch: i64) -> Result<(), SqlError> {
    let mut newer = false;
    connection.query(&NEWER_EPOCH, &[epoch.into()], &mut |_| {
        newer = true;
        Ok(())
    })?;
    if newer { Err(StoreError::Fenced.into()) } else { Ok(()) }
}

/// Writes the runs of a wave, table by table. Answers which of them were not written, and why.
fn write_wave(
    connection: &mut impl Connection,
    epoch: i64,
    wave: &[RunWrite],
    filed: &blobs::Filed<'_>,
) -> Result<Conflicts, SqlError> {
    let (about_runs, mut about_messages): (Vec<_>, Vec<_>) = wave
        .iter()
        .enumerate()
        .map(|(place, run)| Writing::new(place, run))
        .partition(|writing| !writing.run.is_only_messages());
    let (runs, conflicts) = without_conflicts(connection, about_runs)?;
    create_runs(connection, epoch, &runs)?;
    journal::insert_chunks(connection, &runs, filed)?;
    blobs::insert_refs(connection, &runs, filed)?;
    update_runs(connection, epoch, &runs)?;
    renamed::write(connection, &runs)?;
    labels::set(connection, &runs)?;
    steps::insert(connection, &runs)?;
    steps::update(connection, &runs)?;
    timers::set(connection, &runs)?;
    timers::clear(connection, &runs)?;
    asks::clear(connection, &runs)?;
    asks::set(connection, &runs)?;
    cache::put(connection, &runs)?;
    usage::add(connection, &runs)?;
    units::put(connection, &runs)?;
    tasks::clear(connection, &runs)?;
    tasks::set(connection, &runs)?;
    interventions::put(connection, &runs)?;
    memories::learn(connection, &runs)?;
    journal::replace_snapshots(connection, &runs)?;
    logs::insert(connection, &runs)?;
    about_messages.extend(runs);
    about_messages.sort_by_key(|writing| writing.place);
    messages::exchange(connection, &about_messages)?;
    Ok(conflicts)
}

/// Parts the runs that can be written from those that cannot.
fn without_conflicts<'a>(
    connection: &mut impl Connection,
    runs: Vec<Writing<'a>>,
) -> Result<(Vec<Writing<'a>>, Conflicts), SqlError> {
    let mut found: Vec<Option<Conflict>> = vec![None; runs.len()];
    // The optimistic lock: nothing is written unless the run ends where the writer thinks it does.
    for (place, last_seq) in journal::last_seqs(connection, &runs)?.into_iter().enumerate() {
        let expected = if runs[place].run.create.is_some() { 0 } else { runs[place].run.after_seq };
        if last_seq != expected {
            found[place] = Some(Conflict::Changed);
        }
    }
    find_taken(connection, &runs, &mut found)?;
    let (mut fits, mut conflicts) = (Vec::with_capacity(runs.len()), Vec::new());
    for (writing, conflict) in runs.into_iter().zip(found) {
        match conflict {
            None => fits.push(writing),
            Some(conflict) => conflicts.push((writing.place, conflict)),
        }
    }
    Ok((fits, conflicts))
}

/// Looks for external ids and keys that another run has. A key counts for more.
fn find_taken(
    connection: &mut impl Connection,
    runs: &[Writing<'_>],
    found: &mut [Option<Conflict>],
) -> Result<(), SqlError> {
    let new: Vec<(usize, &NewRun)> = runs
        .iter()
        .enumerate()
        .filter_map(|(place, writing)| Some((place, writing.run.create.as_ref()?)))
        .collect();
    let named = new.iter().filter_map(|(at, new)| Some((*at, new, new.external_id.as_ref()?)));
    let named: Vec<_> = named.collect();
    let rows = named.iter().map(|(_, new, name)| [(&new.project).into(), (*name).into()]);
    connection.query_many(&FIND_EXTERNAL_ID, rows, &mut |at, row| {
        let run_id = Columns::of(row).id()?;
        found[named[at].0] = Some(Conflict::ExternalIdTaken { run_id });
        Ok(())
    })?;
    let keyed = new.iter().filter_map(|(at, new)| Some((*at, new, new.key.as_ref()?)));
    let keyed: Vec<_> = keyed.collect();
    let rows = keyed.iter().map(|(_, new, key)| {
        let expired = expired_at(new.created_at);
        [(&new.project).into(), (&key.route).into(), (&key.key).into(), expired.into()]
    });
    connection.query_many(&FIND_KEY, rows, &mut |at, row| {
        let mut columns = Columns::of(row);
        let (run_id, request_hash) = (columns.id()?, columns.text()?);
        found[keyed[at].0] = Some(Conflict::KeyTaken { run_id, request_hash });
        Ok(())
    })
}

/// The texts of a new run that are not at hand as they are written.
struct NewTexts<'a> {
    writing: &'a Writing<'a>,
    new: &'a NewRun,
    standing: &'a Standing,
    workflow_id: IdText,
    definition_id: IdText,
    rerun_of: Option<IdText>,
    parent_id: Option<IdText>,
    labels: Cow<'a, BTreeMap<String, String>>,
    labels_text: Option<String>,
    error: Option<String>,
    counts: String,
    created_by: Option<Cow<'a, str>>,
}

impl<'a> NewTexts<'a> {
    fn of(writing: &'a Writing<'a>, new: &'a NewRun) -> Result<NewTexts<'a>, SqlError> {
        let Some(standing) = &writing.run.standing else {
            let message = "a run is created with where it stands".to_owned();
            return Err(SqlError::Constraint(message));
        };
        let mut labels = Cow::Borrowed(&new.labels);
        if !writing.run.labels_set.is_empty() {
            labels.to_mut().extend(writing.run.labels_set.clone());
        }
        Ok(NewTexts {
            writing,
            new,
            standing,
            workflow_id: IdText::of(new.workflow_id),
            definition_id: IdText::of(new.definition_id),
            rerun_of: new.rerun_of.map(IdText::of),
            parent_id: new.parent.as_ref().map(|parent| IdText::of(parent.run_id)),
            labels_text: (!labels.is_empty()).then(|| to_json(&labels)),
            labels,
            error: standing.error.as_ref().map(to_json),
            counts: to_json(&standing.counts),
            created_by: new.created_by.as_deref().map(nul_safe),
        })
    }

    fn row(&self, epoch: i64) -> [Value<'_>; 25] {
        let NewTexts { new, standing, .. } = self;
        let (parent, slot) = (new.parent.as_ref(), new.concurrency.as_ref());
        [
            self.writing.id.value(),
            (&new.project).into(),
            self.workflow_id.value(),
            (&new.workflow).into(),
            new.version.into(),
            self.definition_id.value(),
            standing.status.as_str().into(),
            standing.reason.as_deref().into(),
            self.error.as_deref().into(),
            self.labels_text.as_deref().into(),
            new.external_id.as_deref().into(),
            self.rerun_of.as_ref().map_or(Value::Null, IdText::value),
            self.parent_id.as_ref().map_or(Value::Null, IdText::value),
            parent.map(|parent| parent.step.as_str()).into(),
            parent.map(|parent| parent.depth).into(),
            slot.map(|slot| slot.key.as_str()).into(),
            slot.map(|slot| slot.limit).into(),
            new.priority.into(),
            self.created_by.as_deref().into(),
            new.created_at.into(),
            standing.started_at.into(),
            standing.finished_at.into(),
            standing.last_seq.into(),
            (&self.counts).into(),
            epoch.into(),
        ]
    }
}

fn create_runs(
    connection: &mut impl Connection,
    epoch: i64,
    runs: &[Writing<'_>],
) -> Result<(), SqlError> {
    let created = runs.iter().filter_map(|writing| Some((writing, writing.run.create.as_ref()?)));
    let texts = created.map(|(writing, new)| NewTexts::of(writing, new));
    let texts = texts.collect::<Result<Vec<_>, _>>()?;
    connection.execute_many(&INSERT_RUN, texts.iter().map(|texts| texts.row(epoch)))?;
    let labels = texts.iter().flat_map(|texts| {
        texts.labels.iter().map(|(key, value)| {
            let id = texts.writing.id.value();
            [(&texts.new.project).into(), key.into(), value.into(), id]
        })
    });
    labels::insert(connection, labels)?;
    let keys = texts.iter().filter_map(|texts| {
        let key = texts.new.key.as_ref()?;
        Some([
            (&texts.new.project).into(),
            (&key.route).into(),
            (&key.key).into(),
            (&key.request_hash).into(),
            texts.writing.id.value(),
            texts.new.created_at.into(),
        ])
    });
    connection.execute_many(&INSERT_KEY, keys)
}

fn update_runs(
    connection: &mut impl Connection,
    epoch: i64,
    runs: &[Writing<'_>],
) -> Result<(), SqlError> {
    let texts: Vec<_> = runs
        .iter()
        .filter(|writing| writing.run.create.is_none())
        .filter_map(|writing| Some((writing, writing.run.standing.as_ref()?)))
        .map(|(writing, standing)| {
            let error = standing.error.as_ref().map(to_json);
            (writing, standing, error, to_json(&standing.counts))
        })
        .collect();
    let rows = texts.iter().map(|(writing, standing, error, counts)| {
        [
            standing.status.as_str().into(),
            standing.reason.as_deref().into(),
            error.as_deref().into(),
            standing.started_at.into(),
            standing.finished_at.into(),
            standing.last_seq.into(),
            counts.into(),
            epoch.into(),
            writing.id.value(),
        ]
    });
    connection.execute_many(&UPDATE_RUN, rows)
}
