//! `tasks/get`, `tasks/update`, `tasks/cancel` (extension `io.modelcontextprotocol/tasks`).

use std::collections::BTreeMap;

use bytes::Bytes;
use rmcp::model::{MetaObject, TASKS_EXTENSION_ID};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use serde_json::value::RawValue;

use crate::core::server::Server;
use crate::error::Error;
use crate::middleware::{RequestKind, server_info};
use crate::protocol::SERVER_INFO;
use crate::wire::{Code, RpcError};

use super::{Incoming, no_such_method, result};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Params {
    task_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Update {
    task_id: String,
    input_responses: BTreeMap<Box<str>, Box<RawValue>>,
}

/// The params, for a client that takes tasks of a server that has some.
fn params<T: DeserializeOwned>(
    server: &Server,
    incoming: &Incoming<'_>,
    id: impl Fn(&T) -> &str,
) -> Result<T, RpcError> {
    if !server.inner().exposed().tasks {
        return Err(no_such_method());
    }
    // Headers are judged before capabilities; a request without an id has no header to compare.
    let params = incoming.typed();
    if let Ok(params) = &params {
        incoming.check_name(id(params))?;
    }
    if !incoming.peer.takes_tasks() {
        return Err(RpcError::new(
            Code::MISSING_CAPABILITY,
            "Only a client that declares the tasks extension has tasks.",
        )
        .with_data(json!({
            "requiredCapabilities": { "extensions": { TASKS_EXTENSION_ID: {} } }
        })));
    }
    params
}

pub(super) fn get(server: &Server, incoming: &Incoming<'_>) -> Result<RequestKind, RpcError> {
    let params: Params = params(server, incoming, |params: &Params| &params.task_id)?;
    let server = server.clone();
    Ok(incoming.served(move |ctx| async move {
        let tasks = &server.inner().tasks;
        let task = tasks.get(ctx.principal(), &params.task_id).await?;
        let mut meta = MetaObject::default();
        meta.insert(SERVER_INFO.into(), server_info(ctx.facts()));
        let found = task.detailed().into_result(Some(&meta));
        Ok(Bytes::from(serde_json::to_vec(&found)?))
    }))
}

pub(super) fn update(server: &Server, incoming: &Incoming<'_>) -> Result<RequestKind, RpcError> {
    let params: Update = params(server, incoming, |params: &Update| &params.task_id)?;
    let server = server.clone();
    Ok(incoming.served(move |ctx| async move {
        let tasks = &server.inner().tasks;
        let updated = tasks.update(ctx.principal(), &params.task_id, params.input_responses);
        updated.await.map_err(Error::from)?;
        result(&ctx, json!({}))
    }))
}

pub(super) fn cancel(server: &Server, incoming: &Incoming<'_>) -> Result<RequestKind, RpcError> {
    let params: Params = params(server, incoming, |params: &Params| &params.task_id)?;
    let server = server.clone();
    Ok(incoming.served(move |ctx| async move {
        let tasks = &server.inner().tasks;
        let cancelled = tasks.cancel(ctx.principal(), &params.task_id);
        cancelled.await.map_err(Error::from)?;
        result(&ctx, json!({}))
    }))
}
