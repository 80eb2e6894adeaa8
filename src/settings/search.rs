//! The settings of `text_web_search`, and what they set up.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::time::Duration;

use clap::Args;
use pymcp_app::value::{self, host, whole};
use pymcp_app::{Error, Result};
use pymcp_search::{ALL, Config, InvalidConfig, InvalidProxy, Pace, Proxy, Secret};

use crate::tools::text_web_search::{WebSearch, setting_of};

/// Which search engines are asked, where they are, and how often and for how long.
///
/// What may hold a password is marked `hide_env_values`: it is shown neither in the help nor where it is refused.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = HEADING)]
pub struct SearchSettings {
    /// Engines to ask: `auto` for all that are set up, or a comma-separated list of names.
    #[arg(long = "search-engines", hide_short_help = true, default_value = "auto", value_name = "NAMES", value_parser = engines)]
    engines: Engines,

    /// Other addresses for engines, comma-separated, as `name=URL`: for mirrors and tests.
    #[arg(long = "search-urls", hide_short_help = true, default_value = "", value_name = "NAME=URL", value_parser = urls, hide_default_value = true, hide_env_values = true)]
    urls: BTreeMap<String, String>,

    /// Address of a SearXNG instance, which is asked first; it has to have JSON among its formats.
    #[arg(long = "searxng-url", hide_short_help = true, env = "SEARXNG_URL", default_value = "", value_name = "URL", value_parser = address, hide_default_value = true, hide_env_values = true)]
    searxng_url: OrNone<String>,

    /// Key of the Brave Search API, which is asked first. Better given by the variable: others on this
    /// machine can see flags.
    #[arg(long = "brave-api-key", hide_short_help = true, env = "BRAVE_API_KEY", default_value = "", value_name = "KEY", value_parser = key, hide_default_value = true, hide_env_values = true)]
    brave_api_key: OrNone<Secret>,

    /// Hosts of engines, comma-separated, that may be at private addresses and may be spoken to by
    /// http: a SearXNG of one's own, say.
    #[arg(long = "search-private-hosts", hide_short_help = true, default_value = "", value_name = "HOSTS", value_parser = hosts, hide_default_value = true)]
    private_hosts: BTreeSet<String>,

    /// Proxy for all requests of the search: http://, https:// or socks5h://, with a user and a
    /// password or without. It resolves names, so addresses are its business then.
    #[arg(long = "search-proxy", alias = "ddgs-proxy", env = "DDGS_PROXY", hide_short_help = true, default_value = "", value_name = "URL", value_parser = proxy, hide_default_value = true, hide_env_values = true)]
    proxy: OrNone<Proxy>,

    /// Seconds that a search may take, 1 to 60.
    #[arg(long = "search-timeout", hide_short_help = true, default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    search_time: Duration,

    /// Seconds that an engine may take for a page, 1 to 60.
    #[arg(long = "search-engine-timeout", hide_short_help = true, default_value = "5", value_name = "SECONDS", value_parser = seconds)]
    engine_time: Duration,

    /// Milliseconds between two requests to one engine in the long run, 0 to 60000; 0 is no limit.
    #[arg(long = "search-interval", hide_short_help = true, default_value = "1000", value_name = "MS", value_parser = interval)]
    interval: Duration,

    /// What requests say they come from: 1 to 200 visible ASCII characters and spaces.
    #[arg(long = "search-user-agent", hide_short_help = true, default_value = concat!("pymcp/", env!("CARGO_PKG_VERSION")), value_name = "TEXT", value_parser = user_agent)]
    user_agent: String,
}

/// Under what the help lists these settings.
pub const HEADING: &str = "Web search";

impl SearchSettings {
    /// What `text_web_search` needs. Opens no connection.
    ///
    /// # Errors
    /// When the settings do not fit together.
    pub fn set_up(&self) -> Result<WebSearch> {
        let mut urls = self.urls.clone();
        if let Some(url) = &self.searxng_url.0 {
            urls.insert("searxng".to_owned(), url.clone());
        }
        let config = Config {
            engines: self.engines.0.clone(),
            urls,
            brave_api_key: self.brave_api_key.0.clone(),
            private_hosts: self.private_hosts.clone(),
            proxy: self.proxy.0.clone(),
            user_agent: self.user_agent.clone(),
            time: self.search_time,
            engine_time: self.engine_time,
            pace: Pace {
                every: self.interval,
                ..Pace::default()
            },
            ..Config::default()
        };
        WebSearch::new(config).map_err(|invalid| Error::setting(self.refusal(&invalid)))
    }

    /// The sentence for settings that cannot be used, or not together. No address is in it.
    fn refusal(&self, invalid: &InvalidConfig) -> String {
        const ENGINES: &str = "--search-engines";
        const URLS: &str = "--search-urls";
        const SEARXNG: &str = "--searxng-url";
        match invalid {
            InvalidConfig::Url => {
                const WHAT: &str = "an http or https address without user, query and fragment";
                match (self.urls.is_empty(), self.searxng_url.0.is_some()) {
                    (true, _) => format!("{SEARXNG} must be {WHAT}."),
                    (false, false) => format!("{URLS} must have {WHAT} for each engine."),
                    (false, true) => {
                        format!("{SEARXNG} must be {WHAT}, and so must those in {URLS}.")
                    }
                }
            }
            InvalidConfig::Engine { name } => {
                format!("{ENGINES} names '{name}', which is none of {}.", names())
            }
            InvalidConfig::NotSetUp { name } => {
                format!(
                    "{ENGINES} names {name}, which is not set up; set {}.",
                    setting_of(name)
                )
            }
            InvalidConfig::Private { host } => format!(
                "--search-private-hosts must name {host}, because it is spoken to by http \
                 or is at a private address; or use https and a public one."
            ),
            InvalidConfig::NoEngine => format!("{ENGINES} must name an engine."),
            _ => format!("The settings under '{HEADING}' do not fit together."),
        }
    }
}

