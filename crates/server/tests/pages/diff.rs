//! What has changed between two versions of a workflow.

use crate::harness::*;
use crate::page;

fn greeting(words: &str, more: &str) -> String {
    let nodes: String = (0..12).map(|n| format!("  - {{id: n{n}, type: noop}}\n")).collect();
    format!(
        "name: greet\nnodes:\n{nodes}  - {{id: hello, type: shell, config: {{script: 'echo \
         {words}'}}}}\n{more}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn two_versions_differ_line_by_line() {
    let server = Server::new();
    server.deploy(&greeting("<b>hello", "")).await;
    server.deploy(&greeting("good day", "  - {id: bye, type: noop}\n")).await;
    let workflow = page(&server, "/workflows/greet").await;
    assert!(workflow.contains("href=\"/workflows/greet/diff?from=1&amp;to=2\""), "{workflow}");
    let html = page(&server, "/workflows/greet/diff?from=1&to=2").await;
    let lines = |change: &str| -> Vec<String> {
        let mark = format!("<tr class=\"diff-{change}\">");
        let rows = html.split(&mark).skip(1).map(|row| row.split("</tr>").next().unwrap());
        rows.map(|row| row.split("diff-text\">").nth(1).unwrap().replace("</td>", "")).collect()
    };
    let (added, removed, same) = (lines("added"), lines("removed"), lines("same"));
    assert!(removed.len() == 1 && removed[0].contains("echo &lt;b&gt;hello"), "{removed:?}");
    assert!(added[0].contains("good day") && added[1].contains("id: bye"), "{added:?}");
    assert_eq!((added.len(), same.len()), (2, 3), "three lines around a change: {same:?}");
    assert!(html.contains("11 lines the same") && html.contains("+2") && html.contains("−1"));
    // The other way round, what was added is taken out.
    let back = page(&server, "/workflows/greet/diff?from=2&to=1").await;
    assert_eq!(back.matches("<tr class=\"diff-removed\">").count(), 2);
    // Without a word, the newest one and the one before it.
    assert_eq!(page(&server, "/workflows/greet/diff").await, html);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_do_not_differ_are_said_to_be_the_same() {
    let server = Server::new();
    for words in ["one", "two", "one"] {
        server.deploy(&greeting(words, "")).await;
    }
    let same = page(&server, "/workflows/greet/diff?from=1&to=3").await;
    assert!(same.contains("do not differ") && !same.contains("<tr class=\"diff-"), "{same}");
    let one = page(&server, "/workflows/greet/diff?from=2&to=2").await;
    assert!(one.contains("nothing to compare"), "{one}");
    assert!(!page(&server, "/workflows/greet/diff?from=1&to=2").await.contains("do not differ"));
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_are_not_there_are_a_clear_problem() {
    let server = Server::new();
    server.deploy(&greeting("one", "")).await;
    assert!(!page(&server, "/workflows/greet").await.contains("/diff?"), "there is only one");
    for (query, told) in [
        ("from=1&to=7", "there is no version 7"),
        ("from=9&to=1", "there is no version 9"),
        ("from=0&to=4294967295", "there is no version 0"),
        ("from=x&to=1", "from"),
    ] {
        let answer = server.get(&format!("/workflows/greet/diff?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.body.to_string().contains(told), "{query}: {}", answer.body);
    }
    assert_eq!(server.get("/workflows/nobody/diff?from=1&to=2").await.status, 404);
}
