//! DuckDuckGo: its page for browsers without scripts, <https://html.duckduckgo.com/html/>.
//!
//! A form is posted: `q` are the words (499 characters at most), `kl` is the region, and an empty `b` asks for the
//! beginning. Pages behind the first one need a token (`vqd`) that is in the page before; who asks without it is taken
//! for a program and blocked, so there is one page. Programs are answered with status 202 and a puzzle, at times with
//! 200. Links lead through `/l/?uddg=`.

use pymcp_egress::{Request, Response};
use scraper::ElementRef;
use url::Url;

use super::web::{self, Layout};
use super::{Blocked, Engine, Hit, Hits, Index, Kind, base, host};
use crate::html::{Selectors, first, text};
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
    nothing: Selectors::new(&[".no-results", ".result--no-result"]),
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

    fn request(&self, query: &Query, page: u32) -> Request {
        let words = plain(query.text());
        let region = ("kl", query.region().code);
        let request = if page <= 1 {
            Request::form(self.url.clone(), [("q", &*words), ("b", ""), region])
        } else {
            let start = 10 + page.saturating_sub(2).saturating_mul(15);
            let (start, next) = (start.to_string(), (start + 1).to_string());
            let fields = [("q", &*words), ("s", &*start), ("dc", &*next), region];
            Request::form(self.url.clone(), fields)
        };
        web::page(request, query.region())
    }

    fn parse(&self, response: &Response) -> Result<Hits, Blocked> {
        let (_, hits) = LAYOUT.read(response, |element| self.hit(element))?;
        Ok(Hits { hits, more: false })
    }
}

impl DuckDuckGo {
    fn hit(&self, element: ElementRef<'_>) -> Option<Hit> {
        let title = first(element, &TITLE)?;
        let url = target(&self.url, web::link(&self.url, title)?)?;
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

/// Where a link leads to; nothing for one of an advertisement.
fn target(asked: &Url, url: Url) -> Option<Url> {
    if !web::is_of(&url, asked, "duckduckgo.com") {
        return Some(url);
    }
    match url.path() {
        "/y.js" => None,
        "/l/" => {
            let (_, target) = url.query_pairs().find(|(name, _)| name == "uddg")?;
            let target = web::web(Url::parse(&target).ok()?)?;
            let advertisement =
                web::is_of(&target, asked, "duckduckgo.com") && target.path() == "/y.js";
            (!advertisement).then_some(target)
        }
        _ => Some(url),
    }
}
