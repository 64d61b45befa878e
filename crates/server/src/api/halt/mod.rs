//! `/api/v1/halt`: the one switch that stops everything.

pub mod get;
pub mod release;
pub mod set;

use serde::Serialize;
use utoipa::ToSchema;
use windlass_engine::Halt;

/// Whether everything is stopped.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct HaltBody {
    /// Whether it is.
    pub halted: bool,
    /// Since when, RFC 3339.
    #[schema(format = DateTime)]
    pub at: Option<String>,
    /// Who has stopped it.
    pub by: Option<String>,
    /// Why, in their words.
    pub reason: Option<String>,
}

impl From<Option<Halt>> for HaltBody {
    fn from(halt: Option<Halt>) -> HaltBody {
        match halt {
            None => HaltBody { halted: false, at: None, by: None, reason: None },
            Some(Halt { at, by, reason }) => {
                HaltBody { halted: true, at: Some(at.to_string()), by: Some(by), reason }
            }
        }
    }
}
