//! Deadlines, queues, and what is left of workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use pymcp_python::{Config, Event, Isolation, Kind, Limit, Observer, Pool, Request};

use crate::confinement::children;
use crate::{code, config, run, text, trial};

/// Hangs in one instruction, where the interpreter does not look at its clock.
const HANG: &str = "a = b = [1]\nfor _ in range(40):\n    a, b = [a, a], [b, b]\na == b";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("endless_code_ends_in_time", endless),
        trial("a_hang_is_killed_and_the_next_run_finds_a_worker", hang),
        trial("out_of_memory_is_survived", memory),
        trial("a_dropped_run_kills_its_worker", dropped),
        trial("too_many_runs_are_refused", queue),
        trial("a_long_wait_is_refused", long_wait),
        trial("runs_share_workers_and_never_exceed_them", shared),
        trial("workers_are_recycled", recycled),
        trial("process_isolation_uses_a_worker_once", alone),
        trial("idle_workers_end", idle),
        trial("callers_take_turns", turns),
        trial("a_worker_that_dies_idle_is_waited_for_at_once", reaped),
        trial("a_closed_pool_leaves_no_process", closed),
        trial("a_worker_killed_from_outside_is_replaced", killed),
        trial("the_last_clone_ends_the_workers", last_clone),
        trial("the_observer_hears_everything", observer),
    ]
}

fn short(source: &str) -> Request {
    let mut request = code(source);
    request.limits.time = Duration::from_millis(500);
    request
}

/// Waits until this holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        // Processes end in their own time, and say so to nobody.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn endless() {
    let pool = Pool::new(config());
    let source = "print('here')\nwhile True:\n    pass";
    pool.probe().await.unwrap();
    let started = Instant::now();
    let failure = pool.run(short(source)).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Limit(Limit::Time));
    assert!(failure.message.contains("0.5 s,"), "{failure}");
    assert_eq!(failure.stdout.text, "here\n");
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
}

async fn hang() {
    let pool = Pool::new(config());
    text(run(&pool, "1").await);
    for round in 1..=3 {
        let started = Instant::now();
        let failure = pool.run(short(HANG)).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Limit(Limit::Time));
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{:?}",
            started.elapsed()
        );
        assert_eq!(pool.stats().killed_for_time, round);
        assert_eq!(text(run(&pool, "2").await), "2");
    }
}

async fn memory() {
    let pool = Pool::new(config());
    for source in [
        "x = 'x'\nwhile True:\n    x += x",
        "x = []\nwhile True:\n    x.append('a' * 1000)",
        "dict.fromkeys(range(10 ** 9))",
        "a = [1] * 1000\nfor _ in range(10):\n    a = [a] * 10\nstr(a)",
    ] {
        let failure = run(&pool, source).await.unwrap_err();
        assert_eq!(
            failure.kind,
            Kind::Limit(Limit::Memory),
            "{source}: {failure:?}"
        );
        assert_eq!(text(run(&pool, "1").await), "1");
    }
}

async fn dropped() {
    let pool = Pool::new(config());
    text(run(&pool, "1").await);
    let mut request = code("while True:\n    pass");
    request.limits.time = Duration::from_secs(60);
    let running = tokio::time::timeout(Duration::from_millis(200), pool.run(request)).await;
    assert!(running.is_err());
    assert_eq!(pool.stats().killed_for_absence, 1);
    assert_eq!(text(run(&pool, "2").await), "2");
}

async fn queue() {
    let pool = Pool::new(Config {
        queue: 1,
        ..config()
    });
    let busy = tokio::spawn({
        let pool = pool.clone();
        async move { pool.run(short("while True:\n    pass")).await }
    });
    until("a run is running", || pool.stats().workers > 0).await;
    // The first of these waits; there is no room for the others.
    let one = || run(&pool, "1");
    let (first, second, third) = tokio::join!(one(), one(), one());
    assert_eq!(text(first), "1");
    for refused in [second, third] {
        let failure = refused.unwrap_err();
        assert_eq!(failure.kind, Kind::Busy);
        assert!(failure.message.contains("1 runs are waiting"), "{failure}");
    }
    assert!(busy.await.unwrap().is_err());
    assert_eq!(pool.stats().refused, 2);
}

async fn long_wait() {
    let pool = Pool::new(Config {
        queue_time: Duration::from_millis(100),
        ..config()
    });
    text(run(&pool, "1").await);
    let mut request = code("while True:\n    pass");
    request.limits.time = Duration::from_secs(2);
    let (busy, refused) = tokio::join!(pool.run(request), run(&pool, "1"));
    assert_eq!(busy.unwrap_err().kind, Kind::Limit(Limit::Time));
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind, Kind::Busy);
    assert!(refused.message.contains("0.1 s"), "{refused}");
}

