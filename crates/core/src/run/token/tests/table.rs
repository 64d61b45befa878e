//! The whole state machine: what every input makes of a unit in every status.

use std::fmt::Write;

use super::*;

/// A unit in each status, with what it is called in the table.
fn stands() -> Vec<(&'static str, Token, &'static str)> {
    let small = || json!({ "total": 10, "flagged": false });
    let mut all = Vec::new();
    let mut active = desk(small());
    all.push(("pending", active.clone(), "u0"));
    active.claim("u0", "Splitter").unwrap();
    all.push(("active, held", active.clone(), "u0"));
    let mut paused = active.clone();
    paused.pilot("", PilotAct::Kill { reason: "fire".into() }).unwrap();
    all.push(("paused", paused.clone(), "u0"));
    paused.pilot("u0", PilotAct::Resume).unwrap();
    all.push(("active, let go", paused, "u0"));
    let settings = json!({ "park": ["completed"], "park_time": "300s" });
    let mut parked = Token::start(REFUND_DESK, settings, small());
    parked.claim("u0", "Splitter").unwrap();
    parked.done("u0", json!({}), vec![]).unwrap();
    parked.claim("u0", "Payer").unwrap();
    parked.done("u0", json!({}), vec![]).unwrap();
    all.push(("pending_pilot_approval", parked, "u0"));
    let settings = json!({ "max_interactions": 0, "retries": 0, "retry_after": "10s" });
    let mut soft = Token::start(REFUND_DESK, settings, small());
    soft.claim("u0", "Splitter").unwrap();
    all.push(("zombied_soft", soft.clone(), "u0"));
    soft.later("u0", 10).unwrap();
    all.push(("zombied_dead", soft.clone(), "u0"));
    soft.later("u0", 10).unwrap();
    all.push(("failed, dead letter", soft, "u0"));
    let set = split();
    all.push(("completed, waits for its set", set.clone(), "u0"));
    let mut home = set.clone();
    home.claim("u2", "Payer").unwrap();
    home.done("u2", json!({}), vec![]).unwrap();
    all.push(("completed, a part", home.clone(), "u2"));
    home.claim("u1", "Clerk").unwrap();
    home.done("u1", json!({}), vec![]).unwrap();
    all.push(("completed, set released", home.clone(), "u0"));
    home.claim("u0", "Closer").unwrap();
    all.push(("active, held by OMEGA", home.clone(), "u0"));
    home.done("u0", json!({}), vec![]).unwrap();
    all.push(("finalized", home.clone(), "u0"));
    all.push(("archived", home, "u1"));
    let mut ate = set.clone();
    ate.claim("u1", "Clerk").unwrap();
    ate.fail("u1").unwrap();
    all.push(("failed @Ate", ate.clone(), "u1"));
    ate.claim("u1", "Medic").unwrap();
    all.push(("active, held by EPSILON", ate, "u1"));
    let mut late = set.clone();
    late.claim("u1", "Clerk").unwrap();
    late.task("u1", TaskAct::Lost { fence: 1 }).unwrap();
    all.push(("failed @Chronos", late.clone(), "u1"));
    late.claim("u1", "Clock").unwrap();
    all.push(("active, held by TAU", late, "u1"));
    let mut tampered = set.clone();
    tampered.claim("u1", "Clerk").unwrap();
    tampered.tamper("u1");
    all.push(("active, tampered with", tampered, "u1"));
    let settings = json!({ "max_interactions": 0, "retries": 1, "retry_after": "10s" });
    let mut tampered = Token::start(REFUND_DESK, settings, small());
    tampered.claim("u0", "Splitter").unwrap();
    tampered.tamper("u0");
    all.push(("zombied_soft, tampered with", tampered, "u0"));
    let mut breach = set;
    breach.tamper("u1");
    breach.claim("u1", "Clerk").unwrap();
    all.push(("failed_security_breach", breach, "u1"));
    all
}

