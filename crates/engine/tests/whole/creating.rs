//! Runs come into being, go their way and are there to be read.

use std::sync::atomic::Ordering;

use serde_json::json;
use windlass_core::run::{Refused, RunState, RunStatus, StepStatus};
use windlass_engine::NewRun;
use windlass_engine::shard::Answer;

use crate::ground::Ground;
use crate::moody::Moody;
use crate::server::{PROJECT, patiently, view};

const ORDER: &str = r#"
name: Order
labels: { team: sales }
nodes:
  - { id: is_large, type: conditional, config: { condition: "input.amount > 100", true_edge: ask, false_edge: pay } }
  - { id: ask, type: noop, config: { output: asked } }
  - { id: pay, type: shell, config: { argv: [echo, "{{ input.amount }}"] } }
  - id: pack
    type: map
    needs: [ask, pay]
    config:
      items: "{{ range(3) }}"
      concurrency: 2
      body: { nodes: [{ id: box, type: noop, config: { output: "{{ item * 10 }}" } }] }
output: { paid: "{{ pay.output.stdout }}", boxes: "{{ pack.output }}" }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_to_its_end_and_everything_that_is_kept_of_it_agrees() {
    for ground in Ground::both() {
        let server = ground.serve();
        let new = NewRun { input: json!({ "amount": 7 }), ..server.deploy(ORDER).await };
        let run = view(patiently("the end", server.create(new, true)).await);
        assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.error);
        assert_eq!(run.output.as_deref(), Some(&json!({ "paid": "7", "boxes": [0, 10, 20] })));
        assert_eq!(run.labels["team"], "sales");
        let row = server.row(run.run_id);
        assert_eq!((row.status, &row.counts), (run.status, &run.counts));
        assert_eq!((row.started_at, row.finished_at), (run.started_at, run.finished_at));
        let steps: Vec<(String, StepStatus)> =
            server.steps(run.run_id).into_iter().map(|step| (step.path, step.status)).collect();
        let expected = [
            ("is_large", StepStatus::Succeeded),
            ("ask", StepStatus::Skipped),
            ("pay", StepStatus::Succeeded),
            ("pack", StepStatus::Succeeded),
            ("pack[0].box", StepStatus::Succeeded),
            ("pack[1].box", StepStatus::Succeeded),
            ("pack[2].box", StepStatus::Succeeded),
        ];
        assert_eq!(steps, expected.map(|(path, status)| (path.to_owned(), status)));
        let journal = server.journal(run.run_id);
        let folded = RunState::replay(journal.iter().map(|numbered| &numbered.event)).unwrap();
        assert_eq!((folded.status, folded.output), (run.status, run.output));
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_the_end_of_a_run_that_waits_for_long_is_told_so() {
    let ground = Ground::in_memory();
    let server = ground.serve();
    let text = "name: Later\nnodes: [{ id: wait, type: delay, config: { duration: 1h } }]\n";
    let new = server.deploy(text).await;
    let run = view(patiently("an answer", server.create(new, true)).await);
    assert_eq!((run.status, run.reason.as_deref()), (RunStatus::Waiting, Some("timer")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_created_in_one_commit_and_answered_in_order() {
    let ground = Ground::on_disk();
    let store = Moody::over(ground.store());
    let server = ground.serve_over(store.clone(), |_| {});
    let text = "name: Double\nnodes: [{ id: a, type: transform, config: { output: \"{{ input * 2 }}\" } }]\n";
    let new = server.deploy(text).await;
    let runs = (0..200).map(|n| NewRun { input: json!(n), ..new.clone() }).collect();
    let before = store.commits.load(Ordering::Relaxed);
    let answers = server.create_all(runs, false).await;
    // The runs are over in the same commit, so no other was needed. What else the store is asked
    // meanwhile, to clean up, is another matter.
    assert_eq!(store.commits.load(Ordering::Relaxed) - before, 1);
    for (n, answer) in answers.into_iter().enumerate() {
        let run = view(answer);
        assert_eq!(run.output.as_deref(), Some(&json!(n * 2)));
        assert_eq!(server.row(run.run_id).status, RunStatus::Succeeded);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_leaves_nothing_and_does_not_fail_its_neighbours() {
    for ground in Ground::both() {
        let server = ground.serve();
        let text =
            "name: Strict\ninput: { type: object, required: [n] }\nnodes: [{ id: a, type: end }]\n";
        let new = server.deploy(text).await;
        let inputs = [json!({ "n": 1 }), json!({}), json!({ "n": "x".repeat(20_000_000) })];
        let runs = inputs.into_iter().map(|input| NewRun { input, ..new.clone() }).collect();
        let answers = server.create_all(runs, false).await;
        assert!(matches!(answers[0], Answer::Run(_)));
        assert!(matches!(answers[1], Answer::Refused(Refused::BadInput(_))), "{:?}", answers[1]);
        assert!(matches!(answers[2], Answer::Refused(Refused::InputTooLarge { .. })));
        let all = server.store.runs(PROJECT, &Default::default(), None, 9).unwrap().items;
        assert_eq!(all.len(), 1);
        server.stop().await;
    }
}
