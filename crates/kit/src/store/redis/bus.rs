//! What replicas tell each other at once, by PUBLISH and SUBSCRIBE, on a connection of its own.
//!
//! It speaks RESP3, so one connection hears, tells and shows that it lives. A channel for all replicas of a server and one for
//! each replica. What arrives is handed on where it is read, so nothing waits here: a replica that is too slow is cut off by
//! the store (`client-output-buffer-limit pubsub`), which is a loss of the connection like any other.
//!
//! Nobody waits for the store: what is published waits in a bounded queue, and is dropped when there is no room or no
//! connection. After each connection, and after each drop, whoever listens is told that something may have been missed.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, ErrorKind, ProtocolVersion, PushInfo, PushKind, RedisError, Value,
};
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::metrics::Metrics;
use crate::metrics::readings::{BUS_MESSAGES, BUS_UP};
use crate::store::bus::Said;
use crate::store::{Bus, BusListener};

use super::address::RedisAddress;
use super::link::{ALIVE, CONNECT, PROBE, pause, silent};
use super::nodes::Nodes;
use super::way::Way;

/// Bytes of a message: more than an answer of the largest that a client may send.
const MAX_MESSAGE: usize = 2 << 20;

/// Messages that may wait to be published.
const WAITING: usize = 1024;

/// Bytes that may.
const WAITING_BYTES: usize = 8 << 20;

/// Messages that are published in one round trip.
const TOGETHER: usize = 64;

/// Time until the next attempt where the user may not subscribe.
const FORBIDDEN: Duration = Duration::from_secs(10);

/// Time for which a node of a cluster is kept to where others meet elsewhere: that one may just have refused to be heard.
const STAYS: Duration = Duration::from_secs(5);

type Outgoing = (Option<u32>, Bytes);

/// The bus of one process. Opened by the first who listens.
pub(crate) struct RedisBus {
    shared: Arc<Shared>,
    runtime: Handle,
    keeper: OnceLock<AbortHandle>,
    /// What the keeper takes.
    incoming: Mutex<Option<mpsc::Receiver<Outgoing>>>,
}

struct Shared {
    nodes: Arc<Nodes>,
    address: Arc<RedisAddress>,
    channel: String,
    replica: u32,
    queue: mpsc::Sender<Outgoing>,
    /// Bytes in the queue.
    waiting: AtomicUsize,
    up: AtomicBool,
    /// Something was dropped that others were to hear.
    dropped: AtomicBool,
    listeners: Mutex<Vec<Weak<dyn BusListener>>>,
    counts: Counts,
}

/// A connection that listens.
struct Open {
    connection: MultiplexedConnection,
    /// Rings when it is no more.
    lost: Arc<Notify>,
    /// Where it leads.
    way: Way,
}

/// Messages by what became of them.
#[derive(Default)]
struct Counts {
    published: AtomicU64,
    dropped: AtomicU64,
    heard: AtomicU64,
    missed: AtomicU64,
}

impl Drop for RedisBus {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.abort();
        }
    }
}

impl RedisBus {
    /// A bus that nobody listens to yet, which costs nothing. Needs a tokio runtime.
    ///
    /// # Errors
    /// There is no randomness.
    pub(super) fn new(nodes: Arc<Nodes>, address: Arc<RedisAddress>) -> Result<Self, RedisError> {
        let mut random = [0; 4];
        getrandom::fill(&mut random)
            .map_err(|_| RedisError::from((ErrorKind::Client, "there is no randomness")))?;
        let (queue, incoming) = mpsc::channel(WAITING);
        let shared = Shared {
            channel: nodes.keys().shared("bus"),
            nodes,
            address,
            replica: (u32::from_ne_bytes(random) >> 1).max(1),
            queue,
            waiting: AtomicUsize::new(0),
            up: AtomicBool::new(false),
            dropped: AtomicBool::new(false),
            listeners: Mutex::default(),
            counts: Counts::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            runtime: Handle::current(),
            keeper: OnceLock::new(),
            incoming: Mutex::new(Some(incoming)),
        })
    }

    /// The channel of all replicas.
    pub(crate) fn channel(&self) -> &str {
        &self.shared.channel
    }

    /// Tries whether the user may listen and speak, on a connection for that alone.
    ///
    /// # Errors
    /// What the store, or the way to it, said.
    pub(super) async fn try_out(&self) -> Result<(), RedisError> {
        let Open { mut connection, .. } = self.shared.open(0).await?;
        let mut publish = ::redis::cmd("PUBLISH");
        // To this replica alone, and nothing.
        publish
            .arg(self.shared.channel_of(Some(self.shared.replica)))
            .arg("");
        let published = timeout(ALIVE, publish.query_async::<Value>(&mut connection)).await;
        published.unwrap_or_else(|_| silent()).map(drop)
    }

    /// Has metrics say whether it is up, and what became of messages.
    pub(super) fn measure(&self, metrics: &[Metrics]) {
        type Count = fn(&Counts) -> &AtomicU64;
        for metrics in metrics {
            let shared = Arc::clone(&self.shared);
            metrics.read(&BUS_UP, "", move || {
                u64::from(shared.up.load(Ordering::Relaxed))
            });
            let counts: [(&str, Count); 4] = [
                ("published", |counts| &counts.published),
                ("dropped", |counts| &counts.dropped),
                ("heard", |counts| &counts.heard),
                ("missed", |counts| &counts.missed),
            ];
            for (result, count) in counts {
                let shared = Arc::clone(&self.shared);
                metrics.read(&BUS_MESSAGES, result, move || {
                    count(&shared.counts).load(Ordering::Relaxed)
                });
            }
        }
    }
}

