//! Going down on purpose.

use std::time::Duration;

use serde_json::json;
use windlass_core::run::RunStatus;
use windlass_engine::shard::{Answer, Command};

use crate::ground::Ground;
use crate::server::{PROJECT, patiently};

#[tokio::test(flavor = "multi_thread")]
async fn attempts_may_end_and_what_follows_is_left_to_the_next_server() {
    for ground in Ground::both() {
        let server = ground.serve();
        let (pipe, effects) = (ground.pipe("gate"), ground.file("effects"));
        let text = format!(
            "
name: Two
nodes:
  - {{ id: first, type: shell, config: {{ script: 'echo first >> {1}; echo begun; cat {0}' }} }}
  - {{ id: second, type: shell, needs: [first], config: {{ script: 'echo second >> {1}' }} }}
",
            pipe.display(),
            effects.display()
        );
        let run_id = server.begin(&text, json!(null)).await;
        server.until_it_says(run_id, "begun").await;
        let grace = Duration::from_secs(600);
        let open = async { std::thread::spawn(move || std::fs::write(pipe, "")) };
        let down = async { tokio::join!(server.engine.shut_down(grace), open) };
        patiently("the server is down", down).await;
        assert_eq!(ground.lines("effects"), ["first"], "nothing new is begun");
        assert_eq!(server.row(run_id).status, RunStatus::Running);
        drop(server);

        let server = ground.serve();
        assert_eq!(server.end_of(run_id).await.status, RunStatus::Succeeded);
        assert_eq!(ground.lines("effects"), ["first", "second"]);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_takes_nothing_and_says_so() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let new = server.deploy("name: One\nnodes: [{ id: a, type: noop }]\n").await;
    assert!(server.engine.health().can_write);
    server.engine.shut_down(Duration::ZERO).await;
    server.engine.shut_down(Duration::ZERO).await;
    assert!(!server.engine.health().can_write);
    let created = server.create(new, true).await;
    assert!(matches!(created, Answer::Unavailable(_)), "{created:?}");
    let told = server.engine.command(uuid::Uuid::nil(), Command::Wake).await;
    assert!(matches!(told, Answer::OutcomeUnknown(_) | Answer::Unavailable(_)), "{told:?}");
    let text = "name: Two\nnodes: [{ id: a, type: noop }]\n".to_owned();
    assert!(server.engine.deploy(PROJECT, text, None).await.is_err());
    let all = server.store.runs(PROJECT, &Default::default(), None, 9).unwrap().items;
    assert_eq!(all.len(), 0);
}
