//! System calls that are refused, on all threads at once.
//!
//! What is not named here is allowed: a server is any program, and a list of what it may call would be a list of what its
//! libraries do today. A call that is refused answers `EPERM` and ends nothing.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Is, SeccompCondition,
    SeccompFilter, SeccompRule,
};

use super::Rules;

type Error = Box<dyn std::error::Error>;

/// What no server needs: other processes' memory, the kernel's own settings, devices, keys, clocks, namespaces.
const NEVER: &[c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    // What goes through it is seen by no filter.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_personality,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_fanotify_init,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    // What is listened on is open already.
    libc::SYS_listen,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// Running another program.
const RUN: &[c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
    libc::SYS_pidfd_send_signal,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_tkill,
];

/// Reaching others over the network, or a socket of this machine.
const REACH: &[c_long] = &[libc::SYS_socket, libc::SYS_connect, libc::SYS_bind];

/// Opening files.
const OPEN: &[c_long] = &[
    libc::SYS_openat,
    libc::SYS_openat2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_creat,
];

/// Changing what is at a path, for much of which Landlock has no right.
const CHANGE: &[c_long] = &[
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_truncate,
    libc::SYS_fchmodat,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    #[cfg(not(target_arch = "riscv64"))]
    libc::SYS_renameat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rmdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mknod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_link,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_symlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utime,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_futimesat,
    // Of files that are open for reading.
    libc::SYS_fchmod,
    libc::SYS_fchown,
    libc::SYS_fsetxattr,
    libc::SYS_fremovexattr,
    // Not in every C library's list: `fchmodat2` of Linux 6.6, `setxattrat` and `removexattrat` of 6.13, `file_setattr` of
    // 6.17.
    452,
    463,
    466,
    469,
];

/// New namespaces (clone(2)).
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// The kinds of sockets that are neither streams nor datagrams (socket(2)): raw ones, and protocols that Landlock does not
/// look at. Their numbers are the same on all architectures that there are filters for.
const STRANGE_KINDS: [u64; 5] = [3, 4, 5, 6, 10];

/// `TIOCSTI` and `TIOCLINUX` (ioctl_tty(2), ioctl_console(2)), and those that say who gets the signals of a socket
/// (`FIOSETOWN`, `SIOCSPGRP`), whose type differs by C library.
const REQUESTS: [u64; 4] = [0x5412, 0x541c, 0x8901, 0x8902];

/// `F_SETSIG` and `F_SETOWN_EX` (fcntl(2)), which not every C library's list has.
const F_SETSIG: libc::c_int = 10;
const F_SETOWN_EX: libc::c_int = 15;

/// The part of a socket's type that is its kind.
const KIND: u64 = 0xf;

/// Where numbers of system calls of x32 begin, an interface of x86-64 that few kernels have and none of the rules below
/// would see.
#[cfg(target_arch = "x86_64")]
const X32: u32 = 0x4000_0000;

#[derive(Default)]
struct Refused(BTreeMap<i64, Vec<SeccompRule>>);

impl Refused {
    fn all(&mut self, calls: &[c_long]) {
        self.0.extend(calls.iter().map(|call| (*call, Vec::new())));
    }

    /// Refuses a call whose arguments are all like this: the number of the argument, how it compares, with what.
    fn when(&mut self, call: c_long, arguments: &[(u8, Length, Is, u64)]) -> Result<(), Error> {
        let conditions: Result<Vec<_>, _> = arguments
            .iter()
            .map(|(argument, length, is, value)| {
                SeccompCondition::new(*argument, length.clone(), is.clone(), *value)
            })
            .collect();
        let rule = SeccompRule::new(conditions?)?;
        match self.0.get_mut(&call) {
            // It is refused altogether.
            Some(rules) if rules.is_empty() => {}
            Some(rules) => rules.push(rule),
            None => _ = self.0.insert(call, vec![rule]),
        }
        Ok(())
    }
}

/// Refuses, from now on and on all threads, what the rules have no need of.
pub(super) fn refuse(rules: &Rules) -> Result<(), Error> {
    for filter in filters(rules)? {
        seccompiler::apply_filter_all_threads(&filter)?;
    }
    Ok(())
}

/// Whether this kernel has filters.
pub(super) fn are_known() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("\nSeccomp:"))
}

