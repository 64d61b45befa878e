//! What goes in the end, and what stays.

use windlass_core::run::{RunStatus, StepStatus};
use windlass_store::*;

use crate::fixture::*;
use crate::lists::numbers;

pub(crate) fn old_runs_go_with_all_they_have(store: &dyn Store) {
    let child_of = |parent: u128, number: u128| {
        with(new_run(number), |write| {
            let step = "call".to_owned();
            new_of(write).parent = Some(ParentRun { run_id: id(parent), step, depth: 1 });
        })
    };
    let first = with(new_run(1), |write| {
        new_of(write).labels.insert("team".into(), "a".into());
        write.new_steps = vec![step(0, StepStatus::Queued)];
        write.logs = vec![log(1, "a", "x")];
    });
    let second = with(new_run(2), |write| new_of(write).key = Some(key("k2", "hash")));
    commit(store, &[first, second, child_of(2, 3), new_run(4), new_run(5), child_of(5, 6)]);
    let end = |number| end_run(number, RunStatus::Succeeded);
    commit(store, &[end(1), end(2), end(3), end(5)]);
    let left = || numbers(&store.runs(PROJECT, &RunFilter::default(), None, 99).unwrap());
    assert_eq!(prune(store, 99, at(2), 99), 0, "nothing is old enough");
    assert_eq!(prune(store, 99, at(3), 1), 1);
    assert_eq!(left(), [6, 5, 4, 3, 2]);
    assert_eq!(prune(store, 99, at(3), 99), 1, "a child goes after its parent");
    assert_eq!(left(), [6, 5, 4, 3]);
    assert_eq!(prune(store, 99, at(3), 99), 1);
    assert_eq!(prune(store, 99, at(3), 99), 0);
    assert_eq!(left(), [6, 5, 4], "an open run stays, and so does its parent");
    assert_eq!(store.run(PROJECT, &id(1).to_string()).unwrap(), None);
    assert!(store.load_run(id(1), 1).unwrap().is_none());
    assert_eq!(store.events(id(1), 0, 9, 999).unwrap().items, []);
    assert_eq!(store.steps(id(1), None, 9).unwrap().items, []);
    assert_eq!(store.logs(id(1), 0, &LogFilter::default(), 9).unwrap().items, []);
    let team = RunFilter { labels: vec![("team".into(), "a".into())], ..RunFilter::default() };
    assert_eq!(store.runs(PROJECT, &team, None, 9).unwrap().items, []);
    let forgotten = store.key(PROJECT, "POST /execute", "k2").unwrap();
    assert_eq!(forgotten, None, "a key would lead to a run that is not there");
    // What is left of it would stand in the way of another run of this id.
    commit(store, &[new_run(1)]);
}

pub(crate) fn a_very_large_old_run_goes_in_parts(store: &dyn Store) {
    const LINES: u64 = 45_000;
    let large = with(new_run(1), |write| {
        write.logs = (1..=LINES).map(|seq| log(seq, "a", "x")).collect();
    });
    commit(store, &[large, new_run(2)]);
    commit(store, &[end_run(1, RunStatus::Succeeded), end_run(2, RunStatus::Succeeded)]);
    let mut turns = 0;
    while prune(store, 99, at(3), 99) > 0 {
        turns += 1;
        assert!(turns < 9, "it goes on for ever");
        // Whoever keeps a copy of it must know that this is none of all of it any more.
        if let Some(row) = store.run(PROJECT, &id(1).to_string()).unwrap() {
            let lines = store.overview(id(1), 0).unwrap().unwrap().last_log_seq;
            let is_whole = store.logs(id(1), 0, &LogFilter::default(), 1).unwrap().items[..]
                .first()
                .is_some_and(|log| log.log_seq == 1);
            assert_eq!(is_whole, row.reason.as_deref() != Some(REASON_DELETING), "{lines}");
        }
    }
    assert_eq!(store.runs(PROJECT, &RunFilter::default(), None, 9).unwrap().items, []);
    assert_eq!(store.logs(id(1), 0, &LogFilter::default(), 9).unwrap().items, []);
}

/// Twelve runs of two workflows that ended one after the other, every third badly.
fn fill(store: &dyn Store) -> i64 {
    let epoch = store.take_over("boot", at(0)).unwrap();
    for number in 1..=12_u128 {
        let new = with(new_run(number), |write| {
            new_of(write).workflow_id = id(100 + number % 2);
            new_of(write).workflow = ["even", "odd"][(number % 2) as usize].into();
        });
        assert_eq!(store.commit(epoch, &[new]).unwrap(), []);
    }
    for number in (1..=11_u128).rev() {
        let status = match number % 3 {
            0 => RunStatus::Failed,
            1 => RunStatus::Succeeded,
            _ => RunStatus::Cancelled,
        };
        // The newest were over first.
        let end = with(end_run(number, status), |write| {
            standing_of(write).finished_at = Some(at(20 - i64::try_from(number).unwrap()));
        });
        assert_eq!(store.commit(epoch, &[end]).unwrap(), []);
    }
    epoch
}

