//! Mojeek: its own index, <https://www.mojeek.com/search>.
//!
//! `q` are the words; `s` is the number of the first hit, of which a page has ten, and must not be there on the first
//! page. Region and language are cookies, as its settings page writes them (`arc`, `lb`). It allows an address some ten
//! requests at a time; then comes status 403, or a puzzle with 200.

use pymcp_egress::{Request, Response};
use scraper::ElementRef;
use url::Url;

use super::web::{self, Layout};
use super::{Blocked, Engine, Hit, Hits, Index, InvalidConfig, Kind, base, host};
use crate::html::{Selectors, first, text};
use crate::query::Query;

pub(super) const KIND: Kind = Kind {
    name: "mojeek",
    index: Index::Mojeek,
    url: Some("https://www.mojeek.com/"),
    keyed: false,
    make: |setup| {
        let url = base(setup.url)?.join("search");
        let url = url.map_err(|_| InvalidConfig::Url)?;
        Ok(Box::new(Mojeek { url }))
    },
};

/// The languages of ours that it knows.
const LANGUAGES: &[&str] = &[
    "ca", "da", "de", "en", "es", "fi", "fr", "hr", "id", "it", "nl", "no", "pl", "pt", "sv",
];

static LAYOUT: Layout = Layout {
    challenge_status: &[403],
    challenge: Selectors::new(&["form[action*=captcha]", "altcha-widget", "[id*=captcha]"]),
    hit: Selectors::new(&["ul.results-standard > li", "ul[class*=results] > li"]),
    nothing: Selectors::new(&[
        ".results p, .results h1, .results h2, #results p",
        "p, h1, h2",
    ]),
    nothing_words: &["No pages found"],
};
static TITLE: Selectors = Selectors::new(&["h2 a[href]", "a.title[href]"]);
static BODY: Selectors = Selectors::new(&["p.s"]);

struct Mojeek {
    url: Url,
}

impl Engine for Mojeek {
    fn hosts(&self) -> Vec<String> {
        vec![host(&self.url)]
    }

    fn request(&self, query: &Query, page: u32) -> Request {
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("q", query.text());
        if page > 1 {
            let start = (page - 1).saturating_mul(10).saturating_add(1);
            url.query_pairs_mut().append_pair("s", &start.to_string());
        }
        let region = query.region();
        let language = LANGUAGES
            .contains(&region.language)
            .then_some(region.language);
        let cookies = [
            ("arc", region.country.unwrap_or("none")),
            ("lb", language.unwrap_or_default()),
        ];
        web::cookies(web::page(Request::get(url), region), &cookies)
    }

    fn parse(&self, response: &Response) -> Result<Hits, Blocked> {
        LAYOUT.read(response, |element| self.hit(element))
    }
}

impl Mojeek {
    fn hit(&self, element: ElementRef<'_>) -> Option<Hit> {
        let title = first(element, &TITLE)?;
        let url = web::link(&self.url, title);
        web::hit(Some(text(title)), url, first(element, &BODY))
    }
}

#[cfg(test)]
mod tests {
    use super::web::tests::{HOSTILE, asked};
    use super::*;

    #[test]
    fn a_page_is_got() {
        assert_eq!(
            asked(&KIND, "rust lang", "uk-en", 1),
            "GET https://www.mojeek.com/search?q=rust+lang\naccept: text/html\n\
             accept-language: en-GB,en;q=0.9\ncookie: arc=gb; lb=en"
        );
        assert_eq!(
            asked(&KIND, "rust", "jp-jp", 3),
            "GET https://www.mojeek.com/search?q=rust&s=21\naccept: text/html\n\
             accept-language: ja-JP,ja;q=0.9\ncookie: arc=jp; lb="
        );
        assert_eq!(
            asked(&KIND, HOSTILE, "wt-wt", 1),
            "GET https://www.mojeek.com/search?q=a%26b%23c%3F%3D%2F..%2F%2500+%C3%A9+%E6%97%A5%E6%9C%AC\n\
             accept: text/html\naccept-language: en\ncookie: arc=none; lb=en"
        );
    }

    #[test]
    fn addresses_that_are_set_may_have_a_path() {
        let url = "http://127.0.0.1:8080/mojeek";
        let engine = (KIND.make)(&super::super::Setup { url, key: None }).unwrap();
        let query = Query::new("x", "uk-en", 1, 1).unwrap();
        let request = engine.request(&query, 1);
        assert_eq!(
            request.url.as_str(),
            "http://127.0.0.1:8080/mojeek/search?q=x"
        );
        assert_eq!(engine.hosts(), ["127.0.0.1"]);
    }
}
