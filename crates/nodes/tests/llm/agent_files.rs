//! The directory of an agent's own.

use serde_json::json;

use crate::world::{Attempt, Says, World};

#[tokio::test]
async fn a_directory_of_its_own_is_found_again_after_a_crash() {
    let work_dir = tempfile::tempdir().unwrap();
    let note = json!({ "path": "deep/note.txt", "content": "a note" });
    let world = World::follows(vec![
        Says::Use("write_file".into(), note),
        Says::Use("read_file".into(), json!({ "path": "deep/note.txt" })),
    ])
    .await;
    let config =
        json!({ "model": "openai/m", "prompt": "go", "tools": ["write_file", "read_file"] });
    let attempt = || Attempt { work_dir: work_dir.path().to_owned(), ..Attempt::default() };
    let killed = Attempt { dies_at: Some("turn-2"), ..attempt() };
    let killed = killed.make(&world, config.clone()).await;
    assert!(killed.result.is_none());
    let again = Attempt { earlier: killed.records, ..attempt() };
    assert_eq!(again.make(&world, config.clone()).await.output()["text"], "done");
    assert_eq!(world.told(), ["written", "a note"]);
    // A directory that the config names is used instead.
    let named = tempfile::tempdir().unwrap();
    let mut config = config;
    config["directory"] = json!(named.path());
    attempt().make(&world, config).await.output();
    assert!(named.path().join("deep/note.txt").exists());
}
