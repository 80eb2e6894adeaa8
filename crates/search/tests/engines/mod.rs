//! Pages as the engines write them, made here: one file for each engine, with `page`, `empty` and whatever else that
//! engine answers.
//!
//! Unit tests, tests of the whole search and seeds for fuzzing share them, so nothing but the standard library is used.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each user includes all of it and needs some of it"
)]

pub mod brave_api;
pub mod searxng;
pub mod wikipedia;

/// One result of a page, as plain text: builders escape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The title.
    pub title: String,
    /// The address.
    pub url: String,
    /// What is shown of the page.
    pub body: String,
}

/// A text as JSON writes it (RFC 8259 §7).
pub fn json_string(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            '\u{0}'..='\u{1F}' => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => json.push(c),
        }
    }
    json.push('"');
    json
}

/// Items with commas between them.
fn list(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().collect::<Vec<_>>().join(",")
}
