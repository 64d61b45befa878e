//! Values that are too large for a row: files beside the database.

use std::path::{Path, PathBuf};

use serde_json::json;
use windlass_core::Time;
use windlass_core::run::{Event, RunStatus};
use windlass_store::*;

use crate::fixture::*;
use crate::server::{fresh_database, sql};
use crate::{open, open_beside};

const MIB: usize = 1024 * 1024;

/// Later than any file.
const FAR: Time = Time::from_micros(i64::MAX);

fn large(letter: &str, bytes: usize) -> Event {
    finished(json!({ "text": letter.repeat(bytes), "strange": "\u{0}\u{1F600}" }))
}

/// Ends the run with one event.
pub(crate) fn end_with(number: u128, event: &Event) -> RunWrite {
    with(end_run(number, RunStatus::Succeeded), |write| {
        write.chunks = vec![chunk(2, std::slice::from_ref(event))];
    })
}

pub(crate) fn end_large(number: u128) -> RunWrite {
    end_with(number, &large("x", 100_000))
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// The hash that a file is named by.
fn hash(file: &Path) -> String {
    let parts: Vec<_> = file.iter().rev().take(2).map(|part| part.to_str().unwrap()).collect();
    format!("{}{}", parts[1], parts[0])
}

pub(crate) fn a_large_value_is_read_as_it_was_written(store: &dyn Store) {
    let epoch = store.take_over("boot", at(0)).unwrap();
    let (small, huge) = (finished(json!("small")), large("x", 5 * MIB));
    let write = with(new_run(7), |write| {
        write.chunks = vec![
            chunk(1, &[created(id(7), json!({ "n": 1 }))]),
            chunk(2, &[small.clone(), huge.clone()]),
            chunk(4, std::slice::from_ref(&small)),
        ];
        standing_of(write).last_seq = 4;
    });
    assert_eq!(store.commit(epoch, &[write, new_run(8)]).unwrap(), []);
    let events = store.events(id(7), 0, 99, 99 * MIB).unwrap().items;
    assert_eq!(events.len(), 4);
    assert!(events[1].event == small && events[2].event == huge && events[3].event == small);
    let page = store.events(id(7), 2, 1, 99 * MIB).unwrap();
    assert!(page.has_more && page.items.len() == 1 && page.items[0].event == huge);
    let page = store.events(id(7), 2, 9, MIB).unwrap();
    assert_eq!((page.has_more, page.items.len()), (true, 1), "its size counts");
    let found = store.events_at(id(7), &[3, 4, 2]).unwrap();
    assert!(found[0].event == huge && found[1].event == small && found[2].event == small);
    assert!(store.load_run(id(7), 1).unwrap().unwrap().events == events);
    assert_eq!(store.prune_blobs(FAR, 99).unwrap(), 0);
    assert!(store.load_run(id(7), 1).unwrap().unwrap().events == events);
}

pub(crate) fn two_large_words_about_one_run_do_not_mix(store: &dyn Store) {
    let epoch = store.take_over("boot", at(0)).unwrap();
    assert_eq!(store.commit(epoch, &[new_run(7)]).unwrap(), []);
    let (first, second) = (large("a", 70_000), large("b", 70_000));
    let group = [end_with(7, &first), end_with(7, &second)];
    assert_eq!(store.commit(epoch, &group).unwrap(), [(1, Conflict::Changed)]);
    assert!(store.events_at(id(7), &[2]).unwrap()[0].event == first);
}

/// Both databases, each with its directory of files, and with what runs a statement in it.
fn each_database(promise: impl Fn(&dyn Store, &Path, &dyn Fn(&str) -> String)) {
    let directory = tempfile::tempdir().unwrap();
    let raw = |statement: &str| {
        let raw = rusqlite::Connection::open(directory.path().join("windlass.db")).unwrap();
        let column = raw.query_row(statement, [], |row| row.get::<_, String>(0));
        column.unwrap_or_default()
    };
    promise(&*open(directory.path()), &directory.path().join("blobs"), &raw);
    let (parent, url) = (tempfile::tempdir().unwrap(), fresh_database());
    let blobs = parent.path().join("of/postgres");
    promise(&*open_beside(&url, &blobs), &blobs, &|statement| sql(&url, statement));
}

#[test]
fn a_file_goes_when_no_run_names_it() {
    each_database(|store, blobs, raw| {
        let epoch = store.take_over("boot", at(0)).unwrap();
        let runs = [new_run(7), new_run(8), end_large(7), end_large(8)];
        assert_eq!(store.commit(epoch, &runs).unwrap(), []);
        let [file] = &files(blobs)[..] else { panic!("the two say the same: {:?}", files(blobs)) };
        let row = raw("SELECT MAX(body) FROM journal WHERE last_seq = 2");
        assert_eq!(row, format!("{{\"blob\":\"{}\",\"bytes\":100085}}", hash(file)));
        let later = at(9);
        assert_eq!(store.prune_runs(later, 1).unwrap(), 1);
        assert_eq!(store.prune_blobs(FAR, 99).unwrap(), 0, "the other still names it");
        store.load_run(id(8), 1).unwrap();
        assert_eq!(store.prune_runs(later, 1).unwrap(), 1);
        assert_eq!(store.prune_blobs(at(0), 99).unwrap(), 0, "it is young");
        assert!(file.exists());
        assert_eq!(store.prune_blobs(FAR, 99).unwrap(), 1);
        assert_eq!(files(blobs), Vec::<PathBuf>::new());
    });
}

#[test]
fn a_file_that_no_commit_came_to_name_goes() {
    each_database(|store, blobs, _| {
        let older = store.take_over("one", at(0)).unwrap();
        assert_eq!(store.commit(older, &[new_run(7)]).unwrap(), []);
        let newer = store.take_over("two", at(0)).unwrap();
        // The file is written first, as by a process that is killed before its commit.
        assert_eq!(store.commit(older, &[end_large(7)]), Err(StoreError::Fenced));
        assert_eq!(files(blobs).len(), 1);
        // And as by one that is killed before the file is whole.
        std::fs::write(blobs.join("draft-1-1"), "[{").unwrap();
        assert_eq!(store.load_run(id(7), 1).unwrap().unwrap().events.len(), 1);
        assert_eq!(store.prune_blobs(FAR, 99).unwrap(), 1);
        assert_eq!(files(blobs), Vec::<PathBuf>::new());
        assert_eq!(store.commit(newer, &[end_large(7)]).unwrap(), []);
        assert_eq!(store.events_at(id(7), &[2]).unwrap().len(), 1);
        assert_eq!(files(blobs).len(), 1);
    });
}

#[test]
fn every_folder_has_its_turn() {
    each_database(|store, blobs, _| {
        let older = store.take_over("one", at(0)).unwrap();
        store.take_over("two", at(0)).unwrap();
        for bytes in 100_000..100_012 {
            let end = end_with(7, &large("x", bytes));
            assert_eq!(store.commit(older, &[end]), Err(StoreError::Fenced));
        }
        assert_eq!(files(blobs).len(), 12);
        let mut turns = 0;
        while !files(blobs).is_empty() {
            assert!(store.prune_blobs(FAR, 1).unwrap() > 0);
            turns += 1;
        }
        assert!(turns > 1, "one call looks at a few");
    });
}

#[test]
fn a_missing_or_altered_file_is_named() {
    each_database(|store, blobs, _| {
        commit(store, &[new_run(7), end_large(7), new_run(8)]);
        let file = files(blobs).pop().unwrap();
        let damaged = || match store.load_run(id(7), 1).map(drop).unwrap_err() {
            StoreError::Damaged(message) => message,
            other => panic!("{other:?}"),
        };
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("xx", "xy")).unwrap();
        assert_eq!(damaged(), format!("the blob `{}` is not as it was written", hash(&file)));
        std::fs::remove_file(&file).unwrap();
        assert!(damaged().starts_with(&format!("the blob `{}` is missing in `", hash(&file))));
        assert_eq!(store.events(id(8), 0, 9, 9_999).unwrap().items.len(), 1);
    });
}

#[test]
fn files_that_cannot_be_written_refuse_the_commit() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    commit(&*store, &[new_run(7)]);
    std::fs::write(directory.path().join("blobs"), "in the way").unwrap();
    let refused = store.commit(1, &[new_run(8), end_large(7)]).unwrap_err();
    let StoreError::Unavailable(message) = refused else { panic!("{refused:?}") };
    assert!(message.starts_with("cannot write a blob to `"), "{message}");
    assert_eq!(store.load_run(id(8), 1).unwrap(), None, "nothing of the group was written");
    assert_eq!(store.commit(1, &[new_run(8)]).unwrap(), [], "small things need no file");
}

#[test]
fn a_look_through_finds_broken_files() {
    let directory = tempfile::tempdir().unwrap();
    commit(&*open(directory.path()), &[new_run(7), end_large(7)]);
    let place = Place::Sqlite(SqliteOptions::at(directory.path()));
    assert_eq!(place.inspect(at(0)).unwrap().broken, [""; 0]);
    let file = files(&directory.path().join("blobs")).pop().unwrap();
    std::fs::write(&file, "[]").unwrap();
    let line = format!("the blob `{}` is not as it was written", hash(&file));
    assert_eq!(place.inspect(at(0)).unwrap().broken, [line]);
}
