//! A command that opens a store for its own runs only, as `windlass run` does.

use serde_json::json;
use windlass_core::run::RunStatus;

use crate::ground::Ground;

fn later(duration: &str) -> String {
    format!(
        "name: Later\nnodes: [{{ id: wait, type: delay, config: {{ duration: {duration} }} }}]\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_drives_its_own_runs_and_leaves_those_of_others_alone() {
    for ground in Ground::both() {
        let server = ground.serve();
        let left = server.begin(&later("200ms"), json!(null)).await;
        server.until_fact(left, "step_waiting wait").await;
        server.stop().await;

        let visitor = ground.serve_with(|config| config.is_active = false);
        let before = visitor.facts(left);
        let own = visitor.run(&later("400ms"), json!(null)).await;
        assert_eq!(own.status, RunStatus::Succeeded, "its own timers fire");
        // The time of the other run has come meanwhile, unless it was over before the visit.
        assert_eq!(visitor.facts(left), before, "it is not the visitor's to go on with");
        visitor.stop().await;

        let server = ground.serve();
        assert_eq!(server.end_of(left).await.status, RunStatus::Succeeded);
        server.stop().await;
    }
}
