//! What other programs say of their runs: from the shapes in which it comes in to words about runs.
//!
//! ```text
//!   events      ─┐
//!   CloudEvents ─┼──► Item (flow, run, word) ──► grouped by run ──► Engine::observe ──► durable
//!   OpenLineage ─┤
//!   OTLP traces ─┘
//! ```
//!
//! An item that cannot be is refused by itself, with its place and why; the others count. So who sends
//! a batch again after an answer was lost does no harm.

pub mod cloud;
pub mod event;
pub mod lineage;
pub mod otlp;
pub mod split;
pub mod unpack;
pub mod value;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use utoipa::ToSchema;
use windlass_core::run::observed::UNKNOWN_FLOW;
use windlass_core::run::{ObservedTerms, Refused};
use windlass_engine::shard::{Answer, Word};
use windlass_engine::{FlowError, Observation, Workflow};

use crate::access::Caller;
use crate::app::App;
use crate::http::problem::{self, Code, Problem};

/// Something said of a run, and where it stood in what came in.
#[derive(Debug)]
pub struct Item {
    /// Its place, from 0.
    pub index: usize,
    /// Which flow the run is of, if that was said.
    pub flow: Option<FlowName>,
    /// What its program calls the run.
    pub run: String,
    /// What is said.
    pub word: Word,
}

/// Which flow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlowName {
    /// What tells it from all others.
    pub key: String,
    /// What people call it, if that is something else.
    pub name: Option<String>,
}

impl FlowName {
    /// What words call the flow that do not give its key: its name, or the end of `module:name`.
    fn called(&self) -> Option<String> {
        let end = || self.key.rsplit_once(':').map(|(_, name)| name.to_owned());
        self.name.clone().or_else(end).filter(|name| *name != self.key)
    }
}

/// Why something does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, ToSchema)]
pub struct Rejected {
    /// Its place in what was sent, from 0.
    pub index: usize,
    /// A stable word: `bad-json`, `unknown-event`, `missing-field`, `bad-value`, `too-long`,
    /// `time-out-of-range`, `not-a-flow`, `not-watched`, `too-many`.
    pub code: &'static str,
    /// Why, for people.
    pub detail: String,
}

impl Rejected {
    /// Something that does not count.
    pub fn new(index: usize, code: &'static str, detail: impl Into<String>) -> Rejected {
        Rejected { index, code, detail: detail.into() }
    }
}

/// Why an event does not count. The request that it came with is answered with 200.
pub const CODES: &[Code] = &[
    Code { code: "unknown-event", status: 200, title: "There is no event of this name" },
    Code { code: "missing-field", status: 200, title: "A field is missing" },
    Code { code: "bad-value", status: 200, title: "A field has a value that it cannot have" },
    Code { code: "too-long", status: 200, title: "A name is too long" },
    Code { code: "time-out-of-range", status: 200, title: "The time cannot be" },
    Code { code: "not-a-flow", status: 200, title: "The flow is a workflow that runs here" },
    Code { code: "not-watched", status: 200, title: "The run is driven here" },
    Code { code: "too-many", status: 200, title: "The run has as much as a run can have" },
];

/// What has become of what was sent. All of it is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Taken {
    /// Whether something counts, or nothing was sent.
    pub ok: bool,
    /// How many count, those included that said what was known.
    pub accepted: usize,
    /// Those that do not, by place.
    pub rejected: Vec<Rejected>,
}

