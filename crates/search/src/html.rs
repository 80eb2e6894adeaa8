//! Reading pages of strangers within bounds.

use pymcp_egress::Response;
use scraper::{ElementRef, Html, Selector};

use crate::engine::Blocked;

/// A page, read.
pub(crate) struct Page(Html);

impl Page {
    /// Reads the body as HTML.
    ///
    /// # Errors
    /// [`Blocked::TooComplex`] for a page that costs more than any page of results does.
    pub(crate) fn read(_response: &Response) -> Result<Self, Blocked> {
        unimplemented!()
    }

    /// The elements that match, in the order of the page.
    pub(crate) fn all<'a>(
        &'a self,
        selector: &'a Selector,
    ) -> impl Iterator<Item = ElementRef<'a>> {
        self.0.select(selector)
    }

    /// Whether an element matches.
    pub(crate) fn has(&self, selector: &Selector) -> bool {
        self.all(selector).next().is_some()
    }
}
