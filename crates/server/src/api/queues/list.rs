use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use windlass_engine::desk::QueueView;

use crate::access::Caller;
use crate::api::page::PageQuery;
use crate::api::query::Asked;
use crate::app::Shared;
use crate::http::paging::{List, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};

/// A queue.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueBody {
    /// Its name: `INSTANCE/WORKFLOW/INTERACTION`, `role:ROLE`, `kind:KIND`, or that of a node of the
    /// kind `worker`.
    pub name: String,
    /// How many tasks wait in it.
    pub depth: usize,
    /// How many of it are in somebody's hands.
    pub held: usize,
    /// Since when the one that has waited longest waits, RFC 3339; null if none waits.
    #[schema(format = DateTime)]
    pub oldest_at: Option<String>,
    /// How many may be in hands at once; null for as many as there are.
    pub concurrency: Option<usize>,
    /// How many may be handed out in which time; null for as many as there are.
    pub rate: Option<RateBody>,
    /// Whether these limits hold it up now.
    pub is_limited: bool,
    /// How many workers take from it and have asked for work of late.
    pub worker_count: usize,
}

/// So many in a time.
#[derive(Debug, Serialize, ToSchema)]
pub struct RateBody {
    /// How many.
    pub count: u32,
    /// In which time.
    #[schema(example = "1s")]
    pub per: String,
}

impl From<QueueView> for QueueBody {
    fn from(view: QueueView) -> QueueBody {
        let rate = view.limits.rate.map(|rate| RateBody {
            count: rate.count,
            per: windlass_core::HumanDuration(rate.per).to_string(),
        });
        QueueBody {
            name: view.name,
            depth: view.depth,
            held: view.held_count,
            oldest_at: view.oldest.map(|at| at.to_string()),
            concurrency: view.limits.concurrency,
            rate,
            is_limited: view.is_limited,
            worker_count: view.worker_count,
        }
    }
}

/// The queues that have something in them or out of them, by name.
#[utoipa::path(
    get, path = "/api/v1/queues", tag = "workers", params(PageQuery),
    responses((status = 200, body = List<QueueBody>), ProblemResponses)
)]
pub async fn list_queues(
    State(app): Shared,
    caller: Caller,
    uri: Uri,
    Asked(page): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let limit = limit(page.limit.as_deref())?;
    let after: Option<String> = place(page.cursor.as_deref())?;
    super::filled(&app).await?;
    let mut found = app.engine.desk().queues(caller.project(), after.as_deref(), limit + 1);
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| has_more).map(|last| cursor(&last.name));
    let items = found.into_iter().map(QueueBody::from).collect();
    Ok(List { items, next_cursor }.answer(&uri))
}
