use axum::body::Body;
use axum::http::Method;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::*;
use crate::refund_desk::TEMPLATE;
use crate::tamper::alter_audit;

#[tokio::test(flavor = "multi_thread")]
async fn the_first_key_closes_the_door_behind_it() {
    let server = Server::new();
    assert_eq!(server.get("/api/v1/me").await.body["name"], "local");
    let request = json!({ "name": "root", "role": "admin" });
    let made = server.post("/api/v1/keys", request).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(server.get("/api/v1/me").await.problem(), "unauthenticated");
    let key = made.body["key"].as_str().unwrap();
    assert!(key.starts_with("wl_") && key.len() == 46, "{key}");
    let me = server.get_as(key, "/api/v1/me").await.body;
    assert_eq!(
        me,
        json!({
            "name": "key:root", "role": "admin", "scopes": null, "project": "default",
            "is_authenticated": true,
        })
    );
    let by_header = request_with("/api/v1/me", "x-api-key", key);
    assert_eq!(server.send(by_header).await.body["name"], "key:root");
    // Taking the last key back does not open it again.
    let path = format!("/api/v1/keys/{}", made.body["id"].as_str().unwrap());
    assert_eq!(server.ask_as(key, Method::DELETE, &path, "").await.status, 204);
    assert_eq!(server.get_as(key, "/api/v1/me").await.problem(), "unauthenticated");
    assert_eq!(server.get("/api/v1/me").await.problem(), "unauthenticated");
}

