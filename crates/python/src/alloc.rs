//! The allocator of a program that can be a worker: the system's, which counts in workers only.
#![allow(unsafe_code)]
// Sound: every method hands its arguments on to `System` unchanged and returns what `System`
// returned, or ends the process. So all memory is `System`'s, whether it was counted or not.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How a process ends in which a run needed more memory than it may, if it couldn't say so.
pub(crate) const OUT_OF_MEMORY: i32 = 65;

/// Whether this process counts what it allocates. Only ever turns true.
static COUNTS: AtomicBool = AtomicBool::new(false);

/// Bytes allocated since counting began, and [`HEAD_START`].
///
/// Read and written in two steps, without a locked instruction: in a worker one thread does all that
/// counts, and its helper allocates a few hundred bytes at most that could be lost.
static LIVE: AtomicUsize = AtomicUsize::new(HEAD_START);

/// What [`LIVE`] may come to.
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

/// What is done before the process ends, when the limit was exceeded.
static FAREWELL: OnceLock<fn()> = OnceLock::new();

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
        charge(layout.size());
        given(unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        refund(layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        charge(layout.size());
        given(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match size.checked_sub(layout.size()) {
            Some(more) => charge(more),
            None => refund(layout.size() - size),
        }
        given(unsafe { System.realloc(pointer, layout, size) })
    }
}

#[inline]
fn charge(bytes: usize) {
    if COUNTS.load(Ordering::Relaxed) {
        let live = LIVE.load(Ordering::Relaxed).saturating_add(bytes);
        if live > LIMIT.load(Ordering::Relaxed) {
            exhausted();
        }
        LIVE.store(live, Ordering::Relaxed);
    }
}

#[inline]
fn refund(bytes: usize) {
    if COUNTS.load(Ordering::Relaxed) {
        let live = LIVE.load(Ordering::Relaxed).saturating_sub(bytes);
        LIVE.store(live, Ordering::Relaxed);
    }
}

/// The system has none left either: in a worker that is the limit on its address space.
#[inline]
fn given(pointer: *mut u8) -> *mut u8 {
    if pointer.is_null() && COUNTS.load(Ordering::Relaxed) {
        exhausted();
    }
    pointer
}

#[cold]
#[inline(never)]
fn exhausted() -> ! {
    // What is said at the end needs memory too, and comes here again where there is none.
    let limit = LIMIT.swap(usize::MAX, Ordering::Relaxed);
    if limit != usize::MAX
        && let Some(farewell) = FAREWELL.get()
    {
        farewell();
    }
    std::process::exit(OUT_OF_MEMORY);
}

/// Starts counting, once, before there are threads. `false` when [`Allocator`] is not installed.
pub(crate) fn start_counting() -> bool {
    COUNTS.store(true, Ordering::Relaxed);
    let before = LIVE.load(Ordering::Relaxed);
    // Kept from being optimised away by being looked at.
    let probe = std::hint::black_box(vec![0_u8; 64]);
    let counted = LIVE.load(Ordering::Relaxed) != before;
    drop(probe);
    counted
}

/// Allows `bytes` more than there are now, until the next call.
pub(crate) fn limit(bytes: usize) {
    let most = LIVE.load(Ordering::Relaxed).saturating_add(bytes);
    LIMIT.store(most, Ordering::Relaxed);
}

/// What to do when a limit is exceeded, before the process ends. It is called from within an
/// allocation, wherever that was, and may allocate. The first one stays.
pub(crate) fn on_exhaustion(farewell: fn()) {
    let _ = FAREWELL.set(farewell);
}

/// Bytes allocated now, as far as they were since counting began.
#[cfg(feature = "typecheck")]
pub(crate) fn live() -> usize {
    LIVE.load(Ordering::Relaxed).saturating_sub(HEAD_START)
}

/// Between runs nothing is limited.
pub(crate) fn unlimited() {
    LIMIT.store(usize::MAX, Ordering::Relaxed);
}
