//! Has each thread of the process restrict itself, since Landlock binds the thread that asks for it.
//!
//! Those of the runtime are each given work that they do not come back from until all are there: a worker that is held
//! cannot take the work of another. What is started from then on has the rights of who started it. Threads that nobody can
//! give work to, those of an author's own, are named.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use landlock::{RulesetCreated, RulesetStatus};
use pymcp_kit::audit::Audit;
use pymcp_kit::telemetry;
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, gettid, set_capabilities};
use tokio::runtime::Handle;

/// Time that the threads have. They come at once, unless they are busy with something of the author's.
const PATIENCE: Duration = Duration::from_secs(2);

/// Threads for work that blocks that are given work at most.
const MOST: usize = 512;

/// Lets threads through that have restricted themselves.
struct Gate {
    ruleset: RulesetCreated,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Threads that have tried.
    came: usize,
    /// Ids of threads that are restricted.
    restricted: BTreeSet<i32>,
    /// Whether nobody is held any more.
    open: bool,
}

/// Restricts this thread and all others, as far as they come. The names of those that have not; to be called in the
/// runtime, on a thread that is none of its workers.
///
/// # Errors
/// The system does not say which threads there are.
pub(super) fn restrict(ruleset: RulesetCreated, audit: Option<&Audit>) -> io::Result<Vec<String>> {
    let gate = Arc::new(Gate {
        ruleset,
        state: Mutex::default(),
        changed: Condvar::new(),
    });
    let runtime = Handle::current();
    let workers = runtime.metrics().num_workers();
    for _ in 0..workers {
        let gate = Arc::clone(&gate);
        runtime.spawn(async move { gate.hold() });
    }
    let passes = || {
        let gate = Arc::clone(&gate);
        move || _ = gate.pass()
    };
    let writes = telemetry::visit_writer(passes());
    audit.inspect(|audit| audit.visit_writer(passes()));
    gate.wait_for(workers + usize::from(writes) + usize::from(audit.is_some()));
    // What is left are threads for work that blocks, and others.
    let left = gate.unrestricted()?.len().min(MOST);
    let came = gate.lock().came;
    for _ in 0..left {
        let gate = Arc::clone(&gate);
        runtime.spawn_blocking(move || gate.hold());
    }
    gate.wait_for(came + left);
    let names = gate.unrestricted()?;
    gate.open();
    // Last, because it sees no other threads from then on.
    if !gate.pass() {
        return Err(io::Error::other("the first one cannot be restricted"));
    }
    Ok(names)
}

/// Whether this thread may what only root may.
pub(super) fn has_capabilities() -> bool {
    capabilities(None).is_ok_and(|sets| !sets.permitted.is_empty())
}

impl Gate {
    /// Restricts the thread that calls it.
    fn pass(&self) -> bool {
        // They are each thread's own as well. Who runs as another user than root has none.
        let _ = drop_capabilities();
        let ruleset = self.ruleset.try_clone().ok();
        let status = ruleset.and_then(|ruleset| ruleset.restrict_self().ok());
        let done = status.is_some_and(|status| status.ruleset != RulesetStatus::NotEnforced);
        let mut state = self.lock();
        state.came += 1;
        if done {
            state.restricted.insert(gettid().as_raw_nonzero().get());
        }
        drop(state);
        self.changed.notify_all();
        done
    }

    /// Restricts the thread that calls it, and holds it until the others are there.
    fn hold(&self) {
        self.pass();
        self.wait_until(|state| state.open);
    }

    fn open(&self) {
        self.lock().open = true;
        self.changed.notify_all();
    }

    /// Waits until so many have come.
    fn wait_for(&self, most: usize) {
        self.wait_until(|state| state.came >= most);
    }

