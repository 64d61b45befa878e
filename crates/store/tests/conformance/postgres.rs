//! Promises of the database on a server alone: who may use which server, and what becomes of the
//! work when the connection is lost.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde_json::json;
use windlass_store::*;

use crate::access::entry;
use crate::differential::Dice;
use crate::fixture::*;
use crate::open_at;
use crate::server::{PASSWORD, Server, fresh_database, sql};

/// Why a database cannot be opened.
fn refusal(url: &str) -> String {
    match PostgresOptions::at(url, Path::new("/dev/null/blobs"))
        .open(at(0))
        .map(|_| ())
        .unwrap_err()
    {
        StoreError::CannotOpen(message) => message,
        other => panic!("{other:?}"),
    }
}

/// Ends every connection to a database, as a network does that breaks.
fn cut_off(url: &str) {
    let others = "datname = current_database() AND pid <> pg_backend_pid()";
    let ended = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE";
    sql(url, &format!("{ended} {others}"));
}

#[test]
fn what_was_committed_is_there_after_reopening() {
    let url = fresh_database();
    commit(&*open_at(&url), &[new_run(7)]);
    let store = open_at(&url);
    assert_eq!(store.run(PROJECT, &id(7).to_string()).unwrap().unwrap().owner, 1);
    assert_eq!(store.take_over("again", at(0)).unwrap(), 2);
}

#[test]
fn a_database_has_one_owner() {
    let url = fresh_database();
    let first = open_at(&url);
    let message = refusal(&url);
    assert!(message.contains("another windlass process is using it"), "{message}");
    drop(first);
    open_at(&url);
}

#[test]
fn a_newer_schema_is_refused() {
    let url = fresh_database();
    drop(open_at(&url));
    sql(&url, "INSERT INTO migration VALUES (99, 'later', 0)");
    assert!(refusal(&url).contains("schema 99"));
}