type Act = fn(&mut Token, &str) -> Result<(), Refused>;

fn inputs() -> Vec<(&'static str, Act)> {
    vec![
        ("claim", |token, path| {
            let lease = HumanDuration(Duration::from_secs(300));
            token.task(path, TaskAct::Claim { by: "bob".into(), role: None, lease })
        }),
        ("complete", |token, path| token.done(path, json!({}), vec![])),
        ("fail", |token, path| token.fail(path)),
        ("release", |token, path| token.task(path, TaskAct::Release { hold: hold("ada") })),
        ("checkpoint", |token, path| {
            let value = Arc::new(json!(1));
            token.task(path, TaskAct::Checkpoint { hold: hold("ada"), value })
        }),
        ("lost", |token, path| {
            let fence = token.state.tokens().unwrap().unit(path).unwrap().fence;
            token.task(path, TaskAct::Lost { fence })
        }),
        ("timer", |token, path| token.later(path, 100_000)),
        ("kill", |token, _| token.pilot("", PilotAct::Kill { reason: "fire".into() })),
        ("clarify", |token, path| token.pilot(path, PilotAct::Clarify { text: "so".into() })),
        ("waive", |token, path| {
            let (rule, reason) = ("all_home".to_owned(), "out".to_owned());
            token.pilot(path, PilotAct::Waive { rule, reason })
        }),
        ("resume", |token, path| token.pilot(path, PilotAct::Resume)),
        ("cancel", |token, path| token.pilot(path, PilotAct::Cancel { reason: "no".into() })),
        ("archive", |token, path| token.pilot(path, PilotAct::Archive { reason: "no".into() })),
    ]
}

impl Token {
    /// Somebody has changed what is kept of a unit, behind the journal's back.
    pub(super) fn tamper(&mut self, path: &str) {
        let created = |event: &mut crate::run::Event| match &mut event.fact {
            Fact::UnitCreated { path: of, unit } if of == path => {
                unit.attributes.insert("total".to_owned(), Arc::new(json!(1_000_000)));
            }
            _ => {}
        };
        self.events.iter_mut().for_each(created);
        self.state = RunState::replay(&self.events).unwrap();
    }
}

/// What an input makes of a unit: its status and place, `-` if nothing, in `()` why it was refused.
fn outcome(token: &Token, path: &str, act: Act) -> String {
    let mut token = token.clone();
    let before = token.events.len();
    match act(&mut token, path) {
        Err(Refused::UnitStands { .. }) => "(stands)".to_owned(),
        Err(Refused::NotHolder(_)) => "(not holder)".to_owned(),
        Err(Refused::NotWaiting(_)) => "(not waiting)".to_owned(),
        Err(Refused::Finished(_)) => "(over)".to_owned(),
        Err(refused) => format!("(?? {refused})"),
        Ok(()) if token.events.len() == before => "-".to_owned(),
        Ok(()) => {
            let unit = token.state.tokens().unwrap().unit(path).unwrap();
            let held = unit.holder.as_ref().map_or("", |_| ", held");
            let place = unit.place.as_deref().map(|place| format!(" @{place}"));
            format!("{}{}{held}", unit.status, place.unwrap_or_default())
        }
    }
}

#[test]
fn every_input_in_every_status() {
    let mut table = String::new();
    for (name, token, path) in stands() {
        let (status, _) = token.at(path);
        assert!(name.starts_with(status.as_str()), "{name} is {status}");
        writeln!(table, "{name}").unwrap();
        for (input, act) in inputs() {
            writeln!(table, "  {input:<11}{}", outcome(&token, path, act)).unwrap();
        }
    }
    insta::assert_snapshot!("state_machine", table);
}

#[test]
fn the_table_has_every_status() {
    let seen: std::collections::BTreeSet<UnitStatus> =
        stands().iter().map(|(_, token, path)| token.at(path).0).collect();
    assert_eq!(seen, UnitStatus::ALL.into_iter().collect());
}
