//! Log lines: which are shown, and how they are found.

use std::sync::Arc;

use windlass_core::run::RunStatus;
use windlass_store::*;

use crate::differential::Dice;
use crate::fixture::*;
use crate::server::{fresh_database, sql};
use crate::{open, open_at};

fn line(log_seq: u64, seconds: i64, level: Option<LogLevel>, text: &str) -> LogRow {
    LogRow { at: at(seconds), level, ..log(log_seq, "a", text) }
}

/// A run of a workflow that has written these lines, a second after the other.
fn run_with(number: u128, workflow: u128, texts: &[&str]) -> RunWrite {
    with(new_run(number), |write| {
        new_of(write).workflow_id = id(workflow);
        let lines = (1..).zip(texts);
        write.logs = lines.map(|(seq, text)| line(seq, seq.cast_signed(), None, text)).collect();
    })
}

fn search(text: &str) -> LogSearch {
    LogSearch { text: text.into(), ..LogSearch::default() }
}

fn found(store: &dyn Store, search: &LogSearch) -> Vec<(u128, u64)> {
    let page = store.find_logs(PROJECT, search, None, 999).unwrap();
    page.items.iter().map(|found| (found.run_id.as_u128(), found.line.log_seq)).collect()
}

pub(crate) fn lines_are_filtered(store: &dyn Store) {
    use LogLevel::{Debug, Error, Info, Warning};
    let lines = vec![
        line(1, 1, None, "Connecting to db-1"),
        line(2, 2, Some(Debug), "connection open"),
        line(3, 3, Some(Warning), "slow query"),
        LogRow { path: "b".into(), ..line(4, 4, Some(Error), "connection lost") },
        line(5, 5, Some(Info), "connection open again"),
    ];
    commit(store, &[with(new_run(7), |write| write.logs = lines)]);
    let all = LogFilter::default;
    let shown = |filter: LogFilter, after, limit| {
        let page = store.logs(id(7), after, &filter, limit).unwrap();
        (page.items.iter().map(|log| log.log_seq).collect::<Vec<_>>(), page.has_more)
    };
    let level = |level| LogFilter { level: Some(level), ..all() };
    assert_eq!(shown(level(Debug), 0, 9).0, [1, 2, 3, 4, 5]);
    assert_eq!(shown(level(Info), 0, 9).0, [1, 3, 4, 5], "who does not say so informs");
    assert_eq!(shown(level(Warning), 0, 9).0, [3, 4]);
    assert_eq!(shown(LogFilter { from: Some(at(2)), until: Some(at(4)), ..all() }, 0, 9).0, [2, 3]);
    let text = |text: &str| LogFilter { text: Some(text.into()), ..all() };
    assert_eq!(shown(text("connection"), 0, 9).0, [2, 4, 5]);
    assert_eq!(shown(text("connection"), 0, 2), (vec![2, 4], true));
    assert_eq!(shown(text("connection"), 4, 2), (vec![5], false));
    assert_eq!(shown(text("connect*"), 0, 9).0, [1, 2, 4, 5]);
    assert_eq!(shown(text("\"open again\""), 0, 9).0, [5]);
    assert_eq!(shown(text("..."), 0, 9), (vec![], false));
    let path = Some("b".into());
    assert_eq!(shown(LogFilter { path, ..text("connection") }, 0, 9).0, [4]);
    assert_eq!(shown(LogFilter { level: Some(Info), ..text("connection open") }, 0, 9).0, [5]);
}

/// More lines than are looked at in one go.
pub(crate) fn a_text_is_found_at_the_end_of_a_long_log(store: &dyn Store) {
    let wanted = |seq: u64| [1_000, 2_000, 2_999, 3_000, 3_001].contains(&seq);
    let lines = (1..=3_500).map(|seq| log(seq, "a", if wanted(seq) { "a b" } else { "b a" }));
    commit(store, &[with(new_run(7), |write| write.logs = lines.collect())]);
    let side_by_side = || "\"a b\"".to_owned();
    let filter = LogFilter { text: Some(side_by_side()), ..LogFilter::default() };
    let shown = |after, limit| {
        let page = store.logs(id(7), after, &filter, limit).unwrap();
        (page.items.iter().map(|log| log.log_seq).collect::<Vec<_>>(), page.has_more)
    };
    assert_eq!(shown(0, 9), (vec![1_000, 2_000, 2_999, 3_000, 3_001], false));
    assert_eq!(shown(0, 2), (vec![1_000, 2_000], true));
    assert_eq!(shown(3_000, 1), (vec![3_001], false));
    let search = search(&side_by_side());
    let shown = |before, limit| {
        let page = store.find_logs(PROJECT, &search, before, limit).unwrap();
        let last = page.items.last().map(|found| found.line_id);
        let seqs: Vec<u64> = page.items.iter().map(|found| found.line.log_seq).collect();
        (seqs, page.has_more, last)
    };
    let (seqs, has_more, last) = shown(None, 2);
    assert_eq!((seqs, has_more), (vec![3_001, 3_000], true));
    let (seqs, has_more, last) = shown(last, 2);
    assert_eq!((seqs, has_more), (vec![2_999, 2_000], true));
    assert_eq!(shown(last, 2).0, [1_000]);
    assert!(!shown(last, 2).1);
}

