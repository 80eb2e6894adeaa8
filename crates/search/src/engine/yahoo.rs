//! Yahoo: Bing's index, <https://search.yahoo.com/search>.
//!
//! `p` are the words, `b` is the number of the first hit, of which a page has seven; the first page wants an empty
//! `iscqry`, the others `pz`, `bct` and `xargs`. The language is in a cookie of settings (`sB`). Links lead through
//! `/RU=…/RK=`. Who is in the European Union may be sent to a page for consent on another host, where the door does not
//! follow; status 999 is for programs that ask too much.

use pymcp_egress::{Request, Response};
use scraper::ElementRef;
use url::Url;

use super::web::{self, Layout};
use super::{Blocked, Engine, Hit, Hits, Index, InvalidConfig, Kind, base, host};
use crate::html::{Selectors, first, text};
use crate::links;
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
        LAYOUT.read(response, |element| self.hit(element))
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
        let url = target(web::link(&self.url, link)?);
        web::hit(title, url, first(element, &BODY))
    }
}

/// Where a link leads to; nothing for one of an advertisement, or a redirect that leads nowhere.
fn target(url: Url) -> Option<Url> {
    let url = links::unwrap(&url).unwrap_or(url);
    let host = url.host_str()?;
    let advertisement = links::is_at(host, "search.yahoo.com")
        || links::is_at(host, "bing.com") && url.path().starts_with("/aclick");
    (!advertisement).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::web::tests::{HOSTILE, asked, entries, hits, parsed};
    use super::*;
    use crate::testing::engines::yahoo as pages;

    #[test]
    fn a_page_is_got() {
        assert_eq!(
            asked(&KIND, "rust lang", "uk-en", 1),
            "GET https://search.yahoo.com/search?p=rust+lang&iscqry=\naccept: text/html\n\
             accept-language: en-GB,en;q=0.9\n\
             cookie: sB=v=1&vm=i&fl=1&vl=lang_en&pn=10&rw=new&userset=1"
        );
        assert_eq!(
            asked(&KIND, "rust", "tw-tzh", 3),
            "GET https://search.yahoo.com/search?p=rust&b=15&pz=7&bct=0&xargs=0\naccept: text/html\n\
             accept-language: zh-TW,zh;q=0.9\n\
             cookie: sB=v=1&vm=i&fl=1&vl=lang_zh_cht&pn=10&rw=new&userset=1"
        );
        assert_eq!(
            asked(&KIND, HOSTILE, "wt-wt", 1),
            "GET https://search.yahoo.com/search?p=a%26b%23c%3F%3D%2F..%2F%2500+%C3%A9+%E6%97%A5%E6%9C%AC&iscqry=\n\
             accept: text/html\naccept-language: en"
        );
    }

    #[test]
    fn both_layouts_are_read_without_advertisements() {
        let entries = entries();
        for page in [pages::ads(&entries), pages::labelled(&entries)] {
            assert_eq!(parsed(&KIND, page).unwrap().hits, hits(&entries));
        }
    }

    #[test]
    fn redirects_are_undone_once() {
        let target = |link: &str| target(Url::parse(link).unwrap()).map(String::from);
        let there = Some("https://example.org/%2526?a=1+2&b=%2B".to_owned());
        assert_eq!(
            target(
                "https://r.search.yahoo.com/_ylt=A/RU=https%3a%2f%2fexample.org%2f%252526%3fa=1+2&b%3d%252B/RK=2/RS=x"
            ),
            there
        );
        assert_eq!(
            target("https://r.search.yahoo.com/RU=https%3a%2f%2fexample.org%2f"),
            Some("https://example.org/".to_owned())
        );
        assert_eq!(
            target("https://example.org/RU=x/RK=y"),
            Some("https://example.org/RU=x/RK=y".to_owned())
        );
        assert_eq!(
            target("https://r.search.yahoo.com/RU=javascript%3aalert(1)/RK=2"),
            None
        );
        assert_eq!(target("https://r.search.yahoo.com/cbclk/x"), None);
    }
}
