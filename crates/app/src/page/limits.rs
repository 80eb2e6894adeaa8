//! What a caller meets: the limits of this server, as they are set.

use pymcp_kit::Server;
use pymcp_kit::limits::Rate;
use pymcp_kit::transport::http::{Endpoints, HttpConfig};
use serde::Serialize;

use crate::limits_page::{Bytes, Shown};

/// Seconds of a day.
const DAY: u64 = 24 * 3600;

/// A limit.
#[derive(Debug, Serialize)]
pub(super) struct Limit {
    /// What is limited.
    pub(super) what: &'static str,
    /// How much of it there is.
    pub(super) most: String,
}

/// The limits of a server in which nobody authenticates. Those of authenticated callers do not count there.
pub(super) fn limits(server: &Server, config: &HttpConfig) -> Vec<Limit> {
    let (calls, wire) = (server.call_limits(), server.wire_limits());
    let mut limits = vec![
        limit("Time for a request", calls.timeout),
        limit("Time to answer an elicitation", calls.ask_timeout),
        limit("Size of a message", Bytes(wire.message_bytes)),
        limit("Size of a result", Bytes(calls.result_bytes)),
        limit(
            "Requests at a time, of one caller",
            calls.in_flight_per_caller,
        ),
        limit(
            "Subscriptions at a time, of one caller",
            calls.subscriptions_per_caller,
        ),
    ];
    let rate = |what, rate: Option<Rate>| rate.map(|rate| limit(what, Some(rate)));
    limits.extend(rate("Requests of one address", config.flood.per_address));
    limits.extend(rate("New sessions of one caller", config.flood.sessions));
    if let Some(in_all) = calls.concurrency.in_all {
        limits.push(limit("Calls that run at a time, of all callers", in_all));
    }
    if config.endpoints == Endpoints::Streamable {
        let days = config.sessions.lifetime.as_secs() / DAY;
        limits.push(match days {
            2.. => limit("Life of a session", &*format!("{days} days")),
            _ => limit("Life of a session", config.sessions.lifetime),
        });
    }
    limits.push(limit(
        "Life of a session that nobody uses",
        config.sessions.idle,
    ));
    limits
}

fn limit(what: &'static str, most: impl Shown) -> Limit {
    let most = most.shown();
    Limit { what, most }
}
