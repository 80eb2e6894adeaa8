//! Where there is neither Landlock nor seccomp: what remains is the process of its own, its empty
//! environment, the limit on memory, and on Unix the limits on CPU time and files.

use super::Layers;

pub(super) fn before_threads() -> Layers {
    Layers {
        rlimits: limited(),
        ..Layers::default()
    }
}

#[cfg(unix)]
fn limited() -> bool {
    use rustix::process::Resource;
    super::set_limits(&[
        (Resource::Cpu, crate::worker::CPU_SECONDS),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ])
}

#[cfg(not(unix))]
fn limited() -> bool {
    false
}

pub(super) fn all_threads() -> bool {
    false
}
