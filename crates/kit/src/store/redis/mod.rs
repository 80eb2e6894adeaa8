//! What outlives a request, shared by all replicas of a server on Redis or Valkey: the feature `redis`.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `address` | where the store is, with a password that nothing shows |
//! | `way`, `tls` | how a connection is made: TCP, TLS or a Unix socket, and whom it trusts |
//! | `link` | the connection to one node, its time limits, and what happens while it does not answer |
//! | `nodes` | the store: one node, or those of a cluster |
//! | `cluster`, `slots` | which node of a cluster has what, and what happens when that changes |
//! | `census` | which replicas are there |
//! | `report` | what the store says of itself, and whether it is fit |
//! | `keys` | what keys are called: prefix, principal, kind |
//! | `value` | values that two releases can share |
//! | `script` | what the store does as one step |
//! | `bus` | the second connection, on which replicas tell each other what must be known at once |
//! | `nonces`, `buckets`, `budgets`, `events` | used states, what is remembered, limits, responses that can be resumed; tasks are in `crate::tasks` |
//! | `log` | logs that every replica reads: sessions that were ended, tokens that were revoked |
//!
//! [`ServerBuilder::redis`](crate::ServerBuilder::redis) gives a server all of it. `docs/scaling.md` says what is shared,
//! what each kind of request costs, and what happens while the store is slow or gone.
//!
//! To share something else: a trait beside those of [`store`](crate::store) with a form in memory, its implementation in a
//! file here, its kind of key in `docs/scaling.md`, and a bound for what one caller can make it keep. All keys are made by
//! `Keys` and have a time to live; what must be one step is a script over keys of one principal; a log of events (Redis
//! Streams) is a kind of key like any other. What replicas have to be told at once is a variant of `store::bus::Said`.
//!
//! The store has to be trusted: results of tasks and what is remembered are in it as they are. No key, token or password of
//! the server is.

mod address;
mod buckets;
mod budgets;
mod bus;
mod census;
mod cluster;
mod counts;
mod events;
mod keys;
mod link;
mod log;
mod nodes;
mod nonces;
mod report;
mod script;
mod slots;
mod tls;
mod value;
mod way;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::build_error::BuildError;
use crate::metrics::Metrics;
use crate::store::Bus as _;

use self::bus::RedisBus;
use self::cluster::Cluster;
use self::link::Link;
use self::nodes::Nodes;
use self::way::Way;

pub use self::address::{BadAddress, RedisAddress};
pub use self::buckets::RedisBuckets;
pub(crate) use self::keys::{Keys, short};
pub use self::report::RedisReport;
pub(crate) use self::script::{CHANGE_TASK, CREATE_TASK};
pub(crate) use self::value::{AsRead, read, write};

/// The longest that a key lives: ten years.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Time for what the store says of itself.
const LOOK: Duration = Duration::from_secs(2);

/// Redis or Valkey, one or a cluster, shared by all replicas of a server. Cheap to clone; all clones use the same connections
/// and are the same replica.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use pymcp_kit::Server;
/// use pymcp_kit::store::redis::{Redis, RedisAddress};
///
/// let address: RedisAddress = "redis://localhost:6379".parse()?;
/// let redis = Redis::connect(address, "stock").await?;
/// let server = Server::builder("stock", "1.0.0").redis(&redis).build()?;
/// # drop(server);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Redis {
    pub(crate) nodes: Arc<Nodes>,
    pub(crate) bus: Arc<RedisBus>,
    address: Arc<RedisAddress>,
    report: Arc<RedisReport>,
}

impl Redis {
    /// Connects, and looks at what is there; a node of a cluster says what others there are. `prefix` is what all keys begin
    /// with (1 to 64 letters, digits, `.`, `_` and `-`): servers with different ones share a store without seeing each other,
    /// replicas need the same. Needs a tokio runtime, on which tasks keep the connections.
    ///
    /// # Errors
    /// The store cannot be reached or used, or the prefix is none; a sentence that has no password.
    pub async fn connect(address: RedisAddress, prefix: &str) -> Result<Self, BuildError> {
        let keys = Keys::new(prefix).ok_or_else(|| {
            BuildError(
                "The prefix of keys in the store must have 1 to 64 letters, digits, '.', '_' and '-'."
                    .into(),
            )
        })?;
        let address = Arc::new(address);
        let (nodes, report) = open(&address, keys)
            .await
            .map_err(|why| BuildError(format!("The store at {address} {why}.")))?;
        let nodes = Arc::new(nodes);
        let bus = RedisBus::new(Arc::clone(&nodes), Arc::clone(&address))
            .map_err(|error| BuildError(format!("The bus {}.", unreachable(&error))))?;
        Ok(Self {
            nodes,
            bus: Arc::new(bus),
            address: Arc::clone(&address),
            report: Arc::new(report),
        })
    }

