//! How the runs of one workflow have fared of late, in a line.

use serde::Serialize;
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::RunStatus;
use windlass_store::{RunGlance, ScanFilter, Store, StoreError};

use super::flows::{LATELY, percent};
use super::render::took;
use super::usage::grouped;
use crate::analytics::series::took as took_of;
use crate::analytics::spread::Spread;
use crate::client::segment;

/// Runs that are counted, the newest.
const COUNT_MAX: usize = 10_000;

/// How a workflow has fared.
#[derive(Debug, Serialize)]
pub(super) struct Health {
    /// How many runs there were.
    count: String,
    runs_href: String,
    /// The share that succeeded; `None` if none is over.
    rate: Option<String>,
    /// Whether that is so little that it needs to be seen.
    is_bad: bool,
    failed: Option<String>,
    failed_href: String,
    /// How long 95 of 100 took at most.
    p95: Option<String>,
    /// Where its charts are.
    charts_href: String,
}

/// Below this share of successes, in percent, a workflow does badly. A failure now and then is no news.
const PERCENT_GOOD: u64 = 90;

fn is_bad(succeeded: u64, over: u64) -> bool {
    succeeded * 100 < over * PERCENT_GOOD
}

/// Looks at the newest runs of a workflow.
///
/// # Errors
///
/// If the store cannot be read.
pub(super) fn read(
    store: &dyn Store,
    project: &str,
    (workflow_id, name): (Uuid, &str),
    now: Time,
) -> Result<Health, StoreError> {
    let lately = i64::try_from(LATELY.as_micros()).unwrap_or(i64::MAX);
    let from = Some(Time::from_micros(now.micros() - lately));
    let filter = ScanFilter { workflow_id: Some(workflow_id), from, until: None };
    let (mut count, mut succeeded, mut failed) = (0_i64, 0_u64, 0_u64);
    let mut spread = Spread::default();
    let has_more = store.scan_runs(project, &filter, COUNT_MAX, &mut |run: RunGlance| {
        count += 1;
        succeeded += u64::from(run.status == RunStatus::Succeeded);
        failed += u64::from(run.status == RunStatus::Failed);
        if let Some(took) = took_of(&run).filter(|_| run.status.is_terminal()) {
            spread.add(took);
        }
    })?;
    let name = segment(name);
    let over = succeeded + failed;
    Ok(Health {
        count: format!("{}{}", grouped(count), if has_more { "+" } else { "" }),
        runs_href: format!("/runs?workflow={name}&since=7d"),
        rate: (over > 0).then(|| percent(succeeded, over)),
        is_bad: is_bad(succeeded, over),
        failed: (failed > 0).then(|| grouped(i64::try_from(failed).unwrap_or(i64::MAX))),
        failed_href: format!("/runs?workflow={name}&since=7d&status=failed"),
        p95: spread.percentile(0.95).map(|it| took(std::time::Duration::from_millis(it))),
        charts_href: format!("/analytics?workflow={name}&since=7d"),
    })
}

#[cfg(test)]
mod tests {
    use super::is_bad;

    #[test]
    fn a_failure_now_and_then_is_not_bad() {
        let found = [(0, 0), (10, 10), (99, 100), (9, 10), (899, 1_000), (0, 1)];
        let found = found.map(|(succeeded, over)| is_bad(succeeded, over));
        assert_eq!(found, [false, false, false, false, true, true]);
    }
}
