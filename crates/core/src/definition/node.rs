//! One node: its settings, its config, and the graph inside if it is a block.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::compile::{Compiler, Scope, config_of};
use super::doc::{CacheDoc, CompensateDoc, ConcurrencyDoc, Effect, Join, NodeDoc, Retry};
use super::names::Level;
use super::plan::{Cache, Node, Repeat, SharedRuns};
use crate::budget::{Budget, Budgets};
use crate::expr::{Template, Type};
use crate::finding::Finding;
use crate::json;
use crate::kinds::{Kind, Work};
use crate::limits::{ATTEMPT_COUNT_MAX, CONCURRENCY_MAX};

impl Compiler<'_, '_> {
    pub(super) fn node(
        &mut self,
        scope: &Scope<'_>,
        index: usize,
        kind: Option<&Arc<Kind>>,
    ) -> Option<Node> {
        let (path, doc) = &scope.doc.nodes[index];
        let when = doc
            .when
            .as_ref()
            .and_then(|when| self.condition(when, &format!("{path}/when"), Some((scope, index))));
        self.check_retry(path, doc.retry.as_ref());
        if doc.join == Some(Join::Count(0)) {
            let message = "at least one edge must be waited for";
            self.findings.add(Finding::error("bad-value", format!("{path}/join/count"), message));
        }
        let kind = kind?;
        self.check_fit(path, doc, kind);
        let config = self.config(scope, index, kind);
        let bodies = kind.is_block().then(|| self.bodies(path, doc, kind));
        let key = match config_of(doc).get("key") {
            Some(key) if matches!(kind.work, Work::Map) => Some(self.key(path, doc, key)?),
            _ => None,
        };
        let compensate = doc.compensate.as_ref().map(|undo| self.compensate(scope, index, undo));
        let repeat = match kind.work {
            Work::Loop => Some(self.repeat(path, doc)?),
            _ => None,
        };
        let branches = kind.branches(&config_of(doc));
        let defaults = if kind.is_outside() { self.defaults.clone() } else { Default::default() };
        Some(Node {
            id: doc.id.clone(),
            title: doc.name.clone(),
            description: doc.description.clone(),
            kind: kind.clone(),
            config: config?,
            edges: Vec::new(),
            jumps: Vec::new(),
            incoming: 0,
            join: doc.join,
            when,
            retry: doc.retry.clone().or(defaults.retry),
            timeout: doc.timeout.or(defaults.timeout),
            effect: doc.effect,
            cache: match &doc.cache {
                None => None,
                Some(cache) => Some(self.cache(scope, index, cache)?),
            },
            budgets: self.budgets(path, doc.budget.as_ref()),
            on_failure: doc.on_failure,
            bodies: bodies.map_or(Some(Vec::new()), |bodies| bodies)?,
            compensate: match compensate {
                None => None,
                Some(node) => Some(Box::new(node?)),
            },
            repeat,
            key,
            branches,
        })
    }

    /// The condition of a loop, in which the names of its body's surroundings are known.
    fn repeat(&mut self, path: &str, doc: &NodeDoc) -> Option<Repeat> {
        let config = config_of(doc);
        let field = ["while", "until"].into_iter().find(|field| config.get(*field).is_some())?;
        let place = format!("{path}/config/{field}");
        let item = Some(Type::Any);
        self.names.enter(Level { outputs: HashMap::new(), item, has_error: false });
        let condition = self.condition(&config[field], &place, None);
        self.names.leave();
        Some(if field == "while" { Repeat::While(condition?) } else { Repeat::Until(condition?) })
    }

    fn cache(&mut self, scope: &Scope<'_>, index: usize, doc: &CacheDoc) -> Option<Cache> {
        let path = format!("{}/cache/key", scope.doc.nodes[index].0);
        let key = doc.key.as_ref();
        let key = key.map(|key| self.template(key, &path, false, Some((scope, index))));
        Some(Cache {
            key: match key {
                None => None,
                Some(key) => Some(key?),
            },
            ttl: doc.ttl,
        })
    }

