//! Wanting to hear of changes: `resources/subscribe` of old, `subscriptions/listen` of today.

use std::sync::Arc;

use rmcp::model::{SubscribeRequestParams, UnsubscribeRequestParams};

use crate::core::listen;
use crate::core::server::Server;
use crate::middleware::{ProtocolCall, RequestKind};
use crate::wire::RpcError;

use super::{Incoming, no_such_method, resource_uri};

pub(super) fn subscribe(server: &Server, incoming: &Incoming<'_>) -> Result<RequestKind, RpcError> {
    if !server.inner().exposed().resources {
        return Err(no_such_method());
    }
    let uri = resource_uri(&incoming.typed::<SubscribeRequestParams>()?.uri)?;
    if uri.len() > listen::MAX_URI {
        return Err(RpcError::invalid_params(format!(
            "\"uri\" can have {} bytes in a subscription.",
            listen::MAX_URI
        )));
    }
    // What is hidden is as what is not there: nothing is heard of it.
    if incoming.components(server).hides(&uri) {
        return Ok(incoming.acknowledge(|| Ok(())));
    }
    let connection = Arc::clone(incoming.connection);
    let server = server.clone();
    Ok(incoming.acknowledge(move || {
        connection.subscribe(&uri)?;
        if let Some(replicas) = &server.inner().replicas {
            replicas.subscribed(&connection, uri, true);
        }
        Ok(())
    }))
}

pub(super) fn unsubscribe(
    server: &Server,
    incoming: &Incoming<'_>,
) -> Result<RequestKind, RpcError> {
    if !server.inner().exposed().resources {
        return Err(no_such_method());
    }
    let uri = resource_uri(&incoming.typed::<UnsubscribeRequestParams>()?.uri)?;
    let connection = Arc::clone(incoming.connection);
    let server = server.clone();
    Ok(incoming.acknowledge(move || {
        connection.unsubscribe(&uri);
        if let Some(replicas) = &server.inner().replicas {
            replicas.subscribed(&connection, uri, false);
        }
        Ok(())
    }))
}

pub(super) fn listen(server: &Server, incoming: &Incoming<'_>) -> Result<RequestKind, RpcError> {
    let (params, server) = (incoming.typed::<listen::Params>()?, server.clone());
    Ok(RequestKind::Protocol(ProtocolCall {
        method: incoming.method,
        lasting: true,
        run: Box::new(move |ctx| {
            Box::pin(async move { listen::serve(server.inner(), ctx, params).await })
        }),
    }))
}
