//! A request to pilots as the API shows it.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_store::InterventionRow;

use super::words::id_of;
use crate::access::Caller;
use crate::app::App;
use crate::http::problem::{self, Problem};

/// That a pilot is asked to step in for a unit of work.
#[derive(Debug, Serialize, ToSchema)]
pub struct InterventionBody {
    /// Its id.
    pub id: Uuid,
    /// The instance.
    pub instance_id: Uuid,
    /// The unit of work.
    pub uow_id: Uuid,
    /// Its run.
    pub run_id: Uuid,
    /// What is asked for: `resume`, `clarification` or `kill_switch`.
    pub kind: String,
    /// `PENDING`, `APPROVED`, `REJECTED` or `EXPIRED`.
    pub status: String,
    /// `critical`, `high`, `normal` or `low`.
    pub priority: String,
    /// In a line.
    pub title: String,
    /// In more words.
    pub description: String,
    /// What led to it.
    pub context: Value,
    /// The role that may answer.
    pub required_role: String,
    /// Who has taken it on.
    pub assigned_to: Option<String>,
    /// Since when it is asked, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Until when.
    #[schema(format = DateTime)]
    pub expires_at: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Who has answered.
    pub action_by: Option<String>,
    /// In their words.
    pub action_reason: Option<String>,
    /// When.
    #[schema(format = DateTime)]
    pub action_at: Option<String>,
}

impl From<InterventionRow> for InterventionBody {
    fn from(row: InterventionRow) -> InterventionBody {
        InterventionBody {
            id: row.request_id,
            instance_id: row.instance_id,
            uow_id: row.unit_id,
            run_id: row.run_id,
            kind: row.kind,
            status: row.status,
            priority: row.priority,
            title: row.title,
            description: row.description,
            context: row.context,
            required_role: row.required_role,
            assigned_to: row.assigned_to,
            created_at: row.created_at.to_string(),
            expires_at: row.expires_at.to_string(),
            updated_at: row.updated_at.to_string(),
            action_by: row.action_by,
            action_reason: row.action_reason,
            action_at: row.action_at.map(|at| at.to_string()),
        }
    }
}

/// The request with this id.
///
/// # Errors
///
/// `intervention-not-found`.
pub(crate) async fn find(
    app: &App,
    caller: &Caller,
    word: &str,
) -> Result<InterventionRow, Problem> {
    let id = id_of(word, problem::INTERVENTION_NOT_FOUND)?;
    let project = caller.project().to_owned();
    let row = app.engine.read(move |store| store.intervention(&project, id)).await?;
    row.ok_or_else(|| {
        Problem::new(problem::INTERVENTION_NOT_FOUND, format!("there is no request {id}"))
    })
}
