//! A tool of one's own is one new file and one line: `examples/copy_me.rs` is that server, and this calls it.

use pymcp_kit::testing::{self, Client};
use serde_json::json;

// Its `main` is for people; the tests want the rest.
#[allow(dead_code)]
#[path = "../../examples/copy_me.rs"]
mod copy_me;

fn server() -> pymcp_kit::Server {
    copy_me::server().unwrap()
}

#[tokio::test]
async fn the_example_lists_its_tool_and_runs_it() {
    testing::both(server, async |mut client| {
        let tools = client.list_tools().await;
        assert_eq!(tools.len(), 1, "{tools:?}");
        assert_eq!(tools[0]["name"], "shout");
        assert_eq!(
            tools[0]["inputSchema"]["properties"]["text"]["description"],
            "What to shout."
        );
        let arguments = json!({ "text": "ahoy", "times": "3" });
        let shouted = client.call("shout", arguments).await;
        assert_eq!(shouted.text(), "AHOY AHOY AHOY!");
        assert_eq!(shouted.structured()["result"], "AHOY AHOY AHOY!");
    })
    .await;
}

/// What the author gets without writing it: checked arguments, and errors that a caller can mend.
#[tokio::test]
async fn the_example_refuses_what_its_types_refuse() {
    testing::both(server, async |mut client| {
        for (arguments, named) in [
            (json!({}), "text"),
            (json!({ "text": ["ahoy"] }), "text"),
            (json!({ "text": "ahoy", "times": 0 }), "times"),
            (json!({ "text": "ahoy", "times": 11 }), "times"),
        ] {
            let answer = client.call("shout", arguments.clone()).await;
            assert!(
                answer.error_text().contains(named),
                "{arguments}: {answer:?}"
            );
        }
        let nothing = client.call("shout", json!({ "text": " " })).await;
        assert_eq!(
            nothing.error_text(),
            "There is nothing to shout; give some text."
        );
    })
    .await;
}

/// A server takes the tool of the example with a single line.
#[tokio::test]
async fn the_example_fits_into_the_server_with_one_line() {
    let server = pymcp::server::builder(Default::default())
        .tool(copy_me::tool())
        .build()
        .unwrap();
    let mut client = Client::modern(&server);
    let shouted = client.call("shout", json!({ "text": "ahoy" })).await;
    assert_eq!(shouted.text(), "AHOY!");
}
