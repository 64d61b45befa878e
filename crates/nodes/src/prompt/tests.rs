use std::fs;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{PromptError, PromptSettings, PromptType, RENDERED_BYTES_MAX, parse};

const CHANGELOG: &str = "\
---
name: Changelog
inputs:
  since: string
  scope: string?
output:
  title: string
  kind: major | minor | patch
  items:
    - {text: string, pr: integer?}
---
Summarise changes since {{ since }}{% if scope %} in {{ scope }}{% endif %}.
{{ output_schema }}
";

fn directory(files: &[(&str, &str)]) -> (TempDir, PromptSettings) {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let settings = PromptSettings { dir: Some(dir.path().to_owned()) };
    (dir, settings)
}

fn inputs(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn rendered(settings: &PromptSettings, path: &str, with: Value) -> Result<String, PromptError> {
    let prompt = settings.load(path)?;
    settings.render(&prompt, &inputs(with)).map(|rendered| rendered.text)
}

#[test]
fn a_file_has_a_typed_head_and_a_body() {
    let prompt = parse(CHANGELOG).unwrap();
    assert_eq!(
        serde_json::to_value(&prompt).unwrap(),
        json!({
            "name": "Changelog",
            "client": "anthropic/claude-sonnet",
            "type": "llm",
            "inputs_schema": {
                "type": "object",
                "properties": {
                    "since": { "type": "string" },
                    "scope": { "anyOf": [{ "type": "string" }, { "type": "null" }] },
                },
                "required": ["since"],
                "additionalProperties": false,
            },
            "output_schema": {
                "type": "object",
                "properties": {
                    "title": { "type": "string" },
                    "kind": { "type": "string", "enum": ["major", "minor", "patch"] },
                    "items": { "type": "array", "items": {
                        "type": "object",
                        "properties": {
                            "text": { "type": "string" },
                            "pr": { "anyOf": [{ "type": "integer" }, { "type": "null" }] },
                        },
                        "required": ["text"],
                        "additionalProperties": false,
                    } },
                },
                "required": ["title", "kind", "items"],
                "additionalProperties": false,
            },
            "tools": [],
            "max_turns": 10,
            "warnings": [],
        })
    );
    let agent = "---\r\nname: A\r\ntype: agent\r\ntools: [grep]\r\nmax_turns: 3\r\ncolour: red\r\n---\r\nGo.";
    let agent = parse(agent).unwrap();
    assert_eq!((agent.prompt_type, agent.max_turns), (PromptType::Agent, 3));
    assert_eq!((agent.tools, agent.body.as_str()), (vec!["grep".to_owned()], "Go."));
    assert_eq!(agent.warnings, ["/colour: the field `colour` is not known and has no effect"]);
}

#[test]
fn what_is_no_prompt_file_is_told_with_its_line() {
    let table = [
        ("name: x\n", 1, "begins with"),
        ("---\nname: x\n", 1, "no end"),
        ("---\nclient: x\n---\n", 2, "needs a `name`"),
        ("---\n- a\n---\n", 2, "a mapping"),
        ("---\nname: x\noutput:\n  a: [string, string]\n---\n", 4, "a list of 2 types"),
        ("---\nname: x\ntype: chat\n---\n", 3, "`llm` or `agent`"),
        ("---\nname: x\nmax_turns: 0\n---\n", 3, "a whole number"),
        ("---\nname: \"x\n---\n", 2, ""),
    ];
    for (text, line, message) in table {
        let finding = parse(text).unwrap_err();
        assert_eq!(finding.line, Some(line), "{text}");
        assert!(finding.message.contains(message), "{text}: {}", finding.message);
    }
}

#[test]
fn a_body_is_rendered_with_its_inputs() {
    let (_dir, settings) = directory(&[("Changelog.prompt.md", CHANGELOG)]);
    let path = "Changelog.prompt.md";
    let text = rendered(&settings, path, json!({ "since": "v1" })).unwrap();
    assert!(text.starts_with("Summarise changes since v1.\n{\n  \"type\": \"object\""), "{text}");
    let text = rendered(&settings, path, json!({ "since": "v1", "scope": "<api>" })).unwrap();
    assert!(text.starts_with("Summarise changes since v1 in <api>."), "{text}");
    for (with, wanted) in [
        (json!({}), "`since` is missing"),
        (json!({ "since": 5 }), "/since: expected string"),
        (json!({ "since": "v1", "sinse": "v1" }), "`sinse` is not known"),
    ] {
        let error = rendered(&settings, path, with).unwrap_err();
        assert_eq!(error.code(), "bad_inputs");
        assert!(error.to_string().contains(wanted), "{error}");
    }
}

#[test]
fn files_include_and_extend_one_another() {
    let base = "---\nname: Base\nclient: openai/gpt-5\ninputs: {tone: string, who: string?}\noutput: {ok: boolean}\n---\nBe {{ tone }}. {% block body %}{% endblock %}";
    let (_dir, settings) = directory(&[
        ("base.prompt.md", base),
        ("team/part.md", "Mind {{ what }}."),
        (
            "team/child.prompt.md",
            "---\nname: Child\nextends: base.prompt.md\ninputs: {what: string}\n---\nDo it. {% include \"team/part.md\" %}",
        ),
        (
            "blocks.prompt.md",
            "---\nname: B\nclient: x/y\nextends: base.prompt.md\n---\n{% block body %}{{ super() }}Mine.{% endblock %}",
        ),
        ("bare.prompt.md", "---\nname: Bare\n---\nNo place."),
        ("lost.prompt.md", "---\nname: L\nextends: bare.prompt.md\n---\nText"),
        (
            "loop.prompt.md",
            "---\nname: L\nextends: loop.prompt.md\n---\n{% block body %}{% endblock %}",
        ),
    ]);
    let child = settings.load("team/child.prompt.md").unwrap();
    assert_eq!(child.client, "openai/gpt-5");
    assert_eq!(child.inputs["required"], json!(["what", "tone"]));
    assert_eq!(child.output.as_ref().unwrap()["required"], json!(["ok"]));
    let with = json!({ "what": "the step", "tone": "kind" });
    let text = rendered(&settings, "team/child.prompt.md", with).unwrap();
    assert_eq!(text, "Be kind. Do it. Mind the step.");
    let text = rendered(&settings, "blocks.prompt.md", json!({ "tone": "kind" })).unwrap();
    assert_eq!(text, "Be kind. Mine.");
    assert_eq!(settings.load("blocks.prompt.md").unwrap().client, "x/y");
    let error = rendered(&settings, "lost.prompt.md", json!({})).unwrap_err();
    assert!(error.to_string().contains("no block `body`"), "{error}");
    let error = settings.load("loop.prompt.md").unwrap_err();
    assert!(error.to_string().contains("extend one another"), "{error}");
}

#[test]
fn nothing_outside_of_the_directory_is_read() {
    let (dir, settings) = directory(&[("in/a.prompt.md", CHANGELOG), ("secret.md", "secret")]);
    let settings = PromptSettings { dir: Some(settings.dir.unwrap().join("in")) };
    std::os::unix::fs::symlink(dir.path().join("secret.md"), dir.path().join("in/link.md"))
        .unwrap();
    for path in [
        "",
        "/etc/passwd",
        "../secret.md",
        "./a.prompt.md",
        "x/../../secret.md",
        "..\\secret.md",
        "a.prompt.md\0",
        "link.md",
        "a.prompt.txt",
        "none.prompt.md",
    ] {
        let error = settings.load(path).unwrap_err();
        assert_eq!(error.code(), "prompt_not_found", "{path}");
        let prompt = format!("---\nname: X\n---\n{{% include {} %}}", json!(path));
        let error = settings.render(&parse(&prompt).unwrap(), &Map::new()).unwrap_err();
        assert!(!error.to_string().contains("secret text"), "{path}");
        assert_eq!(error.code(), "prompt_render", "{path}");
    }
    let listed = settings.list().unwrap();
    let paths: Vec<&str> = listed.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths, ["a.prompt.md"]);
    assert_eq!(PromptSettings::default().list(), Err(PromptError::NoDirectory));
}

