//! Answers that are given again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pymcp_kit::{Ctx, Error, NoArgs, Server, Tool};
use serde_json::json;

use crate::client::Client;

#[tokio::test]
async fn a_cached_answer_is_for_the_same_caller_alone() {
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let tool = Tool::new("count", move |_: Ctx, _: NoArgs| {
        let counted = count.fetch_add(1, Ordering::SeqCst);
        async move { Ok::<_, Error>(counted) }
    });
    let server = Server::builder("test", "1.0.0").tool(tool.cached());
    let server = server.build().unwrap();
    let anybody = || Client::modern(&server, json!({}));
    let callers = [
        anybody(),
        anybody().known_as("ada"),
        anybody().known_as("bob"),
    ];
    for _ in 0..2 {
        for (at, caller) in callers.iter().enumerate() {
            let params = json!({ "name": "count", "arguments": {} });
            let counted = caller.result("tools/call", params).await;
            assert_eq!(counted["structuredContent"]["result"], at);
        }
    }
    assert_eq!(runs.load(Ordering::SeqCst), callers.len());
}