/// Takes items in, and answers once what follows from them is durable.
///
/// # Errors
///
/// `unavailable` and `outcome-unknown`: sent again, it does no harm.
pub async fn take(
    app: &App,
    caller: &Caller,
    items: Vec<Item>,
    mut rejected: Vec<Rejected>,
) -> Result<Taken, Problem> {
    let count = items.len() + rejected.len();
    let project = caller.project();
    let mut groups = group(items);
    // A run of ours may be known although nobody says here which flow it is of.
    let nameless = groups.iter().filter(|group| group.flow.is_none());
    let nameless: Vec<String> = nameless.map(|group| group.run.clone()).collect();
    let (mut flows, mut ours) = (HashMap::new(), HashSet::new());
    if !nameless.is_empty() {
        let known = app.engine.flows_of(project, &nameless).await?;
        for group in groups.iter_mut().filter(|group| group.flow.is_none()) {
            let key = known.get(&group.run).cloned();
            ours.extend(key.iter().map(|_| group.run.clone()));
            group.flow = key.map(|key| FlowName { key, name: None });
        }
    }
    let mut observations = Vec::with_capacity(groups.len());
    let mut places = Vec::with_capacity(groups.len());
    for group in groups {
        // A later event may say which flow it is.
        let unknown = || FlowName { key: UNKNOWN_FLOW.to_owned(), name: None };
        let name = group.flow.unwrap_or_else(unknown);
        match flow_of(app, project, &name, &mut flows).await? {
            Ok(flow) => {
                places.push(group.places);
                let (external_id, words) = (group.run, group.words);
                let called = name.called();
                observations.push(Observation { external_id, flow, called, words });
            }
            Err(("not-a-flow", _)) if ours.contains(&group.run) => {
                // Nobody has named a flow: it is that of a run that is driven here.
                let refused = group.places.into_iter();
                rejected.extend(refused.map(|place| turned_down(place, &Refused::NotWatched)));
            }
            Err((code, detail)) => {
                let refused = group.places.into_iter();
                rejected.extend(refused.map(|place| Rejected::new(place, code, detail.clone())));
            }
        }
    }
    let terms = ObservedTerms {
        stalled_after: app.config.observe.stalled_after,
        given_up_after: app.config.observe.given_up_after,
    };
    let by = Some(caller.name());
    let answers = app.engine.observe(project, by, &terms, observations).await;
    for (answer, places) in answers.into_iter().zip(places) {
        match answer {
            Answer::Heard(refused) => rejected.extend(
                refused.into_iter().map(|(word, refused)| turned_down(places[word], &refused)),
            ),
            Answer::Refused(refused) => {
                rejected.extend(places.into_iter().map(|place| turned_down(place, &refused)));
            }
            Answer::Unavailable(message) => {
                return Err(Problem::new(problem::UNAVAILABLE, message));
            }
            Answer::OutcomeUnknown(message) => {
                return Err(Problem::new(problem::OUTCOME_UNKNOWN, message));
            }
            // Somebody was faster with the same name: sent again, it finds that run.
            Answer::ExternalIdTaken { .. } => {
                let message = "another request has just begun the run; send it again";
                return Err(Problem::new(problem::UNAVAILABLE, message));
            }
            other => {
                tracing::error!(?other, "words about a run were answered strangely");
                return Err(Problem::new(problem::INTERNAL, "the server's log says more"));
            }
        }
    }
    rejected.sort_by_key(|one| one.index);
    let accepted = count - rejected.len();
    app.metrics.heard(accepted, rejected.len());
    Ok(Taken { ok: accepted > 0 || count == 0, accepted, rejected })
}

/// What is said of one run, in order.
struct Group {
    run: String,
    flow: Option<FlowName>,
    words: Vec<Word>,
    places: Vec<usize>,
}

fn group(items: Vec<Item>) -> Vec<Group> {
    let mut by_run: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for Item { index, flow, run, word } in items {
        let place = match by_run.get(&run) {
            Some(place) => *place,
            None => {
                by_run.insert(run.clone(), groups.len());
                groups.push(Group { run, flow: None, words: Vec::new(), places: Vec::new() });
                groups.len() - 1
            }
        };
        let group = &mut groups[place];
        // A key with a name says more than one of the two.
        let says_more = match (&group.flow, &flow) {
            (None, _) => true,
            (Some(known), Some(flow)) => {
                (known.name.is_none() && flow.name.is_some())
                    || flow.called().as_ref() == Some(&known.key)
            }
            (Some(_), None) => false,
        };
        if says_more {
            group.flow = flow;
        }
        group.words.push(word);
        group.places.push(index);
    }
    groups
}

/// A flow, or why there is none: a code, and words for people.
type Flow = Result<Arc<Workflow>, (&'static str, String)>;

async fn flow_of(
    app: &App,
    project: &str,
    name: &FlowName,
    flows: &mut HashMap<FlowName, Flow>,
) -> Result<Flow, Problem> {
    if let Some(flow) = flows.get(name) {
        return Ok(flow.clone());
    }
    let describe = || serde_json::json!({ "flow": name.key, "name": name.name }).to_string();
    let flow = match app.engine.flow(project, &name.key, describe).await {
        Ok(flow) => Ok(flow),
        Err(error @ FlowError::NotAFlow(_)) => Err(("not-a-flow", error.to_string())),
        Err(error @ FlowError::Bad(_)) => Err(("bad-value", error.to_string())),
        Err(FlowError::Definition(error)) => return Err(error.into()),
    };
    flows.insert(name.clone(), flow.clone());
    Ok(flow)
}

fn turned_down(index: usize, refused: &Refused) -> Rejected {
    let code = match refused {
        Refused::TooManyTasks | Refused::HistoryFull => "too-many",
        _ => "not-watched",
    };
    Rejected::new(index, code, refused.to_string())
}
