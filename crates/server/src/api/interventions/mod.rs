//! `/api/v1/interventions`: what pilots are asked.

pub mod approve;
pub mod get;
pub mod list;
pub mod metrics;
pub mod reject;

use axum::Json;
use windlass_core::run::PilotAct;
use windlass_store::InterventionRow;

use super::intervention::{InterventionBody, find};
use crate::access::Caller;
use crate::app::App;
use crate::http::problem::{self, Problem};
use crate::units;

/// A request that was not answered yet.
const PENDING: &str = "PENDING";

/// Answers a request by what it means for its unit.
async fn answer(
    app: &App,
    caller: &Caller,
    word: &str,
    act: impl FnOnce(&InterventionRow) -> Result<PilotAct, Problem>,
) -> Result<Json<InterventionBody>, Problem> {
    let row = find(app, caller, word).await?;
    if row.status != PENDING {
        let message = format!("it was answered already: {}", row.status);
        return Err(Problem::new(problem::UNIT_STATE, message));
    }
    units::pilot::act(app, caller, row.unit_id, act(&row)?).await?;
    Ok(Json(find(app, caller, word).await?.into()))
}
