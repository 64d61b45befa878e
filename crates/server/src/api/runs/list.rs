use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;
use windlass_core::run::RunStatus;
use windlass_store::{RunFilter, Store, StoreError};

use super::logs::time;
use crate::access::Caller;
use crate::api::query::Asked;
use crate::api::run::RunBody;
use crate::app::Shared;
use crate::http::paging::{List, PAGE_BYTES_MAX, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};

/// Runs that a page looks at, if it looks for a text.
const LOOK_AT_MOST: usize = 8_000;

/// Which runs, and which page of them.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct RunsQuery {
    /// Only runs that stand at one of these statuses, with commas between them.
    pub status: Option<String>,
    /// Only runs of the workflow of this id or name.
    pub workflow: Option<String>,
    /// Only runs with these labels: `key=value`, with commas between them.
    pub label: Option<String>,
    /// Only runs of other programs with this tag.
    pub tag: Option<String>,
    /// Only runs created at this time (RFC 3339) or later.
    pub created_after: Option<String>,
    /// Only runs created before this time (RFC 3339).
    pub created_before: Option<String>,
    /// Only runs with this text in their id, external id, workflow or error, whatever its case. A page
    /// looks at 8,000 runs: it may be short, and still have a `next_cursor`.
    pub text: Option<String>,
    /// How many items, 1 to 1,000. 50 if left out.
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Runs, the newest first. Of runs that are going on, `steps_by_status` may be half a second old.
#[utoipa::path(
    get, path = "/api/v1/runs", tag = "runs", params(RunsQuery),
    responses((status = 200, body = List<RunBody>), ProblemResponses)
)]
pub async fn list_runs(
    State(app): Shared,
    caller: Caller,
    uri: Uri,
    Asked(query): Asked<RunsQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit.as_deref())?;
    let before: Option<Uuid> = place(query.cursor.as_deref())?;
    let filter = filter_of(&query)?;
    let project = caller.project().to_owned();
    let list = move |store: &dyn Store| {
        page_of(store, &project, filter, query.workflow.as_deref(), before, limit)
    };
    Ok(app.engine.read(list).await?.answer(&uri))
}

/// A page of runs, cut short where it would become too large. `workflow` is an id or a name.
///
/// # Errors
///
/// Those of the store.
pub fn page_of(
    store: &dyn Store,
    project: &str,
    mut filter: RunFilter,
    workflow: Option<&str>,
    before: Option<Uuid>,
    limit: usize,
) -> Result<List<RunBody>, StoreError> {
    if let Some(word) = workflow.filter(|word| !word.is_empty()) {
        filter.workflow_id = Some(match store.workflow(project, word)? {
            Some(row) => row.workflow_id,
            // The id of a deleted workflow still finds its runs; any other word finds none.
            None => word.parse().unwrap_or(Uuid::nil()),
        });
    }
    let found = store.runs(project, &filter, before, limit)?;
    let (mut items, mut weight, mut next) = (Vec::<RunBody>::new(), 0, found.next);
    for row in found.items {
        if weight > PAGE_BYTES_MAX {
            next = items.last().map(|last| last.id);
            break;
        }
        let body = RunBody::read(store, row)?;
        weight += body.weight();
        items.push(body);
    }
    Ok(List { items, next_cursor: next.map(|next| cursor(&next)) })
}

/// The label that a tag of another program's run is kept as.
pub(crate) fn tag_label(tag: &str) -> (String, String) {
    (format!("{TAG}{tag}"), "true".to_owned())
}

/// The tag that a label stands for, if it stands for one.
pub(crate) fn tag_of<'a>(key: &'a str, value: &str) -> Option<&'a str> {
    key.strip_prefix(TAG).filter(|_| value == "true")
}

/// What stands before a tag in its label.
const TAG: &str = "tag.";

/// The filter that a query asks for, without its workflow.
///
/// # Errors
///
/// Names the parameter that cannot be read.
pub fn filter_of(query: &RunsQuery) -> Result<RunFilter, Problem> {
    let words = |list: &Option<String>| -> Vec<String> {
        let words = list.iter().flat_map(|list| list.split(',')).map(str::trim);
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let mut filter = RunFilter::default();
    for word in words(&query.status) {
        let status = RunStatus::parse(&word).ok_or_else(|| {
            let known: Vec<&str> = RunStatus::ALL.iter().map(|one| one.as_str()).collect();
            let hint = windlass_core::nearest(&word, known.iter().copied());
            let hint = hint.unwrap_or_else(|| known.join(", "));
            Problem::parameter("status", format!("`{word:.40}` is none; {hint}"))
        })?;
        filter.statuses.push(status);
    }
    for pair in words(&query.label) {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Problem::parameter("label", "`key=value` is expected"))?;
        filter.labels.push((key.to_owned(), value.to_owned()));
    }
    if let Some(tag) = query.tag.as_deref().filter(|tag| !tag.is_empty()) {
        filter.labels.push(tag_label(tag));
    }
    filter.created_after = time("created_after", query.created_after.as_deref())?;
    filter.created_before = time("created_before", query.created_before.as_deref())?;
    filter.text = query.text.clone().filter(|text| !text.is_empty());
    filter.look_at_most = Some(LOOK_AT_MOST);
    if filter.text.as_ref().is_some_and(|text| text.chars().count() > 200) {
        return Err(Problem::parameter("text", "at most 200 characters"));
    }
    Ok(filter)
}
