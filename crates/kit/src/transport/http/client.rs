//! Who is at the other end of a request: of a TCP connection, or behind the proxy that has it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use tokio_util::sync::CancellationToken;

use crate::auth::Permit;
use crate::connection::Connection;
use crate::limits::{Caller, neighbourhood};
use crate::principal::Principal;

use super::activity::Activity;
use super::reply::Refusal;
use super::timer::Lasting;
use super::{HttpConfig, ingress};

/// Who is at the other end.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) address: IpAddr,
    /// Whether it came over TLS, here or to a trusted proxy.
    pub(super) https: bool,
    /// The host that a trusted proxy says it named.
    pub(super) forwarded_host: Option<Arc<str>>,
    pub(super) activity: Arc<Activity>,
    /// Where it is, whoever it is.
    pub(super) place: Caller,
    /// The connection of its modern requests, which stand alone: of those of the principal that asked last. Others may
    /// ask in turn behind a proxy.
    stateless: Arc<Mutex<Arc<Connection>>>,
    /// Ends what only talks to it.
    leaving: CancellationToken,
    /// For how long its request has said nothing.
    pub(super) silence: Lasting,
}

impl Client {
    /// A client that has connected from this address; `leaving` ends what only talks to it.
    pub(super) fn new(
        address: IpAddr,
        https: bool,
        activity: Arc<Activity>,
        leaving: CancellationToken,
    ) -> Self {
        let anonymous = stateless(Principal::ANONYMOUS, address, &leaving);
        Self {
            address,
            https,
            forwarded_host: None,
            activity,
            place: anonymous.caller().clone(),
            stateless: Arc::new(Mutex::new(anonymous)),
            leaving,
            silence: Lasting::default(),
        }
    }

    /// The client behind the proxy that has connected, if that is trusted; else who has connected.
    pub(super) fn behind(
        self: Arc<Self>,
        headers: &HeaderMap,
        config: &HttpConfig,
    ) -> Result<Arc<Self>, Refusal> {
        let Some(forwarded) = config.trusted_proxies.read(self.address, headers)? else {
            return Ok(self);
        };
        if let Some(host) = &forwarded.host {
            ingress::check_host(host, config)?;
        }
        let mut client = Self::clone(&self);
        client.https = forwarded.https.unwrap_or(client.https);
        client.forwarded_host = forwarded.host;
        if let Some(address) = forwarded.address {
            client.address = address;
            // Who is told apart by connections alone stays one with its own.
            if neighbourhood(address).is_some() {
                let anonymous = stateless(Principal::ANONYMOUS, address, &client.leaving);
                client.place = anonymous.caller().clone();
                client.stateless = Arc::new(Mutex::new(anonymous));
            }
        }
        Ok(Arc::new(client))
    }

    /// The same client on a stream with a place of its own.
    pub(super) fn on(&self, activity: Arc<Activity>) -> Arc<Self> {
        Arc::new(Self {
            activity,
            silence: Lasting::default(),
            ..self.clone()
        })
    }

    /// The connection of the modern requests of this principal.
    pub(super) fn stateless(&self, permit: &Permit) -> Arc<Connection> {
        let mut last = self
            .stateless
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let principal = permit.principal();
        if last.principal() != principal {
            *last = stateless(principal.clone(), self.address, &self.leaving);
        }
        Arc::clone(&last)
    }

    /// Whose shares a request uses up.
    pub(super) fn caller(&self, permit: &Permit) -> Caller {
        self.stateless(permit).caller().clone()
    }
}

fn stateless(
    principal: Principal,
    address: IpAddr,
    leaving: &CancellationToken,
) -> Arc<Connection> {
    Connection::stateless_from_address(principal, address, leaving.clone())
}
