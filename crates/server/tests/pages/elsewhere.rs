//! Runs that other programs drive, on the pages that show all runs.

use serde_json::{Value, json};
use windlass_core::HumanDuration;

use crate::harness::*;
use crate::oncall::{observe, part};

/// A page, with the slashes of its links as they are.
async fn page(server: &Server, path: &str) -> String {
    crate::page(server, path).await.replace("&#x2f;", "/")
}

/// A run that began long before anybody told of it here.
fn nightly() -> Vec<Value> {
    let event = |event: &str, second: u32, more: Value| {
        let mut fields = json!({
            "event": event, "flow": "nightly", "ts": format!("2020-01-02T03:04:{second:02}Z"),
        });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fields
    };
    vec![
        event("flow_started", 5, json!({})),
        event("task_log", 6, json!({ "node": "load:1", "message": "harbour is full" })),
        event("task_err", 7, json!({ "node": "load:1", "error": "no room at the harbour" })),
        event("flow_completed", 8, json!({})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_called_the_same_among_runs_and_lines() {
    let server = Server::new();
    let run = observe(&server, "night-7", nightly()).await;
    let html = page(&server, "/search?q=harbour").await;
    let (_, end) = run.rsplit_once('-').unwrap();
    let called = format!("night-7 <span class=\"id quiet\">{end}</span>");
    let (runs, lines) = html.split_once("id=\"lines-title\"").unwrap();
    assert!(runs.contains(&called), "{runs}");
    assert!(lines.contains(&called), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_that_nobody_has_described_are_found() {
    let server = Server::new();
    let events = || nightly().into_iter().filter(|event| event.get("message").is_none()).collect();
    let run = observe(&server, "night-7", events()).await;
    let html = page(&server, "/search?q=LOAD").await;
    assert!(html.contains(&format!("/runs/{run}?step=load%3A1")), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ways_to_steps_keep_the_filter_of_the_log() {
    let server = Server::new();
    let run = observe(&server, "night-7", nightly()).await;
    let filter = "level=info&of=load%3A1&q=harbour&logs=0";
    let html = page(&server, &format!("/runs/{run}?status=failed&{filter}")).await;
    let html = html.replace("&amp;", "&");
    for href in [
        format!("/runs/{run}?status=failed&{filter}&step=load%3A1"),
        format!("/runs/{run}?status=failed&{filter}#steps-title"),
        format!("/runs/{run}?{filter}#steps-title"),
    ] {
        assert!(html.contains(&format!("\"{href}\"")), "{href} is not in {html}");
    }
    let step = page(&server, &format!("/runs/{run}?{filter}&step=load%3A1")).await;
    let close = part(&step, "id=\"drawer-close\"", ">").replace("&amp;", "&");
    assert!(close.contains(filter), "{close}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_found_by_its_name_however_old_it_is() {
    let server = Server::new();
    let run = observe(&server, "the-old-one", nightly()).await;
    let newer = (0..8_000).map(|number| {
        let fields = json!({ "event": "flow_started", "flow": "many", "run_id": format!("n{number}"),
            "ts": "2020-01-02T03:04:05Z" });
        format!("{fields}\n")
    });
    let newer: String = newer.collect();
    let answer = server.ask(axum::http::Method::POST, "/api/v1/events", newer).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    for name in ["the-old-one", &run] {
        let html = page(&server, &format!("/search?q={name}")).await;
        let runs = part(&html, "id=\"runs-title\"", "</section>");
        assert!(runs.contains(&format!("/runs/{run}")), "{runs}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_say_that_a_run_is_driven_elsewhere_and_when_it_began() {
    let server = Server::new();
    server.deploy(ADD).await;
    server.run("add", json!({ "n": 1 })).await;
    observe(&server, "night-7", nightly()).await;
    let html = page(&server, "/runs").await;
    let (theirs, ours) = html.split_once("href=\"/workflows/add\"").unwrap();
    assert!(theirs.contains(">elsewhere</span>") && !ours.contains(">elsewhere</span>"), "{html}");
    let html = page(&server, "/workflows/nightly").await;
    let runs = part(&html, "id=\"runs-title\"", "</section>");
    assert!(runs.contains(">2020-01-02 03:04:05</time>"), "{runs}");
    let html = page(&server, "/flows?origin=elsewhere").await;
    assert!(part(&html, "data-label=\"Last run\"", "</td>").contains("2020-01-02 03:04:05"));
    // Its description came in one line.
    let html = page(&server, "/workflows/nightly").await;
    assert!(
        part(&html, "class=\"source\"", "</pre>").contains("{\n  &quot;flow&quot;: &quot;nightly")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_are_found_by_their_last_run() {
    let server = Server::new();
    server.deploy(ADD).await;
    server.deploy(WAIT).await;
    server.run("add", json!({ "n": 1 })).await;
    observe(&server, "night-7", nightly()).await;
    for (query, names) in [
        ("last=failed", &["nightly"][..]),
        ("last=succeeded", &["add"]),
        ("last=", &["add", "nightly", "wait"]),
        ("last=failed&origin=here", &[]),
        ("last=nothing", &[]),
    ] {
        let html = page(&server, &format!("/flows?{query}")).await;
        let links = html.split("data-row id=\"flow-").skip(1);
        let shown: Vec<&str> = links.map(|link| part(link, "href=\"/workflows/", "\"")).collect();
        assert_eq!(shown, names, "{query}");
    }
    let html = page(&server, "/flows?last=failed").await;
    assert!(html.contains("<option value=\"failed\" selected>"), "{html}");
    assert!(html.contains("/flows/live?last=failed"), "it stays while the page is open");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_leads_to_the_runs_that_have_it() {
    let server = Server::new();
    observe(&server, "night-7", nightly()).await;
    let mut other = nightly();
    other.iter_mut().for_each(|event| event["flow"] = "other & one".into());
    observe(&server, "other-7", other).await;
    let html = page(&server, "/analytics?since=24h").await;
    let errors = part(&html, "id=\"errors-title\"", "</section>");
    assert!(errors.contains("<a href=\"/runs?since=24h&amp;status=failed\">2</a>"), "{errors}");
    let href = "/runs?workflow=other%20%26%20one&since=24h&status=failed";
    assert!(errors.contains(&href.replace('&', "&amp;")), "{errors}");
    let runs = page(&server, href).await;
    assert_eq!(runs.matches("id=\"run-").count(), 1, "{runs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fell_silent_says_how_it_was_judged() {
    let server = Server::with(|config| {
        config.observe.stalled_after = HumanDuration::from_secs(1);
        config.observe.given_up_after = HumanDuration::from_secs(2);
    });
    let mut failing = nightly();
    failing.pop();
    let without_end = observe(&server, "night-7", failing).await;
    let silent = observe(&server, "night-8", vec![nightly().remove(0)]).await;
    for (run, reason) in [(without_end, "no_terminal_event"), (silent, "given_up")] {
        let body = at(&server, &format!("/api/v1/runs/{run}"), &["failed"]).await;
        let seen_at = body["observed"]["seen_at"].as_str().unwrap();
        let html = page(&server, &format!("/runs/{run}")).await;
        let notice = part(&html, "id=\"inferred\"", "</p>");
        assert!(notice.contains(&seen_at[..19].replace('T', " ")), "{notice}");
        assert!(notice.contains(reason), "{notice}");
        let facts = part(&html, "id=\"head\"", "id=\"inferred\"");
        assert!(!facts.contains(">Took<") && facts.contains(">nobody said<"), "{facts}");
    }
    let runs = page(&server, "/runs").await;
    assert_eq!(
        runs.matches("data-label=\"Took\" class=\"number\"><span class=\"blank\">").count(),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_stalled_run_the_silence_is_why() {
    let server = Server::with(|config| {
        config.observe.stalled_after = HumanDuration::from_secs(1);
        config.observe.given_up_after = HumanDuration::from_secs(3_600);
    });
    let run = observe(&server, "night-9", vec![nightly().remove(0)]).await;
    while server.get(&format!("/api/v1/runs/{run}")).await.body["reason"] != "stalled" {
        tokio::task::yield_now().await;
    }
    let why = server.get(&format!("/api/v1/runs/{run}/why")).await.body;
    let seen_at =
        server.get(&format!("/api/v1/runs/{run}")).await.body["observed"]["seen_at"].clone();
    let [cause] = &why["because"].as_array().unwrap()[..] else { panic!("{why}") };
    assert_eq!((&cause["because"], &cause["details"]["since"]), (&"silence".into(), &seen_at));
    let html = page(&server, &format!("/runs/{run}")).await;
    assert!(html.contains("its program has said nothing since"), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_lines_is_told_whole_with_a_filter_and_without() {
    let server = Server::new();
    let line = |number: u32| {
        let text = if number.is_multiple_of(2) { "boom" } else { "fine" };
        json!({ "event": "task_log", "flow": "loud", "message": format!("{text} {number}") })
    };
    observe(&server, "loud", (1..=700).map(line).collect()).await;
    let mut rest: Vec<Value> = (701..=1_400).map(line).collect();
    rest.push(json!({ "event": "flow_completed", "flow": "loud" }));
    let run = observe(&server, "loud", rest).await;
    let told = async |query: &str| {
        let live = server.get(&format!("/runs/{run}/live?after=0&logs=0{query}")).await;
        live.body.as_str().unwrap().matches("id=\\\"line-").count()
    };
    assert_eq!((told("").await, told("&q=boom").await), (1_400, 700));
    // Of a page that ends before the newest line none is told.
    let live = server.get(&format!("/runs/{run}/live?after=0")).await;
    assert_eq!(live.body.as_str().unwrap().matches("line-text").count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_catalogue_says_what_to_type_against_this_server() {
    let server = Server::new();
    for (host, shown) in [("127.0.0.1:7785", "127.0.0.1:7785"), ("[::1]:7785", "localhost:8000")] {
        let asked = axum::http::Request::get("/flows").header("accept", "text/html");
        let answer = server.send(asked.header("host", host).body(String::new().into()).unwrap());
        let text = answer.await.body.as_str().unwrap().to_owned();
        assert!(text.contains(&format!("{shown}/api/v1/events")), "{host}: {text}");
    }
}