pub(crate) fn lines_are_found_across_runs(store: &dyn Store) {
    let elsewhere = with(run_with(9, 1, &["order 17 lost"]), |it| new_of(it).project = "b".into());
    commit(
        store,
        &[
            run_with(1, 101, &["Order 17 sent", "order 18 sent"]),
            run_with(2, 102, &["order 17 paid", "order 171 paid", "Re-ordered: 17"]),
            elsewhere,
        ],
    );
    commit(store, &[run_with(3, 101, &["ORDER-17"])]);
    assert_eq!(found(store, &search("order")), [(3, 1), (2, 2), (2, 1), (1, 2), (1, 1)]);
    assert_eq!(found(store, &search("order 17")), [(3, 1), (2, 1), (1, 1)]);
    assert_eq!(found(store, &search("order 17*")), [(3, 1), (2, 2), (2, 1), (1, 1)]);
    assert_eq!(found(store, &search("\"17 sent\"")), [(1, 1)]);
    assert_eq!(found(store, &search("paid 17 missing")), []);
    let of_one = LogSearch { workflow_id: Some(id(101)), ..search("order 17") };
    assert_eq!(found(store, &of_one), [(3, 1), (1, 1)]);
    let early = LogSearch { from: Some(at(1)), until: Some(at(2)), ..search("17*") };
    assert_eq!(found(store, &early), [(3, 1), (2, 1), (1, 1)]);
    let late = LogSearch { from: Some(at(2)), ..search("17*") };
    assert_eq!(found(store, &late), [(2, 3), (2, 2)]);
    let serious = LogSearch { level: Some(LogLevel::Warning), ..search("17") };
    assert_eq!(found(store, &serious), []);
    let page = store.find_logs("b", &search("17"), None, 1).unwrap();
    let [found] = page.items.as_slice() else { panic!("{page:?}") };
    assert_eq!((found.run_id, found.workflow.as_str(), page.has_more), (id(9), "greet", false));
    assert_eq!(found.line, line(1, 1, None, "order 17 lost"));
    let first = store.find_logs(PROJECT, &search("order"), None, 2).unwrap();
    assert!(first.has_more && first.items[0].line_id > first.items[1].line_id);
    let before = Some(first.items[1].line_id);
    let rest = store.find_logs(PROJECT, &search("order"), before, 9).unwrap();
    let rest: Vec<_> = rest.items.iter().map(|it| (it.run_id.as_u128(), it.line.log_seq)).collect();
    assert_eq!(rest, [(2, 1), (1, 2), (1, 1)]);
}

pub(crate) fn no_question_is_an_error(store: &dyn Store) {
    commit(store, &[run_with(1, 1, &["a AND b", "NEAR the Ufer", "naïve Straße 😀 x", "日本 語"])]);
    for question in [
        "", " ", "\"", "\"\"", "*", "\"*\"", "-", "^", ":", "'", "''", "\\", "\0", "😀", "()",
        "<->", "!", "&|", "%", "\u{FFFF}", "…",
    ] {
        assert_eq!(found(store, &search(question)), [], "{question:?}");
        let filter = LogFilter { text: Some(question.into()), ..LogFilter::default() };
        assert_eq!(store.logs(id(1), 0, &filter, 9).unwrap().items, [], "{question:?}");
    }
    for (question, seq) in [
        ("AND", 1),
        ("a AND b", 1),
        ("\"a and", 1),
        ("NEAR(", 2),
        ("near OR*", 0),
        ("^near", 2),
        ("text:near", 0),
        ("-ufer", 2),
        ("ufer'", 2),
        ("u\0fer", 0),
        ("NEAR\0UFER", 0),
        ("naïve", 3),
        ("NAÏVE straß*", 3),
        ("naive", 0),
        ("strasse", 0),
        ("😀 x", 3),
        ("\"straße x\"", 3),
        ("日*", 4),
        ("本", 0),
        ("'near':*", 2),
        ("near & ufer", 2),
    ] {
        let wanted = if seq == 0 { vec![] } else { vec![(1, seq)] };
        assert_eq!(found(store, &search(question)), wanted, "{question:?}");
        let filter = LogFilter { text: Some(question.into()), ..LogFilter::default() };
        let shown = store.logs(id(1), 0, &filter, 9).unwrap().items;
        assert_eq!(shown.first().map_or(0, |log| log.log_seq), seq, "{question:?}");
    }
    let long = "word ".repeat(5_000);
    assert_eq!(found(store, &search(&long)), []);
}

