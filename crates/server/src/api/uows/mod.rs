//! `/api/v1/uows`: units of work.

pub mod archive;
pub mod attributes;
pub mod cancel;
pub mod clarify;
pub mod get;
pub mod history;
pub mod list;
pub mod resume;
pub mod waive;
pub mod why;

use axum::Json;
use schemars::JsonSchema;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::run::PilotAct;
use windlass_store::UnitRow;

use super::unit::UnitBody;
use super::words::id_of;
use crate::access::Caller;
use crate::app::App;
use crate::http::problem::{self, Problem};
use crate::units;

/// Why.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PilotRequest {
    /// Why, 1 to 10,000 characters.
    #[schema(min_length = 1, max_length = 10_000)]
    pub reason: String,
}

fn unit_id(word: &str) -> Result<Uuid, Problem> {
    id_of(word, problem::UNIT_NOT_FOUND)
}

async fn row(app: &App, caller: &Caller, word: &str) -> Result<UnitRow, Problem> {
    units::pilot::unit(app, caller.project(), unit_id(word)?).await
}

/// What a pilot does with a unit.
async fn act(
    app: &App,
    caller: &Caller,
    word: &str,
    act: PilotAct,
) -> Result<Json<UnitBody>, Problem> {
    let row = units::pilot::act(app, caller, unit_id(word)?, act).await?;
    Ok(Json(UnitBody::from(&row)))
}
