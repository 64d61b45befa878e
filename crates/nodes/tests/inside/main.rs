//! What steps may do and what they may not, with the whole boundary around them.
//!
//! The host has to give all parts of it, or the first test says what is missing.

#![expect(clippy::unwrap_used, reason = "what cannot be set up is a failed test")]

mod agent;
mod bench;
mod code;
mod escape;
mod shell;
mod speed;

use bench::Bench;

#[test]
fn this_host_gives_the_whole_boundary() {
    let bench = Bench::new();
    let parts = bench.sandbox.parts().unwrap();
    assert_eq!(parts.missing(), Vec::<&str>::new());
}
