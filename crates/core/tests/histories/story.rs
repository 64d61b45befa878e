//! A history as people can judge it: what each event made of the run, and how it all stood at last.

use std::fmt::Write;

use windlass_core::Time;
use windlass_core::run::token::Unit;
use windlass_core::run::{Effect, Event, RunState, Step};

pub(crate) fn of(events: &[Event]) -> String {
    let mut story = String::new();
    let mut state = RunState::from_first(&events[0]).unwrap();
    for (number, event) in (1..).zip(events) {
        state.evolve(event);
        let step = event.fact.step().or_else(|| event.fact.unit()).unwrap_or("");
        let owed: Vec<String> = state.outstanding().map(|effect| order(&effect)).collect();
        let stands = stands(state.status.as_str(), state.reason.as_deref());
        let line = format!(
            "{number:>3} {:<34} {stands:<28} {}",
            format!("{} {step}", event.fact.name()),
            owed.join(", ")
        );
        writeln!(story, "{}", line.trim_end()).unwrap();
    }
    writeln!(story, "\n{}", stands(state.status.as_str(), state.reason.as_deref())).unwrap();
    writeln!(story, "  parked {} due {}", state.is_parked(), shown(state.next_due())).unwrap();
    let counts: Vec<String> =
        state.counts.iter().map(|(status, count)| format!("{count} {status}")).collect();
    writeln!(story, "  steps  {}", counts.join(", ")).unwrap();
    writeln!(story, "  began  {} ended {}", shown(state.started_at), shown(state.finished_at))
        .unwrap();
    writeln!(story, "  output {}", json(&state.output.as_deref())).unwrap();
    writeln!(story, "  error  {}", json(&state.error)).unwrap();
    let mut steps: Vec<(&str, &Step)> = state.steps().collect();
    steps.sort_by_key(|(_, step)| step.ordinal);
    for (path, step) in steps {
        tell(&mut story, path, step);
    }
    let mut units: Vec<(&str, &Unit)> = state.tokens().iter().flat_map(|all| all.units()).collect();
    units.sort_by_key(|(_, unit)| unit.ordinal);
    for (path, unit) in units {
        tell_unit(&mut story, path, unit);
    }
    story
}

fn tell_unit(story: &mut String, path: &str, unit: &Unit) {
    let stands = stands(unit.status.as_str(), unit.reason.as_deref());
    let place = unit.place.as_deref().unwrap_or("nowhere");
    writeln!(
        story,
        "{} {path} at {place} of {}: {stands}, taken {}, fence {}, {} of {} parts",
        unit.ordinal,
        unit.workflow,
        unit.interaction_count,
        unit.fence,
        unit.finished_children,
        unit.children.len()
    )
    .unwrap();
    if let Some(held) = &unit.holder {
        writeln!(story, "  held   by {} as {}", held.holder.by, held.role).unwrap();
    }
    for (name, one) in &unit.attributes {
        writeln!(story, "  {name} v{} by {}: {}", one.version, one.by, json(&one.value)).unwrap();
    }
}

fn tell(story: &mut String, path: &str, step: &Step) {
    let stands = stands(step.status.as_str(), step.reason.as_deref());
    writeln!(
        story,
        "{} {path} ({}) {stands}, attempt {}, {} lost",
        step.ordinal, step.kind, step.attempt, step.interruptions
    )
    .unwrap();
    let times = [step.queued_at, step.started_at, step.finished_at, step.until].map(shown);
    writeln!(story, "  times  {}", times.join(" ")).unwrap();
    let told = [
        ("input ", step.input.as_ref().map(json)),
        ("secret", (!step.secrets.is_empty()).then(|| json(&step.secrets))),
        ("output", step.output.as_ref().map(json)),
        ("error ", step.error.as_ref().map(json)),
    ];
    for (what, text) in told {
        if let Some(text) = text {
            writeln!(story, "  {what} {text}").unwrap();
        }
    }
}

fn stands(status: &str, reason: Option<&str>) -> String {
    reason.map_or_else(|| status.to_owned(), |reason| format!("{status} ({reason})"))
}

fn order(effect: &Effect) -> String {
    match effect {
        Effect::MakeAttempt { path, attempt } => format!("make {path} #{attempt}"),
        Effect::StopAttempt { path } => format!("stop {path}"),
        Effect::SetTimer { path, due } => format!("wake {path} at {}", shown(Some(*due))),
    }
}

/// The time of day; no scene is longer.
fn shown(time: Option<Time>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| time.to_string()[11..26].to_owned())
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}
