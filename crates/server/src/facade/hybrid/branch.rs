use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ID_LABEL, NAME_LABEL, PARENT_LABEL, StateBody, find, id_of, read, state};
use crate::access::Caller;
use crate::api::execute::execute;
use crate::api::query::Named;
use crate::api::runs::rerun::{RerunRequest, repeat};
use crate::app::Shared;
use crate::facade::trouble::said;
use crate::facade::{Detail, DetailResponses, Old};
use crate::http::problem::{self, Problem};

/// The longest name of a branch, in bytes.
const NAME_BYTES_MAX: usize = 60;
/// Numbers that are tried out for a branch's id.
const TRIES: usize = 20;

/// A branch.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
pub struct BranchRequest {
    /// What people call it.
    pub branch_name: String,
}

/// Runs the same steps with the same parameters once more, beside the run: a branch with an id of its
/// own, `{id}_branch_{n}`.
#[utoipa::path(
    post, path = "/api/workflows/{run}/branch", tag = "facades",
    params(("run" = String, Path, description = "Id or external id")),
    request_body(content = BranchRequest),
    responses((status = 201, body = StateBody), DetailResponses)
)]
pub async fn branch_state(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Old(request): Old<BranchRequest>,
) -> Result<(StatusCode, Json<StateBody>), Detail> {
    let branch = said("branch_name", &request.branch_name, NAME_BYTES_MAX)?;
    let row = find(&app, &caller, &word).await?;
    let parent = read(&app, &caller, &word).await?;
    let id = id_of(&row);
    let first = parent.branches.map_or(0, |branches| branches.len()) + 1;
    // Two branches that are made at once would have the same number.
    for number in first..first + TRIES {
        let own = format!("{id}_branch_{number}");
        let mut run = repeat(&app, row.clone(), RerunRequest::default()).await?;
        run.rerun_of = None;
        run.external_id = Some(own.clone());
        let name = format!("{} (Branch: {branch})", state::name(&row, None));
        for (label, value) in [(ID_LABEL, &own), (PARENT_LABEL, &id), (NAME_LABEL, &name)] {
            run.labels.insert(label.to_owned(), value.chars().take(200).collect());
        }
        match execute(&app, &caller, run, None).await {
            Ok(_) => return Ok((StatusCode::CREATED, Json(read(&app, &caller, &own).await?))),
            Err(taken) if taken.code == problem::EXTERNAL_ID_TAKEN => {}
            Err(other) => return Err(other.into()),
        }
    }
    let message = "others make branches of it at this moment";
    Err(Problem::new(problem::UNAVAILABLE, message).into())
}