pub(crate) fn runs_have_their_time_by_workflow_outcome_and_number(store: &dyn Store) {
    let epoch = fill(store);
    let all = Expiry::default;
    let found = |expiry: &Expiry, limit| -> Vec<u128> {
        let rows = store.expired_runs(expiry, limit).unwrap();
        rows.iter().map(|row| row.run_id.as_u128()).collect()
    };
    assert_eq!(found(&all(), 99), [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1], "12 is not over");
    assert_eq!(found(&all(), 3), [11, 10, 9]);
    assert_eq!(found(&all(), 0), [0; 0]);
    let before = Expiry { before: Some(at(12)), ..all() };
    assert_eq!(found(&before, 99), [11, 10, 9]);
    let odd = Expiry { workflow: Some("odd".into()), ..all() };
    assert_eq!(found(&odd, 99), [11, 9, 7, 5, 3, 1]);
    let not_odd = Expiry { except: vec!["odd".into(), "other".into()], ..all() };
    assert_eq!(found(&not_odd, 99), [10, 8, 6, 4, 2]);
    let statuses = vec![RunStatus::Failed, RunStatus::Running];
    assert_eq!(found(&Expiry { statuses, ..all() }, 99), [9, 6, 3]);
    let statuses = vec![RunStatus::Running];
    assert_eq!(found(&Expiry { statuses, ..all() }, 99), [0; 0]);
    let keep = |count| Expiry { keep_newest: Some(count), ..all() };
    assert_eq!(found(&keep(0), 99).len(), 11);
    assert_eq!(
        found(&keep(2), 99),
        [8, 7, 6, 5, 4, 3, 2, 1],
        "12 is among the newest, over or not"
    );
    assert_eq!(found(&keep(5), 99), [2, 1]);
    assert_eq!(found(&keep(6), 99), [0; 0]);
    assert_eq!(found(&keep(7), 99), [0; 0]);
    assert_eq!(found(&Expiry { keep_newest: Some(3), ..odd.clone() }, 99), [5, 3, 1]);
    let failed = Expiry { statuses: vec![RunStatus::Failed], ..keep(2) };
    assert_eq!(found(&failed, 99), [6, 3]);
    let rows = store.expired_runs(&odd, 1).unwrap();
    assert_eq!(Some(&rows[0]), store.run(PROJECT, &id(11).to_string()).unwrap().as_ref());
    assert_eq!(store.delete_runs(epoch, &[id(11), id(12), id(11), id(99)]).unwrap(), 1);
    assert_eq!(store.delete_runs(epoch, &[]).unwrap(), 0);
    assert_eq!(found(&odd, 99), [9, 7, 5, 3, 1]);
    assert_eq!(store.delete_runs(epoch - 1, &[id(9)]), Err(StoreError::Fenced));
    assert_eq!(found(&keep(1), 99).len(), 9);
}

pub(crate) fn nobody_goes_whom_the_family_keeps(store: &dyn Store) {
    let child_of = |parent: u128, number: u128| {
        with(new_run(number), |write| {
            let step = "call".to_owned();
            new_of(write).parent = Some(ParentRun { run_id: id(parent), step, depth: 1 });
        })
    };
    let end = |number| end_run(number, RunStatus::Succeeded);
    commit(store, &[new_run(1), child_of(1, 2), child_of(1, 3), child_of(2, 4)]);
    commit(store, &[end(1), end(2), end(4)]);
    let epoch = store.take_over("boot", at(0)).unwrap();
    let all = [id(4), id(3), id(2), id(1)];
    let expired = || store.expired_runs(&Expiry::default(), 9).unwrap();
    assert_eq!((expired().len(), store.delete_runs(epoch, &all).unwrap()), (0, 0));
    assert_eq!(store.commit(epoch, &[end(3)]).unwrap(), []);
    let ids = |rows: Vec<RunRow>| rows.iter().map(|row| row.run_id).collect::<Vec<_>>();
    assert_eq!(ids(expired()), [id(1)]);
    assert_eq!(store.delete_runs(epoch, &all).unwrap(), 1);
    assert_eq!(ids(expired()), [id(2), id(3)]);
    assert_eq!(store.delete_runs(epoch, &all).unwrap(), 2);
    assert_eq!(store.delete_runs(epoch, &all).unwrap(), 1);
    assert_eq!(store.delete_runs(epoch, &all).unwrap(), 0);
}
