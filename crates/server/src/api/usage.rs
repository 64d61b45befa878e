//! What language models have taken, by day.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use windlass_store::{Taken, UsageFilter, UsageRow};

use crate::access::Caller;
use crate::api::query::Asked;
use crate::app::Shared;
use crate::http::{Problem, ProblemResponses};

/// Days that are answered if nobody says which.
const DAYS: i64 = 30;
/// Rows that are added up, at most.
const ROWS_MAX: usize = 100_000;

/// Which days and whose.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct UsageQuery {
    /// Only of the workflow of this name.
    pub workflow: Option<String>,
    /// The first day, UTC, as `2026-01-31`. 29 days before `to` if left out.
    #[param(format = Date)]
    pub from: Option<String>,
    /// The last day, UTC. Today if left out.
    #[param(format = Date)]
    pub to: Option<String>,
}

/// What calls to models have taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct UsageSums {
    /// Calls that have ended.
    pub calls: i64,
    /// Tokens sent, the cached ones included.
    pub input_tokens: i64,
    /// Tokens answered.
    pub output_tokens: i64,
    /// Of the tokens sent, those that the provider had in its cache.
    pub cached_tokens: i64,
    /// US dollars, by the prices in the server's settings.
    pub cost_usd: f64,
    /// Calls of models whose price is not in the settings. `cost_usd` knows nothing of them.
    pub unpriced_calls: i64,
    /// How long the calls took, in milliseconds.
    pub latency_ms: i64,
    /// Calls within a budget that are under way, or were when their server died.
    pub held_calls: i64,
    /// The most tokens that these can take.
    pub held_tokens: i64,
}

impl From<Taken> for UsageSums {
    fn from(taken: Taken) -> UsageSums {
        UsageSums {
            calls: taken.calls,
            input_tokens: taken.input_tokens,
            output_tokens: taken.output_tokens,
            cached_tokens: taken.cached_tokens,
            cost_usd: taken.cost_micros as f64 / 1_000_000.0,
            unpriced_calls: taken.unpriced_calls,
            latency_ms: taken.latency_ms,
            held_calls: taken.held_calls,
            held_tokens: taken.held_tokens,
        }
    }
}

/// What a model has taken in a node of a workflow on a day.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct UsageItem {
    /// The day, UTC.
    #[schema(format = Date)]
    pub day: String,
    /// The workflow's name.
    pub workflow: String,
    /// The node's address.
    pub node: String,
    /// Who provides the model.
    pub provider: String,
    /// The model.
    pub model: String,
    /// What it took.
    #[serde(flatten)]
    pub sums: UsageSums,
}

/// What models have taken on a day.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct UsageDay {
    /// The day, UTC.
    #[schema(format = Date)]
    pub day: String,
    /// What they took.
    #[serde(flatten)]
    pub sums: UsageSums,
}

/// What models have taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct UsageBody {
    /// All together.
    pub total: UsageSums,
    /// By day, the days on which there was anything.
    pub days: Vec<UsageDay>,
    /// By day, workflow, node and model, the newest day first.
    pub items: Vec<UsageItem>,
    /// Whether there was more than could be added up at once: 100,000 items, the newest ones.
    pub is_cut: bool,
}

impl UsageBody {
    /// A day as text.
    pub fn day(day: i64) -> String {
        let span = jiff::Span::new().try_days(day);
        let date = span.and_then(|span| EPOCH.checked_add(span));
        date.map_or_else(|_| day.to_string(), |date| date.to_string())
    }

    /// Adds rows up.
    pub fn of(rows: Vec<UsageRow>) -> UsageBody {
        let (mut total, mut days) = (Taken::default(), BTreeMap::<i64, Taken>::new());
        for row in &rows {
            total += row.taken;
            *days.entry(row.day).or_default() += row.taken;
        }
        let day =
            |(day, taken): (i64, Taken)| UsageDay { day: UsageBody::day(day), sums: taken.into() };
        let item = |row: UsageRow| UsageItem {
            day: UsageBody::day(row.day),
            workflow: row.workflow,
            node: row.node,
            provider: row.provider,
            model: row.model,
            sums: row.taken.into(),
        };
        UsageBody {
            total: total.into(),
            days: days.into_iter().map(day).collect(),
            is_cut: rows.len() >= ROWS_MAX,
            items: rows.into_iter().map(item).collect(),
        }
    }
}

/// What language models have taken in the caller's project: tokens, calls, time and money, by day. What
/// is older than 400 days is forgotten. A day counts when its calls began.
#[utoipa::path(
    get, path = "/api/v1/usage", tag = "runs",
    params(UsageQuery),
    responses((status = 200, body = UsageBody), ProblemResponses)
)]
pub async fn usage(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<UsageQuery>,
) -> Result<Json<UsageBody>, Problem> {
    let today = windlass_engine::day_of(app.engine.clock().now());
    let to_day = read("to", query.to.as_deref())?.unwrap_or(today);
    let from_day = read("from", query.from.as_deref())?.unwrap_or(to_day - DAYS + 1);
    let filter = UsageFilter { workflow: query.workflow, from_day, to_day, by_hour: false };
    let project = caller.project().to_owned();
    let rows = app.engine.read(move |store| store.usage(&project, &filter, ROWS_MAX)).await?;
    Ok(Json(UsageBody::of(rows)))
}

const EPOCH: Date = date(1970, 1, 1);

fn read(name: &'static str, text: Option<&str>) -> Result<Option<i64>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let date: Date =
        text.parse().map_err(|_| Problem::parameter(name, "a day is written as 2026-01-31"))?;
    Ok(date.since(EPOCH).ok().map(|span| i64::from(span.get_days())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_and_written() {
        for (day, written) in [(0, "1970-01-01"), (20_778, "2026-11-21"), (-1, "1969-12-31")] {
            assert_eq!(
                (read("from", Some(written)).unwrap(), UsageBody::day(day).as_str()),
                (Some(day), written)
            );
        }
        assert!(read("from", Some("yesterday")).is_err());
        assert!(read("from", Some("")).is_err());
        assert_eq!(read("from", None).unwrap(), None);
    }
}
