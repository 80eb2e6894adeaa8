//! Deadlines, queues, and what is left of processes.
#![allow(clippy::print_stdout)] // how a server tells of its processes

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use pymcp_python::{
    Config, Event, HostFunctions, Isolation, Kind, Limit, OUTCOMES, Observer, Pool, Request,
};
use tokio::sync::Notify;

use crate::confinement::{children, descendants};
use crate::host::Nothing;
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
        trial("process_isolation_has_no_zygote", alone),
        trial("a_zygote_stays_as_it_is", flat),
        trial("a_zygote_that_dies_takes_its_workers_along", orphaned),
        trial("a_server_that_is_killed_leaves_no_process", left_behind),
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
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        // Processes end in their own time, and say so to nobody.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until so many workers were started in all, one of which is left: the spare one.
async fn one_spare_worker(pool: &Pool, started: &AtomicUsize, in_all: usize) {
    until("one spare worker", || {
        started.load(Ordering::SeqCst) == in_all && pool.stats().workers == 1
    })
    .await;
}

/// A pool that has served a run and has a worker for the next, the second that it started.
async fn ready() -> (Pool, Arc<AtomicUsize>) {
    let (pool, started) = counting(config());
    text(run(&pool, "1").await);
    one_spare_worker(&pool, &started, 2).await;
    (pool, started)
}

/// Code that does not end by itself, and tells when it has begun.
fn endless_code() -> (Request, Arc<Notify>) {
    let begun = Arc::new(Notify::new());
    let signal = Arc::clone(&begun);
    let host = HostFunctions::new().function("begun", move |_: Nothing| {
        signal.notify_one();
        async { Ok(()) }
    });
    let request = Request {
        host: Arc::new(host.unwrap()),
        ..code("begun()\nwhile True:\n    pass")
    };
    (request, begun)
}

/// Waits until code that does not end has begun on the worker of [`ready`], and the next one is there.
async fn one_running_and_a_spare(pool: &Pool, started: &AtomicUsize, begun: &Notify) {
    begun.notified().await;
    until("a run and a spare worker", || {
        started.load(Ordering::SeqCst) == 3 && pool.stats().workers == 2
    })
    .await;
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
    let stats = pool.stats();
    let counted = OUTCOMES.into_iter().zip(stats.outcomes);
    let counted: Vec<_> = counted.filter(|(_, count)| *count > 0).collect();
    assert_eq!(counted, [("ok", 4), ("limit", 3)]);
    assert_eq!(stats.runs, 7);
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
    let (request, begun) = endless_code();
    tokio::select! {
        ended = pool.run(request) => panic!("{ended:?}"),
        () = begun.notified() => {}
    }
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
            // Two that run, a spare one, and those that have answered and not ended yet.
            assert!(pool.stats().workers <= 7, "{:?}", pool.stats());
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
    for child in children() {
        assert!(!is_zygote(child));
    }
}

fn is_zygote(pid: u32) -> bool {
    let arguments = std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
    arguments.is_ok_and(|arguments| arguments.trim_end_matches('\0').ends_with("\0zygote"))
}

/// The zygote of the only pool.
fn zygote() -> u32 {
    let zygotes: Vec<_> = children()
        .into_iter()
        .filter(|pid| is_zygote(*pid))
        .collect();
    assert_eq!(zygotes.len(), 1, "{zygotes:?}");
    zygotes[0]
}

/// KiB that a process has in memory.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let size = line.unwrap().trim().trim_end_matches(" kB");
    size.parse().unwrap()
}

