//! What the fuzz target `search` drives, which is not public otherwise.

use std::sync::OnceLock;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use pymcp_egress::Response;

use crate::engine::{ALL, Engine, Hit, MOST_HITS, Setup};
use crate::query::Query;
use crate::{links, text};

/// An answer to each engine, or to the one that is named, and all that becomes of it.
///
/// The first line is the name of an engine, or any other word for all of them; a status; and headers (`name:value`),
/// with spaces between them. The body follows.
pub fn parse(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n');
    let (head, body) = data.split_at(end.unwrap_or(data.len()));
    let head = String::from_utf8_lossy(head);
    let mut words = head.split(' ');
    let name = words.next().unwrap_or_default();
    let status = words.next().and_then(|word| word.parse().ok());
    let engines = engines();
    let known = engines.iter().any(|(engine, _)| *engine == name);
    let query = Query::new("words", Query::REGION, 10, 1).expect("a query");
    for (engine, made) in engines {
        if known && *engine != name {
            continue;
        }
        let response = Response {
            status: status.unwrap_or(StatusCode::OK),
            url: made.request(&query, 1).url,
            headers: words.clone().filter_map(header).collect::<HeaderMap>(),
            body: body.get(1..).unwrap_or_default().to_vec().into(),
        };
        if let Ok(found) = made.parse(&response) {
            assert!(found.hits.len() <= MOST_HITS, "{engine} has too many hits");
            found.hits.iter().for_each(shown);
        }
    }
    // Text and addresses need no engine to be strange.
    let body = String::from_utf8_lossy(body);
    clean(&body, text::TITLE);
    clean(&body, 9);
    tidy(body.trim());
}

type Engines = Vec<(&'static str, Box<dyn Engine>)>;

fn engines() -> &'static Engines {
    static ENGINES: OnceLock<Engines> = OnceLock::new();
    ENGINES.get_or_init(|| {
        let setup = |url| Setup {
            url,
            key: Some("key"),
        };
        ALL.iter()
            .map(|kind| {
                let url = kind.url.unwrap_or("https://search.example.org/");
                (kind.name, (kind.make)(&setup(url)).expect("an engine"))
            })
            .collect()
    })
}

fn header(word: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = word.split_once(':')?;
    Some((name.parse().ok()?, value.parse().ok()?))
}

/// What is shown of a hit.
fn shown(hit: &Hit) {
    clean(&hit.title, text::TITLE);
    clean(&hit.body, text::BODY);
    tidy(&hit.url);
}

fn clean(text: &str, most: usize) {
    let once = text::clean(text, most);
    assert!(once.chars().count() <= most);
    assert!(!once.chars().any(text::is_hidden));
    assert!(!once.contains("  ") && once.trim() == once);
    assert_eq!(text::clean(&once, most), once);
}

fn tidy(text: &str) {
    let Some(url) = links::tidy(text) else {
        return;
    };
    assert!(matches!(url.scheme(), "http" | "https"));
    assert!(url.as_str().is_ascii() && url.as_str().len() <= links::MOST);
    assert!(url.username().is_empty() && url.password().is_none());
    assert_eq!(links::tidy(url.as_str()).as_ref(), Some(&url));
    assert!(!links::key(&url).is_empty());
}
