//! What holds for every engine whose answers are web pages.

mod properties;

use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use pymcp_egress::Response;

use crate::engine::{Blocked, Engine, Hit, Hits, Kind, Setup, brave, duckduckgo, mojeek, yahoo};
use crate::query::Query;
use crate::testing::engines::{self as pages, Entry};

/// A query whose text would do harm if it were put into an address as it is.
pub(in crate::engine) const HOSTILE: &str = "a&b#c?=/../%00 é 日本";

/// The engine with its usual address.
pub(in crate::engine) fn engine(kind: &Kind) -> Box<dyn Engine> {
    let url = kind.url.unwrap();
    (kind.make)(&Setup { url, key: None }).unwrap()
}

/// The request for a page, as text: method and address, headers by name, body.
pub(in crate::engine) fn asked(kind: &Kind, text: &str, region: &str, page: u32) -> String {
    let query = Query::new(text, region, 10, 3).unwrap();
    let request = engine(kind).request(&query, page);
    let mut lines = vec![format!("{} {}", request.method, request.url)];
    let mut headers: Vec<_> = request.headers.iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in headers {
        lines.push(format!("{name}: {}", value.to_str().unwrap()));
    }
    if !request.body.is_empty() {
        lines.push(String::from_utf8(request.body.to_vec()).unwrap());
    }
    lines.join("\n")
}

/// What a page comes to, from the engine's usual address.
pub(in crate::engine) fn parsed(kind: &Kind, page: impl Into<Vec<u8>>) -> Result<Hits, Blocked> {
    answered(kind, 200, HeaderMap::new(), page)
}

fn answered(
    kind: &Kind,
    status: u16,
    headers: HeaderMap,
    page: impl Into<Vec<u8>>,
) -> Result<Hits, Blocked> {
    let query = Query::new("example", "uk-en", 10, 1).unwrap();
    let engine = engine(kind);
    engine.parse(&Response {
        status: StatusCode::from_u16(status).unwrap(),
        url: engine.request(&query, 1).url,
        headers,
        body: page.into().into(),
    })
}

pub(in crate::engine) fn entry(title: &str, url: &str, body: &str) -> Entry {
    let [title, url, body] = [title, url, body].map(str::to_owned);
    Entry { title, url, body }
}

/// Three ordinary entries.
pub(in crate::engine) fn entries() -> Vec<Entry> {
    vec![
        entry(
            "An example",
            "https://example.org/",
            "It is <b>bold</b> & short.",
        ),
        entry(
            "R&D \"quoted\" – 日本",
            "http://example.com/a%2526b?q=%2F+x&y=1%2B2#top",
            "",
        ),
        entry(
            "Ümlaute",
            "https://example.net/l/?uddg=https%3A%2F%2Fexample.org%2F",
            "Grüße",
        ),
    ]
}

/// The hits that entries should come back as.
pub(in crate::engine) fn hits(entries: &[Entry]) -> Vec<Hit> {
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let hit = |entry: &Entry| Hit {
        title: line(&entry.title),
        url: entry.url.clone(),
        body: line(&entry.body),
    };
    entries.iter().map(hit).collect()
}

/// An engine and its pages.
struct Pages {
    kind: Kind,
    page: fn(&[Entry], bool) -> String,
    empty: fn() -> String,
    challenge: fn() -> String,
}

const ALL: [Pages; 4] = [
    Pages {
        kind: duckduckgo::KIND,
        page: pages::duckduckgo::page,
        empty: pages::duckduckgo::empty,
        challenge: pages::duckduckgo::challenge,
    },
    Pages {
        kind: mojeek::KIND,
        page: pages::mojeek::page,
        empty: pages::mojeek::empty,
        challenge: pages::mojeek::challenge,
    },
    Pages {
        kind: brave::KIND,
        page: pages::brave::page,
        empty: pages::brave::empty,
        challenge: pages::brave::challenge,
    },
    Pages {
        kind: yahoo::KIND,
        page: pages::yahoo::page,
        empty: pages::yahoo::empty,
        challenge: pages::yahoo::challenge,
    },
];

