//! For tests of the search, and of what is built on it: pages as the engines write them ([`engines`]), and all engines at
//! one server on loopback, each below a path of its name.

pub mod engines;

use std::collections::BTreeMap;

use pymcp_egress::testing::{Loopback, Page, Reply, Seen};

use self::engines::Entry;

/// Every engine, in the order of the crate's list.
pub const ENGINES: [&str; 7] = [
    "brave_api",
    "searxng",
    "duckduckgo",
    "mojeek",
    "brave",
    "yahoo",
    "wikipedia",
];

/// Those that are asked without being set up.
pub const KEYLESS: [&str; 5] = ["duckduckgo", "mojeek", "brave", "yahoo", "wikipedia"];

/// The page that every engine has second.
pub const SHARED: &str = "https://shared.example.org/page";

/// A request, as an engine understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Which engine.
    pub engine: &'static str,
    /// Which page, from 1.
    pub page: u32,
}

/// Addresses for the engines, by name, as settings have them.
pub fn urls(server: &Loopback) -> BTreeMap<String, String> {
    let url = |engine: &&str| ((*engine).to_owned(), server.url(&format!("/{engine}/")));
    ENGINES.iter().map(url).collect()
}

/// A server that plays the engines by `play`; where that says nothing, they have pages of ten results.
pub async fn start(play: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> Loopback {
    Loopback::start(move |seen| match asked(seen) {
        Some(asked) => play(&asked).unwrap_or_else(|| {
            let entries = entries(asked.engine, asked.page);
            page(asked.engine, &entries, true)
        }),
        None => Reply::status(404),
    })
    .await
}

/// What a request asks for.
///
/// # Panics
/// When a request is none that the engine could understand.
pub fn asked(seen: &Seen) -> Option<Asked> {
    let name = seen.path().split('/').nth(1)?;
    let engine = ENGINES.into_iter().find(|engine| *engine == name)?;
    let query = match seen.target.split_once('?') {
        Some((_, query)) => query.to_owned(),
        None => String::from_utf8_lossy(&seen.body).into_owned(),
    };
    let number = |name: &str| {
        let value = query.split('&').find_map(|part| {
            let (key, value) = part.split_once('=')?;
            (key == name).then_some(value)
        });
        value.map(|value| value.parse::<u32>().expect("the number of a page"))
    };
    let page = match engine {
        "brave_api" | "brave" => number("offset").map_or(1, |offset| offset + 1),
        "searxng" => number("pageno").unwrap_or(1),
        "duckduckgo" => number("s").map_or(1, |start| (start - 10) / 15 + 2),
        "mojeek" => number("s").map_or(1, |start| (start - 1) / 10 + 1),
        "yahoo" => number("b").map_or(1, |start| (start - 1) / 7 + 1),
        _ => number("gsroffset").map_or(1, |offset| offset / 10 + 1),
    };
    Some(Asked { engine, page })
}

/// Ten results of a page: the second is one that every engine has, with a parameter of its own that follows people
/// around.
pub fn entries(engine: &str, page: u32) -> Vec<Entry> {
    let entry = |at: usize| match (at, page) {
        (1, 1) => Entry {
            title: "What all have".to_owned(),
            url: format!("{SHARED}?utm_source={engine}"),
            body: format!("As {engine} sees it."),
        },
        _ => Entry {
            title: format!("{engine} {page}.{at}"),
            url: format!(
                "https://{}.example.com/{page}/{at}",
                engine.replace('_', "-")
            ),
            body: format!("Result {at} of page {page}."),
        },
    };
    (0..10).map(entry).collect()
}

/// A page of results.
pub fn page(engine: &str, entries: &[Entry], more: bool) -> Reply {
    match engine {
        "brave_api" => json(engines::brave_api::page(entries, more)),
        "searxng" => json(engines::searxng::page(entries, more)),
        "duckduckgo" => html(engines::duckduckgo::page(entries, more)),
        "mojeek" => html(engines::mojeek::page(entries, more)),
        "brave" => html(engines::brave::page(entries, more)),
        "yahoo" => html(engines::yahoo::page(entries, more)),
        _ => json(engines::wikipedia::page(entries, more)),
    }
}

/// A page that says that there is nothing.
pub fn empty(engine: &str) -> Reply {
    match engine {
        "brave_api" => json(engines::brave_api::empty()),
        "searxng" => json(engines::searxng::empty()),
        "duckduckgo" => html(engines::duckduckgo::empty()),
        "mojeek" => html(engines::mojeek::empty()),
        "brave" => html(engines::brave::empty()),
        "yahoo" => html(engines::yahoo::empty()),
        _ => json(engines::wikipedia::empty()),
    }
}

/// What the engine tells a program that it does not want to answer.
pub fn refusal(engine: &str) -> Reply {
    match engine {
        "brave_api" => {
            let body = engines::brave_api::error(422, "SUBSCRIPTION_TOKEN_INVALID");
            Page::new(body).status(422).whole()
        }
        "searxng" => Page::new(engines::searxng::error_html())
            .status(403)
            .whole(),
        "duckduckgo" => Page::new(engines::duckduckgo::challenge())
            .status(202)
            .whole(),
        "mojeek" => Page::new(engines::mojeek::challenge()).status(403).whole(),
        "brave" => Page::new(engines::brave::challenge()).status(429).whole(),
        "yahoo" => html(engines::yahoo::challenge()),
        _ => json(engines::wikipedia::error("ratelimited")),
    }
}

fn html(body: String) -> Reply {
    Page::new(body)
        .header("Content-Type", "text/html; charset=utf-8")
        .whole()
}

fn json(body: String) -> Reply {
    Page::new(body)
        .header("Content-Type", "application/json")
        .whole()
}
