//! What happened, in numbers: OpenMetrics for Prometheus and what reads its format.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `histogram` | durations in buckets, of atomics |
//! | `readings` | numbers that are kept anyway, and asked for when the metrics are read |
//! | `series` | one histogram for each set of labels, and how many sets there can be |
//! | `endpoint` | `GET /metrics` |
//!
//! Names, labels and buckets are those of OpenTelemetry's semantic conventions for MCP where these have any; all are in
//! `docs/observability.md`. To add a metric of the kit, add a field to `Numbers`, count it in its `Observer`, and add a
//! line to its `encode`. To add one of your own, register it: [`Metrics::register`].

mod endpoint;
mod histogram;
pub(crate) mod readings;
mod series;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::telemetry::{self, CacheUse, Lasting, Observer, Refused, Served};
use crate::wire::Code;

use self::histogram::Histogram;
use self::readings::Readings;
use self::series::Operations;

pub use endpoint::serve;
pub use histogram::BUCKETS;
pub use series::MAX_SERIES;

/// The crate of the types that [`Metrics::register`] takes.
pub use prometheus_client;

/// The reason of what needs other scopes; the door of HTTP has the same.
pub(crate) const SCOPES: &str = "scopes";

/// Reasons of refusals that are kept apart.
const MAX_REASONS: usize = 64;

/// The metrics of one server. Cheap to clone; all clones are the same.
///
/// ```
/// use pymcp_kit::Server;
/// use pymcp_kit::metrics::Metrics;
/// use pymcp_kit::metrics::prometheus_client::metrics::counter::Counter;
///
/// let metrics = Metrics::new();
/// let sold = Counter::<u64>::default();
/// metrics.register(|registry| registry.register("zebra_sold", "Zebras that were sold", sold.clone()));
/// let server = Server::builder("zebra", "1.0.0").metrics(&metrics).build().unwrap();
/// sold.inc();
/// assert!(metrics.text().contains("zebra_sold_total 1"));
/// # drop(server);
/// ```
#[derive(Clone)]
pub struct Metrics(Arc<Shared>);

struct Shared {
    registry: Mutex<Registry>,
    numbers: Arc<Numbers>,
}

/// What the kit counts.
#[derive(Default)]
struct Numbers {
    operations: Operations,
    /// By revision and `network.transport`, of which there are few.
    sessions: RwLock<BTreeMap<(&'static str, &'static str), Histogram>>,
    sessions_open: AtomicI64,
    connections_open: AtomicI64,
    readings: Readings,
    /// Says what the server exposes.
    manifest: OnceLock<Manifest>,
    cache_hits: AtomicU64,
    cache_misses: AtomicU64,
    refusals: RwLock<BTreeMap<&'static str, AtomicU64>>,
}

/// The digest of the manifest, as text.
type Manifest = Box<dyn Fn() -> String + Send + Sync>;

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics of a server that is still to be built: hand them to [`ServerBuilder::metrics`].
    ///
    /// [`ServerBuilder::metrics`]: crate::ServerBuilder::metrics
    pub fn new() -> Self {
        let numbers = Arc::new(Numbers::default());
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Arc::clone(&numbers)));
        Self(Arc::new(Shared {
            registry: Mutex::new(registry),
            numbers,
        }))
    }

    /// Adds metrics beside those of the kit. To be called at start, once for each: two of the same name are one too many
    /// for whoever reads them. The values of labels must be from a small fixed set, and never a caller's.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self
            .0
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner));
    }

    /// Says where the digest of the manifest is to be had; of two the first one counts.
    pub(crate) fn manifest(&self, digest: impl Fn() -> String + Send + Sync + 'static) {
        let _ = self.0.numbers.manifest.set(Box::new(digest));
    }

    /// All of them at this moment, as OpenMetrics text (`application/openmetrics-text; version=1.0.0; charset=utf-8`).
    pub fn text(&self) -> String {
        let mut out = String::new();
        let registry = self
            .0
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // A `String` takes everything.
        let _ = text::encode(&mut out, &registry);
        out
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl fmt::Debug for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Numbers")
    }
}

impl Observer for Metrics {
    fn served(&self, served: &Served<'_>) {
        let numbers = &self.0.numbers;
        numbers.operations.served(served);
        let _ = match served.cache {
            Some(CacheUse::Hit) => numbers.cache_hits.fetch_add(1, Ordering::Relaxed),
            Some(CacheUse::Miss) => numbers.cache_misses.fetch_add(1, Ordering::Relaxed),
            None => 0,
        };
        // Its caller was let in, and may not use this.
        if served.code == Some(Code::FORBIDDEN.0) {
            numbers.refuse(SCOPES);
        }
    }

