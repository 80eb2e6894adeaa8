use http::{HeaderMap, StatusCode};
use url::Url;

use std::time::{Duration, Instant};

use super::tree::{CHUNK, DEPTH, NODES, SILENCE, TOKENS, build};
use super::*;

/// As much as a response may have.
const SIZE: usize = 2 << 20;

/// Many times what the slowest page takes in a debug build on a busy machine: it shows that there is a bound at all.
const SOON: Duration = Duration::from_secs(20);

fn read(body: impl Into<Vec<u8>>) -> Result<Page, Blocked> {
    Page::read(&Response {
        status: StatusCode::OK,
        url: Url::parse("https://example.org/").unwrap(),
        headers: HeaderMap::new(),
        body: body.into().into(),
    })
}

/// `part` over and over; `#` in it is a number that is never the same.
fn filled(start: &str, part: &str) -> String {
    let mut page = String::with_capacity(SIZE + 100);
    page.push_str(start);
    for n in 0.. {
        if page.len() >= SIZE {
            break;
        }
        // Replacing takes longest by far, and most have nothing to replace.
        if part.contains('#') {
            page.push_str(&part.replace('#', &n.to_string()));
        } else {
            page.push_str(part);
        }
    }
    page
}

#[test]
fn pages_that_cost_too_much_are_given_up_soon() {
    let twice = "<b a=#><i b=#>".repeat(20);
    let pages = [
        ("nesting", filled("", "<div>")),
        ("inline nesting", filled("", "<span>x")),
        (
            "tags that are opened again",
            filled("", "<b a=#><i b=#><p>"),
        ),
        (
            "many of them in every block",
            filled(&twice, "<div>x</div>"),
        ),
        ("classes of them", filled("", "<font class=#><p>x</p>")),
        ("links of them", filled("", "<a href=#><div>")),
        ("markers between them", filled("", "<object><b class=#>")),
        ("tables", filled("", "<table><tr><td>")),
        (
            "what does not belong in tables",
            filled("<table>", "<b class=#>x<tr>"),
        ),
        (
            "closed the wrong way round",
            filled("", "<b><div><i><p></b></i>"),
        ),
        ("ends without beginnings", filled("<p>", "</x></p></br>")),
        ("ends far away", filled(&"<u>".repeat(400), "<p></u></q>")),
        ("templates", filled("", "<template><td>")),
        ("drawings", filled("", "<svg><desc><math><mi>")),
        ("lists", filled("", "<ul><li>")),
        ("options", filled("<select>", "<option><optgroup>")),
        ("forms", filled("", "<form><button>")),
        ("attributes", filled("<div ", "a# ")),
        ("attributes with values", filled("<div ", "a#='#' ")),
        ("entities", filled("", "&amp;&lt;&notin;")),
        ("NULs", filled("", "\0")),
        ("a comment", filled("<!--", "- ")),
        ("a quotation", filled("<a href=\"", "x ")),
    ];
    for (name, page) in pages {
        assert!(!is_read(&page), "{name}");
        let start = Instant::now();
        let result = read(page).map(|_| ());
        assert!(start.elapsed() < SOON, "{name}: {:?}", start.elapsed());
        assert_eq!(result, Err(Blocked::TooComplex), "{name}");
    }
}

/// A fast machine reads these and a slow one does not; neither takes long.
#[test]
fn pages_within_every_count_take_no_more_than_their_time() {
    let pages = [
        ("comments", filled("", "<!--#-->")),
        (
            "attributes of the page",
            filled("", "<html a#=1><body b#=1>"),
        ),
    ];
    for (name, page) in pages {
        assert!(is_read(&page), "{name}");
        let start = Instant::now();
        drop(read(page));
        assert!(start.elapsed() < SOON, "{name}: {:?}", start.elapsed());
    }
}

/// With all the time in the world, so that only what is counted counts.
fn is_read(text: &str) -> bool {
    build(text, Duration::MAX).is_some()
}

#[test]
fn what_is_large_but_simple_is_read() {
    let pages = [
        ("words", filled("", "word ")),
        ("lines", filled("", "x\n")),
        ("plain text", filled("<plaintext>", "<a>, ")),
        (
            "a script",
            filled("<script>", "call_a_function_that_has_a_name(1 < 2); "),
        ),
        (
            "paragraphs",
            "<p class='some classes'>Some <b>words</b> and <a href=/x>links</a>.".repeat(5_000),
        ),
        (
            "a picture",
            format!("<img src='data:{}'>", "x".repeat(100_000)),
        ),
    ];
    for (name, page) in pages {
        assert!(is_read(&page), "{name}");
    }
}

