//! Who does what: every kind with its description, and an executor for those that act outside.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use windlass_core::kinds::{Kind, Kinds, Work, parse_config};
use windlass_core::run::AttemptError;

use crate::context::NodeContext;
use crate::kinds::agent::Agent;
use crate::kinds::code::Code;
use crate::kinds::http::Http;
use crate::kinds::llm::Llm;
use crate::kinds::noop::Noop;
use crate::kinds::shell::Shell;
use crate::node::{AskingNode, InlineNode, Node, Outcome};
use crate::worker::Manifest;

/// The end of an attempt, to come.
pub type Attempt = Pin<Box<dyn Future<Output = Result<Outcome, AttemptError>> + Send>>;

/// How attempts of a kind are made.
#[derive(Clone)]
pub enum Executor {
    /// On the spot.
    Inline(fn(Value) -> Result<Value, AttemptError>),
    /// In a task of their own.
    Task(Arc<dyn Fn(Value, NodeContext) -> Attempt + Send + Sync>),
}

/// All kinds, and how attempts of those that act outside are made.
#[derive(Clone, Default)]
pub struct Registry {
    kinds: Kinds,
    executors: HashMap<&'static str, Executor>,
    /// The kinds that workers of plugins do, and the plugin of each.
    plugins: Arc<BTreeMap<String, String>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.kinds.names()).finish()
    }
}

impl Registry {
    /// The kinds that come with Windlass.
    pub fn builtin() -> Registry {
        let mut registry =
            Registry { kinds: Kinds::pure(), executors: HashMap::new(), plugins: Arc::default() };
        registry.add_inline::<Noop>();
        registry.add::<Shell>();
        registry.add::<Code>();
        registry.add::<Http>();
        registry.add_asking::<Llm>();
        registry.add_asking::<Agent>();
        registry
    }

    /// Adds a kind.
    ///
    /// # Panics
    ///
    /// If there is one of that name already.
    pub fn add<N: Node>(&mut self) {
        self.kinds.add(Kind::new::<N>(Work::Outside));
        let run = |config, context| -> Attempt {
            Box::pin(async move { config_of::<N>(config)?.run(context).await.map(Outcome::Output) })
        };
        self.executors.insert(N::KIND, Executor::Task(Arc::new(run)));
    }

    /// Adds a kind whose attempts may ask.
    ///
    /// # Panics
    ///
    /// If there is one of that name already.
    pub fn add_asking<N: AskingNode>(&mut self) {
        self.kinds.add(Kind::new::<N>(Work::Outside));
        let run = |config, context| -> Attempt {
            Box::pin(async move { config_of::<N>(config)?.run(context).await })
        };
        self.executors.insert(N::KIND, Executor::Task(Arc::new(run)));
    }

    /// Adds a kind that is done on the spot.
    ///
    /// # Panics
    ///
    /// If there is one of that name already.
    pub fn add_inline<N: InlineNode>(&mut self) {
        self.kinds.add(Kind::new::<N>(Work::Outside));
        let run = |config| config_of::<N>(config)?.run();
        self.executors.insert(N::KIND, Executor::Inline(run));
    }

    /// Adds the kinds of plugins, each with its name: workers make their attempts.
    ///
    /// # Errors
    ///
    /// Kinds that are there already, one sentence each.
    pub fn add_plugins(&mut self, plugins: Vec<(String, Manifest)>) -> Result<(), Vec<String>> {
        let (mut plugin_of, mut wrong) = (BTreeMap::new(), Vec::new());
        for (plugin, manifest) in &plugins {
            for kind in &manifest.kinds {
                let name = kind.name;
                if let Some(other) = plugin_of.get(name) {
                    wrong.push(format!("`{plugin}`: the plugin `{other}` has a kind `{name}` too"));
                } else if self.kinds.get(name).is_some() {
                    wrong.push(format!("`{plugin}`: `{name}` is a kind of Windlass's own"));
                } else {
                    plugin_of.insert(name.to_owned(), plugin.clone());
                }
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        for kind in plugins.into_iter().flat_map(|(_, manifest)| manifest.kinds) {
            self.kinds.add(kind);
        }
        self.plugins = Arc::new(plugin_of);
        Ok(())
    }

    /// The kinds that workers of plugins do, and the plugin of each.
    pub fn plugin_kinds(&self) -> impl Iterator<Item = (&str, &str)> {
        self.plugins.iter().map(|(kind, plugin)| (kind.as_str(), plugin.as_str()))
    }

    /// The plugin of a kind.
    pub fn plugin_of(&self, kind: &str) -> Option<&str> {
        self.plugins.get(kind).map(String::as_str)
    }

    /// Every kind's description.
    pub fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// How attempts of this kind are made.
    pub fn executor(&self, kind: &str) -> Option<&Executor> {
        self.executors.get(kind)
    }
}

fn config_of<N: DeserializeOwned>(config: Value) -> Result<N, AttemptError> {
    parse_config(config).map_err(|failure| AttemptError::new(failure, true))
}

#[cfg(test)]
mod tests {
    use windlass_core::definition;

    use super::*;

    #[test]
    fn every_kind_is_described() {
        let registry = Registry::builtin();
        for kind in registry.kinds().iter() {
            assert!(kind.summary.ends_with(|c: char| c.is_alphanumeric()), "{}", kind.name);
            let properties = kind.schema.source().get("properties").and_then(Value::as_object);
            for (name, schema) in properties.into_iter().flatten() {
                assert!(schema.get("description").is_some(), "{}.{name}", kind.name);
            }
            let checked = definition::check(kind.example, registry.kinds());
            assert_eq!(checked.findings, [], "{}", kind.name);
        }
    }

    #[test]
    fn a_kind_of_a_plugin_takes_no_name_that_is_taken() {
        let manifest = |kind: &str| {
            let kind = serde_json::json!({
                "kind": kind, "summary": "Does it", "config": { "type": "object" }, "example": {},
            });
            let text = serde_json::json!({ "name": "p", "version": "1", "kinds": [kind] });
            Manifest::parse(&text.to_string()).unwrap()
        };
        let mut registry = Registry::builtin();
        let plugins =
            ["shell", "resize", "resize"].map(|kind| (format!("of-{kind}"), manifest(kind)));
        let wrong = registry.add_plugins(plugins.into()).unwrap_err();
        assert_eq!(
            wrong,
            [
                "`of-shell`: `shell` is a kind of Windlass's own",
                "`of-resize`: the plugin `of-resize` has a kind `resize` too"
            ]
        );
        assert_eq!(registry.plugin_kinds().count(), 0);
    }

    #[test]
    fn every_kind_that_acts_outside_has_an_executor() {
        let registry = Registry::builtin();
        for kind in registry.kinds().iter() {
            let is_made_here = matches!(kind.work, Work::Outside);
            assert_eq!(is_made_here, registry.executor(kind.name).is_some(), "{}", kind.name);
        }
    }
}
