//! Walks the way of a client that has to authenticate (MCP, authorization): challenge → metadata of the resource (RFC 9728)
//! → metadata of the authorization servers (RFC 8414, OpenID Connect Discovery) → their keys (RFC 7517) → the token. Nothing is
//! judged here; `checks/auth` does that.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use pymcp_kit::auth::jwt::{
    Algorithms, Fetch, FetchError, JwtAuthenticator, JwtConfig, metadata_addresses,
};
use pymcp_kit::auth::{Authenticator as _, Denied};
use pymcp_kit::protocol::LATEST_LEGACY;
use serde_json::{Value, json};

use super::challenge::Challenge;
use super::door::{Door, Fetched};
use super::probe::http::{Endpoint, Failure, Reply, Sent};
use super::token::Token;
use crate::{Error, Result};

/// Authorization servers that are asked.
const MAX_ISSUERS: usize = 4;

/// A token that nobody issued.
const WRONG: &str = "doctor-no-such-token";

/// Where the metadata of a resource is (RFC 9728 §3.1).
const RESOURCE: &str = "/.well-known/oauth-protected-resource";

/// What was seen on the way.
#[derive(Debug)]
pub(crate) struct AuthSeen {
    /// The endpoint, as it was given.
    pub(crate) url: String,
    /// What a request without a token came to.
    pub(crate) without: Reply,
    /// What one with a made-up token came to.
    pub(crate) wrong: Option<Reply>,
    pub(crate) challenge: Option<Challenge>,
    /// Where the metadata of the resource should be, and what is there.
    pub(crate) documents: Vec<Document>,
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) token: Option<TokenSeen>,
}

/// A document at a well-known address.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) url: String,
    pub(crate) place: Place,
    pub(crate) fetched: Fetched,
}

/// How a client comes to a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The challenge names it.
    Challenge,
    /// The well-known address with the path of the endpoint.
    Path,
    /// The one without.
    Root,
}

/// An authorization server.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) name: String,
    /// Its well-known addresses, up to the first at which there is a document.
    pub(crate) metadata: Vec<(String, Fetched)>,
    /// Its keys, if the metadata says where they are.
    pub(crate) keys: Option<(String, Fetched)>,
}

impl Issuer {
    /// Its metadata.
    pub(crate) fn document(&self) -> Option<&Value> {
        self.metadata.iter().find_map(|(_, fetched)| fetched.json())
    }
}

/// A token, and what requests with it came to.
#[derive(Debug)]
pub(crate) struct TokenSeen {
    /// None if it is no JSON Web Token.
    pub(crate) token: Option<Token>,
    /// What verifying it with the keys of its issuer came to: a sentence of what is wrong.
    pub(crate) verified: Option<Result<(), String>>,
    pub(crate) post: Option<Reply>,
    pub(crate) get: Option<Reply>,
    pub(crate) delete: Option<Reply>,
}

/// Walks it.
///
/// # Errors
/// The endpoint cannot be reached.
pub(crate) async fn walk(
    endpoint: &Endpoint,
    bearer: Option<&str>,
    patience: Duration,
) -> Result<AuthSeen> {
    let request = || {
        Sent::post(&json!({
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": LATEST_LEGACY,
                "capabilities": {},
                "clientInfo": { "name": "doctor", "version": env!("CARGO_PKG_VERSION") },
            },
        }))
    };
    let with = |sent: Sent, token: &str| sent.header("authorization", &format!("Bearer {token}"));
    let url = endpoint.shown();
    let sent = endpoint.send(request(), patience).await;
    let without = sent.map_err(|failure| unreached(&url, &failure))?;
    let wrong = endpoint.send(with(request(), WRONG), patience).await.ok();
    let challenge = Challenge::of(&without.headers);
    let door = Door {
        origin: endpoint.url.origin(),
        private: endpoint.is_private().await,
        patience,
    };
    let named = challenge
        .as_ref()
        .and_then(|one| one.resource_metadata.as_deref());
    let documents = documents(endpoint, named, &door).await;
    let issuers = issuers(&documents, &door).await;
    let token = match bearer {
        None => None,
        Some(bearer) => {
            let token = Token::read(bearer);
            let verified = match &token {
                Some(token) => verify(bearer, token, &issuers).await,
                None => None,
            };
            let post = endpoint.send(with(request(), bearer), patience).await.ok();
            let session = post
                .as_ref()
                .and_then(|reply| reply.header("mcp-session-id"));
            let in_session = |sent: Sent| match session {
                Some(session) => with(sent, bearer).header("mcp-session-id", session),
                None => with(sent, bearer),
            };
            let get = Sent::new(Method::GET).header("accept", "text/event-stream");
            let get = endpoint.send(in_session(get), patience).await.ok();
            let delete = endpoint.send(in_session(Sent::new(Method::DELETE)), patience);
            let delete = delete.await.ok();
            Some(TokenSeen {
                token,
                verified,
                post,
                get,
                delete,
            })
        }
    };
    Ok(AuthSeen {
        url,
        without,
        wrong,
        challenge,
        documents,
        issuers,
        token,
    })
}

