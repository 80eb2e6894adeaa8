//! Traces for a collector of OpenTelemetry: OTLP over HTTP, in protobuf (the feature `otlp`).
//!
//! | file | what it holds |
//! | --- | --- |
//! | `collector` | [`Collector`]: how they are posted, which is up to the program |
//! | `export` | batches, attempts, and the end |
//! | `message` | the messages of OTLP, as far as they are needed |
//! | `queue` | requests that are finished, on their way to the collector |
//! | `span` | one of them as a span, with the attributes of the semantic conventions for MCP |
//!
//! A request becomes a [`Span`](crate::telemetry::Span) when it begins, so that its handler can pass that on
//! ([`Ctx::trace`](crate::Ctx::trace)), and is put into a bounded queue when it is finished. All else is done by a task
//! beside the requests: whatever a collector does, it costs spans, whose number is counted, and never a call.
//!
//! To add an attribute, add it to `span`. Arguments, results and tokens are in none.

mod collector;
mod export;
mod message;
mod queue;
mod span;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::metrics::{Metrics, readings};
use crate::telemetry::{Observer, Served};

use self::export::Exporter;
use self::queue::{Count, Queue};
use self::span::Finished;

pub use self::collector::{Collector, Undelivered};

/// Of whom traces tell, and how they are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracesConfig {
    /// `service.name` of OpenTelemetry: what the server is called among others.
    pub service: String,
    /// `service.version`; empty for none.
    pub version: String,
    /// Spans that wait for the collector; more are dropped and counted. Default 2,048, which take about 1 MiB.
    pub queue: usize,
    /// Spans of one message, at least 1. Default 512.
    pub batch: usize,
    /// Time for which a span waits for others, to be sent with them. Default 5 s.
    pub delay: Duration,
    /// Time that one attempt to send them may take. Default 10 s.
    pub timeout: Duration,
}

impl TracesConfig {
    /// The default bounds.
    pub fn new(service: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            version: version.into(),
            queue: 2048,
            batch: 512,
            delay: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
        }
    }
}

/// Sends a span for each request to a collector: hand it to [`ServerBuilder::traces`]. Cheap to clone; clones are the same.
///
/// A request whose caller does not record its trace (W3C Trace Context, the flag `sampled`) has none.
///
/// ```
/// use std::sync::Arc;
/// use bytes::Bytes;
/// use pymcp_kit::Server;
/// use pymcp_kit::otlp::{Collector, Traces, TracesConfig, Undelivered};
///
/// # type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// struct Https; // the HTTP client of the program
///
/// impl Collector for Https {
///     fn post(&self, _message: Bytes) -> BoxFuture<'_, Result<Bytes, Undelivered>> {
///         Box::pin(async { Err(Undelivered { why: "it is out of reach".into(), again: None }) })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let traces = Traces::start(TracesConfig::new("zebra", "1.0.0"), Arc::new(Https));
/// let server = Server::builder("zebra", "1.0.0").traces(&traces).build().unwrap();
/// # drop(server);
/// traces.close(std::time::Duration::from_secs(2)).await;
/// # }
/// ```
///
/// [`ServerBuilder::traces`]: crate::ServerBuilder::traces
#[derive(Clone)]
pub struct Traces(Arc<Inner>);

struct Inner {
    queue: Arc<Queue>,
    exporter: AbortHandle,
    ended: CancellationToken,
    /// The exporter must not outlive this; whoever wants to wait for it calls `close`.
    _stop: DropGuard,
}

impl Traces {
    /// Begins to send what is to come. In a Tokio runtime.
    pub fn start(config: TracesConfig, collector: Arc<dyn Collector>) -> Self {
        let queue = Arc::new(Queue::new(&config));
        let (stop, ended) = (queue.closing().clone(), CancellationToken::new());
        let exporter = Exporter::new(&config, Arc::clone(&queue), collector);
        let over = ended.clone().drop_guard();
        let exporter = tokio::spawn(async move {
            let _over = over;
            exporter.run().await;
        });
        Self(Arc::new(Inner {
            queue,
            exporter: exporter.abort_handle(),
            ended,
            _stop: stop.drop_guard(),
        }))
    }

    /// Sends what waits, one attempt for each batch, and ends; spans that come later are dropped. What is not sent within
    /// this time counts as failed.
    pub async fn close(&self, within: Duration) {
        let Inner {
            queue,
            exporter,
            ended,
            ..
        } = &*self.0;
        queue.close();
        if tokio::time::timeout(within, ended.cancelled())
            .await
            .is_err()
        {
            exporter.abort();
            ended.cancelled().await;
            queue.give_up();
        }
    }

    /// Spans that the collector has taken.
    pub fn exported(&self) -> u64 {
        self.0.queue.count(Count::Exported)
    }

    /// Spans that it has not and will not, for whatever reason.
    pub fn dropped(&self) -> u64 {
        [Count::QueueFull, Count::Rejected, Count::Failed]
            .map(|count| self.0.queue.count(count))
            .iter()
            .sum()
    }

    /// Has metrics say what became of the spans.
    pub(crate) fn measure(&self, metrics: &[Metrics]) {
        for metrics in metrics {
            for count in Count::ALL {
                let queue = Arc::clone(&self.0.queue);
                metrics.read(&readings::SPANS, count.as_str(), move || queue.count(count));
            }
        }
    }
}

impl Observer for Traces {
    fn records_spans(&self) -> bool {
        true
    }

    fn served(&self, served: &Served<'_>) {
        if let Some(finished) = Finished::of(served) {
            self.0.queue.push(finished);
        }
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces")
            .field("exported", &self.exported())
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}
