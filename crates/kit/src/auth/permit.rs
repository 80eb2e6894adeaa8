//! What the core serves nothing without.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use tokio_util::sync::CancellationToken;

use crate::principal::Principal;

use super::{Identity, Scopes};

/// Leave to be served: who asks, what they may, and until when.
///
/// It is made for each request, in one place, by what authenticated it; the core takes no message without one, so that
/// forgetting to ask does not compile. Cheap to clone.
#[derive(Clone)]
pub struct Permit(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    principal: Principal,
    /// `None` where everything is allowed.
    scopes: Option<Scopes>,
    expires: Option<SystemTime>,
    revoked: CancellationToken,
    can_ask_for_more: bool,
}

impl Permit {
    /// Leave to do everything, as nobody in particular: for HTTP where nobody has to authenticate.
    pub fn unrestricted() -> Self {
        Self::unrestricted_as(Principal::ANONYMOUS)
    }

    /// Leave to do everything, for whoever owns the process: on stdio, in a test, in a program that calls its own server.
    pub fn owner() -> Self {
        Self::unrestricted_as(Principal::OWNER)
    }

    /// The same, as this principal: for a program that calls its own server on somebody's behalf.
    pub fn unrestricted_as(principal: Principal) -> Self {
        Self(Arc::new(Inner {
            principal,
            scopes: None,
            expires: None,
            revoked: CancellationToken::new(),
            can_ask_for_more: false,
        }))
    }

    /// What somebody may who was authenticated: for transports of one's own, which vouch for it.
    pub fn of(identity: Identity) -> Self {
        Self(Arc::new(Inner {
            principal: Principal::authenticated(identity.subject),
            scopes: Some(identity.scopes),
            expires: identity.expires,
            revoked: identity.revoked,
            can_ask_for_more: false,
        }))
    }

    /// The same, of somebody who can have a token with more scopes: what needs those is refused with their names
    /// (RFC 6750 §3.1 `insufficient_scope`) instead of not being there.
    #[must_use]
    pub fn with_more_on_request(mut self) -> Self {
        // One that nobody else has yet is not copied.
        Arc::make_mut(&mut self.0).can_ask_for_more = true;
        self
    }

    /// See [`Permit::with_more_on_request`].
    pub(crate) fn can_ask_for_more(&self) -> bool {
        self.0.can_ask_for_more
    }

    /// Whether it can end before what it was given for does.
    pub(crate) fn can_end(&self) -> bool {
        self.0.scopes.is_some()
    }

    /// Who asks.
    pub fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// What they may; `None` where everything is allowed.
    pub fn scopes(&self) -> Option<&Scopes> {
        self.0.scopes.as_ref()
    }

    /// Whether it allows what needs these scopes.
    pub fn allows(&self, needed: &Scopes) -> bool {
        match &self.0.scopes {
            Some(scopes) => scopes.cover(needed),
            None => true,
        }
    }

    /// When it ends, if it does.
    pub fn expires(&self) -> Option<SystemTime> {
        self.0.expires
    }

    /// Completes when it ends: its time is up, or it was revoked. What lasts longer than an answer ends with it.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        let revoked = self.0.revoked.clone();
        let expires = self.0.expires;
        async move {
            let late = async {
                match expires {
                    // The clock may be set: by steps of it, not by one long sleep.
                    Some(expires) => {
                        while let Ok(left) = expires.duration_since(SystemTime::now()) {
                            tokio::time::sleep(left.min(STEP).max(LEAST)).await;
                        }
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = revoked.cancelled() => {}
                () = late => {}
            }
        }
    }
}

/// Time after which the clock is looked at again.
const STEP: std::time::Duration = std::time::Duration::from_secs(60);
/// The least of it.
const LEAST: std::time::Duration = std::time::Duration::from_millis(1);

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("principal", &self.0.principal)
            .field("scopes", &self.0.scopes)
            .finish_non_exhaustive()
    }
}
