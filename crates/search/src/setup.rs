//! Which engines there are, after the configuration.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use pymcp_egress::{Proxy, is_public};
use url::Host;

use crate::config::{Config, InvalidConfig, Secret};
use crate::engine::{self, ALL, Engine, Index, Kind, Setup};
use crate::outcome::Status;
use crate::region::REGIONS;
use crate::state::Memory;

/// An engine that is set up, and what is remembered of it.
pub(crate) struct Asked {
    pub(crate) name: &'static str,
    pub(crate) index: Index,
    /// Whether it is asked before the others.
    pub(crate) keyed: bool,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) memory: Memory,
    /// How often each [`Status`] became of it.
    pub(crate) reports: [AtomicU64; Status::ALL.len()],
}

/// The engines that are set up, in the order of [`ALL`], and their hosts.
pub(crate) struct Ready {
    pub(crate) engines: Vec<Asked>,
    pub(crate) hosts: BTreeSet<String>,
}

/// Sets the engines up.
pub(crate) fn engines(config: &Config) -> Result<Ready, InvalidConfig> {
    let names = config.engines.iter().flatten().chain(config.urls.keys());
    for name in names {
        if !ALL.iter().any(|kind| kind.name == name) {
            return Err(InvalidConfig::Engine { name: name.clone() });
        }
    }
    let mut engines = Vec::new();
    let mut hosts = BTreeSet::new();
    for kind in ALL {
        let wanted = config
            .engines
            .as_ref()
            .is_none_or(|names| names.contains(kind.name));
        if !wanted {
            continue;
        }
        let engine = match set_up(kind, config) {
            Ok(engine) => engine,
            // Unless it was named, it need not be there.
            Err(InvalidConfig::NotSetUp { .. }) if config.engines.is_none() => continue,
            Err(error) => return Err(error),
        };
        hosts.extend(engine.hosts());
        engines.push(Asked {
            name: kind.name,
            index: kind.index,
            keyed: kind.keyed,
            engine: Arc::from(engine),
            memory: Memory::new(config.pace),
            reports: Default::default(),
        });
    }
    match engines.is_empty() {
        true => Err(InvalidConfig::NoEngine),
        false => Ok(Ready { engines, hosts }),
    }
}

fn set_up(kind: &Kind, config: &Config) -> Result<Box<dyn Engine>, InvalidConfig> {
    let address = config.urls.get(kind.name).map(String::as_str).or(kind.url);
    let Some(address) = address else {
        return Err(InvalidConfig::NotSetUp { name: kind.name });
    };
    for language in languages(address) {
        let url = engine::base(&address.replace("{language}", language))?;
        let host = engine::host(&url);
        let far = url.scheme() == "https" && !is_near(&url.host());
        if !far && !config.private_hosts.contains(&host) {
            return Err(InvalidConfig::Private { host });
        }
    }
    (kind.make)(&Setup {
        url: address,
        key: config.brave_api_key.as_ref().map(Secret::expose),
    })
}

/// TCP ports that are connected to beside those of HTTPS and HTTP: of other addresses for engines, and of the proxy.
pub(crate) fn ports(config: &Config) -> BTreeSet<u16> {
    let addresses = config.urls.values();
    let urls = addresses.filter_map(|url| engine::base(&url.replace("{language}", "en")).ok());
    let ports = urls.filter_map(|url| url.port());
    ports
        .chain(config.proxy.as_ref().map(Proxy::port))
        .collect()
}

/// What the place for a language can stand for, in this address.
fn languages(address: &str) -> BTreeSet<&'static str> {
    match address.contains("{language}") {
        true => REGIONS.iter().map(|region| region.language).collect(),
        false => [""].into(),
    }
}

/// Whether a host can be seen to be on this machine or network without looking it up.
fn is_near(host: &Option<Host<&str>>) -> bool {
    match host {
        Some(Host::Ipv4(address)) => !is_public(IpAddr::V4(*address)),
        Some(Host::Ipv6(address)) => !is_public(IpAddr::V6(*address)),
        Some(Host::Domain(name)) => *name == "localhost" || name.ends_with(".localhost"),
        None => true,
    }
}
