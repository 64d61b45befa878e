use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Unit, UnitBecause, UnitStatus};
use crate::definition::{Plan, check};
use crate::duration::HumanDuration;
use crate::failure::Failure;
use crate::kinds::Kinds;
use crate::run::{
    AttemptError, CreateRun, Effect, Fact, Hold, Input, Outcome, PilotAct, Refused, RunState,
    RunStatus, TaskAct, UnitChanged, UnitDone, UnitTerms, What, create,
};
use crate::time::Time;

const REFUND_DESK: &str = include_str!("../../../../../examples/templates/refund_desk.yaml");

mod bounds;
mod guardians;
mod inside;
mod table;
mod waiting;

/// A token run that is driven by hand.
#[derive(Clone)]
struct Token {
    state: RunState,
    plan: Arc<Plan>,
    now: Time,
    events: Vec<crate::run::Event>,
    next_id: u128,
}

impl Token {
    fn start(template: &str, settings: Value, attributes: Value) -> Token {
        let document: Value = match serde_json::from_str(template) {
            Ok(document) => document,
            Err(_) => check(template, &Kinds::pure()).document.unwrap(),
        };
        let name = document["workflow"]["name"].as_str().unwrap_or("Refund_Desk").to_owned();
        let mut templates = serde_json::Map::new();
        templates.insert(name.clone(), document);
        Token::of(&name, templates.into(), settings, attributes)
    }

    fn of(master: &str, templates: Value, settings: Value, attributes: Value) -> Token {
        let instance = json!({
            "instance": "desk", "master": master, "templates": templates, "settings": settings,
        });
        let checked = check(&instance.to_string(), &Kinds::pure());
        let plan = Arc::new(checked.plan.unwrap_or_else(|| panic!("{:?}", checked.findings)));
        let now = Time::from_micros(1_000_000_000_000_000);
        let request = CreateRun {
            run_id: Uuid::from_u128(1),
            input: attributes,
            unit: Some(UnitTerms::default()),
            ..CreateRun::default()
        };
        let event = create(&plan, request, now).unwrap();
        let state = RunState::from_first(&event).unwrap();
        let mut token = Token { state, plan, now, events: vec![event], next_id: 100 };
        token.advance();
        token
    }

    fn give(&mut self, what: What) -> Result<(), Refused> {
        let events = self.state.decide(&self.plan, &Input { now: self.now, dice: 0.5, what })?;
        for event in events {
            self.state.evolve(&event);
            self.events.push(event);
        }
        self.advance();
        assert_eq!(RunState::replay(&self.events).unwrap(), self.state);
        self.check_times();
        Ok(())
    }

    /// The run comes back for every unit for which there is a time, and for no other.
    fn check_times(&self) {
        let units = self.state.tokens().unwrap().units();
        let times: Vec<(&str, Time)> =
            units.filter_map(|(path, unit)| Some((path, unit.until?))).collect();
        let owed: Vec<Effect> = self.state.outstanding().collect();
        let expected = times
            .iter()
            .map(|(path, due)| Effect::SetTimer { path: (*path).to_owned(), due: *due });
        assert_eq!(owed, expected.collect::<Vec<_>>());
        assert_eq!(self.state.next_due(), times.iter().map(|(_, due)| *due).min());
    }

    fn advance(&mut self) {
        for _ in 0..100 {
            let input = Input { now: self.now, dice: 0.5, what: What::Advance };
            let events = self.state.decide(&self.plan, &input).unwrap();
            if events.is_empty() {
                return;
            }
            for event in events {
                self.state.evolve(&event);
                self.events.push(event);
            }
        }
        panic!("it goes on for ever");
    }

    fn task(&mut self, path: &str, act: TaskAct) -> Result<(), Refused> {
        self.give(What::Task { path: path.to_owned(), act })
    }

    fn claim(&mut self, path: &str, role: &str) -> Result<(), Refused> {
        let lease = HumanDuration(Duration::from_secs(300));
        self.task(path, TaskAct::Claim { by: "ada".into(), role: Some(role.into()), lease })
    }

    fn done(&mut self, path: &str, attributes: Value, children: Vec<Value>) -> Result<(), Refused> {
        let map = |value: Value| -> BTreeMap<String, Value> {
            value.as_object().cloned().unwrap_or_default().into_iter().collect()
        };
        let children = children
            .into_iter()
            .map(|child| {
                self.next_id += 1;
                (Uuid::from_u128(self.next_id), map(child))
            })
            .collect();
        let done = UnitDone { attributes: map(attributes), reasoning: Some("so".into()), children };
        let outcome = Outcome::Unit(Box::new(done));
        self.task(path, TaskAct::Complete { hold: hold("ada"), outcome })
    }

    fn fail(&mut self, path: &str) -> Result<(), Refused> {
        let error = AttemptError::new(Failure::new("boom", "it broke"), false);
        self.task(path, TaskAct::Fail { hold: hold("ada"), error })
    }

    fn pilot(&mut self, path: &str, act: PilotAct) -> Result<(), Refused> {
        self.give(What::Pilot { path: path.into(), by: "pilot".into(), act })
    }

