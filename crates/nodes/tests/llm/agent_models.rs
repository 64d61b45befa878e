//! Whom an agent asks: what a prompt file says, and further models.

use serde_json::json;

use crate::world::{Attempt, Says, World};

#[tokio::test]
async fn a_prompt_file_is_an_agent_and_what_the_node_says_goes_first() {
    let dir = tempfile::tempdir().unwrap();
    let text = "---\nname: Look\ntype: agent\nclient: openai/of-file\ntools: [http]\nmax_turns: 3\n\
                inputs: {ship: string}\noutput: {berth: integer}\n---\nWhere is {{ ship }}?\n";
    std::fs::write(dir.path().join("look.prompt.md"), text).unwrap();
    let script = |told, _: &str| match told {
        0 => Says::Use("http".into(), json!({})),
        _ => Says::Text("{\"berth\": 7}".into()),
    };
    let world = World::start(script).await;
    let config = json!({ "prompt_file": "look.prompt.md", "inputs": { "ship": "Ada" } });
    let attempt = || Attempt { prompts: Some(dir.path().to_owned()), ..Attempt::default() };
    let made = attempt().make(&world, config.clone()).await;
    assert_eq!((&made.output()["berth"], &made.output()["turns"]), (&json!(7), &json!(2)));
    assert_eq!(made.live[0].data["max_turns"], 3);
    let asked = world.asked.lock().unwrap()[0].clone();
    assert_eq!(
        (&asked["model"], &asked["tools"][0]["function"]["name"]),
        (&json!("of-file"), &json!("http"))
    );
    assert_eq!(asked["messages"][0]["content"], "Where is Ada?");

    let mut config = config;
    config["model"] = json!("openai/own");
    config["tools"] = json!([]);
    config["max_turns"] = json!(1);
    let made = attempt().make(&world, config.clone()).await;
    assert_eq!(made.code(), "max_turns");
    let asked = world.asked.lock().unwrap().last().unwrap().clone();
    assert_eq!((&asked["model"], asked.get("tools")), (&json!("own"), None));
    config["inputs"] = json!({});
    assert_eq!(attempt().make(&world, config).await.code(), "bad_inputs");
}

#[tokio::test]
async fn an_answer_that_does_not_fit_the_file_is_a_turn() {
    let dir = tempfile::tempdir().unwrap();
    let text = "---\nname: Look\nclient: openai/m\noutput: {berth: integer}\ntools: [teleport]\n---\nGo.\n";
    std::fs::write(dir.path().join("look.prompt.md"), text).unwrap();
    let world = World::start(|_, _| Says::Text("{\"berth\": \"seven\"}".into())).await;
    let attempt = || Attempt { prompts: Some(dir.path().to_owned()), ..Attempt::default() };
    let config = json!({ "prompt_file": "look.prompt.md", "tools": [], "max_turns": 2 });
    let made = attempt().make(&world, config).await;
    assert_eq!(made.code(), "max_turns");
    assert_eq!(world.asked.lock().unwrap().len(), 2);
    let made = attempt().make(&world, json!({ "prompt_file": "look.prompt.md" })).await;
    assert_eq!(made.code(), "bad_prompt", "there is no such tool");
}

#[tokio::test]
async fn when_a_model_fails_the_next_one_goes_on_with_the_conversation() {
    let script = |told, model: &str| match (told, model) {
        (0, "first") => Says::Use("http".into(), json!({})),
        (_, "first") => Says::Fails(500),
        (1, _) => Says::Use("http".into(), json!({})),
        _ => Says::Text("done".into()),
    };
    let world = World::start(script).await;
    let config = json!({ "model": "openai/first", "fallback": ["openai/second"], "prompt": "go",
        "tools": ["http"] });
    let killed = Attempt { dies_at: Some("turn-3"), ..Attempt::default() };
    let killed = killed.make(&world, config.clone()).await;
    let again = Attempt { earlier: killed.records, ..Attempt::default() };
    assert_eq!(again.make(&world, config).await.output()["text"], "done");
    let counts: Vec<u32> = ["first 1", "first 2", "second 2", "first 3", "second 3"]
        .iter()
        .map(|what| world.count(what))
        .collect();
    assert_eq!(counts, [1, 1, 1, 0, 2], "who has failed is not asked again, nor after a crash");
    let broken = World::start(|_, _| Says::Fails(503)).await;
    let config = json!({ "model": "openai/a", "fallback": ["openai/b"], "prompt": "go" });
    let made = Attempt::default().make(&broken, config).await;
    assert_eq!(made.code(), "http_503");
}
