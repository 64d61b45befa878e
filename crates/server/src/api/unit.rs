//! A unit of work as the API shows it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::token::{Attribute, Unit};
use windlass_engine::UnitView;
use windlass_engine::desk::HeldView;
use windlass_store::UnitRow;

use super::tasks::get::TaskHolder;
use super::tasks::poll::attributes;
use crate::units::story::{Happened, Moment};

/// A unit of work, in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UnitBody {
    /// Its id. That of a base unit is its run's.
    pub id: Uuid,
    /// The run of the base unit that it is a part of, or is.
    pub run_id: Uuid,
    /// What the run calls it: `u0` is the base.
    pub path: String,
    /// The instance.
    pub instance_id: Uuid,
    /// The workflow of the instance that it is in.
    pub workflow: String,
    /// The unit it is a part of.
    pub parent_id: Option<Uuid>,
    /// The interaction where it is; null if it is nowhere any more.
    pub place: Option<String>,
    /// The role that holds it, or held it last.
    pub role: Option<String>,
    /// Where it stands, such as `pending`.
    pub status: String,
    /// Why, in a word.
    pub reason: Option<String>,
    /// Who holds it.
    pub holder: Option<String>,
    /// How often it was handed over.
    pub fence: u64,
    /// How often it was taken since it was last clarified.
    pub interaction_count: u32,
    /// How often it may be.
    pub max_interactions: Option<u32>,
    /// How many parts it has.
    pub child_count: u32,
    /// How many of them have come to the end.
    pub finished_child_count: u32,
    /// The largest version among its attributes.
    pub version: u32,
    /// SHA-256 of its attributes as compact JSON with sorted keys, in hex.
    pub hash: String,
    /// The higher, the sooner its turn comes.
    pub priority: i32,
    /// When it came up, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Since when it is where it is.
    #[schema(format = DateTime)]
    pub entered_at: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// When something is done with it, if nobody does anything.
    #[schema(format = DateTime)]
    pub due_at: Option<String>,
}

/// A unit of work with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnitDetail {
    /// The unit.
    #[serde(flatten)]
    pub unit: UnitBody,
    /// Its current attributes, by name.
    pub attributes: BTreeMap<String, AttributeBody>,
    /// Its parts, in the order in which they came up.
    pub children: Vec<ChildSummary>,
    /// What guardians have decided about it, the newest 200.
    pub decisions: Vec<DecisionBody>,
    /// Who holds it, and for how long; null if nobody does.
    pub lease: Option<TaskHolder>,
    /// Guardians that a pilot has waived for it.
    pub waived: Vec<String>,
    /// What is asked of pilots, if something is: `resume`, `clarification`, `kill_switch`.
    pub asks: Option<String>,
    /// How far its holder has come, if they have said so.
    pub checkpoint: Option<Value>,
}

/// The current version of an attribute.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttributeBody {
    /// The value.
    pub value: Value,
    /// Which version, from 1.
    pub version: u32,
    /// Who wrote it.
    pub actor: String,
    /// Why, in their words.
    pub reasoning: Option<String>,
    /// When, RFC 3339.
    #[schema(format = DateTime)]
    pub at: String,
}

/// One version of an attribute.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionedAttribute {
    /// Its name.
    pub name: String,
    /// This version of it.
    #[serde(flatten)]
    pub attribute: AttributeBody,
}

/// A part of a unit of work.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChildSummary {
    /// Its id.
    pub id: Uuid,
    /// Where it stands.
    pub status: &'static str,
    /// The interaction where it is.
    pub place: Option<String>,
    /// Its attributes.
    #[schema(value_type = Object)]
    pub attributes: Map<String, Value>,
}

/// What a guardian has decided.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DecisionBody {
    /// The number of the event in the run's journal.
    pub seq: u64,
    /// When, RFC 3339.
    #[schema(format = DateTime)]
    pub at: String,
    /// The guardian.
    pub guardian: String,
    /// What it is, such as `CRITERIA_GATE`; null if it has only routed.
    #[serde(rename = "type")]
    pub type_: Option<String>,
    /// `pass`, `fail`, `route`, `inject` or `waived`.
    pub verdict: String,
    /// More of it.
    pub message: Option<String>,
    /// Who asked.
    pub actor: String,
}

/// Something that has happened to a unit of work.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryItem {
    /// The number of the event in the run's journal.
    pub seq: u64,
    /// When, RFC 3339.
    #[schema(format = DateTime)]
    pub at: String,
    /// What, in a word: `created`, `claimed`, `submitted`, `rejected`, `checkpoint`, …
    pub event: String,
    /// Where it stood before; null if it has just come up.
    pub previous_status: Option<&'static str>,
    /// Where it stands since.
    pub status: &'static str,
    /// Where it was before.
    pub previous_place: Option<String>,
    /// Where it is since.
    pub place: Option<String>,
    /// The hash of its attributes before.
    pub previous_hash: Option<String>,
    /// And since.
    pub hash: String,
    /// Whose doing it is.
    pub actor: String,
    /// The role in which they did it.
    pub role: Option<String>,
    /// Why, in their words.
    pub reasoning: Option<String>,
    /// Attributes that were written, with their versions.
    pub attributes: BTreeMap<String, u32>,
    /// How often it was handed over, if it was.
    pub fence: Option<u64>,
    /// More of it.
    pub details: Option<Value>,
}

