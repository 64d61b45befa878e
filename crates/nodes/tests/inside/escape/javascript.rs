use serde_json::{Value, json};

use super::surroundings::Surroundings;

/// Expressions that are worth something where a host can be reached.
const ATTACKS: &[(&str, &str)] = &[
    ("modules of Node", "typeof require"),
    ("the process of Node", "typeof globalThis.process"),
    ("files of QuickJS", "typeof std"),
    ("the system of QuickJS", "typeof os"),
    ("requests", "typeof fetch"),
    ("sockets", "typeof WebSocket"),
    ("Deno", "typeof Deno"),
    ("Bun", "typeof Bun"),
    ("workers", "typeof Worker"),
    ("native modules", "typeof WebAssembly"),
    (
        "the maker of functions",
        "typeof console.log.constructor('return typeof require')() === 'string' && console.log.constructor('return typeof require')()",
    ),
    ("what is beyond the global object", "typeof Function('return this')().std"),
];

#[tokio::test]
async fn there_is_no_host() {
    let around = Surroundings::new();
    for (name, attack) in ATTACKS {
        let code = format!("export default () => {attack}");
        assert_eq!(around.bench.javascript(&code).await, Ok(json!("undefined")), "{name}");
    }
    for file in ["$DATABASE", "/etc/passwd", "std", "os", "fs"] {
        let code = around.aim(&format!("export default async () => await import('{file}')"));
        let error = around.bench.javascript(&code).await.unwrap_err();
        assert_eq!(error.failure.code, "exception", "{file}");
    }
    around.check("JavaScript").await;
}

#[tokio::test]
async fn prototypes_are_its_own() {
    let around = Surroundings::new();
    let code = "export default () => {
        Object.prototype.toJSON = () => ({ output: 'forged' });
        JSON.stringify = () => 'broken';
        return { a: 1 };
    }";
    // Whatever it makes of its own answer, it is an answer of this step and JSON.
    let output = around.bench.javascript(code).await;
    assert!(matches!(output, Ok(Value::Object(_))), "{output:?}");
    around.check("JavaScript").await;
}
