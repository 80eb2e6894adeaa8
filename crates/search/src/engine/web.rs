//! What engines have in common whose answers are web pages.

use http::HeaderValue;
use http::header::{ACCEPT, ACCEPT_LANGUAGE, COOKIE};
use pymcp_egress::{Request, Response};
use scraper::ElementRef;
use url::Url;

use super::{Blocked, Hit, Hits, MOST_HITS, status};
use crate::html::{Page, Selectors, start, text};
use crate::region::Region;

/// Characters of a text that are looked at for what it begins with. Elements may be in each other, and the text of all
/// of them is looked at.
const WORDS: usize = 100;

/// The request, with what it is for: a page in the language of the region.
pub(super) fn page(request: Request, region: &Region) -> Request {
    let language = match region.country {
        Some(country) => {
            let language = region.language;
            format!(
                "{language}-{},{language};q=0.9",
                country.to_ascii_uppercase()
            )
        }
        None => region.language.to_owned(),
    };
    let request = request.header(ACCEPT, HeaderValue::from_static("text/html"));
    match HeaderValue::try_from(language) {
        Ok(language) => request.header(ACCEPT_LANGUAGE, language),
        Err(_) => request,
    }
}

/// The request, with settings that an engine takes as cookies.
pub(super) fn cookies(request: Request, cookies: &[(&str, &str)]) -> Request {
    let pairs: Vec<_> = cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    match HeaderValue::try_from(pairs.join("; ")) {
        Ok(cookies) => request.header(COOKIE, cookies),
        Err(_) => request,
    }
}

/// What tells the pages of an engine apart.
pub(super) struct Layout {
    /// Statuses that ask for proof of being human.
    pub(super) challenge_status: &'static [u16],
    /// What only a page has that asks for proof of being human, or for consent.
    pub(super) challenge: Selectors,
    /// One hit.
    pub(super) hit: Selectors,
    /// What says that there is nothing.
    pub(super) nothing: Selectors,
    /// What it begins with, if the elements alone do not say so.
    pub(super) nothing_words: &'static [&'static str],
}

impl Layout {
    /// The hits of a page, each made by `hit` of the element that it is in. Behind a page with hits there may be another.
    ///
    /// # Errors
    /// When it is no page of results. One without hits is one only if it says that there are none.
    pub(super) fn read(
        &'static self,
        response: &Response,
        hit: impl Fn(ElementRef<'_>) -> Option<Hit>,
    ) -> Result<Hits, Blocked> {
        if self.challenge_status.contains(&response.status.as_u16()) {
            return Err(Blocked::Challenge);
        }
        status::check(response)?;
        let page = Page::read(response)?;
        let hits: Vec<_> = apart(page.all(&self.hit))
            .filter_map(hit)
            .take(MOST_HITS)
            .collect();
        let more = !hits.is_empty();
        match () {
            () if more || self.says_nothing(&page) => Ok(Hits { hits, more }),
            () if page.has(&self.challenge) => Err(Blocked::Challenge),
            () => Err(Blocked::Unrecognised),
        }
    }

    fn says_nothing(&'static self, page: &Page) -> bool {
        let says = |element| {
            let text = start(element, WORDS);
            let mut words = self.nothing_words.iter();
            self.nothing_words.is_empty() || words.any(|words| text.starts_with(words))
        };
        !page.has(&self.challenge) && page.all(&self.nothing).into_iter().any(says)
    }
}

/// Elements that are not within the one before: no page has hits in hits, and reading all of them again for each would
/// take long.
fn apart(elements: Vec<ElementRef<'_>>) -> impl Iterator<Item = ElementRef<'_>> {
    let mut last = None;
    elements.into_iter().filter(move |element| {
        let within = last.is_some_and(|last| element.ancestors().any(|node| node.id() == last));
        if !within {
            last = Some(element.id());
        }
        !within
    })
}

/// A hit, unless it has no title or no address.
pub(super) fn hit(
    title: Option<String>,
    url: Option<Url>,
    body: Option<ElementRef<'_>>,
) -> Option<Hit> {
    let title = title.filter(|title| !title.is_empty())?;
    let url = url?.into();
    let body = body.map(text).unwrap_or_default();
    Some(Hit { title, url, body })
}

/// The address that an element links to, if it is one of the web.
pub(super) fn link(base: &Url, element: ElementRef<'_>) -> Option<Url> {
    let url = base.join(element.attr("href")?).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

#[cfg(test)]
pub(super) mod tests;
