//! Lets in who may ask: the one place where a request becomes a [`Permit`], by its head alone.
//!
//! What is refused has the challenge that clients learn from where tokens come from and which scopes they need
//! (RFC 6750 §3, RFC 9728 §5.1), and the document that it names is served here (RFC 9728 §3).

use std::sync::Arc;

use http::header::{CACHE_CONTROL, HOST};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use hyper::Response;
use serde_json::json;

use crate::auth::{Authentication, Authenticator, Denied, Permit, Scopes};
use crate::metrics;

use super::body::Body;
use super::client::Client;
use super::reply::{self, Refusal};

/// Where the metadata of a protected resource is (RFC 9728 §3.1), before the path of the resource.
const METADATA: &str = "/.well-known/oauth-protected-resource";

/// What stands before the endpoint.
pub(super) struct Door {
    authenticator: Option<Arc<dyn Authenticator>>,
    /// What everyone may where nobody has to authenticate.
    open: Permit,
    /// The URL of the endpoint, and of its metadata, unless they depend on the request's `Host`.
    urls: Option<(String, String)>,
    /// The path of the endpoint, with its prefix.
    path: String,
    issuers: Vec<String>,
    /// What a challenge asks for.
    wanted: Scopes,
    supported: Scopes,
}

impl Door {
    /// The door of the endpoint at `path`, whose components need these scopes.
    pub(super) fn new(auth: &Authentication, path: String, of_components: &[Scopes]) -> Self {
        let authenticator = auth.authenticator.clone();
        let asked = authenticator.as_ref();
        let required = asked.map(|one| one.required_scopes()).unwrap_or_default();
        let supported = auth.scopes_supported.clone().unwrap_or_else(|| {
            let mut all = required.clone();
            for needed in of_components {
                all = all.with(needed);
            }
            all
        });
        let urls = auth.resource.as_ref().map(|resource| {
            let resource = resource.trim_end_matches('/');
            let host = resource.find("://").map_or(0, |scheme| scheme + 3);
            let path = resource[host..]
                .find('/')
                .map_or(resource.len(), |at| at + host);
            let (origin, path) = resource.split_at(path);
            (resource.to_owned(), format!("{origin}{METADATA}{path}"))
        });
        Self {
            issuers: asked.map(|one| one.issuers()).unwrap_or_default(),
            wanted: match required.is_empty() {
                true => supported.clone(),
                false => required,
            },
            authenticator,
            open: Permit::unrestricted(),
            urls,
            path,
            supported,
        }
    }

    /// Lets a request in, or says why not.
    pub(super) async fn admit(&self, client: &Client, head: &Parts) -> Result<Permit, Refusal> {
        let Some(authenticator) = &self.authenticator else {
            return Ok(self.open.clone());
        };
        match authenticator.authenticate(head).await {
            Ok(identity) if self.issuers.is_empty() => Ok(Permit::of(identity)),
            Ok(identity) => Ok(Permit::of(identity).with_more_on_request()),
            Err(denied) => Err(self.refuse(client, head, &denied)),
        }
    }

    fn refuse(&self, client: &Client, head: &Parts, denied: &Denied) -> Refusal {
        let (status, reason, error, why, scopes) = match denied {
            Denied::Missing => (
                StatusCode::UNAUTHORIZED,
                "token_missing",
                None,
                "An access token is needed; send it as Authorization: Bearer TOKEN.",
                &self.wanted,
            ),
            Denied::Malformed(why) => (
                StatusCode::BAD_REQUEST,
                "token_malformed",
                Some("invalid_request"),
                *why,
                &self.wanted,
            ),
            Denied::Invalid(why) => (
                StatusCode::UNAUTHORIZED,
                "token_invalid",
                Some("invalid_token"),
                *why,
                &self.wanted,
            ),
            Denied::Scopes(needed) => (
                StatusCode::FORBIDDEN,
                metrics::SCOPES,
                Some(INSUFFICIENT),
                "The access token lacks a scope; WWW-Authenticate names those that are needed.",
                needed,
            ),
            Denied::Unavailable { retry_after } => {
                let why = "Access tokens cannot be verified at the moment; try again after the time in Retry-After.";
                let refusal = reply::refuse(StatusCode::SERVICE_UNAVAILABLE, why);
                return refusal
                    .retry_after(*retry_after)
                    .because("token_unverified");
            }
        };
        let challenge = self.challenge(
            client,
            head,
            error.map(|error| (error, why)),
            &scopes.to_string(),
        );
        reply::refuse(status, why)
            .challenging(challenge)
            .because(reason)
    }

