//! How clients are told of a server: what each of them wants to read, and where.
//!
//! | place | what it is |
//! | --- | --- |
//! | [`client`] | the registry: every client, an entry each. To add one, add an entry |
//! | [`entry`] | a server, and how the clients write it |
//! | [`place`] | where the files of clients lie, by operating system and scope |
//! | [`format`](mod@format) | an entry is found, set and removed in a text, and all else in it stays |
//! | [`file`](mod@file) | the file on the disk: whether it may be changed, and how |
//! | [`binary`] | this program, as a client has to start it |
//! | [`diff`] | two entries, line by line |
//! | [`offer`] | lines for a shell, links to click, and snippets for a page |
//! | [`page`] | the tables of `README.md` and `docs/clients.md` |

pub(crate) mod binary;
pub(crate) mod client;
pub(crate) mod diff;
pub(crate) mod entry;
pub(crate) mod file;
pub(crate) mod format;
pub(crate) mod offer;
pub(crate) mod page;
pub(crate) mod place;

#[cfg(feature = "verbs")]
pub(crate) use client::{CLIENTS, Client};
pub(crate) use entry::{Reached, ServerEntry};
