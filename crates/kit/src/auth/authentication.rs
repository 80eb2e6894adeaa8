//! How an HTTP endpoint finds out who asks.

use std::fmt;
use std::sync::Arc;

use super::{Authenticator, Scopes};

/// How an HTTP endpoint finds out who asks, and what it tells clients that have no token yet.
#[derive(Clone, Default)]
pub struct Authentication {
    /// Who finds it out. Default: nobody; then everyone who reaches the server is served, as nobody in particular.
    pub authenticator: Option<Arc<dyn Authenticator>>,
    /// The URL of the endpoint as its clients write it, without query and fragment (RFC 8707; RFC 9728 `resource`).
    /// Default: `http://` or `https://` with the `Host` of the request.
    pub resource: Option<String>,
    /// What clients are told they can ask a token for (RFC 9728 `scopes_supported`). Default: the scopes that the
    /// components and the authenticator name.
    pub scopes_supported: Option<Scopes>,
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authentication")
            .field("authenticates", &self.authenticator.is_some())
            .field("resource", &self.resource)
            .field("scopes_supported", &self.scopes_supported)
            .finish()
    }
}
