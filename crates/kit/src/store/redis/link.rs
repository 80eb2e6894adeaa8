//! The connection to one node of the store: one, kept by a task, with a time limit on all that goes over it.
//!
//! While it does not answer, every operation is refused at once: nobody waits for what is not there. What the store gets too
//! late does nothing: each script is told until when it counts, by the store's own clock, so that what was refused here is
//! not done there a moment later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, Script,
    ScriptInvocation, ServerErrorKind, Value,
};
use arc_swap::ArcSwapOption;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::store::StoreError;

use super::census::Census;
use super::counts::Counts;
use super::script;
use super::slots::{Layout, Place};
use super::way::Way;

/// Time that an operation may take.
pub(super) const OPERATION: Duration = Duration::from_millis(250);

/// The part of it that is for the answer: within the rest the store has to begin.
const ANSWER: Duration = Duration::from_millis(50);

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

/// Least time between two lines of the log about what the store refuses.
const QUIET: Duration = Duration::from_secs(10);

/// The connection of one process, for everything that is asked and answered. What waits for messages (subscriptions) takes
/// one of its own.
pub(super) struct Link {
    shared: Arc<Shared>,
    keeper: AbortHandle,
}

/// What the connections of one process have in common.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) census: Arc<Census>,
    pub(super) counts: Arc<Counts>,
}

struct Shared {
    way: Way,
    /// What the log calls it.
    name: String,
    common: Common,
    /// What time is counted from here.
    anchor: Instant,
    /// The connection, while it answers.
    live: ArcSwapOption<Live>,
    /// Rings when an operation found that it does not.
    lost: Notify,
    /// Whether it is one to a store that takes no writes any more: another is at the address by now, or will be.
    demoted: AtomicBool,
    /// Whether the list of replicas is there.
    lists: AtomicBool,
    /// When the log last said what the store refuses, in milliseconds since the anchor, plus one.
    said: AtomicU64,
}

struct Live {
    connection: MultiplexedConnection,
    /// Microseconds that its clock is ahead of ours, at least.
    ahead: i64,
}

