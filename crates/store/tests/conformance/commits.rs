use std::collections::BTreeMap;

use serde_json::json;
use windlass_core::run::{Counts, RunStatus, StepStatus};
use windlass_store::*;

use crate::fixture::*;

pub(crate) fn a_run_is_read_as_it_was_written(store: &dyn Store) {
    let write = with(new_run(7), |write| {
        new_of(write).labels.insert("team".into(), "blue".into());
        new_of(write).rerun_of = Some(id(3));
        standing_of(write).reason = Some("retry".into());
        standing_of(write).started_at = Some(at(8));
        write.new_steps = vec![step(0, StepStatus::Queued)];
        write.timers_set = vec![("step0".into(), at(9))];
        write.snapshot = Some(Snapshot { seq: 1, version: 1, state: "{}".into() });
        write.logs = vec![log(1, "step0", "hello")];
    });
    commit(store, std::slice::from_ref(&write));
    let row = store.run(PROJECT, &id(7).to_string()).unwrap().unwrap();
    let expected = RunRow {
        run_id: id(7),
        project: PROJECT.into(),
        workflow_id: id(1),
        workflow: "greet".into(),
        version: 1,
        definition_id: id(2),
        status: RunStatus::Running,
        reason: Some("retry".into()),
        error: None,
        labels: [("team".into(), "blue".into())].into(),
        external_id: None,
        rerun_of: Some(id(3)),
        parent: None,
        concurrency: None,
        priority: 0,
        created_by: None,
        created_at: at(7),
        started_at: Some(at(8)),
        finished_at: None,
        last_seq: 1,
        counts: counted(StepStatus::Queued, 1),
        owner: 1,
    };
    assert_eq!(row, expected);
    let stored = store.load_run(id(7), 1).unwrap().unwrap();
    assert_eq!(stored.snapshot, write.snapshot);
    assert_eq!(stored.events, [], "nothing follows the snapshot");
    let stored = store.load_run(id(7), 2).unwrap().unwrap();
    assert_eq!(stored.events[0].event, created(id(7), json!({ "n": 1 })));
    assert_eq!(store.steps(id(7), None, 9).unwrap().items, write.new_steps);
    assert_eq!(stored.last_log_seq, 1);
    assert_eq!(store.logs(id(7), 0, &LogFilter::default(), 9).unwrap().items, write.logs);
    assert_eq!(store.due_timers(at(99), 9).unwrap()[0].path, "step0");
    assert_eq!(store.run("other", &id(7).to_string()).unwrap(), None, "projects are apart");
}

pub(crate) fn a_write_on_top_of_another_state_changes_nothing(store: &dyn Store) {
    let epoch = store.take_over("boot", at(0)).unwrap();
    let changed = vec![(0, Conflict::Changed)];
    assert_eq!(store.commit(epoch, &[end_run(7, RunStatus::Failed)]).unwrap(), changed);
    assert_eq!(store.load_run(id(7), 1).unwrap(), None);
    assert_eq!(store.commit(epoch, &[new_run(7)]).unwrap(), []);
    assert_eq!(store.commit(epoch, &[new_run(7)]).unwrap(), changed);
    let late = with(end_run(7, RunStatus::Failed), |write| write.after_seq = 5);
    assert_eq!(store.commit(epoch, &[late]).unwrap(), changed);
    assert_eq!(store.commit(epoch, &[end_run(7, RunStatus::Succeeded)]).unwrap(), []);
    assert_eq!(store.commit(epoch, &[end_run(7, RunStatus::Failed)]).unwrap(), changed);
    let row = store.run(PROJECT, &id(7).to_string()).unwrap().unwrap();
    assert_eq!((row.status, row.last_seq), (RunStatus::Succeeded, 2));
    assert_eq!(store.events(id(7), 0, 99, 99_999).unwrap().items.len(), 2);
}

