//! Pages as the engines write them, made here: one file for each engine, with `page`, `empty` and whatever else that
//! engine answers.
//!
//! Unit tests, tests of the whole search and seeds for fuzzing share them, so nothing but the standard library is used.
#![allow(
    dead_code,
    reason = "each user includes all of it and needs some of it"
)]

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
