//! Whose share of something bounded is used up.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::OnceLock;

use crate::principal::Principal;

/// Whom a share belongs to: the key of everything of which one caller may have a part only
/// (places, queues, stores).
///
/// Who has authenticated is one caller, wherever it calls from. Anybody else is a caller at an address. From
/// loopback, where a proxy may call for many, and where there is no address at all (stdio), it is one on a
/// connection: the stdio process, the legacy session, or the connection that carries a request of the modern era.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller {
    principal: Principal,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Address(IpAddr),
    Connection(u64),
    Anywhere,
}

impl Caller {
    /// The caller of a connection with this number, from this address if it has one.
    pub(crate) fn new(principal: Principal, address: Option<IpAddr>, connection: u64) -> Self {
        let place = match (principal.subject(), address.and_then(neighbourhood)) {
            (Some(_), _) => Place::Anywhere,
            (None, Some(address)) => Place::Address(address),
            (None, None) => Place::Connection(connection),
        };
        Self { principal, place }
    }

    /// Who is asking.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The caller as text, for stores that several processes share. No other caller has the same
    /// one, in whichever process.
    pub fn key(&self) -> String {
        let place = match self.place {
            Place::Address(address) => address.to_string(),
            Place::Connection(number) => format!("{:x}.{number}", process()),
            Place::Anywhere => "*".to_owned(),
        };
        match self.principal.subject() {
            Some(subject) => format!("{place}/{subject}"),
            None => place,
        }
    }
}

/// Tells this process from others, as numbers of connections do not.
pub(crate) fn process() -> u64 {
    static PROCESS: OnceLock<u64> = OnceLock::new();
    *PROCESS.get_or_init(|| {
        let mut bytes = [0; 8];
        match getrandom::fill(&mut bytes) {
            Ok(()) => u64::from_ne_bytes(bytes),
            // Better than nothing, and nothing else works without randomness.
            Err(_) => std::process::id().into(),
        }
    })
}

/// What one subscriber of an internet provider has to itself: an IPv4 address, or the 2^64
/// addresses of an IPv6 network (RFC 4291 §2.5.1). `None` for loopback, which may be anybody.
pub(crate) fn neighbourhood(address: IpAddr) -> Option<IpAddr> {
    let address = address.to_canonical();
    match address {
        _ if address.is_loopback() => None,
        IpAddr::V4(_) => Some(address),
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            Some(Ipv6Addr::from(network).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(address: &str, connection: u64) -> Caller {
        let address = address.parse().ok();
        Caller::new(Principal::ANONYMOUS, address, connection)
    }

    #[test]
    fn a_caller_is_an_address_and_on_loopback_a_connection() {
        for (address, other, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("127.0.0.1", "127.0.0.1", false),
            ("::1", "::1", false),
            ("::ffff:127.0.0.1", "::ffff:127.0.0.1", false),
            ("no address", "no address", false),
        ] {
            assert_eq!(
                caller(address, 1) == caller(other, 2),
                same,
                "{address} {other}"
            );
            assert_eq!(caller(address, 1), caller(address, 1));
        }
        let alice = Caller::new(
            Principal::authenticated("alice"),
            "192.0.2.1".parse().ok(),
            1,
        );
        assert_ne!(alice, caller("192.0.2.1", 1));
    }

    #[test]
    fn a_known_principal_is_one_caller_wherever_it_is() {
        let alice = |address: &str, n| {
            Caller::new(Principal::authenticated("alice"), address.parse().ok(), n)
        };
        assert_eq!(alice("192.0.2.1", 1), alice("127.0.0.1", 2));
        let everybody = [
            alice("192.0.2.1", 1),
            caller("192.0.2.1", 1),
            caller("127.0.0.1", 1),
            caller("127.0.0.1", 2),
        ];
        for (i, one) in everybody.iter().enumerate() {
            for (j, other) in everybody.iter().enumerate() {
                assert_eq!(one.key() == other.key(), i == j, "{one:?} {other:?}");
                assert_eq!(one == other, i == j, "{one:?} {other:?}");
            }
        }
    }
}
