//! Names become addresses here, and only those that may be reached.
//!
//! The HTTP client connects to nothing but what it gets from here, and asks once for each connection. So the addresses
//! that were judged are the addresses that are dialled; a name that changes its mind is judged anew with the next
//! connection.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use crate::hosts::Hosts;

/// Addresses of one name that are tried, at most.
const MAX_ADDRESSES: usize = 16;

/// Names that the operating system looks up at once, at most. Each takes a thread, and cannot be stopped.
const MAX_LOOKUPS: usize = 16;

type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// How a name is looked up.
#[derive(Clone)]
pub(crate) struct Lookup(Arc<dyn Fn(String) -> Looking + Send + Sync>);

impl Lookup {
    pub(crate) fn new<F, L>(lookup: F) -> Self
    where
        F: Fn(String) -> L + Send + Sync + 'static,
        L: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        Self(Arc::new(move |name| Box::pin(lookup(name))))
    }
}

/// As the operating system does it.
impl Default for Lookup {
    fn default() -> Self {
        let places = Arc::new(Semaphore::new(MAX_LOOKUPS));
        Self::new(move |name| {
            let places = places.clone();
            async move {
                let place = places.acquire_owned().await.map_err(io::Error::other)?;
                // By itself, so that the place is taken for as long as the thread is, whoever still waits.
                let looking = tokio::spawn(async move {
                    let _place = place;
                    let found = tokio::net::lookup_host((name, 0)).await?;
                    Ok(found.map(|address| address.ip()).collect())
                });
                looking.await.map_err(io::Error::other)?
            }
        })
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}

/// Whose names are resolved.
#[derive(Debug, Clone)]
pub(crate) enum Names {
    /// Those of the hosts that are reached, each address judged.
    Hosts(Arc<Hosts>),
    /// That of the proxy, wherever it is. The proxy resolves all others, so that one which turns up here has found a
    /// way around it.
    Proxy(String),
}

/// Why a name has no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It has addresses, and none that may be reached.
    Private,
    /// It has none, or cannot be looked up.
    Unresolvable,
    /// It is the proxy's and has none, or is not the proxy's.
    Proxy,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Private => "no address that may be reached",
            Self::Unresolvable => "no address",
            Self::Proxy => "no address for a proxy",
        })
    }
}

impl std::error::Error for Refused {}

/// Resolves names for the HTTP client.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    pub(crate) lookup: Lookup,
    pub(crate) names: Names,
}

impl Resolver {
    async fn addresses(self, name: String) -> Result<Vec<IpAddr>, Refused> {
        let mut addresses = match &self.names {
            Names::Hosts(hosts) => {
                let mut addresses = self.lookup(&name).await.ok_or(Refused::Unresolvable)?;
                addresses.retain(|address| hosts.may_be_at(&name, *address));
                if addresses.is_empty() {
                    return Err(Refused::Private);
                }
                addresses
            }
            Names::Proxy(proxy) if *proxy == name => {
                self.lookup(&name).await.ok_or(Refused::Proxy)?
            }
            Names::Proxy(_) => return Err(Refused::Proxy),
        };
        addresses.truncate(MAX_ADDRESSES);
        Ok(addresses)
    }

