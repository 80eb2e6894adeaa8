//! What is known of the client behind a request.

use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::telemetry::TraceContext;
use crate::wire::{Code, Id, RpcError, WireLimits};

use super::Level;
use super::client::{ClientCapabilities, ClientInfo, MAX_INTRODUCTION, is_short};
use super::era::{Era, LEGACY_VERSIONS, MODERN_VERSION};

/// The client, as it introduced itself: once per session (legacy) or in this request (modern).
///
/// For display and capability checks only: it is unauthenticated, so nothing that matters for
/// security may depend on it.
#[derive(Debug, Clone)]
pub struct PeerInfo {
    /// Which way of talking.
    pub era: Era,
    /// The revision spoken.
    pub version: &'static str,
    /// What the client can be asked for.
    pub capabilities: ClientCapabilities,
    /// What it calls itself, when it told that.
    pub client: Option<ClientInfo>,
}

impl PeerInfo {
    /// Whether the client takes tasks (an extension of the modern era; what legacy clients declare
    /// under the same name is something else).
    pub fn takes_tasks(&self) -> bool {
        self.era == Era::Modern && self.capabilities.tasks
    }

    /// The same client where it hears nothing but the answer, and so cannot be asked.
    pub(crate) fn deaf(&self) -> Arc<Self> {
        Arc::new(Self {
            era: self.era,
            version: self.version,
            capabilities: ClientCapabilities::default(),
            client: self.client.clone(),
        })
    }
}

/// The members of `params._meta` that the core reads; everything else there is the tool's business.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(crate) struct RequestMeta<'a> {
    #[serde(borrow, default, rename = "io.modelcontextprotocol/protocolVersion")]
    version: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/clientInfo")]
    client: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/logLevel")]
    log_level: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "progressToken")]
    progress_token: Option<&'a RawValue>,
    #[serde(borrow, default)]
    traceparent: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tracestate: Option<&'a RawValue>,
}

impl<'a> RequestMeta<'a> {
    /// Reads `params._meta`; anything unreadable counts as absent, the typed params complain later.
    pub(crate) fn peek(params: Option<&'a str>) -> Self {
        #[derive(Deserialize)]
        struct Probe<'a> {
            #[serde(borrow, default, rename = "_meta")]
            meta: Option<RequestMeta<'a>>,
        }
        params
            // Most legacy requests have no `_meta` at all: a byte search is cheaper than a parse.
            .filter(|params| params.contains("\"_meta\"") || params.contains('\\'))
            .and_then(|params| serde_json::from_str::<Probe<'a>>(params).ok())
            .and_then(|probe| probe.meta)
            .unwrap_or_default()
    }

    /// What says who the client is, as it stands in the message.
    fn introduction(&self) -> [&'a str; 3] {
        [self.version, self.capabilities, self.client]
            .map(|part| part.map_or("", |part| part.get()))
    }

    pub(crate) fn claims_modern(&self) -> bool {
        // Either of the two that every modern request has; no legacy client knows them.
        self.version.is_some() || self.capabilities.is_some()
    }

    /// The version named, when it is a string.
    pub(crate) fn version(&self) -> Option<String> {
        serde_json::from_str(self.version?.get()).ok()
    }

    /// The token under which the client wants to hear of progress.
    pub(crate) fn progress_token(&self, limits: &WireLimits) -> Result<Option<Id>, RpcError> {
        match self.progress_token {
            None => Ok(None),
            Some(token) => Id::from_json(token.get(), limits.id_bytes).map(Some).ok_or_else(|| {
                RpcError::invalid_params(format!(
                    "\"_meta.progressToken\" must be an integer or a string of at most {} bytes.",
                    limits.id_bytes
                ))
            }),
        }
    }

    /// The trace that the request is part of (SEP-414: `traceparent` and `tracestate`, as W3C has them), or else that of
    /// its HTTP request.
    pub(crate) fn trace(&self, headers: Option<&HeaderMap>) -> Option<TraceContext> {
        let text = |json: &RawValue| serde_json::from_str::<String>(json.get()).ok();
        let said = self.traceparent.and_then(text).and_then(|parent| {
            TraceContext::parse(&parent, self.tracestate.and_then(text).as_deref())
        });
        said.or_else(|| {
            let headers = headers?;
            let mut parents = headers.get_all("traceparent").iter();
            let parent = parents.next()?.to_str().ok()?;
            // Of two, neither is to be trusted.
            if parents.next().is_some() {
                return None;
            }
            let states = headers.get_all("tracestate").iter();
            let states: Vec<_> = states.filter_map(|state| state.to_str().ok()).collect();
            TraceContext::parse(parent, Some(&*states.join(",")))
        })
    }

    /// The level from which on this request wants log messages (modern era).
    pub(crate) fn log_level(&self) -> Result<Option<Level>, RpcError> {
        self.log_level
            .map(|level| serde_json::from_str(level.get()))
            .transpose()
            .map_err(|_| {
                RpcError::invalid_params(
                    "\"_meta.io.modelcontextprotocol/logLevel\" must be one of debug, info, notice, \
                     warning, error, critical, alert and emergency.",
                )
            })
    }

