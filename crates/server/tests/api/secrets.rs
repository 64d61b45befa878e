//! Secrets: set, listed, forgotten, sealed anew, and never seen again.

use std::path::Path;

use axum::Router;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::routing::any;
use serde_json::{Value, json};

use crate::harness::*;

async fn put(server: &Server, name: &str, value: &str) -> Answer {
    let body = json!({ "value": value }).to_string();
    server.ask(Method::PUT, &format!("/api/v1/secrets/{name}"), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_set_and_never_read_back() {
    let server = Server::new();
    let set = put(&server, "token", "s3cret-value").await;
    assert_eq!((set.status, &set.body["name"]), (StatusCode::OK, &json!("token")), "{}", set.body);
    put(&server, "_pin", "4711").await;
    let listed = server.get("/api/v1/secrets").await.body;
    let names = listed["items"].as_array().unwrap().iter().map(|one| &one["name"]);
    assert_eq!(names.collect::<Vec<_>>(), ["_pin", "token"]);
    assert!(!listed.to_string().contains("s3cret"), "{listed}");
    let page = server.get("/api/v1/secrets?limit=1").await.body;
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = server.get(&format!("/api/v1/secrets?limit=1&cursor={cursor}")).await.body;
    assert_eq!((&rest["items"][0]["name"], &rest["next_cursor"]), (&json!("token"), &json!(null)));
    assert_eq!(server.get("/api/v1/secrets/token").await.problem(), "method-not-allowed");

    assert_eq!(put(&server, "not-a-name", "x").await.problem(), "bad-parameter");
    assert_eq!(put(&server, "9", "x").await.problem(), "bad-parameter");
    assert_eq!(put(&server, "a", "").await.problem(), "invalid-request");
    assert_eq!(put(&server, "a", &"x".repeat(70_000)).await.problem(), "invalid-request");
    let odd = server.ask(Method::PUT, "/api/v1/secrets/a", r#"{"valeu": "s3cret-value"}"#).await;
    assert_eq!(odd.problem(), "invalid-request");
    assert!(!odd.body.to_string().contains("s3cret"), "{}", odd.body);
    let odd = server.ask(Method::PUT, "/api/v1/secrets/a", r#"{"value": ["s3cret-value"]}"#).await;
    assert!(!odd.body.to_string().contains("s3cret"), "{}", odd.body);

    let delete = async || server.ask(Method::DELETE, "/api/v1/secrets/token", "").await;
    assert_eq!(delete().await.status, StatusCode::NO_CONTENT);
    assert_eq!(delete().await.problem(), "secret-not-found");
}

const USES: &str = "
name: uses
nodes: [{ id: a, type: shell, config: { script: 'printf %s \"$T\" | wc -c', env: { T: '{{secrets.t}}' } } }]
output: \"{{a.output.stdout}}\"
";

#[tokio::test(flavor = "multi_thread")]
async fn a_project_has_its_own_secrets_and_a_new_key_opens_what_the_old_one_sealed() {
    let server = Server::closed();
    let key = async |project: &str| {
        let made = json!({ "name": project, "role": "admin", "project": project });
        server.key(made).await["key"].as_str().unwrap().to_owned()
    };
    let (one, two) = (key("one").await, key("two").await);
    let body = json!({ "value": "five!" }).to_string();
    server.ask_as(&one, Method::PUT, "/api/v1/secrets/t", body).await;
    let run = async |key: &str| {
        server.ask_as(key, Method::POST, "/api/v1/workflows", USES).await;
        let request = request(Method::POST, "/api/v1/workflows/uses/execute")
            .header("authorization", format!("Bearer {key}"))
            .header("prefer", "wait=30");
        server.send(request.body("{}".into()).unwrap()).await.body
    };
    assert_eq!(run(&one).await["output"], json!("5"));
    assert_eq!(run(&two).await["error"]["code"], json!("secret_missing"));
    assert_eq!(server.get_as(&two, "/api/v1/secrets").await.body["items"], json!([]));
    let rotate = server.ask_as(&one, Method::POST, "/api/v1/secrets/rotate", "").await;
    assert_eq!(rotate.problem(), "forbidden", "it is the whole server's");
    let rotate = server.ask_as(ADMIN, Method::POST, "/api/v1/secrets/rotate", "").await;
    assert_eq!(rotate.body["count"], json!(0), "{}", rotate.body);
}

/// Answers with everything it was asked, and fails if that is wanted.
async fn echo(method: Method, uri: Uri, headers: HeaderMap, body: String) -> (StatusCode, String) {
    let status = if uri.path() == "/fail" { 500 } else { 200 };
    let told = format!("{method} {uri} {headers:?} {body}");
    (StatusCode::from_u16(status).unwrap(), told)
}

/// Every way in which a step can use a secret and blurt it out again, a secret for each.
fn blurting(address: &str) -> Vec<(Value, Vec<usize>)> {
    let mut count = 0;
    let mut nodes = Vec::new();
    let shell = [
        "printf '%s\\n' \"$A\"",
        "printf %s \"$A\" >&2; exit 3",
        "printf '{\"found\": \"%s\"}' \"$A\" > $WINDLASS_OUTPUT",
        "printf %s \"$A\" | base64 -w0",
        "printf 'user:%s' \"$A\" | base64 -w0; exit 1",
        "printf 'xx%s' \"$A\" | base64 -w0 >&2",
        "head -c 70000 /dev/zero | tr '\\0' x; printf '%s' \"$A\"",
        "for i in $(seq 2000); do printf '%s ' \"$A\"; done",
        "head -c 16380 /dev/zero | tr '\\0' y; printf '%s' \"$A\"; echo; exit 1",
        "cat",
    ];
    for script in shell {
        let secret = format!("{{{{secrets.c{count}}}}}");
        let config = json!({ "script": script, "env": { "A": secret }, "stdin": secret });
        nodes.push((json!({ "type": "shell", "config": config }), vec![count]));
        count += 1;
    }
    for argv in [json!(["printf", "%s"]), json!(["ls"]), json!(["/no/such/program"])] {
        let mut argv = argv.as_array().unwrap().clone();
        argv.push(format!("{{{{secrets.c{count}}}}}").into());
        nodes.push((json!({ "type": "shell", "config": { "argv": argv } }), vec![count]));
        count += 1;
    }
    for place in ["ok", "fail", "ok?a=", "fail?a="] {
        let mut uses = Vec::new();
        let mut secret = |text: &str| {
            let secret = format!("{text}{{{{secrets.c{count}}}}}");
            uses.push(count);
            count += 1;
            secret
        };
        let url = match place.contains('?') {
            true => secret(&format!("http://{address}/{place}")),
            false => format!("http://{address}/{place}"),
        };
        let headers = json!({ "Authorization": secret("Bearer "), "X-Key": secret("") });
        let body = json!({ "deep": [{ "key": secret("with ") }], "key": secret("") });
        let config = json!({ "method": "POST", "url": url, "headers": headers, "body": body });
        nodes.push((json!({ "type": "http", "config": config }), uses));
    }
    // What nobody answers, and no address at all.
    for url in ["http://127.0.0.1:1/", "http://no.such.host.invalid/", "nonsense://"] {
        let config = json!({ "url": format!("{url}{{{{secrets.c{count}}}}}") });
        nodes.push((json!({ "type": "http", "config": config }), vec![count]));
        count += 1;
    }
    nodes
}

fn all_files(directory: &Path, found: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all_files(&path, found),
            false => found.push(std::fs::read(&path).unwrap()),
        }
    }
}

fn has(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// A hundred secrets in every kind of step that can have one, on good paths and failing ones: none is
/// found in the database, its log, what the API and the pages say, or the metrics.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_canaries_are_found_nowhere() {
    let server = Server::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let router = Router::new().fallback(any(echo));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let canary = |round: usize, number: usize| {
        let twist = ["", "/+ ä", "\"q\"", "%&=?"][(round + number) % 4];
        format!("cAn{round}Ry{number:03}{twist}zQ7x")
    };
    let nodes = blurting(&address);
    let used = nodes.iter().map(|(_, uses)| uses.len()).sum::<usize>();
    let rounds = 100_usize.div_ceil(used);
    let mut told = Vec::new();
    for round in 0..rounds {
        for number in 0..used {
            let set = put(&server, &format!("c{number}"), &canary(round, number)).await;
            assert_eq!(set.status, 200, "{}", set.body);
        }
        let with_ids = nodes.iter().enumerate().map(|(at, (node, _))| {
            let mut node = node.clone();
            node["id"] = format!("n{at}").into();
            node["on_failure"] = "continue".into();
            node
        });
        let name = format!("blurt{round}");
        let definition = json!({ "name": name, "nodes": with_ids.collect::<Vec<_>>() });
        server.deploy(&definition.to_string()).await;
        let run = server.run(&name, json!({})).await;
        assert_eq!(run["status"], json!("succeeded"), "{run}");
        let run = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
        for path in
            ["", "/steps?limit=1000", "/events?limit=1000", "/logs?limit=1000", "/why", "/export"]
        {
            told.push(server.get(&format!("{run}{path}")).await.body.to_string());
        }
        for node in 0..nodes.len() {
            let page = format!("{}?step=n{node}", run.trim_start_matches("/api/v1"));
            told.push(server.get(&page).await.body.to_string());
        }
    }
    for path in ["/metrics", "/api/v1/runs", "/api/v1/secrets", "/api/v1/audit", "/runs", "/audit"]
    {
        told.push(server.get(path).await.body.to_string());
    }
    assert!(told.iter().any(|text| text.contains("***")), "something was hidden");
    let mut files = Vec::new();
    all_files(&server.house.app.config.store.data, &mut files);
    assert!(files.iter().any(|bytes| has(bytes, b"blurt0")), "the database was looked at");
    for round in 0..rounds {
        for number in 0..used {
            let canary = canary(round, number);
            // The middle of each is in no other text, and not changed by any way of escaping.
            let middle = &canary[..9];
            for text in &told {
                let at = text.find(middle);
                assert_eq!(
                    at,
                    None,
                    "{canary}: …{}…",
                    &text[at.unwrap_or(0)..][..200.min(text.len() - at.unwrap_or(0))]
                );
            }
            assert!(!files.iter().any(|bytes| has(bytes, middle.as_bytes())), "{canary}");
        }
    }
}
