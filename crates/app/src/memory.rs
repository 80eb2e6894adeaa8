//! Gives memory back to the system.
//!
//! glibc keeps what was freed for the next allocation. After a crowd that is tens of megabytes, which
//! a server that idles needs no more. Other allocators give it back by themselves.
#![allow(unsafe_code)]
// Sound: `malloc_trim` takes no pointer, may be called from any thread at any time, and touches only
// memory that is free (malloc_trim(3)).

use std::fs;
use std::thread;
use std::time::Duration;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(10);

/// Bytes above what the program had at its start: less is not worth the faults that it costs to get
/// it again.
const WORTH: u64 = 16 << 20;

/// Begins to give back what is free, for as long as the process lasts.
pub(crate) fn give_back() {
    let looks = || {
        let Some(at_start) = resident() else { return };
        loop {
            thread::sleep(LOOK);
            if resident().is_some_and(|now| now > at_start + WORTH) {
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

/// Gives back every page that nothing is allocated in.
fn trim() {
    // SAFETY: see the head of this file.
    unsafe { libc::malloc_trim(0) };
}

/// Resident bytes of this process; `None` where the system does not say.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crowd_left_behind_is_given_back() {
        const CROWD: u64 = 96 << 20;
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
