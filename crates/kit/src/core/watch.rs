//! What is told of a request when it is finished: [`Served`], once for each, whatever became of it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use serde::Deserialize;

use crate::connection::Connection;
use crate::context::{Ctx, Note};
use crate::label::Label;
use crate::middleware::RequestKind;
use crate::protocol::{HttpSignals, LATEST_LEGACY, MODERN_VERSION, PeerInfo, RequestMeta, Route};
use crate::telemetry::{CacheUse, ComponentName, Observers, Outcome, Served, Traced, Transport};
use crate::wire::{Id, Request, RpcError};

use super::call::Answer;
use super::method;
use super::server::Inner;

/// Bytes that are kept of a name of which there is nothing.
const MAX_UNKNOWN: usize = 128;

/// A request that is in the pipeline, and of which somebody wants to hear.
pub(super) struct Watch {
    observers: Observers,
    began: Instant,
    method: &'static str,
    label: Option<Arc<Label>>,
    unknown: Option<Box<str>>,
    transport: Transport,
}

impl Watch {
    pub(super) fn new(
        observers: &Observers,
        began: Instant,
        kind: &RequestKind,
        transport: Transport,
    ) -> Self {
        Self {
            observers: observers.clone(),
            began,
            method: kind.method(),
            label: kind.label().cloned(),
            unknown: kind.unknown().map(|name| short(name).into()),
            transport,
        }
    }

    /// It has its answer.
    pub(super) fn answered(self, ctx: &Ctx, answer: &Answer) {
        self.ended(ctx, outcome(ctx, answer), Some(answer));
    }

    /// It has none: the client wants none, or is gone.
    pub(super) fn unanswered(self, ctx: &Ctx) {
        let outcome = match ctx.is_unwanted() && !ctx.connection().leaving().is_cancelled() {
            true => Outcome::Cancelled,
            false => Outcome::Disconnected,
        };
        self.ended(ctx, outcome, None);
    }

    fn ended(self, ctx: &Ctx, outcome: Outcome, answer: Option<&Answer>) {
        let cache = [
            (Note::CacheHit, CacheUse::Hit),
            (Note::CacheMiss, CacheUse::Miss),
        ];
        let cache = cache.into_iter().find(|(note, _)| ctx.has(*note));
        // Who introduces itself in this request was a stranger when it began.
        let introduced = match self.method {
            "initialize" => ctx.connection().peer(),
            _ => None,
        };
        let peer = introduced.as_deref().unwrap_or(ctx.peer());
        self.observers.served(&Served {
            method: self.method,
            component: self.label.as_deref().map(named),
            unknown: self.unknown.as_deref(),
            outcome,
            code: answer.and_then(|answer| answer.error).map(|code| code.0),
            duration: self.began.elapsed(),
            bytes: answer.map_or(0, |answer| answer.body.len()),
            cache: cache.map(|(_, cache)| cache),
            principal: ctx.principal().subject(),
            session: ctx.session().map(|session| session.number()),
            client: client(peer),
            request_id: ctx.id().as_json(),
            trace: ctx.trace(),
            span: ctx.span(),
            revision: peer.version,
            transport: self.transport,
        });
    }
}

/// A request that has not come to the pipeline yet, and of which somebody wants to hear.
pub(super) struct Begun<'a> {
    pub(super) began: Instant,
    method: Cow<'a, str>,
    params: Option<&'a str>,
    meta: RequestMeta<'a>,
    modern: bool,
    http: Option<HttpSignals<'a>>,
}

impl<'a> Begun<'a> {
    pub(super) fn new(
        began: Instant,
        request: &Request<'a>,
        meta: RequestMeta<'a>,
        route: &Route,
        http: Option<HttpSignals<'a>>,
    ) -> Self {
        Self {
            began,
            method: request.method.clone(),
            params: request.params,
            meta,
            modern: *route != Route::Legacy,
            http,
        }
    }

    /// It came no further.
    pub(super) fn failed(
        self,
        inner: &Inner,
        connection: &Connection,
        id: &Id,
        error: &RpcError,
        bytes: usize,
    ) {
        let known = method::known(&self.method);
        let (label, name) = match known {
            Some(method) => self.component(inner, method),
            None => (None, Some(self.method.clone())),
        };
        let peer = match self.modern {
            true => self
                .meta
                .modern_peer()
                .and_then(|envelope| envelope.into_peer())
                .ok(),
            false => connection.peer(),
        };
        let otherwise = if self.modern {
            MODERN_VERSION
        } else {
            LATEST_LEGACY
        };
        let trace = self.meta.trace(self.http.and_then(|http| http.all));
        let trace = inner.observers.trace(trace);
        inner.observers.served(&Served {
            method: known.unwrap_or("other"),
            component: label.as_deref().map(named),
            unknown: name.as_deref().map(short),
            outcome: Outcome::Error,
            code: Some(error.code.0),
            duration: self.began.elapsed(),
            bytes,
            cache: None,
            principal: connection.principal().subject(),
            session: connection.session().map(|session| session.number()),
            client: peer.as_deref().and_then(client),
            request_id: id.as_json(),
            trace: trace.as_ref().map(Traced::context),
            span: trace.as_ref().and_then(Traced::span),
            revision: peer.as_ref().map_or(otherwise, |peer| peer.version),
            transport: transport(self.http.is_some()),
        });
    }

    /// What it is about: the component, or else the name of a tool or prompt that there is not.
    fn component(&self, inner: &Inner, method: &str) -> (Option<Arc<Label>>, Option<Cow<'a, str>>) {
        #[derive(Deserialize)]
        struct Name<'a> {
            #[serde(borrow)]
            name: Cow<'a, str>,
        }
        let found = self
            .params
            .and_then(|params| serde_json::from_str::<Name<'_>>(params).ok());
        let Some(Name { name }) = found else {
            return (None, None);
        };
        let components = inner.components();
        let registry = &components.registry;
        let label = match method {
            "tools/call" => registry.tools.get(&name).map(|found| &found.tool.label),
            "prompts/get" => registry.prompts.get(&name).map(|found| &found.label),
            _ => return (None, None),
        };
        match label {
            Some(label) => (Some(Arc::clone(label)), None),
            None => (None, Some(name)),
        }
    }
}

/// How a request ended that has this answer.
pub(super) fn outcome(ctx: &Ctx, answer: &Answer) -> Outcome {
    match answer.error {
        _ if ctx.has(Note::Panicked) => Outcome::Panic,
        _ if ctx.has(Note::TimedOut) => Outcome::Timeout,
        Some(_) => Outcome::Error,
        None if ctx.has(Note::ToolError) => Outcome::ToolError,
        None if ctx.has(Note::InputRequired) => Outcome::InputRequired,
        None if ctx.has(Note::BecameTask) => Outcome::Task,
        None => Outcome::Ok,
    }
}

pub(super) fn transport(http: bool) -> Transport {
    match http {
        true => Transport::Http,
        false => Transport::Stdio,
    }
}

fn named(label: &Label) -> ComponentName<'_> {
    ComponentName {
        kind: label.kind.as_str(),
        name: &label.name,
    }
}

fn client(peer: &PeerInfo) -> Option<(&str, &str)> {
    peer.client
        .as_ref()
        .map(|client| (&*client.name, &*client.version))
}

fn short(name: &str) -> &str {
    &name[..name.floor_char_boundary(MAX_UNKNOWN)]
}
