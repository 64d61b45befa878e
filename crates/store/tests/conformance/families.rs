//! Parents and children, shared slots, and messages between runs.

use windlass_core::run::RunStatus;
use windlass_store::*;

use crate::fixture::*;

fn child(number: u128, parent: u128) -> RunWrite {
    with(new_run(number), |write| {
        let (run_id, step) = (id(parent), "each[3].call".to_owned());
        new_of(write).parent = Some(ParentRun { run_id, step, depth: 2 });
    })
}

fn slot(key: &str) -> ConcurrencySlot {
    ConcurrencySlot { key: key.into(), limit: 3 }
}

pub(crate) fn a_run_knows_its_parent_and_its_creator(store: &dyn Store) {
    let write = with(child(7, 5), |write| {
        new_of(write).concurrency = Some(slot("gpu"));
        new_of(write).priority = -4;
        new_of(write).created_by = Some("key:\0ci".into());
    });
    commit(store, &[write.clone(), new_run(8)]);
    let row = store.run(PROJECT, &id(7).to_string()).unwrap().unwrap();
    let new = write.create.unwrap();
    assert_eq!((row.parent, row.concurrency), (new.parent, new.concurrency));
    assert_eq!((row.priority, row.created_by.as_deref()), (-4, Some("key:␀ci")));
    let row = store.run(PROJECT, &id(8).to_string()).unwrap().unwrap();
    assert_eq!((row.parent, row.concurrency, row.priority), (None, None, 0));
    assert_eq!(row.created_by, None);
}

pub(crate) fn children_are_listed_by_their_parent(store: &dyn Store) {
    commit(store, &[child(7, 5), child(8, 6), child(9, 5), new_run(10)]);
    let filter = RunFilter { parent: Some(id(5)), ..RunFilter::default() };
    let found = store.runs(PROJECT, &filter, None, 9).unwrap().items;
    assert_eq!(found.iter().map(|row| row.run_id).collect::<Vec<_>>(), [id(9), id(7)]);
    let found = store.runs(PROJECT, &filter, Some(id(9)), 9).unwrap().items;
    assert_eq!(found.iter().map(|row| row.run_id).collect::<Vec<_>>(), [id(7)]);
}

pub(crate) fn whoever_is_in_line_can_be_counted_again(store: &dyn Store) {
    let run = |number, status, key: Option<&str>| {
        with(new_run(number), |write| {
            standing_of(write).status = status;
            standing_of(write).started_at = (status != RunStatus::Queued).then(|| at(3));
            new_of(write).concurrency = key.map(slot);
            new_of(write).priority = 2;
        })
    };
    let group = [
        run(1, RunStatus::Queued, None),
        run(2, RunStatus::Running, None),
        run(3, RunStatus::Running, Some("a")),
        run(4, RunStatus::Queued, Some("a")),
        run(5, RunStatus::Waiting, Some("b")),
        run(6, RunStatus::Paused, Some("b")),
        run(7, RunStatus::Failed, Some("b")),
    ];
    commit(store, &group);
    let page = store.admissions(None, 3).unwrap();
    let numbers = |page: &Page<Admission>| -> Vec<(u128, bool)> {
        page.items.iter().map(|it| (it.run_id.as_u128(), it.has_started)).collect()
    };
    assert_eq!((numbers(&page), page.has_more), (vec![(1, false), (3, true), (4, false)], true));
    let expected = Admission {
        run_id: id(4),
        project: PROJECT.into(),
        workflow_id: id(1),
        concurrency: Some(slot("a")),
        priority: 2,
        has_started: false,
    };
    assert_eq!(page.items[2], expected);
    let page = store.admissions(Some(id(4)), 3).unwrap();
    assert_eq!((numbers(&page), page.has_more), (vec![(5, true), (6, true)], false));
}

