//! Brave Search: its own index, <https://search.brave.com/search>, as browsers without scripts have it.
//!
//! `q` are the words, `offset` is the page from 0, of which it gives ten. The country is a cookie; so is the language
//! of the page itself, which is always English so that what it says can be read. Programs are soon answered with status
//! 429, or asked for a proof of work. It always finds something that is like what was asked for, so pages without hits
//! are rare. There is an interface with a key, too: `brave_api.rs`.

use pymcp_egress::{Request, Response};
use scraper::ElementRef;
use url::Url;

use super::web::{self, Layout};
use super::{Blocked, Engine, Hit, Hits, Index, InvalidConfig, Kind, base, host};
use crate::html::{Selectors, first, text};
use crate::query::Query;

pub(super) const KIND: Kind = Kind {
    name: "brave",
    index: Index::Brave,
    url: Some("https://search.brave.com/"),
    keyed: false,
    make: |setup| {
        let url = base(setup.url)?.join("search");
        let url = url.map_err(|_| InvalidConfig::Url)?;
        Ok(Box::new(Brave { url }))
    },
};

static LAYOUT: Layout = Layout {
    challenge_status: &[],
    challenge: Selectors::new(&[
        "[id*=captcha], [class*=captcha]",
        "[href*=captcha], [action*=captcha]",
    ]),
    hit: Selectors::new(&[
        ".snippet[data-type=web]",
        "[data-type=web]",
        "#results > .snippet",
    ]),
    nothing: Selectors::new(&[
        "main p, main div, main span, main h1, main h2",
        "#results p, #results div",
    ]),
    nothing_words: &["Not many great matches", "No results"],
};
static LINK: Selectors = Selectors::new(&["a.l1[href]", ".result-content > a[href]", "a[href]"]);
static TITLE: Selectors = Selectors::new(&[".search-snippet-title", ".title", ".snippet-title"]);
static BODY: Selectors = Selectors::new(&[
    ".generic-snippet .content",
    ".snippet-description",
    ".generic-snippet",
    ".content",
]);

struct Brave {
    url: Url,
}

impl Engine for Brave {
    fn hosts(&self) -> Vec<String> {
        vec![host(&self.url)]
    }

    fn request(&self, query: &Query, page: u32) -> Request {
        let mut url = self.url.clone();
        url.query_pairs_mut()
            .append_pair("q", query.text())
            .append_pair("source", "web");
        if page > 1 {
            let offset = (page - 1).to_string();
            url.query_pairs_mut().append_pair("offset", &offset);
        }
        let region = query.region();
        let cookies = [
            ("country", region.country.unwrap_or("all")),
            ("useLocation", "0"),
            ("summarizer", "0"),
            ("ui_lang", "en-us"),
        ];
        web::cookies(web::page(Request::get(url), region), &cookies)
    }

    fn parse(&self, response: &Response) -> Result<Hits, Blocked> {
        LAYOUT.read(response, |element| self.hit(element))
    }
}

impl Brave {
    fn hit(&self, element: ElementRef<'_>) -> Option<Hit> {
        let url = web::link(&self.url, first(element, &LINK)?)?;
        // Links to itself are advertisements and other searches.
        let url = (url.host() != self.url.host()).then_some(url);
        web::hit(first(element, &TITLE).map(text), url, first(element, &BODY))
    }
}

#[cfg(test)]
mod tests {
    use super::web::tests::{HOSTILE, asked, entries, hits, parsed};
    use super::*;
    use crate::testing::engines::brave as pages;

    #[test]
    fn a_page_is_got() {
        assert_eq!(
            asked(&KIND, "rust lang", "uk-en", 1),
            "GET https://search.brave.com/search?q=rust+lang&source=web\naccept: text/html\n\
             accept-language: en-GB,en;q=0.9\n\
             cookie: country=gb; useLocation=0; summarizer=0; ui_lang=en-us"
        );
        assert_eq!(
            asked(&KIND, "rust", "wt-wt", 3),
            "GET https://search.brave.com/search?q=rust&source=web&offset=2\naccept: text/html\n\
             accept-language: en\ncookie: country=all; useLocation=0; summarizer=0; ui_lang=en-us"
        );
        assert_eq!(
            asked(&KIND, HOSTILE, "wt-wt", 1).lines().next(),
            Some(
                "GET https://search.brave.com/search?q=a%26b%23c%3F%3D%2F..%2F%2500+%C3%A9+%E6%97%A5%E6%9C%AC&source=web"
            )
        );
    }

    #[test]
    fn advertisements_are_left_out() {
        let entries = entries();
        assert_eq!(
            parsed(&KIND, pages::ads(&entries)).unwrap().hits,
            hits(&entries)
        );
    }

    #[test]
    fn hits_below_a_word_of_regret_are_hits() {
        let entries = entries();
        let page = pages::page(&entries, false);
        let page = page.replace(
            "<div id=\"results\">",
            "<div id=\"results\"><p>Not many great matches</p>",
        );
        assert_eq!(parsed(&KIND, page).unwrap().hits, hits(&entries));
    }
}