impl Bus for RedisBus {
    fn replica(&self) -> u32 {
        self.shared.replica
    }

    fn is_up(&self) -> bool {
        self.shared.up.load(Ordering::Relaxed)
    }

    fn publish(&self, to: Option<u32>, message: Bytes) {
        let shared = &self.shared;
        let bytes = message.len();
        let before = shared.waiting.fetch_add(bytes, Ordering::Relaxed);
        let fits = bytes <= MAX_MESSAGE && before + bytes <= WAITING_BYTES;
        if !fits || !self.is_up() || shared.queue.try_send((to, message)).is_err() {
            shared.waiting.fetch_sub(bytes, Ordering::Relaxed);
            shared.drop_one(to);
        }
    }

    fn attach(&self, listener: Weak<dyn BusListener>) {
        self.shared.listeners().push(listener);
        self.keeper.get_or_init(|| {
            let incoming = self.incoming.lock();
            let incoming = incoming.unwrap_or_else(PoisonError::into_inner).take();
            let shared = Arc::clone(&self.shared);
            let keeping = async move {
                if let Some(incoming) = incoming {
                    tokio::join!(keep(Arc::clone(&shared), incoming), tell_who_left(shared));
                }
            };
            self.runtime.spawn(keeping).abort_handle()
        });
    }
}

impl Shared {
    fn listeners(&self) -> std::sync::MutexGuard<'_, Vec<Weak<dyn BusListener>>> {
        // Nothing that is done under this lock can panic half-way.
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn each(&self, tell: impl Fn(&dyn BusListener)) {
        let there: Vec<_> = {
            let mut listeners = self.listeners();
            listeners.retain(|listener| listener.strong_count() > 0);
            listeners.iter().filter_map(Weak::upgrade).collect()
        };
        there.iter().for_each(|listener| tell(&**listener));
    }

    /// Takes note of a message that is not carried. What was for one replica is of use to nobody else.
    fn drop_one(&self, to: Option<u32>) {
        self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        if to.is_none() {
            self.dropped.store(true, Ordering::Relaxed);
        }
    }

    fn missed(&self) {
        self.counts.missed.fetch_add(1, Ordering::Relaxed);
        self.each(|listener| listener.missed());
    }

