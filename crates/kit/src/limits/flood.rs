//! The first door: how often somebody may come, before anything of a request is read.

use super::rates::{Exceeded, KEYS, Rates};
use super::refusals::Limit;
use super::{Caller, Rate};
use crate::principal::Principal;

/// How often requests may come over HTTP. What is refused has status 429 and costs next to nothing.
///
/// An address is one of IPv4, or the /64 network of one of IPv6. From loopback, where a proxy may call for many, it is a
/// connection: behind a proxy on the same machine let the proxy count, or count principals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloodLimits {
    /// Requests of one address, whoever sends them. Default: no limit.
    pub per_address: Option<Rate>,
    /// Requests of one authenticated principal, wherever they come from. Default: no limit.
    pub per_principal: Option<Rate>,
    /// Legacy sessions that one caller opens: an authenticated principal, or an address. Opening one costs more than
    /// most calls. Default 600 a minute: a whole office may come back at once, and after that ten a second.
    pub sessions: Option<Rate>,
}

impl Default for FloodLimits {
    fn default() -> Self {
        Self {
            per_address: None,
            per_principal: None,
            sessions: Some(Rate::per_minute(600)),
        }
    }
}

/// The door: counts who comes, of 100,000 at a time each.
#[derive(Debug)]
pub struct Flood {
    addresses: Option<Rates<Caller>>,
    principals: Option<Rates<Principal>>,
    sessions: Option<Rates<Caller>>,
}

impl Flood {
    /// A door with these limits.
    pub fn new(limits: &FloodLimits) -> Self {
        Self {
            addresses: limits.per_address.map(|rate| Rates::new(rate, KEYS)),
            principals: limits.per_principal.map(|rate| Rates::new(rate, KEYS)),
            sessions: limits.sessions.map(|rate| Rates::new(rate, KEYS)),
        }
    }

    /// Lets in a request of this caller, who is anonymous yet: of an address, or on loopback of a connection. Comes before
    /// anything of it is read.
    ///
    /// # Errors
    /// There were too many; counted in [`Limit::AddressRate`].
    pub fn admit(&self, caller: &Caller) -> Result<(), Exceeded> {
        match &self.addresses {
            Some(rates) => take(rates, caller, Limit::AddressRate),
            None => Ok(()),
        }
    }

    /// Lets in a request of this principal, as soon as it is known. The anonymous one has no limit of its own.
    ///
    /// # Errors
    /// There were too many; counted in [`Limit::PrincipalRate`].
    pub fn admit_principal(&self, principal: &Principal) -> Result<(), Exceeded> {
        match &self.principals {
            Some(rates) if principal.subject().is_some() => {
                take(rates, principal, Limit::PrincipalRate)
            }
            _ => Ok(()),
        }
    }

    /// Lets this caller open a legacy session.
    ///
    /// # Errors
    /// There were too many; counted in [`Limit::SessionRate`].
    pub fn admit_session(&self, caller: &Caller) -> Result<(), Exceeded> {
        match &self.sessions {
            Some(rates) => take(rates, caller, Limit::SessionRate),
            None => Ok(()),
        }
    }
}

fn take<K: std::hash::Hash + Eq + Clone>(
    rates: &Rates<K>,
    key: &K,
    limit: Limit,
) -> Result<(), Exceeded> {
    rates.take(key, 1).inspect_err(|_| limit.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(who: Option<&str>, address: &str, connection: u64) -> Caller {
        let principal = who.map_or(Principal::ANONYMOUS, Principal::authenticated);
        Caller::new(principal, address.parse().ok(), connection)
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_principals_and_sessions_are_counted_apart() {
        let two = Some(Rate::per_minute(2));
        let flood = Flood::new(&FloodLimits {
            per_address: two,
            per_principal: two,
            sessions: two,
        });
        let alice = caller(Some("alice"), "192.0.2.1", 1);
        for _ in 0..2 {
            flood.admit(&caller(None, "192.0.2.1", 1)).unwrap();
            flood.admit_principal(alice.principal()).unwrap();
            flood.admit_session(&alice).unwrap();
        }
        // The address, whoever is there.
        let bob = caller(Some("bob"), "192.0.2.1", 2);
        let refused = flood.admit(&caller(None, "192.0.2.1", 2)).unwrap_err();
        assert_eq!(refused.retry_after_seconds(), 30);
        assert!(flood.admit(&caller(None, "192.0.2.2", 3)).is_ok());
        // The principal, wherever it is.
        let elsewhere = caller(Some("alice"), "192.0.2.9", 4);
        assert!(flood.admit_principal(elsewhere.principal()).is_err());
        assert!(flood.admit_session(&elsewhere).is_err());
        assert!(flood.admit_principal(bob.principal()).is_ok());
        assert!(flood.admit_session(&bob).is_ok());
        for _ in 0..9 {
            assert!(flood.admit_principal(&Principal::ANONYMOUS).is_ok());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn on_loopback_a_connection_is_counted() {
        let flood = Flood::new(&FloodLimits {
            per_address: Some(Rate::per_minute(1)),
            ..FloodLimits::default()
        });
        for connection in 0..3 {
            let caller = caller(None, "127.0.0.1", connection);
            assert!(flood.admit(&caller).is_ok() && flood.admit(&caller).is_err());
        }
        let network = |address| caller(None, address, 9);
        assert!(flood.admit(&network("2001:db8::1")).is_ok());
        assert!(flood.admit(&network("2001:db8::2")).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn by_default_only_sessions_have_a_limit() {
        let flood = Flood::new(&FloodLimits::default());
        let one = caller(None, "192.0.2.1", 1);
        assert!((0..5_000).all(|_| flood.admit(&one).is_ok()));
        assert_eq!(
            (0..5_000)
                .filter(|_| flood.admit_session(&one).is_ok())
                .count(),
            600
        );
    }
}
