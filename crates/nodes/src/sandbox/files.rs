//! Landlock: only what is named here can be opened.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::fs::{FileType, Mode, OFlags};

use super::policy::{Policy, Task};

/// The newest version whose rules are used as far as the kernel has them.
const NEWEST: ABI = ABI::V7;

/// What every program may read.
pub(super) const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/sys/devices/system/cpu",
];
/// What every program may read and write.
pub(super) const DEVICES: &[&str] =
    &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];
/// What every program may read in `/etc`: how names, users, times and certificates are found. The rest
/// is nobody's business, and some of it is secret.
const ETC: &[&str] = &[
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "debian_version",
    "gai.conf",
    "gitconfig",
    "group",
    "host.conf",
    "hosts",
    "inputrc",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "pki",
    "profile",
    "protocols",
    "resolv.conf",
    "services",
    "ssl/certs",
    "ssl/cert.pem",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
];

/// Rules that have been thought of, and can be put into force.
pub(super) struct Rules {
    created: RulesetCreated,
}

impl Rules {
    /// Thinks of them, while everything can still be looked at. What the kernel does not know is left
    /// out.
    pub(super) fn of(
        policy: &Policy,
        own_dir: &Path,
        has_own_proc: bool,
    ) -> Result<Rules, RulesetError> {
        let mut ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(NEWEST))?
            .scope(Scope::AbstractUnixSocket | Scope::Signal)?;
        if !policy.has_network {
            ruleset = ruleset.handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?;
        }
        let mut created = ruleset.create()?;
        let read = AccessFs::from_read(NEWEST);
        let write = AccessFs::from_all(NEWEST)
            & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
        let etc: Vec<PathBuf> = etc().collect();
        let reads = SYSTEM.iter().map(Path::new).chain(etc.iter().map(PathBuf::as_path));
        for path in reads.chain(policy.read.iter().map(PathBuf::as_path)) {
            created = allow(created, path, read)?;
        }
        if has_own_proc {
            // Whoever nests writes the maps of its children's users there.
            let access = if policy.task == Task::Forks { read | AccessFs::WriteFile } else { read };
            created = allow(created, Path::new("/proc"), access)?;
        }
        for path in DEVICES {
            created = allow(created, Path::new(path), write)?;
        }
        for path in std::iter::once(own_dir).chain(policy.write.iter().map(PathBuf::as_path)) {
            created = allow(created, path, write)?;
        }
        Ok(Rules { created })
    }

    /// Puts them into force, for this process and all that come from it. Returns the kernel's version
    /// of Landlock, 0 if it has none.
    pub(super) fn enforce(self) -> Result<u32, RulesetError> {
        let status = self.created.restrict_self()?;
        Ok(match (status.ruleset, status.landlock) {
            (RulesetStatus::NotEnforced, _) => 0,
            (_, LandlockStatus::Available { effective_abi, .. }) => effective_abi as u32,
            _ => 0,
        })
    }
}

/// A rule for what is there; what is not there needs none.
fn allow(
    created: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let Some((there, is_directory)) = look(path) else { return Ok(created) };
    let access = if is_directory { access } else { access & AccessFs::from_file(NEWEST) };
    created.add_rule(PathBeneath::new(there, access))
}

fn look(path: &Path) -> Option<(OwnedFd, bool)> {
    let there = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let stat = rustix::fs::fstat(there.as_fd()).ok()?;
    Some((there, FileType::from_raw_mode(stat.st_mode) == FileType::Directory))
}

/// What is read in `/etc`.
pub(super) fn etc() -> impl Iterator<Item = PathBuf> {
    ETC.iter().map(|name| Path::new("/etc").join(name))
}
