use serde_json::json;

use super::settings::{Api, At, LlmSettings, Target};
use crate::kinds::http::{AllowList, HttpClient};

fn settings() -> LlmSettings {
    serde_json::from_value(json!({
        "providers": {
            "openai": { "api_key": "sk-openai" },
            "local": { "base_url": "http://127.0.0.1:4000" },
            "claude-proxy": { "api": "anthropic", "base_url": "https://llm.example/api/v1", "api_key": "sk-proxy" },
        },
        "aliases": { "fast": "openai/gpt-5-mini" },
        "prices": {
            "gpt-5*": { "input": 1.0, "output": 8.0 },
            "gpt-5-mini": { "input": 0.25, "output": 2.0, "cached": 0.025 },
            "local/*": { "input": 0.0, "output": 0.0 },
        },
    }))
    .unwrap()
}

fn find(settings: &LlmSettings, model: &str, at: &At) -> Result<Target, String> {
    let guarded = HttpClient::new(AllowList::default()).unwrap();
    settings.target(model, at, &guarded).map_err(|error| error.code())
}

#[test]
fn a_name_stands_for_a_model_of_a_provider() {
    let settings = settings();
    assert_eq!(settings.check(), []);
    let table = [
        ("gpt-5-mini", "openai", "gpt-5-mini", "https://api.openai.com/v1/", Some("sk-openai")),
        ("fast", "openai", "gpt-5-mini", "https://api.openai.com/v1/", Some("sk-openai")),
        ("local/meta/llama", "local", "meta/llama", "http://127.0.0.1:4000/v1/", None),
        ("claude-proxy/x", "claude-proxy", "x", "https://llm.example/api/v1/", Some("sk-proxy")),
    ];
    for (name, provider, model, url, key) in table {
        let target = find(&settings, name, &At::default()).unwrap();
        assert_eq!((target.provider.as_str(), target.model.as_str()), (provider, model), "{name}");
        assert_eq!((target.base_url.as_str(), target.api_key.as_deref()), (url, key), "{name}");
    }
    let of_proxy = find(&settings, "claude-proxy/x", &At::default()).unwrap();
    assert_eq!(of_proxy.api, Api::Anthropic);
    let at = |provider: &str| At { provider: Some(provider.to_owned()), ..At::default() };
    let verbatim = find(&settings, "openai/gpt-oss", &at("local")).unwrap();
    assert_eq!((verbatim.provider.as_str(), verbatim.model.as_str()), ("local", "openai/gpt-oss"));
    for (name, at, code) in [
        ("claude-x", At::default(), "llm_key_missing"),
        ("llama", At::default(), "unknown_model"),
        ("x", at("nobody"), "unknown_provider"),
    ] {
        assert_eq!(find(&settings, name, &at).unwrap_err(), code, "{name}");
    }
}

#[test]
fn the_operators_key_goes_to_no_address_of_a_definition() {
    let settings = settings();
    let mut at = At { base_url: Some("https://elsewhere.example/v1".into()), ..At::default() };
    for model in ["gpt-5", "claude-proxy/x", "llama"] {
        assert_eq!(find(&settings, model, &at).unwrap().api_key, None, "{model}");
    }
    at.api_key = Some("sk-own".into());
    assert_eq!(find(&settings, "gpt-5", &at).unwrap().api_key.as_deref(), Some("sk-own"));
    assert!(!format!("{settings:?}").contains("sk-"), "no key is ever shown");
    assert!(!format!("{:?}", find(&settings, "gpt-5", &at)).contains("sk-"));
}

#[test]
fn only_the_operators_addresses_may_be_private() {
    let settings = settings();
    let checked = |at: &At| {
        let target = find(&settings, "local/x", at).unwrap();
        target.http.check(&target.base_url).is_ok()
    };
    assert!(checked(&At::default()));
    for url in ["http://127.0.0.1:4000", "http://10.0.0.1/v1"] {
        assert!(!checked(&At { base_url: Some(url.into()), ..At::default() }), "{url}");
    }
}

#[test]
fn a_price_is_found_by_the_longest_name() {
    let settings = settings();
    let input = |model: &str| {
        find(&settings, model, &At::default()).unwrap().price.map(|price| price.input)
    };
    assert_eq!(input("gpt-5-mini"), Some(0.25));
    assert_eq!(input("gpt-5.2-2026-01-01"), Some(1.0));
    assert_eq!(input("gpt-4"), None);
    assert_eq!(input("local/gpt-5-mini"), Some(0.25), "the whole name beats a pattern");
    assert_eq!(input("local/llama"), Some(0.0));
}

#[test]
fn the_environment_fills_in_what_is_not_written() {
    let environment = |name: &str| {
        let value = match name {
            "OPENAI_API_KEY" => "sk-from-environment",
            "ANTHROPIC_API_KEY" => "sk-anthropic",
            "ANTHROPIC_BASE_URL" => "https://proxy.example",
            "GOOGLE_API_KEY" => "sk-google",
            "MODEL_SERVICE_URL" => "http://model-service:8080/v1",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let settings = settings().with_environment(environment);
    let find = |model: &str| find(&settings, model, &At::default()).unwrap();
    assert_eq!(find("openai/x").api_key.as_deref(), Some("sk-openai"), "what is written stays");
    assert_eq!(find("anthropic/x").base_url.as_str(), "https://proxy.example/v1/");
    assert_eq!(find("anthropic/x").api_key.as_deref(), Some("sk-anthropic"));
    assert_eq!(find("gemini/x").api_key.as_deref(), Some("sk-google"));
    let service = find("gpt-5-mini");
    assert_eq!(service.base_url.as_str(), "http://model-service:8080/v1/");
    assert_eq!(service.api_key, None, "a key for OpenAI is none for another server");
}

#[test]
fn what_cannot_work_is_told() {
    let settings: LlmSettings = serde_json::from_value(json!({
        "default_provider": "nobody",
        "providers": { "a": {}, "b": { "base_url": "ftp://x" }, "gemini": {} },
        "prices": { "m": { "input": -1.0, "output": 1.0 } },
    }))
    .unwrap();
    let found = settings.check();
    let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(
        places,
        ["providers.a.base_url", "providers.b.base_url", "default_provider", "prices.m"]
    );
}
