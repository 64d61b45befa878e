//! Which providers there are, and which one a model's name stands for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use reqwest::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::LlmError;
use super::usage::Price;
use crate::kinds::http::{AllowList, HttpClient};

/// What is spoken at an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// Chat completions as OpenAI has them, which most servers understand.
    #[default]
    Openai,
    /// Anthropic's messages.
    Anthropic,
    /// Gemini's content generation.
    Gemini,
}

impl Api {
    /// The provider of this name that everybody has, and where it is.
    fn known(name: &str) -> Option<(Api, &'static str)> {
        match name {
            "openai" => Some((Api::Openai, "https://api.openai.com/v1/")),
            "anthropic" => Some((Api::Anthropic, "https://api.anthropic.com/v1/")),
            "gemini" => Some((Api::Gemini, "https://generativelanguage.googleapis.com/v1beta/")),
            _ => None,
        }
    }

    /// The known provider whose models begin like this.
    fn of_model(model: &str) -> Option<&'static str> {
        const PREFIXES: [(&str, &str); 8] = [
            ("gpt-", "openai"),
            ("chatgpt-", "openai"),
            ("o1", "openai"),
            ("o3", "openai"),
            ("o4", "openai"),
            ("claude", "anthropic"),
            ("gemini", "gemini"),
            ("gemma-", "gemini"),
        ];
        PREFIXES.iter().find(|(prefix, _)| model.starts_with(prefix)).map(|(_, name)| *name)
    }

    /// The path of an address that names none.
    fn default_path(self) -> &'static str {
        match self {
            Api::Openai | Api::Anthropic => "/v1/",
            Api::Gemini => "/v1beta/",
        }
    }
}

/// Somebody who runs models.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Provider {
    /// What it speaks. Left out: that of the known provider of the same name, else `openai`.
    pub api: Option<Api>,
    /// Where it is. Left out: where the known provider of the same name is.
    pub base_url: Option<String>,
    /// The key. It is sent nowhere else than to `base_url`.
    pub api_key: Option<String>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("api", &self.api)
            .field("base_url", &self.base_url)
            .field("has_key", &self.api_key.is_some())
            .finish()
    }
}

/// The providers, and what their models cost.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LlmSettings {
    /// Who is asked for a model that names no provider. Left out, the model's name tells: `gpt-…`,
    /// `claude-…`, `gemini-…`.
    pub default_provider: Option<String>,
    /// By name. `openai`, `anthropic` and `gemini` are there without being written.
    pub providers: BTreeMap<String, Provider>,
    /// Other names of models, such as `fast` for `openai/gpt-5-mini`.
    pub aliases: BTreeMap<String, String>,
    /// By `provider/model` or model; a `*` at the end stands for anything.
    pub prices: BTreeMap<String, Price>,
    /// How many tokens an answer can have, by `provider/model` or model; a `*` at the end stands for
    /// anything. For calls within a budget that say nothing of `max_tokens`.
    pub max_output_tokens: BTreeMap<String, u32>,
    #[serde(skip)]
    configured: OnceLock<Result<HttpClient, String>>,
}

/// What a node itself says about where its model is.
#[derive(Clone, Debug, Default)]
pub struct At {
    /// The provider.
    pub provider: Option<String>,
    /// An address of the node's own.
    pub base_url: Option<String>,
    /// A key of the node's own.
    pub api_key: Option<String>,
}

/// A model, where it is, and how to get there.
#[derive(Clone)]
pub struct Target {
    /// The provider, as the settings call it.
    pub provider: String,
    /// The model, as the provider calls it.
    pub model: String,
    pub(super) api: Api,
    pub(super) base_url: Url,
    pub(super) api_key: Option<String>,
    pub(super) price: Option<Price>,
    pub(super) max_output_tokens: Option<u32>,
    pub(super) http: HttpClient,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({}/{} at {})", self.provider, self.model, self.base_url)
    }
}

impl LlmSettings {
    /// The same settings with what the environment usually says: `OPENAI_API_KEY`,
    /// `OPENAI_BASE_URL` and so on for the known providers, and `MODEL_SERVICE_URL` for a server
    /// that is asked for every model that names no provider. What is written already stays.
    pub fn with_environment(mut self, read: impl Fn(&str) -> Option<String>) -> LlmSettings {
        let read = |name: &str| read(name).filter(|value| !value.trim().is_empty());
        for (name, keys, url) in [
            ("openai", ["OPENAI_API_KEY", "OPENAI_API_KEY"], "OPENAI_BASE_URL"),
            ("anthropic", ["ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY"], "ANTHROPIC_BASE_URL"),
            ("gemini", ["GEMINI_API_KEY", "GOOGLE_API_KEY"], "GEMINI_BASE_URL"),
        ] {
            let provider = self.providers.entry(name.to_owned()).or_default();
            // The environment's key is for the environment's address, or for the public one.
            if provider.base_url.is_none() {
                provider.base_url = read(url);
                if provider.api_key.is_none() {
                    provider.api_key = keys.iter().find_map(|key| read(key));
                }
            }
        }
        if let Some(url) = read("MODEL_SERVICE_URL") {
            let service = self.providers.entry("model_service".to_owned()).or_default();
            service.base_url.get_or_insert(url);
            if service.api_key.is_none() {
                service.api_key = read("MODEL_SERVICE_API_KEY");
            }
            self.default_provider.get_or_insert_with(|| "model_service".to_owned());
        }
        self
    }

