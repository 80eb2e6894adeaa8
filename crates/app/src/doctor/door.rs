//! Documents that a stranger names.
//!
//! A server chooses which addresses are fetched, so only https is, and only public addresses; http and private ones where
//! the server itself was named there. Redirects are not followed, and every document is bounded.

use std::time::Duration;

use pymcp_egress::{Allow, Egress, Limits};
use pymcp_kit::auth::jwt::JwtAuthenticator;
use serde_json::Value;
use url::Url;

use super::probe::http::is_loopback;

/// What is at an address.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fetched {
    Json(Value),
    /// A document that is no object of JSON.
    NotJson,
    Status(u16),
    /// A clause.
    Failed(String),
    /// It is not asked, for the sake of who asks.
    Refused(&'static str),
}

impl Fetched {
    pub(crate) fn json(&self) -> Option<&Value> {
        match self {
            Self::Json(document) => Some(document),
            _ => None,
        }
    }

    /// As the end of a sentence that begins with an address.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Json(_) => "is there".into(),
            Self::NotJson => "is no JSON object".into(),
            Self::Status(status) => format!("answers with {status}"),
            Self::Failed(why) => format!("cannot be fetched: {why}"),
            Self::Refused(why) => format!("is not fetched: {why}"),
        }
    }
}

/// Fetches documents that a stranger names.
pub(super) struct Door {
    /// That of the server.
    pub(super) origin: url::Origin,
    /// Whether the server is at a private address.
    pub(super) private: bool,
    pub(super) patience: Duration,
}

impl Door {
    /// The document at an address.
    pub(super) async fn fetch(&self, url: &str) -> Fetched {
        let Ok(url) = Url::parse(url) else {
            return Fetched::Refused("it is no absolute URL");
        };
        let Some(host) = url.host_str() else {
            return Fetched::Refused("it is no absolute URL");
        };
        let is_own = url.origin() == self.origin;
        if url.scheme() == "http" && !is_own && !(self.private && is_loopback(&url)) {
            return Fetched::Refused("it is not of https");
        }
        let host = match self.private {
            true => Allow::host(host).private(),
            false => Allow::host(host),
        };
        // Plain http to a public server is what its user asked for.
        let host = if is_own { host.private() } else { host };
        let limits = Limits {
            time: self.patience,
            connect: self.patience,
            body: JwtAuthenticator::MAX_DOCUMENT,
            request: 0,
            redirects: 0,
            concurrent: 1,
        };
        let egress = Egress::builder().limits(limits).allow(host).build();
        let call = egress.get(&url).header("accept", "application/json");
        match call.send().await {
            Err(error) => Fetched::Failed(error.to_string()),
            Ok(response) if response.status != http::StatusCode::OK => {
                Fetched::Status(response.status.as_u16())
            }
            Ok(response) => match serde_json::from_slice::<Value>(&response.body) {
                Ok(document) if document.is_object() => Fetched::Json(document),
                _ => Fetched::NotJson,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_public_server_leads_to_no_private_address() {
        let public = Door {
            origin: Url::parse("https://mcp.example/mcp").unwrap().origin(),
            private: false,
            patience: Duration::from_secs(5),
        };
        for url in [
            "http://login.example/keys",
            "ftp://login.example/keys",
            "/keys",
            "http://127.0.0.1:1/keys",
        ] {
            let fetched = public.fetch(url).await;
            let refused = matches!(fetched, Fetched::Refused(_) | Fetched::Failed(_));
            assert!(refused, "{url}: {fetched:?}");
        }
        let fetched = public.fetch("https://127.0.0.1:1/keys").await;
        let Fetched::Failed(why) = fetched else {
            panic!("{fetched:?}")
        };
        assert!(why.contains("may not be reached"), "{why}");
    }
}
