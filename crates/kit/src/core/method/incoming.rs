//! A request with its params still text, and what every method does with it.

use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use rmcp::model::{JsonObject, PaginatedRequestParams};
use serde::de::DeserializeOwned;

use crate::auth::Permit;
use crate::component::Seen;
use crate::component::mirrored::{Mirrored, decode};
use crate::connection::Connection;
use crate::context::{Ctx, CtxFields};
use crate::core::server::Server;
use crate::error::{Error, Result as HandlerResult};
use crate::manifest::Digest;
use crate::middleware::{ProtocolCall, RequestKind};
use crate::protocol::{Era, HttpSignals, List, PeerInfo, RequestMeta};
use crate::rounds::Seed;
use crate::wire::{Id, RpcError};

use super::headers::{expect, mismatch};
use super::{no_such_method, shape};

/// One request, ready for its method.
pub(super) struct Incoming<'a> {
    pub(super) connection: &'a Arc<Connection>,
    pub(super) permit: &'a Permit,
    pub(super) id: Id,
    pub(super) method: &'static str,
    pub(super) params: Option<&'a str>,
    pub(super) meta: RequestMeta<'a>,
    pub(super) peer: Arc<PeerInfo>,
    pub(super) http: Option<HttpSignals<'a>>,
    pub(super) seed: Cell<Option<Seed>>,
    /// The digest of the manifest of the components that were looked at.
    pub(super) manifest: Cell<Option<Digest>>,
}

impl Incoming<'_> {
    /// The context of this request.
    pub(super) fn ctx(&self, server: &Server, seed: Option<Seed>) -> Result<Ctx, RpcError> {
        let inner = server.inner();
        let http = self.http.unwrap_or_default();
        let headers = inner.facts.headers.read(http.all)?;
        let progress_token = self.meta.progress_token(&inner.wire)?;
        let parts = CtxFields {
            facts: Arc::clone(&inner.facts),
            connection: Arc::clone(self.connection),
            permit: self.permit.clone(),
            peer: Arc::clone(&self.peer),
            id: self.id.clone(),
            manifest: self
                .manifest
                .get()
                .unwrap_or_else(|| server.manifest_digest()),
            // What a client that takes no stream would never hear is not said.
            progress_token: progress_token.filter(|_| !http.json_only),
            log_level: match self.peer.era {
                Era::Legacy => None,
                Era::Modern => self.meta.log_level()?,
            },
            trace: inner.observers.trace(self.meta.trace(http.all)),
            seed,
        };
        Ok(Ctx::with_headers(parts, headers))
    }

    /// What there is for its caller.
    pub(super) fn components(&self, server: &Server) -> Seen {
        let seen = server.inner().components.seen_with(self.permit);
        self.manifest.set(Some(seen.digest));
        seen
    }

    /// The params as their type.
    pub(super) fn typed<T: DeserializeOwned>(&self) -> Result<T, RpcError> {
        shape::read(self.params.unwrap_or("{}")).map_err(|wrong| {
            RpcError::invalid_params(format!("Invalid params for {}: {wrong}.", self.method))
        })
    }

    /// Checks `Mcp-Name` against the name in the message.
    pub(super) fn check_name(&self, name: &str) -> Result<(), RpcError> {
        let (Era::Modern, Some(http)) = (self.peer.era, self.http) else {
            return Ok(());
        };
        let decoded = http.name.map(|value| {
            decode(value)
                .ok_or_else(|| mismatch("The header Mcp-Name is not valid base64 text.".into()))
        });
        expect("Mcp-Name", decoded.transpose()?.as_deref(), name)
    }

    /// Checks `Mcp-Param-*` against the arguments in the message.
    pub(super) fn check_params(
        &self,
        mirrored: &Mirrored,
        arguments: &JsonObject,
    ) -> Result<(), RpcError> {
        match (self.peer.era, self.http.and_then(|http| http.all)) {
            (Era::Modern, Some(headers)) => mirrored.check(arguments, headers).map_err(mismatch),
            _ => Ok(()),
        }
    }

    /// A list method.
    pub(super) fn list(&self, server: &Server, list: List) -> Result<RequestKind, RpcError> {
        let exposed = server.inner().exposed();
        let served = match list {
            List::Tools => exposed.tools,
            List::Prompts => exposed.prompts,
            List::Resources | List::Templates => exposed.resources,
        };
        if !served {
            return Err(no_such_method());
        }
        Ok(RequestKind::List(list, self.cursor()?))
    }

    /// Which page is wanted; `None` for the first.
    pub(super) fn cursor(&self) -> Result<Option<String>, RpcError> {
        match self.params {
            Some(_) => Ok(self.typed::<PaginatedRequestParams>()?.cursor),
            None => Ok(None),
        }
    }

    /// Keeps what questions of this call would start from. A client that cannot be asked anything,
    /// and carries no state, costs nothing.
    pub(super) fn may_ask(&self, carries_state: bool) {
        if self.peer.era == Era::Modern && (self.peer.capabilities.can_be_asked() || carries_state)
        {
            self.seed.set(Some(Seed {
                method: self.method,
                params: self.params.unwrap_or("{}").into(),
            }));
        }
    }

    /// A method of the protocol itself that answers `{}`.
    pub(super) fn acknowledge(
        &self,
        run: impl FnOnce() -> Result<(), RpcError> + Send + 'static,
    ) -> RequestKind {
        self.protocol(move || run().map(|()| Bytes::from_static(b"{}")))
    }

    pub(super) fn protocol(
        &self,
        run: impl FnOnce() -> Result<Bytes, RpcError> + Send + 'static,
    ) -> RequestKind {
        self.served(move |_| std::future::ready(run().map_err(Error::from)))
    }

    /// A method of the protocol itself that needs its context, or time.
    pub(super) fn served<F, Fut>(&self, run: F) -> RequestKind
    where
        F: FnOnce(Ctx) -> Fut + Send + 'static,
        Fut: Future<Output = HandlerResult<Bytes>> + Send + 'static,
    {
        RequestKind::Protocol(ProtocolCall {
            method: self.method,
            lasting: false,
            run: Box::new(move |ctx| Box::pin(run(ctx))),
        })
    }
}
