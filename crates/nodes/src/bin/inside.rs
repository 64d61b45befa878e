//! The entry of a sandboxed child by itself, for tests of this crate. The server is its own entry.

use std::process::ExitCode;

fn main() -> ExitCode {
    windlass_nodes::sandbox::enter(std::env::args_os().skip(2))
}
