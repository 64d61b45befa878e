//! Journals of every released version, and what they must still fold to.
//!
//! For each history there are three files in the directory of the version that wrote it:
//!
//! - `x.jsonl`, the journal, one event a line, exactly as it is stored. It is never changed: that
//!   would be changing the past.
//! - `x.snap`, what it folds to, event by event, for people to judge (`cargo insta review`). Whatever
//!   changes here, changes for runs that were begun before an upgrade.
//! - `x.state-2.json`, the state as it is kept of a run that leaves memory, by `STATE_VERSION` 2.
//!   While that is the version, every release must read what every other has written.
//!
//! To record more, for a new scene, a new version or a new shape of the state:
//! `WINDLASS_RECORD_HISTORIES=1 cargo test -p windlass-core --test histories`. It writes what the
//! present version has not recorded yet, and never writes over a file. The `.snap.new` files that
//! come up are then reviewed.

#![expect(clippy::unwrap_used, reason = "a history that cannot be read is a failed test")]

mod desk;
mod record;
mod scenes;
mod story;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Once;

use windlass_core::run::{Event, Fact, RunState, STATE_VERSION};

struct History {
    name: String,
    /// Where it lies: `v0.1`.
    version: String,
    lines: Vec<String>,
    /// The state as the present `STATE_VERSION` keeps it, if that is recorded.
    kept: Option<String>,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories")
}

fn histories() -> Vec<History> {
    static RECORD: Once = Once::new();
    RECORD.call_once(|| {
        if std::env::var_os("WINDLASS_RECORD_HISTORIES").is_some() {
            record::new_scenes(&directory());
            journals().iter().for_each(|journal| record::state(journal));
        }
    });
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        History {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            version: path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned(),
            lines: text.lines().map(str::to_owned).collect(),
            kept: std::fs::read_to_string(record::state_file(path)).ok(),
        }
    };
    journals().iter().map(|path| read(path)).collect()
}

fn journals() -> Vec<PathBuf> {
    let versions = entries(&directory()).into_iter().filter(|path| path.is_dir());
    let files = versions.flat_map(|version| entries(&version));
    files.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect()
}

fn entries(directory: &Path) -> BTreeSet<PathBuf> {
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

impl History {
    fn events(&self) -> Vec<Event> {
        let read = |line: &String| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{}: {error}\n{line}", self.name))
        };
        self.lines.iter().map(read).collect()
    }

    fn folded(&self) -> RunState {
        RunState::replay(&self.events()).unwrap()
    }
}

#[test]
fn every_journal_folds_to_what_it_folded_to_when_it_was_written() {
    for history in histories() {
        let settings = {
            let mut settings = insta::Settings::clone_current();
            settings.set_snapshot_path(&history.version);
            settings.set_prepend_module_to_snapshot(false);
            settings.set_omit_expression(true);
            settings
        };
        let story = story::of(&history.events());
        settings.bind(|| insta::assert_snapshot!(history.name.as_str(), story));
    }
}

#[test]
fn every_line_is_written_as_it_was_read() {
    for history in histories() {
        for (event, line) in history.events().iter().zip(&history.lines) {
            assert_eq!(serde_json::to_string(event).unwrap(), *line, "{}", history.name);
        }
    }
}

#[test]
fn a_state_that_was_kept_is_the_fold_of_its_journal() {
    for history in histories() {
        let name = &history.name;
        let kept = history.kept.as_ref();
        let kept = kept.unwrap_or_else(|| panic!("{name}: nothing kept by {STATE_VERSION}"));
        let read: RunState = serde_json::from_str(kept).unwrap();
        assert_eq!(read, history.folded(), "{name}");
        assert_eq!(serde_json::to_string(&read).unwrap(), *kept, "{name}");
    }
}

#[test]
fn a_state_that_is_kept_in_the_middle_goes_on_as_if_it_had_not_been() {
    for history in histories() {
        let events = history.events();
        let mut woken = RunState::from_first(&events[0]).unwrap();
        for event in &events[1..] {
            let kept = serde_json::to_string(&woken).unwrap();
            woken = serde_json::from_str(&kept).unwrap();
            woken.evolve(event);
        }
        assert_eq!(woken, history.folded(), "{}", history.name);
    }
}

#[test]
fn every_type_of_event_is_in_some_history() {
    // Who reads an unknown type is told all that there are: so none can be forgotten here.
    let complaint = serde_json::from_str::<Fact>(r#"{"?":{}}"#).unwrap_err().to_string();
    let known: BTreeSet<String> =
        complaint.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    assert!(known.contains("run_created") && known.contains("run_cancelled"), "{complaint}");
    // As they are written: what another program says has several names in the API.
    let written = |event: Event| match serde_json::to_value(&event.fact) {
        Ok(serde_json::Value::Object(fact)) => fact.keys().next().unwrap().clone(),
        other => panic!("{other:?}"),
    };
    let recorded: BTreeSet<String> =
        histories().iter().flat_map(History::events).map(written).collect();
    assert_eq!(recorded, known);
}

#[test]
fn every_scene_is_recorded() {
    let recorded: BTreeSet<String> = histories().into_iter().map(|history| history.name).collect();
    let scenes: BTreeSet<String> =
        scenes::all().into_iter().map(|scene| scene.name.to_owned()).collect();
    let missing: Vec<&String> = scenes.difference(&recorded).collect();
    assert!(missing.is_empty(), "not recorded yet: {missing:?}");
}
