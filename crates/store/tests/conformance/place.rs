//! Databases as a whole: moved there and back, backed up while they are written to.

use std::sync::atomic::{AtomicBool, Ordering};

use windlass_core::run::{RunStatus, StepStatus};
use windlass_store::*;

use crate::access::{api_key, entry, sealed};
use crate::blobs::end_large;
use crate::fixture::*;
use crate::instances::{actor, assignment, instance, memory};
use crate::server::fresh_database;
use crate::units::{request, task, unit};

const RUNS: u128 = 1_200;

fn directory(parent: &tempfile::TempDir, name: &str) -> Place {
    Place::Sqlite(SqliteOptions::at(parent.path().join(name)))
}

fn server(parent: &tempfile::TempDir) -> Place {
    Place::Postgres(PostgresOptions::at(fresh_database(), parent.path().join("of-server")))
}

/// Something in every table.
fn fill(store: &dyn Store) {
    let epoch = store.take_over("boot", at(0)).unwrap();
    let write = |number: u128| {
        with(new_run(number), |write| {
            standing_of(write).status = RunStatus::Waiting;
            new_of(write).labels.insert("n".into(), format!("it's {number} \u{1F600}"));
            new_of(write).external_id = Some(format!("x{number}"));
            new_of(write).key = Some(key(&format!("k{number}"), "hash"));
            write.new_steps = vec![step(0, StepStatus::Waiting), step(1, StepStatus::Queued)];
            write.timers_set = vec![("step0".into(), at(i64::try_from(number).unwrap()))];
            write.cached = vec![CacheRow {
                project: PROJECT.into(),
                key: format!("c{number}"),
                run_id: id(number),
                seq: 1,
                expires_at: at(9_999),
            }];
            write.usage = vec![usage(number, "ask", 20_000, 5)];
            write.asks_set = vec![ask(number, "step0", "approval", "Send it?", 1)];
            write.snapshot = Some(Snapshot { seq: 1, version: 1, state: "{}".into() });
            write.logs = vec![log(1, "step0", "a\u{0}b")];
            write.messages = vec![message(number + 1, number, "a", "start", 3)];
            write.units =
                vec![unit(number, 0, "active", Some("Inbox")), unit(number, 1, "x", None)];
            write.tasks_set = vec![task(number, 0, "1/Inbox")];
            write.interventions = vec![request(number, 0, "high", 1)];
        })
    };
    let group: Vec<RunWrite> = (1..=RUNS).map(write).collect();
    assert_eq!(store.commit(epoch, &group).unwrap(), []);
    assert_eq!(store.commit(epoch, &[end_large(7)]).unwrap(), []);
    store.deploy(&deploy("a", "one", 1)).unwrap();
    let pause = Pause { at: at(3), by: "ann".into(), reason: None };
    store.pause_workflow(id(1_001), Some(&pause)).unwrap();
    store.set_setting("stopped", Some("yes"), at(1)).unwrap();
    store.put_secret(&sealed(PROJECT, "token")).unwrap();
    store.create_api_key(&api_key(1, PROJECT)).unwrap();
    store.create_instance(&instance(8, "desk")).unwrap();
    store.put_actor(&actor(1, "ann")).unwrap();
    store.assign(&assignment(2, 1, "Payer")).unwrap();
    store.put_memory(&memory(3, Some(1), "Limit", "it's 100")).unwrap();
    store.mark_toxic(id(3), "a\u{0}b").unwrap();
    (1..=3).for_each(|number| drop(store.append_audit(&[entry(number, PROJECT)]).unwrap()));
}

