//! Who calls, and what they may.
//!
//! ```text
//!   request ──► credential ──► Principal ──► table: route × method ──► permission ──► handler
//!               key, token,    role and      ([`table`], one line     forbidden
//!               session        project       for each route)
//! ```
//!
//! [`layer`] stands before every route, so no handler can forget it: a route without a line in the
//! table is refused. Handlers take a [`Caller`] and pass its project on to every query.
//!
//! Without any key, token secret or exposed address, this machine's own callers are let in as
//! `local`. From the first key on everybody shows one.

pub mod audit;
pub mod gate;
pub mod key;
pub mod layer;
pub mod limit;
pub mod principal;
pub mod role;
pub mod session;
pub mod table;
pub mod token;
mod verify;

pub use gate::Gate;
pub use principal::{Caller, Principal, Proof};
pub use role::{Permission, Role};
