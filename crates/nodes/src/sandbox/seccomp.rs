//! The system calls that a step is refused, with "not permitted".

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, sock_filter,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;
type Error = seccompiler::BackendError;

/// Calls that no step needs, and that have led out of boundaries or hold memory that no limit counts.
const REFUSED: &[i64] = &[
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Mounts and roots.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_mount_setattr,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_setns,
    // Files by handle instead of by path.
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_quotactl,
    // The kernel's large and young surfaces.
    libc::SYS_bpf,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // The machine.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_personality,
    // Memory that no limit of a process counts.
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_mq_open,
];

#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[i64] =
    &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_uselib, libc::SYS_ustat];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[i64] = &[];

/// Flags of `clone` and `unshare` that make namespaces.
const NAMESPACES: &[i32] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// The filters, each for the kernel.
///
/// `nests` is for the parent of forked steps, which puts each into namespaces of its own.
///
/// # Errors
///
/// If the machine's architecture is not known.
pub(super) fn filters(has_network: bool, nests: bool) -> Result<Vec<BpfProgram>, Error> {
    let mut rules: Rules =
        REFUSED.iter().chain(REFUSED_HERE).map(|call| (*call, Vec::new())).collect();
    if !nests {
        rules.insert(libc::SYS_unshare, Vec::new());
        let namespaces = NAMESPACES.iter().map(|flag| {
            let flag = u64::from(flag.cast_unsigned());
            one(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), flag)
        });
        rules.insert(libc::SYS_clone, namespaces.collect::<Result<_, _>>()?);
    }
    // A terminal that is shared with somebody is not typed into.
    let typed = one(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, libc::TIOCSTI)?;
    rules.insert(libc::SYS_ioctl, vec![typed]);
    rules.insert(libc::SYS_socket, sockets(has_network)?);
    let arch = std::env::consts::ARCH.try_into()?;
    let refused = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, arch)?;
    Ok(vec![not_here(), filter.try_into()?])
}

/// Without a network there are no sockets to be opened, but pairs of them. With one there is the
/// internet: a Unix socket leads to services of this machine, such as a container engine's.
fn sockets(has_network: bool) -> Result<Vec<SeccompRule>, Error> {
    if !has_network {
        return Ok(Vec::new());
    }
    let other = |family: i32| {
        SeccompCondition::new(
            0,
            SeccompCmpArgLen::Dword,
            SeccompCmpOp::Ne,
            u64::from(family.cast_unsigned()),
        )
    };
    let families = [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    let conditions = families.into_iter().map(other).collect::<Result<_, _>>()?;
    Ok(vec![SeccompRule::new(conditions)?])
}

fn one(
    index: u8,
    length: SeccompCmpArgLen,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompRule, Error> {
    SeccompRule::new(vec![SeccompCondition::new(index, length, operator, value)?])
}

/// Says "not known" to `clone3`, whose flags a filter cannot see, so that the C library takes `clone`;
/// and to the numbers of x32, a second name for every call.
fn not_here() -> BpfProgram {
    const LOAD: u16 = 0x20;
    const IF_EQUAL: u16 = 0x15;
    const IF_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    const ERRNO: u32 = 0x0005_0000;
    let say = |code, k, jt, jf| sock_filter { code, jt, jf, k };
    let clone3 = u32::try_from(libc::SYS_clone3).unwrap_or(u32::MAX);
    vec![
        say(LOAD, 0, 0, 0),
        say(IF_EQUAL, clone3, 2, 0),
        say(IF_AT_LEAST, 0x4000_0000, 1, 0),
        say(RETURN, ALLOW, 0, 0),
        say(RETURN, ERRNO | libc::ENOSYS.cast_unsigned(), 0, 0),
    ]
}

/// A filter's instructions as the kernel reads them, for a child that installs it itself.
pub(super) fn bytes(program: &BpfProgram) -> Vec<u8> {
    let instruction = |one: &sock_filter| {
        let mut bytes = one.code.to_ne_bytes().to_vec();
        bytes.extend([one.jt, one.jf]);
        bytes.extend(one.k.to_ne_bytes());
        bytes
    };
    program.iter().flat_map(instruction).collect()
}
