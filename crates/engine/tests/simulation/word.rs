//! People and programs outside, who say what steps wait for: some of it twice, some too early, some that
//! nobody asked for.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_core::run::{Decision, Verdict, Vote};
use windlass_engine::shard::Command;
use windlass_store::{AskRow, Store};

use crate::world::{PROJECT, World};

/// What steps can wait for.
pub(crate) const WORDS: [&str; 3] = ["approval", "signal", "event"];

impl World {
    /// Somebody says something, to a step that waits for it or to a run that may not.
    pub(crate) fn say(&mut self) {
        let kind = *self.chance.of(&WORDS);
        let asks = self.store.asks(PROJECT, kind, None, None, 100).unwrap().items;
        if let Some(ask) = (!asks.is_empty()).then(|| self.chance.of(&asks).clone()) {
            return self.answer(ask);
        }
        let Some(run_id) = self.oracle.some_run(self.chance.below(1_000)) else { return };
        self.mark("early signal");
        let id = Some(format!("early{}", self.chance.below(3)));
        let (name, by) = ("go".to_owned(), "somebody".to_owned());
        self.command(run_id, Command::Signal { name, payload: Arc::default(), by, id });
    }

    /// Everybody is told what they wait for.
    pub(crate) fn answer_all(&mut self) {
        for kind in WORDS {
            for ask in self.store.asks(PROJECT, kind, None, None, 1_000).unwrap().items {
                self.answer(ask);
            }
        }
    }

    fn answer(&mut self, ask: AskRow) {
        let by = format!("somebody{}", self.chance.below(3));
        let command = match ask.kind.as_str() {
            "approval" => {
                self.mark("decided");
                let verdict =
                    if self.chance.one_in(4) { Verdict::Reject } else { Verdict::Approve };
                let decision = Decision { by, verdict, form: None, comment: None };
                let vote = Vote { decision, roles: Vec::new(), hash: None };
                Command::Vote { path: ask.path, vote }
            }
            "signal" => {
                self.mark("signalled");
                let payload = Arc::new(json!({ "by": 1 }));
                Command::Signal { name: ask.name, payload, by, id: None }
            }
            _ => {
                self.mark("event taken");
                let data = match ask.detail {
                    Value::Object(wanted) => Value::Object(wanted),
                    _ => json!({}),
                };
                Command::Event { path: ask.path, name: ask.name, data: Arc::new(data), by }
            }
        };
        self.command(ask.run_id, command);
    }
}