pub(crate) fn a_conflict_concerns_one_run_of_the_group(store: &dyn Store) {
    let epoch = store.take_over("boot", at(0)).unwrap();
    let group = [new_run(7), end_run(8, RunStatus::Succeeded), new_run(9)];
    assert_eq!(store.commit(epoch, &group).unwrap(), [(1, Conflict::Changed)]);
    let all = store.runs(PROJECT, &RunFilter::default(), None, 9).unwrap().items;
    assert_eq!(all.iter().map(|row| row.run_id).collect::<Vec<_>>(), [id(9), id(7)]);
}

pub(crate) fn a_key_creates_one_run(store: &dyn Store) {
    let epoch = store.take_over("boot", at(0)).unwrap();
    let keyed = |number, hash: &str| {
        with(new_run(number), |write| new_of(write).key = Some(key("k", hash)))
    };
    let group = [keyed(7, "one"), keyed(8, "two")];
    let taken = Conflict::KeyTaken { run_id: id(7), request_hash: "one".into() };
    assert_eq!(store.commit(epoch, &group).unwrap(), [(1, taken.clone())]);
    assert_eq!(store.commit(epoch, &[keyed(9, "one")]).unwrap(), [(0, taken)]);
    let row = KeyRow { run_id: id(7), request_hash: "one".into() };
    assert_eq!(store.key(PROJECT, "POST /execute", "k").unwrap(), Some(row));
    assert_eq!(store.key(PROJECT, "POST /rerun", "k").unwrap(), None);
    assert_eq!(store.key("other", "POST /execute", "k").unwrap(), None);
    let elsewhere = with(keyed(9, "one"), |write| new_of(write).project = "other".into());
    assert_eq!(store.commit(epoch, &[elsewhere]).unwrap(), []);
}

pub(crate) fn an_external_id_is_unique_in_its_project(store: &dyn Store) {
    let epoch = store.take_over("boot", at(0)).unwrap();
    let named =
        |number| with(new_run(number), |write| new_of(write).external_id = Some("order-5".into()));
    let taken = Conflict::ExternalIdTaken { run_id: id(7) };
    assert_eq!(store.commit(epoch, &[named(7), named(8)]).unwrap(), [(1, taken)]);
    let found = store.run(PROJECT, "order-5").unwrap().unwrap();
    assert_eq!(found.run_id, id(7));
    assert_eq!(store.run(PROJECT, "order-6").unwrap(), None);
    assert_eq!(store.run("other", "order-5").unwrap(), None);
    let names = ["order-6".to_owned(), "order-5".to_owned()];
    let called = store.runs_called(PROJECT, &names).unwrap();
    assert_eq!(called, [("order-5".to_owned(), id(7))]);
    assert_eq!(store.runs_called("other", &names).unwrap(), []);
    let elsewhere = with(named(9), |write| new_of(write).project = "other".into());
    assert_eq!(store.commit(epoch, &[elsewhere]).unwrap(), []);
}

pub(crate) fn an_older_epoch_writes_nothing(store: &dyn Store) {
    let older = store.take_over("one", at(0)).unwrap();
    let newer = store.take_over("two", at(0)).unwrap();
    assert!(newer > older);
    assert_eq!(store.commit(older, &[new_run(7)]), Err(StoreError::Fenced));
    assert_eq!(store.run(PROJECT, &id(7).to_string()).unwrap(), None);
    assert_eq!(store.commit(newer, &[new_run(7)]).unwrap(), []);
}

pub(crate) fn snapshots_of_other_versions_are_passed_over(store: &dyn Store) {
    let snapshot = |version| Snapshot { seq: 1, version, state: "{}".into() };
    commit(store, &[with(new_run(7), |write| write.snapshot = Some(snapshot(3)))]);
    let stored = store.load_run(id(7), 4).unwrap().unwrap();
    assert_eq!((stored.snapshot, stored.events.len()), (None, 1));
    let later = with(end_run(7, RunStatus::Waiting), |write| write.snapshot = Some(snapshot(4)));
    commit(store, &[later]);
    let stored = store.load_run(id(7), 4).unwrap().unwrap();
    assert_eq!((stored.snapshot.unwrap().seq, stored.events.len()), (1, 1));
    let over = with(end_run(7, RunStatus::Succeeded), |write| {
        write.after_seq = 2;
        standing_of(write).last_seq = 3;
        write.chunks[0].first_seq = 3;
        write.chunks[0].last_seq = 3;
        write.drop_snapshot = true;
    });
    commit(store, &[over]);
    assert_eq!(store.load_run(id(7), 4).unwrap().unwrap().snapshot, None);
}

