//! The engine as users get it: threads, dispatcher, real children, a database in a directory.
//!
//! Everything is waited for by what the engine itself tells (answers, the feed) or by what a child
//! does (a line it writes, a pipe it lets go); nothing sleeps. Where a test says `Ground::both`, the
//! same must hold in memory and on disk.

#![expect(clippy::unwrap_used, reason = "what cannot be set up is a failed test")]

mod asked_for;
mod asking;
mod attempts;
mod cancelling;
mod creating;
mod families;
mod ground;
mod holding;
mod interrupted;
mod keys;
mod kinds;
mod moody;
mod observed;
mod requests;
mod restarting;
mod retention;
mod secrets;
mod server;
mod stopping;
mod tasks;
mod triggers;
mod trouble;
mod two_servers;
mod visiting;
mod watching;
mod words;
