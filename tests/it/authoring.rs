//! A tool of one's own is one new file and one line: `examples/copy_me.rs` is that server, and this calls it.

use serde_json::json;

use crate::support::memory::Memory;
use crate::support::message::{call, error_text, request, text};

// Its `main` is for people; the tests want the rest.
#[allow(dead_code)]
#[path = "../../examples/copy_me.rs"]
mod copy_me;

#[tokio::test]
async fn the_example_lists_its_tool_and_runs_it() {
    let mut client = Memory::connect(&copy_me::server().unwrap()).await;

    let tools = client.ask(&request(1, "tools/list", json!({}))).await;
    let tools = tools["result"]["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 1, "{tools:?}");
    assert_eq!(tools[0]["name"], "shout");
    assert_eq!(
        tools[0]["inputSchema"]["properties"]["text"]["description"],
        "What to shout."
    );

    let shouted = client
        .ask(&call(2, "shout", json!({ "text": "ahoy", "times": "3" })))
        .await;
    assert_eq!(text(&shouted), "AHOY AHOY AHOY!");
    assert_eq!(
        shouted["result"]["structuredContent"]["result"],
        "AHOY AHOY AHOY!"
    );
}

/// What the author gets without writing it: checked arguments, and errors that a caller can mend.
#[tokio::test]
async fn the_example_refuses_what_its_types_refuse() {
    let mut client = Memory::connect(&copy_me::server().unwrap()).await;
    for (arguments, named) in [
        (json!({}), "text"),
        (json!({ "text": ["ahoy"] }), "text"),
        (json!({ "text": "ahoy", "times": 0 }), "times"),
        (json!({ "text": "ahoy", "times": 11 }), "times"),
    ] {
        let answer = client.ask(&call(1, "shout", arguments.clone())).await;
        assert!(error_text(&answer).contains(named), "{arguments}: {answer}");
    }
    let nothing = client.ask(&call(2, "shout", json!({ "text": " " }))).await;
    assert_eq!(
        error_text(&nothing),
        "There is nothing to shout; give some text."
    );
}

/// A server takes the tool of the example with a single line.
#[tokio::test]
async fn the_example_fits_into_the_server_with_one_line() {
    let server = pymcp::server::builder(Default::default())
        .tool(copy_me::tool())
        .build()
        .unwrap();
    let mut client = Memory::connect(&server).await;
    let shouted = client
        .ask(&call(1, "shout", json!({ "text": "ahoy" })))
        .await;
    assert_eq!(text(&shouted), "AHOY!");
}
