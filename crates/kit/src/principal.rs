//! Who is asking.

use std::fmt;
use std::sync::Arc;

/// The identity that a request is served for.
///
/// Everything that is kept per caller (cache entries, sessions, what is remembered) carries it in its key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Principal(Who);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Who {
    Nobody,
    Owner,
    Known(Arc<str>),
}

impl Principal {
    /// Nobody in particular: HTTP without authentication, where anybody may be at the other end.
    pub const ANONYMOUS: Self = Self(Who::Nobody);

    /// Whoever owns the process: the client on stdio, which has started it, and a test in memory. It is one and the same
    /// for as long as the process lasts, and says nothing of who that is in another process.
    pub const OWNER: Self = Self(Who::Owner);

    /// An authenticated caller; `subject` is unique among all issuers that are trusted.
    pub fn authenticated(subject: impl Into<Arc<str>>) -> Self {
        Self(Who::Known(subject.into()))
    }

    /// The subject; `None` for the anonymous principal and the owner of the process, who have none.
    pub fn subject(&self) -> Option<&str> {
        match &self.0 {
            Who::Known(subject) => Some(subject),
            Who::Nobody | Who::Owner => None,
        }
    }

    /// Stands for it in what is signed and in keys. No two have the same bytes: those of who has no subject are in no
    /// UTF-8.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.0 {
            Who::Known(subject) => subject.as_bytes(),
            Who::Nobody => &[0xfe],
            Who::Owner => &[0xfd],
        }
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Who::Known(subject) => subject,
            Who::Nobody => "anonymous",
            Who::Owner => "owner",
        })
    }
}