fn unreached(url: &str, failure: &Failure) -> Error {
    Error::unreached(format!("{url} {}.", failure.shown()))
}

/// Fetches the metadata of the resource from wherever clients look for it.
async fn documents(endpoint: &Endpoint, named: Option<&str>, door: &Door) -> Vec<Document> {
    let at = |path: &str| {
        let mut url = endpoint.url.clone();
        url.set_path(path);
        url.set_query(None);
        url.to_string()
    };
    let path = endpoint.url.path().trim_end_matches('/');
    let mut places = Vec::new();
    places.extend(named.map(|url| (Place::Challenge, url.to_owned())));
    if !path.is_empty() {
        places.push((Place::Path, at(&format!("{RESOURCE}{path}"))));
    }
    places.push((Place::Root, at(RESOURCE)));
    let mut documents = Vec::new();
    for (place, url) in places {
        let fetched = door.fetch(&url).await;
        documents.push(Document {
            url,
            place,
            fetched,
        });
    }
    documents
}

/// Fetches the metadata and the keys of the authorization servers that the documents name.
async fn issuers(documents: &[Document], door: &Door) -> Vec<Issuer> {
    let named = documents
        .iter()
        .filter_map(|document| document.fetched.json());
    let named = named.flat_map(|json| {
        json["authorization_servers"]
            .as_array()
            .into_iter()
            .flatten()
    });
    let mut known = BTreeSet::new();
    let mut issuers = Vec::new();
    for name in named.filter_map(Value::as_str) {
        if !known.insert(name) || issuers.len() == MAX_ISSUERS {
            continue;
        }
        let mut issuer = Issuer {
            name: name.to_owned(),
            metadata: Vec::new(),
            keys: None,
        };
        for url in metadata_addresses(name) {
            let fetched = door.fetch(&url).await;
            let is_there = fetched.json().is_some();
            issuer.metadata.push((url, fetched));
            if is_there {
                break;
            }
        }
        let keys = issuer
            .document()
            .and_then(|found| found["jwks_uri"].as_str());
        if let Some(url) = keys.map(str::to_owned) {
            let fetched = door.fetch(&url).await;
            issuer.keys = Some((url, fetched));
        }
        issuers.push(issuer);
    }
    issuers
}

/// Verifies a token with the keys of its issuer, as a server would that accepts its audience. None without keys.
async fn verify(bearer: &str, token: &Token, issuers: &[Issuer]) -> Option<Result<(), String>> {
    let issuer = issuers
        .iter()
        .find(|one| Some(&*one.name) == token.issuer())?;
    let (url, keys) = issuer.keys.as_ref()?;
    let keys = Held(Bytes::from(keys.json()?.to_string()));
    let mut config = JwtConfig::new(&issuer.name, token.audiences());
    config.jwks = Some(url.clone());
    config.client_ids = token
        .text("client_id")
        .map(str::to_owned)
        .into_iter()
        .collect();
    let all = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
    ];
    config.algorithms = Algorithms::new(all).ok()?;
    let verifier = JwtAuthenticator::new(config, Arc::new(keys)).ok()?;
    let request = http::Request::builder().header("authorization", format!("Bearer {bearer}"));
    let (head, ()) = request.body(()).ok()?.into_parts();
    Some(match verifier.authenticate(&head).await {
        Ok(_) | Err(Denied::Scopes(_)) => Ok(()),
        Err(Denied::Invalid(why) | Denied::Malformed(why)) => Err(why.to_owned()),
        Err(Denied::Missing | Denied::Unavailable { .. }) => {
            Err("The keys of the issuer cannot be used.".into())
        }
    })
}

/// Keys that were fetched already.
struct Held(Bytes);

impl Fetch for Held {
    fn fetch<'a>(
        &'a self,
        _: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, FetchError>> + Send + 'a>> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}
