//! Every text is parsed or refused, every expression has a value or an error, the same each time,
//! and errors point into the text.

use std::borrow::Cow;

use fastrand::Rng;
use serde_json::{Value, json};
use windlass_core::Time;
use windlass_core::expr::{
    Bindings, Environment, Expression, Names, NodeView, Root, Template, Type, TypeEnv, infer,
};
use windlass_core::json::size;
use windlass_core::limits::EXPRESSION_FUEL;

use crate::driver::fuzz;
use crate::{corpus, mutate};

const LEAVES: [&str; 30] = [
    "input",
    "input.value",
    "input.tags",
    "input.nested.list",
    "vars.limit",
    "fetch.output",
    "broken.error.code",
    "later.output",
    "later.status",
    "run.id",
    "item",
    "index",
    "null",
    "true",
    "0",
    "1",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "1e308",
    "0.1",
    "2.5",
    "''",
    "'é😀'",
    "\"a{{b\"",
    "[]",
    "{}",
    "[1, 'a', null]",
    "{'a': 1}",
    "nodes[\"my-id\"].output",
];
const OPERATORS: [&str; 16] =
    ["+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in"];
/// With the least and the most values they take.
const FUNCTIONS: [(&str, usize, usize); 18] = [
    ("base64", 1, 1),
    ("default", 2, 2),
    ("join", 1, 2),
    ("json", 1, 1),
    ("keys", 1, 1),
    ("len", 1, 1),
    ("lower", 1, 1),
    ("max", 1, 2),
    ("min", 1, 2),
    ("now", 0, 0),
    ("range", 1, 3),
    ("replace", 3, 3),
    ("round", 1, 2),
    ("split", 1, 2),
    ("sum", 1, 1),
    ("trim", 1, 1),
    ("upper", 1, 1),
    ("values", 1, 1),
];

fn make(rng: &mut Rng, corpus: &[String]) -> String {
    match rng.u8(0..10) {
        0 => mutate::deep(rng, "(", ")"),
        1 => mutate::deep(rng, "[", "]"),
        2 => mutate::deep(rng, "not ", ""),
        3 | 4 => {
            let text = &corpus[rng.usize(0..corpus.len())];
            mutate::text(rng, text, corpus, &OPERATORS)
        }
        5 => {
            let text = tree(rng, 4);
            mutate::text(rng, &text, corpus, &OPERATORS)
        }
        _ => {
            let depth = rng.u8(1..7);
            tree(rng, depth)
        }
    }
}

/// An expression that can be parsed. Whether its values fit together is left to chance.
fn tree(rng: &mut Rng, depth: u8) -> String {
    if depth == 0 {
        return LEAVES[rng.usize(0..LEAVES.len())].to_owned();
    }
    // Some branches end early, so that not everything is deep.
    let below = rng.u8(0..depth);
    match rng.u8(0..9) {
        0..3 => {
            let operator = OPERATORS[rng.usize(0..OPERATORS.len())];
            format!("({} {operator} {})", tree(rng, below), tree(rng, below))
        }
        3 | 4 => {
            let (name, least, most) = FUNCTIONS[rng.usize(0..FUNCTIONS.len())];
            let count = rng.usize(least..=most);
            let arguments: Vec<_> = (0..count).map(|_| tree(rng, below)).collect();
            format!("{name}({})", arguments.join(", "))
        }
        5 => format!("({} if {} else {})", tree(rng, below), tree(rng, below), tree(rng, below)),
        6 => format!("[{}, {}][{}]", tree(rng, below), tree(rng, below), tree(rng, below)),
        7 => format!("{{'k': {}}}.k", tree(rng, below)),
        _ => format!("(not {})", tree(rng, below)),
    }
}

/// Names of a run in which `fetch` has succeeded, `broken` has failed and `later` has not run.
struct Scene {
    input: Value,
    output: Value,
}

impl Names for Scene {
    fn value(&self, root: &Root) -> Cow<'_, Value> {
        match root {
            Root::Input => Cow::Borrowed(&self.input),
            _ => Cow::Owned(json!({ "limit": 10, "id": "r" })),
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

impl Bindings for Scene {
    fn root(&self, name: &str) -> Option<Root> {
        match name {
            "input" => Some(Root::Input),
            "vars" => Some(Root::Vars),
            "secrets" => Some(Root::Secrets),
            _ => Bindings::node(self, name),
        }
    }

    fn node(&self, id: &str) -> Option<Root> {
        let is_known = ["fetch", "broken", "later", "my-id"].contains(&id);
        is_known.then(|| Root::Node { up: 0, id: id.to_owned() })
    }

    fn names(&self) -> Vec<String> {
        ["input", "vars", "secrets", "fetch", "broken", "later"].map(str::to_owned).to_vec()
    }
}

impl TypeEnv for Scene {
    fn root(&self, root: &Root) -> Type {
        if matches!(root, Root::Input) { Type::of(&self.input) } else { Type::Any }
    }

    fn output(&self, _: u8, id: &str) -> Type {
        if id == "fetch" { Type::of(&self.output) } else { Type::Any }
    }
}

fn look(text: &str, scene: &Scene) -> &'static str {
    let characters = text.chars().count();
    let template = Template::compile(&json!([format!("{{{{ {text} }}}}"), text]), scene, false);
    if let Ok(template) = template {
        let _ = template.render(&Environment::new(scene, Time::from_micros(1)));
    }
    let expression = match Expression::condition(text, scene) {
        Ok(expression) => expression,
        Err(errors) => {
            assert!(errors.iter().all(|error| error.offset <= characters), "{errors:?}");
            return "refused";
        }
    };
    let (_, complaints) = infer(&expression, scene);
    assert!(complaints.iter().all(|error| error.offset <= characters), "{complaints:?}");
    let evaluate = || {
        let env = Environment::new(scene, Time::from_micros(1));
        expression.evaluate(&env).map(Cow::into_owned)
    };
    let value = evaluate();
    assert_eq!(value, evaluate(), "not the same a second time");
    match value {
        Ok(value) => {
            // 64 bytes of text are one step of work.
            assert!(size(&value) <= EXPRESSION_FUEL as usize * 64, "too large");
            let written = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value, "{written}");
            "evaluated"
        }
        Err(error) => {
            assert!(error.offset <= characters && !error.message.is_empty(), "{error:?}");
            "an error"
        }
    }
}

#[test]
fn expression() {
    let corpus = corpus::expressions();
    let scene = Scene {
        input: json!({ "value": 12, "name": "Ann", "tags": ["a", "b"], "none": null,
            "nested": { "list": [{ "x": 1 }, { "x": 2 }] } }),
        output: json!({ "status": 200, "body": { "ok": true } }),
    };
    let hoped = ["evaluated", "an error", "refused"];
    fuzz("expression", &hoped, |rng| make(rng, &corpus), |text| look(text, &scene));
}
