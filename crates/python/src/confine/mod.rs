//! What the operating system is asked to keep from a worker.
//!
//! Every layer stands on its own: the interpreter has no way to the host, but if a bug in it (or in
//! the parser or type checker) gives one, the kernel refuses. [`Layers`] says what is in force; what
//! each stops is in `docs/python-sandbox.md`. To add a layer: a field there, and its code in
//! `linux.rs`, for a process of its own, a zygote and its fork alike.

use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
mod filter;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(target_os = "linux")]
use linux as os;
#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
use other as os;

/// The layers of confinement that are in force in a worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// The environment holds nothing but the time zone that code sees, and what the allocator is told.
    pub environment: bool,
    /// No descriptors but stdin, stdout and stderr are open; in a fork of a zygote, stdin is the
    /// socket of its run.
    pub descriptors: bool,
    /// Executing a file can't give privileges (`PR_SET_NO_NEW_PRIVS`), and nobody else's process can
    /// look into this one (`PR_SET_DUMPABLE`).
    pub no_new_privs: bool,
    /// Limits on address space, CPU time, file size, descriptors, processes and core files
    /// (`setrlimit`).
    pub rlimits: bool,
    /// No file can be reached, nor whatever else this kernel's Landlock knows: TCP since 6.7, abstract
    /// sockets and signals since 6.12. (Seccomp refuses all of it on any kernel.)
    pub landlock: bool,
    /// No system call but those of computing can be made (seccomp).
    pub seccomp: bool,
    /// Memory is counted, and the process ends where a run needs more than it may.
    pub memory: bool,
}

impl Layers {
    /// Those that are in force in both.
    #[cfg(target_os = "linux")]
    fn and(self, other: Self) -> Self {
        Self {
            environment: self.environment && other.environment,
            descriptors: self.descriptors && other.descriptors,
            no_new_privs: self.no_new_privs && other.no_new_privs,
            rlimits: self.rlimits && other.rlimits,
            landlock: self.landlock && other.landlock,
            seccomp: self.seccomp && other.seccomp,
            memory: self.memory && other.memory,
        }
    }

    /// The names of the layers that are not in force.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        [
            (self.environment, "cleared environment"),
            (self.descriptors, "closed descriptors"),
            (self.no_new_privs, "no_new_privs"),
            (self.rlimits, "rlimits"),
            (self.landlock, "Landlock"),
            (self.seccomp, "seccomp"),
            (self.memory, "memory limit"),
        ]
        .into_iter()
        .filter_map(|(in_force, name)| (!in_force).then_some(name))
        .collect()
    }
}

/// Sets limits that nothing in this process can raise again.
#[cfg(unix)]
fn set_limits(limits: &[(rustix::process::Resource, u64)]) -> bool {
    limits.iter().all(|&(resource, most)| {
        let limit = rustix::process::Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        rustix::process::setrlimit(resource, limit).is_ok()
    })
}

/// Confines this process before it has threads: all but seccomp. Best effort; what it says is what
/// is in force.
#[must_use]
pub fn before_threads() -> Layers {
    Layers {
        environment: only_known_variables(),
        ..os::before_threads()
    }
}

/// Lets every thread of this process make only the system calls of computing; from here on it can
/// open nothing and start nothing. `true` when that is in force.
#[must_use]
pub fn all_threads() -> bool {
    os::all_threads()
}

/// Whether there are no variables but those that workers are started with.
fn only_known_variables() -> bool {
    std::env::vars_os().all(|(name, _)| name == "TZ" || name == "GLIBC_TUNABLES")
}

#[cfg(target_os = "linux")]
pub(crate) use linux::{Mapped, child, inherited, zygote};
