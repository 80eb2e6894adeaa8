//! Lists in pages: complete and in order, whatever is switched meanwhile, for cursors of this server only.

use pymcp_kit::core::CallLimits;
use pymcp_kit::{Check, Ctx, Error, KeyRing, Kind, NoArgs, Prompt, Resource, Server, Tool};
use serde_json::{Value, json};

use super::client::Client;

const TOOLS: [&str; 7] = ["d", "a", "g", "b", "f", "c", "e"];

fn tool(name: &'static str) -> Tool {
    Tool::new(name, async |_: Ctx, _: NoArgs| Ok::<_, Error>("done"))
}

fn names(page: &Value) -> Vec<String> {
    let tools = page["tools"].as_array().unwrap().iter();
    tools
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect()
}

/// A server with pages of this many components; two of them that have the same keys are one to their clients.
fn server(page: usize) -> Server {
    let keys = KeyRing::new([("a".to_owned(), vec![1; 32])]).unwrap();
    let server = Server::builder("test", "1.0.0").page_size(page).keys(keys);
    TOOLS
        .into_iter()
        .fold(server, |server, name| server.tool(tool(name)))
        .prompt(Prompt::new("a", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>("a".to_owned())
        }))
        .prompt(Prompt::new("b", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>("b".to_owned())
        }))
        .resource(Resource::new("data://a", "a", async |_: Ctx| {
            Ok::<_, Error>("a")
        }))
        .build()
        .unwrap()
}

/// The page behind this cursor, and the cursor of the next.
async fn page(client: &Client, cursor: &Value) -> (Value, Value) {
    let params = match cursor {
        Value::Null => json!({}),
        cursor => json!({ "cursor": cursor }),
    };
    let page = client.result("tools/list", params).await;
    let next = page["nextCursor"].clone();
    (page, next)
}

/// All pages, one after another.
async fn pages(client: &Client) -> Vec<Value> {
    let (first, mut next) = page(client, &Value::Null).await;
    let mut pages = vec![first];
    while !next.is_null() {
        assert!(pages.len() < 100, "it never ends");
        let (more, after) = page(client, &next).await;
        pages.push(more);
        next = after;
    }
    pages
}

#[tokio::test(start_paused = true)]
async fn all_pages_together_are_the_list_in_its_order() {
    for (size, sizes) in [
        (1, vec![1; 7]),
        (3, vec![3, 3, 1]),
        (6, vec![6, 1]),
        (7, vec![7]),
        (500, vec![7]),
    ] {
        let server = server(size);
        let (legacy, _unsolicited) = Client::legacy(&server).await;
        for client in [legacy, Client::modern(&server, json!({}))] {
            let pages = pages(&client).await;
            let all: Vec<_> = pages.iter().flat_map(names).collect();
            assert_eq!(all, TOOLS);
            let found: Vec<_> = pages.iter().map(|page| names(page).len()).collect();
            assert_eq!(found, sizes);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_has_only_so_many_bytes_unless_one_component_has_more() {
    let limits = CallLimits {
        result_bytes: 4000,
        ..CallLimits::default()
    };
    let half = limits.result_bytes / 2;
    let described = |name, bytes| tool(name).description("x".repeat(bytes));
    let server = Server::builder("test", "1.0.0")
        .call_limits(limits)
        .tool(described("a", 600))
        .tool(described("b", 600))
        .tool(described("c", 600))
        .tool(described("large", 3000).allow(Check::DescriptionLength))
        .tool(described("d", 10))
        .tool(described("e", 10))
        .build()
        .unwrap();
    let pages = pages(&Client::modern(&server, json!({}))).await;
    let found: Vec<_> = pages.iter().map(names).collect();
    assert_eq!(
        found,
        [vec!["a", "b"], vec!["c"], vec!["large"], vec!["d", "e"]]
    );
    for page in pages.iter().filter(|page| names(page) != ["large"]) {
        assert!(page["tools"].to_string().len() <= half);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cursor_outlives_switches() {
    let server = server(2);
    let client = Client::modern(&server, json!({}));
    let switch = |name, on| assert!(server.components().switch(Kind::Tool, name, on));
    let (first, cursor) = page(&client, &Value::Null).await;
    assert_eq!(names(&first), ["d", "a"]);
    // What it names goes: the next page is still the one behind it.
    switch("a", false);
    assert_eq!(names(&page(&client, &cursor).await.0), ["g", "b"]);
    // What comes next goes as well.
    switch("g", false);
    let (second, after) = page(&client, &cursor).await;
    assert_eq!(names(&second), ["b", "f"]);
    switch("a", true);
    switch("g", true);
    assert_eq!(names(&page(&client, &after).await.0), ["c", "e"]);
    // Nothing is left behind it.
    switch("c", false);
    switch("e", false);
    let (empty, end) = page(&client, &after).await;
    assert_eq!((names(&empty), end), (vec![], Value::Null));
}

#[tokio::test(start_paused = true)]
async fn a_cursor_is_good_for_its_list_of_its_server() {
    let ours = server(1);
    let client = Client::modern(&ours, json!({}));
    let (_, cursor) = page(&client, &Value::Null).await;
    // A replica, or the same server after a restart.
    let replica = Client::modern(&server(1), json!({}));
    assert_eq!(names(&page(&replica, &cursor).await.0), ["a"]);

    let text = cursor.as_str().unwrap();
    let forged = (0..text.len()).map(|at| {
        let mut forged = text.as_bytes().to_vec();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(forged).unwrap()
    });
    let stranger = Server::builder("test", "1.0.0")
        .page_size(1)
        .tool(tool("d"))
        .tool(tool("a"))
        .build()
        .unwrap();
    let (_, foreign) = page(&Client::modern(&stranger, json!({})), &Value::Null).await;
    // There is a prompt, too, whose name is "a".
    let prompts = client.result("prompts/list", json!({})).await;
    let other_list = prompts["nextCursor"].as_str().unwrap().to_owned();
    let wrong = ["".to_owned(), "a".to_owned(), "1".to_owned(), other_list]
        .into_iter()
        .chain(foreign.as_str().map(str::to_owned))
        .chain(forged);
    for wrong in wrong {
        let refused = client.ask("tools/list", json!({ "cursor": wrong })).await;
        assert_eq!(refused["error"]["code"], -32602, "{wrong}: {refused}");
    }
    for method in ["prompts/list", "resources/list", "resources/templates/list"] {
        let refused = client.ask(method, json!({ "cursor": cursor })).await;
        assert_eq!(refused["error"]["code"], -32602, "{method}");
    }
}
