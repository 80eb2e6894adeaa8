//! A request as a span, with the attributes of OpenTelemetry's semantic conventions for MCP.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::telemetry::{Outcome, Served, Span, Transport};

use super::message::{self, ERROR, HAS_IS_REMOTE, IS_REMOTE, KeyValue, SERVER, Status};

/// Bytes of the name of a component, and of the id of a request. The second is the client's word.
const MAX_NAME: usize = 256;
const MAX_ID: usize = 128;

/// What is kept of a request until it is sent.
pub(super) struct Finished {
    span: Span,
    end: SystemTime,
    duration: Duration,
    method: &'static str,
    /// Kind and name.
    component: Option<(&'static str, Box<str>)>,
    outcome: Outcome,
    code: Option<i32>,
    request_id: Box<str>,
    revision: &'static str,
    transport: Transport,
}

impl Finished {
    /// `None` for a request that is not recorded.
    pub(super) fn of(served: &Served<'_>) -> Option<Self> {
        Some(Self {
            span: served.span?.clone(),
            end: SystemTime::now(),
            duration: served.duration,
            method: served.method,
            component: served
                .component
                .map(|component| (component.kind, cut(component.name, MAX_NAME).into())),
            outcome: served.outcome,
            code: served.code,
            request_id: cut(served.request_id, MAX_ID).into(),
            revision: served.revision,
            transport: served.transport,
        })
    }

    pub(super) fn into_message(self) -> message::Span {
        let context = self.span.context();
        let parent = self.span.parent_id();
        message::Span {
            trace_id: bytes(context.trace_id()),
            span_id: bytes(context.parent_id()),
            trace_state: context.tracestate().unwrap_or_default().to_owned(),
            parent_span_id: parent.map(bytes).unwrap_or_default(),
            name: self.name(),
            kind: SERVER,
            start: nanoseconds(self.end.checked_sub(self.duration).unwrap_or(UNIX_EPOCH)),
            end: nanoseconds(self.end),
            attributes: self.attributes(),
            status: self.outcome.is_failure().then_some(Status { code: ERROR }),
            // Only what is recorded is here, so the flag `sampled` is set.
            flags: HAS_IS_REMOTE | 1 | if parent.is_some() { IS_REMOTE } else { 0 },
        }
    }

    /// The method, and the tool or prompt, of which there are few; URIs are many.
    fn name(&self) -> String {
        match &self.component {
            Some(("tool" | "prompt", name)) => format!("{} {name}", self.method),
            _ => self.method.to_owned(),
        }
    }

    fn attributes(&self) -> Vec<KeyValue> {
        let code = self.code.map(|code| code.to_string());
        let error = match (self.outcome, &code) {
            (Outcome::Error, Some(code)) => Some(code.as_str()),
            (outcome, _) => outcome.is_failure().then(|| outcome.as_str()),
        };
        let of = |kind: &str| {
            let component = self.component.as_ref();
            component.and_then(|(is, name)| (*is == kind).then_some(&**name))
        };
        let protocol = match self.transport {
            Transport::Http => Some("http"),
            Transport::Stdio => None,
        };
        [
            ("mcp.method.name", Some(self.method)),
            ("mcp.protocol.version", Some(self.revision)),
            (
                "gen_ai.operation.name",
                (self.method == "tools/call").then_some("execute_tool"),
            ),
            ("gen_ai.tool.name", of("tool")),
            ("gen_ai.prompt.name", of("prompt")),
            ("mcp.resource.uri", of("resource")),
            ("jsonrpc.request.id", Some(unquoted(&self.request_id))),
            ("rpc.response.status_code", code.as_deref()),
            ("error.type", error),
            ("network.transport", Some(self.transport.network())),
            ("network.protocol.name", protocol),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some(KeyValue::new(key, value?)))
        .collect()
    }
}

/// The id as a text: a string without its quotes.
fn unquoted(id: &str) -> &str {
    id.strip_prefix('"')
        .map_or(id, |id| id.strip_suffix('"').unwrap_or(id))
}

fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// The bytes that hexadecimal digits stand for; those of a [`Span`] are digits.
fn bytes(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks_exact(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.filter_map(byte).collect()
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos().try_into().unwrap_or(u64::MAX)
}
