use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use windlass_core::{Budget, Budgets};
use windlass_nodes::PromptSettings;
use windlass_nodes::llm::{Api, LlmSettings, Price, Provider};

use super::{Secret, within};

/// The node kinds `llm` and `agent`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LlmSection {
    /// How many of their attempts may be under way at the same time, of each kind. Further steps wait
    /// for their turn.
    pub concurrency: u64,
    /// Who is asked for a model that names no provider. Left out, the model's name tells.
    pub default_provider: Option<String>,
    /// By name. `openai`, `anthropic` and `gemini` are there without being written.
    pub providers: BTreeMap<String, ProviderSection>,
    /// Other names of models, such as `fast` for `openai/gpt-5-mini`.
    pub aliases: BTreeMap<String, String>,
    /// What models cost, in US dollars for a million tokens, by `provider/model` or model; a `*` at the
    /// end stands for anything.
    pub prices: BTreeMap<String, Price>,
    /// How many tokens an answer can have, by `provider/model` or model; a `*` at the end stands for
    /// anything. For calls within a budget that say nothing of `max_tokens`.
    pub max_output_tokens: BTreeMap<String, u32>,
    /// How much all calls of a project may take, by project. One budget or a list of them.
    pub budgets: BTreeMap<String, Budgets>,
    /// The directory of prompt files.
    pub prompts: Option<PathBuf>,
}

/// Somebody who provides models.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderSection {
    /// What it speaks. Left out, its name tells; any other name speaks as OpenAI does.
    pub api: Option<Api>,
    /// Where it is.
    pub base_url: Option<String>,
    /// The key to show.
    pub api_key: Option<Secret>,
}

impl Default for LlmSection {
    fn default() -> LlmSection {
        LlmSection {
            concurrency: 64,
            default_provider: None,
            providers: BTreeMap::new(),
            aliases: BTreeMap::new(),
            prices: BTreeMap::new(),
            max_output_tokens: BTreeMap::new(),
            budgets: BTreeMap::new(),
            prompts: None,
        }
    }
}

impl LlmSection {
    pub(super) fn check(&self) -> Vec<(&'static str, String)> {
        let mut found: Vec<_> =
            within("llm.concurrency", self.concurrency, 1..=10_000).into_iter().collect();
        let wrong = self.settings().check().into_iter();
        found.extend(wrong.map(|(place, message)| ("llm", format!("{place}: {message}"))));
        for (project, budgets) in &self.budgets {
            let wrong = budgets.complaints().into_iter();
            found.extend(wrong.map(|(place, message)| {
                ("llm", format!("budgets.{project}{}: {message}", place.replace('/', ".")))
            }));
        }
        found
    }

    /// What limits the calls of each project.
    pub(crate) fn project_budgets(&self) -> HashMap<String, Vec<Budget>> {
        let all = self.budgets.iter();
        all.map(|(project, budgets)| (project.clone(), budgets.all().to_vec())).collect()
    }

    fn settings(&self) -> LlmSettings {
        let provider = |section: &ProviderSection| Provider {
            api: section.api,
            base_url: section.base_url.clone(),
            api_key: section.api_key.as_ref().map(|key| key.reveal().to_owned()),
        };
        let mut settings = LlmSettings::default();
        settings.default_provider.clone_from(&self.default_provider);
        settings.providers = self
            .providers
            .iter()
            .map(|(name, section)| (name.clone(), provider(section)))
            .collect();
        settings.aliases.clone_from(&self.aliases);
        settings.prices.clone_from(&self.prices);
        settings.max_output_tokens.clone_from(&self.max_output_tokens);
        settings
    }

    /// As nodes need it, with the keys that the environment usually has.
    #[expect(clippy::disallowed_methods, reason = "these variables belong to the providers")]
    pub fn for_nodes(&self) -> LlmSettings {
        self.settings().with_environment(|name| std::env::var(name).ok())
    }

    /// Where prompt files are.
    pub fn prompts(&self) -> PromptSettings {
        PromptSettings { dir: self.prompts.clone() }
    }
}
