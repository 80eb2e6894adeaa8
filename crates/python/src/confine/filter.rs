//! The system calls that may be made.
//!
//! Everything else answers `EPERM`: libraries ask for things that they can do without (how many CPUs
//! there are), which killing would make fatal.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Reading, writing and ending; memory that is not executable; waiting for other threads and for a
/// while; the time; randomness.
const COMPUTING: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_close,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// What a zygote needs beside that: orders, and watching what it forks.
const FORKING: &[libc::c_long] = &[
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_pidfd_open,
    libc::SYS_kill,
    libc::SYS_wait4,
    // Musl's `fork`.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
];

/// What its fork needs until it is confined: that, and a thread.
const CONFINING: &[libc::c_long] = &[
    libc::SYS_getppid,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_dup2,
    libc::SYS_dup3,
    libc::SYS_close_range,
    libc::SYS_prctl,
    libc::SYS_prlimit64,
    libc::SYS_getpriority,
    libc::SYS_setpriority,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_restrict_self,
    libc::SYS_seccomp,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    // A filter bounds what it gets to by its own process id.
    libc::SYS_tgkill,
];

/// The calls of computing alone.
pub(super) fn computing() -> Result<BpfProgram, Error> {
    let mut rules = allowed(COMPUTING)?;
    // `abort` ends a process with a signal to itself; nobody else gets one.
    rules.insert(
        libc::SYS_tgkill,
        only_where(0, SeccompCmpOp::Eq, u64::from(std::process::id()))?,
    );
    program(rules, libc::EPERM)
}

/// Those of a zygote; one filter after the other is to be applied.
pub(super) fn forking() -> Result<[BpfProgram; 2], Error> {
    /// New namespaces, being traced or somebody else's child.
    const STRANGE: libc::c_int = libc::CLONE_NEWNS
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_PTRACE
        | libc::CLONE_PARENT;
    let mut rules = allowed(&[COMPUTING, FORKING, CONFINING].concat())?;
    let strange = u64::from(STRANGE.cast_unsigned());
    rules.insert(
        libc::SYS_clone,
        only_where(0, SeccompCmpOp::MaskedEq(strange), 0)?,
    );
    // By which `fork` asks whether there are other threads.
    let thread = u64::from(libc::CLONE_THREAD.cast_unsigned());
    rules.insert(libc::SYS_unshare, only_where(0, SeccompCmpOp::Eq, thread)?);
    // What it asks for is in memory, where a filter can't look. Where there is no such call, the C
    // library makes the older one.
    let hidden = SeccompFilter::new(
        [(libc::SYS_clone3, Vec::new())].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS.cast_unsigned()),
        std::env::consts::ARCH.try_into()?,
    )?;
    Ok([program(rules, libc::EPERM)?, hidden.try_into()?])
}

/// These calls, and memory that is not executable.
fn allowed(calls: &[libc::c_long]) -> Result<Rules, Error> {
    let mut rules: Rules = calls.iter().map(|&call| (call, Vec::new())).collect();
    // The third argument of both is the protection.
    let executable = u64::from(libc::PROT_EXEC.cast_unsigned());
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        let rule = only_where(2, SeccompCmpOp::MaskedEq(executable), 0)?;
        rules.insert(call, rule);
    }
    Ok(rules)
}

/// A call is allowed where the lower half of this argument compares with the value like this.
fn only_where(argument: u8, how: SeccompCmpOp, value: u64) -> Result<Vec<SeccompRule>, Error> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, value)?;
    Ok(vec![SeccompRule::new(vec![condition])?])
}

fn program(rules: Rules, otherwise: libc::c_int) -> Result<BpfProgram, Error> {
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Errno(otherwise.cast_unsigned()),
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?;
    Ok(filter.try_into()?)
}