    /// All addresses of a name; none is `None`.
    async fn lookup(&self, name: &str) -> Option<Vec<IpAddr>> {
        match (self.lookup.0)(name.to_owned()).await {
            Ok(addresses) => Some(addresses).filter(|addresses| !addresses.is_empty()),
            Err(error) => {
                tracing::debug!(host = name, ?error, "cannot be looked up");
                None
            }
        }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = self.clone().addresses(name.as_str().to_owned());
        Box::pin(async move {
            // The port is the client's to fill in.
            let dialled = addresses
                .await?
                .into_iter()
                .map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(dialled) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::Allow;

    /// Answers each lookup with the next of `answers`.
    fn answering(answers: &[&[&str]]) -> Lookup {
        let read = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        let answers: Vec<Vec<IpAddr>> = answers.iter().map(read).collect();
        let answers = Mutex::new(answers.into_iter());
        Lookup::new(move |_| {
            let answer = answers.lock().unwrap().next();
            async { answer.ok_or_else(|| io::ErrorKind::NotFound.into()) }
        })
    }

    fn resolver(lookup: Lookup) -> Resolver {
        let mut hosts = Hosts::default();
        hosts.add("example.org".into());
        hosts.add(Allow::host("lan.example.com").private());
        Resolver {
            lookup,
            names: Names::Hosts(Arc::new(hosts)),
        }
    }

    /// What the client gets for a name, as text.
    async fn resolve(resolver: &Resolver, name: &str) -> Result<Vec<String>, Refused> {
        match resolver.resolve(name.parse().unwrap()).await {
            Ok(addresses) => Ok(addresses.map(|address| address.ip().to_string()).collect()),
            Err(error) => Err(*error.downcast().unwrap()),
        }
    }

    #[tokio::test]
    async fn only_public_addresses_are_dialled() {
        let resolver = resolver(answering(&[
            &["8.8.8.8", "2606:4700::1111"],
            &[
                "10.0.0.1",
                "8.8.8.8",
                "::1",
                "::ffff:127.0.0.1",
                "64:ff9b::a00:1",
                "fe80::1",
            ],
            &["127.0.0.1"],
            &[
                "169.254.169.254",
                "fd00::1",
                "64:ff9b::8.8.8.8",
                "2002:7f00:1::",
            ],
        ]));
        let both = Ok(vec!["8.8.8.8".to_owned(), "2606:4700::1111".to_owned()]);
        assert_eq!(resolve(&resolver, "example.org").await, both);
        assert_eq!(
            resolve(&resolver, "example.org").await,
            Ok(vec!["8.8.8.8".to_owned()])
        );
        assert_eq!(
            resolve(&resolver, "example.org").await,
            Err(Refused::Private)
        );
        assert_eq!(
            resolve(&resolver, "example.org").await,
            Err(Refused::Private)
        );
    }

    #[tokio::test]
    async fn a_private_host_may_be_anywhere() {
        let resolver = resolver(answering(&[&["127.0.0.1", "8.8.8.8"]]));
        let both = Ok(vec!["127.0.0.1".to_owned(), "8.8.8.8".to_owned()]);
        assert_eq!(resolve(&resolver, "lan.example.com").await, both);
    }

    #[tokio::test]
    async fn without_an_address_there_is_none() {
        let resolver = resolver(answering(&[&[]]));
        assert_eq!(
            resolve(&resolver, "example.org").await,
            Err(Refused::Unresolvable)
        );
        // The answers are used up, which is an error of the lookup.
        assert_eq!(
            resolve(&resolver, "example.org").await,
            Err(Refused::Unresolvable)
        );
    }

    #[tokio::test]
    async fn of_many_addresses_a_few_are_tried() {
        let many = vec!["8.8.8.8"; 1000];
        let resolver = resolver(answering(&[&many]));
        assert_eq!(
            resolve(&resolver, "example.org").await.unwrap().len(),
            MAX_ADDRESSES
        );
    }

    #[tokio::test]
    async fn with_a_proxy_its_name_is_the_only_one() {
        let names = Names::Proxy("proxy.example".to_owned());
        let resolver = Resolver {
            lookup: answering(&[&["10.0.0.1"], &["8.8.8.8"]]),
            names,
        };
        assert_eq!(
            resolve(&resolver, "proxy.example").await,
            Ok(vec!["10.0.0.1".to_owned()])
        );
        assert_eq!(resolve(&resolver, "example.org").await, Err(Refused::Proxy));
    }

    #[tokio::test]
    async fn the_operating_system_knows_localhost() {
        let resolver = resolver(Lookup::default());
        assert_eq!(resolve(&resolver, "localhost").await, Err(Refused::Private));
    }
}
