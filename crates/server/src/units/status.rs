use windlass_store::{InstanceRow, InstanceStatus};

use super::instance;
use crate::access::Caller;
use crate::api::words::{TEXT_MAX, check_text_if};
use crate::app::App;
use crate::http::problem::{self, Problem};

/// Says where an instance stands from now on. One that stands there already stays as it is.
///
/// # Errors
///
/// `instance-not-found`; `instance-inactive` if it is archived, which is for good.
pub(crate) async fn set(
    app: &App,
    caller: &Caller,
    word: &str,
    status: InstanceStatus,
    reason: Option<String>,
) -> Result<InstanceRow, Problem> {
    check_text_if("reason", reason.as_deref(), TEXT_MAX)?;
    let instance = instance::find(app, caller.project(), word).await?;
    let (id, now) = (instance.id(), app.engine.clock().now());
    let project = caller.project().to_owned();
    let desk = app.engine.desk().clone();
    // On the one thread that writes, so that nothing brings an archived one back in between, and the
    // desk hears of two changes in the order in which they were made.
    let set = move |store: &dyn windlass_store::Store| -> Result<Option<InstanceRow>, _> {
        let row = match store.instance(&project, &id.to_string())? {
            Some(row) if row.status == InstanceStatus::Archived || row.status == status => {
                Some(row)
            }
            _ => store.set_instance_status(id, status, reason.as_deref(), now)?,
        };
        match row.as_ref().map(|row| row.status) {
            Some(InstanceStatus::Active) => desk.open(id),
            Some(_) => desk.close(id),
            None => {}
        }
        Ok(row)
    };
    let row = app.engine.call(set).await;
    app.known.forget(id);
    let row = row?;
    let row = row.ok_or_else(|| {
        Problem::new(problem::INSTANCE_NOT_FOUND, format!("there is no instance `{word:.64}`"))
    })?;
    if row.status != status {
        let message = "the instance is archived, and that is for good";
        return Err(Problem::new(problem::INSTANCE_INACTIVE, message));
    }
    Ok(row)
}
