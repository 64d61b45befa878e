//! Secrets, put into a config when its attempt starts and not a moment before.

use serde_json::Value;
use windlass_core::expr::SecretPart;
use windlass_core::run::AttemptError;
use windlass_nodes::fail;

use super::mask::Mask;
use crate::shard::AttemptOrder;

/// Where secrets are looked up.
pub trait SecretSource: Send + Sync {
    /// The secret of this name.
    fn secret(&self, name: &str) -> Option<String>;
}

/// The config with its secrets, and a mask that hides them in what comes out.
pub(super) fn fill(
    order: &AttemptOrder,
    source: &dyn SecretSource,
) -> Result<(Value, Mask), AttemptError> {
    let mut config = (*order.input).clone();
    let mut secrets = Vec::new();
    for slot in &order.secrets {
        let mut text = String::new();
        for part in &slot.parts {
            match part {
                SecretPart::Text(part) => text.push_str(part),
                SecretPart::Secret(name) => {
                    let secret = source.secret(name).ok_or_else(|| {
                        fail("secret_missing", format!("there is no secret `{name}`"))
                    })?;
                    text.push_str(&secret);
                    secrets.push(secret);
                }
            }
        }
        if let Some(place) = config.pointer_mut(&slot.path) {
            *place = Value::String(text);
        }
    }
    Ok((config, Mask::new(secrets)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use uuid::Uuid;
    use windlass_core::expr::SecretSlot;

    use super::*;

    struct One;

    impl SecretSource for One {
        fn secret(&self, name: &str) -> Option<String> {
            (name == "token").then(|| "s3cret".to_owned())
        }
    }

    fn order(name: &str) -> AttemptOrder {
        let parts =
            vec![SecretPart::Text("{{secrets.token}} ".into()), SecretPart::Secret(name.into())];
        AttemptOrder {
            run_id: Uuid::nil(),
            project: Arc::from("default"),
            path: "a".into(),
            attempt: 1,
            kind: Arc::from("http"),
            input: Arc::new(json!({ "headers": { "a": "as written" } })),
            records: Vec::new(),
            secrets: vec![SecretSlot { path: "/headers/a".into(), parts }],
            timeout: None,
        }
    }

    #[test]
    fn a_slot_is_filled_and_what_looks_like_one_is_not() {
        let (config, mask) = fill(&order("token"), &One).unwrap();
        assert_eq!(config["headers"]["a"], "{{secrets.token}} s3cret");
        assert_eq!(mask.text("it is s3cret".into()), "it is ***");
    }

    #[test]
    fn a_missing_secret_is_an_error_that_names_it() {
        let error = fill(&order("other"), &One).map(|_| ()).unwrap_err();
        assert_eq!(error.failure.code, "secret_missing");
        assert!(error.is_final && error.failure.message.contains("`other`"));
    }
}
