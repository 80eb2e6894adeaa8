//! Finds out who sends a request.

use std::time::Duration;

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::store::BoxFuture;

use super::tokens::Tokens;
use super::{Identity, Scopes};

/// The header of a token that is sent without a scheme.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Bytes of a token.
const MAX_TOKEN: usize = 16 << 10;

/// Finds out who sends a request, by its head alone: it is asked before any of the body is read.
///
/// ```
/// use pymcp_kit::auth::{Authenticator, Credentials, Denied, Identity};
/// use pymcp_kit::transport::http::Parts;
///
/// struct Badge;
///
/// impl Authenticator for Badge {
///     fn authenticate<'a>(
///         &'a self,
///         head: &'a Parts,
///     ) -> std::pin::Pin<Box<dyn Future<Output = Result<Identity, Denied>> + Send + 'a>> {
///         Box::pin(async move {
///             match Credentials::of(&head.headers)?.token() {
///                 "open sesame" => Ok(Identity::new("ali")),
///                 _ => Err(Denied::Invalid("The badge is not known.")),
///             }
///         })
///     }
/// }
/// ```
pub trait Authenticator: Send + Sync + 'static {
    /// Says who it is.
    ///
    /// # Errors
    /// Why nothing is served; the client is told.
    fn authenticate<'a>(&'a self, head: &'a Parts) -> BoxFuture<'a, Result<Identity, Denied>>;

    /// Who issues the tokens, for clients that have none (RFC 9728 `authorization_servers`): URLs. None for tokens that
    /// people hand out.
    fn issuers(&self) -> Vec<String> {
        Vec::new()
    }

    /// What a client has to ask a token for at least (`scope` of every challenge).
    fn required_scopes(&self) -> Scopes {
        Scopes::default()
    }

    /// The tokens that it knows, if it asks [`Tokens`]: replicas that share a store tell each other which of them were
    /// revoked.
    fn tokens(&self) -> Option<&Tokens> {
        None
    }
}

/// Why a request is not served. The sentences are for its client: they tell nothing that it did not send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// It has no credentials: status 401.
    Missing,
    /// It has more than one token, or one that cannot be read: status 400, `invalid_request`.
    Malformed(&'static str),
    /// Its token is not, not yet or no more accepted: status 401, `invalid_token`.
    Invalid(&'static str),
    /// Its token lacks these scopes: status 403, `insufficient_scope`.
    Scopes(Scopes),
    /// Nobody can say at the moment: status 503.
    Unavailable {
        /// After which to try again.
        retry_after: Duration,
    },
}

/// The token of a request: of `Authorization: Bearer` or `X-Api-Key`, exactly one of them.
#[derive(Clone, Copy)]
pub struct Credentials<'a>(&'a str);

impl<'a> Credentials<'a> {
    /// Reads it; at most 16 KiB of visible ASCII.
    ///
    /// # Errors
    /// There is none, or more than one, or it cannot be read.
    pub fn of(headers: &'a HeaderMap) -> Result<Self, Denied> {
        let bearer = headers.get_all(AUTHORIZATION).iter();
        let keys = headers.get_all(API_KEY).iter();
        let mut sent = bearer
            .map(|value| (true, value))
            .chain(keys.map(|value| (false, value)));
        let Some((is_bearer, value)) = sent.next() else {
            return Err(Denied::Missing);
        };
        if sent.next().is_some() {
            return Err(Denied::Malformed(
                "A request has one token, in Authorization or in X-Api-Key.",
            ));
        }
        let unreadable =
            Denied::Malformed("The token cannot be read: it is at most 16 KiB of visible ASCII.");
        let text = visible(value).ok_or_else(|| unreadable.clone())?;
        let token = match is_bearer {
            false => text,
            true => match text.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token,
                // Another scheme is none of ours: a client that has none of ours is told which it is.
                _ => return Err(Denied::Missing),
            },
        };
        let token = token.trim_matches(' ');
        let is_one = |token: &str| memchr::memchr2(b' ', b'\t', token.as_bytes()).is_none();
        match token.len() {
            1..=MAX_TOKEN if is_one(token) => Ok(Self(token)),
            _ => Err(unreadable),
        }
    }

    /// The token.
    pub fn token(&self) -> &'a str {
        self.0
    }
}

/// The text of a header, as `HeaderValue::to_str` reads it; but all of it is looked at, which for a token is quicker than to
/// stop.
fn visible(value: &HeaderValue) -> Option<&str> {
    let bytes = value.as_bytes();
    let is_visible = bytes.iter().fold(true, |all, byte| {
        all & (matches!(byte, b' '..=b'~') | (*byte == b'\t'))
    });
    is_visible
        .then(|| std::str::from_utf8(bytes).ok())
        .flatten()
}

impl std::fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[(&'static str, &str)]) -> Result<String, Denied> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        Credentials::of(&headers).map(|found| found.token().to_owned())
    }

    #[test]
    fn a_request_has_one_token() {
        assert_eq!(of(&[("authorization", "Bearer abc")]), Ok("abc".into()));
        assert_eq!(of(&[("authorization", "bearer  abc ")]), Ok("abc".into()));
        assert_eq!(of(&[("x-api-key", "abc")]), Ok("abc".into()));
        assert_eq!(of(&[]), Err(Denied::Missing));
        assert_eq!(of(&[("authorization", "Basic abc")]), Err(Denied::Missing));
        let long = format!("Bearer {}", "a".repeat(MAX_TOKEN + 1));
        for malformed in [
            &[("authorization", "Bearer a"), ("authorization", "Bearer a")][..],
            &[("authorization", "Bearer a"), ("x-api-key", "a")],
            &[("authorization", "Bearer ")],
            &[("authorization", "Bearer a b")],
            &[("authorization", "Bearer a\tb")],
            &[("x-api-key", "a\tb")],
            &[("authorization", &long)],
            &[("x-api-key", "")],
        ] {
            assert!(
                matches!(of(malformed), Err(Denied::Malformed(_))),
                "{malformed:?}"
            );
        }
    }
}