#[test]
fn a_rendering_is_bounded() {
    let (_dir, settings) = directory(&[]);
    for body in [
        "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set x = 'x' * 1000000 %}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}",
        "{{ unknown }}",
        "{% if %}",
    ] {
        let prompt = parse(&format!("---\nname: X\n---\n{body}")).unwrap();
        let error = settings.render(&prompt, &Map::new()).unwrap_err();
        assert_eq!(error.code(), "prompt_render", "{body}");
        assert!(error.to_string().len() < 1_000, "{error}");
    }
    let large = "x".repeat(RENDERED_BYTES_MAX / 4);
    let prompt =
        parse("---\nname: X\ninputs: {a: string}\n---\n{{ a }}{{ a }}{{ a }}{{ a }}{{ a }}")
            .unwrap();
    let error = settings.render(&prompt, &inputs(json!({ "a": large }))).unwrap_err();
    assert!(error.to_string().contains("more than"), "{error}");
}

#[test]
fn a_list_shows_what_is_broken() {
    let (_dir, settings) =
        directory(&[("b.prompt.md", CHANGELOG), ("a/x.prompt.md", "nothing"), ("readme.md", "x")]);
    let listed = serde_json::to_value(settings.list().unwrap()).unwrap();
    assert_eq!(listed[0]["path"], "a/x.prompt.md");
    assert_eq!(listed[1]["path"], "b.prompt.md");
}
