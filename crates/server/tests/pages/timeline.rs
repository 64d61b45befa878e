//! The timeline of a run.

use serde_json::json;

use crate::harness::*;
use crate::{page, sample};

/// The timeline's part of a page.
fn timeline(html: &str) -> &str {
    let from = html.find("<div id=\"timeline\"").unwrap_or_else(|| panic!("none: {html}"));
    &html[from..from + html[from..].find("</div>").unwrap()]
}

/// A row of it.
fn row<'a>(timeline: &'a str, step: &str) -> &'a str {
    let mark = format!("id=\"bar-{step}\"");
    let rest = timeline.split(&mark).nth(1).unwrap_or_else(|| panic!("no `{step}` in {timeline}"));
    rest.split("</a>").next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_has_a_row_with_its_attempts() {
    let (server, run) = sample().await;
    let html = page(&server, &format!("/runs/{run}")).await;
    let timeline = timeline(&html);
    let ask = row(timeline, "ask");
    let (failed, rest) = ask.split_once("class=\"run is-failed\"").unwrap();
    assert!(!failed.contains("is-succeeded\" x"), "the first attempt comes first: {ask}");
    assert!(rest.contains("class=\"run is-succeeded\""), "{ask}");
    assert!(ask.contains("2 attempts") && ask.contains("takes"), "it can be read out: {ask}");
    assert!(row(timeline, "shout").contains("skipped"));
    for step in ["is_loud", "whisper", "each", "each[0].say", "each[1].say"] {
        assert!(row(timeline, step).contains("is-succeeded"), "{step}");
    }
    assert!(timeline.contains(">0</text>"), "the axis begins at the start");
    // As it was before anything had ended.
    let early = page(&server, &format!("/runs/{run}?at=3")).await;
    let early = self::timeline(&early);
    assert!(early.contains("bar-ask") && !early.contains("bar-is_loud"), "{early}");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_is_drawn_apart_from_running() {
    let server = Server::new();
    server
        .deploy(
            "name: late\nnodes:\n  - {id: slow, type: shell, retry: {max_attempts: 2, delay: 300ms, \
             jitter: 0}, config: {script: 'test \"$WINDLASS_ATTEMPT\" = 2'}}\n",
        )
        .await;
    let run = server.run("late", json!({})).await;
    let html = page(&server, &format!("/runs/{}", run["id"].as_str().unwrap())).await;
    let slow = row(timeline(&html), "slow");
    let kinds: Vec<&str> = slow
        .split("<rect class=\"")
        .skip(1)
        .map(|rect| rect.split(' ').next().unwrap())
        .filter(|kind| matches!(*kind, "wait" | "run"))
        .collect();
    let middle = kinds.iter().position(|kind| *kind == "run").unwrap();
    assert_eq!(kinds[middle..middle + 3], ["run", "wait", "run"], "{slow}");
}

#[tokio::test(flavor = "multi_thread")]
async fn items_of_a_large_map_share_a_row() {
    let server = Server::new();
    server
        .deploy(
            "name: items\nnodes:\n  - id: each\n    type: map\n    config:\n      items: '{{ \
             range(300) }}'\n      body: {nodes: [{id: say, type: noop}]}\n  - {id: after, type: noop, \
             needs: [each]}\n",
        )
        .await;
    let run = server.run("items", json!({})).await;
    let html = page(&server, &format!("/runs/{}", run["id"].as_str().unwrap())).await;
    let timeline = timeline(&html);
    let items = row(timeline, "each.say");
    assert!(items.contains("each[…].say") && items.contains("×300"), "{items}");
    assert!(items.contains("300 steps: 300 succeeded"), "{items}");
    assert!(timeline.contains("bar-after"), "what comes behind the items is there");
    assert!(!timeline.contains("each[7]"), "{timeline}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_rows_than_anybody_reads_are_left_out_and_it_says_so() {
    let server = Server::new();
    let nodes: String = (0..200).map(|n| format!("  - {{id: n{n}, type: noop}}\n")).collect();
    let text = format!(
        "name: wide\nnodes:\n  - {{id: bad, type: fail, needs: [n199], config: {{message: no}}}}\n{nodes}"
    );
    server.deploy(&text).await;
    let run = server.run("wide", json!({})).await;
    let html = page(&server, &format!("/runs/{}", run["id"].as_str().unwrap())).await;
    let timeline = timeline(&html);
    assert!(timeline.contains("60 of 201 rows are shown"), "{timeline}");
    assert_eq!(timeline.matches("class=\"bar-row").count(), 60);
    assert!(timeline.contains("id=\"bar-bad\""), "what has failed is not left out: {timeline}");
}
