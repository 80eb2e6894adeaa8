//! Workers, kept ready and given out for one run each.
//!
//! At most [`Config::workers`] runs at once; others wait in a queue that has an end, where callers take
//! turns. The first run starts the first worker; from then on one more than is busy is kept ready, so
//! that a run finds a worker that waits for it. Where there is a zygote (see there), a worker is a fork
//! of it; the first run starts the zygote, and one that died is replaced.
//!
//! Everything a run holds is held by its future: dropping that kills the worker.
//!
//! Processes are waited for by tasks. Before their runtime ends, [`Pool::close`] sees to it that none
//! is left.

mod config;
mod conversation;
mod process;
mod queue;
mod running;
#[cfg(all(test, unix))]
mod tests;
#[cfg(target_os = "linux")]
mod zygote;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::watch;

pub use config::{Config, Event, Isolation, OUTCOMES, Observer, Program, Sandbox, Stats};

use self::config::Counters;
use self::process::{Alive, Worker};
use self::queue::{Place, Queue, Refused};
use self::running::Running;
#[cfg(target_os = "linux")]
use self::zygote::{Failed, Zygote};
use crate::confine::Layers;
use crate::limits::{Limits, size};
use crate::run::{Failure, Kind, Limit, Outcome, Request};

/// The most workers of one pool.
const MAX_WORKERS: usize = 64;

/// How long a closed pool waits for its workers to be gone, which were all killed.
const CLOSING: Duration = Duration::from_secs(5);

/// A pool of workers. Cheap to clone; the workers end with the last clone.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    config: Config,
    queue: Queue,
    idle: Mutex<Vec<Worker>>,
    /// Workers, from before they are started until they have been waited for.
    alive: Arc<watch::Sender<usize>>,
    #[cfg(target_os = "linux")]
    zygote: tokio::sync::Mutex<Option<Arc<Zygote>>>,
    /// Zygotes, as workers.
    zygotes: Arc<watch::Sender<usize>>,
    /// Whether this machine can't have a zygote.
    #[cfg(target_os = "linux")]
    without_zygote: AtomicBool,
    /// Whether all workers have to end, and no new ones come.
    closed: watch::Sender<bool>,
    /// Whether a worker is being started in the background.
    starting: Arc<AtomicBool>,
    counters: Counters,
    /// Whether the log has said what the operating system lacks.
    reported: AtomicBool,
    /// Whether somebody looks after idle workers.
    tended: Arc<AtomicBool>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// A pool without workers; they come with the first run.
    pub fn new(config: Config) -> Self {
        let workers = config.workers.clamp(1, MAX_WORKERS);
        let idle_time = config.idle_time.max(Duration::from_millis(1));
        Self(Arc::new(Shared {
            queue: Queue::new(workers, config.queue),
            config: Config {
                workers,
                idle_time,
                ..config
            },
            idle: Mutex::default(),
            alive: Arc::default(),
            #[cfg(target_os = "linux")]
            zygote: tokio::sync::Mutex::default(),
            zygotes: Arc::default(),
            #[cfg(target_os = "linux")]
            without_zygote: AtomicBool::new(false),
            closed: watch::Sender::new(false),
            starting: Arc::default(),
            counters: Counters::default(),
            reported: AtomicBool::new(false),
            tended: Arc::default(),
        }))
    }

    /// Runs some code. Dropping the future ends the run and its worker.
    ///
    /// # Errors
    /// When there is no value to return: [`Failure::kind`] says why.
    pub async fn run(&self, request: Request) -> Result<Outcome, Failure> {
        let mut times = Times::default();
        let result = self.0.run(request, &mut times).await;
        self.0.observe(Event::Finished {
            failure: result.as_ref().err().map(|failure| failure.kind),
            queued: times.queued,
            duration: times.duration(),
        });
        result
    }

    /// Starts a worker, if there is none, and tells how it is confined: for servers that want to
    /// know before they serve.
    ///
    /// # Errors
    /// When no worker can be started, or it lacks a layer that [`Sandbox::Require`] demands.
    pub async fn probe(&self) -> Result<Layers, Failure> {
        let worker = self.0.worker().await?;
        let layers = worker.layers;
        self.0.put_back(worker);
        Ok(layers)
    }

    /// Ends all workers, whatever they run, and waits until nothing is left of them, for 5 s at most.
    /// From now on every run is refused. To be called before the runtime ends: only then is a process
    /// waited for that is not, and in a container whose first process does not, it stays for ever.
    pub async fn close(&self) {
        let pool = &self.0;
        pool.queue.close();
        pool.closed.send_replace(true);
        let idle = std::mem::take(&mut *pool.idle());
        drop(idle);
        let gone = async {
            for count in [&pool.alive, &pool.zygotes] {
                let _ = count.subscribe().wait_for(|count| *count == 0).await;
            }
        };
        if tokio::time::timeout(CLOSING, gone).await.is_err() {
            tracing::warn!("a Python worker that was killed is still there");
        }
    }

    /// What happened so far.
    pub fn stats(&self) -> Stats {
        self.0.counters.read(*self.0.alive.borrow())
    }
}

