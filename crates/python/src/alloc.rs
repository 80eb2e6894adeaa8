//! The allocator of a program that can be a worker: the system's, which counts in workers only.
#![allow(unsafe_code)]
// Sound: every method hands its arguments on unchanged, either to `System` or to `LimitedAllocator`,
// which does the same with its own to `System`. So all memory is `System`'s, whoever is asked.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

use monty_alloc::LimitedAllocator;
use monty_types::{BASELINE_MEMORY, LIVE_MEMORY};

/// Whether this process counts what it allocates. Only ever turns true.
static COUNTS: AtomicBool = AtomicBool::new(false);

/// What was allocated before counting began and may be freed after: more than any program here has
/// at its start, so that the count can't go below zero.
const HEAD_START: usize = 1 << 30;

/// Has to be the `#[global_allocator]` of a program that calls [`crate::worker::main`], or workers
/// refuse to start: the limit on memory is its work.
///
/// In a process that is no worker it is the system's allocator and one read of a constant flag; a
/// count that all threads share would cost a busy server more.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allocator;

unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match COUNTS.load(Ordering::Relaxed) {
            false => unsafe { System.alloc(layout) },
            true => unsafe { LimitedAllocator.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match COUNTS.load(Ordering::Relaxed) {
            false => unsafe { System.dealloc(pointer, layout) },
            true => unsafe { LimitedAllocator.dealloc(pointer, layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match COUNTS.load(Ordering::Relaxed) {
            false => unsafe { System.alloc_zeroed(layout) },
            true => unsafe { LimitedAllocator.alloc_zeroed(layout) },
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match COUNTS.load(Ordering::Relaxed) {
            false => unsafe { System.realloc(pointer, layout, size) },
            true => unsafe { LimitedAllocator.realloc(pointer, layout, size) },
        }
    }
}

/// Starts counting, once, before there are threads. `false` when [`Allocator`] is not installed.
pub(crate) fn start_counting() -> bool {
    if !COUNTS.swap(true, Ordering::Relaxed) {
        LIVE_MEMORY.fetch_add(HEAD_START, Ordering::Relaxed);
    }
    let before = LIVE_MEMORY.load(Ordering::Relaxed);
    // Kept from being optimised away by being looked at.
    let probe = std::hint::black_box(vec![0_u8; 64]);
    let counted = LIVE_MEMORY.load(Ordering::Relaxed) != before;
    drop(probe);
    counted
}

/// Allows `bytes` more than there are now, until the next call. `checking`: the type checker runs,
/// which notices nothing but the hard limit and gets more room for what it keeps.
pub(crate) fn limit(bytes: usize, checking: bool) {
    // What earlier runs left behind (in the type checker, mostly) is not the fault of this one; the
    // server lets a worker go before it is much.
    BASELINE_MEMORY.store(usize::MAX, Ordering::Relaxed);
    let armed = monty_alloc::set_limit(Some(bytes), checking);
    debug_assert!(armed.is_ok(), "{armed:?}");
}

/// Bytes allocated now, as far as they were since counting began.
pub(crate) fn live() -> usize {
    LIVE_MEMORY
        .load(Ordering::Relaxed)
        .saturating_sub(HEAD_START)
}

/// Between runs nothing is limited.
pub(crate) fn unlimited() {
    let disarmed = monty_alloc::set_limit(None, false);
    debug_assert!(disarmed.is_ok(), "{disarmed:?}");
}
