//! Keys and names that stand for one run, whoever asks how often.

use serde_json::json;
use windlass_engine::NewRun;
use windlass_engine::shard::Answer;
use windlass_store::IdempotencyKey;

use crate::ground::Ground;
use crate::server::{PROJECT, view};

const ONE: &str = "name: One\nnodes: [{ id: a, type: noop }]\n";

fn with_key(new: &NewRun, key: &str, request_hash: &str) -> NewRun {
    let key = IdempotencyKey {
        route: "POST /execute".into(),
        key: key.into(),
        request_hash: request_hash.into(),
    };
    NewRun { key: Some(key), ..new.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_stands_for_one_run_also_after_a_restart() {
    for ground in Ground::both() {
        let server = ground.serve();
        let new = server.deploy(ONE).await;
        let first = server.create(with_key(&new, "k", "h1"), false).await;
        let run_id = view(first).run_id;
        let existing = Answer::Existing { run_id, request_hash: "h1".into() };
        let again = server.create(with_key(&new, "k", "h1"), false).await;
        assert_eq!(again, existing);
        // Another request with the same key is told what the key was used for, and by which run.
        let other = server.create(with_key(&new, "k", "h2"), true).await;
        assert_eq!(other, existing);
        server.stop().await;
        let server = ground.serve();
        let again = server.create(with_key(&new, "k", "h1"), false).await;
        assert_eq!(again, existing);
        let elsewhere = server.engine.create("other", with_key(&new, "k", "h1")).await;
        assert_ne!(view(elsewhere).run_id, run_id, "a key belongs to a project");
        let all = server.store.runs(PROJECT, &Default::default(), None, 9).unwrap().items;
        assert_eq!(all.len(), 1);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_requests_that_come_at_once_with_a_key_one_creates_the_run() {
    for ground in Ground::both() {
        let server = ground.serve();
        let new = server.deploy(ONE).await;
        let requests = (0..20).map(|_| {
            let (engine, new) = (server.engine.clone(), with_key(&new, "k", "h"));
            tokio::spawn(async move { engine.create(PROJECT, new).await })
        });
        let requests: Vec<_> = requests.collect();
        let (mut created, mut existing) = (Vec::new(), Vec::new());
        for request in requests {
            match request.await.unwrap() {
                Answer::Run(view) => created.push(view.run_id),
                Answer::Existing { run_id, .. } => existing.push(run_id),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((created.len(), existing.len()), (1, 19));
        assert!(existing.iter().all(|run_id| *run_id == created[0]));
        let all = server.store.runs(PROJECT, &Default::default(), None, 9).unwrap().items;
        assert_eq!(all.len(), 1);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn within_a_batch_a_key_stands_for_one_run_too() {
    for ground in Ground::both() {
        let server = ground.serve();
        let new = server.deploy(ONE).await;
        let runs = vec![with_key(&new, "k", "h"), with_key(&new, "k", "h")];
        let answers = server.create_all(runs, false).await;
        let [Answer::Run(first), Answer::Existing { run_id, .. }] = answers.as_slice() else {
            panic!("{answers:?}");
        };
        assert_eq!(first.run_id, *run_id);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_id_is_taken_once() {
    for ground in Ground::both() {
        let server = ground.serve();
        let new = server.deploy(ONE).await;
        let named = |name: &str| NewRun { external_id: Some(name.into()), ..new.clone() };
        let first = view(server.create(named("order-7"), true).await);
        assert_eq!(first.external_id.as_deref(), Some("order-7"));
        assert_eq!(server.store.run(PROJECT, "order-7").unwrap().unwrap().run_id, first.run_id);
        let taken = Answer::ExternalIdTaken { run_id: first.run_id };
        assert_eq!(server.create(named("order-7"), false).await, taken);
        // In a batch only the one whose name is taken is left out.
        let runs = vec![named("order-8"), named("order-7"), named("order-8"), new.clone()];
        let answers = server.create_all(runs, true).await;
        let eighth = view(answers[0].clone()).run_id;
        assert_eq!(answers[1], taken);
        assert_eq!(answers[2], Answer::ExternalIdTaken { run_id: eighth });
        assert_eq!(view(answers[3].clone()).output.as_deref(), Some(&json!(null)));
        let all = server.store.runs(PROJECT, &Default::default(), None, 9).unwrap().items;
        assert_eq!(all.len(), 3);
        server.stop().await;
    }
}
