//! The life of a unit of work, as its run's journal tells it: what happened, what guardians said, and
//! every version of every attribute.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::token::SYSTEM;
use windlass_core::run::{Fact, UnitChanged, UnitCreated, UnitNoted};
use windlass_store::{Store, StoreError};

use super::render::{Moment, json, moment};
use crate::http::paging::PAGE_BYTES_MAX;

/// Events that are read at once, and in all, the newest: those of other units of the run are among them.
const PORTION: usize = 1_000;
const READ_MAX: u64 = 50_000;
/// What is shown of it at most; what is newest.
const SHOWN_MAX: usize = 300;
/// The history names who has no name so.
const WINDLASS: &str = "Windlass";

/// The life of a unit.
#[derive(Debug, Default, Serialize)]
pub(super) struct Story {
    /// By name.
    pub(super) attributes: Vec<Attribute>,
    /// The newest first.
    pub(super) history: Vec<Happening>,
    pub(super) decisions: Vec<Decision>,
    /// Whether there is more than is shown.
    pub(super) is_cut: bool,
}

/// An attribute with its versions.
#[derive(Debug, Serialize)]
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) current: Version,
    /// The newest first.
    pub(super) earlier: Vec<Version>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Version {
    pub(super) version: u32,
    pub(super) value: String,
    /// Whether it has lines of its own.
    pub(super) is_block: bool,
    pub(super) by: String,
    pub(super) reasoning: Option<String>,
    pub(super) at: Moment,
}

/// Something that has happened to it.
#[derive(Debug, Serialize)]
pub(super) struct Happening {
    pub(super) seq: u64,
    pub(super) at: Moment,
    /// In a word or two.
    pub(super) what: String,
    pub(super) by: String,
    pub(super) role: Option<String>,
    /// Where it stood and was after that; of a note, nothing.
    pub(super) status: Option<&'static str>,
    pub(super) place: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) reasoning: Option<String>,
    /// Names of attributes with a new version.
    pub(super) changed: Vec<String>,
    pub(super) details: Option<String>,
}

/// What a guardian has said.
#[derive(Debug, Serialize)]
pub(super) struct Decision {
    pub(super) at: Moment,
    pub(super) guardian: String,
    pub(super) word: Option<String>,
    /// `pass`, `fail`, `route`, `inject`, `waived` or `hold`.
    pub(super) verdict: String,
    pub(super) message: Option<String>,
}

/// Reads the life of the unit at a path.
///
/// # Errors
///
/// If the store cannot be read.
pub(super) fn read(store: &dyn Store, run_id: Uuid, path: &str) -> Result<Story, StoreError> {
    let mut teller = Teller::default();
    // What is newest counts: an old value must not be shown as the present one.
    let last_seq = store.overview(run_id, 1)?.map_or(0, |run| run.row.last_seq);
    let mut after = last_seq.saturating_sub(READ_MAX);
    teller.story.is_cut = after > 0;
    loop {
        let page = store.events(run_id, after, PORTION, PAGE_BYTES_MAX)?;
        after = page.items.last().map_or(after, |last| last.seq);
        for numbered in page.items {
            if numbered.event.fact.unit() == Some(path) {
                teller.tell(numbered.seq, numbered.event.at, &numbered.event.fact);
            }
        }
        if !page.has_more {
            return Ok(teller.end());
        }
    }
}

#[derive(Default)]
struct Teller {
    story: Story,
    versions: BTreeMap<String, Vec<Version>>,
}

impl Teller {
    fn tell(&mut self, seq: u64, at: Time, fact: &Fact) {
        match fact {
            Fact::UnitCreated { unit, .. } => self.created(seq, at, unit),
            Fact::UnitChanged { change, .. } => self.changed(seq, at, change),
            Fact::UnitNoted { note, .. } => self.noted(seq, at, note),
            _ => {}
        }
    }

    fn created(&mut self, seq: u64, at: Time, unit: &UnitCreated) {
        for (name, value) in &unit.attributes {
            self.version(name, value, (&unit.by, unit.reasoning.as_deref()), at);
        }
        self.story.history.push(Happening {
            seq,
            at: moment(at),
            what: "created".to_owned(),
            by: who(&unit.by),
            role: None,
            status: Some(unit.status.as_str()),
            place: Some(unit.place.clone()),
            reason: None,
            reasoning: unit.reasoning.clone(),
            changed: unit.attributes.keys().cloned().collect(),
            details: None,
        });
    }