/// What is in a store, by what it answers.
fn content(store: &dyn Store) -> Vec<String> {
    let runs: Vec<_> = [1, 7, 499, 500, 501, RUNS]
        .map(|number| {
            let key = store.key(PROJECT, "POST /execute", &format!("k{number}")).unwrap();
            let steps = store.steps(id(number), None, 9).unwrap();
            let logs = store.logs(id(number), 0, &LogFilter::default(), 9).unwrap();
            (store.load_run(id(number), 1).unwrap(), steps, logs, key)
        })
        .into();
    let filter =
        RunFilter { labels: vec![("n".into(), "it's 7 \u{1F600}".into())], ..RunFilter::default() };
    let requests = InterventionFilter::default();
    let search = LogSearch { text: "b".into(), ..LogSearch::default() };
    vec![
        format!("{runs:?}"),
        format!("{:?}", store.runs(PROJECT, &filter, None, 9).unwrap()),
        format!("{:?}", store.runs(PROJECT, &RunFilter::default(), None, 9_999).unwrap()),
        format!("{:?}", store.due_timers(at(9_999), 9_999).unwrap()),
        format!("{:?}", store.asks(PROJECT, "approval", None, None, 9_999).unwrap()),
        format!("{:?}", store.usage_of_run(id(7)).unwrap()),
        format!("{:?}", store.messages(None, 9_999).unwrap()),
        format!("{:?}", store.units(PROJECT, &UnitFilter::default(), None, 9_999).unwrap()),
        format!("{:?}", store.tasks(None, 9_999).unwrap()),
        format!("{:?}", store.interventions(PROJECT, &requests, 9_999, 0).unwrap()),
        format!("{:?}", store.instance(PROJECT, "desk").unwrap()),
        format!("{:?}", store.definition(id(8)).unwrap()),
        format!("{:?}", store.actors(id(1), None, 9).unwrap()),
        format!("{:?}", store.assignments(id(1), None).unwrap()),
        format!("{:?}", store.memories(id(1), "Payer", Some(id(1)), None).unwrap()),
        format!("{:?}", store.workflow(PROJECT, "a").unwrap()),
        format!("{:?}", store.setting("stopped").unwrap()),
        format!("{:?}", store.api_keys(None, None, 9).unwrap()),
        format!("{:?}", store.secrets(("", ""), 9).unwrap()),
        format!("{:?}", store.audit(None, 0, 9).unwrap()),
        format!("{:?}", store.verify_audit().unwrap()),
        format!("{:?}", store.find_logs(PROJECT, &search, None, 9_999).unwrap()),
    ]
}

fn same(now: &[String], before: &[String]) {
    for (now, before) in now.iter().zip(before) {
        let differ = now.bytes().zip(before.bytes()).position(|(a, b)| a != b);
        let around = differ.map_or(0, |at| at.saturating_sub(200));
        let shown = |text: &str| text.chars().skip(around).take(400).collect::<String>();
        assert!(now == before, "{}\n--- before\n{}", shown(now), shown(before));
    }
}

#[test]
fn everything_moves_to_a_server_and_back() {
    let parent = tempfile::tempdir().unwrap();
    let (first, second, third) =
        (directory(&parent, "a"), server(&parent), directory(&parent, "b"));
    let store = first.open(at(0)).unwrap();
    fill(&*store);
    let before = content(&*store);
    let refused = first.move_to(&second, at(0)).unwrap_err().to_string();
    assert!(refused.contains("another windlass process"), "{refused}");
    drop(store);

    let there = first.move_to(&second, at(0)).unwrap();
    let rows = |name: &str| there.iter().find(|it| it.table == name).map(|it| it.rows);
    assert_eq!((rows("run"), rows("step"), rows("server")), (Some(1_200), Some(2_400), Some(1)));
    assert!(there.iter().all(|table| table.rows > 0), "every table was tried: {there:?}");
    let store = second.open(at(0)).unwrap();
    same(&content(&*store), &before);
    let refused = second.move_to(&third, at(0)).unwrap_err().to_string();
    assert!(refused.contains("another windlass process"), "{refused}");
    drop(store);
    // Each has files of its own.
    std::fs::remove_dir_all(parent.path().join("a")).unwrap();

    assert_eq!(second.move_to(&third, at(0)).unwrap(), there);
    let inspection = third.inspect(at(0)).unwrap();
    let audit = AuditVerdict { checked: 3, first_altered: None };
    assert_eq!((inspection.schema, inspection.audit), (SCHEMA, audit));
    assert_eq!((inspection.broken.len(), inspection.tables), (0, there));
    let store = third.open(at(0)).unwrap();
    same(&content(&*store), &before);
    // The epochs have moved as well: whoever wrote there before is fenced off here.
    assert_eq!(store.take_over("boot", at(0)).unwrap(), 2);
}

