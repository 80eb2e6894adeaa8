//! SearXNG: many engines behind one address, on a server that somebody keeps for it.
//!
//! `GET /search?format=json`, which the server has to allow (`search.formats` in its settings; `403` else).

use http::header::CONTENT_TYPE;
use pymcp_egress::{Request, Response};
use serde::Deserialize;
use url::Url;

use super::json;
use super::{Blocked, Engine, Hit, Hits, Index, Kind, Setup, base, host, status};
use crate::config::InvalidConfig;
use crate::query::Query;
use crate::region::Region;

pub(super) const KIND: Kind = Kind {
    name: "searxng",
    index: Index::Mixed,
    url: None,
    keyed: true,
    make,
};

const NO_JSON: Blocked = Blocked::Refused {
    why: "its settings do not allow the format json",
};

struct Searxng {
    url: Url,
}

fn make(setup: &Setup<'_>) -> Result<Box<dyn Engine>, InvalidConfig> {
    let url = base(setup.url)?
        .join("search")
        .map_err(|_| InvalidConfig::Url)?;
    Ok(Box::new(Searxng { url }))
}

impl Engine for Searxng {
    fn hosts(&self) -> Vec<String> {
        vec![host(&self.url)]
    }

    fn request(&self, query: &Query, page: u32) -> Request {
        let mut url = self.url.clone();
        url.query_pairs_mut()
            .append_pair("q", query.text())
            .append_pair("format", "json")
            .append_pair("language", &language(query.region()))
            .append_pair("pageno", &page.max(1).to_string())
            .append_pair("safesearch", "1");
        json::get(url)
    }

    fn parse(&self, response: &Response) -> Result<Hits, Blocked> {
        match response.status.as_u16() {
            401 => {
                return Err(Blocked::Refused {
                    why: "it wants a login",
                });
            }
            403 => return Err(NO_JSON),
            _ => status::check(response)?,
        }
        if is_html(response) {
            return Err(NO_JSON);
        }
        let answer = json::read(response)?;
        let results = answer.items("results").ok_or(Blocked::Unrecognised)?;
        let hits = json::hits(results, |item: Item| {
            Some(Hit {
                title: item.title?,
                url: item.url?,
                body: item.content.unwrap_or_default(),
            })
        })?;
        // Nothing from those of its engines that answered does not mean that there is nothing.
        let silent = answer
            .items::<Item>("unresponsive_engines")
            .is_some_and(|list| list.any);
        if hits.is_empty() && silent {
            return Err(Blocked::Trouble);
        }
        Ok(Hits {
            more: !hits.is_empty(),
            hits,
        })
    }
}

/// A locale such as `en-GB`, a language alone, or everything. What SearXNG does not know it brings near to what it
/// does, except for two languages that have another name there.
fn language(region: &Region) -> String {
    if region.code == "wt-wt" {
        return "all".to_owned();
    }
    let language = match region.language {
        "no" => "nb",
        "tl" => "fil",
        language => language,
    };
    match region.country {
        Some(country) => format!("{language}-{}", country.to_ascii_uppercase()),
        None => language.to_owned(),
    }
}

