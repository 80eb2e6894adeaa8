//! What the tests of engines share.

use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use pymcp_egress::{Request, Response};
use url::Url;

use super::{Blocked, Engine, Hit, Hits, Kind, Setup};
use crate::query::Query;
use crate::testing::engines::Entry;

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

/// The address that is asked for a page of a query.
pub(super) fn requested(kind: &Kind, text: &str, region: &str, page: u32) -> String {
    address(&engine(kind).request(&query(text, region), page)).to_owned()
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

/// Puts every kind of nonsense in place of a title, and of an address, of one hit among three, and expects the others in
/// their order. `title` and `url` are the keys as they are written, with the colon.
pub(super) fn malformed_hits_cost_themselves_alone(
    kind: &Kind,
    page: fn(&[Entry], bool) -> String,
    title: &str,
    url: &str,
) {
    let nonsense = [
        r#""half a pair \ud800""#,
        r#""the other half \udc00 first""#,
        r#""no such \x escape""#,
        "\"a line\nbreak\"",
        "\"invalid \u{E000}\"",
        "null",
        "true",
        "17",
        "NaN",
        "-Infinity",
        "0x10",
        "[]",
        r#"["a","list"]"#,
        r#"{"an":"object"}"#,
        "",
    ];
    let deep = [r#"{"a":["#.repeat(20_000), "]}".repeat(20_000)].concat();
    let entries = entries(3);
    for key in [title, url] {
        // The second of three, which is the second backwards as well.
        let good = page(&entries, true);
        let second = good.match_indices(key).nth(1).unwrap().0 + key.len();
        let end = second + string(&good[second..]);
        let value = &good[second..end];
        let twice = format!("{value},{key}{value}");
        for spoilt in nonsense.iter().copied().chain([&*deep, &*twice]) {
            let spoilt = [&good[..second], spoilt, &good[end..]].concat();
            // Half of a character: no text at all.
            let spoilt = match spoilt.split_once("\u{E000}") {
                Some((before, after)) => [before.as_bytes(), b"\xC3", after.as_bytes()].concat(),
                None => spoilt.into_bytes(),
            };
            let shown = String::from_utf8_lossy(&spoilt[second..]).into_owned();
            let found =
                parse(kind, spoilt).unwrap_or_else(|error| panic!("{error:?}: {shown:.80}"));
            let all = hits(&entries);
            assert_eq!(found.hits, [all[0].clone(), all[2].clone()], "{shown:.80}");
        }
        // Beside the hits nothing has to be right.
        let beside = good.replacen(
            '{',
            r#"{"x":NaN,"y":"\ud800","\udfff":{"z":[Infinity]},"#,
            1,
        );
        assert_eq!(parse(kind, beside).unwrap().hits, hits(&entries));
    }
}

/// Bytes of the JSON string that a text begins with.
fn string(text: &str) -> usize {
    let mut ends = text[1..].match_indices('"').map(|(at, _)| at + 2);
    ends.find(|end| serde_json::from_str::<String>(&text[..*end]).is_ok())
        .unwrap()
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