pub(crate) fn a_message_stands_until_it_is_received(store: &dyn Store) {
    let epoch = store.take_over("boot", at(0)).unwrap();
    let sending = with(new_run(7), |write| {
        write.messages = vec![
            message(8, 7, "b", "cancel", 5),
            message(9, 7, "a", "cancel", 5),
            message(8, 7, "a", "cancel", 5),
            message(8, 7, "c", "start", 2),
        ];
    });
    assert_eq!(store.commit(epoch, &[sending]).unwrap(), []);
    // Said again, it is the same message.
    let again = with(end_run(7, RunStatus::Running), |write| {
        let first = message(8, 7, "b", "cancel", 9);
        write.messages = vec![Message { body: "\"later\"".into(), ..first }];
    });
    assert_eq!(store.commit(epoch, &[again]).unwrap(), []);
    let standing = |after, limit| {
        let page = store.messages(after, limit).unwrap();
        let short = page.items.iter().map(|it| (it.target.as_u128(), it.path.clone()));
        (short.collect::<Vec<_>>(), page.has_more)
    };
    let short = |target: u128, path: &str| (target, path.to_owned());
    let first = vec![short(8, "c"), short(8, "a"), short(8, "b")];
    assert_eq!(standing(None, 3), (first, true));
    let place = (at(5), message(8, 7, "b", "cancel", 5).key());
    assert_eq!(standing(Some(place), 3), (vec![short(9, "a")], false));
    let all = store.messages(None, 9).unwrap().items;
    assert_eq!(all[2], message(8, 7, "b", "cancel", 5), "the first one stays");
    let receiving = with(new_run(8), |write| {
        write.received = vec![all[0].key(), all[1].key()];
    });
    assert_eq!(store.commit(epoch, &[receiving]).unwrap(), []);
    assert_eq!(standing(None, 9).0, [short(8, "b"), short(9, "a")]);
}

pub(crate) fn messages_go_with_what_else_the_run_has_to_say(store: &dyn Store) {
    let epoch = store.take_over("boot", at(0)).unwrap();
    let sending = with(new_run(7), |write| write.messages = vec![message(8, 7, "a", "x", 1)]);
    assert_eq!(store.commit(epoch, std::slice::from_ref(&sending)).unwrap(), []);
    let stale = with(sending, |write| {
        write.messages = vec![message(8, 7, "b", "x", 1)];
        write.received = vec![message(8, 7, "a", "x", 1).key()];
    });
    assert_eq!(store.commit(epoch, &[stale]).unwrap(), [(0, Conflict::Changed)]);
    let standing = store.messages(None, 9).unwrap().items;
    assert_eq!(standing, [message(8, 7, "a", "x", 1)], "a write that is refused changes nothing");
}

pub(crate) fn a_message_to_nobody_can_be_put_away(store: &dyn Store) {
    let epoch = store.take_over("boot", at(0)).unwrap();
    let sending = with(new_run(7), |write| write.messages = vec![message(99, 7, "a", "x", 1)]);
    assert_eq!(store.commit(epoch, &[sending]).unwrap(), []);
    for number in [99, 7] {
        // Whether there is such a run or not: this is about the message alone.
        let answering = with(end_run(number, RunStatus::Running), |write| {
            write.after_seq = 0;
            write.standing = None;
            write.chunks = vec![];
            write.received = vec![message(99, 7, "a", "x", 1).key()];
            write.messages = vec![message(7, number, "a", "gone", 2)];
        });
        assert_eq!(store.commit(epoch, &[answering]).unwrap(), []);
    }
    let standing = store.messages(None, 9).unwrap().items;
    let words: Vec<&str> = standing.iter().map(|message| message.word.as_str()).collect();
    assert_eq!(words, ["gone", "gone"]);
    assert_eq!(store.run(PROJECT, &id(99).to_string()).unwrap(), None);
}

pub(crate) fn a_workflow_is_paused_and_goes_on(store: &dyn Store) {
    store.deploy(&deploy("a", "one", 1)).unwrap();
    let pause = Pause { at: at(3), by: "ann".into(), reason: Some("too\0 hot".into()) };
    let paused = store.pause_workflow(id(1_001), Some(&pause)).unwrap().unwrap();
    let shown = Pause { reason: Some("too␀ hot".into()), ..pause.clone() };
    assert_eq!(paused.pause, Some(shown.clone()));
    assert_eq!(store.workflow(PROJECT, "a").unwrap(), Some(paused));
    let Deployed::New(second) = store.deploy(&deploy("a", "two", 2)).unwrap() else { panic!() };
    assert_eq!(second.pause, Some(shown), "a new version does not end the pause");
    assert_eq!(store.workflow(PROJECT, "a").unwrap(), Some(second));
    let resumed = store.pause_workflow(id(1_001), None).unwrap().unwrap();
    assert_eq!(resumed.pause, None);
    assert_eq!(store.workflows(PROJECT, None, 9).unwrap().items, [resumed]);
    assert_eq!(store.pause_workflow(id(9), Some(&pause)).unwrap(), None);
    store.delete_workflow(id(1_001), None, at(4)).unwrap();
    assert_eq!(store.pause_workflow(id(1_001), Some(&pause)).unwrap(), None);
}
