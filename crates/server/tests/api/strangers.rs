//! What belongs to another project, as the facades see it: it was never there.

use axum::http::Method;
use serde_json::{Value, json};
use windlass_engine::shard::id_in;

use crate::chameleon::{ALICE, REFUND_DESK};
use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_units_instances_and_tasks_are_unknown() {
    let server = Server::closed();
    let key = async |project: &str| {
        let made =
            server.key(json!({ "name": project, "role": "admin", "project": project })).await;
        made["key"].as_str().unwrap().to_owned()
    };
    let (own, stranger) = (key("one").await, key("two").await);
    let ask = async |key: &str, path: &str, body: &Value| {
        server.ask_as(key, Method::POST, path, body.to_string()).await
    };
    for project in [&own, &stranger] {
        let imported = server.ask_as(project, Method::POST, "/api/v1/templates", REFUND_DESK).await;
        assert_eq!(imported.status, 201, "{}", imported.body);
    }
    let wanted = json!({ "template_id": "Refund_Desk", "initial_context": { "total": 9 } });
    let instance = ask(&own, "/workflow/instantiate", &wanted).await.body["workflow_id"].clone();
    let instance = instance.as_str().unwrap().to_owned();
    let role = id_in(instance.parse().unwrap(), "role/Refund_Desk/Splitter").to_string();
    let checkout = json!({ "actor_id": ALICE, "role_id": role });
    let first = ask(&stranger, "/workflow/checkout", &checkout).await;
    assert_eq!((first.status.as_u16(), &first.body["code"]), (404, &json!("role-not-found")));
    let unit = ask(&own, "/workflow/checkout", &checkout).await.body;
    let uow = unit["uow_id"].as_str().unwrap().to_owned();
    // Now the role is known, and still not theirs; and nobody tells them of what it is.
    let again = ask(&stranger, "/workflow/checkout", &checkout).await;
    assert_eq!(again.body, first.body);
    assert!(!again.body.to_string().contains(&instance), "{}", again.body);

    let actor = json!({ "actor_id": ALICE });
    let done = json!({ "uow_id": uow, "actor_id": ALICE, "result_attributes": {} });
    let failed = json!({ "uow_id": uow, "actor_id": ALICE, "error_code": "x" });
    let kill = json!({ "instance_id": instance, "reason": "fire" });
    let text = json!({ "text": "x" });
    let reason = json!({ "reason": "x" });
    for (path, body) in [
        (format!("/workflow/uow/{uow}/heartbeat"), &actor),
        ("/workflow/submit".to_owned(), &done),
        ("/workflow/failure".to_owned(), &failed),
        (format!("/uows/{uow}/complete"), &done),
        ("/pilot/kill-switch".to_owned(), &kill),
        (format!("/pilot/clarification/{uow}"), &text),
        (format!("/pilot/waive/{uow}/split_in_guardian"), &reason),
        (format!("/pilot/resume/{uow}"), &json!({})),
        (format!("/pilot/cancel/{uow}"), &reason),
        (format!("/api/v1/instances/{instance}/pause"), &json!({})),
        (format!("/api/v1/uows/{uow}/cancel"), &reason),
        (format!("/api/v1/tasks/{uow}/heartbeat"), &json!({ "worker": ALICE, "fence": 1 })),
    ] {
        let answer = ask(&stranger, &path, body).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
    }
    for path in [
        format!("/uows/{uow}"),
        format!("/workflows/{instance}/status"),
        format!("/workflows/{instance}/uows"),
        format!("/api/v1/instances/{instance}"),
        format!("/api/v1/uows/{uow}/attributes"),
    ] {
        let answer = server.get_as(&stranger, &path).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
        assert_eq!(server.get_as(&own, &path).await.status, 200, "{path}");
    }
    // A request to their pilots is not one to others.
    assert_eq!(ask(&own, "/pilot/kill-switch", &kill).await.status, 200);
    let asked = server.get_as(&own, "/api/interventions/pending").await.body;
    let request = asked[0]["request_id"].as_str().unwrap().to_owned();
    assert_eq!(server.get_as(&stranger, "/api/interventions/pending").await.body, json!([]));
    let path = format!("/api/interventions/{request}/approve");
    assert_eq!(ask(&stranger, &path, &json!({})).await.status, 404);
    assert_eq!(ask(&own, &path, &json!({})).await.status, 200);
    assert_eq!(ask(&own, "/workflow/checkout", &checkout).await.body["uow_id"], unit["uow_id"]);
    assert_eq!(ask(&own, "/workflow/submit", &done).await.status, 200);
}