#[test]
fn every_bound_counts_by_itself() {
    // `html` and `body` are around them.
    assert!(is_read(&"<div>".repeat(DEPTH - 2)));
    assert!(!is_read(&"<div>".repeat(DEPTH - 1)));
    // The document, `html`, `head` and `body` are nodes, too.
    assert!(is_read(&"<br>".repeat(NODES - 4)));
    assert!(!is_read(&"<br>".repeat(NODES + 1)));
    // Each ends without having begun, and makes no node. The end of the page is a token, too.
    assert!(is_read(&"</x>".repeat(TOKENS - 1)));
    assert!(!is_read(&"</x>".repeat(TOKENS)));
    let comment = |size| format!("<!--{}-->", "x".repeat(size));
    assert!(is_read(&comment(SILENCE - CHUNK)));
    assert!(!is_read(&comment(SILENCE + 2 * CHUNK)));
    assert!(build("<p>", Duration::ZERO).is_none());
}

#[test]
fn tags_that_are_opened_again_do_not_multiply() {
    // Of those that differ in nothing but what is dropped, three at most are opened again.
    let html = build(&"<p><b a=#><b b=#>".repeat(1_000), Duration::MAX).unwrap();
    assert!(html.tree.values().len() < 10_000);
    // Of those that differ in their class, so many that they are given up.
    assert!(!is_read(&filled("", "<p><b class=#>")));
}

#[test]
fn text_is_what_is_seen() {
    let page = "<title>x</title><div id=a> <script>no()</script><style>b{}</style>\n<p>One <b>w</b>ord</p><p>two</p>three\
                <br>four<!-- no -->five&nbsp;&amp;\u{3000}six<template> seven</template></div>";
    let page = read(page).unwrap();
    static A: Selectors = Selectors::new(&["#none", "#a"]);
    let element = page.all(&A)[0];
    assert_eq!(text(element), "One word two three fourfive & six seven");
}

#[test]
fn what_is_not_seen_costs_as_well() {
    static P: Selectors = Selectors::new(&["p"]);
    let texts = |page: String, most| {
        let page = Page(build(&page, Duration::MAX).unwrap());
        let start = |element| start(element, most);
        page.all(&P).into_iter().map(start).collect::<Vec<_>>()
    };
    let after = |unseen: &str, times| format!("<p>a{}b", unseen.repeat(times));
    // The paragraph, its text and `a` are three steps.
    assert_eq!(texts(after(" ", 10 * STEPS - 4), 10), ["a b"]);
    assert_eq!(texts(after(" ", 10 * STEPS - 3), 10), ["a"]);
    assert_eq!(texts(after("<i></i>", 5 * STEPS), 10), ["a"]);
    let spaces = after(" ", TEXT * STEPS);
    assert_eq!(
        text(Page(build(&spaces, Duration::MAX).unwrap()).all(&P)[0]),
        "a"
    );
    assert_eq!(texts("<p>abc".into(), 2), ["ab"]);
}

#[test]
fn the_first_selector_that_matches_counts() {
    static LIST: Selectors = Selectors::new(&["i", "b", "u"]);
    let page = read("<div><u>1</u><b>2</b><u>3</u><b>4</b></div>").unwrap();
    let texts: Vec<_> = page.all(&LIST).into_iter().map(text).collect();
    assert_eq!(texts, ["2", "4"]);
    static DIV: Selectors = Selectors::new(&["div"]);
    let found = first(page.all(&DIV)[0], &LIST).map(text);
    assert_eq!(found.as_deref(), Some("2"));
}

#[test]
fn many_matches_of_a_slow_selector_are_bounded() {
    static SLOW: Selectors = Selectors::new(&["div > div div div div .y > b", ".y"]);
    let nest = "<div>".repeat(250);
    let page = Page(build(&(nest + &"<i class=y>x</i>".repeat(20_000)), Duration::MAX).unwrap());
    let start = Instant::now();
    assert_eq!(page.all(&SLOW).len(), MATCHES);
    assert!(start.elapsed() < SOON);
}
