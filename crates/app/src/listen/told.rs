//! The line that says where a server listens: for people, and for programs that look for `listening on http://…`.

use pymcp_kit::protocol::{LATEST_LEGACY, LEGACY_VERSIONS, MODERN_VERSION};
use pymcp_kit::transport::http::Endpoints;

use crate::settings::auth::Mode;

/// What follows the name of the program: the addresses, the transport, the protocol revisions, and who may call.
/// `authenticated` says whether anybody has to authenticate, whoever says so.
pub(crate) fn listening(
    urls: &[String],
    endpoints: Endpoints,
    mode: Mode,
    authenticated: bool,
) -> String {
    let oldest = LEGACY_VERSIONS.last().unwrap_or(&LATEST_LEGACY);
    let (transport, revisions) = match endpoints {
        Endpoints::Streamable => (
            "streamable HTTP",
            format!("{oldest} to {LATEST_LEGACY} and {MODERN_VERSION}"),
        ),
        Endpoints::LegacySse => ("HTTP+SSE", format!("{oldest} to {LATEST_LEGACY}")),
    };
    let who = match mode {
        Mode::Token => "clients need a token",
        Mode::Jwt => "clients need a JSON Web Token of the issuer",
        Mode::None if authenticated => "clients have to authenticate",
        Mode::None => "nobody has to authenticate",
    };
    format!(
        "listening on {} ({transport}; MCP {revisions}; {who})",
        urls.join(" and ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_where_how_and_who() {
        let urls = [
            "http://127.0.0.1:1/mcp".to_owned(),
            "http://[::1]:1/mcp".to_owned(),
        ];
        assert_eq!(
            listening(&urls, Endpoints::Streamable, Mode::None, false),
            "listening on http://127.0.0.1:1/mcp and http://[::1]:1/mcp (streamable HTTP; MCP 2024-11-05 to 2025-11-25 and \
             2026-07-28; nobody has to authenticate)"
        );
        assert_eq!(
            listening(&urls[..1], Endpoints::LegacySse, Mode::Token, true),
            "listening on http://127.0.0.1:1/mcp (HTTP+SSE; MCP 2024-11-05 to 2025-11-25; clients need a token)"
        );
        for (mode, who) in [
            (Mode::Jwt, "JSON Web Token"),
            (Mode::None, "clients have to authenticate"),
        ] {
            assert!(listening(&urls, Endpoints::Streamable, mode, true).contains(who));
        }
    }
}
