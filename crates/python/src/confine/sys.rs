//! Closing descriptors that were inherited.
#![allow(unsafe_code)]
// Sound as long as nothing in this process owns a descriptor from 3 on, since an owner would later
// use or close one that is somebody else's. `worker::main` calls this first of all, before a thread,
// a runtime or a file of its own exists.

/// Closes every descriptor from 3 on. `false` where the kernel is too old to (before 5.9).
pub(super) fn close_inherited() -> bool {
    unsafe { libc::close_range(3, libc::c_uint::MAX, 0) == 0 }
}