/// The engines to ask; none for all that are set up.
#[derive(Debug, Clone)]
struct Engines(Option<BTreeSet<String>>);

/// A setting that may be empty, which means none.
#[derive(Debug, Clone)]
struct OrNone<T>(Option<T>);

impl<T> OrNone<T> {
    fn read<E>(text: &str, read: impl FnOnce(&str) -> Result<T, E>) -> Result<Self, E> {
        match text.trim() {
            "" => Ok(Self(None)),
            text => read(text).map(|value| Self(Some(value))),
        }
    }
}

/// The names of all engines.
fn names() -> String {
    let names: Vec<_> = ALL.iter().map(|kind| kind.name).collect();
    names.join(", ")
}

fn is_engine(name: &str) -> bool {
    ALL.iter().any(|kind| kind.name == name)
}

/// What stands between commas.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
}

fn engines(text: &str) -> Result<Engines, String> {
    if text.trim().eq_ignore_ascii_case("auto") {
        return Ok(Engines(None));
    }
    let chosen: BTreeSet<_> = entries(text).map(str::to_owned).collect();
    match !chosen.is_empty() && chosen.iter().all(|name| is_engine(name)) {
        true => Ok(Engines(Some(chosen))),
        false => Err(format!("auto or a comma-separated list of {}", names())),
    }
}

fn urls(text: &str) -> Result<BTreeMap<String, String>, String> {
    let read = |entry: &str| {
        let (name, url) = entry.split_once('=')?;
        let (name, url) = (name.trim(), url.trim());
        (is_engine(name) && !url.is_empty()).then(|| (name.to_owned(), url.to_owned()))
    };
    let urls: Option<BTreeMap<_, _>> = entries(text).map(read).collect();
    urls.filter(|urls| urls.len() == entries(text).count())
        .ok_or_else(|| {
            format!(
                "a comma-separated list of name=URL, each name once and one of {}",
                names()
            )
        })
}

fn address(text: &str) -> Result<OrNone<String>, String> {
    OrNone::read(text, |text| Ok(text.to_owned()))
}

fn key(text: &str) -> Result<OrNone<Secret>, String> {
    OrNone::read(text, |text| {
        Secret::new(text).ok_or_else(|| "a key of at most 512 visible ASCII characters".to_owned())
    })
}

fn hosts(text: &str) -> Result<BTreeSet<String>, String> {
    let read = |entry: &str| {
        let bare = entry.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<Ipv6Addr>() {
            // As it stands in an address.
            Ok(address) => Ok(format!("[{address}]")),
            Err(_) => host(entry).map(|host| host.to_ascii_lowercase()),
        }
    };
    let hosts: Result<_, _> = entries(text).map(read).collect();
    hosts.map_err(|_| "a comma-separated list of host names and IP addresses, without ports".into())
}

fn proxy(text: &str) -> Result<OrNone<Proxy>, InvalidProxy> {
    OrNone::read(text, str::parse)
}

fn seconds(text: &str) -> Result<Duration, String> {
    value::seconds(text, 1, 60)
}

fn interval(text: &str) -> Result<Duration, String> {
    whole(text, 0, 60_000, "milliseconds ").map(Duration::from_millis)
}

fn user_agent(text: &str) -> Result<String, String> {
    let text = text.trim();
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() || byte == b' ');
    match plain && (1..=200).contains(&text.len()) {
        true => Ok(text.to_owned()),
        false => Err("1 to 200 visible ASCII characters and spaces".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_is_none() {
        for nothing in ["", "  "] {
            assert!(address(nothing).unwrap().0.is_none());
            assert!(key(nothing).unwrap().0.is_none());
            assert!(proxy(nothing).unwrap().0.is_none());
            assert!(hosts(nothing).unwrap().is_empty());
            assert!(urls(nothing).unwrap().is_empty());
        }
    }

    #[test]
    fn hosts_are_written_as_in_addresses() {
        let read = hosts(" Search.Example , 127.0.0.1, ::1,[2001:DB8::0:1] ").unwrap();
        let read: Vec<_> = read.iter().map(String::as_str).collect();
        assert_eq!(
            read,
            ["127.0.0.1", "[2001:db8::1]", "[::1]", "search.example"]
        );
    }

    #[test]
    fn secrets_are_shown_nowhere() {
        let shown = format!("{:?}", key(" hunter2 ").unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
        let refused = key("hunter 2").unwrap_err();
        assert!(!refused.contains("hunter"), "{refused}");
    }

    #[test]
    fn a_sentence_names_the_address_that_is_none() {
        use clap::Parser as _;
        #[derive(clap::Parser)]
        struct Program {
            #[command(flatten)]
            search: SearchSettings,
        }
        let sentence = |arguments: &[&str]| {
            let arguments = ["pymcp"].iter().chain(arguments);
            let program = Program::try_parse_from(arguments).unwrap();
            program.search.refusal(&InvalidConfig::Url)
        };
        let name = ALL.first().map_or("", |kind| kind.name);
        let urls = format!("--search-urls={name}=hunter2");
        let searxng = "--searxng-url=hunter2";
        for (arguments, named) in [
            (&[searxng][..], [true, false]),
            (&[&urls], [false, true]),
            (&[searxng, &urls], [true, true]),
        ] {
            let sentence = sentence(arguments);
            let names = ["--searxng-url", "--search-urls"].map(|name| sentence.contains(name));
            assert_eq!(names, named, "{sentence}");
            assert!(!sentence.contains("hunter2"), "{sentence}");
        }
    }
}
