//! News in any number, and the end of those who listen.

use pymcp_kit::{Ctx, Kind, NoArgs, Prompt, Resource, Server, Tool};
use serde_json::json;

use super::client::Client;

/// Messages of one call that may wait for its client.
const QUEUE: usize = 16;

fn server() -> Server {
    Server::builder("test", "1.0.0")
        .tool(Tool::new("a", async |_: Ctx, _: NoArgs| Ok("a")))
        .prompt(Prompt::new("b", async |_: Ctx, _: NoArgs| {
            Ok("b".to_owned())
        }))
        .resource(Resource::new("data://c", "c", async |_: Ctx| Ok("c")))
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_news_at_once_end_no_stream_and_arrive() {
    let server = server();
    let client = Client::modern(&server, json!({}));
    let wanted =
        json!({ "toolsListChanged": true, "resourceSubscriptions": ["data://c", "data://d"] });
    let mut listening = client.listen(wanted).await;
    for _ in 0..2 {
        for _ in 0..1000 {
            server.components().changed(Kind::Tool);
            server.components().updated("data://c");
            // Nobody asked for these.
            server.components().changed(Kind::Prompt);
            server.components().updated("data://e");
        }
        server.components().updated("data://d");
        let told = listening.hear().await;
        assert_eq!(told["method"], "notifications/tools/list_changed");
        assert_eq!(listening.hear().await["params"]["uri"], "data://c");
        assert_eq!(listening.hear().await["params"]["uri"], "data://d");
        assert!(listening.is_silent());
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_reads_in_between_hears_of_what_came_after() {
    let server = server();
    let client = Client::modern(&server, json!({}));
    let wanted = json!({ "resourceSubscriptions": ["data://c"] });
    let mut listening = client.listen(wanted).await;
    for _ in 0..1000 {
        server.components().updated("data://c");
        assert_eq!(listening.hear().await["params"]["uri"], "data://c");
    }
    assert!(listening.is_silent());
}

/// What waits for a client that does not read must not hold up the end.
#[tokio::test(start_paused = true)]
async fn a_server_that_leaves_ends_a_stream_that_nobody_reads() {
    let server = server();
    let client = Client::modern(&server, json!({}));
    let uris: Vec<String> = (0..256).map(|i| format!("data://{i}")).collect();
    let mut listening = client
        .listen(json!({ "resourceSubscriptions": uris }))
        .await;
    for uri in &uris {
        server.components().updated(uri);
    }
    assert_eq!(listening.hear().await["params"]["uri"], "data://0");
    client.connection.hang_up();
    let (late, end) = listening.end().await;
    assert!(late <= QUEUE, "{late} of them were said after the end");
    assert_eq!(end["resultType"], "complete", "{end}");
    assert_eq!(end["_meta"]["io.modelcontextprotocol/subscriptionId"], 1);
}
