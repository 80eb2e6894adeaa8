//! `fork` and `_exit`.
#![allow(unsafe_code)]
// `fork` is sound in a process of one thread: its child is that thread with a copy of everything,
// and no lock is held by a thread that the child lacks. (With more threads, the child might do no
// more than call async-signal-safe functions, which nothing here could promise.) That there is one
// thread is asked of the kernel at each call: `unshare(CLONE_THREAD)` does nothing in a process of one
// thread, and fails with `EINVAL` in every other. Where a container's filter refuses `unshare`, what
// stands is that `is_single_threaded` was true before the first fork, and that nothing in the zygote
// starts a thread after.
//
// Copied descriptors have two owners then. The child replaces and closes them without their owners'
// knowledge, which is sound because no owner lives on in it: it ends in `leave`, which runs no
// destructor, and touches none of what the parent owned but the interpreter.
//
// `unshare(CLONE_THREAD)` and `_exit` touch no memory. `sbrk(0)` only says where the heap ends. Collapsing
// pages into larger ones leaves every byte what it was, and fails where there is no memory to collapse.

use std::io;

use rustix::process::Pid;

/// Whether this process has one thread, as far as it can look.
pub(super) fn is_single_threaded() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1)
}

/// Forks. `None` in the child.
///
/// # Errors
/// When this process has other threads, or the kernel refuses one more.
pub(super) fn fork() -> io::Result<Option<Pid>> {
    let alone = unsafe { libc::unshare(libc::CLONE_THREAD) } == 0;
    let refused = io::Error::last_os_error();
    if !alone && refused.raw_os_error() == Some(libc::EINVAL) {
        return Err(io::Error::other("a process with threads is not forked"));
    }
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(Pid::from_raw(pid)),
    }
}

/// Where pages are larger than this, nothing is collapsed.
const HUGE_PAGE: usize = 2 << 20;

/// The heap of this process, from where it began.
pub(super) struct Heap(usize);

impl Heap {
    /// To be asked before anything is kept in it.
    pub(super) fn of_this_process() -> Self {
        Self(end_of_heap())
    }

    /// Fills its holes, so that what a fork allocates lies together: to write to a page is to copy it, in a
    /// fork.
    pub(super) fn fill(&self) {
        const LARGEST: usize = 64 << 10;
        /// At most so many bytes.
        const MOST: usize = 32 << 20;
        let end = end_of_heap();
        let mut taken = 0;
        // The large pieces first, of which the small ones would be made otherwise.
        let mut size = LARGEST;
        while size >= 16 && taken < MOST {
            let hole: Vec<u8> = Vec::with_capacity(size);
            if (self.0..end).contains(&(hole.as_ptr() as usize)) {
                taken += size;
                std::mem::forget(hole);
            } else {
                size -= (size / 8).max(16);
            }
        }
    }

    /// Has its pages made large, where the kernel can (Linux 6.1): to fork is to copy the table of pages,
    /// and to end to give each of them back.
    pub(super) fn settle(&self) {
        let end = end_of_heap();
        let first = self.0.next_multiple_of(HUGE_PAGE);
        // One by one: what cannot be (a part that a worker still shares) is no reason against the others.
        for start in (first..).step_by(HUGE_PAGE) {
            if start + HUGE_PAGE > end {
                break;
            }
            let start = start as *mut libc::c_void;
            let _ = unsafe { libc::madvise(start, HUGE_PAGE, libc::MADV_COLLAPSE) };
        }
    }
}

fn end_of_heap() -> usize {
    unsafe { libc::sbrk(0) as usize }
}

/// Ends this process and nothing else: no destructor runs, and nothing that was to be done at exit.
pub(crate) fn leave(code: i32) -> ! {
    unsafe { libc::_exit(code) }
}
