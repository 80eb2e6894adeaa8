//! Runs that have taken over their process: native code in place of the interpreter, in a fork of a
//! zygote as it ships.
#![allow(unsafe_code)]
// Sound: the calls below get no memory but their own, and touch no descriptor, they look at it only.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use libtest_mimic::Trial;
use pymcp_python::{Config, Kind, Limit, Pool};

use crate::attempts::{self, ATTEMPTS, MORE_ATTEMPTS};
use crate::confinement::{EPERM, children};
use crate::pool::until;
use crate::{code, config, hostile, program, run, text, trial};

/// What a run before might have left.
static RUNS: AtomicUsize = AtomicUsize::new(0);

/// Does as the "code" says.
pub(crate) fn run_native(what: &str) -> String {
    if let Some(kind) = what.strip_prefix("hostile ") {
        hostile::behave(kind);
    }
    match what {
        "attempts" => attempts::all(),
        "descriptors" => descriptors(),
        "memory" => memory(),
        "count" => RUNS.fetch_add(1, Ordering::SeqCst).to_string(),
        "abort" => std::process::abort(),
        "overflow" => overflow(0).to_string(),
        "spin" => loop {
            std::hint::spin_loop();
        },
        "end" => std::process::exit(3),
        other => other.to_owned(),
    }
}

/// The open descriptors.
fn descriptors() -> String {
    let open = |fd: &i32| {
        let closed = || io::Error::last_os_error().raw_os_error() == Some(libc::EBADF);
        // One for reading alone can't be written to, and the other way round.
        let readable = unsafe { libc::read(*fd, std::ptr::null_mut(), 0) } >= 0 || !closed();
        let writable = unsafe { libc::write(*fd, std::ptr::null(), 0) } >= 0 || !closed();
        readable || writable
    };
    let open: Vec<String> = (0..1024).filter(open).map(|fd| fd.to_string()).collect();
    open.join(" ")
}

/// How many of these steps of memory the kernel gives, asked for without the allocator that counts.
fn memory() -> String {
    const STEP: usize = 64 << 20;
    let more = || {
        let (protection, flags) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        let pages = unsafe { libc::mmap(std::ptr::null_mut(), STEP, protection, flags, -1, 0) };
        pages != libc::MAP_FAILED
    };
    (0..1024).take_while(|_| more()).count().to_string()
}

fn overflow(depth: u64) -> u64 {
    if depth == u64::MAX {
        return 0;
    }
    let page = std::hint::black_box([depth; 512]);
    page[0] + overflow(std::hint::black_box(depth + 1)) + page[511]
}

pub(crate) fn pool() -> Pool {
    Pool::new(native_config())
}

pub(crate) fn native_config() -> Config {
    Config {
        program: program(&["native"]),
        ..config()
    }
}

async fn says(pool: &Pool, what: &str) -> String {
    text(run(pool, what).await)
}

pub(crate) fn trials() -> Vec<Trial> {
    if !cfg!(target_os = "linux") {
        return Vec::new();
    }
    vec![
        trial(
            "a_fork_that_was_taken_over_is_refused_everything",
            || async {
                let found = says(&pool(), "attempts").await;
                let found: BTreeMap<&str, &str> = found
                    .lines()
                    .filter_map(|line| line.rsplit_once(": "))
                    .collect();
                for (name, _) in ATTEMPTS.iter().chain(MORE_ATTEMPTS) {
                    assert_eq!(found[name], EPERM, "{name}: {found:?}");
                }
            },
        ),
        trial("a_fork_has_its_own_socket_and_no_other", || async {
            let pool = Pool::new(Config {
                workers: 3,
                ..native_config()
            });
            let says = || says(&pool, "descriptors");
            // Beside others, and a spare one, which the zygote has sockets or descriptors of.
            let (first, second, third) = tokio::join!(says(), says(), says());
            assert_eq!([first, second, third], ["0 1 2"; 3]);
        }),
        trial("a_fork_gets_no_more_memory_of_the_kernel", || async {
            let steps: usize = says(&pool(), "memory").await.parse().unwrap();
            // A GiB, for a run that may have a quarter of it.
            assert!((8..=16).contains(&steps), "{steps}");
        }),
        trial("nothing_is_left_of_a_run_in_the_next", || async {
            let pool = pool();
            for _ in 0..20 {
                assert_eq!(says(&pool, "count").await, "0");
            }
        }),
        trial("a_fork_that_crashes_is_nobody_elses_failure", || async {
            let pool = pool();
            for what in ["abort", "overflow", "end"] {
                let failure = run(&pool, what).await.unwrap_err();
                assert_eq!(failure.kind, Kind::Crashed, "{what}: {failure}");
                assert_eq!(says(&pool, "here").await, "here");
            }
            assert_eq!(pool.stats().crashed, 3);
            assert_eq!(children().len(), 1, "the zygote lives");
        }),
        trial("a_fork_that_never_ends_is_ended", || async {
            let pool = pool();
            let mut request = code("spin");
            request.limits.time = Duration::from_millis(200);
            let failure = pool.run(request).await.unwrap_err();
            assert_eq!(failure.kind, Kind::Limit(Limit::Time));
            assert_eq!(says(&pool, "here").await, "here");
            until("a spare worker alone", || pool.stats().workers == 1).await;
        }),
    ]
}
