//! What analytics are told.

use std::time::Duration;

use windlass_core::run::{RunStatus, StepStatus};
use windlass_store::*;

use crate::fixture::*;

fn glances(store: &dyn Store, filter: &ScanFilter, at_most: usize) -> (Vec<RunGlance>, bool) {
    let mut found = Vec::new();
    let more = store.scan_runs(PROJECT, filter, at_most, &mut |glance| found.push(glance)).unwrap();
    (found, more)
}

fn span(from: i64, until: i64) -> ScanFilter {
    ScanFilter { from: Some(at(from)), until: Some(at(until)), ..ScanFilter::default() }
}

pub(crate) fn runs_are_scanned_newest_first(store: &dyn Store) {
    let elsewhere = with(new_run(9), |write| new_of(write).project = "other".into());
    let of_two = (1..=5).map(|number| {
        with(new_run(number), |write| new_of(write).workflow_id = id(100 + number % 2))
    });
    commit(store, &of_two.chain([elsewhere]).collect::<Vec<_>>());
    commit(store, &[end_run(3, RunStatus::Failed), end_run(4, RunStatus::Succeeded)]);
    let found = |filter: &ScanFilter, at_most| {
        let (glances, more) = glances(store, filter, at_most);
        (glances.iter().map(|it| it.run_id.as_u128()).collect::<Vec<_>>(), more)
    };
    let all = ScanFilter::default();
    assert_eq!(found(&all, 9), (vec![5, 4, 3, 2, 1], false));
    assert_eq!(found(&all, 5), (vec![5, 4, 3, 2, 1], false));
    assert_eq!(found(&all, 4), (vec![5, 4, 3, 2], true));
    assert_eq!(found(&all, 0), (vec![], true));
    assert_eq!(found(&span(2, 4), 9), (vec![3, 2], false));
    let of_one = ScanFilter { workflow_id: Some(id(101)), ..ScanFilter::default() };
    assert_eq!(found(&of_one, 2), (vec![5, 3], true));
    assert_eq!(found(&ScanFilter { workflow_id: Some(id(1)), ..all }, 9), (vec![], false));
    let failed = RunGlance {
        run_id: id(3),
        workflow_id: id(101),
        workflow: "greet".into(),
        status: RunStatus::Failed,
        created_at: at(3),
        started_at: None,
        finished_at: Some(at(2)),
        error: Some("It went Wrong".into()),
    };
    assert_eq!(glances(store, &span(3, 4), 1), (vec![failed], false));
    assert_eq!(glances(store, &span(4, 5), 1).0[0].error, None);
}

/// More than are read at once.
pub(crate) fn many_runs_are_scanned_without_a_gap(store: &dyn Store) {
    let epoch = store.take_over("boot", at(0)).unwrap();
    for block in 0..25_u128 {
        let group: Vec<RunWrite> = (1..=1_000).map(|n| new_run(block * 1_000 + n)).collect();
        assert_eq!(store.commit(epoch, &group).unwrap(), []);
    }
    let (found, more) = glances(store, &ScanFilter::default(), 24_000);
    let numbers = found.iter().map(|glance| glance.run_id.as_u128());
    assert!(numbers.eq((1_001..=25_000).rev()));
    assert!(more);
    let (found, more) = glances(store, &ScanFilter::default(), 25_000);
    assert_eq!((found.len(), more), (25_000, false));
}

pub(crate) fn steps_are_summed_by_kind(store: &dyn Store) {
    let of = |ordinal, kind: &str, status, span: Option<(i64, i64)>| StepRow {
        kind: kind.into(),
        started_at: span.map(|(began, _)| at(began)),
        finished_at: span.map(|(_, ended)| at(ended)),
        ..step(ordinal, status)
    };
    let steps = |number, steps: Vec<StepRow>| with(new_run(number), |it| it.new_steps = steps);
    commit(
        store,
        &[
            steps(1, vec![of(0, "http", StepStatus::Succeeded, Some((1, 1_000)))]),
            steps(
                2,
                vec![
                    of(0, "http", StepStatus::Succeeded, Some((1, 4))),
                    of(1, "http", StepStatus::Failed, Some((9, 4))),
                    of(2, "delay", StepStatus::Skipped, None),
                ],
            ),
            steps(3, vec![of(0, "http", StepStatus::Running, None)]),
        ],
    );
    let sums = |filter: &ScanFilter, at_most| store.kinds_of_steps(PROJECT, filter, at_most);
    let delay = KindSum { kind: "delay".into(), steps: 1, ..KindSum::default() };
    let http = KindSum {
        kind: "http".into(),
        steps: 3,
        succeeded: 1,
        failed: 1,
        total: Duration::from_secs(3),
        timed: 2,
    };
    assert_eq!(sums(&ScanFilter::default(), 2).unwrap(), [delay.clone(), http.clone()]);
    let all = sums(&ScanFilter::default(), 9).unwrap();
    assert_eq!((all[1].steps, all[1].total), (4, Duration::from_secs(1_002)));
    assert_eq!(sums(&span(2, 3), 9).unwrap(), [delay, KindSum { steps: 2, ..http }]);
    assert_eq!(sums(&span(7, 9), 9).unwrap(), []);
    assert_eq!(store.kinds_of_steps("other", &ScanFilter::default(), 9).unwrap(), []);
}
