//! The kind `agent` against a model that uses a tool in each turn: what is journaled is neither asked
//! for nor done again.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_nodes::Outcome;

use crate::world::{Attempt, Made, Says, World};

/// How many turns use a tool before the model is done.
const TURNS: usize = 8;

async fn world() -> World {
    World::follows(vec![Says::Use("http".into(), json!({})); TURNS]).await
}

async fn attempt(
    world: &World,
    config: Value,
    earlier: Vec<(String, Arc<Value>)>,
    dies_at: Option<&'static str>,
) -> Made {
    Attempt { earlier, dies_at, ..Attempt::default() }.make(world, config).await
}

fn agent(tool: Value) -> Value {
    json!({ "model": "openai/m", "prompt": "go", "tools": [tool], "max_turns": 20 })
}

#[tokio::test]
async fn who_is_killed_in_turn_seven_goes_on_in_turn_seven() {
    for (dies_at, seventh) in [("tool-7-0", 2), ("turn-7", 1), ("turn-8", 1)] {
        let world = world().await;
        let config = agent(json!("http"));
        let killed = attempt(&world, config.clone(), Vec::new(), Some(dies_at)).await;
        assert!(killed.result.is_none());
        let made = attempt(&world, config, killed.records, None).await;
        assert_eq!((&made.output()["text"], &made.output()["turns"]), (&json!("done"), &json!(9)));
        assert_eq!(made.output()["usage"]["input_tokens"], 90, "of all turns, each once");
        for turn in 1..=TURNS {
            // What was under way when it was killed is done again, and nothing else.
            let expected = if turn == 7 { seventh } else { 1 };
            assert_eq!(world.count(&format!("/tool/{turn}")), expected, "{dies_at}: tool {turn}");
            let asked = if dies_at == format!("turn-{turn}") { 2 } else { 1 };
            assert_eq!(world.count(&format!("m {turn}")), asked, "{dies_at}: turn {turn}");
        }
        let kinds: Vec<&str> = made.live.iter().map(|event| event.kind.as_str()).collect();
        for kind in ["agent_turn", "tool_start", "tool_end", "llm_token"] {
            assert!(kinds.contains(&kind), "{kind}");
        }
    }
}

#[tokio::test]
async fn a_tool_that_has_to_be_approved_waits_for_it() {
    let world = world().await;
    let config = agent(json!({ "name": "http", "approve": true }));
    let asked = attempt(&world, config.clone(), Vec::new(), None).await;
    let Some(Ok(Outcome::Ask { key, question })) = asked.result else { panic!() };
    assert_eq!((key.as_str(), world.count("/tool/1")), ("approval-1-0", 0));
    assert!(question["subject"]["arguments"]["url"].as_str().unwrap().ends_with("/tool/1"));
    let answered = |approved: bool| {
        let mut records = asked.records.clone();
        let answer = json!({ "approved": approved, "comment": "no" });
        records.push((key.clone(), Arc::new(answer)));
        records
    };
    let made = attempt(&world, config.clone(), answered(false), None).await;
    assert!(matches!(made.result, Some(Ok(Outcome::Ask { .. }))), "of the next turn");
    assert_eq!(world.count("/tool/1"), 0, "nobody has approved it");
    let refused = made.records.iter().find(|(key, _)| key == "tool-1-0").unwrap();
    assert!(refused.1.as_str().unwrap().contains("refused"));
    attempt(&world, config, answered(true), None).await;
    assert_eq!(world.count("/tool/1"), 1);
}

#[tokio::test]
async fn who_may_not_ask_elsewhere_is_told_so_and_goes_on() {
    let world = world().await;
    let allow = [format!("{}/other/", world.address), "http://127.0.0.1:1/tool/".to_owned()];
    let made =
        attempt(&world, agent(json!({ "name": "http", "allow": allow })), vec![], None).await;
    assert_eq!(made.output()["text"], "done");
    assert_eq!(world.count("/tool/1"), 0);
    let config = json!({ "max_turns": 3, "model": "openai/m", "prompt": "go", "tools": ["http"] });
    let made = attempt(&world, config, vec![], None).await;
    assert_eq!(made.result.unwrap().unwrap_err().failure.code, "max_turns");
}

#[tokio::test]
async fn arguments_that_no_tool_has_are_told_so_and_reach_no_shell() {
    let wrong = [
        ("read_file", json!({ "path": "a", "PATH": "./bin" })),
        ("shell", json!({ "command": "echo a" })),
        ("grep", json!({ "x": "(" })),
        ("write_file", json!({ "path": 5, "content": "a" })),
    ];
    let says = wrong.clone().map(|(name, arguments)| Says::Use(name.into(), arguments));
    let world = World::follows(says.to_vec()).await;
    let tools = ["read_file", "shell", "grep", "write_file"];
    let config = json!({ "model": "openai/m", "prompt": "go", "tools": tools });
    let made = attempt(&world, config, Vec::new(), None).await;
    for turn in 1..=wrong.len() {
        let key = format!("tool-{turn}-0");
        let (_, told) = made.records.iter().find(|(known, _)| *known == key).unwrap();
        assert!(told.as_str().unwrap().contains("bad_arguments"), "{key}: {told}");
    }
}
