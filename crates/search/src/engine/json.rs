//! Answers in JSON, for the engines that have an interface for programs.
//!
//! An engine describes the part of an answer that it needs with serde; everything else is read past, whatever it is.

use std::fmt;
use std::marker::PhantomData;

use http::HeaderValue;
use http::header::ACCEPT;
use pymcp_egress::{Request, Response};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, IgnoredAny, SeqAccess, Visitor};
use url::Url;

use super::{Blocked, Hit, MOST_HITS};

/// A request for JSON.
pub(super) fn get(url: Url) -> Request {
    Request::get(url).header(ACCEPT, HeaderValue::from_static("application/json"))
}

/// What an answer says.
///
/// # Errors
/// [`Blocked::Unrecognised`] when it is no object of that shape.
pub(super) fn read<T: DeserializeOwned>(response: &Response) -> Result<T, Blocked> {
    // Serde takes a list for an object whose members have no names, and an empty one for an object without members.
    let is_object = response.body.trim_ascii_start().starts_with(b"{");
    is_object
        .then(|| serde_json::from_slice(&response.body).ok())
        .flatten()
        .ok_or(Blocked::Unrecognised)
}

/// The hits that have a title and an address.
///
/// # Errors
/// [`Blocked::Unrecognised`] when there are hits and none has both: then they are called something else now.
pub(super) fn hits<T>(
    items: First<T>,
    hit: impl Fn(T) -> Option<Hit>,
) -> Result<Vec<Hit>, Blocked> {
    let any = !items.0.is_empty();
    let hits: Vec<_> = items
        .0
        .into_iter()
        .filter_map(hit)
        .filter(|hit| !hit.title.trim().is_empty() && !hit.url.trim().is_empty())
        .collect();
    if any && hits.is_empty() {
        return Err(Blocked::Unrecognised);
    }
    Ok(hits)
}

/// The first [`MOST_HITS`] items of a list. The others are read past, so that a list of a million takes no memory.
#[derive(Debug)]
pub(super) struct First<T>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for First<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FirstVisitor(PhantomData))
    }
}

struct FirstVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FirstVisitor<T> {
    type Value = First<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<First<T>, A::Error> {
        let mut items = Vec::new();
        while items.len() < MOST_HITS {
            match list.next_element()? {
                Some(item) => items.push(item),
                None => return Ok(First(items)),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(First(items))
    }
}