    fn later(&mut self, path: &str, seconds: u64) -> Result<(), Refused> {
        self.now = self.now.plus(Duration::from_secs(seconds));
        self.give(What::TimerFired { path: path.into() })
    }

    fn at(&self, path: &str) -> (UnitStatus, &str) {
        let unit = self.state.tokens().unwrap().unit(path).unwrap();
        (unit.status, unit.place.as_deref().unwrap_or(""))
    }

    fn unit(&self, path: &str) -> &Unit {
        self.state.tokens().unwrap().unit(path).unwrap()
    }

    /// What has happened to a unit, the newest last.
    fn changes(&self, path: &str) -> Vec<&UnitChanged> {
        let changed = self.events.iter().filter_map(|event| match &event.fact {
            Fact::UnitChanged { path: of, change } if of == path => Some(&**change),
            _ => None,
        });
        changed.collect()
    }

    fn release(&mut self, path: &str) -> Result<(), Refused> {
        self.task(path, TaskAct::Release { hold: hold("ada") })
    }

    /// Nothing is heard any more of whoever has it.
    fn lose(&mut self, path: &str) -> Result<(), Refused> {
        let fence = self.unit(path).fence;
        self.task(path, TaskAct::Lost { fence })
    }

    fn value(&self, path: &str, name: &str) -> Value {
        let unit = self.state.tokens().unwrap().unit(path).unwrap();
        unit.attribute(name).map(|value| (**value).clone()).unwrap_or_default()
    }
}

fn hold(by: &str) -> Hold {
    Hold { by: by.to_owned(), fence: None }
}

fn desk(attributes: Value) -> Token {
    Token::start(REFUND_DESK, json!({}), attributes)
}

fn split() -> Token {
    let mut token = desk(json!({ "total": 300, "flagged": false }));
    token.claim("u0", "Splitter").unwrap();
    token.done("u0", json!({}), vec![json!({ "total": 250 }), json!({ "total": 50 })]).unwrap();
    token
}

#[test]
fn a_refund_goes_its_way_and_cerberus_waits_for_all_of_it() {
    let mut token = split();
    assert_eq!(token.at("u0"), (UnitStatus::Completed, "Settled"));
    assert_eq!(token.at("u1"), (UnitStatus::Pending, "Manual_Queue"));
    assert_eq!(token.at("u2"), (UnitStatus::Pending, "Line_Queue"));
    assert_eq!(token.value("u1", "flagged"), json!(false), "a part has what its parent has");

    token.claim("u2", "Payer").unwrap();
    token.done("u2", json!({ "paid": true }), vec![]).unwrap();
    assert_eq!(token.at("u2"), (UnitStatus::Completed, "Settled"));
    assert!(token.claim("u0", "Closer").is_err(), "one part is still to come");
    let why = token.state.why(&token.plan, Some("u0")).units.remove(0).because;
    assert!(matches!(why, UnitBecause::Set { head: "child", .. }), "{why:?}");

    token.claim("u1", "Clerk").unwrap();
    token.done("u1", json!({ "paid": true }), vec![]).unwrap();
    token.claim("u0", "Closer").unwrap();
    token.done("u0", json!({ "closed": true }), vec![]).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Finalized, ""));
    assert_eq!(token.at("u1").0, UnitStatus::Archived);
    assert_eq!(token.state.status, RunStatus::Succeeded);
    let output = token.state.output.clone().unwrap();
    assert_eq!(output["_children"].as_array().unwrap().len(), 2);
}

#[test]
fn what_a_guardian_refuses_waits_for_who_mends() {
    let mut token = desk(json!({ "total": 0, "flagged": false }));
    token.claim("u0", "Splitter").unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Failed, "Ate"));
    assert_eq!(token.value("u0", "_guard_rejection")["guard_type"], "CRITERIA_GATE");
    token.claim("u0", "Medic").unwrap();
    token.done("u0", json!({ "total": 5 }), vec![]).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Completed, "Settled"));
}

#[test]
fn a_failure_goes_to_ate_and_a_lost_actor_to_chronos() {
    let mut token = split();
    token.claim("u1", "Clerk").unwrap();
    token.fail("u1").unwrap();
    assert_eq!(token.at("u1"), (UnitStatus::Failed, "Ate"));
    token.claim("u2", "Payer").unwrap();
    token.task("u2", TaskAct::Lost { fence: 1 }).unwrap();
    assert_eq!(token.at("u2"), (UnitStatus::Failed, "Chronos"));
    token.claim("u2", "Clock").unwrap();
    token.done("u2", json!({}), vec![]).unwrap();
    assert_eq!(token.at("u2"), (UnitStatus::Pending, "Ate"));
    assert!(matches!(token.done("u2", json!({}), vec![]), Err(Refused::NotHolder(_))));
}

