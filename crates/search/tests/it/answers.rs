//! Engines that answer.

use std::collections::BTreeSet;

use pymcp_search::testing::engines::Entry;
use pymcp_search::testing::{self as site, ENGINES, KEYLESS, SHARED};
use pymcp_search::{Config, InvalidConfig, Query, Search, Status};

use crate::support::{config, only, query, report, run, statuses};

#[tokio::test]
async fn lists_are_merged_ranked_and_without_duplicates() {
    let server = site::start(|_| None).await;
    let search = only(&server, &KEYLESS);
    let outcome = run(&search, &query(100, 1)).await;
    assert_eq!(
        statuses(&outcome),
        KEYLESS.map(|engine| (engine, Status::Found))
    );
    assert_eq!(outcome.results[0].href, SHARED);
    assert_eq!(outcome.results[0].title, "What all have");
    assert_eq!(outcome.results[0].engines, KEYLESS);
    // Ten each, and one of them is the same.
    assert_eq!(outcome.results.len(), 5 * 9 + 1);
    let distinct: BTreeSet<_> = outcome.results.iter().map(|found| &found.href).collect();
    assert_eq!(distinct.len(), outcome.results.len());
    assert_eq!(server.seen().len(), 5);

    let again = run(&search, &query(100, 1)).await;
    assert_eq!(again.results, outcome.results);
    let fewer = run(&search, &query(7, 1)).await;
    assert_eq!(fewer.results, outcome.results[..7]);
}

#[tokio::test]
async fn those_that_were_set_up_come_first() {
    let server = site::start(|_| None).await;
    let search = Search::new(config(&server)).unwrap();
    assert_eq!(search.engines().collect::<Vec<_>>(), ENGINES);
    let outcome = run(&search, &query(10, 1)).await;
    for engine in KEYLESS {
        assert_eq!(report(&outcome, engine).status, Status::NotNeeded);
    }
    let asked = server.seen().len();
    assert_eq!(asked, 2, "only those with a key or an address of their own");
    let token = server
        .seen()
        .iter()
        .find_map(|seen| seen.header("X-Subscription-Token").map(str::to_owned));
    assert_eq!(token.as_deref(), Some("a-key"));
    assert_eq!(outcome.results.len(), 10);
}

#[tokio::test]
async fn pages_are_spread_over_pages() {
    let server = site::start(|_| None).await;
    for engine in ENGINES {
        let before = server.seen().len();
        let outcome = run(&only(&server, &[engine]), &query(100, 3)).await;
        let seen = server.seen();
        let pages: Vec<_> = seen[before..]
            .iter()
            .map(|seen| site::asked(seen).unwrap().page)
            .collect();
        // Its further pages need what is in the page before.
        let expected: &[u32] = if engine == "duckduckgo" {
            &[1]
        } else {
            &[1, 2, 3]
        };
        // SearXNG never says whether there is more, so it is asked, as the others are that say so.
        assert_eq!(pages, expected, "{engine}");
        assert_eq!(outcome.results.len(), 10 * expected.len(), "{engine}");
        assert_eq!(report(&outcome, engine).pages as usize, expected.len());
    }
}

#[tokio::test]
async fn nothing_is_an_answer() {
    let server = site::start(|asked| Some(site::empty(asked.engine))).await;
    let outcome = run(&Search::new(config(&server)).unwrap(), &query(10, 3)).await;
    assert_eq!(
        statuses(&outcome),
        ENGINES.map(|engine| (engine, Status::Nothing))
    );
    assert!(outcome.is_answer());
    assert!(outcome.results.is_empty());
    assert_eq!(server.seen().len(), 7);
}

#[tokio::test]
async fn texts_of_strangers_are_cleaned() {
    let hostile = Entry {
        title: "\u{1b}[31mRed\u{1b}[0m \u{202e}desrever\u{202c} <b>&amp;</b> \u{e0041}\u{e0042}tag"
            .to_owned(),
        url: "https://evil.example.com/a%2Fb?q=%26&utm_medium=x#top".to_owned(),
        body: format!(
            "<script>alert(1)</script>\u{200b}\u{0}\r\n{}",
            "long ".repeat(1000)
        ),
    };
    let bad = [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://user:pw@evil.example.com/",
    ];
    let server = site::start(move |asked| {
        let bad = bad.map(|url| Entry {
            title: "Do not follow".to_owned(),
            url: url.to_owned(),
            body: String::new(),
        });
        let entries: Vec<_> = bad.into_iter().chain([hostile.clone()]).collect();
        Some(site::page(asked.engine, &entries, false))
    })
    .await;
    for engine in ENGINES {
        let outcome = run(&only(&server, &[engine]), &query(10, 1)).await;
        assert_eq!(outcome.results.len(), 1, "{engine}");
        let found = &outcome.results[0];
        assert_eq!(
            found.href, "https://evil.example.com/a%2Fb?q=%26#top",
            "{engine}"
        );
        for text in [&found.title, &found.body] {
            let hidden = |c: char| {
                c.is_control()
                    || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{e0000}'..='\u{e007f}')
            };
            assert!(!text.contains(hidden), "{engine}: {text:?}");
        }
        assert!(found.title.contains("Red"), "{engine}: {}", found.title);
        assert!(found.body.chars().count() <= 1000, "{engine}");
        // Nothing that is text becomes anything else, and nothing else becomes text.
        assert!(!found.title.contains("&amp;amp;"), "{engine}");
    }
}

