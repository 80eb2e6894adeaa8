//! Sending the user to a page (elicitation, URL mode): for what the client must not see.

use http::Uri;
use rmcp::model::{ElicitResult, ElicitationAction};
use serde_json::json;

use crate::context::Ctx;
use crate::error::{Error, Result};
use crate::protocol::{Era, PeerInfo};

use super::elicit::Elicited;
use super::{Asked, Question};

/// The only legacy revision with URLs.
const LEGACY_WITH_URLS: &str = "2025-11-25";

/// Asks the user to open a page: to sign in somewhere, to pay, to type in a secret.
///
/// `Accepted` says that the user agreed to open it, not that anything was done there: the handler
/// looks for that itself. The URL holds no secret and signs nobody in, and the page makes sure that
/// whoever opens it is the one it was made for (specification `client/elicitation#safe-url-handling`).
#[derive(Debug, Clone)]
pub struct Url {
    message: String,
    url: String,
}

impl Url {
    /// A question that explains itself with `message` and leads to `url`: `https:`, or `http:` on
    /// this machine.
    pub fn new(message: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            url: url.into(),
        }
    }
}

impl Question for Url {
    type Reply = ElicitResult;
    type Answer = Elicited<()>;

    fn asked(&self, client: &PeerInfo) -> Result<Asked> {
        let old = client.era == Era::Legacy && client.version != LEGACY_WITH_URLS;
        if old || !client.capabilities.urls {
            return Err(Error::missing_capability(
                "The client does not support elicitation with URLs, so its user cannot be sent to a page.",
                json!({ "elicitation": { "url": {} } }),
            ));
        }
        if !is_safe(&self.url) {
            return Err(Error::internal(
                "a user can be sent to https URLs without a user name, and to http ones of this machine",
            ));
        }
        let mut params = json!({ "mode": "url", "message": self.message, "url": self.url });
        if client.era == Era::Legacy {
            let mut id = [0; 16];
            getrandom::fill(&mut id)?;
            params["elicitationId"] = json!(format!("{:032x}", u128::from_ne_bytes(id)));
        }
        Ok(Asked {
            method: "elicitation/create",
            params,
        })
    }

    fn read(self, reply: ElicitResult) -> Result<Elicited<()>> {
        Ok(match reply.action {
            ElicitationAction::Accept => Elicited::Accepted(()),
            ElicitationAction::Decline => Elicited::Declined,
            _ => Elicited::Cancelled,
        })
    }
}

fn is_safe(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let Some(authority) = uri.authority().filter(|a| !a.as_str().contains('@')) else {
        return false;
    };
    match uri.scheme_str() {
        Some("https") => true,
        Some("http") => matches!(authority.host(), "localhost" | "127.0.0.1" | "[::1]"),
        _ => false,
    }
}

impl Ctx {
    /// Asks the user to open a page; see [`Url`].
    ///
    /// # Errors
    /// As [`Ctx::ask`].
    pub async fn elicit_url(
        &self,
        message: impl Into<String>,
        url: impl Into<String>,
    ) -> Result<Elicited<()>> {
        self.ask(Url::new(message, url)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_that_are_safe_to_open() {
        for url in [
            "https://example.com/a?b",
            "http://localhost:8080/",
            "http://[::1]/x",
        ] {
            assert!(is_safe(url), "{url}");
        }
        for url in [
            "",
            "example.com",
            "http://example.com",
            "javascript:alert(1)",
            "https://user@example.com",
            "https://a b",
            "file:///etc/passwd",
        ] {
            assert!(!is_safe(url), "{url}");
        }
    }
}
