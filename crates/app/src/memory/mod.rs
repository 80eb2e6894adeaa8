//! Gives memory back to the system.
//!
//! glibc keeps what was freed for the next allocation. After the start that is some hundred kilobytes, after a crowd
//! tens of megabytes, which a server that idles needs no more. Other allocators give it back by themselves. And a
//! process keeps every page of its code that it ran once, with those around it: most of what an idle server has
//! resident.

mod give;
mod mappings;

use std::fs::File;
use std::io::{self, Seek as _};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use self::mappings::Mapping;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(5);

/// Bytes above what the program had at its start: less is not worth the faults that it costs to get
/// it again.
const WORTH: u64 = 16 << 20;

/// CPU time within which a process idles that takes no more of it between two looks.
const IDLE: Duration = Duration::from_millis(10);

/// Bytes above what was left the last time, for a process that idles: to get a page of code again is a fault of a
/// microsecond, without the disk.
const WORTH_IDLE: u64 = 1 << 20;

/// What gives back what is free, once it is [begun](Keeper::begin).
pub(crate) struct Keeper {
    system: Option<Arc<System>>,
    at_start: u64,
}

/// What the system says of this process. Files stay open: a process that is confined opens none.
struct System {
    statm: File,
    /// `None` where the system does not say it: the heap is given back all the same.
    program: Option<Program>,
}

/// Code and constants of this process.
struct Program {
    smaps: File,
    at_start: Vec<Mapping>,
}

impl Keeper {
    /// Looks for the first time: to be made before anything is loaded.
    pub(crate) fn new() -> Self {
        let system = System::new().ok().map(Arc::new);
        let at_start = system.as_ref().and_then(|system| system.resident());
        Self {
            system,
            at_start: at_start.unwrap_or_default(),
        }
    }

    /// Gives back what is free from now on, for as long as the process lasts.
    pub(crate) fn begin(&self) {
        let Some(system) = self.system.clone() else {
            return;
        };
        let at_start = self.at_start;
        let looks = move || {
            // What only the start needed: the command line with all its help, schemas as they were read.
            give::heap();
            let (mut used, mut left) = (cpu_time(), 0);
            loop {
                thread::sleep(LOOK);
                let before = std::mem::replace(&mut used, cpu_time());
                let Some(resident) = system.resident() else {
                    continue;
                };
                if used.saturating_sub(before) < IDLE {
                    if resident > left + WORTH_IDLE {
                        system.give_back();
                        left = system.resident().unwrap_or(resident);
                    }
                } else if resident > at_start + WORTH {
                    give::heap();
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

impl System {
    fn new() -> io::Result<Self> {
        Ok(Self {
            statm: File::open("/proc/self/statm")?,
            program: Program::new().ok(),
        })
    }

    /// Resident bytes of this process (proc_pid_statm(5)); `None` where the system does not say.
    fn resident(&self) -> Option<u64> {
        let mut text = [0; 128];
        let length = self.statm.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(text.get(..length)?).ok()?;
        let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
        Some(pages * rustix::param::page_size() as u64)
    }

    /// Gives back all that a process which idles does without.
    fn give_back(&self) {
        if let Some(program) = &self.program {
            program.give_back();
        }
        give::heap();
    }
}

impl Program {
    fn new() -> io::Result<Self> {
        Ok(Self {
            smaps: File::open("/proc/self/smaps")?,
            at_start: mappings::read(File::open("/proc/self/maps")?)?,
        })
    }

    fn give_back(&self) {
        let mut smaps = &self.smaps;
        let now = smaps.rewind().and_then(|()| mappings::read(smaps));
        for mapping in mappings::unchanged(&self.at_start, &now.unwrap_or_default()) {
            give::pages(mapping);
        }
    }
}

/// What this process has used of the CPUs.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crowd_left_behind_is_given_back() {
        const CROWD: u64 = 96 << 20;
        // Where nothing is known of the code, the heap is given back all the same.
        let system = System {
            program: None,
            ..System::new().unwrap()
        };
        let resident = || system.resident().unwrap();
        let before = resident();
        // Small blocks, since large ones are the system's own anyway; the last one holds the heap up.
        let mut blocks: Vec<Box<[u8]>> = Vec::new();
        for _ in 0..CROWD >> 12 {
            blocks.push(vec![1; 4 << 10].into_boxed_slice());
        }
        let last = blocks.pop();
        drop(blocks);
        let kept = resident();
        assert!(
            kept > before + CROWD / 2,
            "nothing was kept: {before} {kept}"
        );
        system.give_back();
        let left = resident();
        assert!(left < before + CROWD / 4, "{before} {kept} {left}");
        drop(last);
    }

    #[test]
    fn code_is_given_back_and_runs_on() {
        fn of_files() -> u64 {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find(|line| line.starts_with("RssFile:"));
            let kib = line.unwrap().split_whitespace().nth(1).unwrap();
            kib.parse().unwrap()
        }
        let system = System::new().unwrap();
        let at = of_files as fn() -> u64 as usize;
        let own = |mapping: &Mapping| mapping.addresses.contains(&at);
        let program = system.program.as_ref().unwrap();
        assert_eq!(program.at_start.iter().filter(|m| own(m)).count(), 1);
        let before = of_files();
        system.give_back();
        let after = of_files();
        assert!(after < before / 2, "{before} KiB, {after} KiB");
    }
}
