//! The rows of a timeline: where each part of a bar begins, how wide it is, and the same in words.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use windlass_core::Time;
use windlass_core::run::{StepStatus, path};
use windlass_store::StepRow;

use super::Row;
use super::axis::{Span, percent};
use crate::pages::attempts::Attempt;
use crate::pages::render::took;

/// A part of a bar.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::pages) struct Part {
    /// `wait`, or `run` for a part in which something was done.
    kind: &'static str,
    /// The status whose colour it has.
    tone: &'static str,
    /// Where it begins and how wide it is, in percent.
    x: String,
    width: String,
    /// What it is, for who points at it.
    told: String,
}

/// Nothing is drawn narrower: it could not be seen.
const WIDTH_MIN: f64 = 0.006;
/// A wait that is shorter than this share of the axis is not worth a part.
const WAIT_MIN: f64 = 0.003;
/// A row of many steps is drawn in so many places.
const PLACES: usize = 200;

/// What needs to be seen first is the largest.
fn urgency(status: StepStatus) -> usize {
    const ORDER: [StepStatus; StepStatus::ALL.len()] = [
        StepStatus::Pending,
        StepStatus::Skipped,
        StepStatus::Succeeded,
        StepStatus::Cancelled,
        StepStatus::Queued,
        StepStatus::Paused,
        StepStatus::Waiting,
        StepStatus::Running,
        StepStatus::BackingOff,
        StepStatus::Failed,
    ];
    ORDER.iter().position(|one| *one == status).unwrap_or_default()
}

fn part(span: &Span, kind: &'static str, tone: &'static str, from: Time, to: Time) -> Part {
    let (from_share, to_share) = (span.share(from), span.share(to));
    // At the right end there is no room for what is short.
    let x = from_share.min(1.0 - WIDTH_MIN);
    let width = (to_share - x).max(WIDTH_MIN);
    let length = took(to.since(from));
    let told = match kind {
        "wait" => format!("waits {length}"),
        _ => format!("{}, {length}", tone.replace('_', " ")),
    };
    Part { kind, tone, x: percent(x), width: percent(width), told }
}

/// The row of one step.
pub(super) fn alone(
    step: &StepRow,
    attempts: Option<&Vec<Attempt>>,
    span: &Span,
    link: &dyn Fn(&str) -> String,
) -> Row {
    let status = step.status.as_str();
    let end = step.finished_at.unwrap_or_else(|| span.end());
    let begin = step.queued_at.or(step.started_at).or(step.finished_at).unwrap_or(span.start);
    let mut parts = Vec::new();
    let mut told = vec![status.replace('_', " ")];
    if step.status == StepStatus::Skipped {
        parts.push(Part { told: "skipped".to_owned(), ..part(span, "wait", status, end, end) });
    } else {
        told.push(format!("begins {} after the start", took(begin.since(span.start))));
        // Who waits for a time or for another run does nothing meanwhile.
        let only_waits = step.status == StepStatus::Waiting || step.kind == "delay";
        let made = match attempts {
            _ if only_waits => Vec::new(),
            Some(attempts) => attempts.iter().filter_map(|one| made(one, span)).collect(),
            None => Vec::from_iter(step.started_at.map(|began| (began, end, status))),
        };
        let mut until = begin;
        for (began, ended, tone) in made {
            wait(&mut parts, span, status, until, began);
            parts.push(part(span, "run", tone, began, ended));
            until = ended;
        }
        wait(&mut parts, span, if only_waits { "waiting" } else { status }, until, end);
        if parts.is_empty() {
            parts.push(part(span, "wait", status, begin, end));
        }
        if let Some(began) = step.started_at.filter(|began| began.since(begin) > Duration::ZERO) {
            told.push(format!("waits {}", took(began.since(begin))));
        }
        if step.attempt > 1 {
            told.push(format!("{} attempts", step.attempt));
        }
    }
    let is_over = step.finished_at.is_some() && step.status != StepStatus::Skipped;
    let took = is_over.then(|| took(end.since(step.started_at.unwrap_or(begin))));
    told.extend(took.as_ref().map(|took| format!("takes {took}")));
    Row {
        key: format!("bar-{}", step.path),
        name: step.path.clone(),
        count: 1,
        status,
        parts,
        told: told.join(", "),
        took,
        href: link(&step.path),
    }
}

/// From when to when an attempt was made, and the status whose colour it has.
fn made(attempt: &Attempt, span: &Span) -> Option<(Time, Time, &'static str)> {
    let tone = match attempt.status {
        "interrupted" => "waiting",
        other => other,
    };
    Some((attempt.began?, attempt.ended.unwrap_or_else(|| span.end()), tone))
}

/// Between attempts, and before the first one.
fn wait(parts: &mut Vec<Part>, span: &Span, status: &'static str, from: Time, to: Time) {
    if span.share(to) - span.share(from) >= WAIT_MIN {
        let tone = if status == "succeeded" || status == "failed" { "queued" } else { status };
        parts.push(part(span, "wait", tone, from, to));
    }
}

