//! Where a server listens: on every address of its host, or on a Unix socket.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `refused` | why nothing can be listened on, in a sentence with a way out |
//! | `holder` | which process has a port or a socket |
//! | `told` | the line that says where a server listens |
//! | `leaving` | what is said after a signal |

#[cfg(target_os = "linux")]
mod holder;
pub(crate) mod leaving;
pub(crate) mod refused;
pub(crate) mod told;

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use pymcp_kit::transport::http::{self, Listeners};
use tokio::net::TcpListener;

use crate::{Error, Result};

/// Times that another free port is tried, because the one that the first address got is taken at
/// another.
const PORT_TRIES: usize = 16;

/// The addresses of a host, IPv4 first. `localhost` stands for both loopback addresses, whatever the
/// machine's own table of names says (RFC 6761 §6.3): its clients try one or the other first.
pub(crate) async fn addresses(host: &str) -> Result<Vec<IpAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![address]);
    }
    let mut found: Vec<IpAddr> = match tokio::net::lookup_host((host, 0)).await {
        Ok(found) => found.map(|address| address.ip()).collect(),
        Err(_) => Vec::new(),
    };
    if host.trim_end_matches('.').eq_ignore_ascii_case("localhost") {
        found.extend([
            IpAddr::from(Ipv4Addr::LOCALHOST),
            Ipv6Addr::LOCALHOST.into(),
        ]);
    }
    found.sort();
    found.dedup();
    match found.is_empty() {
        false => Ok(found),
        true => Err(Error::setting(format!(
            "--host is '{host}', which does not resolve to an address on this machine."
        ))
        .hint("--host localhost serves this machine alone, --host 0.0.0.0 listens on all addresses that it has.")),
    }
}

/// What is listened on, and what the addresses of all endpoints there begin with.
type Listening = (Listeners, Vec<String>);

/// Listens on a Unix socket.
#[cfg(unix)]
pub(crate) fn unix(path: &Path) -> Result<Listening> {
    let socket = http::bind_unix(path).map_err(|error| refused::unix(path, &error))?;
    Ok((
        socket.into(),
        vec![format!("unix:{}, path ", path.display())],
    ))
}

#[cfg(not(unix))]
pub(crate) fn unix(_: &Path) -> Result<Listening> {
    Err(Error::setting(
        "--unix-socket is set, but this system has no Unix sockets; use --host and --port.",
    ))
}

/// Listens on all of these addresses, as [`listen`] does.
pub(crate) fn tcp(host: &str, addresses: &[IpAddr], port: u16, tls: bool) -> Result<Listening> {
    let listeners = listen(host, addresses, port)?;
    let scheme = if tls { "https" } else { "http" };
    let mut urls = Vec::new();
    for listener in &listeners {
        urls.push(format!("{scheme}://{}", listener.local_addr()?));
    }
    Ok((listeners.into(), urls))
}

/// Listens on all of these addresses, on the same port.
///
/// An address that the machine does not have (one without IPv6, say) is passed over as long as there
/// is another. One whose port somebody else has is a failure: a client that tries that address
/// first would reach another program. With port 0 another free port is tried instead.
fn listen(host: &str, addresses: &[IpAddr], port: u16) -> Result<Vec<TcpListener>> {
    let mut tries = if port == 0 { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        match listen_once(addresses, port) {
            Ok(listeners) => return Ok(listeners),
            Err((_, error)) if tries > 0 && error.kind() == ErrorKind::AddrInUse => {}
            Err((address, error)) => {
                return Err(refused::address(host, address, addresses, &error));
            }
        }
    }
}

fn listen_once(
    addresses: &[IpAddr],
    mut port: u16,
) -> Result<Vec<TcpListener>, (SocketAddr, io::Error)> {
    let mut listeners = Vec::new();
    let mut missing = None;
    for &address in addresses {
        let address = SocketAddr::new(address, port);
        match http::bind(address).and_then(|listener| Ok((listener.local_addr()?, listener))) {
            Ok((bound, listener)) => {
                port = bound.port();
                listeners.push(listener);
            }
            Err(error) if is_missing(&error) => {
                tracing::debug!(%address, %error, "this machine does not have the address");
                missing.get_or_insert((address, error));
            }
            Err(error) => return Err((address, error)),
        }
    }
    match missing {
        Some(missing) if listeners.is_empty() => Err(missing),
        _ => Ok(listeners),
    }
}

/// Whether the machine lacks an address, or all addresses of its kind.
fn is_missing(error: &io::Error) -> bool {
    // EAFNOSUPPORT has no kind of its own: 97 on Linux, 47 on the BSDs and macOS.
    error.kind() == ErrorKind::AddrNotAvailable
        || matches!(
            (
                error.raw_os_error(),
                cfg!(any(target_os = "linux", target_os = "android"))
            ),
            (Some(97), true) | (Some(47 | 10047), false)
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(text: &[&str]) -> Vec<IpAddr> {
        text.iter().map(|ip| ip.parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn localhost_is_both_loopback_addresses() {
        for name in ["localhost", "LOCALHOST", "localhost."] {
            let found = addresses(name).await.unwrap();
            for address in ips(&["127.0.0.1", "::1"]) {
                assert!(found.contains(&address), "{name}: {found:?}");
            }
            assert!(found[0].is_ipv4(), "{name}: {found:?}");
        }
        assert_eq!(addresses("::1").await.unwrap(), ips(&["::1"]));
        assert!(addresses("256.1.1.1").await.is_err());
    }

    /// 192.0.2.1 (RFC 5737) belongs to nobody.
    #[tokio::test]
    async fn what_the_machine_lacks_is_passed_over_unless_there_is_nothing_else() {
        let listeners = listen("both", &ips(&["127.0.0.1", "192.0.2.1"]), 0).unwrap();
        assert_eq!(listeners.len(), 1);
        let listeners = listen("both", &ips(&["192.0.2.1", "127.0.0.1"]), 0).unwrap();
        assert_eq!(listeners.len(), 1);
        let none = listen("none", &ips(&["192.0.2.1"]), 0).unwrap_err();
        assert!(format!("{none:?}").contains("192.0.2.1"), "{none:?}");
    }

    /// 127.0.0.2 is a second address where all of 127/8 is loopback.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn all_addresses_have_the_same_port_or_nobody_is_served() {
        let both = ips(&["127.0.0.1", "127.0.0.2"]);
        let listeners = listen("both", &both, 0).unwrap();
        let bound: Vec<_> = listeners
            .iter()
            .map(|one| one.local_addr().unwrap())
            .collect();
        assert_eq!(bound.len(), 2);
        assert_eq!(bound[0].port(), bound[1].port());

        let taken = std::net::TcpListener::bind(("127.0.0.2", 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let refused = format!("{:?}", listen("both", &both, port).unwrap_err());
        for word in [
            &format!("127.0.0.2:{port}"),
            "in use",
            "'both' is 127.0.0.1 and 127.0.0.2",
            "--host",
        ] {
            assert!(refused.contains(word), "{word}: {refused}");
        }
    }
}
