//! How the search is set up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use pymcp_egress::Proxy;

/// How the search is set up. The default asks every engine that needs no key.
#[derive(Clone)]
pub struct Config {
    /// The names of the engines to ask ([`Kind::name`](crate::Kind::name)); none for all that are set up.
    pub engines: Option<BTreeSet<String>>,
    /// Addresses of engines, by name, instead of the usual ones; `{language}` as in [`Kind::url`](crate::Kind::url).
    pub urls: BTreeMap<String, String>,
    /// Key of the Brave Search API; without one that engine is not asked.
    pub brave_api_key: Option<Secret>,
    /// Hosts of engines that may be at private addresses and may be spoken to by `http:`.
    pub private_hosts: BTreeSet<String>,
    /// The proxy for all requests.
    pub proxy: Option<Proxy>,
    /// What requests say they come from (`User-Agent`).
    pub user_agent: String,
    /// For a whole search. Engines that had to be set up take half of it at most, so that the others have the rest.
    pub time: Duration,
    /// For one page of one engine.
    pub engine_time: Duration,
    /// How long the slower engines still have when there are results enough from others.
    pub grace: Duration,
    /// How often one engine is asked, by all callers together; they take turns.
    pub pace: Pace,
    /// Bytes of one response after decompression.
    pub response_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            engines: None,
            urls: BTreeMap::new(),
            brave_api_key: None,
            private_hosts: BTreeSet::new(),
            proxy: None,
            user_agent: concat!("pymcp-search/", env!("CARGO_PKG_VERSION")).to_owned(),
            time: Duration::from_secs(10),
            engine_time: Duration::from_secs(5),
            grace: Duration::from_millis(500),
            pace: Pace::default(),
            response_bytes: 2 << 20,
        }
    }
}

/// How often something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// One each, in the long run; zero for no limit.
    pub every: Duration,
    /// So many at once after a pause.
    pub burst: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(1),
            burst: 5,
        }
    }
}

/// A text that is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A key as it goes into a header: 1 to 512 visible ASCII characters.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        (visible && (1..=512).contains(&text.len())).then(|| Self(text.to_owned()))
    }

    /// The text itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why a search cannot be set up. Each is one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidConfig {
    /// An address that is none.
    Url,
    /// An engine that does not exist.
    Engine {
        /// Its name as given.
        name: String,
    },
    /// An engine that was asked for and is not set up.
    NotSetUp {
        /// Its name.
        name: &'static str,
    },
    /// An address by `http:`, or on this machine or network, whose host is not named as private.
    Private {
        /// The host.
        host: String,
    },
    /// No engine at all.
    NoEngine,
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str(
                "The address of an engine must begin with http:// or https://, and have no user, query or fragment.",
            ),
            Self::Engine { name } => write!(f, "There is no engine called '{name}'."),
            Self::NotSetUp { name } => write!(f, "{name} needs a key or an address."),
            Self::Private { host } => write!(
                f,
                "{host} is on this machine or network, or is spoken to by http, and has to be named as a private host."
            ),
            Self::NoEngine => f.write_str("No engine is set up."),
        }
    }
}

impl std::error::Error for InvalidConfig {}
