//! The inner of the two processes around a step. It is the first of its process namespace: it finishes
//! the boundary, becomes the step's user, does the task, and takes everything along when it goes.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::fs::Mode;
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitOptions, kill_process, set_child_subreaper,
    set_parent_process_death_signal, setrlimit, wait,
};
use rustix::thread::{
    Gid, Uid, set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::files::Rules;
use super::outside::{block_terminate, let_go, unblock_terminate};
use super::parts::Parts;
use super::policy::{Limits, Policy, Task};
use super::{FAILED, NOT_THERE, VARIABLE, namespaces, seccomp};
use crate::kinds::code::javascript;

/// What the outer process has said.
pub(super) struct Begun {
    /// Where to tell it how it went.
    pub(super) tell: RawFd,
    pub(super) has_user: bool,
    pub(super) has_processes: bool,
}

pub(super) fn run(
    policy: &Policy,
    begun: &Begun,
    arguments: Vec<OsString>,
) -> io::Result<ExitCode> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // Opened anew, it is closed in what is started from here. The number that was inherited is not.
    let mut tell =
        std::fs::File::options().write(true).open(format!("/proc/self/fd/{}", begun.tell))?;
    nix::unistd::close(begun.tell)?;
    let parts = enclose(policy, begun)?;
    let missing = parts.missing();
    if policy.is_strict && !missing.is_empty() {
        return Err(io::Error::other(format!("this host does not give {}", missing.join(", "))));
    }
    match policy.task {
        Task::Probe => {
            serde_json::to_writer(io::stdout(), &parts)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::JavaScript => Ok(javascript::run()),
        Task::Program | Task::Forks => {
            let word = program(begun, &arguments)?;
            tell.write_all(word.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Puts up what is left of the boundary. The order matters: whoever has given a right away cannot use
/// it for the next part.
fn enclose(policy: &Policy, begun: &Begun) -> io::Result<Parts> {
    let mounts = namespaces::own_mounts(policy).ok();
    let own_dir = own_dir(policy, mounts.is_some());
    let network = policy.has_network || namespaces::own_network();
    namespaces::own_queues();
    let rules = Rules::of(policy, own_dir, mounts == Some(true)).map_err(io::Error::other)?;
    limit(&policy.limits, begun.has_processes || policy.user.is_some())?;
    let has_user = become_user(policy)? || begun.has_user && policy.user.is_none();
    namespaces::drop_capabilities()?;
    // Forgotten with the change of the user.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    std::env::set_current_dir(policy.cwd.as_deref().unwrap_or(own_dir)).map_err(|error| {
        let place = policy.cwd.as_deref().unwrap_or(own_dir);
        io::Error::new(error.kind(), format!("cannot work in `{}`: {error}", place.display()))
    })?;
    if policy.user.is_some() {
        // Each attempt is another user of one group: what one writes where several may, the others
        // may write as well.
        rustix::process::umask(Mode::from_raw_mode(0o002));
    }
    set_no_new_privs(true)?;
    let landlock = rules.enforce().map_err(io::Error::other)?;
    let filters = seccomp::filters(policy.has_network, policy.task == Task::Forks);
    let mut has_seccomp = true;
    for filter in filters.map_err(io::Error::other)? {
        has_seccomp &= seccompiler::apply_filter(&filter).is_ok();
    }
    Ok(Parts {
        user: has_user,
        processes: begun.has_processes,
        mounts: mounts == Some(true),
        network,
        landlock,
        seccomp: has_seccomp,
        no_new_privileges: true,
        limits: true,
    })
}

pub(super) fn own_dir(policy: &Policy, has_mounts: bool) -> &Path {
    if has_mounts { Path::new(namespaces::OWN_DIR) } else { &policy.own_dir }
}

fn become_user(policy: &Policy) -> io::Result<bool> {
    let Some((user, group)) = policy.user else { return Ok(false) };
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    Ok(true)
}

/// `counts_alone`: whether the number of processes is that of the step, and not of all of a user's.
fn limit(limits: &Limits, counts_alone: bool) -> io::Result<()> {
    let set = |resource, value: Option<u64>| match value {
        Some(value) => setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) }),
        None => Ok(()),
    };
    set(Resource::Core, Some(0))?;
    set(Resource::As, limits.memory)?;
    set(Resource::Fsize, limits.file)?;
    set(Resource::Cpu, limits.cpu)?;
    set(Resource::Memlock, Some(64 * 1024))?;
    set(Resource::Msgqueue, Some(0))?;
    if counts_alone {
        set(Resource::Nproc, limits.processes)?;
    }
    Ok(())
}

/// Runs a program to its end, and answers how it was.
fn program(begun: &Begun, arguments: &[OsString]) -> io::Result<String> {
    let [program, arguments @ ..] = arguments else {
        return Err(io::Error::other("no program is named"));
    };
    if !begun.has_processes {
        set_child_subreaper(Some(rustix::process::getpid()))?;
    }
    unblock_terminate()?;
    let started = Command::new(program).args(arguments).env_remove(VARIABLE).spawn();
    block_terminate()?;
    let child = started.map_err(|error| {
        let program = String::from_utf8_lossy(program.as_bytes());
        io::Error::new(error.kind(), format!("cannot start `{program}`: {error}"))
    })?;
    let_go()?;
    let number = i32::try_from(child.id()).unwrap_or(0);
    let word = loop {
        match wait(WaitOptions::empty())? {
            Some((pid, status)) if pid.as_raw_nonzero().get() == number => {
                break match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => format!("c{code}"),
                    (None, signal) => format!("s{}", signal.unwrap_or(9)),
                };
            }
            // Somebody who had no parent any more.
            _ => {}
        }
    };
    if !begun.has_processes {
        sweep();
    }
    Ok(word)
}

/// Ends what is left of the step where no process namespace does: all that lost their parents have
/// become children of this process.
fn sweep() {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let children = || {
        let list = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children"));
        let list = list.unwrap_or_default();
        list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>()
    };
    loop {
        let left = children();
        for pid in left.iter().filter_map(|pid| Pid::from_raw(*pid)) {
            let _ = kill_process(pid, Signal::KILL);
        }
        if left.is_empty() || wait(WaitOptions::empty()).is_err() {
            return;
        }
    }
}

/// The exit code for what went wrong before the task began.
pub(super) fn code_of(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => NOT_THERE,
        _ => FAILED,
    }
}
