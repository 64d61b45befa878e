use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use windlass_core::run::RunStatus;
use windlass_store::{RunFilter, Store};

use super::{id_of, run_word, state};
use crate::access::Caller;
use crate::app::Shared;
use crate::facade::{Detail, DetailResponses};

/// Runs that are counted of each status.
const COUNT_MAX: usize = 10_000;
/// Runs that are shown.
const RECENT: usize = 5;

/// How many runs stand where, at most 10,000 of each status.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SummaryBody {
    /// All of them.
    pub total_workflows: usize,
    /// Those that are not over.
    pub active_workflows: usize,
    /// Those that are completed.
    pub completed_workflows: usize,
    /// Those that have failed.
    pub failed_workflows: usize,
    /// How many stand where.
    pub status_distribution: Vec<StatusCount>,
    /// The newest, at most 5.
    pub recent_activity: Vec<RecentBody>,
}

/// How many runs stand somewhere.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusCount {
    /// In the hybrid engine's words.
    pub status: &'static str,
    /// How many.
    pub count: usize,
}

/// A run of late.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecentBody {
    /// What the client calls it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where it stands.
    pub status: &'static str,
    /// When it was created, RFC 3339.
    pub created_at: String,
}

/// How many runs stand where, and what happened of late.
#[utoipa::path(
    get, path = "/api/dashboard/summary", tag = "facades",
    responses((status = 200, body = SummaryBody), DetailResponses)
)]
pub async fn show_summary(State(app): Shared, caller: Caller) -> Result<Json<SummaryBody>, Detail> {
    let project = caller.project().to_owned();
    let read = move |store: &dyn Store| {
        let mut counts: Vec<StatusCount> = Vec::new();
        for status in RunStatus::ALL {
            let filter =
                RunFilter { statuses: vec![status], is_unrepeated: true, ..RunFilter::default() };
            let count = store.runs(&project, &filter, None, COUNT_MAX)?.items.len();
            let word = run_word(status);
            match counts.iter_mut().find(|known| known.status == word) {
                Some(known) => known.count += count,
                None => counts.push(StatusCount { status: word, count }),
            }
        }
        let filter = RunFilter { is_unrepeated: true, ..RunFilter::default() };
        let recent = store.runs(&project, &filter, None, RECENT)?.items;
        Ok((counts, recent))
    };
    let (counts, recent) = app.engine.read(read).await?;
    let of = |words: &[&str]| {
        counts.iter().filter(|one| words.contains(&one.status)).map(|one| one.count).sum()
    };
    let recent_activity = recent.iter().map(|row| RecentBody {
        id: id_of(row),
        name: state::name(row, app.engine.definitions().plan(row.definition_id).ok().as_deref()),
        status: run_word(row.status),
        created_at: row.created_at.to_string(),
    });
    Ok(Json(SummaryBody {
        total_workflows: counts.iter().map(|one| one.count).sum(),
        active_workflows: of(&["PENDING", "RUNNING"]),
        completed_workflows: of(&["COMPLETED"]),
        failed_workflows: of(&["FAILED"]),
        recent_activity: recent_activity.collect(),
        status_distribution: counts,
    }))
}
