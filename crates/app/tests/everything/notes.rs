//! What belongs to a session is there for that session.

use pymcp_kit::testing::message::{call, error_text, modern, request, text};
use pymcp_kit::testing::raw::{self, LocalServer, Session, mirrored};
use pymcp_kit::transport::http::HttpConfig;
use serde_json::{Value, json};

use super::client::{Client, ERAS};
use super::server;

fn note(name: &str, text: &str) -> Value {
    json!({ "name": name, "text": text })
}

/// How many of the answer's parts are links.
fn links(answer: &Value) -> usize {
    let content = answer["result"]["content"].as_array().unwrap();
    let links = content
        .iter()
        .filter(|part| part["type"] == "resource_link");
    links.count()
}

#[tokio::test]
async fn notes_of_one_session_are_invisible_to_another() {
    for era in ERAS {
        let server = server();
        let mut ada = Client::connect(&server, era, json!({})).await;
        let mut bob = Client::connect(&server, era, json!({})).await;
        let kept = ada.call("write_note", note("plan", "Ada's")).await;
        let link = &kept["result"]["content"][1];
        assert_eq!(
            (&link["type"], &link["uri"]),
            (&json!("resource_link"), &json!("note://plan"))
        );
        let structured = json!({ "uri": "note://plan" });
        assert_eq!(kept["result"]["structuredContent"], structured);
        assert_eq!(ada.read("note://plan").await, "Ada's");

        let plan = json!({ "uri": "note://plan" });
        let nothing = bob.ask("resources/read", plan).await;
        assert_eq!(nothing["error"]["data"]["uri"], "note://plan", "{nothing}");
        let listed = bob.call("list_notes", json!({})).await;
        assert_eq!(links(&listed), 0);
        let template = || json!({ "type": "ref/resource", "uri": "note://{name}" });
        let suggested = bob.complete(template(), ["name", "p"], json!({})).await;
        assert_eq!(suggested["values"], json!([]));
        let suggested = ada.complete(template(), ["name", "p"], json!({})).await;
        assert_eq!(suggested["values"], json!(["plan"]));

        // The same name is another note there, and forgetting is for one's own.
        bob.call("write_note", note("plan", "Bob's")).await;
        assert_eq!(ada.read("note://plan").await, "Ada's");
        assert_eq!(bob.read("note://plan").await, "Bob's");
        let forgotten = bob.call("forget_notes", json!({})).await;
        assert_eq!(text(&forgotten), "Forgotten.");
        let listed = ada.call("list_notes", json!({})).await;
        assert_eq!(links(&listed), 1);
        let again = bob.call("forget_notes", json!({})).await;
        assert_eq!(text(&again), "There was nothing to forget.");
    }
}

#[tokio::test]
async fn a_notebook_holds_so_much_and_no_more() {
    for era in ERAS {
        let mut client = Client::connect(&server(), era, json!({})).await;
        for n in 0..16 {
            let kept = client.call("write_note", note(&format!("n{n}"), "x")).await;
            assert_eq!(kept["result"]["isError"], false);
        }
        let refused = client.call("write_note", note("n16", "x")).await;
        assert!(error_text(&refused).contains("holds 16 notes"), "{refused}");
        let replaced = client.call("write_note", note("n3", "y")).await;
        assert_eq!(replaced["result"]["isError"], false);
        assert_eq!(client.read("note://n3").await, "y");
        for wrong in [
            note("a/b", "x"),
            note("", "x"),
            note("n3", &"x".repeat(2001)),
        ] {
            error_text(&client.call("write_note", wrong).await);
        }
    }
}

/// The one that was not used for longest is forgotten.
#[tokio::test]
async fn there_are_so_many_notebooks_and_no_more() {
    for era in ERAS {
        let server = server();
        let mut sessions = Vec::new();
        for _ in 0..65 {
            sessions.push(Client::connect(&server, era, json!({})).await);
        }
        for session in &mut sessions[..64] {
            session.call("write_note", note("a", "x")).await;
        }
        assert_eq!(sessions[0].read("note://a").await, "x");
        sessions[64].call("write_note", note("a", "y")).await;
        assert_eq!(sessions[64].read("note://a").await, "y");
        assert_eq!(sessions[0].read("note://a").await, "x");
        let params = json!({ "uri": "note://a" });
        let gone = sessions[1].ask("resources/read", params).await;
        assert!(gone["error"].is_object(), "{gone}");
    }
}

#[test]
fn sessions_over_http_have_their_own_notes() {
    let local = LocalServer::start(server(), HttpConfig::default());
    let [ada, bob] = [(); 2].map(|()| Session::plain(local.address()));
    ada.ask(&call(1, "write_note", note("plan", "Ada's")));
    let read = request(2, "resources/read", json!({ "uri": "note://plan" }));
    assert_eq!(ada.ask(&read)["result"]["contents"][0]["text"], "Ada's");
    assert_eq!(bob.ask(&read)["error"]["code"], -32002);
}

/// Requests that stand alone have a handle instead.
#[test]
fn without_a_session_a_handle_leads_to_the_notes() {
    let local = LocalServer::start(server(), HttpConfig::default());
    let send = |message: Value| {
        let message = modern(message, json!({}));
        let mut client = raw::Client::connect(local.address());
        client.ask(&mirrored(&message)).message()
    };
    let kept = send(call(1, "write_note", note("plan", "first")));
    let kept = &kept["result"]["structuredContent"];
    let notebook = kept["notebook"].as_str().unwrap();
    assert_eq!(notebook.len(), 32);
    assert_eq!(kept["uri"], format!("note://{notebook}/plan"));
    let other = send(call(1, "write_note", note("plan", "other")));
    assert_ne!(other["result"]["structuredContent"]["notebook"], notebook);

    let mut second = note("second", "more");
    second["notebook"] = json!(notebook);
    let second = send(call(2, "write_note", second));
    assert_eq!(second["result"]["structuredContent"]["notebook"], notebook);
    let named = json!({ "notebook": notebook });
    assert_eq!(links(&send(call(3, "list_notes", named.clone()))), 2);
    let plan = json!({ "uri": kept["uri"] });
    let read = send(request(4, "resources/read", plan.clone()));
    assert_eq!(read["result"]["contents"][0]["text"], "first");
    let params = json!({
        "ref": { "type": "ref/resource", "uri": "note://{notebook}/{name}" },
        "argument": { "name": "name", "value": "" },
        "context": { "arguments": named },
    });
    let suggested = send(request(5, "completion/complete", params));
    let values = &suggested["result"]["completion"]["values"];
    assert_eq!(*values, json!(["plan", "second"]));

    // Without the handle there is nothing, and one that was made up leads nowhere.
    let mut stolen = note("plan", "mine");
    stolen["notebook"] = json!("0".repeat(32));
    for refused in [
        call(6, "list_notes", json!({})),
        call(7, "write_note", stolen),
        call(8, "forget_notes", json!({ "notebook": "x" })),
    ] {
        assert!(error_text(&send(refused)).contains("no such notebook"));
    }
    let bare = request(9, "resources/read", json!({ "uri": "note://plan" }));
    assert_eq!(send(bare)["error"]["code"], -32602);

    let forgotten = send(call(10, "forget_notes", named));
    assert_eq!(text(&forgotten), "Forgotten.");
    let gone = send(request(11, "resources/read", plan.clone()));
    assert_eq!(gone["error"]["data"], plan, "{gone}");
}
