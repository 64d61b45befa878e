//! Templates, instances, units of work, queues and workers.

use super::*;

pub(crate) const REFUND_DESK: &str =
    include_str!("../../../../examples/templates/refund_desk.yaml");

/// A text as a form sends it.
pub(crate) fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Sends a form that leads elsewhere; where to.
pub(crate) async fn led(server: &Server, path: &str, form: &str) -> String {
    let answer = send_form(server, path, form).await;
    assert_eq!(answer.status, 303, "{path}: {}", answer.body);
    answer.header("location").to_owned()
}

/// An instance of Refund Desk, as its page's address.
pub(crate) async fn desk(server: &Server, name: &str, context: &str) -> String {
    let form = format!("name={}&context={}", encoded(name), encoded(context));
    led(server, "/templates/Refund_Desk/instantiate", &form).await
}

pub(crate) async fn with_desk() -> Server {
    let server = Server::new();
    server.deploy(REFUND_DESK).await;
    server
}

/// Takes a unit in a role, as a program does.
pub(crate) async fn take(server: &Server, instance: &str, role: &str) -> serde_json::Value {
    let instance = instance.rsplit('/').next().unwrap();
    let question = json!({
        "worker": "robot", "units": [{ "instance": instance, "role": role }], "wait": "20s",
    });
    let answer = server.post("/api/v1/tasks/poll", question).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["tasks"][0].clone()
}

