//! DuckDuckGo: its page for browsers without scripts, <https://html.duckduckgo.com/html/>.
//!
//! A form is posted: `q` are the words (499 characters at most), `kl` is the region, and an empty `b` asks for the
//! beginning. Pages behind the first one need a token (`vqd`) that is in the page before; who asks without it is taken
//! for a program and blocked. So no page is said to have a next one, and only the first is ever asked for. Programs are
//! answered with status 202 and a puzzle, at times with 200. Links lead through `/l/?uddg=`.

use pymcp_egress::{Request, Response};
use scraper::ElementRef;
use url::Url;

use super::web::{self, Layout};
use super::{Blocked, Engine, Hit, Hits, Index, Kind, base, host};
use crate::html::{Selectors, first, text};
use crate::links;
use crate::query::Query;

pub(super) const KIND: Kind = Kind {
    name: "duckduckgo",
    index: Index::Bing,
    url: Some("https://html.duckduckgo.com/html/"),
    keyed: false,
    make: |setup| {
        let url = base(setup.url)?;
        Ok(Box::new(DuckDuckGo { url }))
    },
};

/// Characters that it takes.
const CHARS: usize = 499;

static LAYOUT: Layout = Layout {
    challenge_status: &[202],
    challenge: Selectors::new(&[
        "[class*=anomaly-modal]",
        "form#challenge-form",
        "[action*='anomaly.js'], [src*='anomaly.js']",
    ]),
    hit: Selectors::new(&[
        "#links .web-result:not(.result--ad)",
        ".result:not(.result--ad):not(.result--no-result)",
    ]),
    nothing: Selectors::new(&[".result--no-result", "#links .no-results"]),
    nothing_words: &[],
};
static TITLE: Selectors = Selectors::new(&["a.result__a[href]", "h2 a[href]"]);
static BODY: Selectors = Selectors::new(&[".result__snippet"]);

struct DuckDuckGo {
    url: Url,
}

impl Engine for DuckDuckGo {
    fn hosts(&self) -> Vec<String> {
        vec![host(&self.url)]
    }

    fn request(&self, query: &Query, _page: u32) -> Request {
        let words = plain(query.text());
        let fields = [("q", &*words), ("b", ""), ("kl", query.region().code)];
        web::page(Request::form(self.url.clone(), fields), query.region())
    }

    fn parse(&self, response: &Response) -> Result<Hits, Blocked> {
        let Hits { hits, .. } = LAYOUT.read(response, |element| self.hit(element))?;
        Ok(Hits { hits, more: false })
    }
}

impl DuckDuckGo {
    fn hit(&self, element: ElementRef<'_>) -> Option<Hit> {
        let title = first(element, &TITLE)?;
        let url = target(web::link(&self.url, title)?)?;
        web::hit(Some(text(title)), Some(url), first(element, &BODY))
    }
}

/// The words, with those in quotation marks that would lead straight to another site: `!w`, `\`.
fn plain(words: &str) -> String {
    let plain = |word: &str| {
        if word.starts_with(['!', '\\']) {
            format!("'{word}'")
        } else {
            word.to_owned()
        }
    };
    let words: Vec<_> = words.split(' ').map(plain).collect();
    words.join(" ").chars().take(CHARS).collect()
}

/// Where a link leads to; nothing for one of an advertisement, or a redirect that leads nowhere.
fn target(url: Url) -> Option<Url> {
    let url = links::unwrap(&url).unwrap_or(url);
    let own = links::is_at(url.host_str()?, "duckduckgo.com");
    (!own || !matches!(url.path(), "/y.js" | "/l/")).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::web::tests::{HOSTILE, asked, entries, entry, hits, parsed};
    use super::*;
    use crate::testing::engines::duckduckgo as pages;

    #[test]
    fn a_form_is_posted() {
        assert_eq!(
            asked(&KIND, "rust lang", "uk-en", 1),
            "POST https://html.duckduckgo.com/html/\naccept: text/html\naccept-language: en-GB,en;q=0.9\n\
             content-type: application/x-www-form-urlencoded\nq=rust+lang&b=&kl=uk-en"
        );
        assert_eq!(
            asked(&KIND, "rust", "wt-wt", 1),
            "POST https://html.duckduckgo.com/html/\naccept: text/html\naccept-language: en\n\
             content-type: application/x-www-form-urlencoded\nq=rust&b=&kl=wt-wt"
        );
        let form = asked(&KIND, HOSTILE, "hk-tzh", 1);
        let body = "q=a%26b%23c%3F%3D%2F..%2F%2500+%C3%A9+%E6%97%A5%E6%9C%AC&b=&kl=hk-tzh";
        assert_eq!(
            form.lines().next(),
            Some("POST https://html.duckduckgo.com/html/")
        );
        assert_eq!(form.lines().last(), Some(body));
    }

    #[test]
    fn no_word_leads_to_another_site() {
        assert_eq!(plain("!w rust \\x a!b"), "'!w' rust '\\x' a!b");
        assert_eq!(plain(&"é".repeat(500)).chars().count(), 499);
    }

    #[test]
    fn redirects_are_undone_once_and_advertisements_left_out() {
        let entries = [
            entries(),
            vec![entry("Own", "https://duckduckgo.com/about", "")],
        ]
        .concat();
        assert_eq!(
            parsed(&KIND, pages::ads(&entries)).unwrap().hits,
            hits(&entries)
        );
        let target = |link| {
            let asked = Url::parse("https://html.duckduckgo.com/html/").unwrap();
            target(asked.join(link).unwrap()).map(String::from)
        };
        let there = Some("https://example.org/%2526?a=%2B".to_owned());
        assert_eq!(
            target("/l/?x=1&uddg=https%3A%2F%2Fexample.org%2F%252526%3Fa%3D%252B"),
            there
        );
        assert_eq!(target("https://example.org/%2526?a=%2B"), there);
        assert_eq!(
            target("//duckduckgo.com/l/?uddg=javascript%3Aalert(1)"),
            None
        );
        assert_eq!(target("//duckduckgo.com/l/"), None);
        assert_eq!(target("//links.duckduckgo.com/y.js?x"), None);
    }
}