#[test]
fn a_server_that_does_not_keep_its_word_is_refused() {
    for (setting, word) in [
        ("synchronous_commit = off", "`synchronous_commit` is off"),
        ("synchronous_commit = local", "`synchronous_commit` is local"),
        ("default_transaction_read_only = on", "takes no writes"),
    ] {
        let url = fresh_database();
        let name = url.rsplit_once('/').unwrap().1.to_owned();
        sql(&url, &format!("ALTER DATABASE {name} SET {setting}"));
        let message = refusal(&url);
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_named_without_the_password() {
    let url = fresh_database();
    for (url, word) in [
        (url.replace("s3cr", "wr0ng"), "password authentication failed"),
        (format!("{url}x"), "does not exist"),
        ("postgres://ann:wr0ng@127.0.0.1:1/x".to_owned(), "connecting to server"),
    ] {
        let message = refusal(&url);
        assert!(message.contains(word), "{message}");
        assert!(!message.contains("wr0ng") && !message.contains(PASSWORD), "{message}");
    }
}

#[test]
fn an_unexpected_refusal_does_not_fail_the_neighbours() {
    let store = open_at(&fresh_database());
    let epoch = store.take_over("boot", at(0)).unwrap();
    let broken = with(new_run(8), |write| write.chunks.push(write.chunks[0].clone()));
    // An index entry has a largest size in Postgres.
    let mut dice = Dice(7);
    let noise: String = (0..9_000).map(|_| char::from(b'!' + dice.below(90) as u8)).collect();
    let large = with(new_run(9), |write| {
        new_of(write).labels.insert("large".into(), noise);
    });
    let group = [new_run(7), broken, large, new_run(10)];
    let conflicts = store.commit(epoch, &group).unwrap();
    assert!(
        matches!(conflicts.as_slice(), [(1, Conflict::Refused(_)), (2, Conflict::Refused(_))]),
        "{conflicts:?}"
    );
    let all = store.runs(PROJECT, &RunFilter::default(), None, 9).unwrap().items;
    assert_eq!(all.len(), 2);
}

#[test]
fn a_text_with_nul_fails_nobody() {
    let store = open_at(&fresh_database());
    let write = with(new_run(7), |write| {
        write.chunks = vec![chunk(1, &[created(id(7), json!("a\u{0}b"))])];
        new_of(write).external_id = Some("x\u{0}y".into());
    });
    commit(&*store, &[write]);
    let events = store.events(id(7), 0, 9, 9_999).unwrap().items;
    assert_eq!(events[0].event, created(id(7), json!("a\u{0}b")));
    assert!(store.run(PROJECT, "x\u{0}y").unwrap().is_some());
}

#[test]
fn a_record_of_the_audit_log_that_was_changed_is_named() {
    let url = fresh_database();
    let store = open_at(&url);
    (1..=5).for_each(|number| drop(store.append_audit(&[entry(number, PROJECT)]).unwrap()));
    sql(&url, "UPDATE audit SET target = 'another' WHERE seq = 4");
    let verdict = AuditVerdict { checked: 3, first_altered: Some(4) };
    assert_eq!(store.verify_audit().unwrap(), verdict);
}

#[test]
fn who_was_cut_off_and_replaced_writes_nothing_more() {
    let url = fresh_database();
    let first = open_at(&url);
    let older = first.take_over("one", at(0)).unwrap();
    // Another process was quicker to come back, and is gone again by now.
    sql(&url, "INSERT INTO server (epoch, boot_id, started_at) VALUES (99, 'two', 0)");
    cut_off(&url);
    // It first has to notice that its connection is gone.
    let refused = loop {
        match first.commit(older, &[new_run(7)]) {
            Err(StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_)) => {}
            other => break other,
        }
    };
    assert_eq!(refused, Err(StoreError::Fenced));
    assert_eq!(first.delete_runs(older, &[id(7)]), Err(StoreError::Fenced));
    assert_eq!(first.prune_keys(older, at(9), 9), Err(StoreError::Fenced));
    drop(first);
    let second = open_at(&url);
    let newer = second.take_over("three", at(0)).unwrap();
    assert_eq!(second.commit(newer, &[new_run(8)]).unwrap(), []);
    let all = second.runs(PROJECT, &RunFilter::default(), None, 9).unwrap().items;
    assert_eq!(all.iter().map(|row| row.run_id).collect::<Vec<_>>(), [id(8)]);
}

#[test]
fn a_database_stays_ours_when_the_connection_ends_and_nothing_is_to_be_written() {
    let url = fresh_database();
    let _store = open_at(&url);
    cut_off(&url);
    let held = "SELECT count(*) FROM pg_locks, pg_database WHERE locktype = 'advisory'
        AND pg_locks.database = pg_database.oid AND datname = current_database() AND objid = 1";
    let begin = std::time::Instant::now();
    while sql(&url, held) != "1" {
        assert!(begin.elapsed().as_secs() < 30, "the lock does not come back");
    }
    assert!(refusal(&url).contains("another windlass process is using it"));
}

#[test]
fn a_read_that_takes_too_long_is_given_up() {
    let url = fresh_database();
    let options = PostgresOptions {
        read_time_max: std::time::Duration::from_millis(1),
        ..PostgresOptions::at(&url, Path::new("/dev/null/blobs"))
    };
    let store = options.open(at(0)).unwrap();
    let epoch = store.take_over("boot", at(0)).unwrap();
    for block in 0..40_u128 {
        let group: Vec<RunWrite> = (0..500).map(|n| new_run(1 + block * 500 + n)).collect();
        store.commit(epoch, &group).unwrap();
    }
    let filter = RunFilter { text: Some("nowhere".into()), ..RunFilter::default() };
    let error = store.runs(PROJECT, &filter, None, 9).unwrap_err();
    assert_eq!(error, StoreError::Unavailable("a read took too long".into()));
}

/// The server crashes in mid-load, again and again. What was acknowledged is there, what was
/// refused is not, and the store finds back by itself.
#[test]
fn a_crash_of_the_server_loses_nothing_that_was_acknowledged() {
    let server = Server::start(&[]);
    let url = server.fresh_database();
    let store = open_at(&url);
    let epoch = store.take_over("boot", at(0)).unwrap();
    let (is_over, committed) = (AtomicBool::new(false), AtomicU32::new(0));
    let (mut kept, mut refused) = (BTreeSet::new(), BTreeSet::new());
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let (mut kept, mut refused) = (BTreeSet::new(), BTreeSet::new());
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                number += 1;
                match store.commit(epoch, &[new_run(number)]) {
                    Ok(conflicts) => {
                        assert_eq!(conflicts, []);
                        kept.insert(number);
                        committed.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(StoreError::Unavailable(_)) => drop(refused.insert(number)),
                    Err(StoreError::OutcomeUnknown(_)) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
            (kept, refused)
        });
        for _ in 0..3 {
            let before = committed.load(Ordering::Relaxed);
            while committed.load(Ordering::Relaxed) < before + 50 {
                assert!(!load.is_finished());
                std::thread::yield_now();
            }
            server.control("restart");
        }
        let before = committed.load(Ordering::Relaxed);
        while committed.load(Ordering::Relaxed) < before + 50 {
            assert!(!load.is_finished());
            std::thread::yield_now();
        }
        is_over.store(true, Ordering::Relaxed);
        (kept, refused) = load.join().unwrap();
    });
    let mut there = BTreeSet::new();
    let mut before = None;
    loop {
        let page = store.runs(PROJECT, &RunFilter::default(), before, 500).unwrap();
        there.extend(page.items.iter().map(|row| row.run_id.as_u128()));
        before = page.items.last().map(|row| row.run_id);
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!(kept.difference(&there).count(), 0, "acknowledged and gone");
    assert_eq!(refused.intersection(&there).count(), 0, "refused and there");
    assert!(kept.len() >= 200);
}

