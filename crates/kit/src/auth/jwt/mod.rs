//! Access tokens that an identity provider signs: JSON Web Tokens (RFC 7519, RFC 9068).
//!
//! | file | what it holds |
//! | --- | --- |
//! | `algorithms` | [`Algorithms`]: which signatures are accepted |
//! | `claims` | what a token has to say to be accepted, and what is taken from it |
//! | `config` | [`JwtConfig`]: whose tokens, for whom |
//! | `discovery` | where an issuer publishes its keys |
//! | `fetch` | [`Fetch`]: how the keys are fetched, which is up to the program |
//! | `key` | a public key, and what it verifies |
//! | `keys` | the issuer's keys: fetched when they are missed or old, by one at a time |
//! | `remembered` | tokens that were verified already |
//! | `token` | the parts of a token, read within bounds |
//!
//! The order is that of the work that a stranger can cause: bounds first, then the signature, then what was signed. So a
//! token that the issuer did not sign learns nothing of what is accepted.
//!
//! To accept another kind of token, add what tells it apart to `claims`; another algorithm is a line in `algorithms`, and
//! its keys are in `key`.
//!
//! `jsonwebtoken` gives the words ([`Header`](jsonwebtoken::Header), [`Jwk`](jsonwebtoken::jwk::Jwk)) and `ring` verifies.
//! Its own `decode` would have to be told of `ring` by a default for the whole process, which whoever uses that crate
//! beside this one would meet.

mod algorithms;
mod claims;
mod config;
mod discovery;
mod fetch;
mod key;
mod keys;
mod remembered;
mod token;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;

use crate::build_error::BuildError;
use crate::store::BoxFuture;

use super::{Authenticator, Credentials, Denied, Identity, Scopes};
use keys::Keys;
use remembered::{Remembered, Verified};
use token::Token;

pub use algorithms::{Algorithms, BadAlgorithm};
pub use config::JwtConfig;
pub use discovery::addresses as metadata_addresses;
pub use fetch::{Fetch, FetchError};
pub(crate) use keys::FETCHES;

/// Verifies the access tokens of one issuer.
///
/// The subject of who sends one is the issuer and the token's `sub`, with a `#` between.
///
/// ```
/// use std::sync::Arc;
/// use pymcp_kit::auth::jwt::{Fetch, FetchError, JwtAuthenticator, JwtConfig};
///
/// # type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// struct Https; // the HTTP client of the program
///
/// impl Fetch for Https {
///     fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<bytes::Bytes, FetchError>> {
///         Box::pin(async move { Err(FetchError(format!("{url} is out of reach"))) })
///     }
/// }
///
/// let config = JwtConfig::new("https://login.example/", ["https://mcp.example/mcp"]);
/// let authenticator = JwtAuthenticator::new(config, Arc::new(Https)).unwrap();
/// # drop(authenticator);
/// ```
pub struct JwtAuthenticator {
    config: JwtConfig,
    keys: Keys,
    remembered: Remembered,
}

impl JwtAuthenticator {
    /// Bytes that a document of the issuer may have, its metadata or its keys: 256 KiB. Usual are 2 to 20 KiB.
    pub const MAX_DOCUMENT: usize = 256 << 10;

    /// Fetches nothing yet.
    ///
    /// # Errors
    /// An issuer or a URL of keys that is none, no audience, or no randomness from the operating system.
    pub fn new(config: JwtConfig, fetch: Arc<dyn Fetch>) -> Result<Self, BuildError> {
        config.check()?;
        Ok(Self {
            keys: Keys::new(&config, fetch),
            remembered: Remembered::new()?,
            config,
        })
    }

    /// Begins to fetch the keys, so that the first request need not wait for them, and an issuer that cannot be reached is
    /// in the log at start. In a Tokio runtime.
    pub fn prefetch(&self) {
        self.keys.begin();
    }

    async fn identify(&self, token: &str) -> Result<Identity, Denied> {
        let hash = self.remembered.hash(token);
        if self.keys.are_usable()
            && let Some(identity) = self.remembered.get(&hash, SystemTime::now())
        {
            return self.judge_scopes(identity);
        }
        let token = Token::read(token)?;
        if !self.config.algorithms.has(token.algorithm) {
            return Err(Denied::Invalid(
                "The token is signed with an algorithm that is not accepted.",
            ));
        }
        let kid = token.kid.as_deref();
        let key = self.keys.key(token.algorithm, kid).await?;
        if !key.verifies(token.algorithm, token.signed, &token.signature) {
            return Err(Denied::Invalid("The token's signature is wrong."));
        }
        let granted = claims::judge(&self.config, token.claims, SystemTime::now())?;
        let identity = Identity {
            subject: granted.subject,
            scopes: granted.scopes,
            expires: Some(granted.expires),
            revoked: key.withdrawn(),
        };
        let verified = Verified {
            identity: identity.clone(),
            key,
        };
        self.remembered.put(hash, verified);
        self.judge_scopes(identity)
    }

    /// All the scopes that are needed are named, not only those that are missing: clients ask a token for just these.
    fn judge_scopes(&self, identity: Identity) -> Result<Identity, Denied> {
        match identity.scopes.cover(&self.config.required_scopes) {
            true => Ok(identity),
            false => Err(Denied::Scopes(self.config.required_scopes.clone())),
        }
    }
}

impl Authenticator for JwtAuthenticator {
    fn authenticate<'a>(&'a self, head: &'a Parts) -> BoxFuture<'a, Result<Identity, Denied>> {
        Box::pin(async move {
            let credentials = Credentials::of(&head.headers)?;
            self.identify(credentials.token()).await
        })
    }

    fn issuers(&self) -> Vec<String> {
        vec![self.config.issuer.clone()]
    }

    fn required_scopes(&self) -> Scopes {
        self.config.required_scopes.clone()
    }
}

impl fmt::Debug for JwtAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuthenticator")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