#[test]
fn the_hits_of_a_page_are_read() {
    for Pages { kind, page, .. } in ALL {
        let entries = entries();
        for last in [true, false] {
            let found = parsed(&kind, page(&entries, !last)).unwrap();
            assert_eq!(found.hits, hits(&entries), "{}", kind.name);
            // DuckDuckGo's further pages cannot be asked for.
            assert_eq!(found.more, kind.name != "duckduckgo", "{}", kind.name);
        }
    }
}

#[test]
fn nothing_is_an_answer_only_where_a_page_says_so() {
    for Pages {
        kind, empty, page, ..
    } in ALL
    {
        assert_eq!(parsed(&kind, empty()), Ok(Hits::default()), "{}", kind.name);
        let nothing_at_all = page(&[], false);
        let untitled = page(&[entry(" ", "https://example.org/", "x")], false);
        let unlinked = page(&[entry("x", "javascript:alert(1)", "x")], false);
        let unknown = "<title>example</title><main><article>New.</article></main>".to_owned();
        let words = "<p>example: No pages found, No results, We did not find</p>".to_owned();
        for page in [
            nothing_at_all,
            untitled,
            unlinked,
            unknown,
            words,
            String::new(),
        ] {
            assert_eq!(
                parsed(&kind, page),
                Err(Blocked::Unrecognised),
                "{}",
                kind.name
            );
        }
    }
}

#[test]
fn only_the_start_of_a_text_says_that_there_is_nothing() {
    let page = |spaces| format!("<main><p>{}No results</p></main>", " ".repeat(spaces));
    assert_eq!(parsed(&brave::KIND, page(10)), Ok(Hits::default()));
    // Read to its end for each element that it is in, such a page would take long.
    assert_eq!(
        parsed(&brave::KIND, page(1_000)),
        Err(Blocked::Unrecognised)
    );
}

#[test]
fn a_challenge_is_not_an_empty_page() {
    for Pages {
        kind, challenge, ..
    } in ALL
    {
        assert_eq!(
            parsed(&kind, challenge()),
            Err(Blocked::Challenge),
            "{}",
            kind.name
        );
    }
    let status = |kind, status| answered(kind, status, HeaderMap::new(), "");
    assert_eq!(status(&duckduckgo::KIND, 202), Err(Blocked::Challenge));
    assert_eq!(status(&mojeek::KIND, 403), Err(Blocked::Challenge));
    assert_eq!(status(&yahoo::KIND, 999), Err(Blocked::Challenge));
}

#[test]
fn pages_of_each_other_are_not_taken_for_empty_ones() {
    for asked in ALL {
        for other in ALL {
            if asked.kind.name != other.kind.name {
                let found = parsed(&asked.kind, (other.empty)());
                assert!(found.is_err(), "{} {}", asked.kind.name, other.kind.name);
            }
        }
    }
}

#[test]
fn statuses_count_before_pages() {
    for Pages { kind, page, .. } in ALL {
        let status = |status| answered(&kind, status, HeaderMap::new(), page(&entries(), false));
        assert_eq!(status(503), Err(Blocked::Failed { status: 503 }));
        assert_eq!(status(404), Err(Blocked::Unrecognised));
        assert_eq!(status(303), Err(Blocked::Unrecognised));
        assert_eq!(status(403), Err(Blocked::Challenge));
        assert_eq!(status(429), Err(Blocked::TooOften { retry_after: None }));
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("30"))]);
        let retry_after = Some(Duration::from_secs(30));
        for status in [429, 503] {
            let found = answered(&kind, status, headers.clone(), "");
            assert_eq!(found, Err(Blocked::TooOften { retry_after }));
        }
        let found = answered(&kind, 500, headers, "");
        assert_eq!(found, Err(Blocked::Failed { status: 500 }));
    }
}

