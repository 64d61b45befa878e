//! What a child sees of the machine: its processes, its mounts, its network.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, unshare};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_change, mount_remount,
};
use rustix::process::{getegid, geteuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    configure_capability_in_ambient_set, set_capabilities,
};

use super::policy::Policy;

/// What the own directory is called where there are mounts.
pub(super) const OWN_DIR: &str = "/tmp";

/// What a process of a user namespace needs to set the others up.
const NEEDED: CapabilitySet = CapabilitySet::SYS_ADMIN;

/// Makes a server that is not root the root of nothing but what it makes from here on.
pub(super) fn own_user() -> io::Result<()> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    // Handed on to the process that sets up the rest, which is a program started anew.
    let sets = CapabilitySets { effective: NEEDED, permitted: NEEDED, inheritable: NEEDED };
    set_capabilities(None, sets)?;
    configure_capability_in_ambient_set(NEEDED, true)?;
    Ok(())
}

/// Gives away every right that is more than a user's.
pub(super) fn drop_capabilities() -> io::Result<()> {
    // An old kernel without the set has nothing in it.
    let _ = clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    Ok(set_capabilities(None, sets)?)
}

/// Whether children from here on are in a process namespace of their own.
pub(super) fn own_processes() -> bool {
    unshare(CloneFlags::CLONE_NEWPID).is_ok()
}

/// Whether there is nobody in the network any more.
pub(super) fn own_network() -> bool {
    unshare(CloneFlags::CLONE_NEWNET).is_ok()
}

/// Whether memory and queues of System V are its own.
pub(super) fn own_queues() -> bool {
    unshare(CloneFlags::CLONE_NEWIPC).is_ok()
}

/// Mounts as the policy says. Returns whether `/proc` is its own as well.
pub(super) fn own_mounts(policy: &Policy) -> io::Result<bool> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
    mount_change("/", private)?;
    let own_dir = Held::of(&policy.own_dir)?;
    // What is allowed, but lies in what is about to be covered, is brought back afterwards.
    let covered = |path: &Path| {
        path.starts_with(OWN_DIR) || policy.hide.iter().any(|hidden| path.starts_with(hidden))
    };
    let is_allowed = |path: &&PathBuf| {
        path.as_path() != Path::new(OWN_DIR) && !policy.hide.contains(path) && covered(path)
    };
    let hold = |paths: &[PathBuf]| -> Vec<Held> {
        paths.iter().filter(is_allowed).filter_map(|path| Held::of(path).ok()).collect()
    };
    let (readable, writable) = (hold(&policy.read), hold(&policy.write));
    for hidden in policy.hide.iter().filter(|path| path.exists()) {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("none", hidden.as_path(), "tmpfs", flags, Some(c"size=1m,mode=755"))?;
    }
    mount_bind(own_dir.path(), OWN_DIR)?;
    for held in &readable {
        held.bring_back()?;
        // It now lies in the own directory, whose rules would let it be written.
        let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
        mount_remount(held.place.as_path(), flags, c"")?;
    }
    for held in &writable {
        held.bring_back()?;
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let has_own_proc = mount("proc", "/proc", "proc", flags, None).is_ok();
    Ok(has_own_proc)
}

/// A place that is held on to, whatever is mounted over it.
struct Held {
    place: PathBuf,
    fd: OwnedFd,
}

impl Held {
    fn of(place: &Path) -> io::Result<Held> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let fd = rustix::fs::open(place, flags, Mode::empty())?;
        Ok(Held { place: place.to_owned(), fd })
    }

    fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.fd.as_raw_fd())
    }

    fn bring_back(&self) -> io::Result<()> {
        let is_directory =
            FileType::from_raw_mode(rustix::fs::fstat(&self.fd)?.st_mode) == FileType::Directory;
        if is_directory {
            std::fs::create_dir_all(&self.place)?;
        } else {
            self.place.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            drop(std::fs::File::options().create(true).append(true).open(&self.place)?);
        }
        Ok(mount_bind(self.path(), self.place.as_path())?)
    }
}
