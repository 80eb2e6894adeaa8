//! Which of the two protocol eras a message belongs to.
//!
//! Legacy clients (2024-11-05 … 2025-11-25) send `initialize` and hold a session. Since 2026-07-28
//! every request stands alone and says in `_meta` what it speaks. Both are served on one endpoint;
//! [`classify`] is the only place that decides, from nothing but the message and three headers
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
    /// All headers: the tool that is called says which `Mcp-Param-*` among them repeat arguments.
    pub all: Option<&'a HeaderMap>,
    /// One of the three that appears twice or is no visible ASCII.
    pub broken: Option<&'static str>,
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
    let modern_header = http
        .version
        .is_some_and(|version| !LEGACY_VERSIONS.contains(&version));
    if modern_header || http.method.is_some() || MODERN_ONLY.contains(&method) {
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

pub(super) fn names_protocol_version(params: Option<&str>) -> bool {
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

    fn route(
        method: &str,
        params: Option<&str>,
        version: Option<&str>,
        mirrored: Option<&str>,
    ) -> &'static str {
        match classify(
            method,
            params,
            Some(HttpSignals {
                version,
                method: mirrored,
                ..HttpSignals::default()
            }),
        ) {
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
        let rows = [
            // 1: `initialize` as legacy clients send it is legacy, whatever else it claims.
            ("initialize", init, None, None, "legacy"),
            ("initialize", init, Some("2026-07-28"), None, "legacy"),
            (
                "initialize",
                init_modern,
                Some("2026-07-28"),
                Some("initialize"),
                "legacy",
            ),
            // 2: `initialize` without its params but with a modern envelope.
            ("initialize", Some(META), Some("2026-07-28"), None, "modern"),
            // 3: the envelope decides, whatever version it names.
            ("tools/list", Some(META), None, None, "modern"),
            (
                "tools/list",
                Some(OLD_META),
                Some("2025-11-25"),
                None,
                "modern",
            ),
            (
                "ping",
                Some(META),
                Some("2026-07-28"),
                Some("ping"),
                "modern",
            ),
            // 4: modern by header or by method, but without the envelope.
            ("tools/list", None, Some("2026-07-28"), None, "malformed"),
            (
                "tools/list",
                Some("{}"),
                Some("2030-01-01"),
                None,
                "malformed",
            ),
            (
                "tools/list",
                None,
                Some("2025-11-25"),
                Some("tools/list"),
                "malformed",
            ),
            ("server/discover", None, None, None, "malformed"),
            (
                "subscriptions/listen",
                Some("{}"),
                Some("2025-11-25"),
                None,
                "malformed",
            ),
            // 5–7: everything else is legacy; the session decides.
            ("tools/list", None, Some("2025-06-18"), None, "legacy"),
            ("tools/list", None, None, None, "legacy"),
            (
                "tools/call",
                Some(r#"{"name":"x","_meta":{"progressToken":1}}"#),
                None,
                None,
                "legacy",
            ),
            ("initialize", None, None, None, "legacy"),
            ("tools/list", Some("[]"), None, None, "legacy"),
        ];
        for (method, params, version, mirrored, expected) in rows {
            assert_eq!(
                route(method, params, version, mirrored),
                expected,
                "{method} {params:?} {version:?} {mirrored:?}"
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
