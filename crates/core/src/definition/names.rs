//! Which names an expression may use where it stands, and what is known of them.

use std::collections::HashMap;

use serde_json::Value;

use crate::expr::{Bindings, Root, Type, TypeEnv};

/// The graphs around an expression, the outermost first.
pub(super) struct Surroundings {
    levels: Vec<Level>,
    input: Type,
    vars: Type,
}

/// One graph: its nodes with the types of their outputs, and the type of its items if it is the
/// body of a `map`.
pub(super) struct Level {
    pub(super) outputs: HashMap<String, Type>,
    pub(super) item: Option<Type>,
    /// Whether it is where a `try` catches or cleans up.
    pub(super) has_error: bool,
}

impl Surroundings {
    pub(super) fn new(input: Type, vars: &Value) -> Surroundings {
        Surroundings { levels: Vec::new(), input, vars: Type::of(vars) }
    }

    pub(super) fn enter(&mut self, level: Level) {
        self.levels.push(level);
    }

    pub(super) fn leave(&mut self) {
        self.levels.pop();
    }

    pub(super) fn depth(&self) -> usize {
        self.levels.len()
    }

    fn has_error(&self) -> bool {
        self.levels.iter().any(|level| level.has_error)
    }

    fn item(&self) -> Option<&Type> {
        self.levels.iter().rev().find_map(|level| level.item.as_ref())
    }
}

impl Bindings for Surroundings {
    fn root(&self, name: &str) -> Option<Root> {
        match name {
            "input" => Some(Root::Input),
            "vars" => Some(Root::Vars),
            "run" => Some(Root::Run),
            "secrets" => Some(Root::Secrets),
            "item" if self.item().is_some() => Some(Root::Item),
            "index" if self.item().is_some() => Some(Root::Index),
            "error" if self.has_error() => Some(Root::Error),
            _ => self.node(name),
        }
    }

    fn node(&self, id: &str) -> Option<Root> {
        let up = self.levels.iter().rev().position(|level| level.outputs.contains_key(id))?;
        Some(Root::Node { up: u8::try_from(up).ok()?, id: id.to_owned() })
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            ["input", "vars", "run", "secrets"].map(str::to_owned).to_vec();
        if self.item().is_some() {
            names.extend(["item", "index"].map(str::to_owned));
        }
        if self.has_error() {
            names.push("error".to_owned());
        }
        let mut nodes: Vec<&String> =
            self.levels.iter().flat_map(|level| level.outputs.keys()).collect();
        nodes.sort();
        names.extend(nodes.into_iter().take(20).cloned());
        names
    }

    fn why_not(&self, name: &str) -> Option<String> {
        match name {
            "item" | "index" => {
                Some(format!("`{name}` is only known in the body of a `map` or a `loop`"))
            }
            "error" => Some(
                "a node's error is `<node>.error`; `error` alone is known where a `try` catches or \
                 cleans up"
                    .to_owned(),
            ),
            _ => self.levels.iter().flat_map(|level| level.outputs.keys()).find_map(|id| {
                let spoken: String = id.chars().map(|c| if c == '-' { '_' } else { c }).collect();
                (id.contains('-') && (spoken == name || id.split('-').next() == Some(name)))
                    .then(|| format!("an id with a hyphen is read as `nodes[\"{id}\"]`"))
            }),
        }
    }
}

impl TypeEnv for Surroundings {
    fn root(&self, root: &Root) -> Type {
        match root {
            Root::Input => self.input.clone(),
            Root::Vars => self.vars.clone(),
            Root::Run => Type::closed([
                ("id", Type::Text),
                ("workflow", Type::Text),
                ("version", Type::Number),
                ("created_at", Type::Text),
                ("labels", Type::object()),
            ]),
            Root::Index => Type::Number,
            Root::Item => self.item().cloned().unwrap_or(Type::Any),
            Root::Error => Type::object(),
            Root::Secrets | Root::Node { .. } => Type::Any,
        }
    }

    fn output(&self, up: u8, id: &str) -> Type {
        let level = self.levels.iter().rev().nth(usize::from(up));
        level.and_then(|level| level.outputs.get(id)).cloned().unwrap_or(Type::Any)
    }
}
