//! Answers in JSON, for the engines that have an interface for programs.
//!
//! An answer is a stranger's, and one hit of it that is no JSON must not cost the others: only the brackets and quotes
//! of an answer have to be right. What is between them is read by serde, hit by hit, member by member; what is not
//! needed is read past, whatever it is.

use http::HeaderValue;
use http::header::ACCEPT;
use pymcp_egress::{Request, Response};
use serde::de::DeserializeOwned;
use url::Url;

use super::{Blocked, Hit, MOST_HITS};

/// Items of a list that are looked at for [`MOST_HITS`] good ones.
const LOOKED_AT: usize = 10 * MOST_HITS;

/// A request for JSON.
pub(super) fn get(url: Url) -> Request {
    Request::get(url).header(ACCEPT, HeaderValue::from_static("application/json"))
}

/// What an answer says.
///
/// # Errors
/// [`Blocked::Unrecognised`] when it is no whole object.
pub(super) fn read(response: &Response) -> Result<Object<'_>, Blocked> {
    value(&response.body)
        .filter(|(_, rest)| rest.trim_ascii().is_empty())
        .and_then(|(text, _)| within(text, b'{'))
        .map(Object)
        .ok_or(Blocked::Unrecognised)
}

/// The hits that have a title and an address.
///
/// # Errors
/// [`Blocked::Unrecognised`] when there are hits and none has both: then they are called something else now.
pub(super) fn hits<T>(
    items: Items<T>,
    hit: impl Fn(T) -> Option<Hit>,
) -> Result<Vec<Hit>, Blocked> {
    let hits: Vec<_> = items
        .read
        .into_iter()
        .filter_map(hit)
        .filter(|hit| !hit.title.trim().is_empty() && !hit.url.trim().is_empty())
        .collect();
    if items.any && hits.is_empty() {
        return Err(Blocked::Unrecognised);
    }
    Ok(hits)
}

/// The first [`MOST_HITS`] items of a list that can be read.
#[derive(Debug)]
pub(super) struct Items<T> {
    pub(super) read: Vec<T>,
    /// Whether there are items, be they read or not.
    pub(super) any: bool,
}

/// An object: what is between its braces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object<'a>(&'a [u8]);

impl<'a> Object<'a> {
    /// A member as it is written, unless it is `null`. Of several with the same name it is the last, as nearly
    /// everywhere (RFC 8259 §4).
    pub(super) fn get(self, name: &str) -> Option<&'a [u8]> {
        let named = |key: &[u8]| serde_json::from_slice::<String>(key).is_ok_and(|key| key == name);
        let mut found = None;
        let mut rest = skip(self.0);
        while rest.starts_with(b"\"") {
            let (key, after) = value(rest)?;
            let (member, after) = value(after.trim_ascii_start().strip_prefix(b":")?)?;
            if named(key) {
                found = Some(member);
            }
            rest = skip(after);
        }
        found.filter(|member| *member != b"null")
    }

    /// A member of this type.
    pub(super) fn read<T: DeserializeOwned>(self, name: &str) -> Option<T> {
        serde_json::from_slice(self.get(name)?).ok()
    }

    /// A member that is an object.
    pub(super) fn object(self, name: &str) -> Option<Object<'a>> {
        within(self.get(name)?, b'{').map(Object)
    }

    /// The items of a member that is a list, as far as they are objects of this shape.
    pub(super) fn items<T: DeserializeOwned>(self, name: &str) -> Option<Items<T>> {
        let inside = within(self.get(name)?, b'[')?;
        let any = !inside.trim_ascii().is_empty();
        let mut rest = skip(inside);
        let mut read = Vec::new();
        for _ in 0..LOOKED_AT {
            let Some((item, after)) = value(rest) else {
                break;
            };
            // Serde takes a list for an object whose members have no names.
            if item.starts_with(b"{") {
                read.extend(serde_json::from_slice(item).ok());
            }
            if read.len() == MOST_HITS {
                break;
            }
            rest = skip(after);
        }
        Some(Items { read, any })
    }
}

