//! What the tests of engines share.

use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use pymcp_egress::{Request, Response};
use url::Url;

use super::{Blocked, Engine, Hit, Hits, Kind, Setup};
use crate::pages::Entry;
use crate::query::Query;

/// Words that mean something in every place they might end up in.
pub(super) const HOSTILE: &str = "a&b#c?=/../%00 é 日本";
/// The same in a query string.
pub(super) const HOSTILE_ESCAPED: &str = "a%26b%23c%3F%3D%2F..%2F%2500+%C3%A9+%E6%97%A5%E6%9C%AC";

pub(super) fn engine(kind: &Kind) -> Box<dyn Engine> {
    let url = kind.url.unwrap_or("https://search.example.org/");
    let key = Some("key");
    (kind.make)(&Setup { url, key }).unwrap()
}

pub(super) fn query(text: &str, region: &str) -> Query {
    Query::new(text, region, 10, 10).unwrap()
}

/// The address of a `GET` without a body.
pub(super) fn address(request: &Request) -> &str {
    assert_eq!(request.method, http::Method::GET);
    assert!(request.body.is_empty());
    request.url.as_str()
}

pub(super) fn headers(request: &Request) -> Vec<(&str, &[u8])> {
    let mut headers: Vec<_> = request
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    headers.sort();
    headers
}

pub(super) fn response(
    status: u16,
    headers: &[(&'static str, &str)],
    body: impl Into<Vec<u8>>,
) -> Response {
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    let mut map = HeaderMap::from_iter([(CONTENT_TYPE, json)]);
    for (name, value) in headers {
        let name = HeaderName::from_static(name);
        map.insert(name, value.parse().unwrap());
    }
    Response {
        status: StatusCode::from_u16(status).unwrap(),
        url: Url::parse("https://search.example.org/").unwrap(),
        headers: map,
        body: body.into().into(),
    }
}

/// What an engine makes of a body that comes with `200 OK`.
pub(super) fn parse(kind: &Kind, body: impl Into<Vec<u8>>) -> Result<Hits, Blocked> {
    engine(kind).parse(&response(200, &[], body))
}

pub(super) fn status(kind: &Kind, status: u16) -> Result<Hits, Blocked> {
    engine(kind).parse(&response(status, &[], "{}"))
}

/// Entries with everything in them that markup and JSON write in another way.
pub(super) fn entries(count: usize) -> Vec<Entry> {
    let entry = |at| Entry {
        title: format!("Title {at} \"<b>\" & 'more' \\ é 日本"),
        url: format!("https://example.org/{at}?a=b&c=%2F"),
        body: format!("Body {at} of\nthe <page> &amp; \u{1F600}"),
    };
    (1..=count).map(entry).collect()
}

pub(super) fn hits(entries: &[Entry]) -> Vec<Hit> {
    let hit = |entry: &Entry| Hit {
        title: entry.title.clone(),
        url: entry.url.clone(),
        body: entry.body.clone(),
    };
    entries.iter().map(hit).collect()
}

/// Bodies that are no answer of any engine, whatever they are.
pub(super) fn garbage() -> Vec<Vec<u8>> {
    let deep = |open: &str| open.repeat(200_000).into_bytes();
    let texts = [
        "",
        " ",
        "null",
        "true",
        "0",
        "\"text\"",
        "[]",
        "[true]",
        "[[],[]]",
        "{}",
        "{",
        "}",
        "{\"a\":1}",
        "{\"query\":[]}",
        "{\"query\":{}}",
        "{\"query\":null}",
        "{\"results\":{}}",
        "{\"results\":[1]}",
        "{\"results\":null}",
        "{\"type\":\"search\"}",
        "{\"type\":\"search\",\"query\":{},\"web\":{}}",
        "{\"query\":{\"pages\":{}}}",
        "{\"query\":{\"pages\":[]}}",
        "{\"batchcomplete\":null}",
        "{} {}",
        "words",
        "\u{FEFF}{}",
    ];
    let mut bodies: Vec<Vec<u8>> = texts.map(|text| text.as_bytes().to_vec()).into();
    bodies.extend([
        deep("["),
        deep("{\"results\":["),
        deep("{\"query\":"),
        vec![0xFF, 0xFE],
        b"{\"\xFF\":1}".to_vec(),
    ]);
    bodies
}

/// A good body, spoilt in every way that a broken connection or encoding spoils one.
pub(super) fn spoilt(body: &str) -> Vec<Vec<u8>> {
    let bytes = body.as_bytes();
    let mut bodies: Vec<_> = (0..bytes.len()).map(|end| bytes[..end].to_vec()).collect();
    bodies.push([bytes, b"x"].concat());
    bodies.push(body.replacen("Title", "\u{0}", 1).into_bytes());
    let at = body.find("Title").unwrap();
    let mut invalid = bytes.to_vec();
    invalid[at] = 0xFF;
    bodies.push(invalid);
    bodies
}

/// Parses anything: bytes, and parts of JSON in any order.
pub(super) fn survives(kind: &Kind) {
    let part = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("null"),
        Just("1"),
        Just("\"\""),
        Just("\"results\":["),
        Just("\"query\":{"),
        Just("\"pages\":["),
        Just("\"web\":{"),
        Just("\"title\":\"t\""),
        Just("\"url\":\"https://example.org\""),
        Just("\"type\":\"search\""),
        Just("\"batchcomplete\":true"),
        Just("\"\\ud800\""),
        Just("\"error\":{"),
    ];
    let json = proptest::collection::vec(part, 0..20).prop_map(|parts| parts.concat().into_bytes());
    let body = prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), json];
    let engine = engine(kind);
    let mut runner = proptest::test_runner::TestRunner::default();
    let outcome = runner.run(&(100_u16..600, body), |(status, body)| {
        if let Ok(found) = engine.parse(&response(status, &[], body)) {
            prop_assert_eq!(status, 200);
            prop_assert!(found.hits.len() <= super::MOST_HITS);
        }
        Ok(())
    });
    outcome.unwrap();
}
