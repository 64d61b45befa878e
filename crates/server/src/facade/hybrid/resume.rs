use axum::Json;
use axum::extract::State;
use windlass_core::run::RunStatus;
use windlass_engine::shard::{Answer, Command};

use super::{ID_LABEL, StateBody, find, id_of, read};
use crate::access::Caller;
use crate::api::execute::{execute, refusal};
use crate::api::query::Named;
use crate::api::runs::rerun::{FAILED, RerunRequest, repeat};
use crate::app::Shared;
use crate::facade::{Detail, DetailResponses};
use crate::http::problem::{self, Problem};

/// Lets a run go on that is stopped. One that has failed or was cancelled is repeated from where that
/// was: what is completed is not done again, and the run keeps its id here.
#[utoipa::path(
    post, path = "/api/workflows/{run}/resume", tag = "facades",
    params(("run" = String, Path, description = "Id or external id")),
    responses((status = 200, body = StateBody), DetailResponses)
)]
pub async fn resume_state(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<StateBody>, Detail> {
    let row = find(&app, &caller, &word).await?;
    let id = id_of(&row);
    match row.status {
        RunStatus::Paused => {
            let resume = Command::Resume { by: caller.name().to_owned(), reason: None };
            match app.engine.command(row.run_id, resume).await {
                Answer::Run(_) => {}
                other => return Err(refusal(other).into()),
            }
        }
        RunStatus::Failed | RunStatus::Cancelled => {
            let mut request =
                RerunRequest { from: Some(FAILED.to_owned()), ..RerunRequest::default() };
            request.labels.insert(ID_LABEL.to_owned(), id.clone());
            let run = repeat(&app, row, request).await?;
            execute(&app, &caller, run, None).await?;
        }
        status => {
            let message = format!("it is {status}; what is stopped or has failed can be resumed");
            return Err(Problem::new(problem::WRONG_STATE, message).into());
        }
    }
    Ok(Json(read(&app, &caller, &id).await?))
}
