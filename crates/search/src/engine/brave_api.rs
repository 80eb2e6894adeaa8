//! The Brave Search API: Brave's own index, for those who have a key.
//!
//! `GET /res/v1/web/search`; the key goes into a header. A page has 20 hits, and there are ten of them.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use pymcp_egress::{Request, Response};
use serde::Deserialize;
use url::Url;

use super::json;
use super::{Blocked, Engine, Hit, Hits, Index, Kind, Setup, base, fragment, host, status};
use crate::config::InvalidConfig;
use crate::query::Query;
use crate::region::Region;

const NAME: &str = "brave_api";

pub(super) const KIND: Kind = Kind {
    name: NAME,
    index: Index::Brave,
    url: Some("https://api.search.brave.com/"),
    keyed: true,
    make,
};

/// Hits of a page, and pages: the most that the API has.
const COUNT: &str = "20";
const LAST_OFFSET: u32 = 9;

/// A query with more is refused as a whole.
const MAX_CHARS: usize = 400;
const MAX_WORDS: usize = 50;

/// Countries of the regions that the API knows; one that it does not know is an error to it.
const COUNTRIES: &[&str] = &[
    "ar", "at", "au", "be", "br", "ca", "ch", "cl", "cn", "de", "dk", "es", "fi", "fr", "gb", "hk",
    "id", "in", "it", "jp", "kr", "mx", "my", "nl", "no", "nz", "ph", "pl", "pt", "ru", "se", "tr",
    "tw", "us", "za",
];

const NOT_ACCEPTED: Blocked = Blocked::Refused {
    why: "the key is not accepted",
};

struct BraveApi {
    url: Url,
    key: HeaderValue,
}

fn make(setup: &Setup<'_>) -> Result<Box<dyn Engine>, InvalidConfig> {
    let key = setup.key.and_then(|key| HeaderValue::from_str(key).ok());
    Ok(Box::new(BraveApi {
        url: base(setup.url)?
            .join("res/v1/web/search")
            .map_err(|_| InvalidConfig::Url)?,
        key: key.ok_or(InvalidConfig::NotSetUp { name: NAME })?,
    }))
}

impl Engine for BraveApi {
    fn hosts(&self) -> Vec<String> {
        vec![host(&self.url)]
    }

    fn request(&self, query: &Query, page: u32) -> Request {
        let mut url = self.url.clone();
        let offset = page.saturating_sub(1).min(LAST_OFFSET);
        let region = query.region();
        let mut pairs = url.query_pairs_mut();
        pairs
            .append_pair("q", &query.shortened(MAX_CHARS, MAX_WORDS))
            .append_pair("count", COUNT)
            .append_pair("offset", &offset.to_string())
            .append_pair("country", &country(region));
        if let Some(language) = language(region) {
            pairs.append_pair("search_lang", language);
        }
        pairs
            .append_pair("safesearch", "moderate")
            .append_pair("result_filter", "web");
        drop(pairs);
        json::get(url).secret(
            HeaderName::from_static("x-subscription-token"),
            self.key.clone(),
        )
    }

    fn parse(&self, response: &Response) -> Result<Hits, Blocked> {
        match response.status.as_u16() {
            401 | 403 => return Err(NOT_ACCEPTED),
            402 => {
                return Err(Blocked::Refused {
                    why: "the plan of the key is used up",
                });
            }
            422 => return Err(invalid(response)),
            429 => {
                return Err(Blocked::TooOften {
                    retry_after: status::retry_after(response).or_else(|| reset(&response.headers)),
                });
            }
            _ => status::check(response)?,
        }
        let answer = json::read(response)?;
        let kind: Option<String> = answer.read("type");
        let (Some("search"), Some(query)) = (kind.as_deref(), answer.object("query")) else {
            return Err(Blocked::Unrecognised);
        };
        // Without any hit the whole section is missing.
        if answer.get("web").is_none() {
            return Ok(Hits::default());
        }
        let results = answer.object("web").and_then(|web| web.items("results"));
        let hits = json::hits(results.ok_or(Blocked::Unrecognised)?, |item: Item| {
            Some(Hit {
                title: fragment::text(&item.title?),
                url: item.url?,
                body: fragment::text(&item.description.unwrap_or_default()),
            })
        })?;
        let more = query.read("more_results_available");
        Ok(Hits {
            more: more.unwrap_or_default() && !hits.is_empty(),
            hits,
        })
    }
}

/// The code of a country, or of all of them.
fn country(region: &Region) -> String {
    region
        .country
        .filter(|country| COUNTRIES.contains(country))
        .unwrap_or("all")
        .to_ascii_uppercase()
}

/// The API's own code of a language, if it has one.
fn language(region: &Region) -> Option<&'static str> {
    Some(match (region.language, region.country) {
        ("zh", Some("hk" | "tw")) => "zh-hant",
        ("zh", _) => "zh-hans",
        ("pt", Some("br")) => "pt-br",
        ("pt", _) => "pt-pt",
        ("ja", _) => "jp",
        ("no", _) => "nb",
        // Greek is in one of the API's lists and not in the other.
        ("el" | "id" | "tl", _) => return None,
        (language, _) => language,
    })
}

/// What `422 Unprocessable Content` means: often, that there is no such key, else that the API no longer takes what is
/// asked.
fn invalid(response: &Response) -> Blocked {
    let refused = json::read(response).ok();
    let code = refused.and_then(|refused| refused.object("error")?.read::<String>("code"));
    match code.as_deref() {
        Some("SUBSCRIPTION_TOKEN_INVALID") => NOT_ACCEPTED,
        _ => Blocked::Unrecognised,
    }
}

/// How long until every quota that is used up is there again: `X-RateLimit-Remaining` and `X-RateLimit-Reset` have a
/// number for each, the second one in seconds.
fn reset(headers: &HeaderMap) -> Option<Duration> {
    let numbers = |name| {
        let text = headers
            .get(name)
            .and_then(|value| HeaderValue::to_str(value).ok());
        let text = text.unwrap_or_default().split(',');
        text.map(|number| number.trim().parse::<u64>().ok())
            .collect::<Vec<_>>()
    };
    let remaining = numbers("x-ratelimit-remaining");
    let seconds = numbers("x-ratelimit-reset");
    let used_up = remaining
        .iter()
        .zip(&seconds)
        .filter(|(left, _)| **left == Some(0));
    used_up
        .filter_map(|(_, seconds)| *seconds)
        .max()
        .or_else(|| seconds.first().copied().flatten())
        .map(Duration::from_secs)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Item {
    title: Option<String>,
    url: Option<String>,
    description: Option<String>,
}

#[cfg(test)]
mod tests;