pub(crate) fn long_words_and_long_lines_are_found(store: &dyn Store) {
    let (word, line) = ("x".repeat(5_000), "y z ".repeat(100_000));
    let numbers: String = (0..100_000).map(|n| format!("{n:x} ")).collect();
    commit(store, &[run_with(1, 1, &[&word, &line, &numbers])]);
    assert_eq!(found(store, &search(&word)), [(1, 1)]);
    assert_eq!(found(store, &search(&"x".repeat(4_999))), []);
    assert_eq!(found(store, &search(&format!("{}*", "x".repeat(4_999)))), [(1, 1)]);
    assert_eq!(found(store, &search("x*")), [(1, 1)]);
    assert_eq!(found(store, &search("\"y z y\"")), [(1, 2)]);
    assert_eq!(found(store, &search("\"ff 100 101\"")), [(1, 3)]);
}

pub(crate) fn lines_of_deleted_runs_are_not_found(store: &dyn Store) {
    commit(store, &[run_with(1, 1, &["one"]), run_with(2, 1, &["one"])]);
    commit(store, &[end_run(2, RunStatus::Succeeded)]);
    assert_eq!(prune(store, 99, at(3), 9), 1);
    assert_eq!(found(store, &search("one")), [(1, 1)]);
    commit(store, &[run_with(3, 1, &["two"])]);
    assert_eq!(found(store, &search("one")), [(1, 1)]);
    assert_eq!(found(store, &search("two")), [(3, 1)]);
}

const WORDS: [&str; 16] = [
    "a", "ab", "abc", "Order", "ORDERS", "17", "171", "über", "ÜBER", "ςΣ", "İ", "日本",
    "e\u{301}", "٣", "½", "x_y",
];
const BETWEEN: [&str; 9] = [" ", "-", "/", ": ", "😀", "\t", "\0", "·", "\u{A0}"];

fn any<'a>(dice: &mut Dice, of: &[&'a str]) -> &'a str {
    of[dice.below(of.len() as u64) as usize]
}

fn random_line(dice: &mut Dice) -> String {
    let pieces = (0..dice.below(7)).map(|_| [any(dice, &WORDS), any(dice, &BETWEEN)].concat());
    pieces.collect()
}

fn random_question(dice: &mut Dice) -> String {
    let mut text = String::new();
    for _ in 0..=dice.below(3) {
        text += any(dice, &["", "", "", "\"", "-", "^"]);
        text += any(dice, &WORDS);
        text += any(dice, &["", "", "*", "*", "\"", "\" ", "/", ":"]);
        text += any(dice, &[" ", " ", " ", "", "-", " AND ", " \""]);
    }
    text
}

#[test]
fn every_store_finds_the_same_lines() {
    let directory = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn Store>; 3] =
        [Arc::new(MemoryStore::new()), open(directory.path()), open_at(&fresh_database())];
    let mut dice = Dice(3);
    for number in 1..=60_u128 {
        let lines: Vec<String> = (0..10).map(|_| random_line(&mut dice)).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let mut write = run_with(number, 1 + number % 2, &lines);
        for log in &mut write.logs {
            let level = LogLevel::ALL.get(dice.below(6) as usize).copied();
            (log.level, log.at) = (level, at(dice.below(20).cast_signed()));
        }
        stores.iter().for_each(|store| commit(&**store, &[write.clone()]));
    }
    let mut hits = 0;
    for _ in 0..1_500 {
        let text = random_question(&mut dice);
        let level = LogLevel::ALL.get(dice.below(20) as usize).copied();
        let from = (dice.below(4) == 0).then(|| at(dice.below(20).cast_signed()));
        let until = (dice.below(4) == 0).then(|| at(dice.below(20).cast_signed()));
        let workflow_id = (dice.below(4) == 0).then(|| id(1));
        let search = LogSearch { text: text.clone(), level, from, until, workflow_id };
        let filter = LogFilter { text: Some(text), level, from, until, path: None };
        let before = (dice.below(3) == 0).then(|| dice.below(700).cast_signed());
        let (limit, number) = (1 + dice.below(20) as usize, u128::from(1 + dice.below(60)));
        let answers = stores.each_ref().map(|store| {
            let found = store.find_logs(PROJECT, &search, before, limit).unwrap();
            (found, store.logs(id(number), 0, &filter, 3).unwrap())
        });
        let [memory, sqlite, postgres] = &answers;
        assert_eq!(sqlite, memory, "{search:?}");
        assert_eq!(postgres, memory, "{search:?}");
        hits += memory.0.items.len();
    }
    assert!(hits > 1_500, "the questions find too little to be worth asking: {hits}");
}