pub(crate) fn what_a_later_write_does_not_name_stays(store: &dyn Store) {
    let first = with(new_run(7), |write| {
        write.new_steps = vec![step(0, StepStatus::Queued), step(1, StepStatus::Queued)];
        write.timers_set = vec![("a".into(), at(5)), ("b".into(), at(6))];
    });
    let second = with(end_run(7, RunStatus::Running), |write| {
        let ended = with(step(0, StepStatus::Succeeded), |step| {
            step.input_seq = None;
            step.end_seq = Some(2);
            step.finished_at = Some(at(2));
        });
        write.changed_steps = vec![ended];
        write.timers_set = vec![("b".into(), at(9))];
        write.timers_cleared = vec!["a".into()];
    });
    commit(store, &[first]);
    commit(store, &[second]);
    let steps = store.steps(id(7), None, 9).unwrap().items;
    assert_eq!((steps[0].input_seq, steps[0].end_seq), (Some(3), Some(2)));
    assert_eq!(steps[1], step(1, StepStatus::Queued));
    let timers = store.due_timers(at(99), 9).unwrap();
    assert_eq!(timers, [TimerRow { due_at: at(9), run_id: id(7), path: "b".into() }]);
}

pub(crate) fn strange_texts_survive(store: &dyn Store) {
    let strange = "\u{0}'; DROP TABLE run; -- \u{202e}\u{1F600} %_!\\ \"";
    let write = with(new_run(7), |write| {
        write.chunks = vec![chunk(1, &[created(id(7), json!({ "text": strange }))])];
        new_of(write).labels.insert("it's".into(), "100 %_".into());
        write.logs = vec![log(1, "a", strange)];
    });
    commit(store, &[write]);
    let events = store.events(id(7), 0, 9, 9_999).unwrap().items;
    assert_eq!(events[0].event, created(id(7), json!({ "text": strange })));
    let logs = store.logs(id(7), 0, &LogFilter::default(), 9).unwrap().items;
    assert_eq!(logs[0].text, strange.replace('\0', "␀"));
    let filter = |labels: &[(&str, &str)], text: Option<&str>| RunFilter {
        labels: labels.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        text: text.map(str::to_owned),
        ..RunFilter::default()
    };
    let count = |filter| store.runs(PROJECT, &filter, None, 9).unwrap().items.len();
    assert_eq!(count(filter(&[("it's", "100 %_")], None)), 1);
    assert_eq!(count(filter(&[("it's", "100 x_")], None)), 0);
    assert_eq!(count(filter(&[], Some("GRE"))), 1);
    assert_eq!(count(filter(&[], Some("g%t"))), 0, "a wildcard stands for itself");
    assert_eq!(count(filter(&[], Some("' OR 1=1 --"))), 0);
}

fn counted(status: StepStatus, count: u32) -> Counts {
    let mut counts = Counts::default();
    counts.add(status, count);
    counts
}

pub(crate) fn a_run_that_goes_on_is_counted_by_its_steps(store: &dyn Store) {
    let first = with(new_run(7), |write| {
        standing_of(write).counts = counted(StepStatus::Pending, 4);
        write.new_steps = vec![step(0, StepStatus::Queued), step(1, StepStatus::Queued)];
    });
    let second = with(end_run(7, RunStatus::Running), |write| {
        write.standing = None;
        write.changed_steps = vec![step(0, StepStatus::Succeeded)];
    });
    commit(store, &[first]);
    commit(store, &[second]);
    let row = store.run(PROJECT, &id(7).to_string()).unwrap().unwrap();
    let mut counts = counted(StepStatus::Pending, 2);
    counts.add(StepStatus::Queued, 1);
    counts.add(StepStatus::Succeeded, 1);
    assert_eq!((row.last_seq, row.counts), (2, counts));
    let listed = store.runs(PROJECT, &RunFilter::default(), None, 9).unwrap().items;
    assert_eq!(listed[0].last_seq, 1, "a list shows what the row says");
}