    fn changed(&mut self, seq: u64, at: Time, change: &UnitChanged) {
        for (name, value) in &change.attributes {
            self.version(name, value, (&change.by, change.reasoning.as_deref()), at);
        }
        let details = change.details.as_deref();
        self.decisions(at, &change.because, details);
        for note in change.injected.iter().flat_map(|injected| &injected.audit) {
            let text = |name: &str| note.get(name).and_then(Value::as_str).map(str::to_owned);
            // The audit of earlier rules comes along each time.
            if text("timestamp").is_some_and(|time| time == at.to_string()) {
                self.story.decisions.push(Decision {
                    at: moment(at),
                    guardian: text("guard_name").unwrap_or_default(),
                    word: Some("CONDITIONAL_INJECTOR".to_owned()),
                    verdict: "inject".to_owned(),
                    message: text("condition"),
                });
            }
        }
        self.story.history.push(Happening {
            seq,
            at: moment(at),
            what: change.because.replace('_', " "),
            by: who(&change.by),
            role: change.role.clone(),
            status: Some(change.status.as_str()),
            place: change.place.clone(),
            reason: change.reason.clone().filter(|reason| *reason != change.because),
            reasoning: change.reasoning.clone(),
            changed: change.attributes.keys().cloned().collect(),
            details: details.filter(|details| has_more(details)).map(json),
        });
    }

    fn noted(&mut self, seq: u64, at: Time, note: &UnitNoted) {
        self.decisions(at, &note.what, note.details.as_deref());
        self.story.history.push(Happening {
            seq,
            at: moment(at),
            what: note.what.replace('_', " "),
            by: who(&note.by),
            role: None,
            status: None,
            place: None,
            reason: None,
            reasoning: None,
            changed: Vec::new(),
            details: note.details.as_deref().or(note.checkpoint.as_deref()).map(json),
        });
    }

    /// What guardians have said, out of the details of what happened.
    fn decisions(&mut self, at: Time, because: &str, details: Option<&Value>) {
        let Some(details) = details else { return };
        let text = |value: &Value, name: &str| value[name].as_str().map(str::to_owned);
        let mut push = |guardian: String, word, verdict: String, message| {
            self.story.decisions.push(Decision {
                at: moment(at),
                guardian,
                word,
                verdict,
                message,
            });
        };
        for one in details["guardians"].as_array().into_iter().flatten() {
            let verdict = text(one, "verdict").unwrap_or_default();
            push(text(one, "guardian").unwrap_or_default(), text(one, "type"), verdict, None);
        }
        if let Some(guardian) = text(details, "guardian") {
            match text(details, "verdict") {
                Some(verdict) => {
                    push(guardian, text(details, "type"), verdict, text(details, "message"));
                }
                // A policy has said where to.
                None => {
                    let branch = details["branch"].as_u64().map(|at| format!("branch {}", at + 1));
                    let action = text(details, "action").filter(|action| action != "proceed");
                    let told: Vec<String> = branch.into_iter().chain(action).collect();
                    let told = (!told.is_empty()).then(|| told.join(", "));
                    push(guardian, None, "route".to_owned(), told);
                }
            }
        }
        if let Some(rule) = text(details, "rule_ignored") {
            push(rule, None, "waived".to_owned(), text(details, "justification"));
        }
        if because == "held" {
            let guardian = text(details, "guardian").unwrap_or_else(|| "CERBERUS".to_owned());
            push(guardian, None, "hold".to_owned(), text(details, "message"));
        }
    }

    fn version(
        &mut self,
        name: &str,
        value: &Value,
        (by, reasoning): (&str, Option<&str>),
        at: Time,
    ) {
        let versions = self.versions.entry(name.to_owned()).or_default();
        let (value, is_block) = shown(value);
        versions.push(Version {
            version: u32::try_from(versions.len()).unwrap_or(u32::MAX).saturating_add(1),
            value,
            is_block,
            by: who(by),
            reasoning: reasoning.map(str::to_owned),
            at: moment(at),
        });
    }

    fn end(mut self) -> Story {
        let story = &mut self.story;
        story.history.reverse();
        story.decisions.reverse();
        story.is_cut |= story.history.len() > SHOWN_MAX;
        story.history.truncate(SHOWN_MAX);
        story.decisions.truncate(SHOWN_MAX);
        let attributes = self.versions.into_iter().filter_map(|(name, mut versions)| {
            let current = versions.pop()?;
            versions.reverse();
            versions.truncate(SHOWN_MAX);
            Some(Attribute { name, current, earlier: versions })
        });
        story.attributes = attributes.collect();
        self.story
    }
}

/// What details say besides what is shown elsewhere.
fn has_more(details: &Value) -> bool {
    details.as_object().is_some_and(|fields| !fields.is_empty())
}

/// Whose doing it was, for people.
pub(super) fn who(by: &str) -> String {
    if by == SYSTEM { WINDLASS.to_owned() } else { by.to_owned() }
}

/// A value for people, and whether it has lines of its own.
pub(super) fn shown(value: &Value) -> (String, bool) {
    match value {
        Value::String(text) => (text.clone(), text.contains('\n')),
        Value::Array(_) | Value::Object(_) => {
            let short = value.to_string();
            if short.len() <= 60 { (short, false) } else { (json(value), true) }
        }
        other => (other.to_string(), false),
    }
}
