//! Batches, attempts, and the end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use tokio::time::{sleep, timeout};

use super::message::{Export, Exported, KeyValue, Resource, ResourceSpans, Scope, ScopeSpans};
use super::queue::{Count, Queue};
use super::span::Finished;
use super::{Collector, TracesConfig, Undelivered};

/// Times before further attempts to send a message, where the collector does not say. What comes meanwhile waits in the
/// queue.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// The longest time that a collector can have us wait for.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Takes from the queue what is due, and sends it.
pub(super) struct Exporter {
    queue: Arc<Queue>,
    collector: Arc<dyn Collector>,
    resource: Resource,
    delay: Duration,
    timeout: Duration,
    /// Whether the last message was not taken: that is logged once.
    failing: bool,
}

impl Exporter {
    pub(super) fn new(
        config: &TracesConfig,
        queue: Arc<Queue>,
        collector: Arc<dyn Collector>,
    ) -> Self {
        let named = [
            ("service.name", &config.service),
            ("service.version", &config.version),
        ];
        let named = named.into_iter().filter(|(_, value)| !value.is_empty());
        Self {
            queue,
            collector,
            resource: Resource {
                attributes: named
                    .map(|(key, value)| KeyValue::new(key, value))
                    .collect(),
            },
            delay: config.delay,
            timeout: config.timeout,
            failing: false,
        }
    }

    /// Works until the queue is closed and empty.
    pub(super) async fn run(mut self) {
        while self.queue.due(self.delay).await {
            let spans = self.queue.take();
            // Counted as failed when this is dropped half-way, with its runtime.
            let unsent = Unsent(&self.queue, spans.len() as u64);
            let delivered = self.deliver(self.message(spans)).await;
            let sent = unsent.settle();
            match &delivered {
                Ok(rejected) => {
                    let rejected = (*rejected).min(sent);
                    self.queue.add(Count::Rejected, rejected);
                    self.queue.add(Count::Exported, sent - rejected);
                }
                Err(_) => self.queue.add(Count::Failed, sent),
            }
            self.tell(delivered.err());
        }
    }

    fn message(&self, spans: Vec<Finished>) -> Bytes {
        let export = Export {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans {
                    scope: Some(Scope {
                        name: env!("CARGO_PKG_NAME").to_owned(),
                        version: env!("CARGO_PKG_VERSION").to_owned(),
                    }),
                    spans: spans.into_iter().map(Finished::into_message).collect(),
                }],
            }],
        };
        export.encode_to_vec().into()
    }

    /// Sends a message, several times if need be and there is time; says how many of its spans were rejected.
    async fn deliver(&self, message: Bytes) -> Result<u64, Undelivered> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let undelivered = match self.attempt(message.clone()).await {
                Ok(response) => return Ok(rejected(&response)),
                Err(undelivered) => undelivered,
            };
            let (Some(least), Some(pause)) = (undelivered.again, pauses.next()) else {
                return Err(undelivered);
            };
            tokio::select! {
                () = sleep(pause.max(least).min(MAX_PAUSE)) => {}
                () = self.queue.closing().cancelled() => return Err(undelivered),
            }
        }
    }

    async fn attempt(&self, message: Bytes) -> Result<Bytes, Undelivered> {
        let late = || Undelivered {
            why: format!("it took longer than {} s", self.timeout.as_secs_f64()),
            again: Some(Duration::ZERO),
        };
        let posted = timeout(self.timeout, self.collector.post(message)).await;
        posted.unwrap_or_else(|_| Err(late()))
    }

    fn tell(&mut self, undelivered: Option<Undelivered>) {
        match undelivered {
            Some(Undelivered { why, .. }) if !self.failing => {
                tracing::warn!(%why, "the collector does not take traces; they are dropped until it does");
                self.failing = true;
            }
            None if self.failing => {
                tracing::info!("the collector takes traces again");
                self.failing = false;
            }
            _ => {}
        }
    }
}

/// Spans whose message is under way.
struct Unsent<'a>(&'a Queue, u64);

impl Unsent<'_> {
    /// It is known what became of them, which are so many.
    fn settle(mut self) -> u64 {
        std::mem::take(&mut self.1)
    }
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        self.0.add(Count::Failed, self.1);
    }
}

/// How many spans a collector rejected that took the message. One that says nothing, or something else, took all.
fn rejected(response: &[u8]) -> u64 {
    let exported = Exported::decode(response).unwrap_or_default();
    let partial = exported.partial_success.unwrap_or_default();
    partial.rejected_spans.try_into().unwrap_or(0)
}
