//! Whose share of something bounded is used up.

use std::net::{IpAddr, Ipv6Addr};

use crate::principal::Principal;

/// Whom a share belongs to: the key of everything of which one caller may have a part only
/// (places, queues, stores).
///
/// A caller is a principal at an address. From loopback, where a proxy may call for many, and where
/// there is no address at all (stdio), it is a principal on one connection: the stdio process, the
/// legacy session, or the connection that carries a request of the modern era.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller {
    principal: Principal,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Address(IpAddr),
    Connection(u64),
}

impl Caller {
    /// The caller of a connection with this number, from this address if it has one.
    pub(crate) fn new(principal: Principal, address: Option<IpAddr>, connection: u64) -> Self {
        let place = match address.and_then(neighbourhood) {
            Some(address) => Place::Address(address),
            None => Place::Connection(connection),
        };
        Self { principal, place }
    }

    /// Who is asking.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }
}

/// What one subscriber of an internet provider has to itself: an IPv4 address, or the 2^64
/// addresses of an IPv6 network (RFC 4291 §2.5.1). `None` for loopback, which may be anybody.
fn neighbourhood(address: IpAddr) -> Option<IpAddr> {
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
}
