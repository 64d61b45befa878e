//! Every step of every example that acts outside fails once, and is made twice.
//!
//! The examples are those of the kinds' reference pages and those in `examples/`. Whoever copies one
//! gets a workflow that has survived this: with a retry it comes to the same output, without one it
//! fails cleanly, and a crash at the worst moment changes nothing that can be seen.

mod hands;
mod mishap;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::definition::{Graph, Plan, Retry, check};
use windlass_core::run::{Effect, Fact, RunState, RunStatus, path};
use windlass_nodes::Registry;
use windlass_store::{StepRow, Store};

use crate::chance::Chance;
use crate::world::{PROJECT, World};
use mishap::{Mishap, Rehearsal};

const DEFINITION: Uuid = Uuid::from_u128(1);

struct Example {
    name: String,
    text: String,
}

fn examples() -> Vec<Example> {
    let registry = Registry::builtin();
    let mut examples: Vec<Example> = registry
        .kinds()
        .iter()
        .map(|kind| Example { name: kind.name.to_owned(), text: kind.example.to_owned() })
        .collect();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // Notes that stand beside the examples are no examples.
        if name.ends_with(".yaml") || name.ends_with(".json") {
            examples.push(Example { name, text: std::fs::read_to_string(path).unwrap() });
        }
    }
    examples.sort_by(|a, b| a.name.cmp(&b.name));
    examples
}

impl Example {
    fn plan(&self) -> Plan {
        let checked = check(&self.text, Registry::builtin().kinds());
        checked.plan.unwrap_or_else(|| panic!("{}: {:#?}", self.name, checked.findings))
    }

    /// The first input that the example itself gives, or one that it takes.
    fn input(&self) -> Value {
        let plan = self.plan();
        let own = plan.input.as_ref().and_then(|schema| schema.source().pointer("/examples/0"));
        let mut input = own.cloned().unwrap_or_else(
            || json!({ "name": "Ada", "url": "http://x", "customer": "Ada", "contract": "brief" }),
        );
        // As many as are made at once, and a few more; the rest would show nothing new.
        if let Some(count) = input.get_mut("count") {
            *count = json!(25);
        }
        input
    }

    fn play(&self, plan: Plan, mishap: Option<(&str, Mishap)>) -> Played {
        let rehearsal = Rehearsal::new(mishap);
        let made = rehearsal.made.clone();
        // Nothing is made on the spot here, so that every attempt passes by the rehearsal.
        let registry = Arc::new(Registry::default());
        let plans = BTreeMap::from([(DEFINITION, Arc::new(plan))]);
        let mut world = World::with(Chance::new(7), plans, registry, Box::new(rehearsal));
        let run_id = world.begin(DEFINITION, self.input());
        world.play_to_the_end();
        world.check_the_end();
        let store = world.store.clone();
        let events = store.events(run_id, 0, usize::MAX, usize::MAX).unwrap().items;
        let facts: Vec<Fact> = events.iter().map(|numbered| numbered.event.fact.clone()).collect();
        let state = RunState::replay(events.iter().map(|numbered| &numbered.event)).unwrap();
        let played = Played {
            steps: store.steps(run_id, None, usize::MAX - 1).unwrap().items,
            made: made.borrow().clone(),
            state,
            facts,
        };
        played.check_that_all_is_over(&*store);
        played
    }
}

/// A run of an example that is over.
struct Played {
    state: RunState,
    steps: Vec<StepRow>,
    facts: Vec<Fact>,
    /// Attempts that were really made, by step.
    made: BTreeMap<String, Vec<u32>>,
}

impl Played {
    fn check_that_all_is_over(&self, store: &dyn Store) {
        let state = &self.state;
        assert!(state.status.is_terminal());
        let row = store.run(PROJECT, &state.created.run_id.to_string()).unwrap().unwrap();
        assert_eq!((row.status, &row.counts), (state.status, &state.counts));
        for (status, count) in state.counts.iter() {
            assert!(status.is_terminal(), "{count} steps are still {status}");
        }
        for step in &self.steps {
            assert!(step.status.is_terminal(), "`{}` is still {}", step.path, step.status);
        }
        assert_eq!(state.outstanding().collect::<Vec<Effect>>(), []);
        assert_eq!(store.due_timers(Time::from_micros(i64::MAX), 9).unwrap(), []);
    }

    fn was_interrupted(&self, step: &str) -> bool {
        self.facts.iter().any(|fact| match fact {
            Fact::AttemptInterrupted { path, attempt: 1, .. } => path == step,
            _ => false,
        })
    }

