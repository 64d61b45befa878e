//! The variables that the united systems are set by, beside ours. A `WINDLASS_` variable wins over
//! them, and they over the file.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use figment::Figment;
use figment::providers::Env;
use figment::value::{Empty, Value};

use super::database::sqlite_directory;

/// Each variable and the setting it is another name for. Of two names of one setting, the later
/// wins.
pub const NAMES: &[(&str, &str)] = &[
    ("HOST", "server.listen"),
    ("PORT", "server.listen"),
    ("WORKFLOW_ENGINE_HOST", "server.listen"),
    ("WORKFLOW_ENGINE_PORT", "server.listen"),
    ("DATABASE_URL", "store.database"),
    ("INSTANCE_DB_URL", "store.database"),
    ("RETENTION_DAYS", "store.retention"),
    ("AWS_ENDPOINT_URL", "store.s3_endpoint"),
    ("AWS_REGION", "store.s3_region"),
    ("AWS_ACCESS_KEY_ID", "store.s3_access_key_id"),
    ("AWS_SECRET_ACCESS_KEY", "store.s3_secret_access_key"),
    ("CORS_ALLOWED_ORIGINS", "server.cors_allowed_origins"),
    ("SERVER_API_KEY", "access.server_api_key"),
    ("JWT_SECRET", "access.jwt_secret"),
    ("JWT_ALGORITHM", "access.jwt_algorithm"),
    ("WORKFLOWS_DIR", "mirror.workflows_dir"),
    ("QUEUE_STATE_FILE", "mirror.queue_file"),
    ("MAX_PARALLEL_NODES", "shell.concurrency"),
    ("MAX_PARALLEL_NODES", "code.concurrency"),
    ("MAX_PARALLEL_NODES", "http.concurrency"),
    ("MAX_PARALLEL_NODES", "llm.concurrency"),
    ("LOG_LEVEL", "log.level"),
    ("LOG_FORMAT", "log.format"),
];

/// What a variable sets.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) variable: &'static str,
    pub(super) key: &'static str,
    pub(super) value: Value,
}

/// What the variables set, over what holds without them.
///
/// # Errors
///
/// The variables that make no sense.
pub(super) fn read(figment: &Figment) -> Result<Vec<Found>, Vec<String>> {
    let names: Vec<&str> = NAMES.iter().map(|(variable, _)| *variable).collect();
    let given: Vec<(String, String)> = Env::raw()
        .only(&names)
        .iter()
        .map(|(name, value)| (name.as_str().to_uppercase(), value))
        .collect();
    let mut listen = figment.extract_inner("server.listen").ok();
    let (mut found, mut complaints) = (Vec::new(), Vec::new());
    for (variable, key) in NAMES {
        let Some((_, text)) = given.iter().find(|(name, _)| name == variable) else { continue };
        let text = text.trim();
        // Compose files set what they do not know to nothing.
        if text.is_empty() {
            continue;
        }
        if *key == "store.database" {
            let values = database_values(text).into_iter();
            found.extend(values.map(|(key, value)| Found { variable, key, value }));
            continue;
        }
        match value_of(key, text, &mut listen) {
            Ok(value) => found.push(Found { variable, key, value }),
            Err(message) => complaints.push(format!("{variable}: {message}")),
        }
    }
    if complaints.is_empty() { Ok(found) } else { Err(complaints) }
}

fn value_of(key: &str, text: &str, listen: &mut Option<SocketAddr>) -> Result<Value, String> {
    match key {
        "server.listen" => {
            let at = listen.get_or_insert(SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)));
            // A port is a number; so the two variables tell themselves apart.
            match (text.parse::<u16>(), host(text)) {
                (Ok(port), _) => at.set_port(port),
                (_, Some(host)) => at.set_ip(host),
                _ => return Err(format!("`{text}` is neither an address nor a port")),
            }
            Ok(Value::from(at.to_string()))
        }
        "server.cors_allowed_origins" => Ok(Value::from(list(text))),
        // None is none that are kept only for so long.
        "store.retention" => match text.parse::<u32>() {
            Ok(0) => Ok(Value::from(Empty::None)),
            Ok(days) => Ok(Value::from(format!("{days}d"))),
            Err(_) => Err(format!("`{text}` is no number of days")),
        },
        "access.server_api_key" | "access.jwt_secret" => Ok(Value::from(text)),
        _ if key.starts_with("store.s3_") || key.starts_with("mirror.") => Ok(Value::from(text)),
        _ if key.ends_with(".concurrency") => match text.parse::<u32>() {
            Ok(count) => Ok(Value::from(count)),
            Err(_) => Err(format!("`{text}` is no number of nodes")),
        },
        "access.jwt_algorithm" => Ok(Value::from(text.to_uppercase())),
        "log.level" => Ok(Value::from(level(text))),
        _ => Ok(Value::from(text.to_lowercase())),
    }
}

/// What an address of a database sets: that of an SQLite database is a data directory.
pub(super) fn database_values(text: &str) -> Vec<(&'static str, Value)> {
    match sqlite_directory(text) {
        Some(directory) => vec![
            ("store.data", Value::from(directory.to_string_lossy().into_owned())),
            ("store.database", Value::from(Empty::None)),
        ],
        None => vec![("store.database", Value::from(text))],
    }
}

fn host(text: &str) -> Option<IpAddr> {
    if text.eq_ignore_ascii_case("localhost") {
        return Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    text.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// With commas between, or as a JSON list: both are in use.
pub(super) fn list(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| {
        let words = text.split(',').map(|word| word.trim().trim_end_matches('/'));
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    })
}

/// Python has other words for some levels.
fn level(text: &str) -> String {
    match text.to_lowercase().as_str() {
        "warning" => "warn".to_owned(),
        "critical" | "fatal" => "error".to_owned(),
        other => other.to_owned(),
    }
}