#[test]
fn attributes_have_versions_and_only_new_values_make_one() {
    let mut token = desk(json!({ "total": 10, "flagged": false }));
    token.claim("u0", "Splitter").unwrap();
    token
        .done(
            "u0",
            json!({ "total": 10, "note": "x", "_learned_rule": { "key": "k", "value": 1 } }),
            vec![],
        )
        .unwrap();
    let unit = token.state.tokens().unwrap().unit("u0").unwrap();
    assert_eq!(unit.attributes["total"].version, 1);
    assert_eq!((unit.attributes["note"].version, &*unit.attributes["note"].by), (1, "ada"));
    assert!(unit.attribute("_learned_rule").is_none());
    // SHA-256 of {"flagged":false,"note":"x","total":10}
    assert_eq!(&*unit.hash, "277d2df6aa0becc7397192bcea32c0c254a510118a2163b94bc258ac528563ce");
}

#[test]
fn too_many_interactions_need_a_pilot() {
    let settings = json!({ "max_interactions": 1, "retries": 1, "retry_after": "10s" });
    let mut token = Token::start(REFUND_DESK, settings, json!({ "total": 10, "flagged": false }));
    token.claim("u0", "Splitter").unwrap();
    token.done("u0", json!({}), vec![]).unwrap();
    token.claim("u0", "Payer").unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::ZombiedSoft, "Line_Queue"));
    token.pilot("u0", PilotAct::Clarify { text: "pay it".into() }).unwrap();
    assert_eq!(token.at("u0").0, UnitStatus::Active);
    assert_eq!(token.value("u0", "pilot_clarification"), json!("pay it"));
    token.claim("u0", "Payer").unwrap();
    token.task("u0", TaskAct::Release { hold: hold("ada") }).unwrap();
    token.claim("u0", "Payer").unwrap();
    token.fail("u0").unwrap();
    token.claim("u0", "Medic").unwrap();
    assert_eq!(token.at("u0").0, UnitStatus::ZombiedSoft);
    token.later("u0", 10).unwrap();
    assert_eq!(token.at("u0").0, UnitStatus::Active, "it is tried once more");
    token.claim("u0", "Medic").unwrap();
    token.later("u0", 10).unwrap();
    assert_eq!(token.at("u0").0, UnitStatus::ZombiedDead);
    token.later("u0", 10).unwrap();
    assert_eq!((token.at("u0"), token.state.status), ((UnitStatus::Failed, ""), RunStatus::Failed));
}

#[test]
fn a_high_risk_status_waits_for_a_pilot() {
    let settings = json!({ "park": ["completed"], "park_time": "300s" });
    let mut token = Token::start(REFUND_DESK, settings, json!({ "total": 10, "flagged": false }));
    token.claim("u0", "Splitter").unwrap();
    token.done("u0", json!({}), vec![]).unwrap();
    token.claim("u0", "Payer").unwrap();
    token.done("u0", json!({ "paid": true }), vec![]).unwrap();
    assert_eq!(token.at("u0").0, UnitStatus::PendingPilotApproval);
    let mut late = Token {
        state: token.state.clone(),
        plan: token.plan.clone(),
        now: token.now,
        events: token.events.clone(),
        next_id: 0,
    };
    token.pilot("u0", PilotAct::Resume).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Completed, "Settled"));
    late.later("u0", 300).unwrap();
    assert_eq!(late.at("u0").0, UnitStatus::ZombiedSoft);
}

#[test]
fn a_pilot_who_approves_says_why() {
    let settings = json!({ "park": ["completed"], "park_time": "300s" });
    let mut token = Token::start(REFUND_DESK, settings, json!({ "total": 10, "flagged": false }));
    token.claim("u0", "Splitter").unwrap();
    token.done("u0", json!({}), vec![]).unwrap();
    token.claim("u0", "Payer").unwrap();
    token.done("u0", json!({ "paid": true }), vec![]).unwrap();
    token.pilot("u0", PilotAct::Approve { reason: "seen".into() }).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Completed, "Settled"));
    let words = token.events.iter().filter_map(|event| match &event.fact {
        Fact::UnitChanged { change, .. } => {
            change.reasoning.as_deref().zip(change.answered.as_deref())
        }
        _ => None,
    });
    assert_eq!(words.collect::<Vec<_>>(), [("seen", "approved")]);
}

#[test]
fn the_kill_switch_stops_what_somebody_works_on() {
    let mut token = split();
    token.claim("u1", "Clerk").unwrap();
    token.pilot("", PilotAct::Kill { reason: "fire".into() }).unwrap();
    assert_eq!(token.at("u1").0, UnitStatus::Paused);
    assert_eq!(token.at("u2").0, UnitStatus::Pending);
    assert!(matches!(token.done("u1", json!({}), vec![]), Err(Refused::NotHolder(_))));
    token.pilot("u1", PilotAct::Waive { rule: "all_home".into(), reason: "out".into() }).unwrap();
    assert_eq!(token.at("u1"), (UnitStatus::Active, "Manual_Queue"));
    token.claim("u1", "Clerk").unwrap();
}

#[test]
fn a_cancelled_run_offers_nothing() {
    let mut token = split();
    token.give(What::Cancel { by: "ada".into(), reason: None }).unwrap();
    assert_eq!(token.state.status, RunStatus::Cancelled);
    assert!(token.state.offered().all(|path| token.state.offer(path).is_none()));
    assert_eq!(token.at("u1").0, UnitStatus::Archived);
}
