use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a [`Finding`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The definition cannot be deployed.
    Error,
    /// It can, but it is probably not what its author meant.
    Warning,
}

/// One thing that `check` found, with the place and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Whether it stops a deployment.
    pub severity: Severity,
    /// A stable word such as `unknown-kind` or `cycle`.
    pub code: String,
    /// JSON Pointer of the place, such as `/nodes/2/config/url`. Empty for the whole document.
    pub path: String,
    /// Line in the source, from 1. `None` where the source is not a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in that line, in characters from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Finding {
    /// An error at a place, without line, column and hint.
    pub fn error(code: &str, path: impl Into<String>, message: impl Into<String>) -> Finding {
        Finding {
            severity: Severity::Error,
            code: code.to_owned(),
            path: path.into(),
            line: None,
            column: None,
            message: message.into(),
            hint: None,
        }
    }

    /// The same finding as a warning.
    pub fn as_warning(mut self) -> Finding {
        self.severity = Severity::Warning;
        self
    }

    /// The same finding with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Finding {
        self.hint = Some(hint.into());
        self
    }

    /// The same finding with a hint, if there is one.
    pub fn hint_if(mut self, hint: Option<String>) -> Finding {
        self.hint = hint.or(self.hint);
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "{line}:{column}: ")?;
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}[{}]: {}", self.code, self.message)?;
        if !self.path.is_empty() {
            write!(f, " (at {})", self.path)?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\n    hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// The known name closest to what somebody typed, as a hint; `None` if nothing is close.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let close = |name: &&str| {
        let (typed, name) = (typed.to_lowercase(), name.to_lowercase());
        let distance = strsim::damerau_levenshtein(&typed, &name);
        distance <= (typed.chars().count().max(name.chars().count()) / 3).max(1)
            || is_same_stem(&typed, &name)
    };
    known
        .into_iter()
        .filter(close)
        .min_by_key(|name| (strsim::damerau_levenshtein(typed, name), name.len()))
        .map(|name| format!("did you mean `{name}`?"))
}

/// Whether two words differ only in their endings, as `retries` and `retry` do.
fn is_same_stem(a: &str, b: &str) -> bool {
    let stem = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    stem >= 4 && stem + 1 >= a.chars().count().min(b.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        let known = ["transform", "conditional", "switch", "http"];
        assert_eq!(nearest("tranform", known), Some("did you mean `transform`?".into()));
        assert_eq!(nearest("HTTP", known), Some("did you mean `http`?".into()));
        assert_eq!(nearest("banana", known), None);
        assert_eq!(nearest("retries", ["retry", "type"]), Some("did you mean `retry`?".into()));
    }
}
