//! Every route × every role, against the table, and the table against the router and the document.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Method;
use serde_json::json;
use windlass_server::access::table::{Need, ROUTES, Route};
use windlass_server::access::{Permission, Role};

use crate::harness::*;

/// The paths that the router knows. It lists them only when it is written out for debugging, but
/// there it leaves none away.
fn paths_of_router(server: &Server) -> BTreeSet<String> {
    let text = format!("{:?}", server.router);
    let mut paths = BTreeSet::new();
    for piece in text.split("RouteId(").skip(1) {
        if let Some((_, rest)) = piece.split_once("): \"")
            && let Some((path, _)) = rest.split_once('"')
            && path.starts_with('/')
        {
            // axum's own, for what nothing else matches.
            if !path.contains("__private__") {
                paths.insert(path.to_owned());
            }
        }
    }
    assert!(paths.len() > 40, "{paths:?}");
    paths
}

fn is_public(route: &Route) -> bool {
    route.need == Need::Nobody
}

/// A path with something in its holes.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        "{code}" => "bad-json",
        "{file}" => "style.css",
        "{*rest}" => "index.css",
        _ if part.starts_with('{') => "nobody",
        _ => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_has_every_route_and_no_other() {
    let server = Server::closed();
    let table: BTreeSet<String> = ROUTES.iter().map(|route| route.path.to_owned()).collect();
    assert_eq!(paths_of_router(&server), table);
    let document = server.get("/openapi.json").await.body;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            let is_listed = ROUTES.iter().any(|one| one.path == path && one.method == method);
            assert!(is_listed, "{method} {path} is not in the table");
        }
    }
    for route in ROUTES.iter().filter(|route| route.path.starts_with("/api/v1/")) {
        let operation = &document["paths"][route.path][route.method.to_lowercase()];
        assert!(operation.is_object(), "{} {} is not in the document", route.method, route.path);
        for status in ["401", "403", "429"] {
            assert!(operation["responses"][status].is_object(), "{} {status}", route.path);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_public_is_a_short_list() {
    let mut public: Vec<String> = ROUTES
        .iter()
        .filter(|route| is_public(route))
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    public.sort();
    assert_eq!(
        public.join("\n"),
        "GET /api/health\nGET /assets/{file}\nGET /docs\nGET /docs/\nGET /docs/{*rest}\nGET \
         /favicon.ico\nGET /health\nGET /livez\nGET /login\nGET /openapi.json\nGET /ping\nGET \
         /problems/{code}\nGET /readyz\nGET /redoc\nGET /startupz\nGET /version\nPOST /login"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_in_without_a_key() {
    let server = Server::closed();
    for route in ROUTES {
        let path = filled(route.path);
        let method: Method = route.method.parse().unwrap();
        let answer = server.ask(method, &path, "{").await;
        let what = format!("{} {path}: {}", route.method, answer.status);
        if is_public(route) {
            assert!(![401, 403].contains(&answer.status.as_u16()) || path == "/login", "{what}");
        } else if answer.status == 303 {
            assert!(answer.header("location").starts_with("/login?next="), "{what}");
        } else {
            assert_eq!(answer.problem(), "unauthenticated", "{what}");
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"windlass\"");
        }
    }
    // Neither what is not there, nor other spellings of what is public.
    for path in [
        "/api/v1/runs/health",
        "/api/v1/runs/x%2fhealth",
        "/health/",
        "/health/..",
        "//health",
        "/livez;/",
        "/nope",
        "/api/v1/nope/livez",
        "/login/x",
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 401, "{path}");
    }
    let odd = server.ask(Method::PATCH, "/api/v1/runs", "").await;
    assert_eq!(odd.problem(), "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_may_do_what_the_table_says() {
    let server = Server::closed();
    for role in Role::ALL {
        for project in ["default", "other"] {
            let name = format!("{}-{project}", role.as_str());
            let key = server.key(json!({ "name": name, "role": role, "project": project })).await;
            let key = key["key"].as_str().unwrap();
            for route in ROUTES {
                let method: Method = route.method.parse().unwrap();
                // The body is none, so nothing is done where it may be.
                let answer = server.ask_as(key, method, &filled(route.path), "[").await;
                let may = match route.need {
                    Need::Nobody | Need::Anyone => true,
                    Need::May(permission) => role.may(permission),
                    Need::OfServer(permission) => role.may(permission) && project == "default",
                };
                let is_refused = answer.body["code"] == "forbidden";
                let what = format!("{name}: {} {}: {}", route.method, route.path, answer.body);
                assert_eq!(is_refused, !may, "{what}");
                assert!(![401, 405, 500].contains(&answer.status.as_u16()), "{what}");
            }
        }
    }
}

/// Which role may do what, written out a second time.
#[test]
fn roles_grow_from_looking_to_everything() {
    use Permission::{Administer, Approve, Edit, Ingest, Operate, Read, Work};
    let all = [Read, Operate, Edit, Approve, Administer, Work, Ingest];
    let may = |role: Role| {
        let words = all.iter().filter(|one| role.may(**one)).map(|one| one.as_str());
        words.collect::<Vec<_>>().join(" ")
    };
    let lines: Vec<String> =
        Role::ALL.iter().map(|role| format!("{}: {}", role.as_str(), may(*role))).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    viewer: read
    operator: read operate
    editor: read operate edit
    approver: read approve
    admin: read operate edit approve administer work ingest
    worker: work
    ingest: ingest
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_docs_have_the_table() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/access.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    for route in ROUTES.iter().filter(|route| !is_public(route)) {
        let need = match route.need {
            Need::Nobody | Need::Anyone => "any key".to_owned(),
            Need::May(permission) => permission.as_str().to_owned(),
            Need::OfServer(permission) => format!("{}, in `default`", permission.as_str()),
        };
        let line = format!("| `{} {}` | {need} |", route.method, route.path);
        assert!(docs.contains(&line), "this line is missing:\n{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_come_in_is_told_what_is_not_there() {
    let server = Server::closed();
    assert_eq!(server.get_as(ADMIN, "/nope").await.problem(), "no-such-route");
    let answer = server.ask_as(ADMIN, Method::PATCH, "/api/v1/runs", Body::empty()).await;
    assert_eq!(answer.problem(), "method-not-allowed");
    assert_eq!(answer.header("allow"), "GET");
}
