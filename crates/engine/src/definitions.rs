//! Definitions in memory: compiled once, found by id, or by a workflow's id or name.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use windlass_core::Finding;
use windlass_core::definition::{Plan, check};
use windlass_core::kinds::Kinds;
use windlass_store::{Store, StoreError, WorkflowRow};

/// Compiled definitions kept in memory, at most. Past it, all are let go and compiled when needed.
const PLAN_COUNT_MAX: usize = 4_096;

/// A workflow and its newest definition, compiled.
#[derive(Debug)]
pub struct Workflow {
    /// Its row.
    pub row: WorkflowRow,
    /// Its newest definition.
    pub plan: Arc<Plan>,
}

/// Why a definition cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DefinitionError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// This version of Windlass finds errors in a definition that an earlier one has deployed.
    #[error("the definition cannot be used by this version: {}", first(.0))]
    Broken(Vec<Finding>),
    /// The store has lost it.
    #[error("the definition `{0}` is gone")]
    Gone(Uuid),
}

fn first(findings: &[Finding]) -> String {
    findings.first().map_or_else(String::new, |finding| finding.message.clone())
}

/// Definitions in memory.
pub struct Definitions {
    store: Arc<dyn Store>,
    kinds: Kinds,
    plans: RwLock<HashMap<Uuid, Arc<Plan>>>,
    /// By project and word: a workflow's id or name.
    newest: RwLock<HashMap<(String, String), Arc<Workflow>>>,
}

impl Definitions {
    /// Nothing yet.
    pub fn new(store: Arc<dyn Store>, kinds: Kinds) -> Definitions {
        Definitions {
            store,
            kinds,
            plans: RwLock::new(HashMap::new()),
            newest: RwLock::new(HashMap::new()),
        }
    }

    /// The kinds a definition may use.
    pub fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// The newest definition of a workflow, if that is in memory.
    pub fn newest_at_hand(&self, project: &str, word: &str) -> Option<Arc<Workflow>> {
        // A look-up by borrowed parts is not possible in a map of pairs; the copies are short.
        let place = (project.to_owned(), word.to_owned());
        self.newest.read().get(&place).cloned()
    }

    /// The newest definition of a workflow; `None` if there is no such workflow. Blocks.
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or the definition cannot be used.
    pub fn newest(
        &self,
        project: &str,
        word: &str,
    ) -> Result<Option<Arc<Workflow>>, DefinitionError> {
        if let Some(workflow) = self.newest_at_hand(project, word) {
            return Ok(Some(workflow));
        }
        let Some(row) = self.store.workflow(project, word)? else { return Ok(None) };
        let plan = self.plan(row.definition_id)?;
        let workflow = Arc::new(Workflow { row, plan });
        let mut newest = self.newest.write();
        if newest.len() >= PLAN_COUNT_MAX {
            newest.clear();
        }
        newest.insert((project.to_owned(), word.to_owned()), workflow.clone());
        Ok(Some(workflow))
    }

    /// A version of a workflow, the newest if none is named; `None` if there is no such one. Blocks.
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or the definition cannot be used.
    pub fn version(
        &self,
        project: &str,
        word: &str,
        version: Option<u32>,
    ) -> Result<Option<Arc<Workflow>>, DefinitionError> {
        let Some(newest) = self.newest(project, word)? else { return Ok(None) };
        let Some(version) = version.filter(|version| *version != newest.row.version) else {
            return Ok(Some(newest));
        };
        let before = version.checked_add(1);
        let page = self.store.versions(newest.row.workflow_id, before, 1)?;
        let Some(found) = page.items.into_iter().find(|row| row.version == version) else {
            return Ok(None);
        };
        let plan = self.plan(found.definition_id)?;
        let definition_id = found.definition_id;
        let row = WorkflowRow { version, definition_id, ..newest.row.clone() };
        Ok(Some(Arc::new(Workflow { row, plan })))
    }

    /// A definition. Blocks.
    ///
    /// # Errors
    ///
    /// If the store cannot be read, has lost it, or it cannot be used.
    pub fn plan(&self, definition_id: Uuid) -> Result<Arc<Plan>, DefinitionError> {
        if let Some(plan) = self.plans.read().get(&definition_id) {
            return Ok(plan.clone());
        }
        let row = self.store.definition(definition_id)?;
        let row = row.ok_or(DefinitionError::Gone(definition_id))?;
        let checked = check(&row.source, &self.kinds);
        let plan = Arc::new(checked.plan.ok_or(DefinitionError::Broken(checked.findings))?);
        let mut plans = self.plans.write();
        if plans.len() >= PLAN_COUNT_MAX {
            plans.clear();
        }
        plans.insert(definition_id, plan.clone());
        Ok(plan)
    }

    /// Forgets what names stand for, because that has changed.
    pub(crate) fn names_changed(&self) {
        self.newest.write().clear();
    }
}

/// A hash of what a document says, whatever the order of its keys and however it is laid out.
pub fn content_hash(document: &serde_json::Value) -> String {
    let mut hasher = Sha256::new();
    feed_sorted(document, &mut hasher);
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn feed_sorted(value: &serde_json::Value, hasher: &mut Sha256) {
    use serde_json::Value;
    match value {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort();
            hasher.update(b"{");
            for name in names {
                hasher.update(Value::from(name.as_str()).to_string());
                hasher.update(b":");
                feed_sorted(&fields[name], hasher);
                hasher.update(b",");
            }
            hasher.update(b"}");
        }
        Value::Array(items) => {
            hasher.update(b"[");
            for item in items {
                feed_sorted(item, hasher);
                hasher.update(b",");
            }
            hasher.update(b"]");
        }
        other => hasher.update(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_hash_is_of_what_is_said() {
        let a = content_hash(&json!({ "a": [1, { "x": 1, "y": 2 }], "b": "t" }));
        let b = content_hash(&json!({ "b": "t", "a": [1, { "y": 2, "x": 1 }] }));
        assert_eq!(a, b);
        assert_eq!(a.len(), 64);
        assert_ne!(a, content_hash(&json!({ "b": "t", "a": [{ "y": 2, "x": 1 }, 1] })));
    }
}
