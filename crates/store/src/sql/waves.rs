//! Parting a group into waves, so that the runs of a wave can be written side by side.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::IdText;
use crate::message::MessageKey;
use crate::write::RunWrite;

/// A run that is to be written, and its place in the wave.
pub(super) struct Writing<'a> {
    pub(super) place: usize,
    pub(super) run: &'a RunWrite,
    pub(super) id: IdText,
}

impl<'a> Writing<'a> {
    pub(super) fn new(place: usize, run: &'a RunWrite) -> Writing<'a> {
        Writing { place, run, id: IdText::of(run.run_id) }
    }
}

/// One list of each run after the other, every item with its run's id.
pub(super) fn rows_of<'a, L, T: 'a>(
    runs: &'a [Writing<'_>],
    list: impl Fn(&'a RunWrite) -> &'a L,
) -> impl Iterator<Item = (&'a IdText, &'a T)>
where
    &'a L: IntoIterator<Item = &'a T>,
    L: 'a,
{
    runs.iter()
        .flat_map(move |writing| list(writing.run).into_iter().map(|item| (&writing.id, item)))
}

/// Rows in rounds, which have every key once: no row of a round depends on what another one does.
pub(super) fn rounds<'a, T, K: Ord>(
    rows: &'a [T],
    key: impl Fn(&'a T) -> K,
) -> impl Iterator<Item = Vec<&'a T>> {
    let mut rounds: Vec<Vec<&T>> = Vec::new();
    let mut seen: BTreeMap<K, usize> = BTreeMap::new();
    for row in rows {
        let round = seen.entry(key(row)).or_default();
        if rounds.len() == *round {
            rounds.push(Vec::new());
        }
        rounds[*round].push(row);
        *round += 1;
    }
    rounds.into_iter()
}

/// The group in waves, each with the place of its first run. What a run says may depend on the
/// runs of the waves before it, and never on those of its own: a wave has each run, each key, each
/// external id and each message once.
pub(super) fn waves(group: &[RunWrite]) -> impl Iterator<Item = (usize, &[RunWrite])> {
    let mut first = 0;
    std::iter::from_fn(move || {
        let rest = &group[first..];
        if rest.is_empty() {
            return None;
        }
        let mut seen = Seen::default();
        let length = rest.iter().take_while(|run| seen.takes(run)).count();
        let wave = (first, &rest[..length]);
        first += length;
        Some(wave)
    })
}

/// What the runs of a wave are about. The first of them always fits.
#[derive(Default)]
struct Seen<'a> {
    runs: BTreeSet<Uuid>,
    keys: BTreeSet<(&'a str, &'a str, &'a str)>,
    external_ids: BTreeSet<(&'a str, &'a str)>,
    sent: BTreeSet<MessageKey>,
}

impl<'a> Seen<'a> {
    fn takes(&mut self, run: &'a RunWrite) -> bool {
        if run.received.iter().any(|key| self.sent.contains(key)) {
            return false;
        }
        if !run.is_only_messages() {
            let new = run.create.as_ref();
            let key = new.and_then(|new| {
                let key = new.key.as_ref()?;
                Some((new.project.as_str(), key.route.as_str(), key.key.as_str()))
            });
            let external_id =
                new.and_then(|new| Some((new.project.as_str(), new.external_id.as_deref()?)));
            let is_new = self.runs.insert(run.run_id)
                && key.is_none_or(|key| self.keys.insert(key))
                && external_id.is_none_or(|id| self.external_ids.insert(id));
            if !is_new {
                return false;
            }
        }
        self.sent.extend(run.messages.iter().map(|message| message.key()));
        true
    }
}
