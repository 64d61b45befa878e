//! What pilots do with units of work.

use std::collections::BTreeSet;

use uuid::Uuid;
use windlass_core::run::token::UnitStatus;
use windlass_core::run::{PilotAct, Refused};
use windlass_engine::shard::{Answer, Command};
use windlass_store::{UnitFilter, UnitRow};

use super::Instance;
use crate::access::Caller;
use crate::api::execute::refusal;
use crate::app::App;
use crate::http::problem::{self, Problem};

/// Units read at once.
const UNITS_A_READ: usize = 1_000;

/// The row of a unit.
///
/// # Errors
///
/// `unit-not-found`, or that the store is away.
pub(crate) async fn unit(app: &App, project: &str, unit_id: Uuid) -> Result<UnitRow, Problem> {
    let own = project.to_owned();
    let row = app.engine.read(move |store| store.unit(&own, unit_id)).await?;
    row.ok_or_else(|| {
        Problem::new(problem::UNIT_NOT_FOUND, format!("there is no unit of work {unit_id}"))
    })
}

/// Does something with a unit. Answers it as it is then.
///
/// # Errors
///
/// `unit-not-found`, `unit-state` if it stands where this cannot be done, `invalid-unit`.
pub(crate) async fn act(
    app: &App,
    caller: &Caller,
    unit_id: Uuid,
    act: PilotAct,
) -> Result<UnitRow, Problem> {
    let row = unit(app, caller.project(), unit_id).await?;
    let (path, by) = (row.path, caller.name().to_owned());
    match app.engine.command(row.run_id, Command::Pilot { path, by, act }).await {
        Answer::Run(_) => unit(app, caller.project(), unit_id).await,
        // Nothing more can be done with what is over.
        Answer::Refused(refused @ Refused::Finished(_)) => {
            Err(Problem::new(problem::UNIT_STATE, refused.to_string()))
        }
        answer => Err(refusal(answer)),
    }
}

/// Stops everything that somebody works on in an instance. Answers how many units that were.
///
/// # Errors
///
/// That the store is away. What was stopped by then stays stopped.
pub(crate) async fn kill(
    app: &App,
    caller: &Caller,
    instance: &Instance,
    reason: &str,
) -> Result<usize, Problem> {
    let filter = UnitFilter {
        instance_id: Some(instance.id()),
        status: Some(UnitStatus::Active.as_str().to_owned()),
        ..UnitFilter::default()
    };
    let (mut after, mut count) = (None, 0);
    loop {
        let (project, filter) = (caller.project().to_owned(), filter.clone());
        let page = app
            .engine
            .read(move |store| store.units(&project, &filter, after, UNITS_A_READ))
            .await?;
        count += page.items.len();
        let runs: BTreeSet<Uuid> = page.items.iter().map(|row| row.run_id).collect();
        for run_id in runs {
            let act = PilotAct::Kill { reason: reason.to_owned() };
            let (path, by) = (String::new(), caller.name().to_owned());
            match app.engine.command(run_id, Command::Pilot { path, by, act }).await {
                // It may be over meanwhile.
                Answer::Run(_) | Answer::Refused(_) | Answer::NoSuchRun => {}
                answer => return Err(refusal(answer)),
            }
        }
        after = page.items.last().map(|row| row.unit_id);
        if !page.has_more {
            return Ok(count);
        }
    }
}
