//! Every page with a sample of what it shows, as text, and every link on it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../api/harness.rs"]
#[expect(dead_code, reason = "the API's tests use more of it")]
mod harness;

use axum::http::Method;
use harness::*;
use serde_json::json;

const SAMPLE: &str = include_str!("sample.yaml");

async fn page(server: &Server, path: &str) -> String {
    let answer = server.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    assert!(answer.header("content-type").starts_with("text/html"), "{path}");
    answer.body.as_str().unwrap().to_owned()
}

/// What stands between tags, and what forms and links lead to: enough to judge a page by, without
/// the pixels.
fn told(html: &str) -> String {
    let mut told = String::new();
    let body = html.split_once("<main").map_or(html, |(_, main)| main);
    for piece in body.split('<').skip(1) {
        let Some((tag, text)) = piece.split_once('>') else { continue };
        let name = tag.split_whitespace().next().unwrap_or_default();
        if name == "form" || name == "svg" {
            let kept = ["action", "method", "aria-label"].iter().filter_map(|key| {
                let value = tag.split(&format!(" {key}=\"")).nth(1)?.split('"').next()?;
                Some(format!(" {key}={value}"))
            });
            told.push_str(&format!("\n[{name}{}]", kept.collect::<String>()));
        }
        if name == "input" || name == "textarea" {
            told.push_str(&format!("\n[{}]", tag.trim_end_matches('/')));
        }
        let text = text.trim();
        if !text.is_empty() {
            told.push_str(&format!("\n{text}"));
        }
    }
    hidden(&told)
}

/// Ids, times and durations differ each time.
fn hidden(text: &str) -> String {
    let mut shown = String::new();
    for line in text.lines() {
        let words = line.split_inclusive([' ', '/', '"']).map(|word| {
            let bare = word.trim_end_matches([' ', '/', '"']);
            let is_hex =
                bare.len() >= 12 && bare.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
            let is_time = bare.len() >= 8
                && bare.chars().all(|c| c.is_ascii_digit() || matches!(c, ':' | '-'));
            if is_hex {
                word.replace(bare, "[id]")
            } else if is_time {
                word.replace(bare, "[time]")
            } else {
                word.to_owned()
            }
        });
        let line: String = words.collect();
        let units = [" ms", " s", " µs"];
        let is_duration = units.iter().any(|unit| line.ends_with(unit))
            && line.starts_with(|c: char| c.is_ascii_digit() || c == '<' || c == '&');
        shown.push_str(if is_duration { "[duration]" } else { &line });
        shown.push('\n');
    }
    shown
}

