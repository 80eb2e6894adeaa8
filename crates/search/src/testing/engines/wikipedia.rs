//! Answers of a MediaWiki, as `formatversion=2` has them.

use super::{Entry, json_string, list};

/// Articles. They come in the order of their numbers, which is not the one of the search.
pub fn page(entries: &[Entry], more: bool) -> String {
    let articles = entries.iter().enumerate().rev().map(|(at, entry)| {
        format!(
            r#"{{"pageid":{},"ns":0,"title":{},"index":{},"extract":{},"contentmodel":"wikitext","pagelanguage":"en","touched":"2024-01-01T00:00:00Z","lastrevid":1,"length":100,"fullurl":{},"editurl":"https://example.org/edit"}}"#,
            9_000 - at,
            json_string(&entry.title),
            at + 1,
            json_string(&entry.body),
            json_string(&entry.url),
        )
    });
    let articles = list(articles);
    let next = if more {
        r#""continue":{"gsroffset":10,"continue":"gsroffset||"},"#
    } else {
        ""
    };
    format!(r#"{{"batchcomplete":true,{next}"query":{{"pages":[{articles}]}}}}"#)
}

/// Nothing was found.
pub fn empty() -> String {
    r#"{"batchcomplete":true}"#.to_owned()
}

/// An error, which comes with the status 200.
pub fn error(code: &str) -> String {
    format!(
        r#"{{"error":{{"code":{},"info":"A sentence.","docref":"See https://example.org/"}},"servedby":"mw1"}}"#,
        json_string(code)
    )
}
