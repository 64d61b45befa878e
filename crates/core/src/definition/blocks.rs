//! The graphs inside a block.

use std::collections::HashMap;

use serde_json::Value;

use super::compile::{Compiler, Inside, config_of};
use super::doc::NodeDoc;
use super::plan::{Body, Role};
use super::read::{self, GraphDoc};
use crate::expr::{Template, Type, infer};
use crate::finding::Finding;
use crate::json;
use crate::kinds::{Kind, Work};

impl Compiler<'_, '_> {
    pub(super) fn bodies(&mut self, path: &str, doc: &NodeDoc, kind: &Kind) -> Option<Vec<Body>> {
        let config = config_of(doc);
        let at = |field: &str| format!("{path}/config/{field}");
        let main = self.read(config.get("body")?, &at("body"));
        if !matches!(kind.work, Work::Try) {
            let item = match kind.work {
                Work::Map => self.item_type(&config),
                _ => Type::Any,
            };
            let inside = Inside { item: Some(item), has_error: false };
            return Some(vec![Body { graph: self.graph(&main, inside)?, role: Role::Main }]);
        }
        let mut docs = vec![(main, Role::Main)];
        let clauses = config.get("catch").and_then(Value::as_array);
        for (index, clause) in clauses.into_iter().flatten().enumerate() {
            let codes = clause.get("on").and_then(|on| serde_json::from_value(on.clone()).ok());
            let place = format!("{}/{index}/body", at("catch"));
            docs.push((self.read(clause.get("body")?, &place), Role::Catch(codes)));
        }
        if let Some(finally) = config.get("finally").filter(|finally| finally.is_object()) {
            docs.push((self.read(finally, &at("finally")), Role::Finally));
        }
        self.refuse_doubles(&docs);
        let graphs: Vec<Option<Body>> = docs
            .into_iter()
            .map(|(doc, role)| {
                let inside = Inside { item: None, has_error: role != Role::Main };
                Some(Body { graph: self.graph(&doc, inside)?, role })
            })
            .collect();
        graphs.into_iter().collect()
    }

    fn read(&mut self, body: &Value, path: &str) -> GraphDoc {
        read::body(body, path, self.findings)
    }

    /// The bodies of a `try` are told apart by their nodes, so no two may have the same.
    fn refuse_doubles(&mut self, docs: &[(GraphDoc, Role)]) {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (number, (doc, _)) in docs.iter().enumerate() {
            for (path, node) in &doc.nodes {
                if *seen.entry(&node.id).or_insert(number) != number {
                    let message = format!("another body of this `try` has a node `{}`", node.id);
                    let place = json::pointer(path, "id");
                    self.findings.add(Finding::error("duplicate-id", place, message));
                }
            }
        }
    }

    /// What the items of a `map` are.
    pub(super) fn item_type(&self, config: &Value) -> Type {
        let of = match config.get("items") {
            // What the body gets is a list of them.
            _ if config.get("batch_size").is_some() => Type::Any,
            Some(text @ Value::String(_)) => match Template::compile(text, &self.names, false) {
                Ok(Template::Expression(expression)) => infer(&expression, &self.names).0,
                _ => Type::Any,
            },
            Some(items) => Type::of(items),
            None => Type::Any,
        };
        match of {
            Type::List(items) => *items,
            _ => Type::Any,
        }
    }
}
