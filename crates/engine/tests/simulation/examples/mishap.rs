//! One thing that goes wrong, once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;
use windlass_engine::shard::AttemptOrder;
use windlass_nodes::retry;
use windlass_store::{RunWrite, StepRow};

use super::hands::Hands;
use crate::chance::Chance;
use crate::fate::{Ending, Fate, Writing};

/// What happens to the first attempt of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mishap {
    /// It does nothing, and fails in a way that makes another attempt worth while.
    Fails,
    /// It is done, and the server is gone before it hears of it.
    CrashAfterWork,
    /// It is done, and the server is gone before that is written.
    CrashBeforeCommit,
    /// It is done and written, and the server is gone before it hears of that.
    CrashAfterCommit,
}

/// Attempts are really made, but for the one that the mishap concerns.
pub(super) struct Rehearsal {
    step: String,
    /// What is still to happen.
    mishap: Option<Mishap>,
    hands: Hands,
    /// Attempts that were made, by step.
    pub(super) made: Rc<RefCell<BTreeMap<String, Vec<u32>>>>,
}

impl Rehearsal {
    pub(super) fn new(mishap: Option<(&str, Mishap)>) -> Rehearsal {
        Rehearsal {
            step: mishap.map_or_else(String::new, |(step, _)| step.to_owned()),
            mishap: mishap.map(|(_, mishap)| mishap),
            hands: Hands::new(),
            made: Rc::default(),
        }
    }

    fn take(&mut self, wanted: Mishap) -> bool {
        let is_time = self.mishap == Some(wanted);
        if is_time {
            self.mishap = None;
        }
        is_time
    }
}

impl Fate for Rehearsal {
    fn ending(&mut self, order: &AttemptOrder, _: &mut Chance) -> Ending {
        self.made.borrow_mut().entry(order.path.clone()).or_default().push(order.attempt);
        let is_it = order.path == self.step;
        if is_it && self.take(Mishap::Fails) {
            // A code that the examples' own `retry.on` is about.
            let asks = matches!(&*order.kind, "http" | "llm");
            let code = if asks { "http_503" } else { "exit_code" };
            return Ending::Result(Err(retry(code, "it did not work")));
        }
        let result = self.hands.make(order);
        if is_it && self.take(Mishap::CrashAfterWork) {
            return Ending::Crash;
        }
        Ending::Result(result.map(Arc::new))
    }

    fn hand_in(&mut self, kind: &str) -> Value {
        self.hands.hand_in(kind)
    }

    fn writing(&mut self, group: &[RunWrite]) -> Writing {
        let tells_of_it =
            |step: &StepRow| step.path == self.step && step.attempt == 1 && step.end_seq.is_some();
        let rows =
            |write: &RunWrite| write.changed_steps.iter().chain(&write.new_steps).any(tells_of_it);
        if !group.iter().any(rows) {
            Writing::Goes
        } else if self.take(Mishap::CrashBeforeCommit) {
            Writing::CrashBefore
        } else if self.take(Mishap::CrashAfterCommit) {
            Writing::CrashAfter
        } else {
            Writing::Goes
        }
    }
}