pub(crate) fn a_run_may_turn_out_to_be_of_another_workflow(store: &dyn Store) {
    commit(store, &[new_run(7), new_run(8)]);
    let before = store.run(PROJECT, &id(7).to_string()).unwrap().unwrap();
    let to = Renamed {
        workflow_id: id(30),
        workflow: "nightly".into(),
        version: 4,
        definition_id: id(31),
    };
    let write = RunWrite { run_id: id(7), after_seq: 1, renamed: Some(to), ..RunWrite::default() };
    commit(store, &[write]);
    let row = store.run(PROJECT, &id(7).to_string()).unwrap().unwrap();
    let expected = RunRow {
        workflow_id: id(30),
        workflow: "nightly".into(),
        version: 4,
        definition_id: id(31),
        ..before
    };
    assert_eq!(row, expected);
    let of = |workflow_id| {
        let filter = RunFilter { workflow_id: Some(workflow_id), ..RunFilter::default() };
        let found = store.runs(PROJECT, &filter, None, 9).unwrap().items;
        found.into_iter().map(|run| run.run_id).collect::<Vec<_>>()
    };
    assert_eq!((of(id(30)), of(id(1))), (vec![id(7)], vec![id(8)]));
}

pub(crate) fn labels_are_set_on_runs_that_go_on(store: &dyn Store) {
    let labels = |labels: &[(&str, &str)]| -> BTreeMap<String, String> {
        labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    };
    let set =
        |write: RunWrite, set: &[(&str, &str)]| with(write, |write| write.labels_set = labels(set));
    let has = |number: u128| store.run(PROJECT, &id(number).to_string()).unwrap().unwrap().labels;
    let found = |key: &str, value: &str| -> Vec<u128> {
        let filter = RunFilter { labels: vec![(key.into(), value.into())], ..RunFilter::default() };
        let page = store.runs(PROJECT, &filter, None, 9).unwrap();
        page.items.iter().map(|row| row.run_id.as_u128()).collect()
    };
    let new = with(new_run(7), |write| new_of(write).labels = labels(&[("a", "1"), ("b", "1")]));
    commit(store, &[set(new, &[("b", "2"), ("c", "1")]), new_run(8), new_run(9)]);
    assert_eq!(has(7), labels(&[("a", "1"), ("b", "2"), ("c", "1")]));
    assert_eq!((found("b", "1"), found("b", "2")), (vec![], vec![7]));
    let end = |number| end_run(number, RunStatus::Succeeded);
    commit(
        store,
        &[
            set(end(7), &[("a", "1"), ("b", "3"), ("d", "it's \u{1F600}")]),
            set(end(8), &[("b", "3")]),
            end(9),
        ],
    );
    assert_eq!(has(7), labels(&[("a", "1"), ("b", "3"), ("c", "1"), ("d", "it's \u{1F600}")]));
    assert_eq!((has(8), has(9)), (labels(&[("b", "3")]), labels(&[])));
    assert_eq!((found("b", "2"), found("b", "3")), (vec![], vec![8, 7]));
    assert_eq!((found("a", "1"), found("d", "it's \u{1F600}")), (vec![7], vec![7]));
    // Refused, and so is what comes with it. Nothing has happened but labels.
    let epoch = store.take_over("boot", at(0)).unwrap();
    let late = set(end(8), &[("b", "4")]);
    assert_eq!(store.commit(epoch, &[late]).unwrap(), [(0, Conflict::Changed)]);
    let alone = RunWrite {
        run_id: id(8),
        after_seq: 2,
        labels_set: labels(&[("e", "5")]),
        ..RunWrite::default()
    };
    assert_eq!(store.commit(epoch, &[alone]).unwrap(), []);
    assert_eq!((found("b", "4"), found("e", "5")), (vec![], vec![8]));
    // Nothing of it stands in the way of another run of this id.
    while prune(store, epoch, at(3), 9) > 0 {}
    assert_eq!((found("b", "3"), found("e", "5")), (vec![], vec![]));
}
