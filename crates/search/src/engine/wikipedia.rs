//! Wikipedia, by the interface for programs that every MediaWiki has.
//!
//! One request for a page: `generator=search` finds the articles, `prop=extracts` gives the start of each as plain text,
//! and `prop=info` its address. Wikimedia asks for a `User-Agent` that says who calls; the door sends it.

use std::collections::{BTreeMap, BTreeSet};

use pymcp_egress::{Request, Response};
use serde::Deserialize;
use url::Url;

use super::json;
use super::{Blocked, Engine, Hit, Hits, Index, Kind, Setup, base, host, status};
use crate::config::InvalidConfig;
use crate::query::Query;
use crate::region::REGIONS;

pub(super) const KIND: Kind = Kind {
    name: "wikipedia",
    index: Index::Wikipedia,
    url: Some("https://{language}.wikipedia.org/"),
    keyed: false,
    make,
};

/// Hits of a page. Extracts are given for at most 20 articles at once.
const LIMIT: u32 = 10;
/// Characters of an extract, about; 1,200 at most.
const EXTRACT: &str = "500";
/// A longer query is refused as a whole.
const MAX_CHARS: usize = 300;

struct Wikipedia {
    /// The address for each language of [`REGIONS`], so that no host is ever made of what a caller says.
    urls: BTreeMap<&'static str, Url>,
}

fn make(setup: &Setup<'_>) -> Result<Box<dyn Engine>, InvalidConfig> {
    let address = |language: &'static str| {
        let url = base(&setup.url.replace("{language}", language))?
            .join("w/api.php")
            .map_err(|_| InvalidConfig::Url)?;
        Ok((language, url))
    };
    let languages: BTreeSet<_> = REGIONS.iter().map(|region| region.language).collect();
    let urls = languages
        .into_iter()
        .map(address)
        .collect::<Result<_, _>>()?;
    Ok(Box::new(Wikipedia { urls }))
}

impl Engine for Wikipedia {
    fn hosts(&self) -> Vec<String> {
        let hosts: BTreeSet<_> = self.urls.values().map(host).collect();
        hosts.into_iter().collect()
    }

    fn request(&self, query: &Query, page: u32) -> Request {
        let url = self.urls.get(query.region().language);
        let mut url = url.expect("an address for every language").clone();
        let offset = page.saturating_sub(1).saturating_mul(LIMIT);
        url.query_pairs_mut()
            .append_pair("action", "query")
            .append_pair("format", "json")
            .append_pair("formatversion", "2")
            .append_pair("generator", "search")
            .append_pair("gsrsearch", &query.shortened(MAX_CHARS, usize::MAX))
            .append_pair("gsrlimit", &LIMIT.to_string())
            .append_pair("gsroffset", &offset.to_string())
            .append_pair("prop", "extracts|info")
            .append_pair("inprop", "url")
            .append_pair("exintro", "1")
            .append_pair("explaintext", "1")
            .append_pair("exchars", EXTRACT)
            .append_pair("exlimit", "max");
        json::get(url)
    }

    fn parse(&self, response: &Response) -> Result<Hits, Blocked> {
        status::check(response)?;
        let answer = json::read(response)?;
        if answer.get("error").is_some() {
            let code = answer.object("error").and_then(|error| error.read("code"));
            return Err(failed(code, response));
        }
        if answer.get("query").is_none() {
            // All that is said when there is nothing, is that this is all.
            return match answer.get("batchcomplete") {
                Some(_) => Ok(Hits::default()),
                None => Err(Blocked::Unrecognised),
            };
        }
        let pages = answer
            .object("query")
            .and_then(|query| query.items("pages"));
        let mut pages = pages.ok_or(Blocked::Unrecognised)?;
        // Pages come in the order of their numbers; `index` is that of the search.
        pages
            .read
            .sort_by_key(|page: &Page| page.index.unwrap_or(i64::MAX));
        let hits = json::hits(pages, |page| {
            Some(Hit {
                title: page.title?,
                url: page.fullurl?,
                body: page.extract.unwrap_or_default(),
            })
        })?;
        if hits.is_empty() {
            return Err(Blocked::Unrecognised);
        }
        Ok(Hits {
            hits,
            more: answer.get("continue").is_some(),
        })
    }
}

