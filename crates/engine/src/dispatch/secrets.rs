//! Secrets, put into a config when its attempt starts and not a moment before.

use std::sync::Arc;

use serde_json::Value;
use windlass_core::expr::{SecretPart, SecretSlot};
use windlass_core::run::AttemptError;
use windlass_nodes::{fail, retry};

use super::mask::Mask;
use crate::shard::AttemptOrder;

/// Where secrets are looked up.
pub trait SecretSource: Send + Sync {
    /// The secret of this name, of a project. It may block.
    ///
    /// # Errors
    ///
    /// Why nobody can know now whether there is one, or what it is.
    fn secret(&self, project: &str, name: &str) -> Result<Option<String>, String>;
}

/// The config of an attempt with its secrets, and a mask that hides them in what comes out.
pub(super) async fn fill(
    order: &AttemptOrder,
    source: &Arc<dyn SecretSource>,
) -> Result<(Value, Mask), AttemptError> {
    let (config, slots) = (order.input.clone(), order.secrets.clone());
    fill_secrets(config, slots, order.project.clone(), source).await
}

/// Puts the secrets of a project into the slots of a config. The mask hides them in what comes out.
///
/// # Errors
///
/// `secret_missing`, or `secret_unavailable` if nobody can know now.
pub async fn fill_secrets(
    config: Arc<Value>,
    slots: Vec<SecretSlot>,
    project: Arc<str>,
    source: &Arc<dyn SecretSource>,
) -> Result<(Value, Mask), AttemptError> {
    if slots.is_empty() {
        return Ok(((*config).clone(), Mask::default()));
    }
    let source = source.clone();
    // Looking one up may take a database.
    let fill = move || fill_now((*config).clone(), &slots, &project, &*source);
    let filled = tokio::task::spawn_blocking(fill).await;
    filled.unwrap_or_else(|error| Err(retry("secret_unavailable", error.to_string())))
}

fn fill_now(
    mut config: Value,
    slots: &[SecretSlot],
    project: &str,
    source: &dyn SecretSource,
) -> Result<(Value, Mask), AttemptError> {
    let mut secrets = Vec::new();
    for slot in slots {
        let mut text = String::new();
        for part in &slot.parts {
            match part {
                SecretPart::Text(part) => text.push_str(part),
                SecretPart::Secret(name) => {
                    let found = source.secret(project, name);
                    let found = found.map_err(|error| retry("secret_unavailable", error))?;
                    let secret = found.ok_or_else(|| {
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
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    struct One;

    impl SecretSource for One {
        fn secret(&self, project: &str, name: &str) -> Result<Option<String>, String> {
            let is_there = project == "default" && name == "token";
            Ok(is_there.then(|| "s3cret".to_owned()))
        }
    }

    fn order(name: &str) -> AttemptOrder {
        let parts =
            vec![SecretPart::Text("{{secrets.token}} ".into()), SecretPart::Secret(name.into())];
        AttemptOrder {
            run_id: Uuid::nil(),
            project: Arc::from("default"),
            workflow: Arc::from("Send"),
            path: "a".into(),
            attempt: 1,
            kind: Arc::from("http"),
            input: Arc::new(json!({ "headers": { "a": "as written" } })),
            records: Vec::new(),
            budgets: Default::default(),
            cache: None,
            secrets: vec![SecretSlot { path: "/headers/a".into(), parts }],
            timeout: None,
            trigger_depth: 0,
            effect: Default::default(),
        }
    }

    async fn filled(order: &AttemptOrder) -> Result<(Value, Mask), AttemptError> {
        let source: Arc<dyn SecretSource> = Arc::new(One);
        fill(order, &source).await
    }

    #[tokio::test]
    async fn a_slot_is_filled_and_what_looks_like_one_is_not() {
        let (config, mask) = filled(&order("token")).await.unwrap();
        assert_eq!(config["headers"]["a"], "{{secrets.token}} s3cret");
        assert_eq!(mask.text("it is s3cret".into()), "it is ***");
    }

    #[tokio::test]
    async fn a_missing_secret_is_an_error_that_names_it() {
        let error = filled(&order("other")).await.map(|_| ()).unwrap_err();
        assert_eq!(error.failure.code, "secret_missing");
        assert!(error.is_final && error.failure.message.contains("`other`"));
    }
}