    /// What the results of a `map` are called, in terms of the item.
    fn key(&mut self, path: &str, doc: &NodeDoc, key: &Value) -> Option<Template> {
        let item = Some(self.item_type(&config_of(doc)));
        self.names.enter(Level { outputs: HashMap::new(), item, has_error: false });
        let key = self.template(key, &format!("{path}/config/key"), false, None);
        self.names.leave();
        key
    }

    /// How many runs may be under way at once. The key is looked at before the run has begun, so it
    /// knows no node.
    pub(super) fn concurrency(&mut self, doc: Option<&ConcurrencyDoc>) -> Option<SharedRuns> {
        let doc = doc?;
        if !(1..=CONCURRENCY_MAX).contains(&doc.limit) {
            let message = format!("there may be 1 to {CONCURRENCY_MAX} runs");
            self.findings.add(Finding::error("bad-value", "/concurrency/limit", message));
        }
        let key = doc.key.as_ref().map(|key| Value::from(key.as_str()));
        let key = key.map(|key| self.template(&key, "/concurrency/key", false, None));
        let key = match key {
            Some(key) => Some(key?),
            None => None,
        };
        Some(SharedRuns { key, limit: doc.limit, on_limit: doc.on_limit })
    }

    pub(super) fn budgets(&mut self, path: &str, budgets: Option<&Budgets>) -> Vec<Budget> {
        let Some(budgets) = budgets else { return Vec::new() };
        for (place, message) in budgets.complaints() {
            let place = format!("{path}/budget{place}");
            self.findings.add(Finding::error("bad-value", place, message));
        }
        budgets.all().to_vec()
    }

    pub(super) fn check_retry(&mut self, path: &str, retry: Option<&Retry>) {
        let Some(retry) = retry else { return };
        let mut refuse = |field: &str, message: String| {
            let place = format!("{path}/retry/{field}");
            self.findings.add(Finding::error("bad-value", place, message));
        };
        if !(1..=ATTEMPT_COUNT_MAX).contains(&retry.max_attempts) {
            refuse("max_attempts", format!("there may be 1 to {ATTEMPT_COUNT_MAX} attempts"));
        }
        if !(1.0..=1_000.0).contains(&retry.multiplier) {
            refuse("multiplier", "the multiplier is 1 to 1000".to_owned());
        }
        if !(0.0..=1.0).contains(&retry.jitter) {
            refuse("jitter", "the jitter is 0 to 1".to_owned());
        }
    }

    /// Reports settings that mean nothing for the kind, rather than ignoring them.
    fn check_fit(&mut self, path: &str, doc: &NodeDoc, kind: &Kind) {
        if kind.is_outside() {
            return;
        }
        let name = kind.name;
        let fields = [
            ("retry", doc.retry.is_some()),
            ("timeout", doc.timeout.is_some()),
            ("effect", doc.effect != Effect::Safe),
            ("cache", doc.cache.is_some()),
            ("budget", doc.budget.is_some()),
        ];
        for (field, is_set) in fields {
            if is_set {
                let message = format!("`{field}` means nothing for a `{name}`");
                let hint = match kind.work {
                    _ if kind.is_block() => "set it on the nodes of the body",
                    _ => "only nodes that do something outside have it",
                };
                let finding = Finding::error("bad-value", format!("{path}/{field}"), message);
                self.findings.add(finding.hint(hint));
            }
        }
    }

    /// Checks the config against the kind's schema and compiles it. What is a template is not known
    /// yet, so the schema's opinion of it does not count.
    fn config(&mut self, scope: &Scope<'_>, index: usize, kind: &Kind) -> Option<Template> {
        let (path, doc) = &scope.doc.nodes[index];
        self.config_at(path, doc, kind, Some((scope, index)))
    }

