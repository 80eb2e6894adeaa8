//! Linux: descriptors, `no_new_privs`, rlimits, Landlock; seccomp is in `filter.rs`.
//!
//! A process of its own is confined before its threads, but for seccomp. A zygote is confined as far
//! as forking allows, once its interpreter is ready; what it forks inherits that and adds the rest, and
//! the system calls that this needs are those that a zygote may make and its fork may not.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetError, RulesetStatus, Scope,
};
use rustix::process::{DumpableBehavior, Resource};

use super::{Layers, filter, set_limits, sys};
use crate::limits::Limits;
use crate::worker::CPU_SECONDS;

/// Bytes of address space beyond what is mapped at the start: stacks and arenas, and the largest run
/// twice over.
const ROOM: u64 = (512 << 20) + 2 * Limits::MAX.memory as u64;

/// What a program maps that has not been looked at: itself, its libraries, and the interpreter.
const PROGRAM: u64 = 512 << 20;

/// How much less important than the server: untrusted code gets what is left of the CPUs.
const NICE: i32 = 5;

/// Descriptors of the fork of a zygote: stdin, stdout, stderr. Nothing can be opened beyond.
const DESCRIPTORS: u64 = 3;

/// Descriptors of a process of its own, which starts its interpreter under this limit.
const OWN_DESCRIPTORS: u64 = 8;

/// Descriptors of a zygote: one for each worker, those that have been told to end included.
const ZYGOTE_DESCRIPTORS: u64 = 256;

pub(super) fn before_threads() -> Layers {
    let descriptors = sys::close_inherited();
    be_nice();
    // Needs a descriptor, so it comes before the limit on those.
    let landlock = landlock();
    Layers {
        descriptors,
        no_new_privs: no_new_privs(),
        rlimits: set_limits(&[
            (Resource::As, PROGRAM + ROOM),
            (Resource::Data, PROGRAM + ROOM),
            (Resource::Cpu, CPU_SECONDS),
            (Resource::Fsize, 0),
            (Resource::Nofile, OWN_DESCRIPTORS),
            (Resource::Core, 0),
        ]),
        landlock,
        ..Layers::default()
    }
}

pub(super) fn all_threads() -> bool {
    filter::computing().is_ok_and(|filter| seccompiler::apply_filter_all_threads(&filter).is_ok())
}

/// What a process has mapped: what its fork finds mapped, and gets more room beside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mapped {
    all: u64,
    data: u64,
}

impl Mapped {
    /// To be asked before files are out of reach.
    pub(crate) fn by_this_process() -> Self {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages: Vec<u64> = statm
            .split_whitespace()
            .map_while(|pages| pages.parse().ok())
            .collect();
        let bytes = |at: usize| {
            let pages = pages.get(at)?;
            pages.checked_mul(rustix::param::page_size() as u64)
        };
        Self {
            all: bytes(0).unwrap_or(PROGRAM),
            data: bytes(5).unwrap_or(PROGRAM),
        }
    }
}

/// What a program was started with. Closes what it should not have been. To be called first of all.
pub(crate) fn inherited() -> Layers {
    Layers {
        environment: super::only_known_variables(),
        descriptors: sys::close_inherited(),
        ..Layers::default()
    }
}

/// Confines a process with one thread that goes on to fork: no file, no socket, no program, no signal
/// to others. What it says is what is in force, with what was before.
pub(crate) fn zygote(before: Layers) -> Layers {
    Layers {
        landlock: landlock(),
        no_new_privs: no_new_privs(),
        rlimits: set_limits(&[
            (Resource::Fsize, 0),
            (Resource::Nofile, ZYGOTE_DESCRIPTORS),
            (Resource::Core, 0),
        ]),
        seccomp: filter::forking().is_ok_and(|filters| {
            let mut filters = filters.iter();
            filters.all(|filter| seccompiler::apply_filter(filter).is_ok())
        }),
        ..before
    }
}

/// Confines the fork of a zygote fully. `last` is called when threads can still be started, and
/// nothing else.
pub(crate) fn child(zygote: Layers, mapped: Mapped, last: impl FnOnce()) -> Layers {
    let descriptors = sys::close_inherited();
    be_nice();
    // A domain of its own, inside the zygote's: no signal reaches the zygote or another fork of it.
    let landlock = landlock();
    let no_new_privs = no_new_privs();
    last();
    let rlimits = set_limits(&[
        (Resource::As, mapped.all.saturating_add(ROOM)),
        (Resource::Data, mapped.data.saturating_add(ROOM)),
        // The kernel counts it from the fork.
        (Resource::Cpu, CPU_SECONDS),
        (Resource::Fsize, 0),
        (Resource::Nofile, DESCRIPTORS),
        (Resource::Nproc, 0),
        (Resource::Memlock, 0),
        (Resource::Core, 0),
    ]);
    zygote.and(Layers {
        descriptors,
        no_new_privs,
        rlimits,
        landlock,
        seccomp: all_threads(),
        ..zygote
    })
}

/// Not counted as a layer: it protects the server's pace, not its data.
fn be_nice() {
    let _ = rustix::process::nice(NICE);
}

fn no_new_privs() -> bool {
    rustix::thread::set_no_new_privs(true).is_ok()
        && rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok()
}

fn landlock() -> bool {
    matches!(
        restrict(),
        Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced)
    )
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
