//! The audit log as a chain: every record carries the hash of the one before it, so that a record
//! that was changed, added or taken out afterwards breaks the chain at its place.

use windlass_core::Time;

use crate::text::{nul_safe, sha256_hex};

/// What somebody did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Time,
    /// In which project.
    pub project: String,
    /// Who, such as `key:ci`.
    pub principal: String,
    /// What, such as `run.cancel`.
    pub action: String,
    /// To what, such as a run's id; may be empty.
    pub target: String,
    /// More about it, as JSON.
    pub detail: Option<String>,
}

/// A record of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number, from 1, without gaps.
    pub seq: i64,
    /// What was done.
    pub entry: AuditEntry,
    /// The hash of the record before it; empty for the first.
    pub previous_hash: String,
    /// Its own hash, as [`hash`] makes it.
    pub hash: String,
}

/// What a look through the audit log has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditVerdict {
    /// How many records are as they were written, from the first on.
    pub checked: u64,
    /// The number of the first record that is not, or is missing.
    pub first_altered: Option<i64>,
}

/// The hash of a record: hexadecimal SHA-256 of the JSON list `[previous_hash, seq, at, project,
/// principal, action, target, detail]` without spaces, the time in microseconds.
pub(crate) fn hash(previous_hash: &str, seq: i64, entry: &AuditEntry) -> String {
    let AuditEntry { at, project, principal, action, target, detail } = entry;
    let fields = (previous_hash, seq, at.micros(), project, principal, action, target, detail);
    let text = serde_json::to_string(&fields).expect("texts and numbers are JSON");
    sha256_hex(text.as_bytes())
}

/// The records that follow the one of this number and hash.
pub(crate) fn chained(last: Option<(i64, String)>, entries: &[AuditEntry]) -> Vec<AuditRow> {
    let (mut seq, mut last_hash) = last.unwrap_or_default();
    let safe = |text: &str| nul_safe(text).into_owned();
    let row = |entry: &AuditEntry| {
        let entry = AuditEntry {
            at: entry.at,
            project: safe(&entry.project),
            principal: safe(&entry.principal),
            action: safe(&entry.action),
            target: safe(&entry.target),
            detail: entry.detail.as_deref().map(safe),
        };
        seq += 1;
        let hash = hash(&last_hash, seq, &entry);
        let previous_hash = std::mem::replace(&mut last_hash, hash.clone());
        AuditRow { seq, entry, previous_hash, hash }
    };
    entries.iter().map(row).collect()
}

/// A chain as far as it has been looked at.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    last_seq: i64,
    last_hash: String,
}

impl Chain {
    /// Whether this record is the next one, as it was written.
    pub(crate) fn fits(&mut self, row: &AuditRow) -> bool {
        let fits = row.seq == self.last_seq + 1
            && row.previous_hash == self.last_hash
            && row.hash == hash(&row.previous_hash, row.seq, &row.entry);
        if fits {
            self.last_seq = row.seq;
            self.last_hash.clone_from(&row.hash);
        }
        fits
    }

    pub(crate) fn last_seq(&self) -> i64 {
        self.last_seq
    }

    pub(crate) fn length(&self) -> u64 {
        u64::try_from(self.last_seq).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// The hash is a promise to whoever checks an exported log: it must never change.
    #[test]
    fn the_hash_is_that_of_a_plain_json_list() {
        let entry = AuditEntry {
            at: Time::from_micros(7),
            project: "default".into(),
            principal: "key:ci".into(),
            action: "run.cancel".into(),
            target: "r1".into(),
            detail: None,
        };
        let text = r#"["",1,7,"default","key:ci","run.cancel","r1",null]"#;
        let expected: String =
            Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(chained(None, &[entry])[0].hash, expected);
    }
}