/// What the store is asked for.
pub(super) enum Operation<'a> {
    /// A script, which does nothing when it comes too late, and what adds its keys and arguments.
    Script(&'a Script, &'a (dyn Fn(&mut ScriptInvocation<'_>) + Sync)),
    /// A command that changes nothing.
    Read(&'a Cmd),
    /// Several, in one round trip.
    ReadAll(&'a Pipeline),
}

/// Why it was not done.
pub(super) enum Failed {
    /// As everybody is told it.
    Of(StoreError),
    /// Another node of a cluster has this slot, and where that is if it was said. This is in no count yet.
    Moved(Option<Place>),
}

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
    pub(super) async fn open(way: Way, name: String, common: Common) -> Result<Self, RedisError> {
        let shared = Shared::new(way, name, common);
        let mut connection = shared.connect().await?;
        let ahead = shared.probe(&mut connection).await?;
        shared.up(&connection, ahead);
        let keeper = tokio::spawn(keep(Arc::clone(&shared), Some(connection))).abort_handle();
        Ok(Self { shared, keeper })
    }

    /// One whose connection is not there yet.
    pub(super) fn away(way: Way, name: String, common: Common) -> Self {
        let shared = Shared::new(way, name, common);
        let keeper = tokio::spawn(keep(Arc::clone(&shared), None)).abort_handle();
        Self { shared, keeper }
    }

    /// Whether it answers.
    pub(super) fn is_up(&self) -> bool {
        self.shared.live.load().is_some()
    }

    /// How it is reached.
    pub(super) fn way(&self) -> &Way {
        &self.shared.way
    }

    /// Milliseconds since 1970 by the clock of the store. `None` while it does not answer.
    pub(super) fn now(&self) -> Option<u64> {
        let ahead = self.shared.live.load().as_ref()?.ahead;
        let micros = self.shared.micros().saturating_add(ahead);
        u64::try_from(micros / 1000).ok()
    }

    /// From here on this is where the list of replicas is, or is not.
    pub(super) async fn lists_replicas(&self, lists: bool) {
        let before = self.shared.lists.swap(lists, Ordering::Relaxed);
        if let Some(live) = self.shared.live.load_full().filter(|_| lists && !before) {
            let census = &self.shared.common.census;
            census
                .count(live.connection.clone(), census.replicas())
                .await;
        }
    }

    /// Does it, within this time.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        operation: &Operation<'_>,
        time: Duration,
    ) -> Result<T, Failed> {
        let counts = &self.shared.common.counts;
        let Some(live) = self.shared.live.load_full() else {
            counts.away.fetch_add(1, Ordering::Relaxed);
            return Err(Failed::Of(StoreError::Unavailable));
        };
        let asked = timeout(time, self.ask(&live, operation, time)).await;
        let (count, error) = match asked {
            Ok(Ok(done)) => {
                counts.done.fetch_add(1, Ordering::Relaxed);
                return Ok(done);
            }
            Ok(Err(error)) if error.kind() == MOVED => {
                return Err(Failed::Moved(self.shared.moved_to(error)));
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
            // What had less time says little of the connection.
            Err(_) if time < OPERATION => {
                self.shared.lost.notify_one();
                (&counts.late, StoreError::Unavailable)
            }
            Err(_) => {
                self.shared.lose(&live);
                (&counts.late, StoreError::Unavailable)
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
        Err(Failed::Of(error))
    }

    async fn ask<T: FromRedisValue>(
        &self,
        live: &Live,
        operation: &Operation<'_>,
        time: Duration,
    ) -> Result<T, RedisError> {
        let mut connection = live.connection.clone();
        match operation {
            Operation::Script(script, prepare) => {
                let begins = micros(time.saturating_sub(ANSWER));
                let until = self.shared.micros() + begins + live.ahead;
                let mut call = script.prepare_invoke();
                call.arg(until);
                prepare(&mut call);
                call.invoke_async(&mut connection).await
            }
            Operation::Read(command) => command.query_async(&mut connection).await,
            Operation::ReadAll(commands) => commands.query_async(&mut connection).await,
        }
    }

    /// What the store says of itself, at whatever length.
    pub(super) async fn info(&self) -> Result<String, RedisError> {
        let command = ::redis::cmd("INFO");
        command.query_async(&mut self.connection()?).await
    }

    /// What it says of its cluster.
    pub(super) async fn layout(&self) -> Result<Layout, RedisError> {
        let mut asked = ::redis::pipe();
        asked.cmd("CLUSTER").arg("SLOTS");
        asked.cmd("CLUSTER").arg("INFO");
        let mut connection = self.connection()?;
        let answered = timeout(ALIVE, asked.query_async::<(Value, String)>(&mut connection)).await;
        let (slots, info) = answered.unwrap_or_else(|_| silent())?;
        Ok(Layout::new(&slots, &info, self.shared.way.host()))
    }

    fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let live = self.shared.live.load_full();
        let live = live.ok_or_else(|| RedisError::from((ErrorKind::Io, "it does not answer")))?;
        Ok(live.connection.clone())
    }
}

impl Shared {
    fn new(way: Way, name: String, common: Common) -> Arc<Self> {
        Arc::new(Self {
            way,
            name,
            common,
            anchor: Instant::now(),
            live: ArcSwapOption::empty(),
            lost: Notify::new(),
            demoted: AtomicBool::new(false),
            lists: AtomicBool::new(false),
            said: AtomicU64::new(0),
        })
    }

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

    /// Where the error `MOVED` leads; of several in one round trip the first.
    fn moved_to(&self, error: RedisError) -> Option<Place> {
        let errors = error.into_server_errors()?;
        let (_, first) = errors.first()?;
        let place = first.details()?.split_ascii_whitespace().nth(1)?;
        Place::read(place, self.way.host())
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
            tracing::warn!(%error, "{} refused an operation", self.name);
        }
    }
}

/// Keeps the connection: has it show that it lives, and opens another when it does not.
async fn keep(shared: Arc<Shared>, first: Option<MultiplexedConnection>) {
    let mut connection = first;
    let mut gone = connection.is_none().then(Instant::now);
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
                    tracing::info!("{} is back after {after:.1} s", shared.name);
                    // It may have forgotten all of them, and others may not be back yet.
                    least = shared.common.census.replicas();
                    if shared.lists.load(Ordering::Relaxed) {
                        shared.common.census.broken();
                    }
                    probes = 0;
                }
                if probes.is_multiple_of(4) && shared.lists.load(Ordering::Relaxed) {
                    let census = &shared.common.census;
                    census.count(connection.clone(), least).await;
                }
                probes = probes.wrapping_add(1);
            }
            (Err(error), _) => {
                shared.live.store(None);
                connection = None;
                attempts += 1;
                if gone.is_none() {
                    gone = Some(Instant::now());
                    tracing::warn!(%error, "{} cannot be reached", shared.name);
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

/// What a node of a cluster says of what is at another one.
const MOVED: ErrorKind = ErrorKind::Server(ServerErrorKind::Moved);

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
