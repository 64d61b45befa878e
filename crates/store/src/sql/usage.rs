//! What language models have taken.

use uuid::Uuid;

use super::commit::prove_epoch;
use super::read::{Columns, all};
use super::waves::{Writing, rows_of};
use super::{Connection, Driver, IdText, Row, SqlError, SqlStore, Statement, Value};
use crate::error::StoreError;
use crate::rows::{Taken, UsageFilter, UsageRow};

/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;

static ADD: Statement = Statement::new(
    "INSERT INTO llm_usage (run_id, day, node, provider, model, project, workflow, first_at,
                            calls, input_tokens, output_tokens, cached_tokens, cost_micros,
                            unpriced_calls, latency_ms, held_calls, held_tokens, held_cost_micros)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
     ON CONFLICT (run_id, day, node, provider, model) DO UPDATE
        SET calls = llm_usage.calls + excluded.calls,
            input_tokens = llm_usage.input_tokens + excluded.input_tokens,
            output_tokens = llm_usage.output_tokens + excluded.output_tokens,
            cached_tokens = llm_usage.cached_tokens + excluded.cached_tokens,
            cost_micros = llm_usage.cost_micros + excluded.cost_micros,
            unpriced_calls = llm_usage.unpriced_calls + excluded.unpriced_calls,
            latency_ms = llm_usage.latency_ms + excluded.latency_ms,
            held_calls = llm_usage.held_calls + excluded.held_calls,
            held_tokens = llm_usage.held_tokens + excluded.held_tokens,
            held_cost_micros = llm_usage.held_cost_micros + excluded.held_cost_micros",
);

static OF_RUN: Statement = Statement::new(
    "SELECT run_id, day, node, provider, model, project, workflow, first_at, calls, input_tokens,
            output_tokens, cached_tokens, cost_micros, unpriced_calls, latency_ms, held_calls,
            held_tokens, held_cost_micros
       FROM llm_usage WHERE run_id = $1 ORDER BY day, node, provider, model",
);

/// Sums of whole numbers are numerics in Postgres unless they are told otherwise.
static OF_DAYS: Statement = Statement::new(
    "SELECT '', day, node, provider, model, project, workflow, MIN(first_at),
            CAST(SUM(calls) AS BIGINT), CAST(SUM(input_tokens) AS BIGINT),
            CAST(SUM(output_tokens) AS BIGINT), CAST(SUM(cached_tokens) AS BIGINT),
            CAST(SUM(cost_micros) AS BIGINT), CAST(SUM(unpriced_calls) AS BIGINT),
            CAST(SUM(latency_ms) AS BIGINT), CAST(SUM(held_calls) AS BIGINT),
            CAST(SUM(held_tokens) AS BIGINT), CAST(SUM(held_cost_micros) AS BIGINT)
       FROM llm_usage
      WHERE project = $1 AND day >= $2 AND day <= $3 AND ($4 = '' OR workflow = $4)
      GROUP BY day, first_at / $6, node, provider, model, project, workflow
      ORDER BY day DESC, first_at / $6 DESC, workflow, node, provider, model
      LIMIT $5",
);

static PRUNE: Statement = Statement::new(
    "DELETE FROM llm_usage WHERE (run_id, day, node, provider, model) IN
        (SELECT run_id, day, node, provider, model FROM llm_usage WHERE day < $1 LIMIT $2)",
);

pub(super) fn add(connection: &mut impl Connection, runs: &[Writing<'_>]) -> Result<(), SqlError> {
    let rows = rows_of(runs, |run| &run.usage).map(|(id, row)| {
        let UsageRow { project, workflow, node, provider, model, day, first_at, taken, .. } = row;
        let Taken { calls, input_tokens, output_tokens, cached_tokens, cost_micros, .. } = *taken;
        let Taken { unpriced_calls, latency_ms, held_calls, held_tokens, held_cost_micros, .. } =
            *taken;
        [
            id.value(),
            Value::Int(*day),
            node.into(),
            provider.into(),
            model.into(),
            project.into(),
            workflow.into(),
            (*first_at).into(),
            Value::Int(calls),
            Value::Int(input_tokens),
            Value::Int(output_tokens),
            Value::Int(cached_tokens),
            Value::Int(cost_micros),
            Value::Int(unpriced_calls),
            Value::Int(latency_ms),
            Value::Int(held_calls),
            Value::Int(held_tokens),
            Value::Int(held_cost_micros),
        ]
    });
    connection.execute_many(&ADD, rows)
}

fn usage(row: &dyn Row) -> Result<UsageRow, StoreError> {
    let mut columns = Columns::of(row);
    // Sums over days are of no run.
    let run_id = Uuid::parse_str(&columns.text()?).unwrap_or_default();
    Ok(UsageRow {
        run_id,
        day: columns.int()?,
        node: columns.text()?,
        provider: columns.text()?,
        model: columns.text()?,
        project: columns.text()?,
        workflow: columns.text()?,
        first_at: columns.time()?,
        taken: Taken {
            calls: columns.int()?,
            input_tokens: columns.int()?,
            output_tokens: columns.int()?,
            cached_tokens: columns.int()?,
            cost_micros: columns.int()?,
            unpriced_calls: columns.int()?,
            latency_ms: columns.int()?,
            held_calls: columns.int()?,
            held_tokens: columns.int()?,
            held_cost_micros: columns.int()?,
        },
    })
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn read_usage_of_run(&self, run_id: Uuid) -> Result<Vec<UsageRow>, StoreError> {
        let id = IdText::of(run_id);
        self.0.read(|connection| Ok(all(connection, &OF_RUN, &[id.value()], usage)?))
    }

    pub(super) fn read_usage(
        &self,
        project: &str,
        filter: &UsageFilter,
        limit: usize,
    ) -> Result<Vec<UsageRow>, StoreError> {
        let workflow = filter.workflow.clone().unwrap_or_default();
        let values = [
            project.into(),
            Value::Int(filter.from_day),
            Value::Int(filter.to_day),
            (&workflow).into(),
            limit.into(),
            Value::Int(if filter.by_hour { HOUR } else { i64::MAX }),
        ];
        self.0.read(|connection| Ok(all(connection, &OF_DAYS, &values, usage)?))
    }

    pub(super) fn delete_usage(
        &self,
        epoch: i64,
        before_day: i64,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let delete = |connection: &mut D::Connection<'_>| {
            prove_epoch(connection, epoch)?;
            connection.execute(&PRUNE, &[Value::Int(before_day), limit.into()])
        };
        self.0.write(delete).map_err(StoreError::from)
    }
}
