//! The commit path: a group of runs in one transaction.

use uuid::Uuid;

use super::read::Columns;
use super::{
    Connection, Driver, IdText, SqlError, SqlStore, Statement, Value, journal, messages, steps,
    timers, to_json,
};
use crate::error::StoreError;
use crate::text::nul_safe;
use crate::write::{Conflict, IdempotencyKey, NewRun, RunWrite, expired_at};

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
             $20, $21, $22, $23, $24, $25)
     ON CONFLICT (run_id) DO NOTHING",
);

static INSERT_LABEL: Statement =
    Statement::new("INSERT INTO run_label (project, key, value, run_id) VALUES ($1, $2, $3, $4)");

static UPDATE_RUN: Statement = Statement::new(
    "UPDATE run SET status = $1, reason = $2, error = $3, started_at = $4, finished_at = $5,
                    last_seq = $6, counts = $7, owner = $8
      WHERE run_id = $9",
);

impl<D: Driver> SqlStore<D> {
    pub(super) fn write_group(
        &self,
        epoch: i64,
        group: &[RunWrite],
    ) -> Result<Vec<(usize, Conflict)>, StoreError> {
        let all_at_once = self.0.write(|connection| {
            prove_epoch(connection, epoch)?;
            let mut conflicts = Vec::new();
            for (place, run) in group.iter().enumerate() {
                if let Some(conflict) = write_run(connection, epoch, run)? {
                    conflicts.push((place, conflict));
                }
            }
            Ok(conflicts)
        });
        match all_at_once {
            // Some run broke a rule nobody expected it to break. It must not fail its neighbours.
            Err(SqlError::Constraint(_)) => self.write_one_by_one(epoch, group),
            Err(SqlError::Store(error)) => Err(error),
            Ok(conflicts) => Ok(conflicts),
        }
    }

