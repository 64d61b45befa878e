//! The outer of the two processes around a step: it makes the namespaces that only its children are
//! in, starts the inner one, and hands on how it went.

use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode};

use nix::sys::signal::{SigSet, Signal};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{geteuid, kill_process};

use super::policy::Policy;
use super::{ENTER, FAILED, INNER, VARIABLE, namespaces};

pub(super) fn run(policy: &Policy, arguments: Vec<std::ffi::OsString>) -> io::Result<ExitCode> {
    // A request to end is for the program. Who is asked here as well goes when that has gone.
    block_terminate()?;
    let has_user = geteuid().is_root() || namespaces::own_user().is_ok();
    let has_processes = namespaces::own_processes();
    let (mut told, tell) = io::pipe()?;
    // Nothing else is started meanwhile that could inherit it too.
    fcntl_setfd(&tell, FdFlags::empty())?;
    let mut inner = Command::new("/proc/self/exe")
        .args([ENTER, INNER])
        .arg(tell.as_raw_fd().to_string())
        .arg(u8::from(has_user).to_string())
        .arg(u8::from(has_processes).to_string())
        .args(arguments)
        .env(VARIABLE, serde_json::to_string(policy)?)
        .spawn()?;
    drop(tell);
    // The pipes are the program's. Whoever reads them is to see when the program lets go.
    let_go()?;
    let status = inner.wait()?;
    let mut word = String::new();
    told.read_to_string(&mut word)?;
    Ok(match (word.split_at_checked(1), status.signal()) {
        (Some(("c", code)), _) => ExitCode::from(code.parse().unwrap_or(FAILED)),
        (Some(("s", signal)), _) => die_of(signal.parse().unwrap_or(9)),
        (_, Some(signal)) => die_of(signal),
        // It has said why.
        _ => {
            ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED))
        }
    })
}

/// Ends in the way the program did, so that whoever waits for this process learns of it.
fn die_of(signal: i32) -> ExitCode {
    if let Some(signal) = rustix::process::Signal::from_named_raw(signal) {
        let _ = unblock_terminate();
        let _ = kill_process(rustix::process::getpid(), signal);
    }
    ExitCode::from(128_u8.saturating_add(u8::try_from(signal).unwrap_or(0)))
}

pub(super) fn block_terminate() -> io::Result<()> {
    Ok(SigSet::from(Signal::SIGTERM).thread_block()?)
}

pub(super) fn unblock_terminate() -> io::Result<()> {
    Ok(SigSet::from(Signal::SIGTERM).thread_unblock()?)
}

/// Holds none of the three streams any longer.
pub(super) fn let_go() -> io::Result<()> {
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}
