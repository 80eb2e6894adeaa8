//! Reading pages of strangers within bounds.

mod tree;

use std::sync::OnceLock;

use encoding_rs::{Encoding, UTF_8};
use http::header::CONTENT_TYPE;
use pymcp_egress::Response;
use scraper::{ElementRef, Html, Node, Selector};

use crate::engine::Blocked;

/// Elements that a selector gives.
const MATCHES: usize = 200;
/// Characters of one text.
const TEXT: usize = 8_000;
/// Characters and nodes that are looked at for each character of a text: white space and elements cost as well.
const STEPS: usize = 8;

/// A page, read.
pub(crate) struct Page(Html);

impl Page {
    /// Reads the body as HTML, in the charset that `Content-Type` or a byte order mark names, else UTF-8.
    ///
    /// # Errors
    /// [`Blocked::TooComplex`] for a page that costs more than any page of results does.
    pub(crate) fn read(response: &Response) -> Result<Self, Blocked> {
        let (text, ..) = charset(response).decode(&response.body);
        tree::build(&text, tree::TIME)
            .map(Self)
            .ok_or(Blocked::TooComplex)
    }

    /// The elements that the first selector with any matches, in the order of the page; 200 at most.
    pub(crate) fn all(&self, selectors: &'static Selectors) -> Vec<ElementRef<'_>> {
        let root = tree::root(&self.0);
        let matches = |selector| {
            let elements = root.iter().flat_map(|root| root.select(selector));
            elements.take(MATCHES).collect::<Vec<_>>()
        };
        let mut found = selectors.get().iter().map(matches);
        found.find(|all| !all.is_empty()).unwrap_or_default()
    }

    /// Whether an element matches.
    pub(crate) fn has(&self, selectors: &'static Selectors) -> bool {
        !self.all(selectors).is_empty()
    }
}

/// The first element within `element` that the first selector with any matches.
pub(crate) fn first<'a>(
    element: ElementRef<'a>,
    selectors: &'static Selectors,
) -> Option<ElementRef<'a>> {
    let mut selectors = selectors.get().iter();
    selectors.find_map(|selector| element.select(selector).next())
}

/// The text of an element in one line, as it is seen: words with one space between them, blocks and line breaks apart,
/// without scripts and styles. 8,000 characters at most.
pub(crate) fn text(element: ElementRef<'_>) -> String {
    start(element, TEXT)
}

/// The start of [`text`]: `most` characters at most, less where much lies between them that is not seen.
pub(crate) fn start(element: ElementRef<'_>, most: usize) -> String {
    let mut text = String::new();
    let (mut left, mut steps) = (most, most.saturating_mul(STEPS));
    let (mut apart, mut hidden) = (false, 0_usize);
    walk(element, |node, opens| {
        steps = steps.saturating_sub(1);
        match node {
            Node::Element(element) if matches!(element.name(), "script" | "style") => {
                hidden = if opens { hidden + 1 } else { hidden - 1 };
            }
            Node::Element(element) => apart |= is_block(element.name()),
            Node::Text(part) if opens && hidden == 0 => {
                for c in part.chars().take(steps) {
                    steps -= 1;
                    if c.is_whitespace() {
                        apart = true;
                        continue;
                    }
                    if left == 0 {
                        return false;
                    }
                    if std::mem::take(&mut apart) && !text.is_empty() {
                        text.push(' ');
                    }
                    text.push(c);
                    left -= 1;
                }
            }
            _ => {}
        }
        steps > 0
    });
    text
}

/// Shows each node of an element when it opens (`true`) and when it closes, for as long as `visit` wants more.
fn walk<'a>(element: ElementRef<'a>, mut visit: impl FnMut(&'a Node, bool) -> bool) {
    let mut node = *element;
    let mut opens = true;
    while visit(node.value(), opens) {
        if opens && let Some(child) = node.first_child() {
            node = child;
        } else if opens {
            // Has nothing in it, so it closes at once.
            opens = false;
        } else if node.id() == element.id() {
            return;
        } else if let Some(next) = node.next_sibling() {
            (node, opens) = (next, true);
        } else if let Some(parent) = node.parent() {
            node = parent;
        }
    }
}

fn is_block(name: &str) -> bool {
    const BLOCKS: &[&str] = &[
        "article",
        "blockquote",
        "br",
        "dd",
        "div",
        "dl",
        "dt",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "td",
        "th",
        "tr",
        "ul",
    ];
    BLOCKS.binary_search(&name).is_ok()
}

/// Selectors for one thing, likeliest first: the first that matches anything counts, so that small changes of a page
/// are survived.
pub(crate) struct Selectors {
    texts: &'static [&'static str],
    parsed: OnceLock<Vec<Selector>>,
}

impl Selectors {
    pub(crate) const fn new(texts: &'static [&'static str]) -> Self {
        let parsed = OnceLock::new();
        Self { texts, parsed }
    }

    fn get(&self) -> &[Selector] {
        let parse = |text: &&str| Selector::parse(text).expect("a selector that tests parse");
        self.parsed
            .get_or_init(|| self.texts.iter().map(parse).collect())
    }
}

/// The charset that `Content-Type` names (RFC 9110 §8.3.2), else UTF-8.
fn charset(response: &Response) -> &'static Encoding {
    let header = response.headers.get(CONTENT_TYPE);
    let mut parameters = header
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .split(';')
        .filter_map(|parameter| parameter.split_once('='));
    parameters
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .and_then(|(_, label)| Encoding::for_label(label.trim().trim_matches('"').as_bytes()))
        .unwrap_or(UTF_8)
}

#[cfg(test)]
mod tests;
