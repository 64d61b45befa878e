//! Where settings come from, and saying so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::error::{Actual, Kind};
use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use windlass_core::HumanDuration;

use super::{Config, seeds};

/// The file that is read if it is there and no other is named.
const FILE: &str = "windlass.toml";
/// Every variable of ours begins with it. Those with `__` in their name are settings.
const PREFIX: &str = "WINDLASS_";

/// A shorter name for `WINDLASS_STORE__DATABASE`.
const DATABASE_VARIABLE: &str = "WINDLASS_DATABASE_URL";

/// Settings that were given on the command line.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--data`.
    pub data: Option<PathBuf>,
    /// `--database`.
    pub database: Option<String>,
}

/// Settings, and where each came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// The same one by one, by key.
    pub settings: Vec<Setting>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Setting {
    /// Its key, such as `server.listen`.
    pub key: String,
    /// Its value.
    pub value: serde_json::Value,
    /// Where it came from.
    pub origin: String,
}

/// Why there are no settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

/// Reads the settings and checks them.
///
/// # Errors
///
/// Everything that is wrong with them.
pub fn load(flags: &Flags) -> Result<Loaded, ConfigError> {
    let mut figment = Figment::from(Named("default", Serialized::defaults(Config::default())));
    match &flags.config {
        Some(path) if !path.is_file() => {
            return Err(ConfigError(vec![format!("there is no file `{}`", path.display())]));
        }
        Some(path) => figment = figment.merge(Toml::file_exact(path)),
        None if Path::new(FILE).is_file() => figment = figment.merge(Toml::file_exact(FILE)),
        None => {}
    }
    for found in seeds::read(&figment).map_err(ConfigError)? {
        let (name, key) = (found.variable.to_owned(), found.key.to_owned());
        figment = figment.merge(Flag { name, key, value: found.value });
    }
    let is_setting = |key: &figment::value::UncasedStr| {
        key.as_str().contains("__") && !key.starts_with("SECRET_")
    };
    let variables = Env::prefixed(PREFIX).filter(is_setting).split("__");
    figment = figment.merge(&variables);
    let named = Env::raw().only(&[DATABASE_VARIABLE]).iter().next().map(|(_, text)| text);
    let named = named.filter(|text| !text.is_empty()).map(|text| (DATABASE_VARIABLE, text));
    let flag = flags.database.clone().map(|text| ("--database", text));
    for (name, text) in named.into_iter().chain(flag) {
        for (key, value) in seeds::database_values(text.trim()) {
            let (name, key) = (name.to_owned(), key.to_owned());
            figment = figment.merge(Flag { name, key, value });
        }
    }
    if let Some(listen) = &flags.listen {
        figment = figment.merge(Flag::text("--listen", "server.listen", listen));
    }
    if let Some(data) = &flags.data {
        figment = figment.merge(Flag::text("--data", "store.data", &data.to_string_lossy()));
    }
    let config = extract(&mut figment, &variables).map_err(|errors| {
        ConfigError(errors.into_iter().map(|error| in_words(&figment, &error)).collect())
    })?;
    let complaints = config.check();
    if !complaints.is_empty() {
        let line = |(key, message): &(&str, String)| {
            format!("{key}: {message} (from {})", origin_of(&figment, key))
        };
        return Err(ConfigError(complaints.iter().map(line).collect()));
    }
    let settings = settings_of(&figment, &config);
    Ok(Loaded { config, settings })
}

/// A variable is text, and what it looks like is a guess: `12345678901` may be a secret as well as a
/// number. What does not fit as guessed is read as the text it is, or as a list of texts.
fn extract(figment: &mut Figment, variables: &Env) -> Result<Config, figment::Error> {
    let given: BTreeMap<String, String> =
        variables.iter().map(|(key, text)| (key.into_string(), text)).collect();
    let mut tried = BTreeSet::new();
    loop {
        let error = match figment.extract::<Config>() {
            Ok(config) => return Ok(config),
            Err(error) => error,
        };
        let key = error.path.join(".");
        let (Kind::InvalidType(_, wanted), Some(text)) = (&error.kind, given.get(&key)) else {
            return Err(error);
        };
        let value = match wanted.contains("sequence") {
            true => Value::from(seeds::list(text)),
            false => Value::from(text.as_str()),
        };
        if !tried.insert(key.clone()) {
            return Err(error);
        }
        let name = variable_of(&key);
        *figment = std::mem::take(figment).merge(Flag { name, key, value });
    }
}