fn filters(rules: &Rules) -> Result<Vec<BpfProgram>, Error> {
    let refused = filter(refused(rules)?.0, libc::EPERM)?;
    // What `clone3` asks for is in memory, where a filter cannot look. Where there is no such call, the C library makes
    // the older one.
    let hidden = filter([(libc::SYS_clone3, Vec::new())].into(), libc::ENOSYS)?;
    Ok(vec![
        refused,
        hidden,
        #[cfg(target_arch = "x86_64")]
        no_x32(),
    ])
}

fn refused(rules: &Rules) -> Result<Refused, Error> {
    use Length::{Dword, Qword};

    let mut refused = Refused::default();
    refused.all(NEVER);
    // Not known on every architecture.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    refused.all(&[libc::SYS_kexec_file_load]);
    for namespace in NAMESPACES {
        let flag = u64::from(namespace.cast_unsigned());
        for call in [libc::SYS_clone, libc::SYS_unshare] {
            refused.when(call, &[(0, Dword, Is::MaskedEq(flag), flag)])?;
        }
    }
    // Typing into the terminal that the process was started in, and signals to others.
    for request in REQUESTS {
        refused.when(libc::SYS_ioctl, &[(1, Dword, Is::Eq, request)])?;
    }
    // Limits of other processes.
    refused.when(libc::SYS_prlimit64, &[(0, Dword, Is::Ne, 0)])?;
    if rules.runs() {
        // A file that is in memory alone is run under no rule of Landlock.
        refused.all(&[libc::SYS_memfd_create]);
    } else {
        refused.all(RUN);
        let thread = u64::from(libc::CLONE_THREAD.cast_unsigned());
        refused.when(libc::SYS_clone, &[(0, Dword, Is::MaskedEq(thread), 0)])?;
        let me = u64::from(std::process::id());
        for call in [libc::SYS_kill, libc::SYS_tgkill] {
            refused.when(call, &[(0, Dword, Is::Ne, me)])?;
        }
    }
    // Who gets signals of a file, and which: a way to end other processes.
    for command in [libc::F_SETOWN, F_SETSIG, F_SETOWN_EX] {
        let command = u64::from(command.cast_unsigned());
        refused.when(libc::SYS_fcntl, &[(1, Dword, Is::Eq, command)])?;
    }
    // Connecting by sending, which Landlock does not see (tcp(7)): what is listened on is a socket for it as well, once it
    // is shut down.
    let fast_open = u64::from(libc::MSG_FASTOPEN.cast_unsigned());
    for (call, flags) in [
        (libc::SYS_sendto, 3),
        (libc::SYS_sendmsg, 2),
        (libc::SYS_sendmmsg, 3),
    ] {
        refused.when(call, &[(flags, Dword, Is::MaskedEq(fast_open), fast_open)])?;
    }
    // A pair of datagram sockets sends to any other socket of this machine.
    if !rules.uses_unix_sockets() {
        refused.all(&[libc::SYS_socketpair]);
    } else if rules.writes.is_empty() && rules.programs.is_empty() {
        // Workers are spoken to by a stream.
        let datagram = u64::from(libc::SOCK_DGRAM.cast_unsigned());
        refused.when(
            libc::SYS_socketpair,
            &[(1, Dword, Is::MaskedEq(KIND), datagram)],
        )?;
    }
    match rules.connects() || rules.store_socket {
        true => sockets(&mut refused, rules)?,
        false => {
            refused.all(REACH);
            // To an address.
            refused.when(libc::SYS_sendto, &[(4, Qword, Is::Ne, 0)])?;
        }
    }
    if !rules.opens_files() {
        refused.all(OPEN);
    }
    if !rules.changes_files() {
        refused.all(CHANGE);
    }
    Ok(refused)
}

