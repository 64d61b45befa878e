use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::time::Time;

/// Names of a run in which `fetch` has succeeded, `broken` has failed and `later` has not run.
struct Fixture {
    input: Value,
    vars: Value,
    output: Value,
}

fn fixture() -> Fixture {
    Fixture {
        input: json!({ "value": 12, "name": "Ann", "tags": ["a", "b"], "none": null,
            "nested": { "list": [{ "x": 1 }, { "x": 2 }] } }),
        vars: json!({ "limit": 10 }),
        output: json!({ "status": 200, "body": { "ok": true } }),
    }
}

impl Names for Fixture {
    fn value(&self, root: &Root) -> Cow<'_, Value> {
        match root {
            Root::Input => Cow::Borrowed(&self.input),
            Root::Vars => Cow::Borrowed(&self.vars),
            _ => Cow::Owned(Value::Null),
        }
    }

    fn node(&self, _: u8, id: &str) -> NodeView<'_> {
        match id {
            "fetch" => NodeView { status: "succeeded", output: Some(&self.output), error: None },
            "broken" => {
                NodeView { status: "failed", output: None, error: Some(json!({ "code": "boom" })) }
            }
            _ => NodeView { status: "pending", output: None, error: None },
        }
    }
}

impl Bindings for Fixture {
    fn root(&self, name: &str) -> Option<Root> {
        match name {
            "input" => Some(Root::Input),
            "vars" => Some(Root::Vars),
            "secrets" => Some(Root::Secrets),
            _ => Bindings::node(self, name),
        }
    }

    fn node(&self, id: &str) -> Option<Root> {
        ["fetch", "broken", "later", "my-id"]
            .contains(&id)
            .then(|| Root::Node { up: 0, id: id.to_owned() })
    }

    fn names(&self) -> Vec<String> {
        ["input", "vars", "secrets", "fetch", "broken", "later"].map(str::to_owned).to_vec()
    }
}

impl TypeEnv for Fixture {
    fn root(&self, root: &Root) -> Type {
        match root {
            Root::Input => Type::of(&self.input),
            Root::Vars => Type::of(&self.vars),
            _ => Type::Any,
        }
    }

    fn output(&self, _: u8, id: &str) -> Type {
        if id == "fetch" { Type::of(&self.output) } else { Type::Any }
    }
}

fn eval(text: &str) -> Result<Value, String> {
    let names = fixture();
    let expression = Expression::condition(text, &names)
        .map_err(|errors| format!("{} at {}", errors[0].code, errors[0].offset))?;
    expression
        .evaluate(&Environment::new(&names, Time::from_micros(0)))
        .map(Cow::into_owned)
        .map_err(|error| format!("{} at {}", error.code, error.offset))
}

#[test]
fn what_expressions_are_worth() {
    let table = [
        ("1 + 2 * 3", json!(7)),
        ("(1 + 2) * 3", json!(9)),
        ("7 / 2", json!(3.5)),
        ("6 / 3", json!(2)),
        ("-7 % 3", json!(2)),
        ("2 * -3", json!(-6)),
        ("1.5 + 1", json!(2.5)),
        ("'a' + \"b\"", json!("ab")),
        ("'ab' * 3", json!("ababab")),
        ("[1] + [2]", json!([1, 2])),
        ("len(join(split('0123456789 ' * 100000)))", json!(1_000_000)),
        ("{a: 1, 'b c': [2]}", json!({ "a": 1, "b c": [2] })),
        ("1 == 1.0", json!(true)),
        ("'1' == 1", json!(false)),
        ("null == false", json!(false)),
        ("[1, {a: 2}] == [1, {a: 2.0}]", json!(true)),
        ("'b' > 'a'", json!(true)),
        ("18446744073709551615 > -1", json!(true)),
        ("not (1 > 2) and true or false", json!(true)),
        ("not not true", json!(true)),
        ("'x' if 1 > 2 else 'y' if false else 'z'", json!("z")),
        ("'a' in input.tags", json!(true)),
        ("'z' not in input.tags", json!(true)),
        ("'nn' in input.name", json!(true)),
        ("'name' in input", json!(true)),
        ("input.nested.list[1].x", json!(2)),
        ("input.nested.list[-1].x", json!(2)),
        ("input['na' + 'me']", json!("Ann")),
        ("{{input.value}} > 10", json!(true)),
        ("{{ input.value }} > {{ vars.limit }}", json!(true)),
        ("{{ {'a': {'b': 1}} }} == {a: {b: 1}}", json!(true)),
        ("'{{' + '}}'", json!("{{}}")),
        ("fetch.output.body.ok", json!(true)),
        ("fetch.status == 'succeeded'", json!(true)),
        ("later.output", json!(null)),
        ("later.output.body.ok", json!(null)),
        ("later.output[0].x", json!(null)),
        ("nodes['my-id'].status", json!("pending")),
        ("broken.error.code", json!("boom")),
        ("fetch.error", json!(null)),
        ("fetch.error.code", json!(null)),
        ("len(input.tags) + len('äö') + len({a: 1})", json!(5)),
        ("input.tags | join('-') | upper", json!("A-B")),
        ("range(3)", json!([0, 1, 2])),
        ("range(1, 8, 3)", json!([1, 4, 7])),
        ("range(3, 0, -1)", json!([3, 2, 1])),
        ("range(0)", json!([])),
        ("default(input.missing, 'x')", json!("x")),
        ("input.missing.deeper | default(1)", json!(1)),
        ("input.none | default(2)", json!(2)),
        ("round(2.5)", json!(3)),
        ("round(2.345, 2)", json!(2.35)),
        ("' a b '| trim | split(' ')", json!(["a", "b"])),
        ("split(' a  b ')", json!(["a", "b"])),
        ("replace('aXbX', 'X', '--')", json!("a--b--")),
        ("sum([1, 2.5])", json!(3.5)),
        ("min([3, 1, 2]) + max(4, 5)", json!(6)),
        ("keys({b: 1, a: 2})", json!(["b", "a"])),
        ("values({b: 1, a: 2})", json!([1, 2])),
        ("json({a: [1, null]})", json!("{\"a\":[1,null]}")),
        ("base64('hi')", json!("aGk=")),
        ("now()", json!("1970-01-01T00:00:00.000000Z")),
        ("'\\u0041\\n'", json!("A\n")),
        ("1e3", json!(1000.0)),
    ];
    for (text, value) in table {
        assert_eq!(eval(text), Ok(value), "{text}");
    }
}