    /// One that listens already. In a cluster each attempt is made at another node.
    async fn open(self: &Arc<Self>, attempts: u32) -> Result<Open, RedisError> {
        let lost = Arc::new(Notify::new());
        let (shared, ring) = (Arc::clone(self), Arc::clone(&lost));
        let heard = move |push: PushInfo| {
            match push.kind {
                PushKind::Message => shared.hear(&push.data),
                PushKind::Disconnection => ring.notify_one(),
                _ => {}
            }
            Ok::<(), ()>(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(None)
            .set_push_sender(heard);
        let opening = async {
            let way = self.nodes.way_to_hear(&self.channel, attempts);
            let speaking = way.clone().speaking(ProtocolVersion::RESP3);
            let mut connection = speaking.connect(&config).await?;
            let own = self.channel_of(Some(self.replica));
            connection.subscribe(&[&self.channel, &own]).await?;
            Ok(Open {
                connection,
                lost,
                way,
            })
        };
        timeout(CONNECT, opening).await.unwrap_or_else(|_| silent())
    }

    fn channel_of(&self, replica: Option<u32>) -> String {
        match replica {
            None => self.channel.clone(),
            Some(replica) => format!("{}:{replica:08x}", self.channel),
        }
    }

    /// A message: the channel, and what was published there.
    fn hear(&self, data: &[Value]) {
        let message = match data {
            [_, Value::BulkString(message)] if message.len() <= MAX_MESSAGE => message,
            _ => {
                self.counts.dropped.fetch_add(1, Ordering::Relaxed);
                return;
            }
        };
        self.counts.heard.fetch_add(1, Ordering::Relaxed);
        match Said::read(message) {
            Some((from, Said::Missed)) if from != self.replica => self.missed(),
            _ => self.each(|listener| listener.hear(message)),
        }
    }

    /// Publishes what there is to publish and sees that the connection lives, until it does not, or others meet elsewhere.
    async fn carry(
        &self,
        Open {
            mut connection,
            lost,
            way,
        }: Open,
        incoming: &mut mpsc::Receiver<Outgoing>,
    ) -> RedisError {
        let (connection, began) = (&mut connection, Instant::now());
        let mut messages = Vec::with_capacity(TOGETHER);
        loop {
            if began.elapsed() > STAYS && self.nodes.meet_elsewhere(&self.channel, &way) {
                return RedisError::from((ErrorKind::Io, "they meet at another node"));
            }
            let carried = if self.dropped.swap(false, Ordering::Relaxed) {
                messages.push((None, Said::Missed.write(self.replica)));
                self.send(connection, &mut messages).await
            } else {
                tokio::select! {
                    () = lost.notified() => {
                        Err(RedisError::from((ErrorKind::Io, "the connection was lost")))
                    }
                    _ = incoming.recv_many(&mut messages, TOGETHER) => {
                        self.took(&messages);
                        self.send(connection, &mut messages).await
                    }
                    () = sleep(PROBE) => {
                        let command = ::redis::cmd("TIME");
                        let asked = timeout(ALIVE, command.query_async::<Value>(connection)).await;
                        asked.unwrap_or_else(|_| silent()).map(drop)
                    }
                }
            };
            if let Err(error) = carried {
                return error;
            }
        }
    }

    /// These do not wait any more.
    fn took(&self, messages: &[Outgoing]) {
        let bytes = messages.iter().map(|(_, message)| message.len()).sum();
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }

    async fn send(
        &self,
        connection: &mut MultiplexedConnection,
        messages: &mut Vec<Outgoing>,
    ) -> Result<(), RedisError> {
        let mut publish = ::redis::pipe();
        for (to, message) in messages.iter() {
            publish
                .cmd("PUBLISH")
                .arg(self.channel_of(*to))
                .arg(&message[..])
                .ignore();
        }
        let sent = timeout(ALIVE, publish.query_async::<()>(connection)).await;
        let sent = sent.unwrap_or_else(|_| silent());
        let count = messages.len() as u64;
        match &sent {
            Ok(()) => {
                self.counts.published.fetch_add(count, Ordering::Relaxed);
                messages.clear();
            }
            Err(_) => messages.drain(..).for_each(|(to, _)| self.drop_one(to)),
        }
        sent
    }
}

/// Keeps the connection, and opens another when it is lost.
async fn keep(shared: Arc<Shared>, mut incoming: mpsc::Receiver<Outgoing>) {
    let mut attempts = 0;
    let mut gone: Option<Instant> = None;
    loop {
        let error = match shared.open(attempts).await {
            Ok(open) => {
                attempts = 0;
                shared.up.store(true, Ordering::Relaxed);
                if let Some(since) = gone.take() {
                    let after = since.elapsed().as_secs_f32();
                    tracing::info!("replicas hear each other again after {after:.1} s");
                }
                shared.missed();
                let error = shared.carry(open, &mut incoming).await;
                shared.up.store(false, Ordering::Relaxed);
                while let Ok(message) = incoming.try_recv() {
                    shared.took(std::slice::from_ref(&message));
                    shared.drop_one(message.0);
                }
                error
            }
            Err(error) => {
                attempts += 1;
                error
            }
        };
        if gone.is_none() {
            gone = Some(Instant::now());
            tracing::warn!(
                %error,
                "replicas do not hear each other: the store at {} cannot be subscribed to",
                shared.address
            );
        }
        let forbidden = error.code() == Some("NOPERM");
        sleep(match forbidden {
            true => FORBIDDEN,
            false => pause(attempts),
        })
        .await;
    }
}

/// Tells of replicas that are gone for good.
async fn tell_who_left(shared: Arc<Shared>) {
    loop {
        shared.nodes.left().await;
        shared.each(|listener| listener.left());
    }
}

#[cfg(test)]
#[path = "bus_tests.rs"]
mod tests;