/// What an error of the interface means; it comes with the status 200.
fn failed(code: Option<String>, response: &Response) -> Blocked {
    match code.as_deref() {
        Some("ratelimited" | "maxlag" | "cirrussearch-too-busy-error") => Blocked::TooOften {
            retry_after: status::retry_after(response),
        },
        _ => Blocked::Trouble,
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Page {
    index: Option<i64>,
    title: Option<String>,
    fullurl: Option<String>,
    extract: Option<String>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::MOST_HITS;
    use crate::engine::testing::{
        self, entries, garbage, headers, query, response, spoilt, status,
    };
    use crate::testing::engines::wikipedia::{empty, error, page};

    fn parse(body: impl Into<Vec<u8>>) -> Result<Hits, Blocked> {
        testing::parse(&KIND, body)
    }

    fn address(text: &str, region: &str, page: u32) -> String {
        testing::requested(&KIND, text, region, page)
    }

    #[test]
    fn a_request_is_all_that_a_page_takes() {
        let request = testing::engine(&KIND).request(&query("rust language", "uk-en"), 1);
        assert_eq!(
            testing::address(&request),
            "https://en.wikipedia.org/w/api.php?action=query&format=json&formatversion=2&generator=search\
             &gsrsearch=rust+language&gsrlimit=10&gsroffset=0&prop=extracts%7Cinfo&inprop=url&exintro=1&explaintext=1\
             &exchars=500&exlimit=max"
        );
        assert_eq!(headers(&request), [("accept", &b"application/json"[..])]);
        assert!(address("x", "uk-en", 3).contains("&gsroffset=20&"));
        let hostile = address(testing::HOSTILE, "no-no", 1);
        assert!(hostile.starts_with("https://no.wikipedia.org/w/api.php?action=query&"));
        assert!(hostile.contains(&format!("&gsrsearch={}&", testing::HOSTILE_ESCAPED)));
        let long = address(&"word ".repeat(100), "uk-en", 1);
        assert!(long.contains(&format!("&gsrsearch={}&", ["word"; 60].join("+"))));
    }

    #[test]
    fn every_region_has_its_language() {
        let hosts = testing::engine(&KIND).hosts();
        for region in REGIONS {
            let url = address("x", region.code, 1);
            let host = format!("{}.wikipedia.org", region.language);
            assert!(
                url.starts_with(&format!("https://{host}/w/api.php?")),
                "{url}"
            );
            assert!(hosts.contains(&host));
        }
        assert!(hosts.iter().all(|host| host.ends_with(".wikipedia.org")));
        for (region, host) in [
            ("jp-jp", "ja."),
            ("ph-tl", "tl."),
            ("tw-tzh", "zh."),
            ("wt-wt", "en."),
        ] {
            assert!(address("x", region, 1).starts_with(&format!("https://{host}")));
        }
    }

    #[test]
    fn another_address_serves_all_languages_or_each() {
        let at = |url: &str| make(&Setup { url, key: None });
        let one = at("http://127.0.0.1:8080/wiki").unwrap();
        assert_eq!(one.hosts(), ["127.0.0.1"]);
        let request = one.request(&query("x", "de-de"), 1);
        assert!(
            request
                .url
                .as_str()
                .starts_with("http://127.0.0.1:8080/wiki/w/api.php?")
        );
        let each = at("https://example.org/{language}/").unwrap();
        let request = each.request(&query("x", "de-de"), 1);
        assert!(
            request
                .url
                .as_str()
                .starts_with("https://example.org/de/w/api.php?")
        );
        assert_eq!(at("example.org").err(), Some(InvalidConfig::Url));
    }

    #[test]
    fn articles_are_in_the_order_of_the_search() {
        let entries = entries(10);
        for more in [true, false] {
            let found = parse(page(&entries, more)).unwrap();
            assert_eq!(found.hits, testing::hits(&entries));
            assert_eq!(found.more, more);
        }
        assert_eq!(parse(empty()), Ok(Hits::default()));
        assert_eq!(
            parse(page(&testing::entries(60), false))
                .unwrap()
                .hits
                .len(),
            MOST_HITS
        );
    }

    #[test]
    fn what_an_article_lacks_is_left_out() {
        let body = r#"{"batchcomplete":true,"query":{"pages":[
            {"title":"No address"},{"fullurl":"https://example.org/no-title"},
            {"title":"A","fullurl":"https://example.org/a","extract":null}]}}"#;
        let hits = parse(body).unwrap().hits;
        assert_eq!(hits.len(), 1);
        assert_eq!((hits[0].title.as_str(), hits[0].body.as_str()), ("A", ""));
        let renamed = page(&entries(3), false).replace("fullurl", "address");
        assert_eq!(parse(renamed), Err(Blocked::Unrecognised));
    }

    #[test]
    fn errors_are_told_apart() {
        for code in ["ratelimited", "maxlag", "cirrussearch-too-busy-error"] {
            let engine = testing::engine(&KIND);
            let refusal = engine.parse(&response(200, &[("retry-after", "5")], error(code)));
            let retry_after = Some(Duration::from_secs(5));
            assert_eq!(refusal, Err(Blocked::TooOften { retry_after }));
        }
        for code in ["internal_api_error_DBQueryError", "readonly", ""] {
            assert_eq!(parse(error(code)), Err(Blocked::Trouble));
        }
        assert_eq!(status(&KIND, 403), Err(Blocked::Challenge));
        assert_eq!(status(&KIND, 404), Err(Blocked::Unrecognised));
        assert_eq!(
            status(&KIND, 429),
            Err(Blocked::TooOften { retry_after: None })
        );
        assert_eq!(status(&KIND, 503), Err(Blocked::Failed { status: 503 }));
    }

    #[test]
    fn a_malformed_hit_costs_itself_alone() {
        testing::malformed_hits_cost_themselves_alone(&KIND, page, "\"title\":", "\"fullurl\":");
    }

    #[test]
    fn anything_else_is_no_page() {
        for body in garbage()
            .into_iter()
            .chain(spoilt(&page(&entries(1), true)))
        {
            let text = String::from_utf8_lossy(&body).into_owned();
            assert_eq!(parse(body), Err(Blocked::Unrecognised), "{text:.200}");
        }
        testing::survives(&KIND);
    }
}
