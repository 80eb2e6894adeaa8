//! Numbers that somebody keeps anyway, and that are asked for when the metrics are read: they cost nothing in between.
//!
//! To add one, add a constant and its place in [`ALL`], and register where it can be read: [`Metrics::read`], or
//! [`Metrics::places`] for something that is bounded.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType::{self, Counter, Gauge};

use super::{Metrics, counter, gauge};

/// What a number is called.
pub(crate) struct Reading {
    pub(super) name: &'static str,
    help: &'static str,
    kind: MetricType,
    /// The name of its label; without one there is one number.
    label: Option<&'static str>,
}

const fn one(name: &'static str, kind: MetricType, help: &'static str) -> Reading {
    Reading {
        name,
        help,
        kind,
        label: None,
    }
}

const fn by(
    label: &'static str,
    name: &'static str,
    kind: MetricType,
    help: &'static str,
) -> Reading {
    Reading {
        name,
        help,
        kind,
        label: Some(label),
    }
}

pub(crate) const IN_FLIGHT: Reading = one(
    "mcp_server_requests_in_flight",
    Gauge,
    "Requests that work, without those that wait for their client and without subscriptions",
);
const PLACES: Reading = by(
    "kind",
    "mcp_server_places",
    Gauge,
    "Places of something bounded that are taken",
);
const PLACES_MAX: Reading = by(
    "kind",
    "mcp_server_places_max",
    Gauge,
    "Places of something bounded that there are",
);
pub(crate) const LIMIT_REFUSALS: Reading = by(
    "limit",
    "mcp_server_limit_refusals",
    Counter,
    "Requests, sessions and calls that a limit refused",
);
pub(crate) const KEY_FETCHES: Reading = by(
    "result",
    "mcp_server_issuer_key_fetches",
    Counter,
    "Fetches of the keys that verify access tokens",
);
pub(crate) const CALLS_WAITING: Reading = one(
    "mcp_server_calls_waiting",
    Gauge,
    "Calls that wait for their turn",
);
pub(crate) const CACHE_BYTES: Reading = one(
    "mcp_server_cache_bytes",
    Gauge,
    "Bytes of the responses that are cached, with what they answer",
);
pub(crate) const AUDIT_SEQUENCE: Reading = one(
    "mcp_server_audit_sequence",
    Gauge,
    "Number of the last line of the audit log",
);
pub(crate) const AUDIT_FAILING: Reading = one(
    "mcp_server_audit_failing",
    Gauge,
    "1 while lines of the audit log cannot be written, or wait for too long",
);
pub(crate) const AUDIT_LOST: Reading = one(
    "mcp_server_audit_lines_lost",
    Counter,
    "Lines that the audit log lacks",
);
pub(crate) const TLS_RELOADS: Reading = by(
    "result",
    "mcp_server_tls_reloads",
    Counter,
    "Changes of the files of the TLS certificate, and whether they could be used",
);
pub(crate) const TLS_EXPIRY: Reading = one(
    "mcp_server_tls_certificate_expiry_timestamp_seconds",
    Gauge,
    "When the TLS certificate in use ends, in seconds since 1970; 0 when that cannot be read",
);
pub(crate) const SPANS: Reading = by(
    "result",
    "mcp_server_spans",
    Counter,
    "Spans of the traces, and whether the collector has them",
);

pub(crate) const STORE_UP: Reading = one(
    "mcp_server_store_up",
    Gauge,
    "1 while the store that replicas share answers",
);
pub(crate) const STORE_NODES: Reading = by(
    "state",
    "mcp_server_store_nodes",
    Gauge,
    "Nodes of the store that replicas share, by whether they answer",
);
pub(crate) const STORE_OPERATIONS: Reading = by(
    "result",
    "mcp_server_store_operations",
    Counter,
    "Operations on the store that replicas share, and how they ended",
);
pub(crate) const BUDGETS_LOCAL: Reading = one(
    "mcp_server_budgets_local",
    Counter,
    "Calls whose budget was counted in this process, since the store was not there",
);
pub(crate) const BUS_UP: Reading = one(
    "mcp_server_bus_up",
    Gauge,
    "1 while this replica and the others hear each other",
);
pub(crate) const BUS_MESSAGES: Reading = by(
    "result",
    "mcp_server_bus_messages",
    Counter,
    "Messages between replicas, and how often some may have been missed",
);

const ALL: [&Reading; 19] = [
    &IN_FLIGHT,
    &PLACES,
    &PLACES_MAX,
    &LIMIT_REFUSALS,
    &KEY_FETCHES,
    &CALLS_WAITING,
    &CACHE_BYTES,
    &AUDIT_SEQUENCE,
    &AUDIT_FAILING,
    &AUDIT_LOST,
    &TLS_RELOADS,
    &TLS_EXPIRY,
    &SPANS,
    &STORE_UP,
    &STORE_NODES,
    &STORE_OPERATIONS,
    &BUDGETS_LOCAL,
    &BUS_UP,
    &BUS_MESSAGES,
];

type Read = Box<dyn Fn() -> u64 + Send + Sync>;

/// By name, and value of the label.
type Sources = BTreeMap<(&'static str, &'static str), Read>;

/// Where the numbers are to be had.
#[derive(Default)]
pub(super) struct Readings(Mutex<Sources>);

impl Readings {
    fn lock(&self) -> MutexGuard<'_, Sources> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them, and the names of those that are nowhere to be had.
    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let readings = self.lock();
        for Reading {
            name,
            help,
            kind,
            label,
        } in ALL
        {
            let mut family = encoder.encode_descriptor(name, help, None, *kind)?;
            for ((_, value), read) in readings
                .range((*name, "")..)
                .take_while(|((found, _), _)| found == name)
            {
                let labels = label.map(|label| (label, *value));
                let labels = labels.as_slice();
                let encoder = family.encode_family(&labels)?;
                match kind {
                    Counter => counter(encoder, read())?,
                    _ => gauge(encoder, i64::try_from(read()).unwrap_or(i64::MAX))?,
                }
            }
        }
        Ok(())
    }
}

impl Metrics {
    /// Says where a number is to be had, for this value of its label (from a fixed set; empty where it has none). Of two
    /// for the same the first one counts. It is asked under a lock, so it must be quick.
    pub(crate) fn read(
        &self,
        reading: &Reading,
        value: &'static str,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        debug_assert_eq!(reading.label.is_some(), !value.is_empty());
        let mut readings = self.0.numbers.readings.lock();
        readings
            .entry((reading.name, value))
            .or_insert_with(|| Box::new(read));
    }

    /// The same for something bounded: how many places there are, and how many are taken.
    pub(crate) fn places(
        &self,
        kind: &'static str,
        there_are: usize,
        taken: impl Fn() -> usize + Send + Sync + 'static,
    ) {
        self.read(&PLACES, kind, move || taken() as u64);
        self.read(&PLACES_MAX, kind, move || there_are as u64);
    }
}

/// One of each.
#[cfg(test)]
pub(super) fn fill(metrics: &Metrics) {
    for (number, reading) in ALL.into_iter().enumerate() {
        let value = reading.label.map_or("", |_| "value");
        metrics.read(reading, value, move || number as u64 + 1);
    }
}