/// Says what has come of it.
pub(crate) async fn complete(
    server: &Server,
    task: &serde_json::Value,
    attributes: serde_json::Value,
) {
    let body = json!({
        "worker": "robot", "fence": task["fence"], "attributes": attributes, "reasoning": "by rule 7",
    });
    let path = format!("/api/v1/tasks/{}/complete", task["id"].as_str().unwrap());
    assert_eq!(server.post(&path, body).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_drawn_with_roles_interactions_and_guardians() {
    let server = with_desk().await;
    assert!(page(&server, "/templates").await.contains("href=\"/templates/Refund_Desk\""));
    let html = page(&server, "/templates/Refund_Desk").await;
    let svg = &html[html.find("<svg class=\"graph template-graph\"").unwrap()..];
    let svg = &svg[..svg.find("</svg>").unwrap()];
    assert_eq!(svg.matches("class=\"role is-").count(), 7, "{svg}");
    assert_eq!(svg.matches("class=\"interaction\"").count(), 6, "{svg}");
    assert_eq!(svg.matches("class=\"guard").count(), 5, "{svg}");
    assert!(svg.contains("role is-epsilon") && svg.contains(">ε</text>"), "{svg}");
    let told = "Closer (OMEGA) takes from Settled by close_in, guarded by all_home (CERBERUS).";
    assert!(svg.contains(told), "{svg}");
    // A template is no graph of nodes, and has one page.
    let other = open(&server, "/workflows/Refund_Desk").await;
    assert_eq!((other.status.as_u16(), other.header("location")), (303, "/templates/Refund_Desk"));
    let list = page(&server, "/flows").await.replace("&#x2f;", "/");
    assert!(list.contains("href=\"/templates/Refund_Desk\""), "{list}");
    let no_template = send_form(&server, "/templates/nope/instantiate", "name=x").await;
    assert_eq!(no_template.status, 404);
    assert!(no_template.body.as_str().unwrap().contains("template-not-found"));
    server.deploy(WAIT).await;
    assert_eq!(server.get("/templates/wait").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_into_a_refused_form_is_there_again() {
    let server = with_desk().await;
    let path = "/templates/Refund_Desk/instantiate";
    let refused = send_form(&server, path, "name=Mine&context=%5B1%5D").await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    let html = refused.body.as_str().unwrap();
    assert!(html.contains("value=\"Mine\"") && html.contains(">[1]</textarea>"), "{html}");
    assert!(html.contains("a JSON object is expected"), "{html}");
    assert!(page(&server, "/instances").await.contains("No instances yet"), "nothing was made");

    let desk = desk(&server, "Mine", "").await;
    let refused =
        send_form(&server, &format!("{desk}/uows"), "attributes=%7B%7D&priority=high").await;
    assert_eq!(refused.status, 400);
    let html = refused.body.as_str().unwrap();
    assert!(html.contains("value=\"high\"") && html.contains("a whole number"), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_says_how_many_units_are_where() {
    let server = with_desk().await;
    let desk = desk(&server, "A < B", r#"{"total": 12, "flagged": false}"#).await;
    let html = page(&server, &desk).await;
    assert!(
        html.contains("A &lt; B") && html.contains("<title>Requests: 1 waiting</title>"),
        "{html}"
    );
    let unit = led(&server, &format!("{desk}/uows"), "attributes=%7B%22total%22%3A%20300%7D").await;
    assert!(page(&server, &desk).await.contains("<title>Requests: 2 waiting</title>"));
    let task = take(&server, &desk, "Splitter").await;
    let html = page(&server, &desk).await;
    assert!(html.contains("<title>Requests: 1 waiting, 1 in hand</title>"), "{html}");
    assert!(html.contains("robot <span class=\"quiet\">as Splitter</span>"), "{html}");
    complete(&server, &task, json!({})).await;
    let html = page(&server, &desk).await;
    assert!(html.contains("<title>Line_Queue: 1 waiting</title>"), "{html}");
    // Only those that are asked for.
    let few = page(&server, &format!("{desk}?place=Line_Queue&status=pending")).await;
    assert_eq!(few.matches("data-row id=\"unit-").count(), 1, "{few}");
    assert!(!few.contains(unit.rsplit('/').next().unwrap()));
    let none = page(&server, &format!("{desk}?status=paused")).await;
    assert!(none.contains("No units of work here"));
    assert_eq!(server.get(&format!("{desk}?status=odd")).await.status, 400);
    assert_eq!(server.get("/instances/nope").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_paused_resumed_and_put_away() {
    let server = with_desk().await;
    let desk = desk(&server, "Desk", r#"{"total": 12}"#).await;
    let instance = desk.rsplit('/').next().unwrap();
    let poll = async || {
        let units = json!([{ "instance": instance, "role": "Splitter" }]);
        let question = json!({ "worker": "robot", "units": units });
        server.post("/api/v1/tasks/poll", question).await
    };
    // Whoever asks has been known before, and is told of the change all the same.
    let task = poll().await.body["tasks"][0].clone();
    let release = format!("/api/v1/tasks/{}/release", task["id"].as_str().unwrap());
    let hold = json!({ "worker": "robot", "fence": task["fence"] });
    assert_eq!(server.post(&release, hold).await.status, 204);
    led(&server, &format!("{desk}/pause"), "").await;
    assert_eq!(poll().await.status, 204, "nothing of a paused one");
    let html = page(&server, &desk).await.replace("&#x2f;", "/");
    assert!(html.contains("id=\"resume\"") && !html.contains("id=\"add-unit\""), "{html}");
    assert!(page(&server, "/instances?status=paused").await.contains(&desk));
    let late = send_form(&server, &format!("{desk}/uows"), "attributes=%7B%7D").await;
    assert_eq!(late.status, 409);
    assert!(late.body.as_str().unwrap().contains("the instance is paused"));
    led(&server, &format!("{desk}/resume"), "").await;
    let again = poll().await.body["tasks"][0].clone();
    assert_eq!(again["id"], task["id"]);
    let slip = send_form(&server, &format!("{desk}/archive"), "").await;
    assert_eq!(slip.status, 400, "not by a slip of the hand");
    led(&server, &format!("{desk}/archive"), "confirm=yes").await;
    assert!(!page(&server, &desk).await.contains("method=\"post\""));
    assert_eq!(send_form(&server, &format!("{desk}/resume"), "").await.status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_given_to_somebody_is_theirs_alone() {
    let server = with_desk().await;
    let desk = desk(&server, "Desk", r#"{"total": 12}"#).await;
    let form = "actor=local&role=Splitter&kind=HUMAN";
    led(&server, &format!("{desk}/actors"), form).await;
    let html = page(&server, &desk).await;
    assert!(html.contains("<strong>local</strong> <span class=\"quiet\">human</span>"), "{html}");
    let instance = desk.rsplit('/').next().unwrap();
    let question = json!({
        "worker": "robot", "units": [{ "instance": instance, "role": "Splitter" }],
    });
    let refused = server.post("/api/v1/tasks/poll", question).await;
    assert_eq!(refused.problem(), "not-assigned");
    let id = hidden_field(&html, "assignment");
    led(&server, &format!("{desk}/actors/revoke"), &format!("assignment={id}")).await;
    take(&server, &desk, "Splitter").await;
    let odd = send_form(&server, &format!("{desk}/actors"), "actor=x&role=Nobody&kind=HUMAN").await;
    assert_eq!(odd.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_tells_its_life() {
    let server = with_desk().await;
    let desk = desk(&server, "Desk", "").await;
    let form =
        format!("attributes={}&reasoning=by+phone", encoded(r#"{"total": 250, "note": "<b>"}"#));
    let unit = led(&server, &format!("{desk}/uows"), &form).await;
    let html = page(&server, &unit).await;
    assert!(html.contains("“by phone”") && !html.contains("<b>"), "{html}");
    assert!(html.contains("waits at <code>Requests</code> for an actor as Splitter"), "{html}");
    let task = take(&server, &desk, "Splitter").await;
    let html = page(&server, &unit).await;
    assert!(html.contains("as Splitter, for 4m5"), "the lease: {html}");
    complete(&server, &task, json!({ "total": 260 })).await;
    let told = told(&page(&server, &unit).await);
    for expected in [
        "submitted\nat\nManual_Queue",
        "“by rule 7”",
        "wrote total",
        "1 earlier",
        "v2 by robot",
        "split_in_guardian\nCRITERIA_GATE",
        "manual_if_big",
    ] {
        assert!(told.contains(expected), "no {expected}: {told}");
    }
    // A program gets JSON from the same address.
    let program = server.get(&unit).await;
    assert!(!program.header("content-type").starts_with("text/html"));
    let request = request(Method::GET, "/uows/nobody").header("accept", "text/html");
    let none = server.send(request.body(String::new().into()).unwrap()).await;
    assert_eq!(none.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_token_run_shows_its_units_now_and_then() {
    let server = with_desk().await;
    let desk = desk(&server, "Desk", r#"{"total": 250, "flagged": true}"#).await;
    let task = take(&server, &desk, "Splitter").await;
    complete(&server, &task, json!({})).await;
    let run = format!("/runs/{}", task["run_id"].as_str().unwrap());
    let html = page(&server, &run).await;
    assert!(html.contains("<title>Manual_Queue: 1 waiting</title>"), "{html}");
    assert!(html.contains(&format!("href=\"{desk}\"")) && html.contains("id=\"units\""), "{html}");
    assert!(!html.contains("Timeline"), "{html}");
    let then = page(&server, &format!("{run}?at=3")).await;
    assert!(then.contains("<title>Requests: 1 waiting</title>"), "{then}");
    let list = page(&server, "/runs").await.replace("&#x2f;", "/");
    assert!(list.contains(&format!("href=\"{desk}\"")), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_and_workers_say_who_has_what() {
    let server = with_desk().await;
    assert!(page(&server, "/queues").await.contains("Nothing waits"));
    assert!(page(&server, "/workers").await.contains("Nobody was heard of"));
    let desk = desk(&server, "Desk", r#"{"total": 1}"#).await;
    led(&server, &format!("{desk}/uows"), "attributes=%7B%22total%22%3A2%7D&priority=7").await;
    let task = take(&server, &desk, "Splitter").await;
    let html = page(&server, "/queues").await;
    let name = format!("{}/Refund_Desk/Requests", desk.rsplit('/').next().unwrap());
    let queue = format!("/queues/{}", encoded(&name));
    assert!(html.contains(&format!("href=\"{queue}\"")), "{html}");
    let html = page(&server, &queue).await;
    let held = told(&html);
    assert!(held.contains("robot\nfor ") && held.contains("\nwaits"), "{held}");
    let unit = format!("/uows/{}", task["id"].as_str().unwrap());
    assert!(html.replace("&#x2f;", "/").contains(&unit), "{html}");
    let html = page(&server, "/workers").await;
    assert!(html.contains("<strong>robot</strong>") && html.contains(" left"), "{html}");
    assert_eq!(server.get("/queues/nope").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_may_look_at_units_and_do_nothing() {
    let server = Server::closed();
    let key = server.key(json!({ "name": "v", "role": "viewer" })).await;
    let key = key["key"].as_str().unwrap();
    server.ask_as(ADMIN, Method::POST, "/api/v1/workflows", REFUND_DESK).await;
    let request = request(Method::POST, "/templates/Refund_Desk/instantiate")
        .header("authorization", format!("Bearer {ADMIN}"))
        .header("content-type", "application/x-www-form-urlencoded");
    let made = server.send(request.body("context=%7B%22total%22%3A1%7D".into()).unwrap()).await;
    assert_eq!(made.status, 303, "{}", made.body);
    let desk = made.header("location");
    for path in
        ["/templates", "/templates/Refund_Desk", desk, "/queues", "/inbox", "/interventions"]
    {
        let html = server.get_as(key, path).await.body;
        assert!(!html.as_str().unwrap().contains("method=\"post\""), "{path}: {html}");
    }
    for path in [format!("{desk}/uows"), format!("{desk}/kill-switch"), format!("{desk}/pause")] {
        let answer = server.ask_as(key, Method::POST, &path, "").await;
        assert_eq!(answer.problem(), "forbidden", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn units_of_other_projects_are_as_unknown_as_what_was_never_there() {
    let server = Server::closed();
    let other = server.key(json!({ "name": "o", "role": "admin", "project": "other" })).await;
    let other = other["key"].as_str().unwrap();
    server.ask_as(ADMIN, Method::POST, "/api/v1/workflows", REFUND_DESK).await;
    let request = request(Method::POST, "/templates/Refund_Desk/instantiate")
        .header("authorization", format!("Bearer {ADMIN}"))
        .header("content-type", "application/x-www-form-urlencoded");
    let made = server.send(request.body("context=%7B%22total%22%3A1%7D".into()).unwrap()).await;
    let desk = made.header("location");
    assert_eq!(server.get_as(other, desk).await.status, 404);
    assert_eq!(server.get_as(other, "/templates/Refund_Desk").await.status, 404);
    for path in ["/instances", "/templates", "/queues", "/inbox", "/workers"] {
        let html = server.get_as(other, path).await.body;
        assert!(!html.as_str().unwrap().contains("Requests"), "{path}: {html}");
        assert!(!html.as_str().unwrap().contains("Refund"), "{path}: {html}");
    }
}
