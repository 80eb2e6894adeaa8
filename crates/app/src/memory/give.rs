//! What gives memory back: two calls that no safe crate has.
#![allow(unsafe_code)]

use super::mappings::Mapping;

/// Gives back every page of the heap that nothing is allocated in.
pub(super) fn heap() {
    // SAFETY: it takes no pointer, may be called from any thread at any time, and touches only memory that is free
    // (malloc_trim(3)).
    unsafe { libc::malloc_trim(0) };
}

/// Takes pages of code and constants out of the process: the system keeps them as part of their file for as long as it has
/// no other use for the memory, and a process that needs one again is given it.
pub(super) fn pages(mapping: &Mapping) {
    let start = mapping.addresses.start as *mut libc::c_void;
    let length = mapping.addresses.len();
    // SAFETY: the addresses were a private mapping of a file that was run, which nobody could ever write to, and of which
    // no page had been written to, in memory or in swap, when the process started and a moment ago: nothing is unloaded
    // that is there from the start, so they still are. What is read there afterwards is what the file has, as before
    // (madvise(2)). What fails changes nothing.
    unsafe {
        // First among what the system takes when it is short of memory.
        libc::madvise(start, length, libc::MADV_COLD);
        libc::madvise(start, length, libc::MADV_DONTNEED);
    }
}