/// An error with the setting it is about. What was found is left out: it may be a secret.
fn in_words(figment: &Figment, error: &figment::Error) -> String {
    let key = error.path.join(".");
    let from = error.metadata.as_ref().map(|metadata| origin(metadata, &key));
    let from = from.map(|from| format!(" (from {from})")).unwrap_or_default();
    match &error.kind {
        _ if key.is_empty() => error.to_string(),
        Kind::Message(message) if message.contains("is not a duration") => {
            let given = message.split('`').nth(1).unwrap_or_default();
            format!(
                "{key}: a duration such as `30d`, `12h` or `5s` is expected, not `{given}`{from}"
            )
        }
        Kind::Message(message) if message.contains("socket address") => {
            let given = figment.find_value(&key).ok().and_then(Value::into_string);
            let given = given.map(|given| format!(", not `{given}`")).unwrap_or_default();
            format!(
                "{key}: an address with a port is expected, such as `127.0.0.1:8000`{given}{from}"
            )
        }
        Kind::Message(message) => format!("{key}: {message}{from}"),
        Kind::InvalidType(found, wanted) => {
            format!("{key}: {} is expected, not {}{from}", wanted_of(wanted), kind_of(found))
        }
        _ => error.to_string(),
    }
}

/// What serde expects, in words.
fn wanted_of(wanted: &str) -> &str {
    match wanted {
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a string" | "path string" => "a text",
        "u64" => "a whole number",
        other => other,
    }
}

fn kind_of(found: &Actual) -> &'static str {
    match found {
        Actual::Bool(_) => "true or false",
        Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) => "a text",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "this",
    }
}

fn settings_of(figment: &Figment, config: &Config) -> Vec<Setting> {
    let mut settings = Vec::new();
    let sections = serde_json::to_value(config).unwrap_or_default();
    for (section, fields) in sections.as_object().into_iter().flatten() {
        for (field, value) in fields.as_object().into_iter().flatten() {
            let key = format!("{section}.{field}");
            let origin = origin_of(figment, &key);
            settings.push(Setting { key, value: as_written(value.clone()), origin });
        }
    }
    settings
}

/// A value with its durations as people write them.
fn as_written(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => Value::String(match text.parse::<HumanDuration>() {
            // Another text may happen to be one, but hardly in the very words in which ours are told.
            Ok(duration) if duration.to_string() == text => duration_as_written(duration.0),
            _ => text,
        }),
        Value::Array(items) => items.into_iter().map(as_written).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(key, value)| (key, as_written(value))).collect()
        }
        other => other,
    }
}

/// `90d`, `24h`, `5s`: in the largest unit that leaves no rest. A single day is 24 hours.
fn duration_as_written(duration: Duration) -> String {
    const UNITS: [(&str, u128, u128); 5] = [
        ("d", 86_400_000, 2),
        ("h", 3_600_000, 1),
        ("m", 60_000, 1),
        ("s", 1_000, 1),
        ("ms", 1, 1),
    ];
    if duration.is_zero() {
        return "0s".to_owned();
    }
    let millis = duration.as_millis();
    let is_whole = duration.subsec_nanos().is_multiple_of(1_000_000);
    let mut units = UNITS.iter().filter(|_| is_whole);
    let unit =
        units.find(|(_, size, least)| millis.is_multiple_of(*size) && millis / size >= *least);
    match unit {
        Some((unit, size, _)) => format!("{}{unit}", millis / size),
        None => HumanDuration(duration).to_string(),
    }
}

fn origin_of(figment: &Figment, key: &str) -> String {
    match figment.find_metadata(key) {
        Some(metadata) => origin(metadata, key),
        None => "default".to_owned(),
    }
}

fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

fn origin(metadata: &Metadata, key: &str) -> String {
    match &metadata.source {
        Some(figment::Source::File(path)) => path.display().to_string(),
        // What the provider says of itself would name no variable.
        _ if metadata.name.contains("environment") => variable_of(key),
        _ => metadata.name.to_string(),
    }
}

/// A provider under another name.
struct Named<P>(&'static str, P);

impl<P: Provider> Provider for Named<P> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.0)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        self.1.data()
    }
}

/// One value for one key.
struct Flag {
    name: String,
    key: String,
    value: Value,
}

impl Flag {
    fn text(name: &str, key: &str, value: &str) -> Flag {
        Flag { name: name.to_owned(), key: key.to_owned(), value: Value::from(value) }
    }
}

impl Provider for Flag {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let value = figment::util::nest(&self.key, self.value.clone());
        let dict = value.into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(dict))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use windlass_core::HumanDuration;

    use super::as_written;

    #[test]
    fn durations_are_told_as_people_write_them() {
        for text in ["90d", "2d", "24h", "36h", "90m", "1h", "5s", "90s", "1500ms", "0s", "365d"] {
            let told = json!(text.parse::<HumanDuration>().unwrap());
            assert_eq!(as_written(json!({ "a": [told] })), json!({ "a": [text] }));
        }
        for text in ["127.0.0.1:8000", "30", "info", "2026", "1 day"] {
            assert_eq!(as_written(json!(text)), text);
        }
    }
}
