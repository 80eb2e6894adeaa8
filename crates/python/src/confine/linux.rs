//! Linux: descriptors, `no_new_privs`, rlimits, Landlock, seccomp.

use std::collections::BTreeMap;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetError, RulesetStatus, Scope,
};
use rustix::process::{DumpableBehavior, Resource};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use super::{Layers, set_limits, sys};
use crate::limits::Limits;

/// Bytes of address space: the program, its stacks and arenas, and the largest run twice over.
const ADDRESS_SPACE: u64 = (1 << 30) + 2 * Limits::MAX.memory as u64;

/// How much less important than the server: untrusted code gets what is left of the CPUs.
const NICE: i32 = 5;

pub(super) fn before_threads() -> Layers {
    let descriptors = sys::close_inherited();
    // Not counted as a layer: it protects the server's pace, not its data.
    let _ = rustix::process::nice(NICE);
    // Needs a descriptor, so it comes before the limit on those.
    let landlock = matches!(
        restrict(),
        Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced)
    );
    Layers {
        descriptors,
        no_new_privs: rustix::thread::set_no_new_privs(true).is_ok()
            && rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok(),
        rlimits: set_limits(&[
            (Resource::As, ADDRESS_SPACE),
            (Resource::Cpu, crate::worker::CPU_SECONDS),
            (Resource::Fsize, 0),
            (Resource::Nofile, 8),
            (Resource::Core, 0),
        ]),
        landlock,
        ..Layers::default()
    }
}

/// Handles every access that Landlock knows, and allows none. Kernels that know fewer of them
/// enforce those.
fn restrict() -> Result<RulesetStatus, RulesetError> {
    const NEWEST: ABI = ABI::V6;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .restrict_self()?;
    Ok(status.ruleset)
}

pub(super) fn all_threads() -> bool {
    filter().is_ok_and(|program| seccompiler::apply_filter_all_threads(&program).is_ok())
}

/// Reading, writing and ending; memory that is not executable; waiting for other threads; the time;
/// randomness for hash tables. Everything else answers `EPERM`: libraries ask for things that they
/// can do without (how many CPUs there are), which killing would make fatal.
fn filter() -> Result<BpfProgram, seccompiler::Error> {
    const ALLOWED: &[libc::c_long] = &[
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_close,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_brk,
        libc::SYS_madvise,
        libc::SYS_futex,
        libc::SYS_sched_yield,
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
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALLOWED.iter().map(|&call| (call, Vec::new())).collect();
    // The third argument of both is the protection.
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        let executable = libc::PROT_EXEC as u64;
        let not_executable = SeccompCondition::new(
            2,
            SeccompCmpArgLen::Dword,
            SeccompCmpOp::MaskedEq(executable),
            0,
        )?;
        rules.insert(call, vec![SeccompRule::new(vec![not_executable])?]);
    }
    // `abort` ends a process with a signal to itself; nobody else gets one.
    let itself = SeccompCondition::new(
        0,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::Eq,
        u64::from(std::process::id()),
    )?;
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![itself])?]);
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Errno(libc::EPERM as u32),
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?;
    Ok(filter.try_into()?)
}
