//! Templates and instances: what they are made of, and everything that is wrong with a request.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::*;
use crate::refund_desk::*;

async fn import(server: &Server, text: &str) -> Answer {
    server.ask(Method::POST, "/api/v1/templates", text.to_owned()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_imported_shown_exported_and_deleted() {
    let server = Server::new();
    server.deploy(ADD).await;
    let first = import(&server, TEMPLATE).await;
    assert_eq!((first.status.as_u16(), &first.body["version"]), (201, &json!(1)));
    assert_eq!(import(&server, TEMPLATE).await.status, 200, "the same changes nothing");
    let changed = TEMPLATE.replace("see big ones", "see the big ones");
    let second = import(&server, &changed).await;
    assert_eq!((second.status.as_u16(), &second.body["version"]), (201, &json!(2)));
    let listed = server.get("/api/v1/templates").await.body["items"].clone();
    let told: Vec<_> =
        listed.as_array().unwrap().iter().map(|one| json!([one["name"], one["version"]])).collect();
    assert_eq!(told, [json!(["Refund_Desk", 2])], "no graph is among them");

    let path = "/api/v1/templates/Refund_Desk";
    let shown = server.get(path).await;
    assert_eq!(shown.header("etag"), second.header("etag"));
    assert_eq!(json!([shown.body["role_count"], shown.body["author_version"]]), json!([7, 1]));
    let known = request(Method::GET, path).header("if-none-match", shown.header("etag"));
    assert_eq!(server.send(known.body(Body::empty()).unwrap()).await.status, 304);
    let old = server.get(&format!("{path}?version=1&format=json")).await.body;
    assert!(old["workflow"]["description"].as_str().unwrap().ends_with("see big ones."));
    let yaml = server.get(&format!("{path}?format=yaml")).await;
    assert_eq!(yaml.header("content-type"), "application/yaml");
    let again = import(&server, yaml.body.as_str().unwrap()).await;
    assert_eq!(again.body["definition"], shown.body["definition"], "it reads as the same");
    let dot = server.get(&format!("{path}?format=dot")).await;
    assert!(dot.body.as_str().unwrap().starts_with("digraph \"Refund_Desk\""), "{}", dot.body);
    let svg = server.get(&format!("{path}?format=svg")).await;
    assert_eq!(svg.header("content-type"), "image/svg+xml");
    let drawn = svg.body.as_str().unwrap();
    assert!(drawn.starts_with("<svg xmlns=") && drawn.contains("Graph of Refund_Desk"), "{drawn}");
    for odd in ["?format=svgz", "?version=0", "?version=x"] {
        assert_eq!(server.get(&format!("{path}{odd}")).await.problem(), "bad-parameter", "{odd}");
    }
    for none in ["/api/v1/templates/add", "/api/v1/templates/none", &format!("{path}?version=9")] {
        assert_eq!(server.get(none).await.problem(), "template-not-found", "{none}");
    }
    let matched = async |tag: &str, method: Method, path: &str, body: &str| {
        let request = request(method, path).header("if-match", tag);
        server.send(request.body(body.to_owned().into()).unwrap()).await
    };
    let stale = matched(first.header("etag"), Method::POST, "/api/v1/templates", TEMPLATE).await;
    assert_eq!(stale.problem(), "version-mismatch");
    let stale = matched(first.header("etag"), Method::DELETE, path, "").await;
    assert_eq!(stale.problem(), "version-mismatch");
    assert_eq!(server.ask(Method::DELETE, path, "").await.status, 204);
    assert_eq!(server.ask(Method::DELETE, path, "").await.problem(), "template-not-found");
    assert_eq!(server.ask(Method::DELETE, "/api/v1/templates/add", "").await.status, 404);
    assert_eq!(server.get("/api/v1/workflows/add").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_and_a_graph_do_not_take_each_others_place() {
    let server = Server::new();
    import(&server, TEMPLATE).await;
    let graph = "name: Refund_Desk\nnodes:\n  - {id: a, type: noop}\n";
    let refused = server.ask(Method::POST, "/api/v1/workflows", graph).await;
    assert_eq!(refused.problem(), "invalid-definition");
    assert_eq!(refused.body["errors"][0]["code"], "other-sort", "{}", refused.body);
    server.deploy(&graph.replace("Refund_Desk", "Desk_2")).await;
    let other = TEMPLATE.replace("name: Refund_Desk", "name: Desk_2");
    let refused = import(&server, &other).await;
    assert_eq!(refused.body["errors"][0]["code"], "other-sort", "{}", refused.body);
    assert_eq!(server.get("/api/v1/workflows/Desk_2").await.body["version"], 1);

    let refused = import(&server, graph).await;
    assert_eq!(refused.body["errors"][0]["code"], "not-a-template");
    assert_eq!(import(&server, "a: [").await.problem(), "bad-document");
    let broken = TEMPLATE
        .replace("role_type: TAU", "role_type: BETA")
        .replace("{name: Settled}", "{name: Settled}\n  - {name: Nowhere}");
    let refused = import(&server, &broken).await;
    assert_eq!(refused.problem(), "invalid-definition");
    let codes: Vec<&Value> =
        refused.body["errors"].as_array().unwrap().iter().map(|one| &one["code"]).collect();
    for code in ["r4", "r5", "r7"] {
        assert!(codes.iter().any(|one| **one == code), "{code}: {codes:?}");
    }

    // A template is not executed, by whatever way.
    for (path, body) in [("/api/v1/workflows/Refund_Desk/execute", json!({ "input": {} }))] {
        assert_eq!(server.post(path, body).await.problem(), "not-a-graph", "{path}");
    }
    let batch = json!({ "runs": [{ "input": {} }] });
    let batch = server.post("/api/v1/workflows/Refund_Desk/execute-batch", batch).await;
    assert!(batch.body.to_string().contains("not-a-graph"), "{}", batch.body);
}

/// Each rule broken once: the rule, and the names that the message has to have.
#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_a_rule_is_refused_with_the_rule_and_the_names() {
    let server = Server::new();
    let without = |part: &str| {
        let lines: Vec<&str> = TEMPLATE.lines().filter(|line| !line.contains(part)).collect();
        lines.join("\n")
    };
    let twice = |role: &str, kind: &str| {
        let more = format!("roles:\n  - {{name: {role}, role_type: {kind}}}");
        TEMPLATE.replacen("roles:", &more, 1)
    };
    let without_policies = || {
        let from = TEMPLATE.find("  - name: manual_if_big").unwrap();
        let to = TEMPLATE.find("  - {name: ate_guard").unwrap();
        format!("{}{}", &TEMPLATE[..from], &TEMPLATE[to..])
    };
    let payer = "{name: Payer,    role_type: BETA, strategy: HOMOGENEOUS}";
    let cases = [
        ("r1", twice("Door", "ALPHA"), vec!["Door", "Intake"]),
        ("r2", twice("End", "OMEGA"), vec!["End", "Closer"]),
        ("r3", twice("Nurse", "EPSILON"), vec!["Nurse", "Medic"]),
        ("r4", twice("Watch", "TAU"), vec!["Watch", "Clock"]),
        ("r5", TEMPLATE.replace(payer, "{name: Payer, role_type: BETA}"), vec!["Payer"]),
        ("r6", TEMPLATE.replacen("direction: OUTBOUND", "direction: UP", 1), vec!["intake_out"]),
        (
            "r7",
            TEMPLATE.replace("{name: Settled}", "{name: Settled}\n  - {name: Nowhere}"),
            vec!["Nowhere"],
        ),
        ("r8", without("ate_guard"), vec!["Medic", "medic_in"]),
        ("r9", TEMPLATE.replace("type: CERBERUS", "type: PASS_THRU"), vec!["Closer", "close_in"]),
        ("r10", without("name: intake_out"), vec!["Intake"]),
        ("r11", TEMPLATE.replace("total >= 200 or flagged", "actor_id == 7"), vec!["actor_id"]),
        ("r12", without_policies(), vec!["Splitter"]),
    ];
    for (rule, text, names) in cases {
        let refused = import(&server, &text).await;
        assert_eq!(refused.problem(), "invalid-definition", "{rule}");
        let errors = refused.body["errors"].as_array().unwrap();
        let found: Vec<&Value> = errors.iter().filter(|one| one["code"] == rule).collect();
        let is_named = |one: &&Value| {
            let message = one["message"].as_str().unwrap();
            message.contains(&rule.to_uppercase())
                && names.iter().all(|name| message.contains(name))
        };
        assert!(found.iter().any(is_named), "{rule} {names:?}: {errors:#?}");
        assert!(found.iter().all(|one| one["hint"].is_string()), "{rule}: {found:#?}");
    }
    assert_eq!(server.get("/api/v1/templates").await.body["items"], json!([]));
}

/// However often templates refer to one another, each is looked at once.
#[tokio::test(flavor = "multi_thread")]
async fn many_ways_to_a_template_are_one() {
    let server = Server::new();
    for level in 0..30 {
        let next = level + 1;
        let text = TEMPLATE.replace("name: Refund_Desk", &format!("name: L{level}")).replace(
            "strategy: HOMOGENEOUS}",
            &format!("strategy: HOMOGENEOUS, child_workflow_name: L{next}}}"),
        );
        let text = if level == 29 { text.replace(", child_workflow_name: L30", "") } else { text };
        let imported = import(&server, &text).await;
        assert_eq!(imported.status, 201, "{}", imported.body);
    }
    let made = server.post("/api/v1/instances", json!({ "template": "L0" })).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.body["workflows"].as_array().unwrap().len(), 30);
    let by_id = server.get("/api/v1/templates/L29").await.body["id"].clone();
    let odd = TEMPLATE.replace("name: Refund_Desk", "name: Odd").replacen(
        "strategy: HOMOGENEOUS}",
        &format!("strategy: HOMOGENEOUS, child_workflow_name: {by_id}}}"),
        1,
    );
    let imported = import(&server, &odd).await;
    assert_eq!(imported.status, 201, "{}", imported.body);
    let refused = server.post("/api/v1/instances", json!({ "template": "Odd" })).await;
    assert_eq!(refused.problem(), "invalid-definition", "{}", refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_role_refers_to_comes_with_the_instance() {
    let server = Server::new();
    let outer = TEMPLATE.replace(
        "{name: Payer,    role_type: BETA, strategy: HOMOGENEOUS}",
        "{name: Payer, role_type: BETA, strategy: HOMOGENEOUS, child_workflow_name: Payment}",
    );
    let imported = import(&server, &outer).await;
    assert_eq!(imported.status, 201, "{}", imported.body);
    assert_eq!(imported.body["findings"][0]["code"], "child-missing");
    let wanted = json!({ "template": "Refund_Desk" });
    let refused = server.post("/api/v1/instances", wanted.clone()).await;
    assert_eq!(refused.problem(), "template-not-found");
    assert!(refused.body["detail"].as_str().unwrap().contains("Payment"), "{}", refused.body);
    import(&server, &TEMPLATE.replace("name: Refund_Desk", "name: Payment")).await;
    let made = server.post("/api/v1/instances", wanted).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.body["name"], "Instance_Refund_Desk");
    let names: Vec<&Value> =
        made.body["workflows"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["Refund_Desk", "Payment"]);
    let shown = server.get(&format!("/api/v1/instances/{}", id(&made.body))).await.body;
    assert_eq!(shown["workflows"], made.body["workflows"], "ids stay the same");
    let inner = &shown["workflows"][1];
    for part in ["roles", "interactions", "components", "guardians"] {
        let first = &inner[part][0];
        assert!(first["id"].is_string() && first["name"].is_string(), "{part}: {first}");
    }
    assert_eq!(inner["roles"][1]["takes_from"], json!(["Requests"]));
    assert_eq!(inner["roles"][1]["hands_on_to"], json!(["Manual_Queue", "Line_Queue"]));

    // A later version changes nothing of it.
    import(&server, &TEMPLATE.replace("Closer", "Ender")).await;
    let again = server.get(&format!("/api/v1/instances/{}", id(&made.body))).await.body;
    assert_eq!(again["workflows"], shown["workflows"]);

    // The master has a role of the same name, which is another one.
    let instance = id(&made.body);
    let actors = format!("/api/v1/instances/{instance}/actors");
    let ada = json!({ "actor": "ada", "role": "Payment/Splitter" });
    let assigned = server.post(&actors, ada).await;
    assert_eq!(
        (assigned.status.as_u16(), &assigned.body["role"]),
        (201, &json!("Payment/Splitter"))
    );
    let poll = async |role: &str| {
        let units = json!([{ "instance": instance, "role": role }]);
        server.post("/api/v1/tasks/poll", json!({ "worker": "bob", "units": units })).await
    };
    assert_eq!(poll("Splitter").await.status, 204);
    assert_eq!(poll("Payment/Splitter").await.problem(), "not-assigned");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_is_named() {
    let desk = Desk::new().await;
    let base = desk.add(json!({ "attributes": { "total": 300 } })).await;
    let nobody = "00000000-0000-0000-0000-000000000000";
    let long = "x".repeat(201);
    let deep = (0..110).fold(json!(1), |inner, _| json!([inner]));
    let large = "x".repeat(1024 * 1024 + 1);
    let uows = "/api/v1/instances/Desk/uows";
    let actors = "/api/v1/instances/Desk/actors";
    let waive = format!("/api/v1/uows/{base}/waive");
    let claim = format!("/api/v1/tasks/{base}/claim");
    let poll = "/api/v1/tasks/poll";
    let of = |instance: &str, role: &str| json!({ "worker": "w", "units": [{ "instance": instance, "role": role }] });
    for (path, body, code, status) in [
        ("/api/v1/instances", json!({}), "invalid-request", 422),
        ("/api/v1/instances", json!({ "template": "" }), "invalid-request", 422),
        ("/api/v1/instances", json!({ "template": "none" }), "template-not-found", 404),
        (
            "/api/v1/instances",
            json!({ "template": "Refund_Desk", "version": 9 }),
            "template-not-found",
            404,
        ),
        (
            "/api/v1/instances",
            json!({ "template": "Refund_Desk", "version": 0 }),
            "invalid-request",
            422,
        ),
        (
            "/api/v1/instances",
            json!({ "template": "Refund_Desk", "nmae": "x" }),
            "invalid-request",
            422,
        ),
        (
            "/api/v1/instances",
            json!({ "template": "Refund_Desk", "name": long }),
            "invalid-request",
            422,
        ),
        (
            "/api/v1/instances",
            json!({ "template": "Refund_Desk", "settings": { "park": ["active"] } }),
            "invalid-request",
            422,
        ),
        (
            "/api/v1/instances",
            json!({ "template": "Refund_Desk", "settings": { "park_time": "99d" } }),
            "invalid-request",
            422,
        ),
        ("/api/v1/instances/none/uows", json!({}), "instance-not-found", 404),
        ("/api/v1/instances/none/pause", json!({}), "instance-not-found", 404),
        (uows, json!({ "attributes": [] }), "invalid-request", 422),
        (uows, json!({ "attributes": { "": 1 } }), "invalid-unit", 422),
        (uows, json!({ "attributes": { "a\u{0}": 1 } }), "invalid-unit", 422),
        (uows, json!({ "attributes": { "a": large } }), "invalid-unit", 422),
        (uows, json!({ "attributes": { "a": deep } }), "invalid-input", 422),
        (uows, json!({ "priority": 1001 }), "invalid-request", 422),
        (uows, json!({ "priority": "high" }), "invalid-request", 422),
        (uows, json!({ "max_interactions": 0 }), "invalid-request", 422),
        (uows, json!({ "fairness_key": "k".repeat(257) }), "invalid-request", 422),
        (uows, json!({ "external_id": "" }), "invalid-request", 422),
        (uows, json!({ "atributes": {} }), "invalid-request", 422),
        ("/api/v1/instances/Desk/kill-switch", json!({}), "invalid-request", 422),
        ("/api/v1/instances/Desk/kill-switch", json!({ "reason": "" }), "invalid-request", 422),
        (actors, json!({ "actor": "a", "role": "Payor" }), "role-not-found", 404),
        (actors, json!({ "actor": "a", "role": "Intake" }), "invalid-request", 422),
        (actors, json!({ "actor": "a\u{7}", "role": "Payer" }), "invalid-request", 422),
        (actors, json!({ "actor": "a", "role": "Payer", "kind": "ROBOT" }), "invalid-request", 422),
        (poll, of("none", "Payer"), "instance-not-found", 404),
        (poll, of("Desk", "Payor"), "role-not-found", 404),
        (poll, of("Desk", "Intake"), "invalid-request", 422),
        (waive.as_str(), json!({ "guardian": "all_home", "reason": "" }), "invalid-request", 422),
        (waive.as_str(), json!({ "guardian": "all_home", "reason": "x" }), "unit-state", 409),
        (claim.as_str(), json!({ "worker": "w", "role": "Payer" }), "invalid-request", 422),
        (claim.as_str(), json!({ "worker": "w", "role": "None" }), "role-not-found", 404),
        (claim.as_str(), json!({ "worker": "w", "lease": "25h" }), "invalid-request", 422),
        (claim.as_str(), json!({ "worker": "" }), "invalid-request", 422),
        ("/api/v1/tasks/nobody/claim", json!({ "worker": "w" }), "task-not-found", 404),
        ("/api/v1/uows/nobody/resume", json!({}), "unit-not-found", 404),
        ("/api/v1/interventions/nobody/approve", json!({}), "intervention-not-found", 404),
    ] {
        let answer = desk.server.post(path, body.clone()).await;
        let what = body.to_string().chars().take(100).collect::<String>();
        assert_eq!(answer.problem(), code, "{path} {what}: {}", answer.body);
        assert_eq!(answer.status, status, "{path} {what}");
    }
    for (verb, status) in [("clarify", "text"), ("cancel", "reason"), ("archive", "reason")] {
        let answer = desk.act(&base, verb, json!({ status: "x" })).await;
        assert_eq!(answer.problem(), "unit-state", "{verb}");
        assert_eq!(desk.act(&base, verb, json!({})).await.problem(), "invalid-request", "{verb}");
    }
    for (path, code) in [
        ("/api/v1/uows?status=waiting", "bad-parameter"),
        ("/api/v1/uows?place=Ate", "bad-parameter"),
        ("/api/v1/uows?run=x", "bad-parameter"),
        ("/api/v1/uows?limit=0", "bad-parameter"),
        ("/api/v1/uows?cursor=x", "bad-parameter"),
        ("/api/v1/uows?instance=none", "instance-not-found"),
        ("/api/v1/uows/nobody", "unit-not-found"),
        ("/api/v1/uows/00000000-0000-0000-0000-000000000000/history", "unit-not-found"),
        ("/api/v1/instances?status=idle", "bad-parameter"),
        ("/api/v1/instances/none", "instance-not-found"),
        ("/api/v1/instances/Desk/memory", "bad-parameter"),
        ("/api/v1/instances/Desk/memory?role=None", "role-not-found"),
        ("/api/v1/interventions?status=OPEN", "bad-parameter"),
        ("/api/v1/interventions/x", "intervention-not-found"),
        ("/api/v1/tasks/x", "task-not-found"),
        ("/api/v1/queues/%00", "queue-not-found"),
    ] {
        assert_eq!(desk.server.get(path).await.problem(), code, "{path}");
    }
    let unknown = desk.server.get(&format!("/api/v1/tasks/{nobody}")).await;
    assert_eq!(unknown.problem(), "task-not-found");

    // What is wrong with the end of a unit leaves it where it is.
    let task = desk.take("sam", "Splitter").await;
    for more in [
        json!({ "output": 1 }),
        json!({ "output": 1, "attributes": {} }),
        json!({ "attributes": { "a": large } }),
        json!({ "children": (0..1001).map(|_| json!({})).collect::<Vec<_>>() }),
        json!({ "children": [{ "atributes": {} }] }),
    ] {
        let told = desk.say("sam", &task, "complete", more).await;
        assert_eq!(told.status, 422, "{}", told.body);
    }
    desk.done("sam", &task, json!({ "attributes": { "text": "a\u{0}b" } })).await;
    assert_eq!(desk.uow(&base).await["attributes"]["text"]["value"], "a\u{0}b");
}
