//! A server goes away in the middle of everything, and the next one goes on.

use std::path::Path;

use serde_json::json;
use windlass_core::run::{Fact, RunStatus, StepStatus};

use crate::ground::Ground;
use crate::server::view;

/// Three steps that leave a line each time they are made; the first attempt of the second never
/// ends by itself.
fn three_steps(effects: &Path, effect: &str) -> String {
    let effects = effects.display();
    format!(
        "
name: Three
nodes:
  - {{ id: first, type: shell, config: {{ script: 'echo first >> {effects}; echo 1 > $WINDLASS_OUTPUT' }} }}
  - id: second
    type: shell
    needs: [first]
    effect: {effect}
    config:
      script: |
        echo second $WINDLASS_ATTEMPT $WINDLASS_IDEMPOTENCY_KEY >> {effects}
        echo begun
        [ $WINDLASS_ATTEMPT = 1 ] && exec sleep 600
        echo 2 > $WINDLASS_OUTPUT
  - {{ id: third, type: shell, needs: [second], config: {{ script: 'echo third >> {effects}; echo 3 > $WINDLASS_OUTPUT' }} }}
output: [\"{{{{ first.output.result }}}}\", \"{{{{ second.output.result }}}}\", \"{{{{ third.output.result }}}}\"]
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_under_way_is_made_again_and_what_was_done_is_not() {
    for ground in Ground::both() {
        let server = ground.serve();
        let text = three_steps(&ground.file("effects"), "safe");
        let run_id = server.begin(&text, json!(null)).await;
        server.until_it_says(run_id, "begun").await;
        server.stop().await;

        let server = ground.serve();
        let run = server.end_of(run_id).await;
        assert_eq!(run.output.as_deref(), Some(&json!([1, 2, 3])), "{:?}", run.error);
        let expected = [
            "first".to_owned(),
            format!("second 1 {run_id}/second"),
            format!("second 2 {run_id}/second"),
            "third".to_owned(),
        ];
        assert_eq!(ground.lines("effects"), expected);
        let interruptions: Vec<_> = server
            .journal(run_id)
            .into_iter()
            .filter_map(|numbered| match numbered.event.fact {
                Fact::AttemptInterrupted { path, attempt, .. } => Some((path, attempt)),
                _ => None,
            })
            .collect();
        assert_eq!(interruptions, [("second".to_owned(), 1)]);
        let attempts = ["first", "second", "third"].map(|path| server.step(run_id, path).attempt);
        assert_eq!(attempts, [1, 2, 1]);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_be_repeated_waits_for_a_decision() {
    for ground in Ground::both() {
        let server = ground.serve();
        let text = three_steps(&ground.file("effects"), "never");
        let run_id = server.begin(&text, json!(null)).await;
        server.until_it_says(run_id, "begun").await;
        server.stop().await;

        let server = ground.serve();
        server.until_it_is(run_id, RunStatus::Waiting).await;
        assert_eq!(server.row(run_id).reason.as_deref(), Some("outcome_unknown"));
        let step = server.step(run_id, "second");
        assert_eq!((step.status, step.attempt), (StepStatus::Waiting, 1));
        assert_eq!(step.reason.as_deref(), Some("outcome_unknown"));
        server.stop().await;

        let server = ground.serve();
        let run = view(server.cancel(run_id).await);
        assert_eq!(run.status, RunStatus::Cancelled);
        let effects = ground.lines("effects");
        assert_eq!(effects.len(), 2, "it was made once: {effects:?}");
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_attempt_does_not_count_as_a_failed_one() {
    let ground = Ground::on_disk();
    let text = format!(
        "
name: Twice
nodes:
  - id: a
    type: shell
    retry: {{ max_attempts: 2, delay: 1ms }}
    config:
      script: |
        echo $WINDLASS_ATTEMPT >> {}
        echo begun
        case $WINDLASS_ATTEMPT in 1) exec sleep 600;; 2) exit 7;; esac
",
        ground.file("effects").display()
    );
    let server = ground.serve();
    let run_id = server.begin(&text, json!(null)).await;
    server.until_it_says(run_id, "begun").await;
    server.stop().await;
    let server = ground.serve();
    let run = server.end_of(run_id).await;
    assert_eq!(run.status, RunStatus::Succeeded, "one was lost, one failed, one succeeded");
    assert_eq!(ground.lines("effects"), ["1", "2", "3"]);
    server.stop().await;
}
