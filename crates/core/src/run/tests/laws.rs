//! Random graphs, random worlds: whatever happens, the laws hold and the run ends.

use proptest::prelude::*;
use serde_json::json;

use super::harness::Run;
use crate::failure::Failure;
use crate::run::*;

/// A random acyclic definition: nodes need only nodes before them.
fn definitions() -> impl Strategy<Value = String> {
    let node =
        (0..11_u8, prop::collection::vec(any::<prop::sample::Index>(), 0..3), 0..4_u8, 0..6_u8);
    (prop::collection::vec(node, 1..9), 0..3_u8).prop_map(|(nodes, policy)| {
        let mut text = String::from("name: x\nnodes:\n");
        let mut edges = String::new();
        for (at, (kind, needs, join, settings)) in nodes.iter().enumerate() {
            let indent = "    ";
            text.push_str(&format!("  - id: n{at}\n{indent}type: "));
            text.push_str(match kind {
                0 => "transform\n    config: { output: 1 }\n",
                1 => "delay\n    config: { duration: 1s }\n",
                2 => "fail\n    config: { message: no }\n",
                3 => "map\n    config:\n      items: [1, 2, 3]\n      concurrency: 2\n      body:\n        \
                      nodes: [{id: work, type: work}, {id: out, type: transform, needs: [work], \
                      config: {output: 1}}]\n",
                4 => "loop\n    config:\n      initial: 0\n      until: index == 2\n      body:\n        \
                      nodes: [{id: work, type: work}, {id: out, type: transform, needs: [work], \
                      config: {output: 1}}]\n",
                5 => "try\n    config:\n      body:\n        nodes: [{id: work, type: work, compensate: \
                      {type: work}}, {id: second, type: work, needs: [work]}]\n      catch:\n        \
                      - {on: [boom], body: {nodes: [{id: instead, type: work}]}}\n      finally: \
                      {nodes: [{id: clean, type: work}]}\n",
                6 => "map\n    config:\n      items: [1, 2, 3]\n      concurrency: 2\n      body:\n        \
                      nodes: [{id: work, type: work}, {id: guard, type: try, config: {body: {nodes: \
                      [{id: risky, type: work}]}, finally: {nodes: [{id: clean, type: work}]}}}]\n",
                7 => "work\n    compensate: { type: work, retry: { max_attempts: 2 } }\n",
                _ => "work\n    retry: { max_attempts: 2, delay: 1s }\n",
            });
            match join {
                1 => text.push_str("    join: any\n"),
                2 => text.push_str("    join: all\n"),
                _ => {}
            }
            match settings {
                1 => text.push_str("    on_failure: continue\n"),
                2 => text.push_str("    when: \"input\"\n"),
                3 => text.push_str("    on_failure: stop\n"),
                _ => {}
            }
            if at > 0 {
                for (which, need) in needs.iter().enumerate() {
                    let on = ["success", "failure", "always"][(which + usize::from(*settings)) % 3];
                    let source = need.index(at);
                    edges.push_str(&format!("  - {{ source: n{source}, target: n{at}, on: {on} }}\n"));
                }
            }
        }
        if !edges.is_empty() {
            text.push_str(&format!("edges:\n{edges}"));
        }
        let policy = ["fail_fast", "continue_independent", "aggregate"][usize::from(policy)];
        text.push_str(&format!("on_failure: {policy}\n"));
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_run_ends_and_its_journal_folds_to_it(
        text in definitions(),
        input in any::<bool>(),
        choices in prop::collection::vec((any::<prop::sample::Index>(), 0..12_u8), 200),
    ) {
        let mut run = Run::start(&text, json!(input));
        for (which, what) in choices {
            let owed: Vec<Effect> = run.state.outstanding().collect();
            if owed.is_empty() {
                break;
            }
            if what == 11 && which.index(4) == 0 {
                // A second one is refused, the clean-up goes on.
                let _ = run.give(What::Cancel { by: "me".into(), reason: None });
                continue;
            }
            match owed[which.index(owed.len())].clone() {
                Effect::SetTimer { path, .. } => {
                    run.wait(120_000);
                    run.fire(&path).unwrap();
                }
                Effect::MakeAttempt { path, attempt } => match what {
                    0 => run.give(What::AttemptLost { path, attempt }).unwrap(),
                    1 | 2 => run.fail(&path, "boom").unwrap(),
                    3 => {
                        let _ = run.give(What::AttemptStarted { path, attempt });
                    }
                    4 => {
                        let failure = Failure::new("final", "no");
                        run.end(&path, Err(AttemptError::new(failure, true))).unwrap();
                    }
                    _ => {
                        run.succeed(&path, json!(1)).unwrap();
                        // The same result once more changes nothing.
                        prop_assert!(run.succeed(&path, json!(2)).is_err());
                    }
                },
                Effect::StopAttempt { .. } => unreachable!("nothing is owed to what was stopped"),
            }
        }
        if !run.status().is_terminal() {
            run.give(What::Terminate { by: "me".into(), reason: None }).unwrap();
        }
        prop_assert!(run.status().is_terminal(), "{text}\n{:#?}", run.facts());
        prop_assert_eq!(run.state.outstanding().count(), 0);
        for status in StepStatus::ALL.into_iter().filter(|status| !status.is_terminal()) {
            prop_assert_eq!(run.state.counts.of(status), 0, "{}\n{:?}", text, run.steps());
        }
        let before = run.state.clone();
        let again = run.give(What::Cancel { by: "me".into(), reason: None });
        prop_assert!(again.is_err());
        prop_assert_eq!(before, run.state);
    }
}
