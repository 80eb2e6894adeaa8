//! What an authenticator found out.

use std::sync::Arc;
use std::time::SystemTime;

use tokio_util::sync::CancellationToken;

use super::Scopes;

/// Who sends a request, as an [`Authenticator`](super::Authenticator) found out.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Who it is: unique among all that authenticate, and the same each time (issuer and subject, say).
    pub subject: Arc<str>,
    /// What it may: see [`Tool::scopes`](crate::Tool::scopes).
    pub scopes: Scopes,
    /// When that ends, if it does: what is still open then (streams, subscriptions) ends too.
    pub expires: Option<SystemTime>,
    /// Cancelled when it ends before that, because a token was revoked, say. Clones are the same one.
    pub revoked: CancellationToken,
}

impl Identity {
    /// Somebody without any scope, until further notice.
    pub fn new(subject: impl Into<Arc<str>>) -> Self {
        Self {
            subject: subject.into(),
            scopes: Scopes::default(),
            expires: None,
            revoked: CancellationToken::new(),
        }
    }
}
