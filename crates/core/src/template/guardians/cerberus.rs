//! `CERBERUS`: holds a unit before OMEGA until its children are back. Nothing is judged here: when
//! its three heads agree is decided where the children are known (`run::token`).
//!
//! `{wait_for_children, sync_strategy, …}` bounds no number that it does not name. The other dialect,
//! `{min_children, max_children, timeout_seconds}` alone, means 1 and 100 if left out. Either waits an
//! hour: a set that can never be whole must not wait for ever without anybody's being told.

use std::time::Duration;

use super::seconds;
use crate::definition::findings::Findings;
use crate::finding::Finding;
use crate::template::model::words;
use crate::template::reader::{Broken, Reader};

/// How long a set has to become whole, if nothing is said.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// When a unit and its children may go on to OMEGA.
#[derive(Clone, Debug, PartialEq)]
pub struct Cerberus {
    /// How many children there are at least.
    pub min_children: u32,
    /// How many there are at most. `None` is any number.
    pub max_children: Option<u32>,
    /// How long a unit is held before it is a case for TAU.
    pub timeout: Duration,
    /// Whether it waits for the children at all.
    pub wait_for_children: bool,
    /// What must be true of the children.
    pub sync_strategy: SyncStrategy,
    /// What becomes of the children of a set that OMEGA is done with.
    pub disposal: Disposal,
    /// The attributes by which children are kept, if `disposal` is selective.
    pub keep: Vec<String>,
}

/// What must be true of the children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncStrategy {
    /// Every one has come back, completed.
    AllComplete,
}
/// What becomes of the parts of a set that OMEGA is done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposal {
    /// They are kept, and go nowhere any more.
    Archive,
    /// Of each only its history is left.
    Prune,
    /// Those are kept that have one of the attributes named by `keep`, with a value that says yes.
    Selective,
}
words!(Disposal { Archive = "archive", Prune = "prune", Selective = "selective" });
words!(SyncStrategy { AllComplete = "all_complete" });

pub(super) fn compile(config: &mut Reader<'_>, out: &mut Findings<'_>) -> Result<Cerberus, Broken> {
    let names_more = config.has("wait_for_children") || config.has("sync_strategy");
    let names_bounds =
        ["min_children", "max_children", "timeout_seconds"].iter().any(|name| config.has(name));
    let (least, most_children) = match names_bounds && !names_more {
        true => (1, Some(100)),
        false => (0, None),
    };
    let most = u64::from(u32::MAX);
    let min_children = config.count(&["min_children"], 0, most, out);
    let max_children = config.count(&["max_children"], 0, most, out);
    let timeout = seconds(config, "timeout_seconds", out);
    let wait_for_children = config.bool(&["wait_for_children"], out);
    let words = SyncStrategy::WORDS;
    let of = SyncStrategy::of;
    let sync_strategy = config.word(&["sync_strategy"], "unknown-strategy", words, of, out);
    let disposal =
        config.word(&["disposal"], "unknown-disposal", Disposal::WORDS, Disposal::of, out);
    let keep = config.texts(&["keep"], out);
    let whole = |count: Option<u64>| count.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    let min_children = whole(min_children?).unwrap_or(least);
    let max_children = whole(max_children?).or(most_children);
    if max_children.is_some_and(|max| max < min_children) {
        let message = format!("{} wants more children than it lets pass", config.what());
        out.add(Finding::error("bad-value", config.path().to_owned(), message));
        return Err(Broken);
    }
    Ok(Cerberus {
        min_children,
        max_children,
        timeout: timeout?.unwrap_or(PATIENCE),
        wait_for_children: wait_for_children?.unwrap_or(true),
        sync_strategy: sync_strategy?.unwrap_or(SyncStrategy::AllComplete),
        disposal: disposal?.unwrap_or(Disposal::Archive),
        keep: keep?.unwrap_or_default(),
    })
}