#[test]
fn only_an_empty_database_is_moved_to() {
    let parent = tempfile::tempdir().unwrap();
    let (source, target) = (directory(&parent, "a"), directory(&parent, "b"));
    commit(&*source.open(at(0)).unwrap(), &[new_run(7)]);
    commit(&*target.open(at(0)).unwrap(), &[new_run(8)]);
    let refused = source.move_to(&target, at(0)).unwrap_err().to_string();
    assert!(refused.contains("the target is not empty"), "{refused}");
    let nothing = directory(&parent, "c").move_to(&target, at(0)).unwrap_err().to_string();
    assert!(nothing.contains("there is no database in"), "{nothing}");
    assert!(!parent.path().join("c").exists());
}

/// While runs are written, a copy is made. It holds what was acknowledged before it began, and is
/// of one moment.
fn backs_up_under_load(source: &Place) {
    let parent = tempfile::tempdir().unwrap();
    let store = source.open(at(0)).unwrap();
    let epoch = store.take_over("boot", at(0)).unwrap();
    store.append_audit(&[entry(1, PROJECT)]).unwrap();
    store.commit(epoch, &[new_run(999), end_large(999)]).unwrap();
    let large = store.load_run(id(999), 1).unwrap();
    let (file, is_over) = (parent.path().join("copy"), AtomicBool::new(false));
    let acknowledged = std::thread::scope(|scope| {
        let (said, heard) = std::sync::mpsc::channel();
        let (store, is_over) = (&store, &is_over);
        scope.spawn(move || {
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                number += 1;
                let write = with(new_run(number), |write| {
                    write.new_steps = vec![step(0, StepStatus::Queued)];
                });
                store.commit(epoch, &[write]).unwrap();
                let _ = said.send(number);
            }
        });
        let acknowledged = heard.iter().find(|number| *number == 50).unwrap();
        let copied = source.back_up(&file, at(0));
        is_over.store(true, Ordering::Relaxed);
        copied.unwrap();
        acknowledged
    });
    let refused = source.back_up(&file, at(0)).unwrap_err().to_string();
    assert!(refused.contains("exists"), "{refused}");
    let restored = parent.path().join("restored");
    std::fs::create_dir(&restored).unwrap();
    std::fs::rename(&file, restored.join("windlass.db")).unwrap();
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1, "nothing is left behind");
    let copy = Place::Sqlite(SqliteOptions::at(&restored));
    let inspection = copy.inspect(at(0)).unwrap();
    let rows = |name: &str| inspection.tables.iter().find(|it| it.table == name).unwrap().rows;
    assert_eq!((inspection.broken.len(), inspection.audit.checked), (0, 1));
    assert!(u128::from(rows("run")) >= acknowledged, "{}", rows("run"));
    let written = rows("run") - 1;
    assert_eq!((written, written + 2), (rows("step"), rows("journal")), "of one moment");
    assert_eq!(rows("blob_ref"), 0, "what is a file there is a row here");
    assert!(copy.open(at(0)).unwrap().load_run(id(999), 1).unwrap() == large);
}

#[test]
fn a_directory_is_backed_up_under_load() {
    backs_up_under_load(&directory(&tempfile::tempdir().unwrap(), "a"));
}

#[test]
fn a_server_is_backed_up_under_load() {
    backs_up_under_load(&server(&tempfile::tempdir().unwrap()));
}
