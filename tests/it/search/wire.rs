//! What stands on the wire, and what is refused.

use pymcp_egress::testing::{Page, Reply};
use pymcp_kit::testing::raw::StdioServer;
use pymcp_search::testing as site;
use serde_json::{Value, json};

use super::{borrowed, settings};
use crate::support::over_stdio;

/// A `pymcp` with these settings, in a session.
fn start(settings: &[(&'static str, String)]) -> StdioServer {
    let mut server = over_stdio(&[], &borrowed(settings));
    server.initialize("2025-11-25", &json!({})).unwrap();
    server
}

/// The result of a search.
fn search(server: &mut StdioServer, arguments: Value) -> Value {
    let params = json!({ "name": "text_web_search", "arguments": arguments });
    server.send(&json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params }));
    loop {
        let message = server.recv().value;
        if message["id"] == 7 {
            return message["result"].clone();
        }
    }
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn null_means_the_default() {
    let server = site::start(|_| None).await;
    let mut client = start(&settings(&server));
    let arguments = json!({ "query": "rust", "region": null, "max_results": null, "pages": null });
    let result = search(&mut client, arguments);
    assert_eq!(result["isError"], false);
    assert_eq!(
        result["structuredContent"]["result"]
            .as_array()
            .unwrap()
            .len(),
        10
    );
    for seen in server.seen() {
        assert_eq!(site::asked(&seen).unwrap().page, 1);
        if seen.path().starts_with("/duckduckgo") {
            assert_eq!(seen.body, b"q=rust&b=&kl=uk-en");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_repeated_and_a_failure_is_not() {
    let server = site::start(|asked| (asked.engine != "yahoo").then(|| Reply::status(503))).await;
    let mut client = start(&settings(&server));
    for _ in 0..3 {
        let result = search(&mut client, json!({ "query": "rust" }));
        assert_eq!(result["isError"], false);
        assert_eq!(result["_meta"]["fastmcp"]["wrap_result"], true);
    }
    assert_eq!(server.seen().len(), 5);

    let down = site::start(|_| Some(Reply::status(503))).await;
    let mut client = start(&settings(&down));
    for _ in 0..2 {
        let result = search(&mut client, json!({ "query": "rust" }));
        assert_eq!(result["isError"], true);
    }
    assert_eq!(down.seen().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_block_it_says_what_helps() {
    let server = site::start(|asked| Some(site::refusal(asked.engine))).await;
    let mut client = start(&settings(&server));
    // Also when they are not asked any more.
    for _ in 0..2 {
        let result = search(&mut client, json!({ "query": "rust" }));
        assert_eq!(result["isError"], true);
        let text = text(&result);
        assert!(
            text.contains("BRAVE_API_KEY") && text.contains("SEARXNG_URL"),
            "{text}"
        );
        assert!(!text.contains("127.0.0.1"), "{text}");
        // Clients that find any show it instead of the sentence.
        assert_eq!(result.get("structuredContent"), None, "{result}");
    }
    assert_eq!(server.seen().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_none_is_reached_the_network_is_named() {
    let settings = settings(&site::start(|_| None).await);
    // Nobody listens there any more.
    let mut client = start(&settings);
    let result = search(&mut client, json!({ "query": "rust" }));
    assert_eq!(result["isError"], true);
    let text = text(&result);
    assert!(text.contains("mojeek: unreachable"), "{text}");
    assert!(text.contains("PYMCP_SEARCH_PROXY"), "{text}");
    assert_eq!(result.get("structuredContent"), None, "{result}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_found_is_no_error() {
    let server = site::start(|asked| Some(site::empty(asked.engine))).await;
    let mut client = start(&settings(&server));
    let result = search(&mut client, json!({ "query": "zxqv" }));
    assert_eq!(result["isError"], false);
    assert_eq!(result["structuredContent"]["result"], json!([]));
    assert_eq!(text(&result), "[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_searched_for_is_said_and_nobody_is_asked() {
    let server = site::start(|_| None).await;
    let mut client = start(&settings(&server));
    for (arguments, says) in [
        (json!({ "query": "  " }), "query"),
        (json!({ "query": "x".repeat(501) }), "500"),
        (
            json!({ "query": "x", "region": "en-uk" }),
            "did you mean uk-en",
        ),
        (
            json!({ "query": "x", "region": "../../admin?x=" }),
            "region",
        ),
        (json!({ "query": "x", "max_results": 0 }), "max_results"),
        (json!({ "query": "x", "max_results": 101 }), "max_results"),
        (json!({ "query": "x", "pages": 11 }), "pages"),
    ] {
        let result = search(&mut client, arguments.clone());
        assert_eq!(result["isError"], true, "{arguments}");
        assert!(
            text(&result).contains(says),
            "{arguments}: {}",
            text(&result)
        );
    }
    assert_eq!(server.counts().opened, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_of_ones_own_come_first() {
    let server = site::start(|_| None).await;
    let mut settings = settings(&server);
    settings.push(("BRAVE_API_KEY", "a-key".to_owned()));
    settings.push(("SEARXNG_URL", server.url("/searxng/")));
    let mut client = start(&settings);
    let result = search(&mut client, json!({ "query": "rust" }));
    let engines = result["structuredContent"]["engines"].as_array().unwrap();
    let asked: Vec<_> = engines
        .iter()
        .filter(|engine| engine["status"] == "found")
        .map(|engine| engine["name"].as_str().unwrap())
        .collect();
    assert_eq!(asked, ["brave_api", "searxng"]);
    assert_eq!(server.seen().len(), 2);
}

/// The proxy is the one that is set, under either name, and never one of the environment.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_proxy_that_is_set_is_used() {
    let server = site::start(|_| None).await;
    let proxy = site::start(|_| None).await;
    let environment = [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ];
    let with = |names: &[&'static str]| {
        let mut settings = settings(&server);
        settings.extend(names.iter().map(|name| (*name, proxy.url(""))));
        settings
    };
    let mut client = start(&with(&environment));
    assert_eq!(
        search(&mut client, json!({ "query": "rust" }))["isError"],
        false
    );
    assert_eq!(proxy.counts().opened, 0);
    assert_eq!(server.seen().len(), 5);

    for name in ["PYMCP_SEARCH_PROXY", "DDGS_PROXY"] {
        let before = proxy.seen().len();
        let mut client = start(&with(&[name]));
        search(&mut client, json!({ "query": "rust" }));
        let seen = proxy.seen();
        assert_eq!(seen.len() - before, 5, "{name}");
        assert!(
            seen.iter()
                .all(|seen| seen.target.starts_with("http://127.0.0.1:"))
        );
    }
    assert_eq!(server.seen().len(), 5);
}

/// Neither the words nor the key nor what was found is in the log, not even at `debug`'s own level for the search.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_holds_no_words_and_no_keys() {
    let server =
        site::start(|asked| (asked.engine == "mojeek").then(|| Page::new("").status(503).whole()))
            .await;
    let mut settings = settings(&server);
    settings.push(("BRAVE_API_KEY", "hunter2-key".to_owned()));
    settings.push(("PYMCP_LOG_LEVEL", "DEBUG".to_owned()));
    let mut client = start(&settings);
    search(
        &mut client,
        json!({ "query": "hunter2 words", "max_results": 100 }),
    );
    let log = client.stderr();
    for secret in ["hunter2", "What all have", "shared.example.org"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}