    /// The keys of the providers. They must not come out of any attempt.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.providers.values().filter_map(|provider| provider.api_key.as_deref())
    }

    /// Everything that cannot work, as the setting's name behind `llm.` and a sentence.
    pub fn check(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (name, provider) in &self.providers {
            let place = format!("providers.{name}.base_url");
            match &provider.base_url {
                Some(url) => {
                    found
                        .extend(parse_base(url, Api::Openai).err().map(|message| (place, message)));
                }
                None if Api::known(name).is_none() => {
                    found.push((place, format!("`{name}` needs a `base_url`")));
                }
                None => {}
            }
        }
        if let Some(name) = self.default_provider.as_deref().filter(|name| !self.knows(name)) {
            found.push(("default_provider".to_owned(), format!("there is no provider `{name}`")));
        }
        for (model, _) in self.prices.iter().filter(|(_, price)| !price.is_sane()) {
            let place = format!("prices.{model}");
            found
                .push((place, "a price is at least 0, in dollars for a million tokens".to_owned()));
        }
        found
    }

    fn knows(&self, provider: &str) -> bool {
        self.providers.contains_key(provider) || Api::known(provider).is_some()
    }

    /// Finds the model. `guarded` is the client for addresses that the operator has not named.
    ///
    /// # Errors
    ///
    /// If there is no such provider, no key for it, or no way there.
    pub fn target(&self, model: &str, at: &At, guarded: &HttpClient) -> Result<Target, LlmError> {
        let model = self.aliases.get(model).map_or(model, String::as_str);
        let (name, model) = self.provider_of(model, at)?;
        let known = Api::known(name);
        let settings = self.providers.get(name);
        let api = settings
            .and_then(|provider| provider.api)
            .or_else(|| known.map(|(api, _)| api))
            .unwrap_or_default();
        let configured = settings.and_then(|provider| provider.base_url.as_deref());
        let own_key = at.api_key.clone().filter(|key| !key.is_empty());
        let configured_key = || settings.and_then(|provider| provider.api_key.clone());
        let (url, api_key, http) = match (&at.base_url, configured, known) {
            // The operator's key is not for an address that a definition names.
            (Some(url), ..) => (url.as_str(), own_key, guarded.clone()),
            (None, Some(url), _) => (url, own_key.or_else(configured_key), self.configured()?),
            (None, None, Some((_, url))) => {
                let key = own_key.or_else(configured_key);
                let key = key.ok_or_else(|| LlmError::KeyMissing(name.to_owned()))?;
                (url, Some(key), guarded.clone())
            }
            (None, None, None) => return Err(LlmError::UnknownProvider(name.to_owned())),
        };
        Ok(Target {
            provider: name.to_owned(),
            model: model.to_owned(),
            api,
            base_url: parse_base(url, api).map_err(LlmError::BadConfig)?,
            api_key,
            price: of_model(&self.prices, name, model),
            max_output_tokens: of_model(&self.max_output_tokens, name, model),
            http,
        })
    }

    /// The provider, and the model without the provider's name.
    fn provider_of<'a>(
        &'a self,
        model: &'a str,
        at: &'a At,
    ) -> Result<(&'a str, &'a str), LlmError> {
        if let Some(name) = &at.provider {
            let is_known = self.knows(name) || at.base_url.is_some();
            return if is_known {
                Ok((name, model))
            } else {
                Err(LlmError::UnknownProvider(name.clone()))
            };
        }
        if let Some((name, rest)) = model.split_once('/').filter(|(name, _)| self.knows(name)) {
            return Ok((name, rest));
        }
        let name = self.default_provider.as_deref().or_else(|| Api::of_model(model));
        match name.or_else(|| at.base_url.as_ref().map(|_| "openai")) {
            Some(name) => Ok((name, model)),
            None => Err(LlmError::UnknownModel(format!(
                "nothing tells who provides the model `{model}`; write `provider/model`, or set \
                 `llm.default_provider`"
            ))),
        }
    }

    /// A client for the addresses that the operator has named, wherever they are.
    fn configured(&self) -> Result<HttpClient, LlmError> {
        let made = self.configured.get_or_init(|| {
            let urls = self.providers.values().filter_map(|provider| provider.base_url.as_deref());
            let hosts: Vec<String> = urls
                .filter_map(|url| Url::parse(url).ok()?.host_str().map(str::to_owned))
                .map(|host| host.trim_matches(['[', ']']).to_owned())
                .collect();
            HttpClient::new(AllowList::parse(&hosts)?)
        });
        made.clone().map_err(LlmError::BadConfig)
    }
}

/// What is written for a model: for itself, or else for the longest beginning of its name.
fn of_model<T: Copy>(written: &BTreeMap<String, T>, provider: &str, model: &str) -> Option<T> {
    let full = format!("{provider}/{model}");
    if let Some(found) = written.get(&full).or_else(|| written.get(model)) {
        return Some(*found);
    }
    let patterns = written.iter().filter_map(|(name, value)| {
        let start = name.strip_suffix('*')?;
        (full.starts_with(start) || model.starts_with(start)).then_some((start.len(), *value))
    });
    patterns.max_by_key(|(length, _)| *length).map(|(_, value)| value)
}

/// Reads an address, and ends its path so that more can be put behind it.
fn parse_base(text: &str, api: Api) -> Result<Url, String> {
    let mut url = Url::parse(text).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{}` is not http or https", url.scheme()));
    }
    if url.path() == "/" {
        url.set_path(api.default_path());
    } else if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}
