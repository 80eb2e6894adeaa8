//! The connection to the store: one, kept by a task, with a time limit on all that goes over it.
//!
//! While it does not answer, every operation is refused at once: nobody waits for what is not there. What the store gets too
//! late does nothing: each script is told until when it counts, by the store's own clock, so that what was refused here is
//! not done there a moment later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, Script,
    ScriptInvocation,
};
use arc_swap::ArcSwapOption;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::metrics::Metrics;
use crate::metrics::readings::{STORE_OPERATIONS, STORE_UP};
use crate::store::StoreError;

use super::address::RedisAddress;
use super::keys::Keys;
use super::script;
use super::way::Way;

/// Time that an operation may take.
pub(crate) const OPERATION: Duration = Duration::from_millis(250);

/// Time within which the store has to begin with it; the rest is for its answer.
const COUNTS: Duration = Duration::from_millis(200);

/// Time for a new connection: TCP, TLS, and the password.
pub(super) const CONNECT: Duration = Duration::from_secs(2);

/// Time for the answer by which a connection shows that it lives.
pub(super) const ALIVE: Duration = Duration::from_secs(1);

/// How often it has to show it.
pub(super) const PROBE: Duration = Duration::from_secs(1);

/// The longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The first.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// Operations that wait for their place on the connection.
const WAITING: usize = 1024;

/// Time in which a replica that says nothing counts as gone.
const REPLICA: Duration = Duration::from_secs(10);

/// Least time between two lines of the log about what the store refuses.
const QUIET: Duration = Duration::from_secs(10);

/// The connection of one process, for everything that is asked and answered. What waits for messages (subscriptions) takes
/// one of its own.
pub(crate) struct Link {
    shared: Arc<Shared>,
    keeper: AbortHandle,
}

struct Shared {
    way: Way,
    address: RedisAddress,
    keys: Keys,
    /// What tells this process from others in the list of replicas.
    process: String,
    /// What time is counted from here.
    anchor: Instant,
    /// The connection, while it answers.
    live: ArcSwapOption<Live>,
    /// Rings when an operation found that it does not.
    lost: Notify,
    /// Whether it is one to a store that takes no writes any more: another is at the address by now, or will be.
    demoted: AtomicBool,
    replicas: AtomicU32,
    counts: Counts,
    /// When the log last said what the store refuses, in milliseconds since the anchor, plus one.
    said: AtomicU64,
}

struct Live {
    connection: MultiplexedConnection,
    /// Microseconds that its clock is ahead of ours, at least.
    ahead: i64,
}

/// Operations by how they ended.
#[derive(Default)]
struct Counts {
    done: AtomicU64,
    full: AtomicU64,
    refused: AtomicU64,
    late: AtomicU64,
    away: AtomicU64,
}

/// One of them.
type Count = fn(&Counts) -> &AtomicU64;

impl Drop for Link {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Link {
    /// Opens the connection, and keeps it from then on. Needs a tokio runtime.
    ///
    /// # Errors
    /// What the store, or the way to it, said to the first attempt.
    pub(super) async fn open(
        way: Way,
        address: RedisAddress,
        keys: Keys,
    ) -> Result<Self, RedisError> {
        let mut process = [0; 16];
        getrandom::fill(&mut process)
            .map_err(|_| RedisError::from((ErrorKind::Client, "there is no randomness")))?;
        let shared = Arc::new(Shared {
            way,
            address,
            keys,
            process: format!("{:032x}", u128::from_ne_bytes(process)),
            anchor: Instant::now(),
            live: ArcSwapOption::empty(),
            lost: Notify::new(),
            demoted: AtomicBool::new(false),
            replicas: AtomicU32::new(1),
            counts: Counts::default(),
            said: AtomicU64::new(0),
        });
        let mut connection = shared.connect().await?;
        let ahead = shared.probe(&mut connection).await?;
        shared.up(&connection, ahead);
        shared.count_replicas(connection.clone(), 1).await;
        let keeper = tokio::spawn(keep(Arc::clone(&shared), connection)).abort_handle();
        Ok(Self { shared, keeper })
    }

    /// What the keys are called.
    pub(crate) fn keys(&self) -> &Keys {
        &self.shared.keys
    }

    /// Whether it answers.
    pub(crate) fn is_up(&self) -> bool {
        self.shared.live.load().is_some()
    }

    /// Replicas that share the store, this one among them, as far as it is known.
    pub(crate) fn replicas(&self) -> u32 {
        self.shared.replicas.load(Ordering::Relaxed)
    }

    /// Milliseconds since 1970 by the clock of the store. `None` while it does not answer.
    pub(crate) fn now(&self) -> Option<u64> {
        let ahead = self.shared.live.load().as_ref()?.ahead;
        let micros = self.shared.micros().saturating_add(ahead);
        u64::try_from(micros / 1000).ok()
    }

