use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use windlass_core::HumanDuration;

use super::{DatabaseUrl, within};

/// Where state is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSection {
    /// The data directory. It is created if it is missing, and belongs to one server at a time.
    pub data: PathBuf,
    /// The Postgres database that keeps runs and definitions, as `postgres://user@host/name`. Left
    /// out: SQLite, in the data directory.
    pub database: Option<DatabaseUrl>,
    /// How long a run is kept once it is over, with its events, steps, logs and large values. Left
    /// out: for ever.
    pub retention: Option<HumanDuration>,
    /// How many reads may go on at the same time.
    pub reader_count: u64,
    /// How long one read may take before it is given up.
    pub read_time_max: HumanDuration,
    /// The largest size of the SQLite database, in bytes. Left out: as much as the disk has.
    pub size_bytes_max: Option<u64>,
}

impl Default for StoreSection {
    fn default() -> StoreSection {
        StoreSection {
            data: PathBuf::from("./windlass-data"),
            database: None,
            retention: None,
            reader_count: 4,
            read_time_max: HumanDuration::from_secs(5),
            size_bytes_max: None,
        }
    }
}

impl StoreSection {
    pub(super) fn check(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if let Some(complaint) = self.database.as_ref().and_then(DatabaseUrl::check) {
            found.push(("store.database", complaint));
        }
        if self.retention.is_some_and(|retention| retention.0.is_zero()) {
            found.push(("store.retention", "more than nothing is expected".to_owned()));
        }
        found.extend(within("store.reader_count", self.reader_count, 1..=64));
        if let Some(size) = self.size_bytes_max {
            found.extend(within("store.size_bytes_max", size, 1_048_576..=u64::MAX));
        }
        found
    }
}