/// The row of all lives of one node.
pub(super) fn together(steps: &[&StepRow], span: &Span, link: &dyn Fn(&str) -> String) -> Row {
    let mut places: [Option<StepStatus>; PLACES] = [None; PLACES];
    let mut counts: BTreeMap<usize, (StepStatus, usize)> = BTreeMap::new();
    for step in steps {
        let order = urgency(step.status);
        counts.entry(order).or_insert((step.status, 0)).1 += 1;
        let Some(began) = step.started_at.or(step.queued_at) else { continue };
        let ended = step.finished_at.unwrap_or_else(|| span.end());
        // A clock that was set back between two servers may have turned the two around.
        let (first, last) = (place_of(span, began), place_of(span, ended.max(began)));
        for place in &mut places[first..=last] {
            if place.is_none_or(|there| urgency(there) < order) {
                *place = Some(step.status);
            }
        }
    }
    for step in steps {
        let Some((queued, began)) = step.queued_at.zip(step.started_at) else { continue };
        let (first, last) = (place_of(span, queued), place_of(span, began.max(queued)));
        for place in &mut places[first..last] {
            place.get_or_insert(StepStatus::Queued);
        }
    }
    let status = counts.values().next_back().map_or(StepStatus::Pending, |(status, _)| *status);
    let counted = counts.values().rev();
    let counted: Vec<String> = counted
        .map(|(status, count)| format!("{count} {}", status.as_str().replace('_', " ")))
        .collect();
    let begin = steps.iter().filter_map(|step| step.queued_at.or(step.started_at)).min();
    let is_over = steps.iter().all(|step| step.status.is_terminal());
    let end = steps.iter().filter_map(|step| step.finished_at).max().filter(|_| is_over);
    let first = steps.first().map_or("", |step| step.path.as_str());
    let address = path::address_of(first);
    Row {
        key: format!("bar-{address}"),
        name: name(first),
        count: steps.len(),
        status: status.as_str(),
        parts: strip(&places),
        told: format!("{} steps: {}", steps.len(), counted.join(", ")),
        took: end.zip(begin).map(|(end, begin)| took(end.since(begin))),
        href: link(if steps.len() == 1 { first } else { &address }),
    }
}

fn place_of(span: &Span, at: Time) -> usize {
    ((span.share(at) * PLACES as f64) as usize).min(PLACES - 1)
}

/// Places beside each other with the same colour are one part.
fn strip(places: &[Option<StepStatus>; PLACES]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut from = 0;
    for same in places.chunk_by(|one, next| one == next) {
        if let Some(status) = same[0] {
            let share = |places: usize| percent(places as f64 / PLACES as f64);
            let kind = match status {
                StepStatus::Queued | StepStatus::Skipped | StepStatus::Pending => "wait",
                _ => "run",
            };
            let told = match kind {
                "wait" => "waits".to_owned(),
                _ => status.as_str().replace('_', " "),
            };
            let tone = status.as_str();
            parts.push(Part { kind, tone, x: share(from), width: share(same.len()), told });
        }
        from += same.len();
    }
    parts
}

/// A path with `[…]` for the numbers of items, and without those of visits.
fn name(path: &str) -> String {
    let mut name = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find(['[', '#']) {
        name.push_str(&rest[..at]);
        if rest[at..].starts_with('[') {
            name.push_str("[…]");
            rest = rest[at..].split_once(']').map_or("", |(_, rest)| rest);
        } else {
            let end = rest[at..].find(['.', '[', '~']).map_or(rest.len(), |end| at + end);
            rest = &rest[end..];
        }
    }
    name + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_lives_are_left_out_of_a_name() {
        assert_eq!(name("each[3].fetch"), "each[…].fetch");
        assert_eq!(name("draft#2"), "draft");
        assert_eq!(name("draft#12[4].each#2[0].say"), "draft[…].each[…].say");
        assert_eq!(name("plain"), "plain");
    }

    #[test]
    fn what_is_short_can_be_seen_and_stays_inside() {
        let span = Span { start: Time::from_micros(0), length: Duration::from_secs(100) };
        let at = |seconds: i64| Time::from_micros(seconds * 1_000_000);
        let end = part(&span, "run", "failed", at(100), at(100));
        assert_eq!((end.x.as_str(), end.width.as_str()), ("99.40%", "0.60%"));
        let half = part(&span, "run", "failed", at(50), at(100));
        assert_eq!((half.x.as_str(), half.width.as_str()), ("50.00%", "50.00%"));
    }

    #[test]
    fn times_that_a_clock_has_turned_around_are_drawn_all_the_same() {
        let at = |second: i64| Time::from_micros(second * 1_000_000);
        let span = Span { start: at(0), length: Duration::from_secs(60) };
        let step = |queued, started, finished| StepRow {
            ordinal: 0,
            path: "each[0].a".into(),
            kind: "shell".into(),
            status: StepStatus::Succeeded,
            reason: None,
            attempt: 1,
            queued_at: Some(at(queued)),
            started_at: Some(at(started)),
            finished_at: Some(at(finished)),
            due_at: None,
            input_seq: None,
            end_seq: None,
        };
        let steps = [step(30, 15, 20), step(5, 50, 10)];
        let row = together(&steps.iter().collect::<Vec<_>>(), &span, &|_| String::new());
        assert!(!row.parts.is_empty());
    }
}
