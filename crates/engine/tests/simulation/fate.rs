//! Who decides how attempts end and what becomes of a write: chance, or a test with a plan.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_core::Failure;
use windlass_core::run::AttemptError;
use windlass_engine::shard::AttemptOrder;
use windlass_store::RunWrite;

use crate::chance::Chance;

/// How the work of an attempt ends.
pub(crate) enum Ending {
    Result(Result<Arc<Value>, AttemptError>),
    /// The work is done, and the process is gone before anybody hears of it.
    Crash,
}

/// What becomes of a group on its way to the disk.
pub(crate) enum Writing {
    /// What usually does.
    Goes,
    /// The process is gone before it is written.
    CrashBefore,
    /// It is written, and the process is gone before it hears of it.
    CrashAfter,
}

pub(crate) trait Fate {
    /// Does the work of an attempt.
    fn ending(&mut self, order: &AttemptOrder, chance: &mut Chance) -> Ending;

    /// What somebody outside makes of a step of a kind.
    fn hand_in(&mut self, _kind: &str) -> Value {
        json!({ "by": 2 })
    }

    fn writing(&mut self, _group: &[RunWrite]) -> Writing {
        Writing::Goes
    }
}

/// One attempt in five fails.
pub(crate) struct ByChance;

impl Fate for ByChance {
    fn ending(&mut self, order: &AttemptOrder, chance: &mut Chance) -> Ending {
        let error =
            || AttemptError::new(Failure::new("boom", "no"), order.attempt.is_multiple_of(2));
        let fails = chance.one_in(5);
        let output = || Arc::new(json!({ "by": order.attempt }));
        Ending::Result(if fails { Err(error()) } else { Ok(output()) })
    }
}
