//! `check` answers every text, the same each time, and says where each finding is.

use fastrand::Rng;
use serde_json::Value;
use windlass_core::definition::check;
use windlass_core::kinds::Kinds;
use windlass_core::source;
use windlass_nodes::Registry;

use crate::driver::fuzz;
use crate::{corpus, mutate};

/// Fields, kinds and what stands in expressions.
const WORDS: [&str; 66] = [
    "name",
    "nodes",
    "edges",
    "input",
    "output",
    "id",
    "type",
    "kind",
    "config",
    "needs",
    "when",
    "join",
    "retry",
    "timeout",
    "effect",
    "on_failure",
    "compensate",
    "defaults",
    "vars",
    "labels",
    "deadline",
    "concurrency",
    "source",
    "target",
    "condition",
    "true_edge",
    "false_edge",
    "body",
    "items",
    "key",
    "batch_size",
    "on_item_failure",
    "while",
    "until",
    "max_iterations",
    "catch",
    "finally",
    "duration",
    "message",
    "code",
    "cases",
    "default",
    "start",
    "end",
    "transform",
    "conditional",
    "switch",
    "delay",
    "map",
    "loop",
    "try",
    "fail",
    "{{ input.x }}",
    "{{ a.output }}",
    "{{ item }}",
    "{{ secrets.s }}",
    "{{ len(a) }}",
    "1h",
    "-1s",
    "99999d",
    "object",
    "$ref",
    "#/",
    "properties",
    "never",
    "all",
];

fn make(rng: &mut Rng, corpus: &[String]) -> String {
    let text = &corpus[rng.usize(0..corpus.len())];
    match rng.u8(0..10) {
        0 => mutate::any(rng, &WORDS, 5).to_string(),
        1 => format!("name: x\nnodes: {}", mutate::deep(rng, "[", "]")),
        2 => format!("name: x\nnodes: {}", mutate::deep(rng, "{a: ", "}")),
        3..6 => mutate::text(rng, text, corpus, &WORDS),
        _ => {
            let Ok(source) = source::read(text) else { return text.clone() };
            let mut value = source.value;
            mutate::value(rng, &mut value, &WORDS);
            value.to_string()
        }
    }
}

fn look(text: &str, kinds: &Kinds) -> &'static str {
    let checked = check(text, kinds);
    assert_eq!(checked.is_ok(), checked.error_count() == 0, "{:?}", checked.findings);
    let lines = u32::try_from(text.lines().count()).unwrap_or(u32::MAX).saturating_add(1);
    for finding in &checked.findings {
        assert!(finding.line.is_none_or(|line| (1..=lines).contains(&line)), "{finding:?}");
        assert!(finding.column.is_none_or(|column| column >= 1), "{finding:?}");
        assert!(!finding.message.is_empty() && !finding.code.is_empty(), "{finding:?}");
    }
    assert_eq!(check(text, kinds).findings, checked.findings, "not the same a second time");
    let Some(document) = checked.document else { return "unreadable" };
    // What was understood can be written down and is understood again.
    let again = check(&document.to_string(), kinds);
    let is_same = again.document.as_ref().is_none_or(|again| is_alike(again, &document));
    assert!(is_same, "{document} became {:?}", again.document);
    assert_eq!(again.is_ok(), checked.plan.is_some(), "as JSON: {:?}", again.findings);
    if again.is_ok() { "accepted" } else { "refused" }
}

/// A float is the same number with and without its `.0`.
fn is_alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| is_alike(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(k, a)| other.get(k).is_some_and(|b| is_alike(a, b)))
        }
        _ => one == other,
    }
}

#[test]
fn definition() {
    let (corpus, registry) = (corpus::definitions(), Registry::builtin());
    let kinds = registry.kinds();
    let hoped = ["accepted", "refused", "unreadable"];
    fuzz("definition", &hoped, |rng| make(rng, &corpus), |text| look(text, kinds));
}
