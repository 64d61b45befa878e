//! The window of the chameleon engine: templates, instances, units of work and pilots in its paths,
//! words and shapes. It knows no fence: an actor is who it says it is, and means what it holds.

pub mod admin;
pub mod checkout;
pub mod heartbeat;
pub mod instantiate;
pub mod interventions;
pub mod interventions_socket;
pub mod pilot;
pub(crate) mod roles;
pub mod root;
mod steps;
pub mod submit;
pub mod uows;
pub mod workflows;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::run::Hold;
use windlass_engine::desk::TaskRefused;

use super::{Detail, trouble};
use crate::access::Caller;
use crate::api::tasks::refused;
use crate::app::App;
use crate::http::problem::{self, Problem};
use crate::units;

/// The longest reason or explanation, in bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// That something was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct DoneBody {
    /// True.
    pub success: bool,
    /// In words.
    pub message: String,
}

impl DoneBody {
    fn of(message: impl Into<String>) -> DoneBody {
        DoneBody { success: true, message: message.into() }
    }
}

/// What an actor holds, however often it was handed over.
fn hold(actor_id: Uuid) -> Hold {
    Hold { by: actor_id.to_string(), fence: None }
}

/// A unit of work as an actor names it: it exists in the caller's project, wherever it stands.
///
/// # Errors
///
/// 400 if the word is no id, 404 if it is that of nothing, or of no unit.
async fn unit_of(app: &App, caller: &Caller, word: &str) -> Result<Uuid, Detail> {
    let unit_id = trouble::id("uow_id", word)?;
    // What is on the desk need not be looked for.
    if !app.engine.desk().is_unit(unit_id) {
        units::pilot::unit(app, caller.project(), unit_id).await?;
    }
    Ok(unit_id)
}

/// Why an actor's word does not count. The unit exists; if nobody can take it where it stands, that
/// is no reason to deny it.
async fn refusal(app: &App, caller: &Caller, unit_id: Uuid, why: TaskRefused) -> Detail {
    if why != TaskRefused::NotFound {
        return refused(why).into();
    }
    match units::pilot::unit(app, caller.project(), unit_id).await {
        Ok(row) => {
            let message = format!("the unit of work {unit_id} is {}", shown(&row.status));
            Problem::new(problem::UNIT_STATE, message).into()
        }
        Err(problem) => problem.into(),
    }
}

/// A status as the engine writes it.
fn shown(status: &str) -> String {
    status.to_uppercase()
}
