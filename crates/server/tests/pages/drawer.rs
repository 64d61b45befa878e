//! A step beside the page of its run.

use serde_json::json;

use crate::harness::*;
use crate::{page, sample};

/// The drawer's part of a page.
fn drawer(html: &str) -> &str {
    let from = html.find("<aside id=\"drawer\"").unwrap_or_else(|| panic!("no drawer: {html}"));
    &html[from..from + html[from..].find("</aside>").unwrap() + "</aside>".len()]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_chosen_stands_beside_its_run() {
    let (server, run) = sample().await;
    assert!(!page(&server, &format!("/runs/{run}")).await.contains("id=\"drawer\""));
    let html = page(&server, &format!("/runs/{run}?step=ask")).await;
    assert!(html.contains("Timeline") && html.contains(">Steps<"), "the run stays where it is");
    let step = drawer(&html);
    for told in
        ["Ask &lt;them&gt;", "of 2", "exit_code", "asking &lt;Ada&gt;", "Run again from here"]
    {
        assert!(step.contains(told), "{told}: {step}");
    }
    let attempts = step.split("class=\"attempts\"").nth(1).unwrap();
    let (first, second) = attempts.split_once("</li>").unwrap();
    assert!(first.contains("is-failed") && first.contains("exit code 1"), "{first}");
    // Its own times, and when each attempt began: nothing else in the drawer says of which zone.
    assert_eq!(step.matches("</time>").count() - 2, step.matches("> UTC<").count(), "{step}");
    assert!(second.contains("is-succeeded"), "{second}");
    assert!(step.contains(&format!("href=\"&#x2f;runs&#x2f;{run}\"")), "it closes: {step}");
    assert_eq!(
        step.matches("class=\"line is-stdout\"").count(),
        2,
        "a line of each attempt: {step}"
    );
    // What a page that is open asks for is the same.
    let part = page(&server, &format!("/runs/{run}/drawer?step=ask")).await;
    assert_eq!(part.trim(), step.trim());
    let which = server.get(&format!("/runs/{run}/drawer")).await;
    assert_eq!(which.status, 400, "{}", which.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_chosen_from_list_graph_and_timeline() {
    let (server, run) = sample().await;
    let html = page(&server, &format!("/runs/{run}")).await;
    for (place, end) in
        [("id=\"timeline\"", "</ol>"), ("id=\"graph\"", "</svg>"), ("id=\"steps\"", "</ol>")]
    {
        let part = html.split(place).nth(1).unwrap().split(end).next().unwrap();
        assert!(part.contains("step=is_loud\" data-step=\"is_loud\""), "{place}: {part}");
    }
    // A box in the graph stands for all items; the drawer shows one of them and says so.
    let one = page(&server, &format!("/runs/{run}?step=each.say")).await;
    assert!(drawer(&one).contains("each[0].say") && drawer(&one).contains("One of 2 steps"));
    let nobody = server.get(&format!("/runs/{run}?step=nobody")).await;
    assert_eq!(nobody.status, 404);
    assert!(nobody.body.as_str().unwrap().contains("there is no step <code>nobody</code>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drawer_says_what_its_step_waits_for() {
    let server = Server::new();
    server.deploy(WAIT).await;
    let run = server.ask(axum::http::Method::POST, "/api/v1/workflows/wait/execute", "{}").await;
    let run = format!("/runs/{}", run.body["id"].as_str().unwrap());
    let html = page(&server, &format!("{run}?step=nap")).await;
    let step = drawer(&html);
    assert!(step.contains("Why it is not over") && step.contains("waits until"), "{step}");
    assert!(step.contains("Settle it by hand") && step.contains("/mark"), "{step}");
    // A live page goes on with the drawer of the address.
    assert!(html.contains("data-live"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drawer_goes_along_through_the_journal() {
    let (server, run) = sample().await;
    let early = page(&server, &format!("/runs/{run}?at=2&step=each%5B0%5D.say")).await;
    assert!(drawer(&early).contains("has not come up at this event"), "{early}");
    assert!(early.contains("?at=3&amp;step=each%5B0%5D.say\""), "the next event keeps the step");
    let first = page(&server, &format!("/runs/{run}?at=2&step=ask")).await;
    assert!(!drawer(&first).contains("<h3>Output</h3>"), "it has no output yet");
    let late = page(&server, &format!("/runs/{run}/drawer?at=2&step=ask")).await;
    assert_eq!(drawer(&first).trim(), late.trim());
    // At the end it could be run again from there, if that were not long ago.
    let events = server.get(&format!("/api/v1/runs/{run}/events?limit=1000")).await.body;
    let end = events["items"].as_array().unwrap().len();
    let last = page(&server, &format!("/runs/{run}?at={end}&step=ask")).await;
    assert!(drawer(&last).contains("<h3>Output</h3>"), "{last}");
    assert!(!last.contains("method=\"post\""), "what was cannot be changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_can_only_look_into_a_drawer() {
    let server = Server::closed();
    let made = server.key(json!({ "name": "v", "role": "viewer" })).await;
    let key = made["key"].as_str().unwrap();
    server.ask_as(ADMIN, axum::http::Method::POST, "/api/v1/workflows", WAIT).await;
    let path = "/api/v1/workflows/wait/execute";
    let run = server.ask_as(ADMIN, axum::http::Method::POST, path, "").await.body;
    let path = format!("/runs/{}/drawer?step=nap", run["id"].as_str().unwrap());
    let seen = server.get_as(key, &path).await.body;
    let seen = seen.as_str().unwrap();
    assert!(seen.contains("nap") && !seen.contains("method=\"post\""), "{seen}");
}
