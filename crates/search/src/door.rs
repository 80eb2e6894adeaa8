//! The one place that does I/O.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use pymcp_egress::{Allow, Egress, Error, Limits, Request, Response};

use crate::config::Config;

/// Redirects that are followed: to another spelling of the address, or to another host of the engines.
const REDIRECTS: usize = 3;
/// Requests of all searches that are under way at once; more than the usual pace of all engines allows.
const CONCURRENT: usize = 128;

type Sending = Pin<Box<dyn Future<Output = Result<Response, Error>> + Send>>;

/// Where requests go out; in tests, where they are answered.
pub(crate) struct Door {
    sends: Box<dyn Fn(Request) -> Sending + Send + Sync>,
    egress: Option<Egress>,
}

impl Door {
    /// To these hosts and no others.
    pub(crate) fn new(config: &Config, hosts: &BTreeSet<String>) -> Self {
        let private: Vec<_> = config.private_hosts.iter().map(Allow::host).collect();
        let allowed = hosts.iter().map(|host| {
            let host = Allow::host(host);
            match private.contains(&host) {
                true => host.private(),
                false => host,
            }
        });
        let egress = Egress::builder()
            .hosts(allowed)
            .proxy(config.proxy.clone())
            .user_agent(&config.user_agent)
            .limits(Limits {
                time: config.engine_time,
                connect: config.engine_time.min(Duration::from_secs(5)),
                body: config.response_bytes,
                redirects: REDIRECTS,
                concurrent: CONCURRENT,
                ..Limits::default()
            })
            .build();
        let sends = egress.clone();
        let door = Self::from_fn(move |request| {
            let egress = sends.clone();
            async move { egress.send(request).await }
        });
        Self {
            egress: Some(egress),
            ..door
        }
    }

    pub(crate) fn from_fn<Fut>(send: impl Fn(Request) -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = Result<Response, Error>> + Send + 'static,
    {
        Self {
            sends: Box::new(move |request| Box::pin(send(request))),
            egress: None,
        }
    }

    pub(crate) async fn send(&self, request: Request) -> Result<Response, Error> {
        (self.sends)(request).await
    }

    /// What became of the requests, as the egress counts it.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.egress.iter().flat_map(Egress::requests)
    }
}