impl From<&UnitRow> for UnitBody {
    fn from(row: &UnitRow) -> UnitBody {
        UnitBody {
            id: row.unit_id,
            run_id: row.run_id,
            path: row.path.clone(),
            instance_id: row.instance_id,
            workflow: row.workflow.clone(),
            parent_id: row.parent_id,
            place: row.place.clone(),
            role: row.role.clone(),
            status: row.status.clone(),
            reason: row.reason.clone(),
            holder: row.holder.clone(),
            fence: row.fence,
            interaction_count: row.interaction_count,
            max_interactions: row.max_interactions,
            child_count: row.child_count,
            finished_child_count: row.finished_child_count,
            version: row.version,
            hash: row.hash.clone(),
            priority: row.priority,
            created_at: row.created_at.to_string(),
            entered_at: row.entered_at.to_string(),
            updated_at: row.updated_at.to_string(),
            due_at: row.due_at.map(|at| at.to_string()),
        }
    }
}

impl From<&Attribute> for AttributeBody {
    fn from(one: &Attribute) -> AttributeBody {
        AttributeBody {
            value: (*one.value).clone(),
            version: one.version,
            actor: one.by.to_string(),
            reasoning: one.reasoning.as_deref().map(str::to_owned),
            at: one.at.to_string(),
        }
    }
}

impl UnitDetail {
    /// From its row, the state of its run, its journal and the desk.
    pub(crate) fn of(
        row: &UnitRow,
        view: &UnitView,
        decisions: Vec<DecisionBody>,
        held: Option<HeldView>,
        now: Time,
    ) -> UnitDetail {
        let unit: &Unit = &view.unit;
        let own = unit.attributes.iter();
        UnitDetail {
            unit: UnitBody::from(row),
            attributes: own.map(|(name, one)| (name.to_string(), one.into())).collect(),
            children: view
                .children
                .iter()
                .map(|part| ChildSummary {
                    id: part.id,
                    status: part.status.as_str(),
                    place: part.place.as_deref().map(str::to_owned),
                    attributes: attributes(part),
                })
                .collect(),
            decisions,
            lease: held.map(|held| TaskHolder::of(held, now)),
            waived: unit.waived.iter().cloned().collect(),
            asks: unit.ask.as_ref().map(|ask| ask.kind.to_string()),
            checkpoint: unit.checkpoint.as_deref().cloned(),
        }
    }
}

impl HistoryItem {
    pub(crate) fn of(moment: &Moment<'_>) -> HistoryItem {
        let written = moment.written().into_iter();
        let is_new = matches!(moment.what, Happened::Created(_));
        let (event, role, details, fence) = match &moment.what {
            Happened::Created(_) => ("created", None, None, None),
            Happened::Changed(change) => {
                let fence = change.holder.as_ref().map(|holder| holder.fence);
                (change.because.as_str(), change.role.clone(), change.details.clone(), fence)
            }
            Happened::Noted(note) => (note.what.as_str(), None, note.details.clone(), None),
        };
        HistoryItem {
            seq: moment.seq,
            at: moment.at.to_string(),
            event: event.to_owned(),
            previous_status: (!is_new).then(|| moment.before.status.as_str()),
            status: moment.now.status.as_str(),
            previous_place: moment.before.place.clone().filter(|_| !is_new),
            place: moment.now.place.clone(),
            previous_hash: (!is_new).then(|| moment.before.hash.clone()),
            hash: moment.now.hash.clone(),
            actor: moment.by().to_owned(),
            role,
            reasoning: moment.reasoning().map(str::to_owned),
            attributes: written.map(|(name, _, version)| (name.clone(), version)).collect(),
            fence,
            details: details.map(|details| *details),
        }
    }
}

impl DecisionBody {
    /// What guardians have decided in a moment.
    pub(crate) fn all_of(moment: &Moment<'_>) -> Vec<DecisionBody> {
        let Happened::Changed(change) = &moment.what else { return Vec::new() };
        let decision =
            |guardian: &str, type_: Option<&str>, verdict: &str, message: Option<String>| {
                DecisionBody {
                    seq: moment.seq,
                    at: moment.at.to_string(),
                    guardian: guardian.to_owned(),
                    type_: type_.map(str::to_owned),
                    verdict: verdict.to_owned(),
                    message,
                    actor: change.by.clone(),
                }
            };
        let mut all = Vec::new();
        if let Some(rule) = &change.waived {
            all.push(decision(rule, None, "waived", change.reasoning.clone()));
        }
        let Some(details) = change.details.as_deref() else { return all };
        let word = |one: &Value, name: &str| one[name].as_str().map(str::to_owned);
        for one in details["guardians"].as_array().into_iter().flatten() {
            let guardian = word(one, "guardian").unwrap_or_default();
            let verdict = match word(one, "type").as_deref() {
                Some("CONDITIONAL_INJECTOR") if change.injected.is_some() => "inject".to_owned(),
                _ => word(one, "verdict").unwrap_or_default(),
            };
            all.push(decision(&guardian, one["type"].as_str(), &verdict, None));
        }
        if let Some(guardian) = details["guardian"].as_str() {
            match details["verdict"].as_str() {
                Some(verdict) => {
                    let message = word(details, "message");
                    all.push(decision(guardian, details["type"].as_str(), verdict, message));
                }
                None => {
                    let place = moment.now.place.clone();
                    let message = place.map(|place| format!("to `{place}`"));
                    all.push(decision(guardian, None, "route", message));
                }
            }
        }
        all
    }
}