    /// The challenge of a call that needs scopes which its token lacks.
    pub(super) fn insufficient(&self, client: &Client, head: &Parts, needed: &str) -> HeaderValue {
        let why = "The access token lacks a scope.";
        self.challenge(client, head, Some((INSUFFICIENT, why)), needed)
    }

    fn challenge(
        &self,
        client: &Client,
        head: &Parts,
        error: Option<(&str, &str)>,
        scopes: &str,
    ) -> HeaderValue {
        let mut fields = Vec::new();
        if let Some((error, why)) = error {
            fields.push(format!("error=\"{error}\", error_description=\"{why}\""));
        }
        if !scopes.is_empty() {
            fields.push(format!("scope=\"{scopes}\""));
        }
        if let Some((_, metadata)) = self.urls(client, head).filter(|_| !self.issuers.is_empty()) {
            fields.push(format!("resource_metadata=\"{metadata}\""));
        }
        let fields = fields.join(", ");
        let challenge = format!("Bearer {fields}");
        HeaderValue::try_from(challenge.trim_end()).unwrap_or(HeaderValue::from_static("Bearer"))
    }

    /// The URLs of the endpoint and of its metadata, as whoever sent this request writes them.
    fn urls(&self, client: &Client, head: &Parts) -> Option<(String, String)> {
        if let Some(urls) = &self.urls {
            return Some(urls.clone());
        }
        // It is one that is served, so it holds nothing that a quoted text could not.
        let host = match head.uri.authority() {
            Some(target) => target.as_str(),
            None => head.headers.get(HOST)?.to_str().ok()?,
        };
        let host = client.forwarded_host.as_deref().unwrap_or(host);
        let scheme = if client.https { "https" } else { "http" };
        let (origin, path) = (format!("{scheme}://{host}"), &self.path);
        Some((
            format!("{origin}{path}"),
            format!("{origin}{METADATA}{path}"),
        ))
    }

    /// Whether callers have to authenticate.
    pub(super) fn asks(&self) -> bool {
        self.authenticator.is_some()
    }

    /// The URL of the endpoint, and that of its metadata where tokens come from somewhere.
    pub(super) fn endpoint(
        &self,
        client: &Client,
        head: &Parts,
    ) -> (Option<String>, Option<String>) {
        let (endpoint, metadata) = self.urls(client, head).unzip();
        (endpoint, metadata.filter(|_| !self.issuers.is_empty()))
    }

    /// The metadata of the endpoint, if that is what is asked for and tokens come from somewhere.
    pub(super) fn metadata(
        &self,
        client: &Client,
        head: &Parts,
    ) -> Option<Result<Response<Body>, Refusal>> {
        let of = head.uri.path().strip_prefix(METADATA)?;
        let is_ours = of.is_empty() || of.trim_end_matches('/') == self.path || self.is_public(of);
        if self.issuers.is_empty() || !is_ours {
            return None;
        }
        if !matches!(head.method, Method::GET | Method::HEAD) {
            let allowed = HeaderValue::from_static("GET, HEAD, OPTIONS");
            return Some(Err(reply::wrong_method(allowed)));
        }
        let (resource, _) = self.urls(client, head)?;
        let mut document = json!({
            "resource": resource,
            "authorization_servers": self.issuers,
            "bearer_methods_supported": ["header"],
        });
        // A client that finds an empty list asks for none.
        if !self.supported.is_empty() {
            document["scopes_supported"] = self.supported.iter().collect();
        }
        let mut response = reply::document(document.to_string());
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
        Some(Ok(response))
    }

    /// Whether this is the path of the endpoint as its clients write it.
    fn is_public(&self, path: &str) -> bool {
        self.urls
            .as_ref()
            .is_some_and(|(_, metadata)| metadata.ends_with(&format!("{METADATA}{path}")))
    }
}

const INSUFFICIENT: &str = "insufficient_scope";
