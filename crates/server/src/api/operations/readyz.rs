use axum::extract::State;

use crate::app::Shared;
use crate::http::problem::{self, Problem, ProblemResponses};

/// Whether requests can be taken: the store can be read, commits succeed, and the server is not
/// going down.
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    responses((status = 200, description = "`ok`", body = String), ProblemResponses)
)]
pub async fn readyz(State(app): Shared) -> Result<&'static str, Problem> {
    if *app.going_down.borrow() {
        return Err(Problem::new(problem::UNAVAILABLE, "the server is going down"));
    }
    let health = app.engine.health();
    if health.is_fenced {
        return Err(Problem::new(problem::UNAVAILABLE, "another server owns the data now"));
    }
    if !health.can_write {
        return Err(Problem::new(problem::UNAVAILABLE, "commits fail; the server's log says why"));
    }
    app.engine.read(windlass_store::Store::check).await?;
    Ok("ok")
}