#[test]
fn a_standby_is_refused_and_found_again_once_it_is_the_primary() {
    let server = Server::start(&["fsync=off"]);
    let url = server.fresh_database();
    let store = open_at(&url);
    let epoch = store.take_over("boot", at(0)).unwrap();
    server.control("stop");
    server.write("data/standby.signal", "");
    server.control("start");
    let message = refusal(&url);
    assert!(message.contains("is a standby"), "{message}");
    let error = loop {
        match store.commit(epoch, &[new_run(7)]) {
            Err(StoreError::Unavailable(message)) if message.contains("standby") => break message,
            Err(StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert!(error.contains("name the primary"), "{error}");
    sql(&url, "SELECT pg_promote()");
    let written = loop {
        match store.commit(epoch, &[new_run(7)]) {
            Err(StoreError::Unavailable(_)) => {}
            other => break other,
        }
    };
    assert_eq!(written, Ok(vec![]));
}

#[test]
fn tls_is_as_strict_as_the_address_says() {
    let authority = tempfile::tempdir().unwrap();
    certificates(authority.path());
    let server = Server::start(&["fsync=off"]);
    for name in ["server.key", "server.pem"] {
        server.write(name, &std::fs::read_to_string(authority.path().join(name)).unwrap());
    }
    server.write("data/pg_hba.conf", "hostssl all all 127.0.0.1/32 scram-sha-256\n");
    let place = server.directory().display();
    server.write(
        "data/postgresql.auto.conf",
        &format!("ssl=on\nssl_key_file='{place}/server.key'\nssl_cert_file='{place}/server.pem'\n"),
    );
    server.control("restart");
    let url = server.fresh_database();
    let by_name = url.replace("127.0.0.1", "localhost");
    let root = format!("sslrootcert={}", authority.path().join("ca.pem").display());
    for (url, query) in [
        (&url, String::new()),
        (&url, "?sslmode=require".to_owned()),
        (&url, format!("?sslmode=verify-ca&{root}")),
        (&by_name, format!("?sslmode=verify-full&{root}")),
    ] {
        drop(open_at(&format!("{url}{query}")));
    }
    for (query, word) in [
        ("?sslmode=disable".to_owned(), "no pg_hba.conf entry"),
        ("?sslmode=verify-ca".to_owned(), "UnknownIssuer"),
        (format!("?sslmode=verify-full&{root}"), "not valid for name"),
        ("?sslmode=verify-ca&sslrootcert=/nowhere.pem".to_owned(), "cannot read `/nowhere.pem`"),
    ] {
        let message = refusal(&format!("{url}{query}"));
        assert!(message.contains(word), "{query}: {message}");
    }
}

/// An authority of our own, and a certificate of it for the host `localhost`.
fn certificates(directory: &Path) {
    let script = "
        key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
        openssl req -x509 $key -keyout ca.key -out ca.pem -subj /CN=authority -days 30
        openssl req $key -keyout server.key -out server.csr -subj /CN=server
        echo subjectAltName=DNS:localhost > names
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
            -out server.pem -days 30 -extfile names";
    let made = Command::new("sh").args(["-ec", script]).current_dir(directory).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
