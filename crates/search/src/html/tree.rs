//! Building the tree of a page within bounds.
//!
//! That can cost far more than the page's size: tags that are left open are opened again in every block behind them,
//! attributes of a tag are compared with each other, and deep nesting makes every selector slow. So tokens, nodes, open
//! elements and depth are counted on the way, and a page that has more of them than any page of results is given up.
//! Time is looked at too, as the last resort. Nothing here recurses, and the tree is one list, so that it is dropped
//! without recursion.

use std::cell::Cell;
use std::time::{Duration, Instant};

use html5ever::TokenizerResult;
use html5ever::buffer_queue::BufferQueue;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{Tag, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use html5ever::tree_builder::{Tracer, TreeBuilder, TreeBuilderOpts, TreeSink};
use scraper::{ElementRef, Html, HtmlTreeSink};

use super::walk;

/// Tokens of a page: tags, lines of text, entities.
pub(super) const TOKENS: usize = 200_000;
/// Nodes of its tree; a large page of results has about 10,000.
pub(super) const NODES: usize = 50_000;
/// Elements that are open at once, and those that would be opened again.
const OPEN: usize = 512;
/// Elements within each other.
pub(super) const DEPTH: usize = 256;
/// Bytes without a token: those of one tag or comment.
pub(super) const SILENCE: usize = 128 << 10;
/// For all of it.
pub(super) const TIME: Duration = Duration::from_millis(500);
/// Bytes between two looks at the clock.
pub(super) const CHUNK: usize = 8 << 10;

/// The tree of a page, or nothing if it costs too much.
pub(super) fn build(text: &str, time: Duration) -> Option<Html> {
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
        if tokenizer.sink.over.get() || silent > SILENCE || start.elapsed() > time {
            return None;
        }
    }
    tokenizer.end();
    let sink = tokenizer.sink;
    let html = sink.builder.sink.finish();
    (!sink.over.get() && depth(&html) <= DEPTH).then_some(html)
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
pub(super) fn root(html: &Html) -> Option<ElementRef<'_>> {
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
        tokens > TOKENS || nodes > NODES || (tokens.is_multiple_of(16) && open() > OPEN)
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
/// over the page, with no attributes but those that are read.
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