async fn sample() -> (Server, String) {
    let server = Server::new();
    server.deploy(SAMPLE).await;
    server.deploy(WAIT).await;
    let run = server.run("Sample%20%26%20more", json!({ "who": "<Ada>", "n": 2 })).await;
    (server, run["id"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_say_what_is_there() {
    let (server, run) = sample().await;
    insta::assert_snapshot!("runs", told(&page(&server, "/runs").await));
    insta::assert_snapshot!("run", told(&page(&server, &format!("/runs/{run}")).await));
    insta::assert_snapshot!("workflows", told(&page(&server, "/workflows").await));
    let workflow = page(&server, "/workflows/Sample%20%26%20more").await;
    insta::assert_snapshot!("workflow", told(&workflow));
    insta::assert_snapshot!("problem", told(&page(&server, "/problems/bad-json").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_server_says_what_to_do() {
    let server = Server::new();
    assert!(page(&server, "/runs").await.contains("Nothing has run yet"));
    assert!(page(&server, "/workflows").await.contains("windlass workflow deploy"));
    assert!(page(&server, "/runs?status=failed").await.contains("No runs here"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_write_stays_text() {
    let (server, run) = sample().await;
    for path in [format!("/runs/{run}"), "/workflows/Sample%20%26%20more".into(), "/runs".into()] {
        let html = page(&server, &path).await;
        assert!(!html.contains("<Ada>") && !html.contains("<b>bold"), "{path}");
        assert!(
            !html.contains(" style=") && !html.contains("<style"),
            "{path}: the policy forbids it"
        );
    }
    let html = page(&server, "/runs?text=%3Cscript%3E&label=a%3D%22%3E").await;
    assert!(!html.contains("<script>") && !html.contains("=\"a=\">"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_link_leads_somewhere() {
    let (server, run) = sample().await;
    let mut queue = vec!["/runs".to_owned(), format!("/runs/{run}")];
    let mut seen = std::collections::BTreeSet::new();
    while let Some(path) = queue.pop() {
        if !seen.insert(path.clone()) || seen.len() > 200 {
            continue;
        }
        let answer = server.get(&path).await;
        assert!(answer.status.as_u16() < 400, "{path}: {}", answer.status);
        if !answer.header("content-type").starts_with("text/html") || path.starts_with("/docs") {
            continue;
        }
        let html = answer.body.as_str().unwrap().replace("&amp;", "&").replace("&#x2f;", "/");
        for attribute in [" href=\"/", " src=\"/"] {
            for piece in html.split(attribute).skip(1) {
                let link = piece.split(['"', '#']).next().unwrap();
                queue.push(format!("/{link}"));
            }
        }
    }
    assert!(seen.len() > 11, "{seen:?}");
}

async fn send_form(server: &Server, path: &str, form: &str) -> Answer {
    let request = request(Method::POST, path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.to_owned().into());
    server.send(request.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_run_cancel_and_run_again() {
    let (server, _) = sample().await;
    let path = "/workflows/Sample%20%26%20more/run";
    let refused = send_form(&server, path, "input.who=Ada&input.n=many").await;
    assert_eq!(refused.status, 422);
    let html = refused.body.as_str().unwrap();
    assert!(html.contains("this is not JSON") && html.contains("value=\"many\""), "{html}");
    let missing = send_form(&server, path, "input.n=3").await;
    assert_eq!(missing.status, 422);
    assert!(missing.body.as_str().unwrap().contains("<code>who</code> is missing"));

    let started = send_form(&server, "/workflows/wait/run", "json=%7B%7D").await;
    assert_eq!(started.status, 303, "{}", started.body);
    let run = started.header("location").to_owned();
    assert!(page(&server, &run).await.contains("Cancel"));
    assert_eq!(send_form(&server, &format!("{run}/cancel"), "").await.status, 303);
    let again = send_form(&server, &format!("{run}/cancel"), "").await;
    assert_eq!(again.status, 409);
    assert!(again.body.as_str().unwrap().contains("wrong-state"));
    assert!(!page(&server, &run).await.contains(">Cancel<"));
    let rerun = send_form(&server, &format!("{run}/rerun"), "").await;
    assert_eq!(rerun.status, 303);
    assert!(page(&server, rerun.header("location")).await.contains("Repeats"));
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_settle_a_step_and_end_a_run_that_cleans_up() {
    let (server, _) = sample().await;
    let started = send_form(&server, "/workflows/wait/run", "json=%7B%7D").await;
    let run = started.header("location").to_owned();
    let mark = format!("{run}/mark");
    let odd = send_form(&server, &mark, "step=nap&status=succeeded&output=%7B").await;
    assert_eq!(odd.status, 400, "{}", odd.body);
    assert_eq!(send_form(&server, &mark, "step=nope&status=skipped&output=").await.status, 404);
    let settled = send_form(&server, &mark, "step=nap&status=succeeded&output=%5B1%5D").await;
    assert_eq!(settled.status, 303, "{}", settled.body);
    let html = page(&server, &run).await;
    assert!(html.contains("marked") && html.contains("is-succeeded"), "{html}");

    server
        .deploy(
            "name: guarded\nnodes:\n  - id: guard\n    type: try\n    config:\n      body: {nodes: [{id: \
             nap, type: delay, config: {duration: 1h}}]}\n      finally: {nodes: [{id: tidy, type: \
             delay, config: {duration: 1h}}]}\n",
        )
        .await;
    let started = send_form(&server, "/workflows/guarded/run", "json=%7B%7D").await;
    let run = started.header("location").to_owned();
    assert_eq!(send_form(&server, &format!("{run}/cancel"), "").await.status, 303);
    let html = page(&server, &run).await;
    assert!(html.contains(">Terminate<") && html.contains("finally"), "{html}");
    assert_eq!(send_form(&server, &format!("{run}/terminate"), "").await.status, 303);
    assert!(!page(&server, &run).await.contains(">Terminate<"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_live_page_are_those_of_the_page() {
    let (server, run) = sample().await;
    let html = page(&server, &format!("/runs/{run}")).await;
    let live = server.get(&format!("/runs/{run}/live?after=0&logs=0")).await;
    let text = live.body.as_str().unwrap();
    let parts: Vec<serde_json::Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter_map(|data| serde_json::from_str(data).ok())
        .collect();
    assert!(parts.len() >= 4, "{text}");
    for part in &parts {
        let part = part["html"].as_str().unwrap().trim();
        assert!(html.contains(part), "not in the page: {part}");
    }
    assert!(text.contains("event: end"));
    let done = server.get(&format!("/runs/{run}/live?after=999999&logs=0")).await;
    assert_eq!(done.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fan_of_many_nodes_is_one_box() {
    let server = Server::new();
    let mut text = "name: fan\nnodes:\n  - {id: join, type: end, needs: [".to_owned();
    let ids: Vec<String> = (0..500).map(|n| format!("n{n}")).collect();
    text.push_str(&ids.join(", "));
    text.push_str("]}\n");
    ids.iter().for_each(|id| text.push_str(&format!("  - {{id: {id}, type: noop}}\n")));
    server.deploy(&text).await;
    let run = server.run("fan", json!({})).await;
    let html = page(&server, &format!("/runs/{}", run["id"].as_str().unwrap())).await;
    assert!(html.contains("500 × noop") && html.contains("500/500"));
    assert!(html.contains("More steps"));
}