/// [`conversation::Link::converse`], over any streams.
#[cfg(feature = "fuzzing")]
pub(crate) async fn converse(
    from: &[u8],
    to: impl tokio::io::AsyncWrite + Unpin,
    request: Request,
    limits: Limits,
    printed: &mut [crate::run::Printed; 2],
) -> io::Result<crate::wire::Done> {
    let mut link = conversation::Link::new(from, to);
    link.converse(request, limits, 0, printed).await
}

#[derive(Default)]
struct Times {
    queued: Duration,
    started: Option<Instant>,
}

impl Times {
    fn duration(&self) -> Duration {
        self.started
            .map_or(Duration::ZERO, |started| started.elapsed())
    }
}

impl Shared {
    async fn run(
        self: &Arc<Self>,
        request: Request,
        times: &mut Times,
    ) -> Result<Outcome, Failure> {
        let limits = request.limits.clamped();
        check_size(&request, limits)?;
        let arrived = Instant::now();
        let place = self.wait(request.caller).await;
        let worker = match place {
            // Time to start a worker is time in the queue: the code is not running yet.
            Ok(_) => self.worker().await,
            Err(failure) => Err(failure),
        };
        times.queued = arrived.elapsed();
        let worker = worker?;
        times.started = Some(Instant::now());
        self.keep_ready();

        let mut run = Running {
            pool: self,
            worker: Some(worker),
            limits,
            printed: Default::default(),
        };
        let done = run.converse(request).await;
        let [stdout, stderr] = std::mem::take(&mut run.printed);
        match done.and_then(|done| run.finish(done)) {
            Ok(value) => Ok(Outcome {
                value,
                stdout,
                stderr,
                queued: times.queued,
                duration: times.duration(),
            }),
            Err(failure) => Err(Failure {
                stdout,
                stderr,
                ..failure
            }),
        }
    }

    /// A place to run, as soon as it is this caller's turn.
    async fn wait(&self, caller: u64) -> Result<Place, Failure> {
        let Config {
            queue, queue_time, ..
        } = &self.config;
        let refused = match self.queue.place(caller, *queue_time).await {
            Ok(place) => return Ok(place),
            Err(Refused::Closed) => return Err(closed()),
            Err(refused) => refused,
        };
        let why = match refused {
            Refused::Displaced => "others wait who had fewer runs in the queue".to_owned(),
            Refused::Late => format!("none was free within {} s", queue_time.as_secs_f64()),
            _ => format!("{queue} runs are waiting already"),
        };
        let message = format!("All Python workers are busy and {why}; try again in a while.");
        Err(Failure::new(Kind::Busy, message))
    }

    /// A worker that is ready: one that is, or a new one.
    async fn worker(self: &Arc<Self>) -> Result<Worker, Failure> {
        loop {
            let ready = self.idle().pop();
            let Some(mut worker) = ready else {
                return self.start().await;
            };
            // One that died while nobody looked is found out here, not in the middle of a run.
            if worker.is_fit() {
                return Ok(worker);
            }
            drop(worker);
        }
    }