#[test]
fn what_has_no_answer() {
    let table = [
        ("'abc' > 10", "type-mismatch at 0"),
        ("null < 10", "type-mismatch at 0"),
        ("input.none < 10", "type-mismatch at 6"),
        ("[1] < [2]", "type-mismatch at 0"),
        ("1 + '1'", "type-mismatch at 0"),
        ("not 1", "type-mismatch at 4"),
        ("1 and true", "type-mismatch at 0"),
        ("1 in 2", "type-mismatch at 5"),
        ("input.missing", "missing-field at 6"),
        ("input.name.first", "missing-field at 11"),
        ("fetch.output.body.nope", "missing-field at 18"),
        ("fetch.outptu", "missing-field at 6"),
        ("input.tags[2]", "missing-field at 11"),
        ("input.tags['a']", "type-mismatch at 11"),
        ("1 / 0", "division-by-zero at 0"),
        ("1 % 0", "division-by-zero at 0"),
        ("9223372036854775807 * 9223372036854775807", "overflow at 0"),
        ("1e308 * 10.0", "overflow at 0"),
        ("'a' * 1000000000", "too-large at 0"),
        ("range(1000000000)", "too-large at 0"),
        ("range(900000) + range(900000) + range(900000)", "out-of-fuel at 0"),
        ("default(1 + 'a', 2)", "type-mismatch at 8"),
        ("max([])", "bad-arguments at 0"),
        ("min([1, 'a'])", "type-mismatch at 0"),
        ("split('a', '')", "bad-arguments at 0"),
        ("secrets.token", "secret at 0"),
        ("nope", "unknown-name at 0"),
        ("nodes['nope'].output", "unknown-name at 6"),
        ("fetch.output.a + nope", "unknown-name at 17"),
        ("nope()", "unknown-function at 0"),
        ("len()", "bad-arguments at 0"),
        ("1 < 2 < 3", "syntax at 6"),
        ("1 +", "syntax at 3"),
        ("a = 1", "syntax at 2"),
        ("'abc", "syntax at 0"),
        ("(1", "syntax at 2"),
        ("1 if 2", "syntax at 6"),
        ("", "syntax at 0"),
        ("{{", "syntax at 2"),
    ];
    for (text, error) in table {
        assert_eq!(eval(text), Err(error.to_owned()), "{text}");
    }
    assert_eq!(eval(&"(".repeat(500)), Err("too-deep at 64".into()));
    assert_eq!(eval(&"-".repeat(500)), Err("too-deep at 63".into()));
    assert_eq!(eval(&format!("1{}", "+1".repeat(900))), Err("too-large at 501".into()));
    assert_eq!(eval(&"not ".repeat(3_000)).unwrap_err(), "syntax at 12000");
}

fn render(value: Value) -> Result<Rendered, (String, ExprError)> {
    let names = fixture();
    let template =
        Template::compile(&value, &names, true).map_err(|mut errors| errors.remove(0))?;
    template.render(&Environment::new(&names, Time::from_micros(0)))
}

#[test]
fn templates_keep_types_and_interpolate() {
    let value = json!({
        "lone": "{{ input.value }}",
        "text": "{{input.name}} has {{ input.value }} of {{input.tags}}",
        "braces": "{{ '{{' }}",
        "not one": "a { b } c }}",
        "list": [1, "{{ {'a': {'b': 1}} }}"],
        "plain": { "x": [true, null] },
        "literals": [{ "n": "{{ 5 }}", "t": "{{ 'x' }}" }, "{{ true }}"]
    });
    let rendered = render(value).unwrap();
    assert_eq!(
        rendered.value,
        json!({
            "lone": 12,
            "text": "Ann has 12 of [\"a\",\"b\"]",
            "braces": "{{",
            "not one": "a { b } c }}",
            "list": [1, { "a": { "b": 1 } }],
            "plain": { "x": [true, null] },
            "literals": [{ "n": 5, "t": "x" }, true]
        })
    );
    assert_eq!(rendered.secrets, []);
}

