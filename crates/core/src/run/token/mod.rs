//! Units of work: runs that actors drive, unit by unit, along the pipes of a template.
//!
//! A run is one base unit with all that it was split into. A unit stands at one interaction, where
//! the roles that consume it find it; an actor takes it in the name of a role, and what they submit
//! is routed by the guardians of that role's pipes. Everything here happens in the same two steps as
//! in a graph: `decide` evaluates guardians and answers with events, `evolve` folds them.
//!
//! Not here: what a template is and how a guardian judges (`template`), who may act and who waits
//! for which unit (`windlass-engine`).

mod decide;
mod evolve;
mod hash;
mod offer;
mod status;
#[cfg(test)]
mod tests;
mod unit;
mod why;

use decide::offered_here;
pub use decide::{SYSTEM, TokenPlan, TokenSettings, ZombiePolicy, check_attributes};
pub(in crate::run) use decide::{TokenDecider, bad};
pub use offer::Offer;
pub use status::UnitStatus;
pub use unit::{Attribute, Held, Injected, Parked, PilotAsk, Tokens, Unit};
pub use why::{UnitBecause, UnitWhy};

/// The path of the base unit.
pub const BASE: &str = "u0";
