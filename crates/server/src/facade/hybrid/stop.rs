use axum::Json;
use axum::extract::State;
use windlass_core::run::RunStatus;
use windlass_engine::shard::{Answer, Command};

use super::{StateBody, find, read};
use crate::access::Caller;
use crate::api::execute::refusal;
use crate::api::query::Named;
use crate::app::Shared;
use crate::facade::{Detail, DetailResponses};
use crate::http::problem;

/// Stops a run until it is resumed: nothing further of it begins. Attempts under way may end. One that
/// is over stays as it is.
#[utoipa::path(
    post, path = "/api/workflows/{run}/stop", tag = "facades",
    params(("run" = String, Path, description = "Id or external id")),
    responses((status = 200, body = StateBody), DetailResponses)
)]
pub async fn stop_state(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<StateBody>, Detail> {
    let row = find(&app, &caller, &word).await?;
    if !row.status.is_terminal() && row.status != RunStatus::Paused {
        let pause = Command::Pause { by: caller.name().to_owned(), reason: None };
        match app.engine.command(row.run_id, pause).await {
            Answer::Run(_) => {}
            other => {
                let refused = refusal(other);
                // It has ended, or somebody else has stopped it, in between.
                if refused.code != problem::WRONG_STATE {
                    return Err(refused.into());
                }
            }
        }
    }
    Ok(Json(read(&app, &caller, &word).await?))
}
