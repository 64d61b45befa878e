//! Promises of the embedded database alone: what outlives the process, and who may open it.

use std::path::Path;
use std::time::{Duration, Instant};

use windlass_core::run::RunStatus;
use windlass_store::*;

use crate::access::entry;
use crate::fixture::*;
use crate::open;

#[test]
fn what_was_committed_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    commit(&*open(directory.path()), &[new_run(7)]);
    let store = open(directory.path());
    assert_eq!(store.run(PROJECT, &id(7).to_string()).unwrap().unwrap().owner, 1);
    assert_eq!(store.take_over("again", at(0)).unwrap(), 2);
}

#[test]
fn a_directory_has_one_owner() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path());
    let second = SqliteOptions::at(directory.path()).open(at(0));
    let error = second.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("another windlass process is using it"), "{error}");
    drop(first);
    open(directory.path());
}

#[test]
fn a_newer_schema_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let raw = rusqlite::Connection::open(directory.path().join("windlass.db")).unwrap();
    raw.execute("INSERT INTO migration VALUES (99, 'later', 0)", []).unwrap();
    drop(raw);
    let error = SqliteOptions::at(directory.path()).open(at(0)).map(|_| ());
    assert!(error.unwrap_err().to_string().contains("schema 99"));
}

#[test]
fn a_record_of_the_audit_log_that_was_changed_is_named() {
    for (change, first_altered) in [
        ("UPDATE audit SET principal = 'somebody else' WHERE seq = 4", 4),
        ("UPDATE audit SET hash = previous_hash WHERE seq = 2", 2),
        ("DELETE FROM audit WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 1", 1),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path());
        (1..=5).for_each(|number| drop(store.append_audit(&[entry(number, PROJECT)]).unwrap()));
        drop(store);
        let raw = rusqlite::Connection::open(directory.path().join("windlass.db")).unwrap();
        raw.execute(change, []).unwrap();
        drop(raw);
        let checked = u64::try_from(first_altered).unwrap() - 1;
        let verdict = AuditVerdict { checked, first_altered: Some(first_altered) };
        assert_eq!(open(directory.path()).verify_audit().unwrap(), verdict, "{change}");
    }
}

/// A database of the version before has rows without the new columns.
#[test]
fn runs_of_an_older_schema_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let raw = rusqlite::Connection::open(directory.path().join("windlass.db")).unwrap();
    raw.execute_batch(include_str!("../../migrations/0001_spine.sql")).unwrap();
    raw.execute_batch(
        "CREATE TABLE migration (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL,
                                 applied_at BIGINT NOT NULL);
         INSERT INTO migration VALUES (1, 'spine', 0);
         INSERT INTO run VALUES ('00000000-0000-0000-0000-000000000007', 'default',
            '00000000-0000-0000-0000-000000000001', 'greet', 1,
            '00000000-0000-0000-0000-000000000002', 'queued', NULL, NULL, NULL, NULL, NULL, 7, NULL,
            NULL, 1, '{}', 1);",
    )
    .unwrap();
    drop(raw);
    let store = open(directory.path());
    let row = store.runs(PROJECT, &RunFilter::default(), None, 9).unwrap().items.pop().unwrap();
    assert_eq!((row.run_id, row.parent, row.priority), (id(7), None, 0));
    assert_eq!(store.admissions(None, 9).unwrap().items.len(), 1);
}

#[test]
fn an_unexpected_refusal_does_not_fail_the_neighbours() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let epoch = store.take_over("boot", at(0)).unwrap();
    // Two chunks with the same number: no engine of ours writes that.
    let broken = with(new_run(8), |write| write.chunks.push(write.chunks[0].clone()));
    let conflicts = store.commit(epoch, &[new_run(7), broken, new_run(9)]).unwrap();
    assert!(matches!(conflicts.as_slice(), [(1, Conflict::Refused(_))]), "{conflicts:?}");
    let all = store.runs(PROJECT, &RunFilter::default(), None, 9).unwrap().items;
    assert_eq!(all.len(), 2);
}

#[test]
fn a_read_that_takes_too_long_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let options =
        SqliteOptions { read_time_max: Duration::ZERO, ..SqliteOptions::at(directory.path()) };
    let store = options.open(at(0)).unwrap();
    let epoch = store.take_over("boot", at(0)).unwrap();
    for block in 0..20_u128 {
        let group: Vec<RunWrite> = (0..500).map(|n| new_run(1 + block * 500 + n)).collect();
        store.commit(epoch, &group).unwrap();
    }
    let filter = RunFilter { text: Some("nowhere".into()), ..RunFilter::default() };
    let error = store.runs(PROJECT, &filter, None, 9).unwrap_err();
    assert_eq!(error, StoreError::Unavailable("a read took too long".into()));
    store.check().unwrap();
}