async fn shared() {
    let pool = Pool::new(Config {
        workers: 2,
        ..config()
    });
    let mut runs = tokio::task::JoinSet::new();
    for n in 0..40 {
        let pool = pool.clone();
        runs.spawn(async move {
            let source = format!("print({n})\nx = {n}\nsum(range(1000)) + x");
            let outcome = run(&pool, &source).await.unwrap();
            assert_eq!(outcome.stdout.text, format!("{n}\n"));
            assert_eq!(outcome.value.text.unwrap(), (499_500 + n).to_string());
            assert!(pool.stats().workers <= 3, "{:?}", pool.stats());
        });
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
    assert_eq!(pool.stats().runs, 40);
}

/// A pool that counts the workers it starts.
pub(crate) fn counting(config: Config) -> (Pool, Arc<AtomicUsize>) {
    let started = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&started);
    let observer: Observer = Arc::new(move |event| {
        if event == Event::WorkerStarted {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    let pool = Pool::new(Config {
        observer: Some(observer),
        ..config
    });
    (pool, started)
}

async fn recycled() {
    let (pool, started) = counting(Config {
        runs: 3,
        ..config()
    });
    for _ in 0..9 {
        assert_eq!(text(run(&pool, "1").await), "1");
    }
    let started = started.load(Ordering::SeqCst);
    assert!(started >= 3, "{started}");
}

async fn alone() {
    let (pool, started) = counting(Config {
        isolation: Isolation::Process,
        ..config()
    });
    for _ in 0..3 {
        assert_eq!(text(run(&pool, "1").await), "1");
    }
    let started = started.load(Ordering::SeqCst);
    assert!(started >= 3, "{started}");
}

async fn idle() {
    let pool = Pool::new(Config {
        idle_time: Duration::from_millis(200),
        ..config()
    });
    text(run(&pool, "1").await);
    until("no workers", || pool.stats().workers == 0).await;
    assert_eq!(children(), [0; 0]);
    assert_eq!(text(run(&pool, "2").await), "2");
    until("no workers", || pool.stats().workers == 0).await;
}

async fn turns() {
    let pool = Pool::new(Config {
        queue: 8,
        ..config()
    });
    text(run(&pool, "1").await);
    let of = |caller, source: &str| Request {
        caller,
        ..code(source)
    };
    let ended = std::sync::Mutex::new(Vec::new());
    let one = |caller| {
        let (pool, ended) = (&pool, &ended);
        async move {
            let kind = pool.run(of(caller, "sum(range(100_000))")).await;
            let kind = kind.map(drop).map_err(|failure| failure.kind);
            ended.lock().unwrap().push((caller, kind));
        }
    };
    let flood = futures_util::future::join_all((0..20).map(|_| one(1)));
    let other = futures_util::future::join_all((0..2).map(|_| one(2)));
    tokio::join!(flood, other);
    let ended = ended.into_inner().unwrap();
    let served: Vec<_> = ended.iter().filter(|(_, kind)| kind.is_ok()).collect();
    // One ran and eight waited, two of which made room for the other caller's.
    assert_eq!(served.len(), 9, "{ended:?}");
    let turns: Vec<_> = served.iter().map(|(caller, _)| *caller).collect();
    assert_eq!(turns[..4], [1, 2, 1, 2], "{ended:?}");
    let refused = ended.iter().filter(|(_, kind)| *kind == Err(Kind::Busy));
    assert!(refused.into_iter().all(|(caller, _)| *caller == 1));
}

async fn reaped() {
    let pool = Pool::new(config());
    text(run(&pool, "1").await);
    until("a spare worker", || children().len() == 2).await;
    for child in children() {
        let pid = rustix::process::Pid::from_raw(child as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    // Without a run that would have looked at them.
    until("no children", || children().is_empty()).await;
    assert_eq!(pool.stats().workers, 0);
    assert_eq!(text(run(&pool, "2").await), "2");
}

async fn closed() {
    let pool = Pool::new(Config {
        workers: 2,
        ..config()
    });
    text(run(&pool, "1").await);
    let endless = || {
        let pool = pool.clone();
        tokio::spawn(async move { run(&pool, "while True:\n    pass").await })
    };
    let runs = [endless(), endless(), endless()];
    until("two runs and a spare worker", || children().len() == 3).await;
    pool.close().await;
    // None is left, be it as a zombie.
    assert_eq!(children(), [0; 0]);
    for run in runs {
        let failure = run.await.unwrap().unwrap_err();
        assert_eq!(failure.kind, Kind::Unavailable, "{failure}");
    }
    assert_eq!(run(&pool, "1").await.unwrap_err().kind, Kind::Unavailable);
    assert_eq!(children(), [0; 0]);
}

async fn killed() {
    let pool = Pool::new(config());
    text(run(&pool, "1").await);
    until("a spare worker", || children().len() == 2).await;
    for child in children() {
        let pid = rustix::process::Pid::from_raw(child as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    // The first of these may still find a worker that nobody knows to be dead.
    let _ = run(&pool, "1").await;
    assert_eq!(text(run(&pool, "2").await), "2");
}

async fn last_clone() {
    let pool = Pool::new(config());
    text(run(&pool, "1").await);
    assert!(!children().is_empty());
    let clone = pool.clone();
    drop(pool);
    assert_eq!(text(run(&clone, "1").await), "1");
    drop(clone);
    until("no children", || children().is_empty()).await;
}

async fn observer() {
    let events = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let pool = Pool::new(Config {
        observer: Some(Arc::new(move |event| seen.lock().unwrap().push(event))),
        ..config()
    });
    text(run(&pool, "1").await);
    let _ = pool.run(short(HANG)).await;
    let events = events.lock().unwrap();
    let has = |what: &dyn Fn(&Event) -> bool| events.iter().any(what);
    assert!(has(&|event| *event == Event::WorkerStarted));
    assert!(has(&|event| *event == Event::WorkerEnded));
    assert!(has(
        &|event| *event == Event::Killed(Some(Kind::Limit(Limit::Time)))
    ));
    assert!(has(&|event| matches!(
        event,
        Event::Finished { failure: None, .. }
    )));
    let stats = pool.stats();
    assert_eq!((stats.runs, stats.killed_for_time), (2, 1));
}