fn is_html(response: &Response) -> bool {
    let kind = response.headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.trim_ascii_start()
        .get(..9)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"))
        || response.body.trim_ascii_start().starts_with(b"<")
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Item {
    title: Option<String>,
    url: Option<String>,
    content: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::MOST_HITS;
    use crate::engine::testing::{
        self, entries, garbage, headers, query, response, spoilt, status,
    };
    use crate::region::REGIONS;
    use crate::testing::engines::searxng::{empty, error_html, page, silent};

    fn parse(body: impl Into<Vec<u8>>) -> Result<Hits, Blocked> {
        testing::parse(&KIND, body)
    }

    fn address(text: &str, region: &str, page: u32) -> String {
        testing::requested(&KIND, text, region, page)
    }

    #[test]
    fn a_request_says_where_and_which_page() {
        let request = testing::engine(&KIND).request(&query("rust language", "uk-en"), 1);
        assert_eq!(
            testing::address(&request),
            "https://search.example.org/search?q=rust+language&format=json&language=en-GB&pageno=1&safesearch=1"
        );
        assert_eq!(headers(&request), [("accept", &b"application/json"[..])]);
        assert_eq!(
            address(testing::HOSTILE, "br-pt", 3),
            format!(
                "https://search.example.org/search?q={}&format=json&language=pt-BR&pageno=3&safesearch=1",
                testing::HOSTILE_ESCAPED
            )
        );
        for (region, language) in [
            ("wt-wt", "all"),
            ("xl-es", "es"),
            ("no-no", "nb-NO"),
            ("ph-tl", "fil-PH"),
            ("tw-tzh", "zh-TW"),
            ("ct-ca", "ca-ES"),
            ("jp-jp", "ja-JP"),
        ] {
            assert!(
                address("x", region, 1).contains(&format!("&language={language}&")),
                "{region}"
            );
        }
    }

    #[test]
    fn every_language_has_the_form_that_is_taken() {
        for region in REGIONS {
            let locale = language(region);
            let (language, country) = locale.split_once('-').unwrap_or((&locale, "XX"));
            assert!(
                (2..=3).contains(&language.len()) && country.len() == 2,
                "{locale}"
            );
        }
    }

    #[test]
    fn its_address_has_to_be_given() {
        assert!(KIND.url.is_none());
        let at = |url: &str| make(&Setup { url, key: None });
        let engine = at("http://127.0.0.1:8888/searx").unwrap();
        assert_eq!(engine.hosts(), ["127.0.0.1"]);
        let request = engine.request(&query("x", "uk-en"), 1);
        assert!(
            request
                .url
                .as_str()
                .starts_with("http://127.0.0.1:8888/searx/search?q=x&")
        );
        for url in [
            "",
            "127.0.0.1",
            "https://user@example.org/",
            "https://example.org/?a=b",
        ] {
            assert_eq!(at(url).err(), Some(InvalidConfig::Url));
        }
    }

    #[test]
    fn results_are_read_in_their_order() {
        let entries = entries(10);
        let found = parse(page(&entries, true)).unwrap();
        assert_eq!(found.hits, testing::hits(&entries));
        assert!(found.more);
        assert_eq!(parse(empty()), Ok(Hits::default()));
        assert_eq!(
            parse(page(&testing::entries(60), true)).unwrap().hits.len(),
            MOST_HITS
        );
        let renamed = page(&entries, true).replace("\"url\"", "\"link\"");
        assert_eq!(parse(renamed), Err(Blocked::Unrecognised));
    }

    #[test]
    fn nothing_from_some_is_not_nothing_from_all() {
        assert_eq!(parse(silent()), Err(Blocked::Trouble));
        let some = page(&entries(1), true).replace(
            "\"unresponsive_engines\":[]",
            "\"unresponsive_engines\":[[\"some engine\",\"CAPTCHA\"]]",
        );
        assert_eq!(parse(some).unwrap().hits.len(), 1);
    }

    #[test]
    fn it_says_what_the_operator_can_do() {
        assert_eq!(status(&KIND, 403), Err(NO_JSON));
        assert_eq!(parse(error_html()), Err(NO_JSON));
        let html = response(
            200,
            &[("content-type", "Text/HTML; charset=utf-8")],
            "words",
        );
        assert_eq!(testing::engine(&KIND).parse(&html), Err(NO_JSON));
        assert!(matches!(status(&KIND, 401), Err(Blocked::Refused { .. })));
        assert_eq!(
            status(&KIND, 429),
            Err(Blocked::TooOften { retry_after: None })
        );
        assert_eq!(status(&KIND, 404), Err(Blocked::Unrecognised));
        assert_eq!(status(&KIND, 500), Err(Blocked::Failed { status: 500 }));
    }

    #[test]
    fn a_malformed_hit_costs_itself_alone() {
        testing::malformed_hits_cost_themselves_alone(&KIND, page, "\"title\":", "\"url\":");
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
