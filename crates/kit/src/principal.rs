//! Who is asking.

use std::fmt;
use std::sync::Arc;

/// The identity that a request is served for.
///
/// Everything that is kept per caller (cache entries, sessions) carries it in its key. There is
/// only the anonymous principal until an authentication layer sets another.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Principal(Option<Arc<str>>);

impl Principal {
    /// Nobody in particular: a local client on stdio, or HTTP without authentication.
    pub const ANONYMOUS: Self = Self(None);

    /// An authenticated caller; `subject` is unique among all issuers that are trusted.
    pub fn authenticated(subject: impl Into<Arc<str>>) -> Self {
        Self(Some(subject.into()))
    }

    /// The subject; `None` for the anonymous principal.
    pub fn subject(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.subject().unwrap_or("anonymous"))
    }
}