/// The lines of a database that was made before they had numbers.
const OLD_LINES: &str = "
    INSERT INTO run (run_id, project, workflow_id, workflow, version, definition_id, status,
                     created_at, last_seq, counts, owner)
    VALUES ('00000000-0000-0000-0000-000000000007', 'default',
            '00000000-0000-0000-0000-000000000001', 'greet', 1,
            '00000000-0000-0000-0000-000000000002', 'running', 7, 1, '{}', 1);
    INSERT INTO log (run_id, log_seq, at, path, attempt, stream, text, level)
    VALUES ('00000000-0000-0000-0000-000000000007', 2, 7, 'a', 1, 'stdout', 'second line', 30),
           ('00000000-0000-0000-0000-000000000007', 1, 7, 'a', 1, 'stdout', 'First line', NULL),
           ('00000000-0000-0000-0000-000000000008', 1, 7, 'a', 1, 'log', 'of nobody', NULL);
    INSERT INTO log SELECT run_id, log_seq + 10000, at, path, attempt, stream, 'other', level
      FROM log WHERE log_seq = 1;";

const OLD_SCHEMA: [&str; 12] = [
    include_str!("../../migrations/0001_spine.sql"),
    include_str!("../../migrations/0002_families_messages_access.sql"),
    include_str!("../../migrations/0003_blob_refs.sql"),
    include_str!("../../migrations/0004_lists.sql"),
    include_str!("../../migrations/0005_heirs.sql"),
    include_str!("../../migrations/0006_retention.sql"),
    include_str!("../../migrations/0007_asks.sql"),
    include_str!("../../migrations/0008_secrets.sql"),
    include_str!("../../migrations/0009_cache.sql"),
    include_str!("../../migrations/0010_usage.sql"),
    include_str!("../../migrations/0011_units.sql"),
    include_str!("../../migrations/0012_levels.sql"),
];

fn old_migrations() -> String {
    let rows = (1..=OLD_SCHEMA.len()).map(|number| format!("({number}, 'x', 0)"));
    format!(
        "CREATE TABLE migration (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL,
                                 applied_at BIGINT NOT NULL);
         INSERT INTO migration VALUES {};",
        rows.collect::<Vec<_>>().join(", ")
    )
}

fn has_old_lines(store: &dyn Store) {
    let lines = store.logs(id(7), 0, &LogFilter::default(), 9).unwrap().items;
    let texts: Vec<&str> = lines.iter().map(|log| log.text.as_str()).collect();
    assert_eq!(texts, ["First line", "second line", "other"]);
    assert_eq!(lines[1].level, Some(LogLevel::Warning));
    assert_eq!(found(store, &search("line")), [(7, 2), (7, 1)]);
    commit(store, &[run_with(9, 1, &["a new line"])]);
    assert_eq!(found(store, &search("line")), [(9, 1), (7, 2), (7, 1)]);
}

#[test]
fn lines_of_an_older_schema_are_found_in_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let raw = rusqlite::Connection::open(directory.path().join("windlass.db")).unwrap();
    OLD_SCHEMA.iter().for_each(|text| raw.execute_batch(text).unwrap());
    raw.execute_batch(&(old_migrations() + OLD_LINES)).unwrap();
    drop(raw);
    has_old_lines(&*open(directory.path()));
}

#[test]
fn lines_of_an_older_schema_are_found_in_postgres() {
    let url = fresh_database();
    for text in OLD_SCHEMA {
        let words =
            |text: &str| text.replace(" WITHOUT ROWID", "").replace(" TEXT", " TEXT COLLATE \"C\"");
        sql(&url, &words(text));
    }
    sql(&url, &(old_migrations() + OLD_LINES));
    has_old_lines(&*open_at(&url));
}
