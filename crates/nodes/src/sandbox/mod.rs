//! One boundary for every program that a workflow brings along.
//!
//! This binary is started again with a hidden argument ([`ENTER`]) and goes through two processes. The
//! outer makes namespaces and starts the inner, which is the first process in them. The inner finishes
//! the boundary, becomes the step's user and starts the program. When the program has ended, so does
//! the inner, and the kernel ends whatever is left in its process namespace.
//!
//! What a host does not give is left out and told, or refused if the settings are strict.
//! `docs/decisions/0016-one-sandbox.md` says why it is made like this.
//!
//! Not here: who decides what a step may do (`kinds/shell`, `kinds/code`).

mod directory;
mod enclosure;
mod field;
mod files;
mod inside;
mod namespaces;
mod outside;
mod parts;
mod policy;
mod seccomp;
mod settings;
mod users;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) use directory::remove as remove_directory;
pub(crate) use enclosure::{Enclosure, Paths, Wish, read_result};
pub(crate) use field::SandboxField;
pub use parts::Parts;
pub(crate) use policy::{Limits, Task};
pub use settings::{Sandbox, SandboxSettings};

use policy::Policy;

/// The argument that makes this program put up the boundary around what follows.
pub const ENTER: &str = "__sandbox";
/// What follows it in the inner process.
const INNER: &str = "inner";
/// Where the policy is.
const VARIABLE: &str = "WINDLASS_SANDBOX";

/// The boundary could not be put up; it says why on standard error.
pub(crate) const FAILED: u8 = 125;
/// The program or its directory is not there; it says so on standard error.
pub(crate) const NOT_THERE: u8 = 126;
/// How it begins to say so.
pub(crate) const SAID: &str = "windlass: ";

/// The life of the processes around a step. `arguments` are those after [`ENTER`].
pub fn enter(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    // Taken as it is: whoever could set it has started this process.
    #[expect(clippy::disallowed_methods, reason = "a message of our own, and no setting")]
    let policy = std::env::var(VARIABLE).unwrap_or_default();
    let entered = serde_json::from_str::<Policy>(&policy)
        .map_err(io::Error::other)
        .and_then(|policy| enter_as(&policy, arguments.collect()));
    entered.unwrap_or_else(|error| {
        complain(&error);
        ExitCode::from(inside::code_of(&error))
    })
}

fn enter_as(policy: &Policy, mut arguments: Vec<OsString>) -> io::Result<ExitCode> {
    if arguments.first().is_none_or(|first| first != INNER) {
        return outside::run(policy, arguments);
    }
    let number = |index: usize| {
        let text = arguments.get(index).and_then(|argument| argument.to_str());
        text.and_then(|text| text.parse().ok()).ok_or_else(|| io::Error::other("bad arguments"))
    };
    let begun = inside::Begun {
        tell: number(1)?,
        has_user: number(2)? == 1,
        has_processes: number(3)? == 1,
    };
    inside::run(policy, &begun, arguments.split_off(4))
}

/// The server reads the last line that is said.
#[expect(clippy::print_stderr, reason = "this is all that is left of the process")]
fn complain(error: &io::Error) {
    eprintln!("{SAID}{error}");
}

/// What a server of forks has to know to put up the boundary around its children.
pub(crate) fn setup(has_network: bool) -> io::Result<serde_json::Value> {
    let filters = seccomp::filters(has_network, false).map_err(io::Error::other)?;
    let hex = |filter| -> String {
        seccomp::bytes(filter).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let read: Vec<_> = files::SYSTEM.iter().map(PathBuf::from).chain(files::etc()).collect();
    Ok(serde_json::json!({
        "filters": filters.iter().map(hex).collect::<Vec<_>>(),
        "read": read,
        "devices": files::DEVICES,
        "network": has_network,
    }))
}
