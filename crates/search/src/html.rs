//! Reading pages of strangers within bounds.
//!
//! Building the tree of a page can cost far more than its size: tags that are left open are opened again in every block
//! behind them, attributes of a tag are compared with each other, and deep nesting makes every selector slow. So tokens,
//! nodes, open elements and depth are counted on the way, and a page that has more of them than any page of results is
//! given up. Time is looked at too, as the last resort. Nothing here recurses, and the tree is one list, so that it is
//! dropped without recursion.

use std::cell::Cell;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use encoding_rs::{Encoding, UTF_8};
use html5ever::TokenizerResult;
use html5ever::buffer_queue::BufferQueue;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{Tag, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use html5ever::tree_builder::{Tracer, TreeBuilder, TreeBuilderOpts, TreeSink};
use http::header::CONTENT_TYPE;
use pymcp_egress::Response;
use scraper::{ElementRef, Html, HtmlTreeSink, Node, Selector};

use crate::engine::Blocked;

/// Tokens of a page: tags, lines of text, entities.
const TOKENS: usize = 200_000;
/// Nodes of its tree; a large page of results has about 10,000.
const NODES: usize = 50_000;
/// Elements that are open at once, and those that would be opened again.
const OPEN: usize = 512;
/// Elements within each other.
const DEPTH: usize = 256;
/// Bytes without a token: those of one tag or comment.
const SILENCE: usize = 128 << 10;
/// For all of it.
const TIME: Duration = Duration::from_millis(500);
/// Bytes between two looks at the clock.
const CHUNK: usize = 8 << 10;
/// Elements that a selector gives.
const MATCHES: usize = 200;
/// Characters of one text.
const TEXT: usize = 8_000;

/// A page, read.
pub(crate) struct Page(Html);

impl Page {
    /// Reads the body as HTML, in the charset that `Content-Type` or a byte order mark names, else UTF-8.
    ///
    /// # Errors
    /// [`Blocked::TooComplex`] for a page that costs more than any page of results does.
    pub(crate) fn read(response: &Response) -> Result<Self, Blocked> {
        let (text, ..) = charset(response).decode(&response.body);
        let html = build(&text).ok_or(Blocked::TooComplex)?;
        if depth(&html) > DEPTH {
            return Err(Blocked::TooComplex);
        }
        Ok(Self(html))
    }

    /// The elements that the first selector with any matches, in the order of the page; 200 at most.
    pub(crate) fn all(&self, selectors: &'static Selectors) -> Vec<ElementRef<'_>> {
        let root = root(&self.0);
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
    let mut text = String::new();
    let (mut left, mut apart, mut hidden) = (TEXT, false, 0_usize);
    walk(element, |node, opens| {
        match node {
            Node::Element(element) if matches!(element.name(), "script" | "style") => {
                hidden = if opens { hidden + 1 } else { hidden - 1 };
            }
            Node::Element(element) => apart |= is_block(element.name()),
            Node::Text(part) if opens && hidden == 0 => {
                for c in part.chars() {
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
        true
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

/// The tree of a page, or nothing if it costs too much.
fn build(text: &str) -> Option<Html> {
    let start = Instant::now();
    let options = TreeBuilderOpts {
        // Nothing runs here, so what is meant for those who run nothing is read.
        scripting_enabled: false,
        ..TreeBuilderOpts::default()
    };
    let tree = HtmlTreeSink::new(Html::new_document());
    let sink = Bounded {
        builder: TreeBuilder::new(tree, options),
        tokens: Cell::new(0),
        over: Cell::new(false),
    };
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let queue = BufferQueue::default();
    let (mut tokens, mut silent) = (0, 0);
    for chunk in chunks(text) {
        queue.push_back(StrTendril::from_slice(chunk));
        // It stops behind a script, for someone to run it.
        while !matches!(tokenizer.feed(&queue), TokenizerResult::Done) {}
        let before = std::mem::replace(&mut tokens, tokenizer.sink.tokens.get());
        silent = if tokens == before {
            silent + chunk.len()
        } else {
            0
        };
        if tokenizer.sink.over.get() || silent > SILENCE || start.elapsed() > TIME {
            return None;
        }
    }
    tokenizer.end();
    let sink = tokenizer.sink;
    (!sink.over.get()).then(|| sink.builder.sink.finish())
}

/// The text in pieces of about [`CHUNK`] bytes.
fn chunks(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (chunk, rest) = text.split_at(text.floor_char_boundary(CHUNK));
        text = rest;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// How deep the deepest node is.
fn depth(html: &Html) -> usize {
    let (mut depth, mut most) = (0_usize, 0);
    if let Some(root) = root(html) {
        walk(root, |_, opens| {
            depth = if opens { depth + 1 } else { depth - 1 };
            most = most.max(depth);
            true
        });
    }
    most
}

/// The element that all others are in.
fn root(html: &Html) -> Option<ElementRef<'_>> {
    html.tree.root().children().find_map(ElementRef::wrap)
}

type Handle = <HtmlTreeSink as TreeSink>::Handle;

/// Hands tokens to the tree builder until there are too many, and none of them from then on.
struct Bounded {
    builder: TreeBuilder<Handle, HtmlTreeSink>,
    tokens: Cell<usize>,
    over: Cell<bool>,
}

impl Bounded {
    fn is_over(&self) -> bool {
        let tokens = self.tokens.get();
        let nodes = self.builder.sink.0.borrow().tree.values().len();
        // The list is walked, so not for each token; in between it cannot grow by much.
        let open = || {
            let open = Counter(Cell::new(0));
            self.builder.trace_handles(&open);
            open.0.get()
        };
        tokens > TOKENS || nodes > NODES || (tokens % 16 == 0 && open() > OPEN)
    }
}

impl TokenSink for Bounded {
    type Handle = Handle;

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<Handle> {
        self.tokens.set(self.tokens.get() + 1);
        if self.over.get() || self.is_over() {
            self.over.set(true);
            return TokenSinkResult::Continue;
        }
        match token {
            // Nobody reads these. The tree has no room for the contents of templates; they are taken for any other.
            Token::CommentToken(_) | Token::ParseError(_) => TokenSinkResult::Continue,
            Token::TagToken(tag) if &*tag.name == "template" => TokenSinkResult::Continue,
            Token::TagToken(tag) => self.builder.process_token(Token::TagToken(slim(tag)), line),
            token => self.builder.process_token(token, line),
        }
    }

    fn end(&self) {
        if !self.over.get() {
            self.builder.end();
        }
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&self) -> bool {
        self.builder
            .adjusted_current_node_present_but_not_in_html_namespace()
    }
}

/// The tag, and if it is one whose attributes are copied to every block that it is left open in, or gathered from all
/// over the page, with `class` and `href` only.
fn slim(mut tag: Tag) -> Tag {
    const COPIED: &[&str] = &[
        "a", "b", "big", "body", "code", "em", "font", "html", "i", "nobr", "s", "small", "strike",
        "strong", "tt", "u",
    ];
    if COPIED.binary_search(&&*tag.name).is_ok() {
        tag.attrs
            .retain(|attribute| matches!(&*attribute.name.local, "class" | "href" | "aria-label"));
    }
    tag
}

/// Counts the elements that a tree builder holds on to.
struct Counter(Cell<usize>);

impl Tracer for Counter {
    type Handle = Handle;

    fn trace_handle(&self, _: &Handle) {
        self.0.set(self.0.get() + 1);
    }
}
