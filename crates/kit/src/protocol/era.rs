//! Which of the two protocol eras a message belongs to.
//!
//! Legacy clients (2024-11-05 … 2025-11-25) send `initialize` and hold a session. Since 2026-07-28
//! every request stands alone and says in `_meta` what it speaks. Both are served on one endpoint;
//! [`classify`] is the only place that decides, from nothing but the message and four headers
//! (specification `basic/versioning#backward-compatibility-with-initialization-based-versions`).

use http::HeaderMap;

use crate::wire::RpcError;

use super::peer::RequestMeta;

/// The stateless revision that is served.
pub const MODERN_VERSION: &str = "2026-07-28";

/// The newest revision with `initialize`; what a client gets that proposes one we do not know.
pub const LATEST_LEGACY: &str = "2025-11-25";

/// The revisions that `initialize` can settle on, newest first.
pub const LEGACY_VERSIONS: [&str; 4] = [LATEST_LEGACY, "2025-06-18", "2025-03-26", "2024-11-05"];

/// The two ways of talking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Era {
    /// `initialize`, sessions, requests to the client.
    Legacy,
    /// 2026-07-28: stateless.
    Modern,
}

/// The headers of an HTTP request that say something about the era or repeat the message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HttpSignals<'a> {
    /// `MCP-Protocol-Version`.
    pub version: Option<&'a str>,
    /// `Mcp-Method`.
    pub method: Option<&'a str>,
    /// `Mcp-Name`.
    pub name: Option<&'a str>,
    /// Whether there is an `Mcp-Session-Id` that is not empty.
    pub session: bool,
    /// All headers: the tool that is called says which `Mcp-Param-*` among them repeat arguments, and
    /// the server which of them its handlers see.
    pub all: Option<&'a HeaderMap>,
    /// One of the three that appears twice or is no visible ASCII.
    pub broken: Option<&'static str>,
    /// Whether the client takes one JSON document as the answer and no stream, so that it hears
    /// nothing before the answer.
    pub json_only: bool,
}

/// Where a message goes.
#[derive(Debug, PartialEq)]
pub enum Route {
    /// To a legacy connection.
    Legacy,
    /// To the stateless path.
    Modern,
    /// It claims to be modern but lacks what every modern request must carry.
    Malformed(RpcError),
}

/// Methods that only the modern era has.
const MODERN_ONLY: [&str; 3] = ["server/discover", "subscriptions/listen", "tasks/update"];

/// Decides the era of one request or notification. First match wins.
pub(crate) fn classify_meta(
    method: &str,
    has_protocol_version_param: bool,
    meta: &RequestMeta<'_>,
    http: Option<HttpSignals<'_>>,
) -> Route {
    if method == "initialize" && has_protocol_version_param {
        return Route::Legacy;
    }
    if meta.claims_modern() {
        return Route::Modern;
    }
    let http = http.unwrap_or_default();
    let modern_header = match http.version {
        Some(version) => !LEGACY_VERSIONS.contains(&version),
        // Bridges such as mcp-remote repeat the method in every request of a legacy session.
        None => http.method.is_some() && !http.session,
    };
    if modern_header || MODERN_ONLY.contains(&method) {
        return Route::Malformed(RpcError::invalid_params(
            "\"params._meta\" must name \"io.modelcontextprotocol/protocolVersion\" and \
             \"io.modelcontextprotocol/clientCapabilities\" in every request of this protocol revision.",
        ));
    }
    Route::Legacy
}

/// The classifier for a message that is still text: looks at `params` only as far as needed.
pub fn classify(method: &str, params: Option<&str>, http: Option<HttpSignals<'_>>) -> Route {
    let meta = RequestMeta::peek(params);
    let initialize = method == "initialize" && names_protocol_version(params);
    classify_meta(method, initialize, &meta, http)
}