    /// Steps made outside: of each node the first life, the last, and one in between.
    fn steps_to_try(&self) -> Vec<String> {
        let mut lives: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for path in self.made.keys() {
            let node = path.split('.').map(|part| part.split('[').next().unwrap());
            lives.entry(node.collect::<Vec<_>>().join(".")).or_default().push(path.clone());
        }
        let some = |lives: &Vec<String>| {
            let mut some = vec![
                lives[0].clone(),
                lives[lives.len() / 2].clone(),
                lives[lives.len() - 1].clone(),
            ];
            some.dedup();
            some
        };
        lives.values().flat_map(some).collect()
    }
}

/// Calls `with` for each step to be tried of each example, with how it goes undisturbed.
fn each_step(mut with: impl FnMut(&Example, &str, &Played)) {
    let mut count = 0;
    for example in examples() {
        let undisturbed = example.play(example.plan(), None);
        assert_eq!(undisturbed.state.status, RunStatus::Succeeded, "{}", example.name);
        for step in undisturbed.steps_to_try() {
            eprintln!("{}: {step}", example.name);
            with(&example, &step, &undisturbed);
            count += 1;
        }
    }
    assert!(count >= 10, "the examples were not found");
}

fn give_retries(graph: &mut Graph) {
    for node in &mut graph.nodes {
        node.retry.get_or_insert_with(Retry::default);
        if let Some(undo) = &mut node.compensate {
            undo.retry.get_or_insert_with(Retry::default);
        }
        node.bodies.iter_mut().for_each(|body| give_retries(&mut body.graph));
    }
}

/// Whether the step lies in a `try`, which may make something else of its failure.
fn is_tried(plan: &Plan, step: &str) -> bool {
    let around = std::iter::successors(path::block_of(path::scope_of(step)), |(block, _)| {
        path::block_of(path::scope_of(block))
    });
    around.filter_map(|(block, _)| plan.locate(block)).any(|(_, node)| node.kind.name == "try")
}

#[test]
fn what_fails_once_is_repeated_or_fails_the_run_cleanly() {
    each_step(|example, step, undisturbed| {
        let plan = example.plan();
        let (_, node) = plan.locate(step).unwrap();
        let has_retry = node.retry.is_some();
        let is_provided_for = node.on_failure.is_some()
            || node.edges.iter().any(|edge| edge.on != Default::default())
            || step.ends_with(path::UNDO)
            || is_tried(&plan, step);
        let played = example.play(plan, Some((step, Mishap::Fails)));
        if has_retry {
            assert_eq!(played.state.output, undisturbed.state.output);
        } else if !is_provided_for {
            assert_eq!(played.state.status, RunStatus::Failed);
            let error = played.state.error.as_ref().unwrap();
            assert_eq!(error.step.as_deref(), Some(step));
            assert_eq!(played.made[step], [1]);
        }
    });
}

#[test]
fn with_a_retry_every_step_may_fail_once() {
    each_step(|example, step, undisturbed| {
        let mut plan = example.plan();
        give_retries(&mut plan.graph);
        let played = example.play(plan, Some((step, Mishap::Fails)));
        assert_eq!(played.state.status, RunStatus::Succeeded);
        assert_eq!(played.state.output, undisturbed.state.output);
        assert!(played.made[step].starts_with(&[1, 2]));
        for (other, attempts) in undisturbed.made.iter().filter(|(other, _)| *other != step) {
            assert_eq!(played.made[other], *attempts, "`{other}` had no part in it");
        }
    });
}

#[test]
fn what_was_done_but_not_written_is_done_twice_and_nobody_sees_it() {
    each_step(|example, step, undisturbed| {
        for mishap in [Mishap::CrashAfterWork, Mishap::CrashBeforeCommit] {
            let played = example.play(example.plan(), Some((step, mishap)));
            assert_eq!(played.state.status, RunStatus::Succeeded);
            assert_eq!(played.state.output, undisturbed.state.output);
            assert!(played.was_interrupted(step), "the journal tells of it");
            assert!(played.made[step].starts_with(&[1, 2]), "{:?}", played.made[step]);
        }
    });
}

#[test]
fn what_was_written_is_not_done_again() {
    each_step(|example, step, undisturbed| {
        let played = example.play(example.plan(), Some((step, Mishap::CrashAfterCommit)));
        assert_eq!(played.state.output, undisturbed.state.output);
        assert!(!played.was_interrupted(step));
        assert_eq!(played.made[step], undisturbed.made[step]);
    });
}