    fn config_at(
        &mut self,
        node_path: &str,
        doc: &NodeDoc,
        kind: &Kind,
        reader: Option<(&Scope<'_>, usize)>,
    ) -> Option<Template> {
        let path = format!("{node_path}/config");
        let mut config = config_of(doc);
        let mut fits = true;
        for violation in kind.schema.violations(&config) {
            let is_template = |place: &str| {
                let is_verbatim =
                    kind.verbatim.iter().any(|field| place.strip_prefix('/') == Some(*field));
                !is_verbatim
                    && config
                        .pointer(place)
                        .and_then(Value::as_str)
                        .is_some_and(|text| text.contains("{{"))
            };
            let is_condition = kind.conditions.iter().any(|field| {
                violation.path.strip_prefix('/') == Some(*field)
                    && config
                        .get(*field)
                        .is_some_and(|value| value.is_string() || value.is_boolean())
            });
            if violation.is_unknown_field || !is_template(&violation.path) && !is_condition {
                fits = false;
                self.findings.add_violation(&path, &violation);
            }
        }
        if fits && let Err(complaint) = kind.check(&config) {
            let place = format!("{path}{}", complaint.path);
            let finding = Finding::error("bad-value", place, complaint.message);
            self.findings.add(finding.hint_if(complaint.hint));
        }
        // Only a block's body is a graph. The body of a request is a value like any other.
        // What a loop asks is asked again and again, and not when it begins.
        let not_values: &[&str] = match kind.work {
            Work::Map => &["body", "key"],
            Work::Loop => &["body", "while", "until"],
            Work::Try => &["body", "catch", "finally"],
            _ => &[],
        };
        if let Value::Object(fields) = &mut config {
            fields.retain(|name, _| !not_values.contains(&name.as_str()));
        }
        let mut conditions = Vec::new();
        for field in kind.conditions {
            let Some(condition) = config.as_object_mut().and_then(|c| c.shift_remove(*field))
            else {
                continue;
            };
            let place = json::pointer(&path, field);
            let compiled = self.condition(&condition, &place, reader)?;
            conditions.push(((*field).to_owned(), Template::Expression(compiled)));
        }
        let verbatim = kind.verbatim.iter().filter_map(|field| {
            let value = config.as_object_mut()?.shift_remove(*field)?;
            Some(((*field).to_owned(), Template::Literal(value)))
        });
        conditions.extend(verbatim);
        let template = self.template(&config, &path, kind.is_outside(), reader)?;
        Some(with_fields(template, conditions))
    }

    /// What undoes a node: a node of its own, which sees the output of the one it undoes.
    fn compensate(
        &mut self,
        scope: &Scope<'_>,
        index: usize,
        undo: &CompensateDoc,
    ) -> Option<Node> {
        let (node_path, doc) = &scope.doc.nodes[index];
        let path = format!("{node_path}/compensate");
        let as_node = NodeDoc::of_compensate(doc, undo);
        let kind = self.kind(&path, &as_node)?;
        if !kind.is_outside() {
            let message = format!("a `{}` undoes nothing", kind.name);
            let finding = Finding::error("bad-value", format!("{path}/type"), message);
            self.findings
                .add(finding.hint("take a kind that acts outside, such as `http` or `shell`"));
            return None;
        }
        self.check_retry(&path, undo.retry.as_ref());
        let config = self.config_at(&path, &as_node, &kind, None)?;
        Some(Node {
            id: doc.id.clone(),
            title: None,
            description: None,
            kind,
            config,
            edges: Vec::new(),
            jumps: Vec::new(),
            incoming: 0,
            join: None,
            when: None,
            retry: undo.retry.clone().or_else(|| self.defaults.retry.clone()),
            timeout: undo.timeout.or(self.defaults.timeout),
            cache: None,
            budgets: Vec::new(),
            effect: undo.effect,
            on_failure: None,
            bodies: Vec::new(),
            repeat: None,
            key: None,
            branches: Vec::new(),
            compensate: None,
        })
    }
}

fn with_fields(template: Template, more: Vec<(String, Template)>) -> Template {
    if more.is_empty() {
        return template;
    }
    let mut fields = match template {
        Template::Object(fields) => fields,
        Template::Literal(Value::Object(fields)) => {
            fields.into_iter().map(|(name, value)| (name, Template::Literal(value))).collect()
        }
        other => return other,
    };
    fields.extend(more);
    Template::Object(fields)
}
