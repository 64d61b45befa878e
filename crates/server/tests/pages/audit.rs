//! The audit log as a page.

use axum::http::Method;
use serde_json::json;

use crate::harness::*;

async fn audit(server: &Server, key: &str, path: &str) -> String {
    let answer = server.get_as(key, path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body.as_str().unwrap().to_owned()
}

/// The numbers of the records that a page shows, in their order.
fn numbers(html: &str) -> Vec<u32> {
    let cells = html.split("data-label=\"No.\" class=\"number\">").skip(1);
    cells.map(|cell| cell.split('<').next().unwrap().parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_sees_who_changed_what_the_newest_first() {
    let server = Server::closed();
    server.ask_as(ADMIN, Method::POST, "/api/v1/workflows", WAIT).await;
    let made = server.key(json!({ "name": "curious", "role": "operator" })).await;
    let operator = made["key"].as_str().unwrap();
    let refused =
        server.ask_as(operator, Method::POST, "/api/v1/workflows/nobody/pause", "{}").await;
    assert_eq!(refused.problem(), "workflow-not-found");
    for _ in 0..60 {
        server.ask_as(ADMIN, Method::POST, "/api/v1/workflows/wait/pause", "{}").await;
    }
    let html = audit(&server, ADMIN, "/audit").await;
    assert!(html.contains("The chain holds") && html.contains("All 63 records"), "{html}");
    assert_eq!(numbers(&html), (14..=63).rev().collect::<Vec<_>>());
    assert!(html.contains("workflow wait</a>") && html.contains("workflow.pause"), "{html}");
    let older = audit(&server, ADMIN, "/audit?before=14").await;
    assert!(html.contains("href=\"/audit?before=14\""), "{html}");
    assert_eq!(numbers(&older), (1..=13).rev().collect::<Vec<_>>());
    assert!(!older.contains(">Older<") && older.contains(">Newest<"));
    assert!(older.contains("key:curious") && older.contains(">404<"), "what was refused is there");
    assert!(!older.contains(operator), "keys are not");
    // Who is no admin does not see it, and is not led to it.
    assert_eq!(server.get_as(operator, "/audit").await.status, 403);
    assert!(!audit(&server, operator, "/runs").await.contains("href=\"/audit\""));
    assert!(audit(&server, ADMIN, "/runs").await.contains("href=\"/audit\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_of_a_project_sees_that_project_only() {
    let server = Server::closed();
    server.ask_as(ADMIN, Method::POST, "/api/v1/workflows", WAIT).await;
    let made = server.key(json!({ "name": "boss", "role": "admin", "project": "other" })).await;
    let boss = made["key"].as_str().unwrap();
    let empty = audit(&server, boss, "/audit").await;
    assert!(empty.contains("Nothing here") && !empty.contains("chain"), "{empty}");
    server.ask_as(boss, Method::POST, "/api/v1/workflows", WAIT).await;
    server.ask_as(boss, Method::POST, "/api/v1/workflows/wait/pause", "{}").await;
    server.ask_as(ADMIN, Method::POST, "/api/v1/workflows/wait/pause", "{}").await;
    // Who sees all records is not led from those of others to something of their own.
    let all = audit(&server, ADMIN, "/audit").await;
    let links = all.matches("href=\"&#x2f;workflows&#x2f;wait\"").count();
    assert_eq!(links, 2, "a record of `other` leads to the workflow of `default`: {all}");
    let own = audit(&server, boss, "/audit?check=true").await;
    assert_eq!(numbers(&own), [4, 3]);
    assert!(!own.contains("chain"), "the chain is the whole server's");
}