async fn flat() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let pool = Pool::new(Config {
        workers: 2,
        ..config()
    });
    let runs = |count| {
        let pool = &pool;
        async move {
            for _ in 0..count / 2 {
                let (one, two) = tokio::join!(run(pool, "1"), run(pool, "2"));
                assert_eq!((text(one), text(two)), ("1".into(), "2".into()));
            }
        }
    };
    runs(100).await;
    let (zygote, before) = (zygote(), resident(zygote()));
    runs(2_000).await;
    assert_eq!(zygote, self::zygote(), "it is another one");
    let after = resident(zygote);
    assert!(after < before + 256, "from {before} to {after} KiB");
    let tasks = std::fs::read_dir(format!("/proc/{zygote}/task")).unwrap();
    assert_eq!(tasks.count(), 1);
    let descriptors = || std::fs::read_dir(format!("/proc/{zygote}/fd")).map(Iterator::count);
    // Standard ones, and one for each worker: the spare one, and what has just ended.
    until("few descriptors", || {
        descriptors().is_ok_and(|count| count <= 5)
    })
    .await;
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// Whether nothing is left of a process but, where nobody waits for orphans, its name.
fn is_gone(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
    status.map_or(true, |status| status.contains("State:\tZ"))
}

async fn orphaned() {
    if !cfg!(target_os = "linux") {
        return;
    }
    // Whoever adopts orphans waits for them.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    let (pool, started) = ready().await;
    let (request, begun) = endless_code();
    let endless = {
        let pool = pool.clone();
        tokio::spawn(async move { pool.run(request).await })
    };
    one_running_and_a_spare(&pool, &started, &begun).await;
    kill(zygote());
    let failure = endless.await.unwrap().unwrap_err();
    assert_eq!(failure.kind, Kind::Crashed, "{failure}");
    until("no process", || descendants().is_empty()).await;
    rustix::process::set_child_subreaper(None).unwrap();
    assert_eq!(text(run(&pool, "2").await), "2");
}

/// A server with a run that does not end: names its processes, and waits for its death.
pub(crate) fn serve_until_killed() -> std::process::ExitCode {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (pool, started) = ready().await;
        let (request, begun) = endless_code();
        let endless = pool.run(request);
        let names = async {
            one_running_and_a_spare(&pool, &started, &begun).await;
            println!("{:?}", descendants());
            std::future::pending::<()>().await;
        };
        let _ = tokio::join!(endless, names);
    });
    std::process::ExitCode::SUCCESS
}

async fn left_behind() {
    use std::io::BufRead as _;
    if !cfg!(target_os = "linux") {
        return;
    }
    let mut server = std::process::Command::new("/proc/self/exe")
        .arg("server")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut said = std::io::BufReader::new(server.stdout.take().unwrap());
    said.read_line(&mut line).unwrap();
    let pids: Vec<u32> = serde_json::from_str(&line).unwrap();
    assert_eq!(pids.len(), 3);
    kill(server.id());
    server.wait().unwrap();
    until("no process", || pids.iter().all(|pid| is_gone(*pid))).await;
}

async fn idle() {
    let pool = Pool::new(Config {
        idle_time: Duration::from_millis(200),
        ..config()
    });
    text(run(&pool, "1").await);
    until("no workers", || pool.stats().workers == 0).await;
    until("no zygote", || children().is_empty()).await;
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
    let (pool, started) = ready().await;
    let spare = *descendants().last().unwrap();
    kill(spare);
    // Without a run that would have looked at it.
    until("no worker", || pool.stats().workers == 0).await;
    assert!(!descendants().contains(&spare));
    assert_eq!(text(run(&pool, "2").await), "2");
    one_spare_worker(&pool, &started, 4).await;
    children().into_iter().for_each(kill);
    until("no children", || children().is_empty()).await;
    until("no worker", || pool.stats().workers == 0).await;
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
    let processes = 3 + usize::from(cfg!(target_os = "linux"));
    until("two runs and a spare worker", || {
        descendants().len() == processes
    })
    .await;
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
    for which in [0, 1] {
        let (pool, _) = ready().await;
        kill(descendants()[which.min(descendants().len() - 1)]);
        // The first of these may still find a worker that nobody knows to be dead.
        let _ = run(&pool, "1").await;
        assert_eq!(text(run(&pool, "2").await), "2");
        pool.close().await;
    }
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
