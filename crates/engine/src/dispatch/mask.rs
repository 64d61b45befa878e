use serde_json::{Map, Value};
use windlass_core::run::AttemptError;

/// Shorter secrets are not looked for: they would hide half of every text.
const SECRET_BYTES_MIN: usize = 4;
const HIDDEN: &str = "***";

/// Hides the secrets of an attempt in whatever comes out of it.
#[derive(Debug, Default)]
pub(super) struct Mask {
    /// The longest first, so that a secret that holds another is hidden whole.
    secrets: Vec<String>,
}

impl Mask {
    pub(super) fn new(whole: Vec<String>) -> Mask {
        // Logs come line by line, so each line of a key or of a file's text is a secret too.
        let lines =
            whole.iter().flat_map(|secret| secret.lines().map(|line| line.trim().to_owned()));
        let mut secrets: Vec<String> = lines.collect();
        secrets.extend(whole);
        secrets.retain(|secret| secret.len() >= SECRET_BYTES_MIN);
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Mask { secrets }
    }

    pub(super) fn text(&self, mut text: String) -> String {
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), HIDDEN);
            }
        }
        text
    }

    pub(super) fn value(&self, value: Value) -> Value {
        if self.secrets.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(fields) => Value::Object(
                fields
                    .into_iter()
                    .map(|(name, value)| (self.text(name), self.value(value)))
                    .collect::<Map<String, Value>>(),
            ),
            // A secret of digits comes back as a number if it was written without quotes.
            Value::Number(number) if self.text(number.to_string()) != number.to_string() => {
                Value::String(HIDDEN.to_owned())
            }
            other => other,
        }
    }

    pub(super) fn error(&self, mut error: AttemptError) -> AttemptError {
        error.failure.message = self.text(error.failure.message);
        error.failure.details = error.failure.details.map(|details| self.value(details));
        error
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_hidden_everywhere() {
        let mask = Mask::new(vec!["abcd".into(), "abcdef".into(), "x".into()]);
        assert_eq!(mask.text("abcdef abcd x".into()), "*** *** x");
        let value = json!({ "abcd": ["-abcdef-", 1, null] });
        assert_eq!(mask.value(value), json!({ "***": ["-***-", 1, null] }));
        let error = windlass_nodes::fail("a", "no abcd");
        assert_eq!(mask.error(error).failure.message, "no ***");
    }

    #[test]
    fn every_line_of_a_secret_is_one_and_so_is_a_number() {
        let mask = Mask::new(vec!["first line\n  second line\r\n}\n".into(), "12345".into()]);
        assert_eq!(mask.text("first line".into()), "***");
        assert_eq!(mask.text("> second line <".into()), "> *** <");
        assert_eq!(mask.text("}".into()), "}", "what is short would hide half of every text");
        assert_eq!(mask.value(json!([12345, 7, 1.5])), json!(["***", 7, 1.5]));
    }
}
