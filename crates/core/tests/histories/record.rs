//! Writes what is not recorded yet, and over nothing that is.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use windlass_core::run::{Event, RunState, STATE_VERSION};

use crate::{desk, scenes};

/// The scenes that the present version has not recorded.
pub(crate) fn new_scenes(directory: &Path) {
    let version =
        concat!("v", env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));
    let directory = directory.join(version);
    std::fs::create_dir_all(&directory).unwrap();
    for scene in scenes::all() {
        let lines = desk::play(&scene).into_iter().map(|event| {
            let mut line = serde_json::to_string(&event).unwrap();
            line.push('\n');
            line
        });
        write_new(&directory.join(scene.name).with_extension("jsonl"), &lines.collect::<String>());
    }
}

/// The state a journal folds to, as the present `STATE_VERSION` keeps it.
pub(crate) fn state(journal: &Path) {
    let text = std::fs::read_to_string(journal).unwrap();
    let events: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let state = RunState::replay(&events).unwrap();
    write_new(&state_file(journal), &serde_json::to_string(&state).unwrap());
}

pub(crate) fn state_file(journal: &Path) -> PathBuf {
    journal.with_extension(format!("state-{STATE_VERSION}.json"))
}

fn write_new(path: &Path, text: &str) {
    match File::create_new(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).unwrap(),
        Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{}", path.display()),
    }
}