#[test]
fn pages_are_read_in_their_charset() {
    for Pages { kind, page, .. } in ALL {
        let entries = vec![entry("Café", "https://example.org/", "Grüße")];
        let text = page(&entries, false);
        let latin: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
        let header = HeaderValue::from_static("text/html; charset=\"ISO-8859-1\"");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, header)]);
        let found = answered(&kind, 200, headers, latin.clone()).unwrap();
        assert_eq!(found.hits, hits(&entries), "{}", kind.name);
        // Without a charset it is UTF-8, and what is none of it is replaced.
        let found = parsed(&kind, latin).unwrap();
        assert_eq!(found.hits[0].title, "Caf\u{fffd}", "{}", kind.name);
        let utf_16: Vec<u8> = "\u{feff}"
            .encode_utf16()
            .chain(text.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(
            parsed(&kind, utf_16).unwrap().hits,
            hits(&entries),
            "{}",
            kind.name
        );
    }
}

#[test]
fn hits_are_bounded_and_none_is_read_twice() {
    for Pages { kind, page, .. } in ALL {
        let many: Vec<_> = (0..120)
            .map(|n| entry(&n.to_string(), &format!("https://example.org/{n}"), ""))
            .collect();
        let found = parsed(&kind, page(&many, false)).unwrap();
        assert_eq!(found.hits, hits(&many[..50]), "{}", kind.name);
        // A page of the same within a hit of it.
        let text = page(&entries(), false);
        let nested = text.replacen("An example", &text, 1);
        assert!(parsed(&kind, nested).is_ok(), "{}", kind.name);
    }
}

#[test]
fn titles_are_text_whatever_is_in_them() {
    for Pages { kind, page, .. } in ALL {
        let title = "</a></h2></li><script>alert(1)</script><!-- &amp; &lt; \" ' x";
        let entries = vec![entry(title, "https://example.org/", title)];
        let found = parsed(&kind, page(&entries, false)).unwrap();
        assert_eq!(found.hits, hits(&entries), "{}", kind.name);
    }
}

#[test]
fn a_malformed_hit_costs_itself_alone() {
    for Pages { kind, page, .. } in ALL {
        let [first, _, last] = &entries()[..] else {
            panic!("three entries");
        };
        let others = hits(&[first.clone(), last.clone()]);
        for (title, url) in [
            ("", "https://example.com/"),
            ("A broken one", "https://[::bad/"),
            ("No port", "https://example.com:99999/"),
            ("A program", "javascript:alert(1)"),
        ] {
            let page = page(&[first.clone(), entry(title, url, "x"), last.clone()], true);
            let found = parsed(&kind, page).unwrap().hits;
            assert_eq!(found, others, "{}: {title} {url}", kind.name);
        }
        // Half of a pair of surrogates, as bytes and as a reference; no character at all; half of one.
        for text in [
            &b"\xED\xA0\x80"[..],
            b"&#xD800;",
            b"&#x110000;",
            b"&#0;",
            b"\0",
            b"\xC3",
        ] {
            let entries = [
                first.clone(),
                entry("MARK", "https://example.com/", "x"),
                last.clone(),
            ];
            let good = page(&entries, true);
            let parts: Vec<_> = good.split("MARK").map(str::as_bytes).collect();
            let found = parsed(&kind, parts.join(text)).unwrap().hits;
            let found = (found.first(), found.last());
            assert_eq!(
                found,
                (others.first(), others.last()),
                "{} {text:?}",
                kind.name
            );
        }
    }
}

#[test]
fn half_a_page_is_read_as_far_as_it_goes() {
    for Pages { kind, page, .. } in ALL {
        let entries = entries();
        let text = page(&entries, false);
        let at = text.find("Ümlaute").unwrap();
        let found = parsed(&kind, &text[..at]).unwrap();
        assert_eq!(found.hits[..2], hits(&entries)[..2], "{}", kind.name);
    }
}