#[test]
fn the_wal_is_folded_back_in_quiet_moments() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let epoch = store.take_over("boot", at(0)).unwrap();
    let wal = directory.path().join("windlass.db-wal");
    let mut largest = 0;
    for block in 0..40_u128 {
        let group: Vec<RunWrite> = (0..100)
            .map(|n| {
                with(new_run(1 + block * 100 + n), |write| {
                    write.logs = vec![log(1, "a", &"x".repeat(10_000))];
                })
            })
            .collect();
        store.commit(epoch, &group).unwrap();
        largest = largest.max(std::fs::metadata(&wal).unwrap().len());
    }
    assert!(largest < 64 * 1024 * 1024, "{largest}");
    store.tidy().unwrap();
    store.commit(epoch, &[end_run(1, RunStatus::Succeeded)]).unwrap();
    let database = std::fs::metadata(directory.path().join("windlass.db")).unwrap().len();
    assert!(database > 40 * 1024 * 1024, "the rows are in the database itself: {database}");
}

#[test]
fn a_full_disk_refuses_and_keeps_what_was_there() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let epoch = store.take_over("boot", at(0)).unwrap();
    store.commit(epoch, &[new_run(7)]).unwrap();
    // A limit on the database's size is as close to a full disk as a test without root comes.
    drop(store);
    let size = std::fs::metadata(directory.path().join("windlass.db")).unwrap().len();
    let options =
        SqliteOptions { size_max: Some(size + 80_000), ..SqliteOptions::at(directory.path()) };
    let store = options.open(at(0)).unwrap();
    let epoch = store.take_over("boot", at(0)).unwrap();
    let large = |number| {
        with(new_run(number), |write| write.logs = vec![log(1, "a", &"x".repeat(200_000))])
    };
    let error = store.commit(epoch, &[new_run(8), large(9)]).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    let all = store.runs(PROJECT, &RunFilter::default(), None, 9).unwrap().items;
    assert_eq!(all.len(), 1, "nothing of the group was written");
    assert_eq!(store.commit(epoch, &[new_run(8)]).unwrap(), [], "small things still fit");
}

fn file_size(directory: &Path) -> u64 {
    std::fs::metadata(directory.join("windlass.db")).unwrap().len()
}

/// A number that the database in a directory answers, without its owner.
fn number(directory: &Path, query: &str) -> i64 {
    let raw = rusqlite::Connection::open(directory.join("windlass.db")).unwrap();
    raw.query_row(query, [], |row| row.get(0)).unwrap()
}

#[test]
fn the_space_of_what_was_deleted_is_given_back() {
    const RUNS: u128 = 400;
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let epoch = store.take_over("boot", at(0)).unwrap();
    for number in 1..=RUNS {
        let write = with(new_run(number), |write| {
            let line =
                |seq: u64| log(seq, "a", &format!("{number:x}{seq:x} {}", "word ".repeat(200)));
            write.logs = (1..=100).map(line).collect();
        });
        store.commit(epoch, &[write]).unwrap();
        let end = end_run(number, RunStatus::Succeeded);
        store.commit(epoch, &[end]).unwrap();
    }
    let tidy = || while store.tidy().unwrap() {};
    tidy();
    let full = file_size(directory.path());
    let mut longest = Duration::ZERO;
    while prune(&*store, epoch, at(3), 20) > 0 {
        let begin = Instant::now();
        store.tidy().unwrap();
        longest = longest.max(begin.elapsed());
        // Whoever writes in between is not kept waiting.
        store.commit(epoch, &[new_run(9_999)]).unwrap();
    }
    tidy();
    let empty = file_size(directory.path());
    assert!(full > 40_000_000 && empty < 6_000_000, "{full} bytes became {empty}");
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    drop(store);
    let index = "SELECT COALESCE(SUM(LENGTH(block)), 0) FROM log_word_data";
    let bytes = number(directory.path(), index);
    assert!(bytes < 100_000, "the index of words still has {bytes} bytes");
    assert_eq!(number(directory.path(), "SELECT COUNT(*) FROM log_word_docsize"), 0);
}

#[test]
fn a_database_that_gives_nothing_back_is_compacted() {
    for compacts in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let raw = rusqlite::Connection::open(directory.path().join("windlass.db")).unwrap();
        raw.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE x (y TEXT)").unwrap();
        drop(raw);
        if compacts {
            let place = Place::Sqlite(SqliteOptions::at(directory.path()));
            place.compact(at(0)).unwrap();
        } else {
            commit(&*open(directory.path()), &[new_run(7)]);
        }
        assert_eq!(number(directory.path(), "PRAGMA auto_vacuum"), 2);
        assert_eq!(number(directory.path(), "SELECT COUNT(*) FROM run"), i64::from(!compacts));
    }
}
