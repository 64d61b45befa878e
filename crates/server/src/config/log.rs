use serde::{Deserialize, Serialize};

/// What is written to standard error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSection {
    /// The least that is worth a line: `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

impl Default for LogSection {
    fn default() -> LogSection {
        LogSection { level: "info".to_owned(), format: LogFormat::Text }
    }
}

impl LogSection {
    pub(super) fn check(&self) -> Vec<(&'static str, String)> {
        match self.level.parse::<tracing::Level>() {
            Ok(_) => Vec::new(),
            Err(_) => {
                let message =
                    format!("`{}` is no level; error, warn, info, debug and trace are", self.level);
                vec![("log.level", message)]
            }
        }
    }
}
