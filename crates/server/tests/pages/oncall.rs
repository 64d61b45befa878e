//! What somebody looks for whom an alert has woken: why a run has failed, which steps did, what was
//! said, and how the workflow has fared.

use serde_json::{Value, json};

use crate::harness::*;
use crate::page;

/// The part of a page from a mark to the next of another.
pub(crate) fn part<'a>(html: &'a str, from: &str, to: &str) -> &'a str {
    let rest = html.split_once(from).unwrap_or_else(|| panic!("no {from} in {html}")).1;
    rest.split_once(to).unwrap_or_else(|| panic!("no {to} in {rest}")).0
}

async fn failed(server: &Server, name: &str, text: &str) -> String {
    server.deploy(text).await;
    let run = server.run(name, json!({})).await;
    assert_eq!(run["status"], "failed", "{run}");
    run["id"].as_str().unwrap().to_owned()
}

/// Tells the events of a run of another program; answers the run's id.
pub(crate) async fn observe(server: &Server, run: &str, events: Vec<Value>) -> String {
    let of_run = |mut event: Value| {
        event["run_id"] = json!(run);
        event
    };
    let events: Vec<Value> = events.into_iter().map(of_run).collect();
    let told = server.post("/api/v1/events", json!(events)).await;
    assert_eq!(told.body["rejected"], json!([]), "{}", told.body);
    let found = server.get(&format!("/api/v1/runs/{run}")).await.body;
    found["id"].as_str().unwrap_or_else(|| panic!("{found}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_of_a_run_has_the_last_lines_of_its_step() {
    let server = Server::new();
    let text = "name: fails\nnodes:\n  - id: load\n    type: shell\n    config:\n      script: \
                |\n        for n in 1 2 3 4 5 6 7 8; do echo \"row $n\"; echo \"<b>late $n\" >&2; \
                done\n        exit 3\n";
    let run = failed(&server, "fails", text).await;
    let html = page(&server, &format!("/runs/{run}")).await;
    let error = part(&html, "class=\"error-box\"", "class=\"actions\"");
    assert!(error.contains("step=load\" data-step=\"load\"><code>load</code></a>"), "{error}");
    let lines = part(error, "id=\"last-lines\"", "</ol>");
    assert!(lines.contains("&lt;b&gt;late 8") && lines.contains("late 3"), "{lines}");
    assert!(!lines.contains("late 2") && !lines.contains("row"), "the last complaints: {lines}");
    assert!(error.contains("?of=load#log-title\">All its lines"), "{error}");
    // A run as it was at its end says the same.
    let last = server.get(&format!("/api/v1/runs/{run}/events?limit=1000")).await.body;
    let last = last["items"].as_array().unwrap().last().unwrap()["seq"].clone();
    assert!(page(&server, &format!("/runs/{run}?at={last}")).await.contains("id=\"last-lines\""));

    // Of a block, the step inside of it, and what it wrote at all if it never complained.
    let text = "name: fails inside\nnodes:\n  - id: each\n    type: map\n    config:\n      items: \
                '{{ range(2) }}'\n      body: {nodes: [{id: say, type: shell, config: {script: \
                'echo so far so good; exit 1'}}]}\n";
    let run = failed(&server, "fails%20inside", text).await;
    let html = page(&server, &format!("/runs/{run}")).await;
    let error = part(&html, "class=\"error-box\"", "class=\"actions\"");
    assert!(error.contains(" data-step=\"each[0].say\"") || error.contains("each[1].say"));
    assert!(part(error, "id=\"last-lines\"", "</ol>").contains("so far so good"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_failed_steps_of_many_are_found_by_their_status() {
    let server = Server::new();
    let mut events = vec![json!({ "event": "flow_started", "flow": "wide" })];
    for n in 0..400 {
        let event = if n % 3 == 2 { "task_err" } else { "task_ok" };
        let error = (n % 3 == 2).then(|| format!("part {n} is broken"));
        let node = format!("part:{n}");
        events.push(json!({ "event": event, "task": "part", "node": node, "error": error }));
    }
    let run = observe(&server, "wide-1", events).await;
    let all = page(&server, &format!("/runs/{run}")).await;
    let rows = |html: &str| part(html, "<ol id=\"steps\"", "</ol>").to_owned();
    assert!(rows(&all).contains("is-succeeded") && rows(&all).contains("is-failed"));
    let ways = part(&all, "id=\"step-choices\"", "</nav>");
    assert!(ways.contains("133 failed") && ways.contains("400 in all"), "{ways}");
    assert!(ways.contains(&format!("href=\"&#x2f;runs&#x2f;{run}?status=failed#steps-title\"")));

    let some = page(&server, &format!("/runs/{run}?status=failed")).await;
    let first = rows(&some);
    assert_eq!(first.matches("class=\"step is-failed\"").count(), 100);
    assert!(!first.contains("is-succeeded"), "{first}");
    // The filter of the log, and a step that opens beside them, leave them as they are.
    assert!(some.contains("type=\"hidden\" name=\"status\" value=\"failed\""), "{some}");
    assert!(!all.contains("name=\"status\""), "{all}");
    assert!(first.contains("?status=failed&amp;step=part"), "{first}");
    let next = part(&some, "rel=\"next\" href=\"", "\"").replace("&amp;", "&");
    assert!(next.contains("status=failed&steps="), "{next}");
    let more = page(&server, next.split('#').next().unwrap()).await;
    assert_eq!(rows(&more).matches("class=\"step is-failed\"").count(), 33);
    assert!(!more.contains("rel=\"next\"") && rows(&more).contains("part:398"));

    let live = format!("/runs/{run}?status=running");
    assert_eq!(rows(&page(&server, &live).await).matches("<li").count(), 0);
    let odd = server.page(&format!("/runs/{run}?status=lost")).await;
    assert_eq!(odd.status, 400, "{}", odd.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_words_that_are_looked_for_are_marked() {
    let server = Server::new();
    let text = "name: talks\nnodes: [{id: say, type: shell, config: {script: 'echo \"the <i>Disk \
                of 7</i> is full\"; echo other'}}]\n";
    server.deploy(text).await;
    let run = server.run("talks", json!({})).await;
    let run = run["id"].as_str().unwrap();
    for path in [format!("/runs/{run}?q=disk+full"), "/search?q=disk+full".into()] {
        let html = page(&server, &path).await;
        let marked = "the &lt;i&gt;<mark>Disk</mark> of 7&lt;&#x2f;i&gt; is <mark>full</mark>";
        assert!(html.contains(marked), "{path}: {html}");
    }
    assert!(!page(&server, &format!("/runs/{run}")).await.contains("<mark>"));
    let html = page(&server, "/search?q=%3Cscript%3E+disk").await;
    assert!(!html.contains("<script>") && !html.contains("<i>"), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_workflow_says_how_it_has_fared() {
    let server = Server::new();
    let text = "name: a & b\nnodes: [{id: say, type: shell, config: {env: {CODE: '{{ input.code }}'}, \
                script: 'exit \"$CODE\"'}}]\n";
    server.deploy(text).await;
    let none = page(&server, "/workflows/a%20%26%20b").await;
    assert!(part(&none, "id=\"health\"", "</section>").contains(">0</a>"));
    for code in [0, 0, 0, 1] {
        server.run("a%20%26%20b", json!({ "code": code })).await;
    }
    let html = page(&server, "/workflows/a%20%26%20b").await;
    let health = part(&html, "id=\"health\"", "</section>");
    assert!(health.contains(">4</a>") && health.contains("75 %"), "{health}");
    assert!(health.contains("is-failed\">75 %"), "so few are to be seen: {health}");
    let p95 = part(health, "95 of 100 took at most</span>", "</div>");
    assert!(p95.ends_with(" s") || p95.ends_with(" ms"), "{p95}");
    for (mark, rows) in [("failed\">1</a>", 1), ("since=7d\">4</a>", 4)] {
        let end = health.find(mark).unwrap_or_else(|| panic!("no {mark} in {health}"));
        let from = health[..end].rfind("href=\"").unwrap() + 6;
        let href = health[from..].split('"').next().unwrap();
        let list = page(&server, &href.replace("&#x2f;", "/").replace("&amp;", "&")).await;
        assert_eq!(list.matches("data-label=\"Run\"").count(), rows, "{href}");
    }
    let charts = part(health, "id=\"charts\" href=\"", "\"");
    let charts = charts.replace("&#x2f;", "/").replace("&amp;", "&");
    assert_eq!(charts, "/analytics?workflow=a%20%26%20b&since=7d");
    assert!(page(&server, &charts).await.contains("4 in all"));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_sorted_whatever_their_case() {
    let server = Server::new();
    for name in ["Zebra", "apple", "Banana", "cherry", "Apple"] {
        server.deploy(&format!("name: {name}\nnodes: [{{id: a, type: noop}}]\n")).await;
    }
    let flows = page(&server, "/flows").await;
    let select = page(&server, "/runs").await;
    for (html, around) in [(&flows, ("\">", "</a>")), (&select, ("\">", "</option>"))] {
        let place = |name: &str| {
            let mark = format!("{}{name}{}", around.0, around.1);
            html.find(&mark).unwrap_or_else(|| panic!("no {mark} in {html}"))
        };
        let places = ["Apple", "apple", "Banana", "cherry", "Zebra"].map(place);
        assert!(places.is_sorted(), "{places:?}");
    }
    // Also from one page to the next.
    for n in 0..60 {
        let name = if n % 2 == 0 { format!("m{n:02}") } else { format!("M{n:02}") };
        server.deploy(&format!("name: {name}\nnodes: [{{id: a, type: noop}}]\n")).await;
    }
    let first = page(&server, "/flows").await;
    let next = part(&first, "rel=\"next\" href=\"", "\"").replace("&#x2f;", "/");
    let second = page(&server, &next.replace("&amp;", "&")).await;
    for n in 0..60 {
        let name = if n % 2 == 0 { format!(">m{n:02}</a>") } else { format!(">M{n:02}</a>") };
        assert_eq!(first.contains(&name), n < 46, "{name}");
        assert_ne!(first.contains(&name), second.contains(&name), "{name}");
    }
    assert!(second.contains(">Zebra</a>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_and_what_its_end_started_lead_to_each_other() {
    let server = Server::new();
    server
        .deploy("name: alert\ntriggers: [{on: run, source: first}]\nnodes: [{id: a, type: noop}]\n")
        .await;
    server.deploy("name: first\nnodes: [{id: a, type: noop}]\n").await;
    let first = server.run("first", json!({})).await;
    let first = first["id"].as_str().unwrap();
    let runs = "/api/v1/runs?workflow=alert";
    let mut second = Value::Null;
    for _ in 0..200 {
        second = server.get(runs).await.body["items"][0]["id"].clone();
        if second.is_string() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let second = second.as_str().unwrap().to_owned();
    let html = page(&server, &format!("/runs/{first}")).await;
    let started = part(&html, "id=\"started\"", "</div>");
    assert!(started.contains("alert") && started.contains(&format!("href=\"/runs/{second}\"")));
    let html = page(&server, &format!("/runs/{second}")).await;
    let origin = part(&html, "Began at the end of</span>", "</div>");
    assert!(origin.contains("first") && origin.contains(&format!("href=\"/runs/{first}\"")));
    assert!(!html.contains("id=\"started\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_other_programs_are_told_of_as_such() {
    let server = Server::new();
    let run = observe(
        &server,
        "lost-1",
        vec![json!({ "event": "task_started", "task": "load", "node": "load:1",
                     "ts": "2026-01-02T03:04:05Z" })],
    )
    .await;
    let html = page(&server, &format!("/runs/{run}?step=load:1")).await;
    assert!(html.contains("id=\"unknown-flow\"") && html.contains("2026-01-02 03:04:05"));
    assert!(html.contains("<span class=\"fact\">Began</span>"));
    assert!(!html.contains(">Created<") && !html.contains("Its turn came"), "{html}");
    let flows = page(&server, "/flows").await;
    assert!(flows.contains("no program has said yet which flow these are of"), "{flows}");
    let own = page(&server, "/workflows/(unknown)").await;
    assert!(own.contains("has not said yet which flow they are of"), "{own}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_input_is_folded() {
    let server = Server::new();
    server.deploy("name: any\nnodes: [{id: a, type: noop}]\n").await;
    for (count, is_open) in [(3, true), (500, false)] {
        let run = server.run("any", json!({ "rows": vec![1; count] })).await;
        let html = page(&server, &format!("/runs/{}", run["id"].as_str().unwrap())).await;
        assert_eq!(html.contains("<details id=\"run-input\" open>"), is_open, "{count}");
    }
}