    /// Runs a script, which does nothing when it comes too late. `prepare` adds its keys and arguments.
    pub(crate) async fn script<T: FromRedisValue>(
        &self,
        script: &Script,
        prepare: impl FnOnce(&mut ScriptInvocation<'_>),
    ) -> Result<T, StoreError> {
        let run = async |live: &Live| {
            let until = self.shared.micros() + micros(COUNTS) + live.ahead;
            let mut call = script.prepare_invoke();
            call.arg(until);
            prepare(&mut call);
            call.invoke_async(&mut live.connection.clone()).await
        };
        self.within(run).await
    }

    /// Runs a command that changes nothing.
    pub(crate) async fn read<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        self.within(async |live: &Live| command.query_async(&mut live.connection.clone()).await)
            .await
    }

    /// Runs commands that change nothing, in one round trip.
    pub(crate) async fn read_all<T: FromRedisValue>(
        &self,
        commands: &Pipeline,
    ) -> Result<T, StoreError> {
        self.within(async |live: &Live| commands.query_async(&mut live.connection.clone()).await)
            .await
    }

    async fn within<T>(
        &self,
        run: impl AsyncFnOnce(&Live) -> Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        let counts = &self.shared.counts;
        let Some(live) = self.shared.live.load_full() else {
            counts.away.fetch_add(1, Ordering::Relaxed);
            return Err(StoreError::Unavailable);
        };
        let (count, error) = match timeout(OPERATION, run(&live)).await {
            Ok(Ok(done)) => {
                counts.done.fetch_add(1, Ordering::Relaxed);
                return Ok(done);
            }
            Ok(Err(error)) if is_full(&error) => (&counts.full, StoreError::Full),
            Ok(Err(error)) if script::is_late(&error) => {
                self.shared.lost.notify_one();
                (&counts.late, StoreError::Unavailable)
            }
            Ok(Err(error)) if is_lost(&error) => {
                self.shared.lose(&live);
                (&counts.away, StoreError::Unavailable)
            }
            Ok(Err(error)) => {
                self.shared.say(&error);
                if is_demoted(&error) {
                    self.shared.demoted.store(true, Ordering::Relaxed);
                    self.shared.lose(&live);
                }
                (&counts.refused, StoreError::Unavailable)
            }
            Err(_) => {
                self.shared.lose(&live);
                (&counts.late, StoreError::Unavailable)
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
        Err(error)
    }

    /// What the store says of itself, at whatever length.
    pub(super) async fn info(&self) -> Result<String, RedisError> {
        let live = self.shared.live.load_full();
        let live = live.ok_or_else(|| RedisError::from((ErrorKind::Io, "it does not answer")))?;
        let command = ::redis::cmd("INFO");
        command.query_async(&mut live.connection.clone()).await
    }

    /// Has metrics say whether it answers, and how operations ended.
    pub(crate) fn measure(&self, metrics: &[Metrics]) {
        for metrics in metrics {
            let shared = Arc::clone(&self.shared);
            metrics.read(&STORE_UP, "", move || {
                u64::from(shared.live.load().is_some())
            });
            let counts: [(&str, Count); 5] = [
                ("done", |counts| &counts.done),
                ("full", |counts| &counts.full),
                ("refused", |counts| &counts.refused),
                ("late", |counts| &counts.late),
                ("away", |counts| &counts.away),
            ];
            for (result, count) in counts {
                let shared = Arc::clone(&self.shared);
                metrics.read(&STORE_OPERATIONS, result, move || {
                    count(&shared.counts).load(Ordering::Relaxed)
                });
            }
        }
    }
}

impl Shared {
    /// Microseconds since the anchor.
    fn micros(&self) -> i64 {
        micros(self.anchor.elapsed())
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            // Each operation has its own.
            .set_response_timeout(None)
            .set_pipeline_buffer_size(WAITING);
        timeout(CONNECT, self.way.connect(&config))
            .await
            .unwrap_or_else(|_| silent())
    }

    /// Asks for the time: shows that the connection lives, and how far the clocks are apart, at least.
    async fn probe(&self, connection: &mut MultiplexedConnection) -> Result<i64, RedisError> {
        let command = ::redis::cmd("TIME");
        let asked = timeout(ALIVE, command.query_async(connection)).await;
        let (seconds, more): (i64, i64) = asked.unwrap_or_else(|_| silent())?;
        Ok(seconds * 1_000_000 + more - self.micros())
    }

    /// Says that this replica is there, and counts the others: so many at `least`. What fails changes nothing.
    async fn count_replicas(&self, mut connection: MultiplexedConnection, least: u32) {
        let mut call = script::REPLICAS.prepare_invoke();
        let until = i64::MAX >> 10;
        call.key(self.keys.shared("replicas"))
            .arg(until)
            .arg(&self.process)
            .arg(micros(REPLICA));
        let counted = timeout(ALIVE, call.invoke_async::<u32>(&mut connection)).await;
        if let Ok(Ok(replicas)) = counted {
            self.replicas.store(replicas.max(least), Ordering::Relaxed);
        }
    }

    fn up(&self, connection: &MultiplexedConnection, ahead: i64) {
        self.live.store(Some(Arc::new(Live {
            connection: connection.clone(),
            ahead,
        })));
    }

    /// It does not answer, unless another one does by now.
    fn lose(&self, live: &Arc<Live>) {
        self.live.compare_and_swap(live, None);
        self.lost.notify_one();
    }

    /// Logs what the store refuses, now and then.
    fn say(&self, error: &RedisError) {
        let now = u64::try_from(self.anchor.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1;
        let said = self.said.load(Ordering::Relaxed);
        let quiet = u64::try_from(QUIET.as_millis()).unwrap_or(u64::MAX);
        if said != 0 && now.saturating_sub(said) < quiet {
            return;
        }
        let first = self
            .said
            .compare_exchange(said, now, Ordering::Relaxed, Ordering::Relaxed);
        if first.is_ok() {
            tracing::warn!(%error, "the store at {} refused an operation", self.address);
        }
    }
}

/// Keeps the connection: has it show that it lives, and opens another when it does not.
async fn keep(shared: Arc<Shared>, first: MultiplexedConnection) {
    let mut connection = Some(first);
    let mut gone: Option<Instant> = None;
    let mut attempts = 0;
    let mut probes = 0_u32;
    loop {
        let pause = match gone {
            None => PROBE,
            Some(_) => pause(attempts),
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shared.lost.notified(), if gone.is_none() => {}
        }
        if shared.demoted.swap(false, Ordering::Relaxed) && gone.is_none() {
            shared.live.store(None);
            connection = None;
            gone = Some(Instant::now());
            // Whatever takes its place takes a moment.
            attempts = 4;
            continue;
        }
        let found = match connection.as_mut() {
            Some(connection) => shared.probe(connection).await,
            None => match shared.connect().await {
                Ok(mut opened) => {
                    let found = shared.probe(&mut opened).await;
                    connection = Some(opened);
                    found
                }
                Err(error) => Err(error),
            },
        };
        match (found, &connection) {
            (Ok(ahead), Some(connection)) => {
                shared.up(connection, ahead);
                attempts = 0;
                let mut least = 1;
                if let Some(since) = gone.take() {
                    let after = since.elapsed().as_secs_f32();
                    tracing::info!("the store at {} is back after {after:.1} s", shared.address);
                    // It may have forgotten all of them, and others may not be back yet.
                    least = shared.replicas.load(Ordering::Relaxed);
                    probes = 0;
                }
                if probes.is_multiple_of(4) {
                    shared.count_replicas(connection.clone(), least).await;
                }
                probes = probes.wrapping_add(1);
            }
            (Err(error), _) => {
                shared.live.store(None);
                connection = None;
                attempts += 1;
                if gone.is_none() {
                    gone = Some(Instant::now());
                    tracing::warn!(%error, "the store at {} cannot be reached", shared.address);
                }
            }
            (Ok(_), None) => {}
        }
    }
}

/// Time until the next attempt: twice as long each time, within a bound, and no two replicas' alike.
pub(super) fn pause(attempts: u32) -> Duration {
    let longest = SHORTEST_PAUSE
        .saturating_mul(1 << attempts.min(8))
        .min(LONGEST_PAUSE);
    let mut random = [0; 4];
    // Without randomness all wait for the longest time.
    let part = match getrandom::fill(&mut random) {
        Ok(()) => f64::from(u32::from_ne_bytes(random)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    };
    longest / 2 + (longest / 2).mul_f64(part)
}

pub(super) fn silent<T>() -> Result<T, RedisError> {
    Err(RedisError::from((
        ErrorKind::Io,
        "it does not answer in time",
    )))
}

/// The connection is no more, or nobody knows what it would say next.
fn is_lost(error: &RedisError) -> bool {
    error.is_io_error() || error.is_connection_dropped() || error.is_timeout()
}

/// There is no memory for it.
fn is_full(error: &RedisError) -> bool {
    is(error, "OOM")
}

/// The store follows another one, and takes no writes.
fn is_demoted(error: &RedisError) -> bool {
    is(error, "READONLY")
}

/// Older versions have the code of what a script was refused in the text of its error.
fn is(error: &RedisError, code: &str) -> bool {
    error.code() == Some(code) || error.detail().is_some_and(|detail| detail.contains(code))
}

pub(super) fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX >> 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_within_a_second_and_differ() {
        for attempts in 0..40 {
            let one = pause(attempts);
            assert!(one <= LONGEST_PAUSE && one >= SHORTEST_PAUSE / 2, "{one:?}");
        }
        let all: std::collections::BTreeSet<_> = (0..32).map(|_| pause(9)).collect();
        assert!(all.len() > 16, "{all:?}");
    }
}
