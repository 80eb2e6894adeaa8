//! `skills/list`, `skills/get`, `resources/directory/read` (extension `io.modelcontextprotocol/skills`).

use rmcp::model::DIRECTORY_MIME_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::component::complete_modern;
use crate::core::server::Server;
use crate::manifest;
use crate::middleware::{RequestKind, server_info};
use crate::skills::Skills;
use crate::wire::RpcError;

use super::{Incoming, json as encode, no_such_method};

#[derive(Deserialize)]
struct Params {
    uri: String,
}

/// Answers with what `find` finds among the skills.
fn answer(
    server: &Server,
    incoming: &Incoming<'_>,
    find: impl FnOnce(&Skills) -> Result<Value, RpcError> + Send + 'static,
) -> Result<RequestKind, RpcError> {
    if server.inner().skills.is_none() {
        return Err(no_such_method());
    }
    let server = server.clone();
    Ok(incoming.protocol(move || {
        let inner = server.inner();
        let skills = inner.skills.as_ref().ok_or_else(no_such_method)?;
        let server_info = server_info(&inner.facts);
        let mut result = complete_modern(find(skills)?, Skills::HINT, &server_info);
        result["_meta"][manifest::META] = json!(server.manifest_digest());
        encode(&result)
    }))
}

pub(super) fn list(server: &Server, incoming: &Incoming<'_>) -> Result<RequestKind, RpcError> {
    let cursor = incoming.cursor()?;
    answer(server, incoming, move |skills| match cursor {
        None => Ok(skills.list()),
        Some(_) => Err(RpcError::invalid_params(
            "\"cursor\" is not one that this server handed out for this list.",
        )),
    })
}

pub(super) fn get(server: &Server, incoming: &Incoming<'_>) -> Result<RequestKind, RpcError> {
    let Params { uri } = incoming.typed()?;
    answer(server, incoming, move |skills| {
        skills.get(&uri).ok_or_else(|| {
            unknown(
                &uri,
                "\"uri\" names no skill; skills/list has the URI of each one's SKILL.md.".into(),
            )
        })
    })
}

pub(super) fn directory(server: &Server, incoming: &Incoming<'_>) -> Result<RequestKind, RpcError> {
    let cursor = incoming.cursor()?;
    let Params { uri } = incoming.typed()?;
    answer(server, incoming, move |skills| {
        let found = skills.directory(&uri).filter(|_| cursor.is_none());
        found.ok_or_else(|| {
            unknown(
                &uri,
                format!("\"uri\" names no directory (a resource of type {DIRECTORY_MIME_TYPE})."),
            )
        })
    })
}

fn unknown(uri: &str, sentence: String) -> RpcError {
    RpcError::invalid_params(sentence).with_data(json!({ "uri": uri }))
}