    /// Where it is.
    pub fn address(&self) -> &RedisAddress {
        &self.address
    }

    /// What it was when the connection was opened.
    pub fn report(&self) -> &RedisReport {
        &self.report
    }

    /// Whether it answers at the moment; of a cluster, whether all of it does.
    pub fn is_reachable(&self) -> bool {
        self.nodes.is_up()
    }

    /// How many nodes answer at the moment, and how many there are: those of a cluster that have slots, otherwise one.
    pub fn nodes(&self) -> (usize, usize) {
        self.nodes.count()
    }

    /// Hosts and ports to which connections are made, as far as they are known at the start: those of the address, and of all
    /// nodes of a cluster, also of those that only follow others. None for a Unix socket.
    pub fn hosts(&self) -> BTreeSet<(String, u16)> {
        let own = self.address.host();
        let own = own.map(|(host, port)| (host.to_owned(), port));
        let nodes = self.report.places.iter();
        let nodes = nodes.filter(|node| !node.host.is_empty());
        let nodes = nodes.map(|node| (node.host.clone(), node.port));
        nodes.chain(own).collect()
    }

    /// Whether this replica hears the others at the moment, and they it. Only a server (or tasks) that uses the store listens.
    pub fn hears_replicas(&self) -> bool {
        self.bus.is_up()
    }

    /// Tries whether replicas can hear each other there: whether its user may subscribe and publish.
    ///
    /// # Errors
    /// Why not, a sentence.
    pub async fn check_bus(&self) -> Result<(), BuildError> {
        let tried = self.bus.try_out().await;
        tried.map_err(|error| BuildError(format!("Replicas do not hear each other: {error}.")))
    }

    /// Has metrics say whether it answers, how operations ended, and what became of messages to other replicas.
    pub(crate) fn measure(&self, metrics: &[Metrics]) {
        self.nodes.measure(metrics);
        self.bus.measure(metrics);
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Redis").field(&self.address).finish()
    }
}

/// Connects to what is at an address: one node, or all that have slots of the cluster that it is of. Or says why not, the end
/// of a sentence.
async fn open(address: &RedisAddress, keys: Keys) -> Result<(Nodes, RedisReport), String> {
    let unreachable = |error: RedisError| unreachable(&error);
    let way = Way::new(address).map_err(unreachable)?;
    let common = nodes::common(&keys).map_err(unreachable)?;
    let name = format!("the store at {address}");
    let link = Link::open(way.clone(), name, common.clone())
        .await
        .map_err(unreachable)?;
    let info = tokio::time::timeout(LOOK, link.info()).await;
    let info = info.map_err(|_| "does not answer in time")?;
    let mut report = RedisReport::new(&info.map_err(unreachable)?);
    if !report.cluster {
        report.unfit().map_or(Ok(()), Err)?;
        return Ok((Nodes::one(keys, common, link).await, report));
    }
    let layout = link.layout().await.map_err(|error| unasked(&error))?;
    if layout.nodes.is_empty() {
        let why = "is a node of a cluster that has no slots yet; make one with redis-cli --cluster create";
        return Err(why.to_owned());
    }
    let cluster = Cluster::open(way, &layout, common.clone()).await;
    report.of_cluster(&cluster, layout).await;
    report.unfit().map_or(Ok(()), Err)?;
    Ok((Nodes::cluster(keys, common, cluster), report))
}

fn unreachable(error: &RedisError) -> String {
    format!("cannot be used: {error}")
}

/// Why a node does not tell of its cluster.
fn unasked(error: &RedisError) -> String {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::NoPerm) => {
            "is a cluster, and its user may not ask for the nodes; give it +cluster|slots and +cluster|info".into()
        }
        _ => format!("is a cluster, and does not say what nodes it has: {error}"),
    }
}

/// A time to live as the store takes it: at least one millisecond, at most ten years.
pub(crate) fn millis(time: Duration) -> u64 {
    let millis = time.min(LONGEST).as_millis().max(1);
    u64::try_from(millis).unwrap_or(u64::MAX)
}
