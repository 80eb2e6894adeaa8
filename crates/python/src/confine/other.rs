//! Where there is neither Landlock nor seccomp: what remains is the process of its own, its empty
//! environment, the limit on memory, and on Unix the limits on CPU time and files.

use super::Layers;

pub(super) fn before_threads() -> Layers {
    Layers {
        rlimits: set_limits(),
        ..Layers::default()
    }
}

#[cfg(unix)]
fn set_limits() -> bool {
    use rustix::process::{Resource, Rlimit, setrlimit};
    [
        (Resource::Cpu, crate::worker::CPU_SECONDS),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ]
    .into_iter()
    .all(|(resource, most)| {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit).is_ok()
    })
}

#[cfg(not(unix))]
fn set_limits() -> bool {
    false
}

pub(super) fn all_threads() -> bool {
    false
}