    /// The client of a modern request, or what its envelope lacks: first that it is complete
    /// (`-32602`), then that the version is served (`-32022`). Header checks come in between.
    pub(crate) fn modern_peer(&self) -> Result<ModernEnvelope, RpcError> {
        let (Some(version), Some(capabilities)) = (self.version(), self.capabilities) else {
            return Err(RpcError::invalid_params(
                "\"params._meta\" must hold \"io.modelcontextprotocol/protocolVersion\" (a string) and \
                 \"io.modelcontextprotocol/clientCapabilities\" (an object).",
            ));
        };
        if !is_short(capabilities, self.client) {
            return Err(RpcError::invalid_params(format!(
                "\"_meta.io.modelcontextprotocol/clientCapabilities\" and \
                 \"_meta.io.modelcontextprotocol/clientInfo\" can have {MAX_INTRODUCTION} bytes together, \"icons\" aside."
            )));
        }
        let capabilities = serde_json::from_str(capabilities.get()).map_err(|_| {
            RpcError::invalid_params(
                "\"_meta.io.modelcontextprotocol/clientCapabilities\" must be an object of capabilities.",
            )
        })?;
        let client = self.client.map(|client| serde_json::from_str(client.get())).transpose().map_err(|_| {
            RpcError::invalid_params(
                "\"_meta.io.modelcontextprotocol/clientInfo\" must be an object with \"name\" and \"version\".",
            )
        })?;
        Ok(ModernEnvelope {
            version,
            capabilities,
            client,
        })
    }
}

/// Bytes of an introduction that is remembered; those of usual clients are a few hundred.
const MAX_REMEMBERED: usize = 1 << 10;

/// The last client of the modern era that was served on a connection. It introduces itself in each request, and in the same
/// words: these need not be read again.
#[derive(Default)]
pub(crate) struct Introduced(Mutex<Option<Box<Introduction>>>);

struct Introduction {
    words: [Box<str>; 3],
    peer: Arc<PeerInfo>,
}

impl Introduced {
    /// The client, if it has introduced itself like this.
    pub(crate) fn recall(&self, meta: &RequestMeta<'_>) -> Option<Arc<PeerInfo>> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = last.as_ref()?;
        let words = last.words.each_ref().map(|word| &**word);
        (words == meta.introduction()).then(|| Arc::clone(&last.peer))
    }

    /// Remembers a client, which is served.
    pub(crate) fn remember(&self, meta: &RequestMeta<'_>, peer: &Arc<PeerInfo>) {
        let words = meta.introduction();
        if words.iter().map(|word| word.len()).sum::<usize>() > MAX_REMEMBERED {
            return;
        }
        let introduction = Introduction {
            words: words.map(Into::into),
            peer: Arc::clone(peer),
        };
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(Box::new(introduction));
    }
}

/// A complete modern envelope whose version is still to be checked.
pub(crate) struct ModernEnvelope {
    pub(crate) version: String,
    capabilities: ClientCapabilities,
    client: Option<ClientInfo>,
}

impl ModernEnvelope {
    pub(crate) fn into_peer(self) -> Result<Arc<PeerInfo>, RpcError> {
        if self.version != MODERN_VERSION {
            // Only what can be used in this way: a client that retried with a legacy version in
            // `_meta` would be refused again.
            let data =
                serde_json::json!({ "supported": [MODERN_VERSION], "requested": self.version });
            let hint = match LEGACY_VERSIONS.contains(&&*self.version) {
                true => "This protocol revision is served after \"initialize\", not per request.",
                false => {
                    "This protocol revision is not served; \"data.supported\" lists those that are."
                }
            };
            return Err(RpcError::new(Code::UNSUPPORTED_VERSION, hint).with_data(data));
        }
        Ok(Arc::new(PeerInfo {
            era: Era::Modern,
            version: MODERN_VERSION,
            capabilities: self.capabilities,
            client: self.client,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(capabilities: &str, client: &str) -> String {
        format!(
            r#"{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{capabilities},"io.modelcontextprotocol/clientInfo":{client}}}}}"#
        )
    }

    #[test]
    fn only_the_same_words_are_the_same_client() {
        let introduced = Introduced::default();
        let ada = meta("{}", r#"{"name":"ada","version":"1"}"#);
        let first = RequestMeta::peek(Some(&ada));
        assert!(introduced.recall(&first).is_none());
        let peer = first.modern_peer().unwrap().into_peer().unwrap();
        introduced.remember(&first, &peer);
        let again = introduced.recall(&RequestMeta::peek(Some(&ada))).unwrap();
        assert!(Arc::ptr_eq(&again, &peer));
        for other in [
            meta("{}", r#"{"name":"bob","version":"1"}"#),
            meta(r#"{"sampling":{}}"#, r#"{"name":"ada","version":"1"}"#),
            ada.replace("2026-07-28", "2026-07-29"),
            // Nothing is left out by what another request said.
            r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#.to_owned(),
        ] {
            assert!(
                introduced
                    .recall(&RequestMeta::peek(Some(&other)))
                    .is_none()
            );
        }
    }

    #[test]
    fn a_long_introduction_is_read_each_time() {
        let introduced = Introduced::default();
        let name = "a".repeat(MAX_REMEMBERED);
        let long = meta("{}", &format!(r#"{{"name":"{name}","version":"1"}}"#));
        let long = RequestMeta::peek(Some(&long));
        let peer = long.modern_peer().unwrap().into_peer().unwrap();
        introduced.remember(&long, &peer);
        assert!(introduced.recall(&long).is_none());
    }
}
