//! Yahoo: Bing's index, <https://search.yahoo.com/search>.
//!
//! `p` are the words, `b` is the number of the first hit, of which a page has seven; the first page wants an empty
//! `iscqry`, the others `pz`, `bct` and `xargs`. The language is in a cookie of settings (`sB`). Links lead through
//! `/RU=…/RK=`. Who is in the European Union may be sent to a page for consent on another host; status 999 is for
//! programs that ask too much.

use pymcp_egress::{Request, Response};
use scraper::ElementRef;
use url::{Url, form_urlencoded};

use super::web::{self, Layout};
use super::{Blocked, Engine, Hit, Hits, Index, InvalidConfig, Kind, base, host};
use crate::html::{Selectors, first, text};
use crate::query::Query;

pub(super) const KIND: Kind = Kind {
    name: "yahoo",
    index: Index::Bing,
    url: Some("https://search.yahoo.com/"),
    keyed: false,
    make: |setup| {
        let url = base(setup.url)?.join("search");
        let url = url.map_err(|_| InvalidConfig::Url)?;
        Ok(Box::new(Yahoo { url }))
    },
};

/// Hits of a page.
const STEP: u32 = 7;

static LAYOUT: Layout = Layout {
    challenge_status: &[999],
    challenge: Selectors::new(&[
        "form[action*=consent], form[action*=Consent], form.consent-form",
        "[href*='guce.yahoo'], [src*='guce.yahoo']",
        "[id*=captcha], [src*=captcha]",
    ]),
    hit: Selectors::new(&["div.algo-sr", "div.relsrch", "div.algo"]),
    nothing: Selectors::new(&[".zrp"]),
    nothing_words: &[],
};
static LINK: Selectors =
    Selectors::new(&[".compTitle h3 a[href]", ".compTitle a[href]", "h3 a[href]"]);
static TITLE: Selectors = Selectors::new(&[".compTitle a h3", ".compTitle h3", "h3"]);
static BODY: Selectors = Selectors::new(&[".compText"]);
static NEXT: Selectors = Selectors::new(&[".compPagination a.next", "a.next"]);

struct Yahoo {
    url: Url,
}

impl Engine for Yahoo {
    fn hosts(&self) -> Vec<String> {
        vec![host(&self.url)]
    }

    fn request(&self, query: &Query, page: u32) -> Request {
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("p", query.text());
        if page <= 1 {
            url.query_pairs_mut().append_pair("iscqry", "");
        } else {
            let start = (page - 1).saturating_mul(STEP).saturating_add(1);
            url.query_pairs_mut()
                .append_pair("b", &start.to_string())
                .append_pair("pz", &STEP.to_string())
                .append_pair("bct", "0")
                .append_pair("xargs", "0");
        }
        let region = query.region();
        let request = web::page(Request::get(url), region);
        if region.code == "wt-wt" {
            return request;
        }
        let language = match (region.country, region.language) {
            (Some("hk" | "tw"), "zh") => "zh_cht",
            (_, "zh") => "zh_chs",
            (_, language) => language,
        };
        let settings = format!("v=1&vm=i&fl=1&vl=lang_{language}&pn=10&rw=new&userset=1");
        web::cookies(request, &[("sB", &settings)])
    }

    fn parse(&self, response: &Response) -> Result<Hits, Blocked> {
        if web::is_elsewhere(&self.url, response) {
            return Err(Blocked::Challenge);
        }
        let (page, hits) = LAYOUT.read(response, |element| self.hit(element))?;
        let more = page.has(&NEXT);
        Ok(Hits { hits, more })
    }
}

impl Yahoo {
    fn hit(&self, element: ElementRef<'_>) -> Option<Hit> {
        let link = first(element, &LINK)?;
        // Where the name of the site is within the link, the title alone is its label.
        let label = link.attr("aria-label").unwrap_or_default();
        let title = match label.split_whitespace().collect::<Vec<_>>().join(" ") {
            label if label.is_empty() => first(element, &TITLE).map(text),
            label => Some(label),
        };
        let url = target(&self.url, web::link(&self.url, link)?);
        web::hit(title, url, first(element, &BODY))
    }
}

/// Where a link leads to; nothing for one of an advertisement.
fn target(asked: &Url, url: Url) -> Option<Url> {
    let target = if web::is_of(&url, asked, "search.yahoo.com") {
        let (_, rest) = url.path().split_once("/RU=")?;
        let (target, _) = rest.split_once('/').unwrap_or((rest, ""));
        web::web(Url::parse(&percent_decoded(target)).ok()?)?
    } else {
        url
    };
    let advertisement = web::is_of(&target, asked, "bing.com")
        && target.path().starts_with("/aclick")
        || web::is_of(&target, asked, "search.yahoo.com");
    (!advertisement).then_some(target)
}

/// The text with `%XX` as what it stands for, and all else, `+` too, as it is.
fn percent_decoded(text: &str) -> String {
    // Of a form, only the first name is looked at.
    let text = text
        .replace('+', "%2B")
        .replace('&', "%26")
        .replace('=', "%3D");
    let mut pairs = form_urlencoded::parse(text.as_bytes());
    pairs
        .next()
        .map(|(name, _)| name.into_owned())
        .unwrap_or_default()
}