/// Of sockets: what TCP and the look-up of names need.
fn sockets(refused: &mut Refused, rules: &Rules) -> Result<(), Error> {
    use Length::Dword;

    let number = |number: libc::c_int| u64::from(number.cast_unsigned());
    let mut families = vec![libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    if rules.uses_unix_sockets() {
        families.push(libc::AF_UNIX);
    }
    let others: Vec<_> = families
        .iter()
        .map(|family| (0, Dword, Is::Ne, number(*family)))
        .collect();
    refused.when(libc::SYS_socket, &others)?;
    for kind in STRANGE_KINDS {
        let netlink = number(libc::AF_NETLINK);
        refused.when(
            libc::SYS_socket,
            &[
                (0, Dword, Is::Ne, netlink),
                (1, Dword, Is::MaskedEq(KIND), kind),
            ],
        )?;
    }
    for family in [libc::AF_INET, libc::AF_INET6] {
        let mut other = vec![(0, Dword, Is::Eq, number(family))];
        for protocol in [0, libc::IPPROTO_TCP, libc::IPPROTO_UDP] {
            other.push((2, Dword, Is::Ne, number(protocol)));
        }
        refused.when(libc::SYS_socket, &other)?;
    }
    // The routes of this machine, by which addresses are put in order, and nothing else of the kernel.
    let netlink = (0, Dword, Is::Eq, number(libc::AF_NETLINK));
    let route = (2, Dword, Is::Ne, number(libc::NETLINK_ROUTE));
    refused.when(libc::SYS_socket, &[netlink, route])?;
    Ok(())
}

fn filter(
    calls: BTreeMap<i64, Vec<SeccompRule>>,
    answer: libc::c_int,
) -> Result<BpfProgram, Error> {
    let filter = SeccompFilter::new(
        calls,
        SeccompAction::Allow,
        SeccompAction::Errno(answer.cast_unsigned()),
        std::env::consts::ARCH.try_into()?,
    )?;
    Ok(filter.try_into()?)
}

/// Answers that there is no x32 (seccomp(2), "Caveats"): load the number of the call; if it is below, allow it.
#[cfg(target_arch = "x86_64")]
fn no_x32() -> BpfProgram {
    let step = |code: u32, jt: u8, k: u32| seccompiler::sock_filter {
        code: code as u16,
        jt,
        jf: 0,
        k,
    };
    vec![
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 1, X32),
        step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
        step(
            libc::BPF_RET | libc::BPF_K,
            0,
            libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(change: impl FnOnce(&mut Rules)) -> BTreeMap<i64, Vec<SeccompRule>> {
        let mut rules = Rules::default();
        change(&mut rules);
        refused(&rules).unwrap().0
    }

    #[test]
    fn what_is_refused_follows_the_rules() {
        let none = calls(|_| {});
        let network = calls(|rules| _ = rules.ports.insert(443));
        let runs = calls(|rules| rules.workers = true);
        let reads = calls(|rules| _ = rules.reads.insert("/srv".into()));
        let all = |calls: &BTreeMap<i64, Vec<SeccompRule>>, call: c_long| {
            calls.get(&call).is_some_and(Vec::is_empty)
        };
        for (call, without) in [
            (libc::SYS_connect, &network),
            (libc::SYS_socket, &network),
            (libc::SYS_execve, &runs),
            (libc::SYS_openat, &reads),
            (libc::SYS_openat, &network),
            (libc::SYS_unlinkat, &runs),
            (libc::SYS_fchmod, &runs),
            (463, &runs),
            (libc::SYS_socketpair, &runs),
        ] {
            assert!(all(&none, call), "{call}");
            assert!(!all(without, call), "{call}");
        }
        assert!(all(&reads, libc::SYS_unlinkat) && all(&network, libc::SYS_execve));
        // Whoever connects by sending, sends to any socket by a pair, or has a file signal others, is refused with any rules.
        for call in [
            libc::SYS_sendmsg,
            libc::SYS_sendmmsg,
            libc::SYS_fcntl,
            libc::SYS_socketpair,
        ] {
            for rules in [&none, &network, &runs, &reads] {
                assert!(rules.contains_key(&call), "{call}");
            }
        }
        assert!(all(&runs, libc::SYS_connect) && all(&runs, libc::SYS_memfd_create));
        for calls in [none, network, runs, reads] {
            assert!(all(&calls, libc::SYS_ptrace) && all(&calls, libc::SYS_listen));
            for needed in [
                libc::SYS_accept4,
                libc::SYS_read,
                libc::SYS_write,
                libc::SYS_futex,
            ] {
                assert!(!calls.contains_key(&needed), "{needed}");
            }
        }
    }

    #[test]
    fn the_filters_are_programs_that_the_kernel_takes() {
        let mut rules = Rules::default();
        for _ in 0..2 {
            for filter in filters(&rules).unwrap() {
                // The most that there may be (BPF_MAXINSNS).
                assert!((1..=4096).contains(&filter.len()), "{}", filter.len());
            }
            rules.ports.insert(443);
            rules.workers = true;
        }
        assert!(are_known());
    }
}