    fn write_one_by_one(
        &self,
        epoch: i64,
        group: &[RunWrite],
    ) -> Result<Vec<(usize, Conflict)>, StoreError> {
        let result = self.0.write(|connection| {
            prove_epoch(connection, epoch)?;
            let mut conflicts = Vec::new();
            for (place, run) in group.iter().enumerate() {
                connection.execute(&SAVE, &[])?;
                match write_run(connection, epoch, run) {
                    Ok(None) => {}
                    Ok(Some(conflict)) => conflicts.push((place, conflict)),
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

fn prove_epoch(connection: &mut impl Connection, epoch: i64) -> Result<(), SqlError> {
    let mut newer = false;
    connection.query(&NEWER_EPOCH, &[epoch.into()], &mut |_| {
        newer = true;
        Ok(())
    })?;
    if newer { Err(StoreError::Fenced.into()) } else { Ok(()) }
}

/// Writes one run, or says why not; then nothing of it is written.
fn write_run(
    connection: &mut impl Connection,
    epoch: i64,
    run: &RunWrite,
) -> Result<Option<Conflict>, SqlError> {
    if run.is_only_messages() {
        messages::exchange(connection, run)?;
        return Ok(None);
    }
    let id = IdText::of(run.run_id);
    let conflict = match &run.create {
        Some(new) => create_run(connection, epoch, run, new, &id)?,
        None => continue_run(connection, epoch, run, &id)?,
    };
    if conflict.is_some() {
        return Ok(conflict);
    }
    steps::insert(connection, &id, &run.new_steps)?;
    steps::update(connection, &id, &run.changed_steps)?;
    timers::set(connection, &id, &run.timers_set)?;
    timers::clear(connection, &id, &run.timers_cleared)?;
    journal::replace_snapshot(connection, &id, run)?;
    journal::insert_logs(connection, &id, &run.logs)?;
    messages::exchange(connection, run)?;
    Ok(None)
}

fn create_run(
    connection: &mut impl Connection,
    epoch: i64,
    run: &RunWrite,
    new: &NewRun,
    id: &IdText,
) -> Result<Option<Conflict>, SqlError> {
    if let Some(key) = &new.key
        && let Some(conflict) = taken_key(connection, new, key)?
    {
        return Ok(Some(conflict));
    }
    if let Some(external_id) = &new.external_id
        && let Some(run_id) = taken_external_id(connection, &new.project, external_id)?
    {
        return Ok(Some(Conflict::ExternalIdTaken { run_id }));
    }
    let (workflow_id, definition_id) = (IdText::of(new.workflow_id), IdText::of(new.definition_id));
    let rerun_of = new.rerun_of.map(IdText::of);
    let (parent, concurrency) = (new.parent.as_ref(), new.concurrency.as_ref());
    let parent_id = parent.map(|parent| IdText::of(parent.run_id));
    let created_by = new.created_by.as_deref().map(nul_safe);
    let Some(standing) = &run.standing else {
        let message = "a run is created with where it stands".to_owned();
        return Err(SqlError::Constraint(message));
    };
    let error = standing.error.as_ref().map(to_json);
    let labels = (!new.labels.is_empty()).then(|| to_json(&new.labels));
    let counts = to_json(&standing.counts);
    let inserted = connection.execute(
        &INSERT_RUN,
        &[
            id.value(),
            (&new.project).into(),
            workflow_id.value(),
            (&new.workflow).into(),
            new.version.into(),
            definition_id.value(),
            standing.status.as_str().into(),
            standing.reason.as_deref().into(),
            error.as_deref().into(),
            labels.as_deref().into(),
            new.external_id.as_deref().into(),
            rerun_of.as_ref().map_or(Value::Null, IdText::value),
            parent_id.as_ref().map_or(Value::Null, IdText::value),
            parent.map(|parent| parent.step.as_str()).into(),
            parent.map(|parent| parent.depth).into(),
            concurrency.map(|slot| slot.key.as_str()).into(),
            concurrency.map(|slot| slot.limit).into(),
            new.priority.into(),
            created_by.as_deref().into(),
            new.created_at.into(),
            standing.started_at.into(),
            standing.finished_at.into(),
            standing.last_seq.into(),
            (&counts).into(),
            epoch.into(),
        ],
    )?;
    if inserted == 0 {
        return Ok(Some(Conflict::Changed));
    }
    for (key, value) in &new.labels {
        let values = [(&new.project).into(), key.into(), value.into(), id.value()];
        connection.execute(&INSERT_LABEL, &values)?;
    }
    if let Some(key) = &new.key {
        connection.execute(
            &INSERT_KEY,
            &[
                (&new.project).into(),
                (&key.route).into(),
                (&key.key).into(),
                (&key.request_hash).into(),
                id.value(),
                new.created_at.into(),
            ],
        )?;
    }
    journal::insert_chunks(connection, id, &run.chunks)?;
    Ok(None)
}

fn continue_run(
    connection: &mut impl Connection,
    epoch: i64,
    run: &RunWrite,
    id: &IdText,
) -> Result<Option<Conflict>, SqlError> {
    // The optimistic lock: nothing is written unless the run ends where the writer thinks it does.
    if journal::last_seq(connection, id)? != run.after_seq {
        return Ok(Some(Conflict::Changed));
    }
    journal::insert_chunks(connection, id, &run.chunks)?;
    let Some(standing) = &run.standing else { return Ok(None) };
    let error = standing.error.as_ref().map(to_json);
    let counts = to_json(&standing.counts);
    connection.execute(
        &UPDATE_RUN,
        &[
            standing.status.as_str().into(),
            standing.reason.as_deref().into(),
            error.as_deref().into(),
            standing.started_at.into(),
            standing.finished_at.into(),
            standing.last_seq.into(),
            (&counts).into(),
            epoch.into(),
            id.value(),
        ],
    )?;
    Ok(None)
}

fn taken_key(
    connection: &mut impl Connection,
    new: &NewRun,
    key: &IdempotencyKey,
) -> Result<Option<Conflict>, SqlError> {
    let mut taken = None;
    let values = [
        (&new.project).into(),
        (&key.route).into(),
        (&key.key).into(),
        expired_at(new.created_at).into(),
    ];
    connection.query(&FIND_KEY, &values, &mut |row| {
        let mut columns = Columns::of(row);
        taken = Some(Conflict::KeyTaken { run_id: columns.id()?, request_hash: columns.text()? });
        Ok(())
    })?;
    Ok(taken)
}

fn taken_external_id(
    connection: &mut impl Connection,
    project: &str,
    external_id: &str,
) -> Result<Option<Uuid>, SqlError> {
    let mut taken = None;
    connection.query(&FIND_EXTERNAL_ID, &[project.into(), external_id.into()], &mut |row| {
        taken = Some(Columns::of(row).id()?);
        Ok(())
    })?;
    Ok(taken)
}
