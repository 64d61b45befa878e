//! Reading a list of runs: by which index, and looking for a text in them.

use uuid::Uuid;
use windlass_core::run::RunStatus;

use super::read::Columns;
use super::run_list::{Lead, ListQuery, like_pattern};
use super::runs::{COLUMNS, run_row};
use super::{Connection, SqlError, Statement};
use crate::rows::{RunFilter, RunRow};

/// How far two indexes are followed to see which of them has fewer runs.
const ROWS_COMPARED: usize = 200;

/// So many runs of a workflow that ended alike are put into a list's order while somebody waits.
const FEW_ENDED_ALIKE: usize = 500;

/// Runs in which a text is looked for at once: few at first, since the page may be full with them.
const RUNS_A_TURN: [usize; 2] = [500, 5_000];

/// By which of its indexes a list is read: the one that goes back furthest within the first
/// [`ROWS_COMPARED`] rows has the fewest to pass over.
pub(super) fn lead(
    connection: &mut impl Connection,
    project: &str,
    filter: &RunFilter,
    status: Option<RunStatus>,
    before: Option<Uuid>,
) -> Result<Lead, SqlError> {
    // Most runs have succeeded, and no index has those in a list's order. Where most have not, the few
    // are a needle in the workflow's hay.
    if let (Some(workflow_id), Some(RunStatus::Succeeded)) = (filter.workflow_id, status)
        && !ListQuery::outcome_is_common(
            connection,
            workflow_id,
            RunStatus::Succeeded,
            FEW_ENDED_ALIKE,
        )?
    {
        return Ok(Lead::Outcome(workflow_id, RunStatus::Succeeded));
    }
    let status = status.filter(|status| *status != RunStatus::Succeeded);
    let is_indexed = filter.workflow_id.is_some() || status.is_some();
    match filter.labels.len() {
        0 => return Ok(Lead::Run),
        // A family is small.
        _ if filter.parent.is_some() => return Ok(Lead::Run),
        1 if !is_indexed => return Ok(Lead::Label(0)),
        _ => {}
    }
    let labels = filter.labels.iter().enumerate();
    let mut queries: Vec<(Lead, ListQuery<'_>)> = labels
        .map(|(place, (key, value))| (Lead::Label(place), ListQuery::labelled(project, key, value)))
        .collect();
    if is_indexed {
        queries.push((Lead::Run, ListQuery::indexed(filter.workflow_id, status)));
    }
    let mut best: Option<(Option<String>, Lead)> = None;
    for (lead, mut query) in queries {
        query.and_between(filter, before);
        let reaches_back_to = query.id_at(connection, ROWS_COMPARED)?;
        if best.as_ref().is_none_or(|(best, _)| reaches_back_to < *best) {
            best = Some((reaches_back_to, lead));
        }
    }
    Ok(best.map_or(Lead::Run, |(_, lead)| lead))
}

/// The first runs that have a text in them, and behind which run nobody has looked because it were too
/// many.
pub(super) fn search(
    connection: &mut impl Connection,
    project: &str,
    filter: &RunFilter,
    (status, text): (Option<RunStatus>, &str),
    before: Option<Uuid>,
    limit: usize,
) -> Result<(Vec<RunRow>, Option<Uuid>), SqlError> {
    let lead = lead(connection, project, filter, status, before)?;
    let most = filter.look_at_most.unwrap_or(usize::MAX).max(1);
    let (mut ids, mut looked_at, mut before) = (Vec::new(), 0, before);
    let [_, later] = RUNS_A_TURN;
    for turn in RUNS_A_TURN.into_iter().chain(std::iter::repeat(later)) {
        let turn = turn.min(most - looked_at);
        let mut query = ListQuery::new(project, filter, status, before, lead);
        let pattern = query.bind(like_pattern(text));
        let columns = format!(
            "run.run_id, CAST(CASE WHEN LOWER(run.workflow) LIKE {pattern} ESCAPE '!'
                OR run.run_id LIKE {pattern} ESCAPE '!'
                OR LOWER(run.external_id) LIKE {pattern} ESCAPE '!'
                OR LOWER(run.error) LIKE {pattern} ESCAPE '!' THEN 1 ELSE 0 END AS BIGINT)"
        );
        let mut read = 0;
        query.run(connection, &columns, turn, &mut |row| {
            let mut columns = Columns::of(row);
            let (run_id, has_text): (Uuid, i64) = (columns.id()?, columns.int()?);
            (read, before) = (read + 1, Some(run_id));
            if has_text == 1 {
                ids.push(run_id.to_string());
            }
            Ok(())
        })?;
        looked_at += read;
        if ids.len() >= limit || read < turn {
            before = None;
            break;
        }
        if looked_at == most {
            break;
        }
    }
    ids.truncate(limit);
    let statement = Statement::assembled(format!("SELECT {COLUMNS} FROM run WHERE run_id = $1"));
    let mut found = Vec::with_capacity(ids.len());
    connection.query_many(&statement, ids.iter().map(|id| [id.into()]), &mut |_, row| {
        found.push(run_row(row)?);
        Ok(())
    })?;
    Ok((found, before))
}
