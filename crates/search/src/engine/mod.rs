//! Search engines, one a file. An engine says what to ask and reads what came back; it does no I/O, keeps no state and
//! knows no time, so it is tested with pages and requests alone.
//!
//! To add one: copy `mojeek.rs`, and add it to [`ALL`]. Settings, docs and hosts come from there.

mod brave;
mod brave_api;
mod duckduckgo;
mod fragment;
mod json;
mod mojeek;
mod searxng;
mod status;
#[cfg(test)]
mod testing;
mod web;
mod wikipedia;
mod yahoo;

use std::time::Duration;

use pymcp_egress::{Request, Response};
use url::Url;

use crate::config::InvalidConfig;
use crate::query::Query;

/// Every engine, in the order that decides between results of equal rank.
pub const ALL: &[Kind] = &[
    brave_api::KIND,
    searxng::KIND,
    duckduckgo::KIND,
    mojeek::KIND,
    brave::KIND,
    yahoo::KIND,
    wikipedia::KIND,
];

/// One engine, before it is set up.
#[derive(Debug)]
pub struct Kind {
    /// Its name in settings and results.
    pub name: &'static str,
    /// Whose index it searches.
    pub index: Index,
    /// The address that it has unless another is set; none for one that has to be set. `{language}` stands for the
    /// language of the region (ISO 639-1).
    pub url: Option<&'static str>,
    /// Whether it has to be set up (an address or a key) and is therefore asked first.
    pub keyed: bool,
    /// Makes it ready.
    pub(crate) make: fn(&Setup<'_>) -> Result<Box<dyn Engine>, InvalidConfig>,
}

/// Whose crawl the results are from: two engines with the same index are one opinion, not two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Index {
    /// Microsoft's.
    Bing,
    /// Brave's.
    Brave,
    /// Mojeek's.
    Mojeek,
    /// Wikipedia's own.
    Wikipedia,
    /// Several others'.
    Mixed,
}

impl Index {
    /// What its opinion counts. An encyclopaedia has something on everything: it confirms more than it finds.
    pub(crate) fn weight(self) -> f64 {
        match self {
            Self::Wikipedia => 0.5,
            _ => 1.0,
        }
    }
}

/// What an engine is set up with.
pub(crate) struct Setup<'a> {
    /// Its address, as [`Kind::url`] or as set.
    pub(crate) url: &'a str,
    /// Its key, if it takes one.
    pub(crate) key: Option<&'a str>,
}

/// A search engine.
///
/// Pure: the same query makes the same request, the same response the same hits.
pub trait Engine: Send + Sync {
    /// The hosts that it talks to, in lower case and without ports.
    fn hosts(&self) -> Vec<String>;

    /// The request for page `page` (from 1) of the results.
    fn request(&self, query: &Query, page: u32) -> Request;

    /// What a response says: the hits of a page, perhaps none.
    ///
    /// # Errors
    /// When it is no page of results, with what it is instead. A page that is not known is never taken for one without
    /// results.
    fn parse(&self, response: &Response) -> Result<Hits, Blocked>;
}

/// Hits of one page that are read: more than any engine gives, and few enough for whoever reads them.
pub(crate) const MOST_HITS: usize = 50;

/// The hits of one page, best first; 50 at most.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hits {
    /// As the engine has them: not cleaned, not bounded.
    pub hits: Vec<Hit>,
    /// Whether there may be a next page. When in doubt there may: one that is not there costs a request, one that is
    /// not asked for costs its results.
    pub more: bool,
}

/// One hit, as the engine has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The page's title, as text (entities decoded, no markup).
    pub title: String,
    /// Where it is: an absolute address, out of the engine's own redirects.
    pub url: String,
    /// What the engine shows of it, as text; may be empty.
    pub body: String,
}

/// Why a response holds no hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocked {
    /// It asks for proof of being human, or for consent, or refuses programs.
    Challenge,
    /// It was asked too often, by us or by everybody.
    TooOften {
        /// How long it wants to be left alone (`Retry-After`), if it says so.
        retry_after: Option<Duration>,
    },
    /// It does not take the key, or answers only those who have one, or has JSON switched off (SearXNG).
    Refused {
        /// What the operator can do, as the end of a sentence: `"the key is not accepted"`.
        why: &'static str,
    },
    /// It has a problem of its own, by its status.
    Failed {
        /// The HTTP status, 500 or above.
        status: u16,
    },
    /// It says in its answer that it has a problem of its own.
    Trouble,
    /// The page is none that is known: it may have changed.
    Unrecognised,
    /// The page is too deep, too large or too slow to read.
    TooComplex,
}

/// The address of an engine as set, with a path that ends with a slash.
///
/// # Errors
/// When it is not `http:` or `https:` with a host and nothing behind the path.
pub(crate) fn base(text: &str) -> Result<Url, InvalidConfig> {
    let mut url = Url::parse(text.trim()).map_err(|_| InvalidConfig::Url)?;
    let plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain {
        return Err(InvalidConfig::Url);
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// The host of an address, as [`Engine::hosts`] has it.
pub(crate) fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}
