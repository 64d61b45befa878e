use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use windlass_store::AuditRow;

use crate::access::Caller;
use crate::api::key::visible;
use crate::api::query::Asked;
use crate::api::runs::events::number;
use crate::app::Shared;
use crate::http::paging::{List, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};

/// Which records.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only records behind this number.
    pub after: Option<String>,
    /// How many items, 1 to 1,000. 50 if left out.
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A record of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditBody {
    /// Its number, from 1, without gaps over all projects.
    pub seq: i64,
    /// When, RFC 3339.
    #[schema(format = DateTime)]
    pub at: String,
    /// In which project.
    pub project: String,
    /// Who.
    pub principal: String,
    /// What, such as `run.cancel`.
    pub action: String,
    /// To what: the path that was asked, or of what was made.
    pub target: String,
    /// The status of the answer, null if its caller hung up before, and the id of the request.
    pub detail: Value,
    /// The hash of the record before it.
    pub previous_hash: String,
    /// Its own hash.
    pub hash: String,
}

impl From<AuditRow> for AuditBody {
    fn from(row: AuditRow) -> AuditBody {
        let detail = row.entry.detail.as_deref().and_then(|text| serde_json::from_str(text).ok());
        AuditBody {
            seq: row.seq,
            at: row.entry.at.to_string(),
            project: row.entry.project,
            principal: row.entry.principal,
            action: row.entry.action,
            target: row.entry.target,
            detail: detail.unwrap_or_default(),
            previous_hash: row.previous_hash,
            hash: row.hash,
        }
    }
}

/// What was changed in the caller's project, the oldest first; in all projects for admins of
/// `default`.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "access", params(AuditQuery),
    responses((status = 200, body = List<AuditBody>), ProblemResponses)
)]
pub async fn list_audit(
    State(app): Shared,
    caller: Caller,
    uri: Uri,
    Asked(query): Asked<AuditQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit.as_deref())?;
    let after = number("after", query.after.as_deref())?;
    let after = after.map(|after| i64::try_from(after).unwrap_or(i64::MAX));
    let after = place(query.cursor.as_deref())?.or(after).unwrap_or(0);
    let project = visible(&caller);
    let read =
        move |store: &dyn windlass_store::Store| store.audit(project.as_deref(), after, limit);
    let found = app.engine.read(read).await?;
    let last = found.items.last().filter(|_| found.has_more);
    let next_cursor = last.map(|last| cursor(&last.seq));
    let items = found.items.into_iter().map(AuditBody::from).collect();
    Ok(List { items, next_cursor }.answer(&uri))
}