/// What is between the brackets, if these are they.
fn within(text: &[u8], open: u8) -> Option<&[u8]> {
    text.starts_with(&[open]).then(|| &text[1..text.len() - 1])
}

/// The text from the next value or key on.
fn skip(text: &[u8]) -> &[u8] {
    let between = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
    let start = text.iter().position(|byte| !between(byte));
    &text[start.unwrap_or(text.len())..]
}

/// The first value of a text, which may be none, and what follows it. Looks at brackets and quotes alone.
fn value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii_start();
    let mut open = Vec::new();
    let mut at = 0;
    loop {
        match *text.get(at)? {
            b'"' => at = string(text, at)?,
            b'{' => open.push(b'}'),
            b'[' => open.push(b']'),
            close @ (b'}' | b']') if open.pop() != Some(close) => return None,
            b'}' | b']' => {}
            _ if open.is_empty() => {
                let end = |byte: &u8| byte.is_ascii_whitespace() || b",]}".contains(byte);
                let length = text.iter().position(end).unwrap_or(text.len());
                return (length > 0).then(|| text.split_at(length));
            }
            _ => {}
        }
        at += 1;
        if open.is_empty() {
            return text.split_at_checked(at);
        }
    }
}

/// Where the string ends that begins here.
fn string(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_brackets_and_quotes() {
        for (text, first, rest) in [
            ("{} x", "{}", " x"),
            (" [1,{\"]\":\"\\\"}\"}] ,", "[1,{\"]\":\"\\\"}\"}]", " ,"),
            ("\"a\\\\\"b\"", "\"a\\\\\"", "b\""),
            ("NaN,1", "NaN", ",1"),
            ("-Infinity]", "-Infinity", "]"),
            ("1", "1", ""),
        ] {
            let found = value(text.as_bytes());
            assert_eq!(found, Some((first.as_bytes(), rest.as_bytes())), "{text}");
        }
        for text in [
            "",
            " ",
            ",",
            "]",
            "{",
            "[}",
            "[1",
            "\"",
            "\"\\\"",
            "{\"a\":[}]",
        ] {
            assert_eq!(value(text.as_bytes()), None, "{text}");
        }
        let deep = ["[".repeat(500_000), "]".repeat(500_000)].concat();
        assert_eq!(value(deep.as_bytes()).unwrap().1, b"");
    }

    #[test]
    fn a_member_that_cannot_be_read_costs_no_other() {
        let text = br#"{"a":NaN,"\ud800":1,"b":"x","n":null,"b":"\u0079","c":[1,{"d":2}, {"d":3}{"d":4}],"o":{"d":5}}"#;
        let object = Object(within(text, b'{').unwrap());
        assert_eq!(object.read::<f64>("a"), None);
        assert_eq!(object.read::<String>("b").as_deref(), Some("y"));
        assert_eq!((object.get("n"), object.get("d")), (None, None));
        #[derive(serde::Deserialize)]
        struct Item {
            d: u8,
        }
        let items = object.items::<Item>("c").unwrap();
        let read: Vec<_> = items.read.iter().map(|item| item.d).collect();
        assert_eq!((read, items.any), (vec![2, 3, 4], true));
        for (list, any) in [("[]", false), ("[ ]", false), ("[,,]", true)] {
            let text = format!("\"c\":{list}");
            let items = Object(text.as_bytes()).items::<Item>("c").unwrap();
            assert_eq!((items.read.len(), items.any), (0, any), "{list}");
        }
        assert!(object.items::<Item>("o").is_none() && object.object("c").is_none());
        assert_eq!(object.object("o").unwrap().read::<u8>("d"), Some(5));
    }

    #[test]
    fn a_list_of_a_million_takes_no_memory() {
        #[derive(Debug, serde::Deserialize)]
        struct Item {}
        let text = format!("{{\"l\":[{}]}}", "{},".repeat(1_000_000));
        let object = Object(within(text.as_bytes(), b'{').unwrap());
        let items = object.items::<Item>("l").unwrap();
        assert_eq!((items.read.len(), items.any), (MOST_HITS, true));
    }
}
