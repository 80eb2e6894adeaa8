//! How a connection to the store is made.

use std::net::SocketAddr;
use std::sync::Arc;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ProtocolVersion, RedisError,
    Value,
};
use futures_util::future::select_ok;
use tokio::net::{TcpStream, lookup_host};

use super::address::RedisAddress;
use super::slots::Place;
use super::tls::Tls;

/// The way to a store. Cheap to clone.
#[derive(Clone)]
pub(super) struct Way {
    info: ConnectionInfo,
    tls: Option<Arc<Tls>>,
}

impl Way {
    /// Reads whom to trust, once: a process that is confined later cannot.
    ///
    /// # Errors
    /// The address cannot be used.
    pub(super) fn new(address: &RedisAddress) -> Result<Self, RedisError> {
        let tls = match (&address.trust, address.host()) {
            (Some(trust), Some((host, _))) => Some(Arc::new(Tls::new(trust, host)?)),
            _ => None,
        };
        Ok(Self {
            info: address.info.clone(),
            tls,
        })
    }

    /// The same to another node of its cluster: with the same user, and the same trust in who the certificate names.
    ///
    /// # Errors
    /// Its host is no name that a certificate can have.
    pub(super) fn to(&self, node: &Place) -> Result<Self, RedisError> {
        if node.host.is_empty() {
            return Ok(self.clone());
        }
        let tls = self.tls.as_ref().map(|tls| tls.at(&node.host));
        let there = ConnectionAddr::Tcp(node.host.clone(), node.port);
        Ok(Self {
            info: self.info.clone().set_addr(there),
            tls: tls.transpose()?.map(Arc::new),
        })
    }

    /// Whether it leads to where another does.
    pub(super) fn leads_where(&self, other: &Self) -> bool {
        self.info.addr() == other.info.addr()
    }

    /// The host that it leads to; empty for a Unix socket.
    pub(super) fn host(&self) -> &str {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, _) => host,
            _ => "",
        }
    }

    /// The same in another version of the protocol.
    pub(super) fn speaking(self, protocol: ProtocolVersion) -> Self {
        let settings = self.info.redis_settings().clone();
        Self {
            info: self
                .info
                .set_redis_settings(settings.set_protocol(protocol)),
            ..self
        }
    }

    /// Goes it.
    pub(super) async fn connect(
        &self,
        config: &AsyncConnectionConfig,
    ) -> Result<MultiplexedConnection, RedisError> {
        let (Some(tls), ConnectionAddr::Tcp(host, port)) = (&self.tls, self.info.addr()) else {
            let client = Client::open(self.info.clone())?;
            let connecting = client.get_multiplexed_async_connection_with_config(config);
            return connecting.await;
        };
        let there: Vec<SocketAddr> = lookup_host((&**host, *port)).await?.collect();
        if there.is_empty() {
            return Err(std::io::Error::other("its host has no address").into());
        }
        let each = there
            .into_iter()
            .map(|one| Box::pin(TcpStream::connect(one)));
        let (stream, _) = select_ok(each).await?;
        stream.set_nodelay(true)?;
        let stream = tls.connect(stream).await?;
        let settings = self.info.redis_settings();
        let opening = MultiplexedConnection::new_with_config(settings, stream, config.clone());
        // What it does is done by that, which ends with the last of its handles.
        let (connection, driver) = opening.await.map_err(|error| tls.asked(error))?;
        tokio::spawn(driver);
        if tls.asks() {
            // What it does without one shows with the first answer only.
            let mut asked = connection.clone();
            let answered = ::redis::cmd("TIME").query_async::<Value>(&mut asked).await;
            answered.map_err(|error| tls.asked(error))?;
        }
        Ok(connection)
    }
}
