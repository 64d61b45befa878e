//! What has happened to a unit of work, read from the journal of its run.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::token::UnitStatus;
use windlass_core::run::{Fact, UnitChanged, UnitCreated, UnitNoted};
use windlass_store::{Store, StoreError};

use crate::http::paging::PAGE_BYTES_MAX;

/// Events read at once.
const EVENTS_A_READ: usize = 1_000;

/// Something that has happened to a unit, and how it stood before.
pub(crate) struct Moment<'e> {
    /// The number of the event in the run's journal.
    pub(crate) seq: u64,
    pub(crate) at: Time,
    pub(crate) what: Happened<'e>,
    /// How it stood before; the same as now if it has just come up.
    pub(crate) before: &'e Standing,
    pub(crate) now: &'e Standing,
    /// The version that an attribute has now.
    versions: &'e BTreeMap<String, u32>,
}

/// What has happened.
pub(crate) enum Happened<'e> {
    Created(&'e UnitCreated),
    Changed(&'e UnitChanged),
    Noted(&'e UnitNoted),
}

/// Where a unit stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standing {
    pub(crate) status: UnitStatus,
    pub(crate) place: Option<String>,
    pub(crate) hash: String,
}

impl Moment<'_> {
    /// Attributes that were written, with their versions.
    pub(crate) fn written(&self) -> Vec<(&String, &Arc<Value>, u32)> {
        let attributes = match &self.what {
            Happened::Created(unit) => &unit.attributes,
            Happened::Changed(change) => &change.attributes,
            Happened::Noted(_) => return Vec::new(),
        };
        let version = |name: &String| self.versions.get(name).copied().unwrap_or(1);
        attributes.iter().map(|(name, value)| (name, value, version(name))).collect()
    }

    /// Who did it.
    pub(crate) fn by(&self) -> &str {
        match &self.what {
            Happened::Created(unit) => &unit.by,
            Happened::Changed(change) => &change.by,
            Happened::Noted(note) => &note.by,
        }
    }

    /// Why, in their words.
    pub(crate) fn reasoning(&self) -> Option<&str> {
        match &self.what {
            Happened::Created(unit) => unit.reasoning.as_deref(),
            Happened::Changed(change) => change.reasoning.as_deref(),
            Happened::Noted(_) => None,
        }
    }
}

/// Tells what has happened to a unit, in order, until `tell` says that it has heard enough.
///
/// # Errors
///
/// Those of the store.
pub(crate) fn tell(
    store: &dyn Store,
    run_id: Uuid,
    path: &str,
    mut tell: impl FnMut(&Moment<'_>) -> bool,
) -> Result<(), StoreError> {
    let (mut after, mut versions) = (0, BTreeMap::<String, u32>::new());
    let mut stands: Option<Standing> = None;
    loop {
        let page = store.events(run_id, after, EVENTS_A_READ, PAGE_BYTES_MAX)?;
        for numbered in &page.items {
            after = numbered.seq;
            let (what, now) = match (&numbered.event.fact, &stands) {
                (Fact::UnitCreated { path: at, unit }, _) if at == path => {
                    versions.extend(unit.attributes.keys().map(|name| (name.clone(), 1)));
                    let now = Standing {
                        status: unit.status,
                        place: Some(unit.place.clone()),
                        hash: unit.hash.clone(),
                    };
                    (Happened::Created(unit), now)
                }
                (Fact::UnitChanged { path: at, change }, Some(before)) if at == path => {
                    for name in change.attributes.keys() {
                        *versions.entry(name.clone()).or_default() += 1;
                    }
                    let now = Standing {
                        status: change.status,
                        place: change.place.clone(),
                        hash: change.hash.as_ref().unwrap_or(&before.hash).clone(),
                    };
                    (Happened::Changed(change), now)
                }
                (Fact::UnitNoted { path: at, note }, Some(before)) if at == path => {
                    (Happened::Noted(note), before.clone())
                }
                _ => continue,
            };
            let before = stands.replace(now.clone()).unwrap_or_else(|| now.clone());
            let (seq, at) = (numbered.seq, numbered.event.at);
            let (before, now, versions) = (&before, &now, &versions);
            if !tell(&Moment { seq, at, what, before, now, versions }) {
                return Ok(());
            }
        }
        if !page.has_more {
            return Ok(());
        }
    }
}
