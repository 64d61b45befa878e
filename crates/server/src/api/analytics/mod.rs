//! `/api/v1/analytics`: how workflows have fared, and what models have taken.

pub mod jobs;
pub mod usage;
pub mod workflows;

use serde::Deserialize;
use uuid::Uuid;
use windlass_store::{Store, StoreError};

use crate::analytics::span::Span;
use crate::app::App;
use crate::http::problem::Problem;

/// Which runs.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct AnalyticsQuery {
    /// From when on: a time (RFC 3339) or a day. A week before `to` if left out.
    pub from: Option<String>,
    /// Up to when; of a day, its end. Now if left out.
    pub to: Option<String>,
    /// Only of the workflow of this id or name.
    pub workflow_id: Option<String>,
    /// `hour` or `day`: how the series is cut, in at most 1,000 pieces. If left out, by the hour up to
    /// three days, else by the day.
    pub interval: Option<String>,
}

impl AnalyticsQuery {
    /// The time that is asked about.
    ///
    /// # Errors
    ///
    /// `bad-parameter`.
    pub fn span(&self, app: &App) -> Result<Span, Problem> {
        let now = app.engine.clock().now();
        Span::read(self.from.as_deref(), self.to.as_deref(), self.interval.as_deref(), now)
    }
}

/// The workflow that is asked about, if one is. One that is not there has no runs.
pub(crate) fn meant(
    store: &dyn Store,
    project: &str,
    word: Option<&str>,
) -> Result<Option<(Uuid, String)>, StoreError> {
    let Some(word) = word.filter(|word| !word.is_empty()) else { return Ok(None) };
    Ok(Some(match store.workflow(project, word)? {
        Some(row) => (row.workflow_id, row.name),
        // The id of a deleted workflow still finds its runs.
        None => (word.parse().unwrap_or(Uuid::nil()), word.to_owned()),
    }))
}
