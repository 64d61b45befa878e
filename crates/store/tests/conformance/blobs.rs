//! Values that are too large for a row, beside the database: files, or objects of a service.

use std::path::{Path, PathBuf};

use serde_json::json;
use windlass_core::Time;
use windlass_core::run::{Event, RunStatus};
use windlass_store::*;

use crate::bucket::Bucket;
use crate::fixture::*;
use crate::s3::{options, sqlite};
use crate::server::{fresh_database, sql};
use crate::{open, open_beside};

const MIB: usize = 1024 * 1024;

/// Later than any file.
const FAR: Time = Time::from_micros(i64::MAX);

pub(crate) fn large(letter: &str, bytes: usize) -> Event {
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

/// A place of large values, past the store.
trait Shelf {
    /// The names of all that is there, sorted.
    fn names(&self) -> Vec<String>;
    fn read(&self, hash: &str) -> String;
    fn write(&self, hash: &str, text: &str);
    fn remove(&self, hash: &str);
    /// Leaves what a process that was killed may leave.
    fn litter(&self);
}

/// A directory of files.
struct AtPath(PathBuf);

impl Shelf for AtPath {
    fn names(&self) -> Vec<String> {
        let names = files(&self.0).into_iter().map(|file| {
            let parts = file.strip_prefix(&self.0).unwrap().iter();
            parts.map(|part| part.to_str().unwrap()).collect()
        });
        names.collect()
    }

    fn read(&self, hash: &str) -> String {
        std::fs::read_to_string(self.0.join(&hash[..2]).join(&hash[2..])).unwrap()
    }

    fn write(&self, hash: &str, text: &str) {
        std::fs::write(self.0.join(&hash[..2]).join(&hash[2..]), text).unwrap();
    }

    fn remove(&self, hash: &str) {
        std::fs::remove_file(self.0.join(&hash[..2]).join(&hash[2..])).unwrap();
    }

    fn litter(&self) {
        std::fs::write(self.0.join("draft-1-1"), "[{").unwrap();
    }
}

/// All of it is under one prefix.
const PREFIX: &str = "of/tests";

impl Shelf for Bucket {
    fn names(&self) -> Vec<String> {
        let strip = |key: String| key.strip_prefix("of/tests/").unwrap().to_owned();
        self.keys().into_iter().map(strip).collect()
    }

    fn read(&self, hash: &str) -> String {
        Bucket::read(self, &format!("{PREFIX}/{hash}"))
    }

    fn write(&self, hash: &str, text: &str) {
        Bucket::write(self, &format!("{PREFIX}/{hash}"), text);
    }

    fn remove(&self, hash: &str) {
        Bucket::remove(self, &format!("{PREFIX}/{hash}"));
    }

    fn litter(&self) {
        Bucket::write(self, &format!("{PREFIX}/probe-1"), "probe-1");
    }
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

/// Both databases, each with both kinds of place, and with what runs a statement in it.
fn each_database(promise: impl Fn(&dyn Store, &dyn Shelf, &dyn Fn(&str) -> String)) {
    let directory = tempfile::tempdir().unwrap();
    let raw = |directory: &Path, statement: &str| {
        let raw = rusqlite::Connection::open(directory.join("windlass.db")).unwrap();
        let column = raw.query_row(statement, [], |row| row.get::<_, String>(0));
        column.unwrap_or_default()
    };
    let of_sqlite = |statement: &str| raw(directory.path(), statement);
    let blobs = directory.path().join("blobs");
    promise(&*open(directory.path()), &AtPath(blobs), &of_sqlite);
    let (parent, url) = (tempfile::tempdir().unwrap(), fresh_database());
    let blobs = parent.path().join("of/postgres");
    let of_postgres = |statement: &str| sql(&url, statement);
    promise(&*open_beside(&url, &blobs), &AtPath(blobs.clone()), &of_postgres);

    let (directory, bucket) = (tempfile::tempdir().unwrap(), Bucket::fresh());
    let store = sqlite(directory.path(), options(&bucket, PREFIX)).open(at(0)).unwrap();
    promise(&*store, &bucket, &|statement| raw(directory.path(), statement));
    assert!(!directory.path().join("blobs").exists());
    let (bucket, url) = (Bucket::fresh(), fresh_database());
    let blobs = BlobPlace::S3(options(&bucket, PREFIX));
    let store = PostgresOptions::at(&url, blobs).open(at(0)).unwrap();
    promise(&*store, &bucket, &|statement| sql(&url, statement));
}

#[test]
fn large_values_are_objects() {
    for promise in
        [a_large_value_is_read_as_it_was_written, two_large_words_about_one_run_do_not_mix]
    {
        let (directory, bucket) = (tempfile::tempdir().unwrap(), Bucket::fresh());
        promise(&*sqlite(directory.path(), options(&bucket, PREFIX)).open(at(0)).unwrap());
        assert!(!bucket.keys().is_empty());
    }
}

#[test]
fn a_value_goes_when_no_run_names_it() {
    each_database(|store, shelf, raw| {
        let epoch = store.take_over("boot", at(0)).unwrap();
        let runs = [new_run(7), new_run(8), end_large(7), end_large(8)];
        assert_eq!(store.commit(epoch, &runs).unwrap(), []);
        let [hash] = &shelf.names()[..] else {
            panic!("the two say the same: {:?}", shelf.names())
        };
        let row = raw("SELECT MAX(body) FROM journal WHERE last_seq = 2");
        assert_eq!(row, format!("{{\"blob\":\"{hash}\",\"bytes\":100085}}"));
        let later = at(9);
        assert_eq!(prune(store, 99, later, 1), 1);
        assert_eq!(store.prune_blobs(FAR, 99).unwrap(), 0, "the other still names it");
        store.load_run(id(8), 1).unwrap();
        assert_eq!(prune(store, 99, later, 1), 1);
        assert_eq!(store.prune_blobs(at(0), 99).unwrap(), 0, "it is young");
        assert_eq!(shelf.names().len(), 1);
        assert_eq!(store.prune_blobs(FAR, 99).unwrap(), 1);
        assert_eq!(shelf.names(), [""; 0]);
    });
}

#[test]
fn a_value_that_no_commit_came_to_name_goes() {
    each_database(|store, shelf, _| {
        let older = store.take_over("one", at(0)).unwrap();
        assert_eq!(store.commit(older, &[new_run(7)]).unwrap(), []);
        let newer = store.take_over("two", at(0)).unwrap();
        // The value is written first, as by a process that is killed before its commit.
        assert_eq!(store.commit(older, &[end_large(7)]), Err(StoreError::Fenced));
        assert_eq!(shelf.names().len(), 1);
        // And as by one that is killed before all of it is written.
        shelf.litter();
        assert_eq!(store.load_run(id(7), 1).unwrap().unwrap().events.len(), 1);
        assert_eq!(store.prune_blobs(FAR, 99).unwrap(), 1);
        assert_eq!(shelf.names(), [""; 0]);
        assert_eq!(store.commit(newer, &[end_large(7)]).unwrap(), []);
        assert_eq!(store.events_at(id(7), &[2]).unwrap().len(), 1);
        assert_eq!(shelf.names().len(), 1);
    });
}

#[test]
fn every_value_has_its_turn() {
    each_database(|store, shelf, _| {
        let older = store.take_over("one", at(0)).unwrap();
        store.take_over("two", at(0)).unwrap();
        for bytes in 100_000..100_012 {
            let end = end_with(7, &large("x", bytes));
            assert_eq!(store.commit(older, &[end]), Err(StoreError::Fenced));
        }
        assert_eq!(shelf.names().len(), 12);
        let mut turns = 0;
        while !shelf.names().is_empty() {
            assert!(store.prune_blobs(FAR, 1).unwrap() > 0);
            turns += 1;
        }
        assert!(turns > 1, "one call looks at a few");
    });
}

#[test]
fn a_missing_or_altered_value_is_named() {
    each_database(|store, shelf, _| {
        commit(store, &[new_run(7), end_large(7), new_run(8)]);
        let hash = shelf.names().pop().unwrap();
        let damaged = || match store.load_run(id(7), 1).map(drop).unwrap_err() {
            StoreError::Damaged(message) => message,
            other => panic!("{other:?}"),
        };
        shelf.write(&hash, &shelf.read(&hash).replace("xx", "xy"));
        assert_eq!(damaged(), format!("the blob `{hash}` is not as it was written"));
        shelf.remove(&hash);
        assert!(damaged().starts_with(&format!("the blob `{hash}` is missing in `")));
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
    let shelf = AtPath(directory.path().join("blobs"));
    let hash = shelf.names().pop().unwrap();
    shelf.write(&hash, "[]");
    let line = format!("the blob `{hash}` is not as it was written");
    assert_eq!(place.inspect(at(0)).unwrap().broken, [line]);
}