pub(crate) fn names_protocol_version(params: Option<&str>) -> bool {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Probe<'a> {
        #[serde(borrow)]
        protocol_version: Option<&'a serde_json::value::RawValue>,
    }
    params
        .and_then(|params| serde_json::from_str::<Probe<'_>>(params).ok())
        .is_some_and(|probe| probe.protocol_version.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const META: &str = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}"#;
    const OLD_META: &str = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}}"#;

    /// The headers of a row.
    type Sent = HttpSignals<'static>;

    const NONE: Sent = HttpSignals {
        version: None,
        method: None,
        name: None,
        session: false,
        all: None,
        broken: None,
        json_only: false,
    };

    const fn version(version: &'static str) -> Sent {
        HttpSignals {
            version: Some(version),
            ..NONE
        }
    }

    const fn mirroring(method: &'static str, sent: Sent) -> Sent {
        HttpSignals {
            method: Some(method),
            name: Some("x"),
            ..sent
        }
    }

    const fn in_session(sent: Sent) -> Sent {
        HttpSignals {
            session: true,
            ..sent
        }
    }

    fn route(method: &str, params: Option<&str>, sent: Sent) -> &'static str {
        match classify(method, params, Some(sent)) {
            Route::Legacy => "legacy",
            Route::Modern => "modern",
            Route::Malformed(_) => "malformed",
        }
    }

    #[test]
    fn the_table() {
        let init = Some(r#"{"protocolVersion":"2025-11-25"}"#);
        let init_modern = Some(
            r#"{"protocolVersion":"2026-07-28","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#,
        );
        let token = Some(r#"{"name":"x","_meta":{"progressToken":1}}"#);
        let modern = version("2026-07-28");
        let legacy = version("2025-11-25");
        let list = "tools/list";
        let rows = [
            // 1: `initialize` as legacy clients send it is legacy, whatever else it claims.
            ("initialize", init, NONE, "legacy"),
            ("initialize", init, modern, "legacy"),
            (
                "initialize",
                init_modern,
                mirroring("initialize", modern),
                "legacy",
            ),
            ("initialize", init, mirroring("initialize", NONE), "legacy"),
            // 2: `initialize` without its params but with a modern envelope.
            ("initialize", Some(META), modern, "modern"),
            // 3: the envelope decides, whatever version it names, and in a session too.
            (list, Some(META), NONE, "modern"),
            (list, Some(OLD_META), legacy, "modern"),
            ("ping", Some(META), mirroring("ping", modern), "modern"),
            (
                list,
                Some(META),
                in_session(mirroring(list, modern)),
                "modern",
            ),
            (list, Some(META), in_session(legacy), "modern"),
            // 4: modern by header or by method, but without the envelope.
            (list, None, modern, "malformed"),
            (list, None, in_session(modern), "malformed"),
            (list, None, in_session(mirroring(list, modern)), "malformed"),
            (list, Some("{}"), version("2030-01-01"), "malformed"),
            (list, None, version(""), "malformed"),
            (list, None, mirroring(list, NONE), "malformed"),
            ("server/discover", None, NONE, "malformed"),
            ("server/discover", None, in_session(NONE), "malformed"),
            ("subscriptions/listen", Some("{}"), legacy, "malformed"),
            // 5: what repeats the message says nothing where a session or a legacy version does.
            (list, None, mirroring(list, legacy), "legacy"),
            (list, None, in_session(mirroring(list, NONE)), "legacy"),
            (list, None, in_session(mirroring(list, legacy)), "legacy"),
            (
                "tools/call",
                token,
                in_session(mirroring("wrong", NONE)),
                "legacy",
            ),
            (
                "ping",
                None,
                mirroring("ping", version("2024-11-05")),
                "legacy",
            ),
            // 6–8: everything else is legacy; the session decides.
            (list, None, version("2025-06-18"), "legacy"),
            (list, None, NONE, "legacy"),
            (list, None, in_session(NONE), "legacy"),
            ("tools/call", token, NONE, "legacy"),
            ("initialize", None, NONE, "legacy"),
            (list, Some("[]"), NONE, "legacy"),
        ];
        for (method, params, sent, expected) in rows {
            assert_eq!(
                route(method, params, sent),
                expected,
                "{method} {params:?} {sent:?}"
            );
        }
    }

    #[test]
    fn without_headers_only_the_message_counts() {
        assert_eq!(classify("tools/list", None, None), Route::Legacy);
        assert_eq!(classify("tools/list", Some(META), None), Route::Modern);
        assert!(matches!(
            classify("server/discover", None, None),
            Route::Malformed(_)
        ));
    }
}
