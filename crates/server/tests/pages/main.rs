//! Every page with a sample of what it shows, as text, and every link on it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../api/harness.rs"]
#[expect(dead_code, reason = "the API's tests use more of it")]
mod harness;

mod approvals;
mod audit;
mod diff;
mod drawer;
mod elsewhere;
mod inbox;
mod interventions;
mod oncall;
mod timeline;
mod units;

use axum::http::Method;
use harness::*;
use serde_json::json;

const SAMPLE: &str = include_str!("sample.yaml");

/// Asks like a browser.
async fn open(server: &Server, path: &str) -> Answer {
    let request = request(Method::GET, path).header("accept", "text/html,*/*;q=0.8");
    server.send(request.body(String::new().into()).unwrap()).await
}

async fn page(server: &Server, path: &str) -> String {
    let answer = open(server, path).await;
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
        // The token differs each time.
        if tag.contains("name=\"csrf\"") {
            told.push_str("\n[token]");
        } else if name == "input" || name == "textarea" {
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
    let html = page(&server, &format!("/runs/{run}")).await;
    // How many marks the timeline has, and what it says of waits, differs each time.
    let (before, rest) = html.split_once("<div id=\"timeline\"").unwrap();
    let (_, after) = rest.split_once("</div>").unwrap();
    insta::assert_snapshot!("run", told(&format!("{before}{after}")));
    let html = page(&server, "/flows").await;
    // How long a run took differs each time.
    let (before, rest) = html.split_once("<svg class=\"spark\"").unwrap();
    let (_, after) = rest.split_once("</svg>").unwrap();
    insta::assert_snapshot!("flows", told(&format!("{before}{after}")));
    let workflow = page(&server, "/workflows/Sample%20%26%20more").await;
    insta::assert_snapshot!("workflow", told(&workflow));
    insta::assert_snapshot!("problem", told(&page(&server, "/problems/bad-json").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_server_says_what_to_do() {
    let server = Server::new();
    assert!(page(&server, "/runs").await.contains("Nothing has run yet"));
    assert!(page(&server, "/flows").await.contains("windlass workflow deploy"));
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

/// A form as a page has it, with its token.
async fn send_form(server: &Server, path: &str, form: &str) -> Answer {
    let token = server.house.app.gate.sessions.form_token("local");
    send_raw_form(server, path, &format!("{form}&csrf={token}")).await
}

async fn send_raw_form(server: &Server, path: &str, form: &str) -> Answer {
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

/// The value of a form's hidden field.
fn hidden_field(html: &str, name: &str) -> String {
    let field = format!("name=\"{name}\" value=\"");
    let rest = html.split(&field).nth(1).unwrap_or_else(|| panic!("no `{name}` in {html}"));
    rest.split('"').next().unwrap().to_owned()
}

async fn with_cookie(
    server: &Server,
    method: Method,
    path: &str,
    cookie: &str,
    form: &str,
) -> Answer {
    let request = request(method, path)
        .header("accept", "text/html")
        .header("cookie", cookie)
        .header("content-type", "application/x-www-form-urlencoded");
    server.send(request.body(form.to_owned().into()).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_with_a_key_and_out_again() {
    let server = Server::closed();
    let made = server.key(json!({ "name": "op", "role": "operator" })).await;
    let key = made["key"].as_str().unwrap();
    server.ask_as(ADMIN, Method::POST, "/api/v1/workflows", WAIT).await;
    let away = open(&server, "/workflows/wait?version=1").await;
    assert_eq!(away.status, 303);
    assert_eq!(away.header("location"), "/login?next=%2Fworkflows%2Fwait%3Fversion%3D1");
    let login = page(&server, away.header("location")).await;
    assert_eq!(hidden_field(&login, "next"), "&#x2f;workflows&#x2f;wait?version=1");
    assert!(!login.contains("dev-login"));
    let wrong = send_raw_form(&server, "/login", "key=wl_nope&next=/runs").await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.body.as_str().unwrap().contains("not known here"), "{}", wrong.body);
    let dev = send_raw_form(&server, "/login", "dev=true&next=/runs").await;
    assert_eq!(dev.status, 401, "only `windlass dev` lets people in without a key");

    let form = format!("key={key}&next=/workflows/wait");
    let signed_in = send_raw_form(&server, "/login", &form).await;
    assert_eq!((signed_in.status.as_u16(), signed_in.header("location")), (303, "/workflows/wait"));
    let set = signed_in.header("set-cookie");
    assert!(set.contains("; HttpOnly; SameSite=Lax") && !set.contains("Secure"), "{set}");
    assert!(!set.contains(key), "the cookie is not the key");
    let cookie = set.split(';').next().unwrap();
    let html = with_cookie(&server, Method::GET, "/workflows/wait", cookie, "").await;
    let html = html.body.as_str().unwrap();
    assert!(html.contains("key:op · operator") && html.contains("Sign out"), "{html}");
    let token = hidden_field(html, "csrf");

    // A form without its token, with that of another session, and with its own.
    let run = "/workflows/wait/run";
    for bad in ["", "csrf=", &format!("csrf={}", server.house.app.gate.sessions.form_token("x"))] {
        let answer =
            with_cookie(&server, Method::POST, run, cookie, &format!("json=%7B%7D&{bad}")).await;
        assert_eq!(answer.problem(), "csrf", "{bad}");
    }
    let good = format!("json=%7B%7D&csrf={token}");
    let started = with_cookie(&server, Method::POST, run, cookie, &good).await;
    assert_eq!(started.status, 303, "{}", started.body);
    assert!(started.header("location").starts_with("/runs/"));
    // The API takes the session too, but lets it change nothing without the token.
    let api = "/api/v1/workflows/wait/execute";
    assert_eq!(with_cookie(&server, Method::POST, api, cookie, "").await.problem(), "csrf");
    let path = started.header("location").to_owned();
    let json = with_cookie(&server, Method::GET, &format!("/api/v1{path}"), cookie, "").await;
    assert_eq!(json.status, 200);

    let out = with_cookie(&server, Method::POST, "/logout", cookie, &format!("csrf={token}")).await;
    assert!(out.header("set-cookie").contains("Max-Age=0"), "{}", out.header("set-cookie"));
    let path = format!("/api/v1/keys/{}", made["id"].as_str().unwrap());
    server.ask_as(ADMIN, Method::DELETE, &path, "").await;
    let late = with_cookie(&server, Method::GET, "/runs", cookie, "").await;
    assert_eq!(late.status, 303, "the session has ended with its key");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_is_for_tls_only_behind_tls() {
    let server = Server::closed();
    let request = request(Method::POST, "/login")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-forwarded-proto", "https");
    let form = format!("key={}", ADMIN.replace(' ', "+"));
    let answer = server.send(request.body(form.into()).unwrap()).await;
    assert!(answer.header("set-cookie").ends_with("; Secure"), "{}", answer.header("set-cookie"));
    let odd = send_raw_form(&server, "/login", "key=x&next=//example.org").await;
    assert_eq!(odd.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_is_offered_nothing_to_change() {
    let server = Server::closed();
    let made = server.key(json!({ "name": "v", "role": "viewer" })).await;
    let key = made["key"].as_str().unwrap();
    server.ask_as(ADMIN, Method::POST, "/api/v1/workflows", WAIT).await;
    let run = server.ask_as(ADMIN, Method::POST, "/api/v1/workflows/wait/execute", "").await.body;
    let run = format!("/runs/{}", run["id"].as_str().unwrap());
    for path in ["/workflows/wait", &run] {
        let html = server.page_as(key, path).await.body;
        assert!(!html.as_str().unwrap().contains("method=\"post\""), "{path}: {html}");
        let html = server.page_as(ADMIN, path).await.body;
        assert!(html.as_str().unwrap().contains("method=\"post\""), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_have_a_token_even_while_nobody_needs_a_key() {
    let server = Server::new();
    server.deploy(WAIT).await;
    let answer = send_raw_form(&server, "/workflows/wait/run", "json=%7B%7D").await;
    assert_eq!(answer.problem(), "csrf");
    let html = page(&server, "/workflows/wait").await;
    let form = format!("json=%7B%7D&csrf={}", hidden_field(&html, "csrf"));
    assert_eq!(send_raw_form(&server, "/workflows/wait/run", &form).await.status, 303);
}

/// The numbers after `name` in a picture, wherever it is.
fn numbers(svg: &str, name: &str) -> Vec<f64> {
    let values = svg.split(name).skip(1);
    values
        .map(|rest| rest.split(['"', ' ', 'V', 'Q', 'H']).next().unwrap().parse().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn edges_that_jump_back_are_drawn_beside_the_boxes() {
    let server = Server::new();
    let text = "name: jumps\nnodes:\n  - {id: draft, type: noop}\n  - {id: review, type: noop, \
                needs: [draft]}\n  - {id: good, type: noop, needs: [review]}\nedges:\n  - {source: \
                good, target: draft, when: 'run.id == \"\"', max_visits: 3}\n";
    server.deploy(text).await;
    let html = page(&server, "/workflows/jumps").await;
    let from = html.find("<svg class=\"graph\"").unwrap();
    let svg = &html[from..from + html[from..].find("</svg>").unwrap()];
    assert!(svg.contains("good jumps back to draft, which runs 3 times at most"), "{svg}");
    assert!(svg.contains(">if, 3×</text>"), "{svg}");
    let jump = svg.split("edge-jump\" d=\"").nth(1).unwrap().split('"').next().unwrap();
    let lane = numbers(jump, "Q")[0];
    let (width, rects) = (numbers(svg, "width=\"")[0], svg.split("<rect").skip(1));
    for rect in rects {
        assert!(numbers(rect, " x=\"")[0] + numbers(rect, "width=\"")[0] < lane, "{svg}");
    }
    assert!(lane < width, "{svg}");
    let from = numbers(jump, "M")[0];
    let to: f64 = jump.rsplit('H').next().unwrap().parse().unwrap();
    assert!((from - to).abs() < 0.1, "both boxes end at the same place: {jump}");
}
