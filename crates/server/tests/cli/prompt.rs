//! `windlass prompt`, against a server whose models are those of the LiteLLM proxy.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::{command, proxy, serve_with, stop, text};

const RELEASE: &str = "---
name: Release
client: json
inputs: {since: string, scope: string?}
output: {title: string, kind: major | minor | patch, count: integer}
---
What is new since {{ since }}{% if scope %} in {{ scope }}{% endif %}?
";

fn ask(at: &Path, arguments: &[&str]) -> Output {
    command(at, &[&["prompt"], arguments, &["--data", "d"]].concat()).output().unwrap()
}

#[test]
fn prompt_files_are_listed_shown_rendered_and_tested() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    std::fs::create_dir(at.join("prompts")).unwrap();
    std::fs::write(at.join("prompts/release.prompt.md"), RELEASE).unwrap();
    std::fs::write(at.join("prompts/broken.prompt.md"), "no head").unwrap();
    std::fs::write(at.join("own.prompt.md"), "---\nname: Own\nclient: plain\n---\nHello").unwrap();
    std::fs::write(at.join("inputs.yaml"), "since: May\nscope: the pages\n").unwrap();
    let settings = format!(
        "[llm]\nprompts = \"prompts\"\ndefault_provider = \"proxy\"\n[llm.providers.proxy]\n\
         base_url = \"{}\"\napi_key = \"{}\"\n",
        proxy::address(),
        proxy::KEY
    );
    std::fs::write(at.join("windlass.toml"), settings).unwrap();
    let (server, _) = serve_with(at, &["dev", "--data", "d", "--listen", "127.0.0.1:0"]);

    let listed = text(&ask(at, &["list"]).stdout);
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines[1].starts_with("broken.prompt.md   -        -       broken: "), "{listed}");
    assert_eq!(lines[2], "release.prompt.md  Release  json    since, scope");
    let listed: Value = serde_json::from_slice(&ask(at, &["list", "-o", "json"]).stdout).unwrap();
    assert_eq!(listed[1]["name"], "Release");

    let shown = text(&ask(at, &["show", "release.prompt.md"]).stdout);
    assert!(shown.starts_with("Release, for json\ninputs:\n"), "{shown}");
    let shown = ask(at, &["show", "release.prompt.md", "-o", "json"]).stdout;
    let shown: Value = serde_json::from_slice(&shown).unwrap();
    assert_eq!(shown["inputs_schema"]["required"], json!(["since"]));
    let broken = ask(at, &["show", "broken.prompt.md"]);
    assert_eq!(broken.status.code(), Some(3));
    assert!(text(&broken.stderr).contains("error[bad-prompt]"), "{}", text(&broken.stderr));
    assert_eq!(ask(at, &["show", "none.prompt.md"]).status.code(), Some(4));

    let rendered = |inputs: &[&str]| ask(at, &[&["render", "release.prompt.md"], inputs].concat());
    for (inputs, wanted) in [
        (["-i", "since=May"], "What is new since May?\n"),
        (["-i", r#"{"since": "May"}"#], "What is new since May?\n"),
        (["-i", "@inputs.yaml"], "What is new since May in the pages?\n"),
    ] {
        let rendered = rendered(&inputs);
        assert_eq!(text(&rendered.stdout), wanted, "{}", text(&rendered.stderr));
    }
    let refused = rendered(&[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("`since` is missing"), "{}", text(&refused.stderr));

    let tested = ask(at, &["test", "release.prompt.md", "-i", "since=May"]);
    let said = text(&tested.stderr);
    assert_eq!(tested.status.code(), Some(0), "{said}");
    let reply: Value = serde_json::from_slice(&tested.stdout).unwrap();
    assert_eq!(reply, json!({ "title": "Nightly", "kind": "minor", "count": 3 }));
    assert!(said.contains("tokens sent") && said.contains("it fits"), "{said}");
    let other = ["test", "release.prompt.md", "-i", "since=May", "--model", "plain", "-o", "json"];
    let other = ask(at, &other);
    assert_eq!(other.status.code(), Some(1), "what does not fit is a failure");
    let other: Value = serde_json::from_slice(&other.stdout).unwrap();
    assert_eq!((&other["fits"], &other["error"]["code"]), (&json!(false), &json!("bad_output")));
    let own = ask(at, &["test", "@own.prompt.md"]);
    assert_eq!(text(&own.stdout), "Good morning, harbour.\n", "{}", text(&own.stderr));
    stop(server);
}
