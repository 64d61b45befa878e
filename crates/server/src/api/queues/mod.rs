//! `/api/v1/queues`: what waits for workers and actors.

pub mod get;
pub mod list;

use std::time::Duration;

use crate::app::App;
use crate::http::problem::{self, Problem};

/// How long a server that has just started is waited for.
const FILLED_WITHIN: Duration = Duration::from_secs(5);

/// That all tasks are known by now.
///
/// # Errors
///
/// `unavailable` while a server that has just started still reads them.
pub(crate) async fn filled(app: &App) -> Result<(), Problem> {
    let filled = tokio::time::timeout(FILLED_WITHIN, app.engine.desk().filled()).await;
    filled.map_err(|_| Problem::new(problem::UNAVAILABLE, "the tasks are still being read"))
}