    /// Waits for something, but not longer than there is patience.
    fn wait_until(&self, done: impl Fn(&State) -> bool) {
        let end = Instant::now() + PATIENCE;
        let mut state = self.lock();
        while !done(&state) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names of the threads that are not restricted, but for the one that asks.
    fn unrestricted(&self) -> io::Result<Vec<String>> {
        let me = gettid().as_raw_nonzero().get();
        let mut names = Vec::new();
        for thread in fs::read_dir("/proc/self/task")? {
            let thread = thread?;
            let id = thread.file_name().to_str().and_then(|id| id.parse().ok());
            let known = id.is_some_and(|id| id == me || self.lock().restricted.contains(&id));
            // One that has ended has no name.
            if !known && let Ok(name) = fs::read_to_string(thread.path().join("comm")) {
                names.push(name.trim_end().to_owned());
            }
        }
        Ok(names)
    }
}

/// What root can do that no server needs (capabilities(7)): with some of it, limits are raised again and the memory of
/// others is read past Landlock.
const UNNEEDED: [CapabilitySet; 19] = [
    CapabilitySet::SYS_PTRACE,
    CapabilitySet::PERFMON,
    CapabilitySet::BPF,
    CapabilitySet::SYS_ADMIN,
    CapabilitySet::SYS_MODULE,
    CapabilitySet::SYS_RAWIO,
    CapabilitySet::SYS_BOOT,
    CapabilitySet::SYS_TIME,
    CapabilitySet::SYS_PACCT,
    CapabilitySet::SYS_CHROOT,
    CapabilitySet::SYS_RESOURCE,
    CapabilitySet::SYS_TTY_CONFIG,
    CapabilitySet::NET_ADMIN,
    CapabilitySet::NET_RAW,
    CapabilitySet::MKNOD,
    CapabilitySet::MAC_ADMIN,
    CapabilitySet::MAC_OVERRIDE,
    CapabilitySet::SYSLOG,
    CapabilitySet::CHECKPOINT_RESTORE,
];

fn drop_capabilities() -> rustix::io::Result<()> {
    let unneeded: CapabilitySet = UNNEEDED.into_iter().collect();
    let now = capabilities(None)?;
    let left = CapabilitySets {
        effective: now.effective - unneeded,
        permitted: now.permitted - unneeded,
        inheritable: now.inheritable - unneeded,
    };
    match left == now {
        true => Ok(()),
        false => set_capabilities(None, left),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use landlock::{Access as _, AccessFs, Ruleset, RulesetAttr as _};

    use super::super::NEWEST;
    use super::*;

    /// What `every_thread_is_restricted` starts in a process of its own, since what is taken from a thread of the tests
    /// stays taken.
    #[test]
    #[ignore = "another test starts it in a process of its own"]
    #[allow(clippy::print_stdout)]
    fn process_with_threads() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(3)
            .enable_all()
            .build()
            .unwrap();
        let reads = || fs::read_to_string("Cargo.toml").is_ok();
        let (end, ended) = channel::<()>();
        let own = thread::Builder::new().name("own".into());
        let own = own.spawn(move || {
            let _ = ended.recv();
            reads()
        });
        runtime.block_on(async {
            // One that is idle from then on.
            assert!(tokio::task::spawn_blocking(reads).await.unwrap());
            let ruleset = Ruleset::default()
                .handle_access(AccessFs::from_all(NEWEST))
                .unwrap()
                .create()
                .unwrap();
            let left = restrict(ruleset, None).unwrap();
            // The harness of the tests has a thread as well, which waits for this one.
            println!("\nleft: {}", left.join(","));
            assert!(!reads());
            for _ in 0..50 {
                assert!(!tokio::spawn(async move { reads() }).await.unwrap());
                assert!(!tokio::task::spawn_blocking(reads).await.unwrap());
            }
            assert!(!thread::spawn(reads).join().unwrap());
        });
        drop(end);
        assert!(own.unwrap().join().unwrap(), "it was not told");
        println!("\ndone");
    }

    #[test]
    fn every_thread_is_restricted() {
        if super::super::scope_in_a_thread() == 0 {
            // Not silently.
            let _ = std::io::Write::write_all(
                &mut io::stderr(),
                b"skipped: this kernel has no Landlock\n",
            );
            return;
        }
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "confine::linux::threads::tests::process_with_threads",
                "--ignored",
                "--nocapture",
            ])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let left = said.lines().find_map(|line| line.strip_prefix("left: "));
        let left: Vec<_> = left.unwrap_or_default().split(',').collect();
        assert!(said.contains("\ndone"), "{said}");
        assert!(left.contains(&"own"), "{said}");
        assert!(!left.iter().any(|name| name.starts_with("tokio")), "{said}");
    }
}