    fn refused(&self, refused: &Refused<'_>) {
        self.0.numbers.refuse(refused.reason);
    }

    fn opened(&self, what: Lasting) {
        self.0.numbers.open(what).fetch_add(1, Ordering::Relaxed);
    }
    fn closed(&self, what: Lasting, after: Duration) {
        let numbers = &self.0.numbers;
        numbers.open(what).fetch_sub(1, Ordering::Relaxed);
        if let Lasting::Session {
            revision,
            transport,
        } = what
        {
            let mut sessions = numbers
                .sessions
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            let key = (revision, transport.network());
            sessions.entry(key).or_default().observe(after);
        }
    }
}

impl Numbers {
    /// Counts a refusal. There is a lock, which is taken for reading and never waited at but when a reason is new.
    fn refuse(&self, reason: &'static str) {
        let refusals = &self.refusals;
        let full = {
            let known = refusals.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = known.get(reason) {
                count.fetch_add(1, Ordering::Relaxed);
                return;
            }
            known.len() >= MAX_REASONS
        };
        let reason = if full { "other" } else { reason };
        let mut known = refusals.write().unwrap_or_else(PoisonError::into_inner);
        *known.entry(reason).or_default().get_mut() += 1;
    }

    fn open(&self, what: Lasting) -> &AtomicI64 {
        match what {
            Lasting::Session { .. } => &self.sessions_open,
            Lasting::Connection => &self.connections_open,
        }
    }
}

fn gauge(mut encoder: MetricEncoder<'_>, value: i64) -> fmt::Result {
    encoder.encode_gauge(&value)
}

fn info(mut encoder: MetricEncoder<'_>, labels: &[(&str, String)]) -> fmt::Result {
    encoder.encode_info(&labels)
}

fn counter(mut encoder: MetricEncoder<'_>, value: u64) -> fmt::Result {
    encoder.encode_counter::<NoLabelSet, u64, f64>(&value, None)
}

impl Collector for Numbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let unit = Unit::Seconds;
        let seconds = Some(&unit);
        let operations = encoder.encode_descriptor(
            "mcp_server_operation_duration",
            "Time from a request to its answer",
            seconds,
            MetricType::Histogram,
        )?;
        self.operations.encode(operations)?;

        let mut sessions = encoder.encode_descriptor(
            "mcp_server_session_duration",
            "Time from initialize to the end of the session",
            seconds,
            MetricType::Histogram,
        )?;
        let ended = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        for ((revision, transport), histogram) in &*ended {
            let labels = [
                ("mcp_protocol_version", *revision),
                ("network_transport", *transport),
            ];
            histogram.encode(sessions.encode_family(&labels)?)?;
        }

        for (name, help, value) in [
            (
                "mcp_server_sessions",
                "Sessions that are open: legacy ones over HTTP, and clients on stdio",
                self.sessions_open.load(Ordering::Relaxed),
            ),
            (
                "mcp_server_connections",
                "TCP connections that are open",
                self.connections_open.load(Ordering::Relaxed),
            ),
        ] {
            gauge(
                encoder.encode_descriptor(name, help, None, MetricType::Gauge)?,
                value,
            )?;
        }

        let mut lookups = encoder.encode_descriptor(
            "mcp_server_cache_lookups",
            "Requests that the response cache could have answered, and whether it did",
            None,
            MetricType::Counter,
        )?;
        for (result, count) in [("hit", &self.cache_hits), ("miss", &self.cache_misses)] {
            let labels = [("result", result)];
            counter(
                lookups.encode_family(&labels)?,
                count.load(Ordering::Relaxed),
            )?;
        }

        let manifest = encoder.encode_descriptor(
            "mcp_server_manifest",
            "The digest of what the server exposes",
            None,
            MetricType::Info,
        )?;
        if let Some(digest) = self.manifest.get() {
            let labels = [("digest", digest())];
            info(manifest, &labels)?;
        }

        self.readings.encode(&mut encoder)?;

        let mut refusals = encoder.encode_descriptor(
            "mcp_server_refusals",
            "Messages that were refused before they were requests, and requests without the scopes that they need",
            None,
            MetricType::Counter,
        )?;
        let reasons = self.refusals.read().unwrap_or_else(PoisonError::into_inner);
        for (reason, count) in &*reasons {
            let labels = [("reason", *reason)];
            counter(
                refusals.encode_family(&labels)?,
                count.load(Ordering::Relaxed),
            )?;
        }

        let lost = encoder.encode_descriptor(
            "mcp_server_log_lines_lost",
            "Lines of the log that stderr did not take",
            None,
            MetricType::Counter,
        )?;
        counter(lost, telemetry::lines_lost())
    }
}

#[cfg(test)]
mod tests;