#[test]
fn secrets_stay_as_written_beside_final_text() {
    let names = Fixture { input: json!({ "user": "{{secrets.other}}" }), ..fixture() };
    let value = json!({ "headers": { "a/b": "{{input.user}}:{{secrets.token}}" } });
    let template = Template::compile(&value, &names, true).unwrap();
    let rendered = template.render(&Environment::new(&names, Time::from_micros(0))).unwrap();
    assert_eq!(rendered.value["headers"]["a/b"], "{{secrets.other}}:{{secrets.token}}");
    let parts = vec![
        SecretPart::Text("{{secrets.other}}".into()),
        SecretPart::Text(":".into()),
        SecretPart::Secret("token".into()),
    ];
    assert_eq!(rendered.secrets, [SecretSlot { path: "/headers/a~1b".into(), parts }]);
}

#[test]
fn secrets_cannot_be_computed_with() {
    let names = fixture();
    for text in ["{{ secrets.token | upper }}", "{{ len(secrets.token) }}", "{{ secrets }}"] {
        let errors = Template::compile(&json!(text), &names, true).unwrap_err();
        assert_eq!(errors[0].1.code, "secret", "{text}");
    }
    let errors = Template::compile(&json!("{{secrets.token}}"), &names, false).unwrap_err();
    assert_eq!(errors[0].1.code, "secret");
}

#[test]
fn template_errors_have_a_path_and_an_offset() {
    let names = fixture();
    let value = json!({ "a": ["x {{ nope }} {{ nada }}"], "b": "{{ 1 + }}", "c": "{{ open" });
    let errors = Template::compile(&value, &names, true).unwrap_err();
    let found: Vec<_> =
        errors.iter().map(|(path, error)| (path.as_str(), error.code, error.offset)).collect();
    assert_eq!(
        found,
        [
            ("/a/0", "unknown-name", 5),
            ("/a/0", "unknown-name", 16),
            ("/b", "syntax", 7),
            ("/c", "syntax", 2),
        ]
    );
    assert_eq!(render(json!(["{{ input.nope }}"])).unwrap_err().0, "/0");
}

#[test]
fn types_are_seen_before_the_run() {
    let names = fixture();
    let table = [
        ("input.name > 10", Some("type-mismatch")),
        ("input.value > 10", None),
        ("input.name == 10", Some("always-false")),
        ("input.none == 10", None),
        ("input.nmae == 'x'", Some("missing-field")),
        ("default(input.nmae, 'x') == 'x'", None),
        ("fetch.output.status >= 200", None),
        ("fetch.output.status >= '200'", Some("type-mismatch")),
        ("later.output.anything > 3", None),
        ("input.name and true", Some("type-mismatch")),
        ("len(input.tags) > 'a'", Some("type-mismatch")),
        ("fetch", Some("type-mismatch")),
        ("input.tags[0] == 1", Some("always-false")),
        ("input.nested.list[0].x + 'a'", Some("type-mismatch")),
        ("1 in input.value", Some("type-mismatch")),
    ];
    for (text, code) in table {
        let expression = Expression::condition(text, &names).unwrap();
        let (_, errors) = infer(&expression, &names);
        assert_eq!(errors.first().map(|error| error.code), code, "{text}");
    }
}

#[test]
fn attacks_are_errors() {
    let attacks = [
        "constructor.constructor('return process')()",
        "input.__proto__",
        "input.__class__.__mro__",
        "''.constructor",
        "input['__proto__']",
        "this",
        "globalThis.process",
        "eval('1')",
        "import('fs')",
        "fetch.output.toString",
        "(() => 1)()",
        "`x`",
        "${1}",
        "a; b",
        "input.tags.map(x => x)",
        "{% for x in input %}",
        "\\u0061",
    ];
    for attack in attacks {
        assert!(eval(attack).is_err(), "{attack}");
    }
}

proptest! {
    /// Whatever is typed, the answer is a value or an error with a place inside the text.
    #[test]
    fn every_text_has_an_answer(text in "[a-z0-9 .,:|+*/%<>=!(){}'\"\\[\\]-]{0,40}") {
        let names = fixture();
        match Expression::condition(&text, &names) {
            Ok(expression) => {
                let _ = infer(&expression, &names);
                let _ = expression.evaluate(&Environment::new(&names, Time::from_micros(0)));
            }
            Err(errors) => prop_assert!(errors[0].offset <= text.chars().count()),
        }
        let _ = Template::compile(&Value::from(text), &names, true);
    }

    /// A text without `{{` is not touched.
    #[test]
    fn plain_texts_stand_for_themselves(text in any::<String>()) {
        prop_assume!(!text.contains("{{"));
        prop_assert_eq!(render(Value::from(text.clone())).unwrap().value, Value::from(text));
    }
}