#[tokio::test]
async fn what_is_not_utf_8_is_read_all_the_same() {
    let server = site::start(|asked| {
        let site_page = site::page(asked.engine, &site::entries(asked.engine, 1), false);
        let pymcp_egress::testing::Reply::Whole(mut page) = site_page else {
            unreachable!("pages are whole");
        };
        let at = page
            .body
            .windows(6)
            .position(|six| six == b"Result")
            .unwrap();
        page.body[at] = 0xff;
        Some(page.whole())
    })
    .await;
    for engine in KEYLESS {
        let outcome = run(&only(&server, &[engine]), &query(10, 1)).await;
        assert_eq!(statuses(&outcome), [(engine, Status::Found)]);
    }
}

#[tokio::test]
async fn the_hosts_are_those_of_the_engines_and_no_others() {
    let server = site::start(|_| None).await;
    let search = Search::new(config(&server)).unwrap();
    assert_eq!(search.hosts().iter().collect::<Vec<_>>(), ["127.0.0.1"]);
    assert_eq!(search.ports().len(), 1);
    let behind = Config {
        proxy: Some("http://proxy.example:3128".parse().unwrap()),
        ..Config::default()
    };
    assert_eq!(Search::new(behind).unwrap().ports(), &[3128].into());

    let usual = Search::new(Config::default()).unwrap();
    assert!(usual.ports().is_empty());
    assert_eq!(usual.engines().collect::<Vec<_>>(), KEYLESS);
    let (wikis, others): (Vec<_>, Vec<_>) = usual
        .hosts()
        .iter()
        .map(String::as_str)
        .partition(|host| host.ends_with(".wikipedia.org"));
    assert_eq!(
        others,
        [
            "html.duckduckgo.com",
            "search.brave.com",
            "search.yahoo.com",
            "www.mojeek.com"
        ]
    );
    let languages: BTreeSet<_> = pymcp_search::REGIONS
        .iter()
        .map(|region| format!("{}.wikipedia.org", region.language))
        .collect();
    assert_eq!(wikis, languages.iter().collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_set_up_is_said() {
    let with = |change: fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        Search::new(config).map(|_| ()).unwrap_err()
    };
    assert_eq!(
        with(|config| config.engines = Some(["bing".to_owned()].into())),
        InvalidConfig::Engine {
            name: "bing".to_owned()
        }
    );
    assert_eq!(
        with(|config| config.engines = Some(["searxng".to_owned()].into())),
        InvalidConfig::NotSetUp { name: "searxng" }
    );
    assert_eq!(
        with(|config| config.engines = Some(["brave_api".to_owned()].into())),
        InvalidConfig::NotSetUp { name: "brave_api" }
    );
    assert_eq!(
        with(|config| config.engines = Some(BTreeSet::new())),
        InvalidConfig::NoEngine
    );
    for (address, host) in [
        ("http://search.example.org/", "search.example.org"),
        ("https://127.0.0.1/", "127.0.0.1"),
        ("https://2130706433/", "127.0.0.1"),
        ("https://[::ffff:10.0.0.1]/", "[::ffff:a00:1]"),
        ("https://localhost:8080/", "localhost"),
    ] {
        let mut config = Config::default();
        config.urls.insert("mojeek".to_owned(), address.to_owned());
        let expected = InvalidConfig::Private {
            host: host.to_owned(),
        };
        assert_eq!(Search::new(config).map(|_| ()).unwrap_err(), expected);
    }
    for address in [
        "mojeek",
        "ftp://example.org/",
        "https://u:p@example.org/",
        "https://example.org/?q=",
    ] {
        let mut config = Config::default();
        config.urls.insert("mojeek".to_owned(), address.to_owned());
        assert_eq!(
            Search::new(config).map(|_| ()).unwrap_err(),
            InvalidConfig::Url
        );
    }
}

#[tokio::test]
async fn no_host_is_made_of_what_is_asked() {
    let server = site::start(|_| None).await;
    let search = only(&server, &KEYLESS);
    for text in [
        "http://169.254.169.254/latest/meta-data",
        "site:169.254.169.254 @evil.example.com",
        "a&b#c?=/../%00",
        "x\r\nHost: evil.example.com\r\n\r\nGET / HTTP/1.1",
        "../../admin?x=",
    ] {
        let before = server.seen().len();
        let query = Query::new(text, "no-no", 10, 1).unwrap();
        let outcome = run(&search, &query).await;
        assert!(outcome.is_answer(), "{text}");
        let seen = server.seen();
        assert_eq!(seen.len() - before, 5, "{text}");
        for seen in &seen[before..] {
            let host = format!("127.0.0.1:{}", server.port());
            assert_eq!(seen.header("Host"), Some(&*host), "{text}");
            assert!(site::asked(seen).is_some(), "{text}: {}", seen.target);
        }
    }
}
