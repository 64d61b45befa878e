//! Where settings come from, and saying so.

use std::path::{Path, PathBuf};

use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

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
        figment = figment.merge(Flag { name: found.variable, key: found.key, value: found.value });
    }
    let is_setting = |key: &figment::value::UncasedStr| {
        key.as_str().contains("__") && !key.starts_with("SECRET_")
    };
    figment = figment.merge(Env::prefixed(PREFIX).filter(is_setting).split("__"));
    let named = Env::raw().only(&[DATABASE_VARIABLE]).iter().next().map(|(_, text)| text);
    let named = named.filter(|text| !text.is_empty()).map(|text| (DATABASE_VARIABLE, text));
    let flag = flags.database.clone().map(|text| ("--database", text));
    for (name, text) in named.into_iter().chain(flag) {
        for (key, value) in seeds::database_values(text.trim()) {
            figment = figment.merge(Flag { name, key, value });
        }
    }
    if let Some(listen) = &flags.listen {
        figment = figment.merge(Flag::text("--listen", "server.listen", listen));
    }
    if let Some(data) = &flags.data {
        figment = figment.merge(Flag::text("--data", "store.data", &data.to_string_lossy()));
    }
    let config: Config = figment.extract().map_err(|errors| {
        ConfigError(errors.into_iter().map(|error| error.to_string()).collect())
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

fn settings_of(figment: &Figment, config: &Config) -> Vec<Setting> {
    let mut settings = Vec::new();
    let sections = serde_json::to_value(config).unwrap_or_default();
    for (section, fields) in sections.as_object().into_iter().flatten() {
        for (field, value) in fields.as_object().into_iter().flatten() {
            let key = format!("{section}.{field}");
            let origin = origin_of(figment, &key);
            settings.push(Setting { key, value: value.clone(), origin });
        }
    }
    settings
}

fn origin_of(figment: &Figment, key: &str) -> String {
    let Some(metadata) = figment.find_metadata(key) else { return "default".to_owned() };
    match &metadata.source {
        Some(figment::Source::File(path)) => path.display().to_string(),
        // What the provider says of itself would name no variable.
        _ if metadata.name.contains("environment") => {
            format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
        }
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
    name: &'static str,
    key: &'static str,
    value: Value,
}

impl Flag {
    fn text(name: &'static str, key: &'static str, value: &str) -> Flag {
        Flag { name, key, value: Value::from(value) }
    }
}

impl Provider for Flag {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let value = figment::util::nest(self.key, self.value.clone());
        let dict = value.into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(dict))
    }
}