fn request_with(path: &str, name: &str, value: &str) -> axum::http::Request<Body> {
    request(Method::GET, path).header(name, value).body(Body::empty()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_and_good_for_its_time() {
    let server = Server::closed();
    let made = server.key(json!({ "name": "ci", "role": "viewer", "expires_in": "1s" })).await;
    let key = made["key"].as_str().unwrap();
    let listed = server.get_as(ADMIN, "/api/v1/keys").await.body;
    assert!(!listed.to_string().contains(key) && listed["items"][0]["key"].is_null());
    assert_eq!(listed["items"][0]["prefix"], key[..9]);
    assert_eq!(listed["items"][0]["created_by"], "key:SERVER_API_KEY");
    let end = windlass_core::Time::parse(made["expires_at"].as_str().unwrap()).unwrap();
    let clock = server.house.app.engine.clock();
    if clock.now() < end {
        server.get_as(key, "/api/v1/me").await;
    }
    while clock.now() < end {
        tokio::task::yield_now().await;
    }
    let late = server.get_as(key, "/api/v1/me").await;
    assert!(late.body["detail"].as_str().unwrap().contains("was good until"), "{}", late.body);
    for (wrong, code) in [
        (json!({ "name": "x", "role": "boss" }), "invalid-request"),
        (json!({ "name": "", "role": "viewer" }), "invalid-request"),
        (json!({ "name": "a\nb", "role": "viewer" }), "invalid-request"),
        (json!({ "name": "x", "role": "viewer", "project": "p".repeat(101) }), "invalid-request"),
        (json!({ "name": "x", "role": "viewer", "expires_in": "soon" }), "invalid-request"),
    ] {
        let answer = server.ask_as(ADMIN, Method::POST, "/api/v1/keys", wrong.to_string()).await;
        assert_eq!(answer.problem(), code, "{wrong}");
    }
    for odd in ["nobody", "00000000-0000-0000-0000-000000000000"] {
        let path = format!("/api/v1/keys/{odd}");
        let answer = server.ask_as(ADMIN, Method::DELETE, &path, "").await;
        assert_eq!(answer.problem(), "key-not-found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_may_be_good_for_a_part_of_what_its_role_may() {
    let server = Server::closed();
    let post = async |key: &str, path: &str, body: Value| {
        server.ask_as(key, Method::POST, path, body.to_string()).await
    };
    let wanted = json!({ "name": "ci", "role": "editor", "scopes": ["operate"] });
    let made = server.key(wanted).await;
    assert_eq!(made["scopes"], json!(["operate"]));
    let key = made["key"].as_str().unwrap();
    assert_eq!(server.get_as(key, "/api/v1/me").await.body["scopes"], json!(["operate"]));
    assert_eq!(server.get_as(key, "/api/v1/runs").await.problem(), "forbidden");
    let run = post(key, "/api/v1/workflows/none/execute", json!({})).await;
    assert_eq!(run.problem(), "workflow-not-found", "it may ask for a run");
    let deployed = post(key, "/api/v1/workflows", json!({ "name": "x" })).await;
    assert_eq!(deployed.problem(), "forbidden");
    let admin = json!({ "name": "keys", "role": "admin", "scopes": ["administer"] });
    let admin = server.key(admin).await["key"].as_str().unwrap().to_owned();
    let more = json!({ "name": "all", "role": "admin" });
    let refused = post(&admin, "/api/v1/keys", more.clone()).await;
    assert_eq!(refused.problem(), "forbidden", "nobody hands on what they do not have");
    let same = json!({ "name": "more", "role": "admin", "scopes": ["administer"] });
    assert_eq!(post(&admin, "/api/v1/keys", same).await.status, 201);
    for odd in [json!(["edit"]), json!([])] {
        let wanted = json!({ "name": "ci", "role": "operator", "scopes": odd });
        let made = post(ADMIN, "/api/v1/keys", wanted).await;
        assert_eq!(made.problem(), "invalid-request");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_not_good_is_refused() {
    let server = Server::closed();
    for (name, value) in [
        ("authorization", "Basic dXNlcjpwYXNz"),
        ("authorization", "Bearer"),
        ("authorization", "Bearer "),
        ("authorization", "Bearer wl_nope"),
        ("authorization", "Bearer a.b.c"),
        ("authorization", "the key of the settings"),
        ("x-api-key", ""),
        ("x-api-key", "the key of the setting"),
        ("cookie", "windlass_session=x.y"),
        ("cookie", "windlass_session="),
    ] {
        let answer = server.send(request_with("/api/v1/me", name, value)).await;
        assert_eq!(answer.problem(), "unauthenticated", "{name}: {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_do_not_see_each_other() {
    let server = Server::closed();
    let mut keys = Vec::new();
    for project in ["one", "two"] {
        let key = server.key(json!({ "name": project, "role": "admin", "project": project })).await;
        keys.push(key["key"].as_str().unwrap().to_owned());
    }
    let (one, two) = (&keys[0], &keys[1]);
    let deployed = server.ask_as(one, Method::POST, "/api/v1/workflows", ADD).await;
    assert_eq!(deployed.status, 201, "{}", deployed.body);
    let workflow = deployed.body["id"].as_str().unwrap();
    let body = json!({ "input": { "n": 1 }, "external_id": "mine" }).to_string();
    let run = server.ask_as(one, Method::POST, "/api/v1/workflows/add/execute", body).await.body;
    let run = run["id"].as_str().unwrap();
    let of_one = async |path: &str, body: String| {
        let answer = server.ask_as(one, Method::POST, path, body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.body);
        answer.body["id"].as_str().unwrap_or_default().to_owned()
    };
    let template = of_one("/api/v1/templates", TEMPLATE.to_owned()).await;
    let wanted = json!({ "template": template }).to_string();
    let instance = of_one("/api/v1/instances", wanted).await;
    let unit = json!({ "attributes": { "total": 5 } }).to_string();
    let uow = of_one(&format!("/api/v1/instances/{instance}/uows"), unit).await;
    let poll = json!({ "worker": "w", "units": [{ "instance": instance, "role": "Splitter" }] });
    server.ask_as(one, Method::POST, "/api/v1/tasks/poll", poll.to_string()).await;
    of_one(&format!("/api/v1/instances/{instance}/kill-switch"), r#"{"reason":"x"}"#.into()).await;
    let asked_for = server.get_as(one, "/api/v1/interventions").await.body["items"][0].clone();
    let asked_for = asked_for["id"].as_str().unwrap();
    let nobody = "01890000-0000-7000-8000-000000000000";

    // Every route that names one of them, for who may do everything in another project.
    let mut asked = 0;
    for route in windlass_server::access::table::ROUTES {
        let holes = [
            "{run}",
            "{workflow}",
            "{key}",
            "{template}",
            "{instance}",
            "{uow}",
            "{task}",
            "{intervention}",
        ];
        // The windows of other systems have tests of their own.
        let newer = ["{template}", "{instance}", "{uow}", "{task}", "{intervention}"];
        let is_own = route.path.starts_with("/api/v1/")
            || !newer.iter().any(|hole| route.path.contains(hole));
        if !is_own || !holes.iter().any(|hole| route.path.contains(hole)) {
            continue;
        }
        let path = |is_there: bool| {
            let id = |of_one: &str| if is_there { of_one.to_owned() } else { nobody.to_owned() };
            let mut path = route.path.to_owned();
            for (hole, of_one) in [
                ("{run}", run),
                ("{workflow}", workflow),
                ("{template}", &template),
                ("{instance}", &instance),
                ("{uow}", &uow),
                ("{task}", &uow),
                ("{intervention}", asked_for),
                ("{key}", run),
            ] {
                path = path.replace(hole, &id(of_one));
            }
            path.replace("{step}", "sum").replace("{name}", "go").replace("{assignment}", nobody)
        };
        let body = match (route.method, route.path) {
            ("PUT", _) => ADD.to_owned(),
            (_, path) if path.ends_with("execute-batch") => r#"{"runs":[{}]}"#.to_owned(),
            (_, path) if path.ends_with("/steps/{step}/mark") => {
                r#"{"status":"skipped"}"#.to_owned()
            }
            ("POST", "/api/v1/runs/{run}/approvals/{step}") => {
                r#"{"decision":"approve"}"#.to_owned()
            }
            ("POST", path) if path.ends_with("/external-data") => r#"{"content":1}"#.to_owned(),
            ("POST", path) if path.ends_with("/branch") => r#"{"branch_name":"x"}"#.to_owned(),
            (_, path) if path.ends_with("/clarify") => r#"{"text":"x"}"#.to_owned(),
            (_, path) if path.ends_with("/waive") => {
                r#"{"guardian":"all_home","reason":"x"}"#.to_owned()
            }
            ("POST", path) if path.ends_with("{intervention}/reject") => {
                r#"{"reason":"x"}"#.to_owned()
            }
            ("POST", path)
                if path.starts_with("/api/v1/uows/{uow}/") || path.ends_with("/kill-switch") =>
            {
                r#"{"reason":"x"}"#.to_owned()
            }
            ("POST", path) if path.ends_with("{instance}/actors") => {
                r#"{"actor":"a","role":"Payer"}"#.to_owned()
            }
            ("POST", path) if path.ends_with("/tasks/{task}/logs") => {
                r#"{"worker":"w","fence":1,"lines":[]}"#.to_owned()
            }
            ("POST", path) if path.ends_with("/tasks/{task}/fail") => {
                r#"{"worker":"w","fence":1,"message":"x"}"#.to_owned()
            }
            ("POST", path) if path.ends_with("/tasks/{task}/claim") => {
                r#"{"worker":"w"}"#.to_owned()
            }
            ("POST", path) if path.starts_with("/api/v1/tasks/{task}/") => {
                r#"{"worker":"w","fence":1}"#.to_owned()
            }
            (_, path) if path.ends_with("/mark") => "step=sum&status=skipped".to_owned(),
            _ => String::new(),
        };
        let method: Method = route.method.parse().unwrap();
        let ask = async |path: String| {
            let query = match path.rsplit_once('/') {
                Some((_, "live")) => "?after=0&logs=0",
                Some((_, "memory")) => "?role=Payer",
                _ => "",
            };
            let path = format!("{path}{query}");
            let request = request(method.clone(), &path)
                .header("authorization", format!("Bearer {two}"))
                .header("content-type", "application/x-www-form-urlencoded");
            server.send(request.body(body.clone().into()).unwrap()).await
        };
        let foreign = ask(path(true)).await;
        let unknown = ask(path(false)).await;
        let what = format!("{} {}: {}", route.method, route.path, foreign.body);
        // A definition cannot be called like an id, whether or not something has it.
        let status = if route.method == "PUT" { 422 } else { 404 };
        assert_eq!(foreign.status, status, "{what}");
        assert_eq!(unknown.status, status, "{what}");
        assert_eq!(foreign.body["code"], unknown.body["code"], "{what}");
        asked += 1;
    }
    assert!(asked > 20, "{asked}");
    for path in ["/api/v1/runs/mine", "/api/v1/workflows/add"] {
        assert_eq!(server.get_as(one, path).await.status, 200);
        assert_eq!(server.get_as(two, path).await.status, 404);
        assert_eq!(server.get_as(ADMIN, path).await.status, 404, "no role sees across projects");
    }
    for (path, count) in [
        ("/api/v1/runs", 2),
        ("/api/v1/workflows", 2),
        ("/api/v1/runs?workflow=add", 1),
        ("/api/v1/templates", 1),
        ("/api/v1/instances", 1),
        ("/api/v1/uows", 1),
        ("/api/v1/interventions", 1),
    ] {
        assert_eq!(server.get_as(two, path).await.body["items"], json!([]), "{path}");
        let items = server.get_as(one, path).await.body["items"].clone();
        assert_eq!(items.as_array().unwrap().len(), count, "{path}");
    }
    for path in ["/runs", "/workflows"] {
        assert!(!server.page_as(two, path).await.body.to_string().contains("add"), "{path}");
    }
    let same = json!({ "input": { "n": 1 }, "external_id": "mine" }).to_string();
    server.ask_as(two, Method::POST, "/api/v1/workflows", ADD).await;
    let answer = server.ask_as(two, Method::POST, "/api/v1/workflows/add/execute", same).await;
    assert_eq!(answer.status, 202, "external ids are unique in their project: {}", answer.body);
    // Keys and records of one project are its own.
    let keys_of_two = server.get_as(two, "/api/v1/keys").await.body;
    let names: Vec<&Value> =
        keys_of_two["items"].as_array().unwrap().iter().map(|key| &key["name"]).collect();
    assert_eq!(names, ["two"]);
    let all = server.get_as(ADMIN, "/api/v1/keys").await.body;
    let id_of_one = all["items"].as_array().unwrap()[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/keys/{id_of_one}");
    assert_eq!(server.ask_as(two, Method::DELETE, &path, "").await.problem(), "key-not-found");
    let elsewhere = json!({ "name": "x", "role": "viewer", "project": "one" }).to_string();
    let answer = server.ask_as(two, Method::POST, "/api/v1/keys", elsewhere).await;
    assert_eq!(answer.problem(), "forbidden");
    let records = server.get_as(two, "/api/v1/audit").await.body;
    assert!(records["items"].as_array().unwrap().iter().all(|one| one["project"] == "two"));
}

/// A token, signed with the secret of [`with_tokens`].
pub(crate) fn token(header: Value, claims: Value, secret: &[u8]) -> String {
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    let tag = ring::hmac::sign(&key, text.as_bytes());
    format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
}

pub(crate) const SECRET: &str = "a secret that signs tokens";

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_another_system_let_their_holder_in() {
    let server = Server::with(|config| config.access.jwt_secret = Some(SECRET.into()));
    assert_eq!(server.get("/api/v1/me").await.problem(), "unauthenticated");
    let now = server.house.app.engine.clock().now().micros() / 1_000_000;
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let claims = json!({ "sub": "ada", "role": "OPERATOR", "project": "p", "exp": now + 600 });
    let good = token(header.clone(), claims.clone(), SECRET.as_bytes());
    let me = server.get_as(&good, "/api/v1/me").await.body;
    assert_eq!(me["name"], "token:ada");
    assert_eq!((&me["role"], &me["project"]), (&json!("operator"), &json!("p")));
    let sign_in = request(Method::POST, "/login")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("key={good}&next=/").into());
    let signed_in = server.send(sign_in.unwrap()).await;
    assert_eq!(signed_in.status, 303, "{}", signed_in.body);
    let cookie = signed_in.header("set-cookie").split(';').next().unwrap();
    let me = server.send(request_with("/api/v1/me", "cookie", cookie)).await.body;
    assert_eq!((&me["name"], &me["project"]), (&json!("token:ada"), &json!("p")), "a session");
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        token(header.clone(), claims, SECRET.as_bytes())
    };
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        token(header.clone(), claims, SECRET.as_bytes())
    };
    assert_eq!(server.get_as(&without("project"), "/api/v1/me").await.body["project"], "default");
    let (text, tag) = good.rsplit_once('.').unwrap();
    let raised = with("role", json!("admin"));
    let none = token(json!({ "alg": "none" }), claims.clone(), b"");
    for (bad, why) in [
        (without("exp"), "exp"),
        (without("sub"), "sub"),
        (without("role"), "role"),
        (with("role", json!("boss")), "`boss`"),
        (with("exp", json!(now - 600)), "expired"),
        (with("nbf", json!(now + 600)), "not good yet"),
        (with("sub", json!("")), "`sub`"),
        (token(header.clone(), claims.clone(), b"another secret"), "signature"),
        (token(json!({ "alg": "HS384" }), claims.clone(), SECRET.as_bytes()), "algorithm"),
        (token(json!({ "alg": "RS256" }), claims.clone(), SECRET.as_bytes()), "algorithm"),
        (none, "cannot be read"),
        (format!("{text}."), "signature"),
        (format!("{}.{tag}", raised.rsplit_once('.').unwrap().0), "signature"),
    ] {
        let answer = server.get_as(&bad, "/api/v1/me").await;
        assert_eq!(answer.status, 401, "{why}: {bad}");
        assert!(answer.body["detail"].as_str().unwrap().contains(why), "{why}: {}", answer.body);
        assert!(!answer.body.to_string().contains(SECRET));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_may_be_signed_with_a_key_of_a_published_set() {
    use ring::signature::KeyPair;
    let random = ring::rand::SystemRandom::new();
    let algorithm = &ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    let document = ring::signature::EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair =
        ring::signature::EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
    let point = pair.public_key().as_ref();
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let set = json!({ "keys": [{
        "kty": "EC", "crv": "P-256", "kid": "k1", "alg": "ES256", "use": "sig",
        "x": encode(&point[1..33]), "y": encode(&point[33..]),
    }] });
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("jwks.json");
    std::fs::write(&file, set.to_string()).unwrap();
    let server = Server::with(|config| {
        config.access.jwks = Some(file.to_str().unwrap().to_owned());
        config.access.jwt_audience = Some("windlass".to_owned());
    });
    let now = server.house.app.engine.clock().now().micros() / 1_000_000;
    let sign = |header: Value, audience: &str| {
        let claims = json!({ "sub": "ada", "role": "viewer", "exp": now + 600, "aud": audience });
        let text = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let tag = pair.sign(&random, text.as_bytes()).unwrap();
        format!("{text}.{}", encode(tag.as_ref()))
    };
    let header = json!({ "alg": "ES256", "kid": "k1" });
    let good = server.get_as(&sign(header.clone(), "windlass"), "/api/v1/me").await;
    assert_eq!(good.body["name"], "token:ada", "{}", good.body);
    let elsewhere = server.get_as(&sign(header, "another"), "/api/v1/me").await;
    assert!(elsewhere.body["detail"].as_str().unwrap().contains("audience"), "{}", elsewhere.body);
    let unknown = sign(json!({ "alg": "ES256", "kid": "k2" }), "windlass");
    assert_eq!(server.get_as(&unknown, "/api/v1/me").await.problem(), "unauthenticated");
    // The public key is known to everybody. As a shared secret it would let everybody in.
    let claims = json!({ "sub": "eve", "role": "admin", "exp": now + 600, "aud": "windlass" });
    let forged = token(json!({ "alg": "HS256", "kid": "k1" }), claims, point);
    assert_eq!(server.get_as(&forged, "/api/v1/me").await.problem(), "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_too_often_is_told_when_to_come_back() {
    let server = Server::with(|config| {
        config.access.server_api_key = Some(ADMIN.into());
        config.access.requests_per_second = 1;
        config.access.request_burst = 3;
    });
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(server.get_as(ADMIN, "/api/v1/me").await);
    }
    let refused = statuses.pop().unwrap();
    assert!(statuses.iter().all(|answer| answer.status == 200));
    assert_eq!(refused.problem(), "rate-limited");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(server.get("/livez").await.status, 200, "what is public is not counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_fails_to_sign_in_too_often_has_to_wait() {
    let server = Server::closed();
    let sign_in = async |from: Option<&str>, key: &str| {
        let mut request = request(Method::POST, "/login")
            .header("content-type", "application/x-www-form-urlencoded");
        if let Some(from) = from {
            let peer: std::net::SocketAddr = from.parse().unwrap();
            request = request.extension(axum::extract::ConnectInfo(peer));
        }
        server.send(request.body(format!("key={key}").into()).unwrap()).await
    };
    let good = ADMIN.replace(' ', "+");
    for _ in 0..10 {
        let refused = sign_in(Some("192.0.2.1:1000"), "wrong").await;
        assert_eq!(refused.status, 401, "{}", refused.body);
    }
    let refused = sign_in(Some("192.0.2.1:2000"), &good).await;
    assert_eq!(refused.status, 429, "a right key is no way to tell: {}", refused.body);
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=7).contains(&wait), "{wait}");
    assert_eq!(sign_in(Some("192.0.2.2:1000"), &good).await.status, 303, "another may");
    assert_eq!(sign_in(None, &good).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_is_recorded_with_who_and_when() {
    let server = Server::closed();
    let editor = server.key(json!({ "name": "ed", "role": "editor" })).await;
    let editor = editor["key"].as_str().unwrap().to_owned();
    server.ask_as(&editor, Method::POST, "/api/v1/workflows", WAIT).await;
    let run = server.ask_as(&editor, Method::POST, "/api/v1/workflows/wait/execute", "").await.body;
    let run = run["id"].as_str().unwrap();
    server.ask_as(&editor, Method::POST, &format!("/api/v1/runs/{run}/cancel"), "").await;
    server.ask_as(&editor, Method::POST, &format!("/api/v1/runs/{run}/cancel"), "").await;
    server.get_as(&editor, "/api/v1/runs").await;
    server.ask_as(&editor, Method::POST, "/api/v1/keys", "{}").await;
    let records = server.get_as(ADMIN, "/api/v1/audit").await.body;
    let lines: Vec<String> = records["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let word = |name: &str| one[name].as_str().unwrap().to_owned();
            let kind = word("target").rsplit_once('/').map(|(kind, _)| kind.to_owned()).unwrap();
            format!(
                "{} {} {} {} {}",
                one["seq"],
                word("principal"),
                word("action"),
                kind.replace(run, "RUN"),
                one["detail"]["status"]
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    1 key:SERVER_API_KEY key.create /api/v1/keys 201
    2 key:ed workflow.deploy /api/v1/workflows 201
    3 key:ed run.create /api/v1/runs 202
    4 key:ed run.cancel /api/v1/runs/RUN 202
    5 key:ed run.cancel /api/v1/runs/RUN 409
    6 key:ed key.create /api/v1 403
    ");
    assert!(!records.to_string().contains(&editor), "no key in the log");
    let verdict = server.get_as(ADMIN, "/api/v1/audit/verify").await.body;
    assert_eq!(verdict, json!({ "ok": true, "checked": 6, "first_altered": null }));
    alter_audit(&server.house.app.config.store.data, 3);
    let verdict = server.get_as(ADMIN, "/api/v1/audit/verify").await.body;
    assert_eq!((&verdict["ok"], &verdict["first_altered"]), (&json!(false), &json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_marked_by_who_marks_it() {
    let server = Server::closed();
    server.ask_as(ADMIN, Method::POST, "/api/v1/workflows", WAIT).await;
    let run = server.ask_as(ADMIN, Method::POST, "/api/v1/workflows/wait/execute", "").await.body;
    let path = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
    let marked = server
        .ask_as(ADMIN, Method::POST, &format!("{path}/steps/nap/mark"), r#"{"status":"skipped"}"#)
        .await;
    assert_eq!(marked.status, 202, "{}", marked.body);
    let events = server.get_as(ADMIN, &format!("{path}/events")).await.body;
    assert!(events.to_string().contains("\"by\":\"key:SERVER_API_KEY\""), "{events}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_its_key_is_taken_back() {
    let server = Server::closed();
    server.ask_as(ADMIN, Method::POST, "/api/v1/workflows", WAIT).await;
    let run = server.ask_as(ADMIN, Method::POST, "/api/v1/workflows/wait/execute", "").await.body;
    let run = run["id"].as_str().unwrap();
    let made = server.key(json!({ "name": "watcher", "role": "viewer" })).await;
    let (key, id) = (made["key"].as_str().unwrap(), made["id"].as_str().unwrap());
    let (stream, path) =
        (format!("/api/v1/runs/{run}/stream"), format!("/runs/{run}/live?after=0&logs=0"));
    let (revoked, ()) = tokio::join!(
        async { tokio::join!(server.get_as(key, &stream), server.get_as(key, &path)) },
        async {
            let metrics = async || server.get_as(ADMIN, "/metrics").await.body;
            while !metrics().await.as_str().unwrap().contains("windlass_stream_clients 2") {
                tokio::task::yield_now().await;
            }
            let path = format!("/api/v1/keys/{id}");
            assert_eq!(server.ask_as(ADMIN, Method::DELETE, &path, "").await.status, 204);
        }
    );
    // The answers are only whole because the streams have ended.
    assert_eq!((revoked.0.status.as_u16(), revoked.1.status.as_u16()), (200, 200));
}