    async fn start(self: &Arc<Self>) -> Result<Worker, Failure> {
        let alive = Alive::new(&self.alive);
        // After it was counted: who closes the pool waits for it, or it sees that it is closed.
        if *self.closed.borrow() {
            return Err(closed());
        }
        let worker = self.process(alive).await.map_err(|error| {
            if *self.closed.borrow() {
                return closed();
            }
            tracing::error!(%error, "a Python worker did not start");
            Failure::new(
                Kind::Unavailable,
                "Python is not available: its worker process cannot be started; the server's log says why.",
            )
        })?;
        self.tend();
        let missing = worker.layers.missing();
        if missing.is_empty() {
            return Ok(worker);
        }
        let missing = missing.join(", ");
        if self.config.sandbox == Sandbox::Require {
            return Err(Failure::new(
                Kind::Unavailable,
                format!(
                    "Python is not available: this machine cannot confine it fully (missing: {missing})."
                ),
            ));
        }
        if !self.reported.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                missing,
                "Python workers are not fully confined on this machine"
            );
        }
        Ok(worker)
    }

    /// A process, by the way that there is on this machine and that is asked for.
    #[cfg(target_os = "linux")]
    async fn process(&self, alive: Alive) -> io::Result<Worker> {
        let Some(zygote) = self.zygote().await? else {
            return Worker::start(&self.config, alive, self.closed.subscribe()).await;
        };
        match Worker::fork(&self.config, &zygote, alive).await {
            Err(_) if zygote.is_gone() => {}
            forked => return forked,
        }
        // Nobody knew that it was gone.
        let alive = Alive::new(&self.alive);
        match self.zygote().await? {
            Some(zygote) => Worker::fork(&self.config, &zygote, alive).await,
            None => Worker::start(&self.config, alive, self.closed.subscribe()).await,
        }
    }

    #[cfg(not(target_os = "linux"))]
    async fn process(&self, alive: Alive) -> io::Result<Worker> {
        Worker::start(&self.config, alive, self.closed.subscribe()).await
    }

    /// The zygote, which is started when there is none that lives; `None` where workers are started
    /// without.
    #[cfg(target_os = "linux")]
    async fn zygote(&self) -> io::Result<Option<Arc<Zygote>>> {
        let alone = self.config.isolation == Isolation::Process;
        if alone || self.without_zygote.load(Ordering::Relaxed) {
            return Ok(None);
        }
        // Locked while one starts, so that it is one for all who wait.
        let mut kept = self.zygote.lock().await;
        if let Some(zygote) = kept.as_ref().filter(|zygote| !zygote.is_gone()) {
            return Ok(Some(Arc::clone(zygote)));
        }
        let alive = Alive::new(&self.zygotes);
        match Zygote::start(&self.config, alive, self.closed.subscribe()).await {
            Ok(zygote) => Ok(Some(Arc::clone(kept.insert(zygote)))),
            Err(Failed::Broken(error)) => Err(error),
            Err(Failed::Unable(why)) => {
                tracing::warn!(
                    why,
                    "each Python run starts a process of its own: the one that others are forked from cannot be on this machine"
                );
                self.without_zygote.store(true, Ordering::Relaxed);
                Ok(None)
            }
        }
    }

    /// Lets go of a zygote that nobody uses.
    #[cfg(target_os = "linux")]
    fn end_idle_zygote(&self) {
        if let Ok(mut zygote) = self.zygote.try_lock() {
            zygote.take_if(|zygote| Arc::strong_count(zygote) == 1);
        }
    }

    /// Starts a worker in the background when none is idle, so that the next run finds one.
    fn keep_ready(self: &Arc<Self>) {
        let Some(starting) = Flag::raise(&self.starting) else {
            return;
        };
        if !self.idle().is_empty() {
            return;
        }
        let most = self.config.workers + 1;
        let (pool, mut alive) = (Arc::downgrade(self), self.alive.subscribe());
        tokio::spawn(async move {
            let _starting = starting;
            // One that was killed counts until it has been waited for.
            let room = alive.wait_for(|count| *count < most).await.is_ok();
            let Some(pool) = Weak::upgrade(&pool).filter(|pool| room && pool.idle().is_empty())
            else {
                return;
            };
            // Why it failed is in the log; the next run that needs it gets the error.
            if let Ok(worker) = pool.start().await {
                pool.put_back(worker);
            }
        });
    }

    /// Keeps a worker for the next run, unless there are enough. It has served none yet.
    fn put_back(&self, mut worker: Worker) {
        worker.idle_since = Instant::now();
        let mut idle = self.idle();
        // Looked at with the list locked, which is emptied after the pool was closed.
        if idle.len() <= self.config.workers && !*self.closed.borrow() {
            idle.push(worker);
        }
    }

    /// Ends workers that were not needed for long, from the first one on.
    fn tend(self: &Arc<Self>) {
        let Some(tended) = Flag::raise(&self.tended) else {
            return;
        };
        let (pool, idle_time) = (Arc::downgrade(self), self.config.idle_time);
        tokio::spawn(async move {
            let _tended = tended;
            loop {
                tokio::time::sleep(idle_time / 2).await;
                let Some(pool) = Weak::upgrade(&pool) else {
                    return;
                };
                let expired: Vec<Worker> = pool
                    .idle()
                    .extract_if(.., |worker| worker.idle_since.elapsed() >= idle_time)
                    .collect();
                let unused = expired.is_empty();
                drop(expired);
                #[cfg(target_os = "linux")]
                if unused {
                    pool.end_idle_zygote();
                }
            }
        });
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn observe(&self, event: Event) {
        self.counters.count(event);
        if let Some(observer) = &self.config.observer {
            observer(event);
        }
    }
}

/// Something that only one may do at a time; lowered when it is dropped.
struct Flag(Arc<AtomicBool>);

impl Flag {
    fn raise(flag: &Arc<AtomicBool>) -> Option<Self> {
        let raised = flag.swap(true, Ordering::Relaxed);
        (!raised).then(|| Self(Arc::clone(flag)))
    }
}

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

fn closed() -> Failure {
    Failure::new(
        Kind::Unavailable,
        "Python is not available: the server is shutting down.",
    )
}

/// What is refused before it costs anything.
fn check_size(request: &Request, limits: Limits) -> Result<(), Failure> {
    let inputs = request
        .inputs
        .as_deref()
        .map_or(0, |inputs| inputs.get().len());
    let stubs = request.stubs.as_deref().map_or(0, str::len);
    for (limit, what, bytes, most) in [
        (Limit::Source, "The code", request.code.len(), limits.source),
        (Limit::Source, "The type definitions", stubs, limits.source),
        (Limit::Inputs, "The inputs", inputs, limits.inputs),
    ] {
        if bytes > most {
            return Err(Failure::new(
                Kind::Limit(limit),
                format!(
                    "{what}: {bytes} bytes, but at most {} are allowed.",
                    size(most)
                ),
            ));
        }
    }
    Ok(())
}
