//! Gives memory back to the system.
//!
//! glibc keeps what was freed for the next allocation. After the start that is some hundred kilobytes, after a crowd
//! tens of megabytes, which a server that idles needs no more. Other allocators give it back by themselves.
#![allow(unsafe_code)]
// Sound: `malloc_trim` takes no pointer, may be called from any thread at any time, and touches only
// memory that is free (malloc_trim(3)).

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::thread;
use std::time::Duration;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(10);

/// Bytes above what the program had at its start: less is not worth the faults that it costs to get
/// it again.
const WORTH: u64 = 16 << 20;

/// What gives back what is free, once it is [begun](Keeper::begin).
pub(crate) struct Keeper {
    statm: Option<File>,
    at_start: u64,
}

impl Keeper {
    /// Looks for the first time. The file stays open: a process that is confined opens none.
    pub(crate) fn new() -> Self {
        let statm = File::open("/proc/self/statm").ok();
        let at_start = statm.as_ref().and_then(resident).unwrap_or_default();
        Self { statm, at_start }
    }

    /// Gives back what is free from now on, for as long as the process lasts.
    pub(crate) fn begin(&self) {
        let statm = self.statm.as_ref().and_then(|file| file.try_clone().ok());
        let Some(statm) = statm else { return };
        let at_start = self.at_start;
        let looks = move || {
            // What only the start needed: the command line with all its help, schemas as they were read.
            trim();
            loop {
                thread::sleep(LOOK);
                if resident(&statm).is_some_and(|now| now > at_start + WORTH) {
                    trim();
                }
            }
        };
        // Without it the server only keeps more than it needs.
        let _ = thread::Builder::new()
            .name("memory".to_owned())
            .stack_size(64 << 10)
            .spawn(looks);
    }
}

/// Gives back every page that nothing is allocated in.
fn trim() {
    // SAFETY: see the head of this file.
    unsafe { libc::malloc_trim(0) };
}

/// Resident bytes of this process (proc_pid_statm(5)); `None` where the system does not say.
fn resident(statm: &File) -> Option<u64> {
    let mut text = [0; 128];
    let length = statm.read_at(&mut text, 0).ok()?;
    let text = std::str::from_utf8(text.get(..length)?).ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crowd_left_behind_is_given_back() {
        const CROWD: u64 = 96 << 20;
        let statm = File::open("/proc/self/statm").unwrap();
        let resident = || super::resident(&statm);
        let before = resident().unwrap();
        // Small blocks, since large ones are the system's own anyway; the last one holds the heap up.
        let mut blocks: Vec<Box<[u8]>> = Vec::new();
        for _ in 0..CROWD >> 12 {
            blocks.push(vec![1; 4 << 10].into_boxed_slice());
        }
        let last = blocks.pop();
        drop(blocks);
        let kept = resident().unwrap();
        assert!(
            kept > before + CROWD / 2,
            "nothing was kept: {before} {kept}"
        );
        trim();
        let left = resident().unwrap();
        assert!(left < before + CROWD / 4, "{before} {kept} {left}");
        drop(last);
    }
}
