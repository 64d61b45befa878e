use std::collections::VecDeque;

use axum::Json;
use axum::extract::State;
use windlass_engine::TaskOf;
use windlass_store::Store;

use super::row;
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::tasks::refused;
use crate::api::unit::{DecisionBody, UnitDetail};
use crate::app::Shared;
use crate::http::problem::{self, Problem, ProblemResponses};
use crate::units::story::tell;

/// Decisions that are shown.
const DECISIONS_SHOWN_MAX: usize = 200;

/// A unit of work: its attributes, who wrote them and why, its parts, what guardians have decided, and
/// who holds it.
#[utoipa::path(
    get, path = "/api/v1/uows/{uow}", tag = "units",
    params(("uow" = String, Path, description = "Its id")),
    responses((status = 200, body = UnitDetail), ProblemResponses)
)]
pub async fn get_uow(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<UnitDetail>, Problem> {
    let row = row(&app, &caller, &word).await?;
    let view = app.engine.show_task(row.run_id, &row.path).await.map_err(refused)?;
    let TaskOf::Unit(view) = view.of else {
        return Err(Problem::new(problem::INTERNAL, "the unit is a step"));
    };
    let (run_id, path) = (row.run_id, row.path.clone());
    let read = move |store: &dyn Store| {
        let mut newest = VecDeque::new();
        tell(store, run_id, &path, |moment| {
            newest.extend(DecisionBody::all_of(moment));
            while newest.len() > DECISIONS_SHOWN_MAX {
                newest.pop_front();
            }
            true
        })?;
        Ok(newest)
    };
    let decisions = app.engine.read(read).await?.into();
    let held = app.engine.desk().task(caller.project(), row.unit_id).and_then(|task| task.held);
    Ok(Json(UnitDetail::of(&row, &view, decisions, held, app.engine.clock().now())))
}
