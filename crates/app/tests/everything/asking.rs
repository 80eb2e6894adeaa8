//! What asks the user, the model or the client.

use pymcp_kit::testing::message::{error, error_text, text};
use serde_json::{Value, json};

use super::client::{Client, ERAS, Era, capable};
use super::server;

fn accept(content: Value) -> Value {
    json!({ "action": "accept", "content": content })
}

/// Calls a tool, answers what it asks, and returns the question's params and the result.
async fn answered(client: &mut Client, tool: &str, arguments: Value, result: Value) -> [Value; 2] {
    let open = client.begin_call(tool, arguments).await;
    let question = client.question(&open).await;
    let open = client.reply(open, &question, result).await;
    [question.params, client.answer(&open).await]
}

#[tokio::test]
async fn a_type_is_a_form() {
    for era in ERAS {
        let mut client = Client::connect(&server(), era, capable()).await;
        let trip = json!({
            "destination": "Chur", "nights": 2, "by_train": true, "class": "second", "extras": ["bicycle"],
        });
        let [asked, told] = answered(&mut client, "plan_trip", json!({}), accept(trip)).await;
        let fields = &asked["requestedSchema"]["properties"];
        assert_eq!(fields["nights"]["maximum"], 30, "{asked}");
        assert_eq!(fields["class"]["enum"], json!(["first", "second"]));
        assert_eq!(fields["companion"]["type"], "string");
        let required = json!(["destination", "nights", "class"]);
        assert_eq!(asked["requestedSchema"]["required"], required);
        assert_eq!(
            text(&told),
            "2 nights in Chur with nobody, by train, Second class, extras: [Bicycle]."
        );
        let long = json!({ "destination": "Chur", "nights": 99, "class": "first" });
        let [_, refused] = answered(&mut client, "plan_trip", json!({}), accept(long)).await;
        assert!(error_text(&refused).contains("nights"), "{refused}");
        for (action, said) in [("decline", "not want"), ("cancel", "closed")] {
            let answer = json!({ "action": action });
            let [_, told] = answered(&mut client, "plan_trip", json!({}), answer).await;
            assert_eq!(told["result"]["isError"], false);
            assert!(text(&told).contains(said), "{told}");
        }
    }
}

#[tokio::test]
async fn a_form_has_every_kind_of_field() {
    for era in ERAS {
        let mut client = Client::connect(&server(), era, capable()).await;
        let filled = json!({
            "name": "Ada", "subscribe": true, "birthday": "1815-12-10", "age": 36, "height": 1.6,
            "colour": "red", "size": "m", "days": ["friday"], "toppings": ["ch", "mu"], "pet": "cat",
        });
        let [asked, told] =
            answered(&mut client, "fill_form", json!({}), accept(filled.clone())).await;
        assert_eq!(told["result"]["structuredContent"], filled, "{told}");
        let fields = &asked["requestedSchema"]["properties"];
        for (field, member, value) in [
            ("name", "maxLength", json!(80)),
            ("nickname", "default", json!("Ada")),
            ("subscribe", "type", json!("boolean")),
            ("email", "format", json!("email")),
            ("homepage", "format", json!("uri")),
            ("birthday", "format", json!("date")),
            ("meeting", "format", json!("date-time")),
            ("age", "type", json!("integer")),
            ("height", "type", json!("number")),
            ("colour", "enum", json!(["red", "green", "blue"])),
            ("days", "maxItems", json!(2)),
            ("pet", "enumNames", json!(["Cat", "Dog"])),
        ] {
            assert_eq!(fields[field][member], value, "{field}");
        }
        assert_eq!(fields["size"]["oneOf"][1]["title"], "Medium");
        assert_eq!(fields["toppings"]["items"]["anyOf"][0]["const"], "ch");
        for wrong in [
            json!({ "name": "Ada", "days": [] }),
            json!({ "name": "Ada", "email": "nobody" }),
            json!({ "name": "Ada", "pet": "fish" }),
            json!({ "age": 3 }),
        ] {
            let answer = accept(wrong);
            let [_, refused] = answered(&mut client, "fill_form", json!({}), answer).await;
            error_text(&refused);
        }
    }
}

/// The whole way: the user agrees to open the page and is done there before saying so.
#[tokio::test]
async fn a_page_is_opened_and_finished() {
    for era in ERAS {
        let mut client = Client::connect(&server(), era, capable()).await;
        let open = client.begin_call("connect_account", json!({})).await;
        let question = client.question(&open).await;
        assert_eq!(question.method, "elicitation/create");
        assert_eq!(question.params["mode"], "url");
        let url = question.params["url"].as_str().unwrap();
        let ticket = url
            .strip_prefix("https://accounts.example/connect/")
            .unwrap();
        assert_eq!(ticket.len(), 32);
        // Legacy clients want a name for what they opened.
        let named = question.params["elicitationId"].is_string();
        assert_eq!(named, era == Era::Legacy);
        let page = client
            .call("pretend_page_done", json!({ "ticket": ticket }))
            .await;
        assert_eq!(text(&page), "The page is done.");
        let accepted = json!({ "action": "accept" });
        let open = client.reply(open, &question, accepted).await;
        let told = client.answer(&open).await;
        assert_eq!(text(&told), "The account is connected.");
        assert_eq!(told["result"]["isError"], false);
    }
}

/// That the user agreed to open a page says nothing about what happened there.
#[tokio::test]
async fn agreeing_to_open_a_page_is_not_enough() {
    for era in ERAS {
        let mut client = Client::connect(&server(), era, capable()).await;
        let accepted = json!({ "action": "accept" });
        let [asked, refused] =
            answered(&mut client, "connect_account", json!({}), accepted.clone()).await;
        let ticket = asked["url"].as_str().unwrap().rsplit('/').next().unwrap();
        assert!(error_text(&refused).contains("not finished"), "{refused}");
        assert!(error_text(&refused).contains(ticket), "{refused}");
        // Asked again, about the same page.
        let again = json!({ "ticket": ticket });
        let [asked_again, refused] =
            answered(&mut client, "connect_account", again.clone(), accepted).await;
        assert_eq!(asked_again["url"], asked["url"]);
        error_text(&refused);
        let done = client.call("pretend_page_done", again.clone()).await;
        assert_eq!(text(&done), "The page is done.");
        let told = client.call("connect_account", again).await;
        assert_eq!(text(&told), "The account is connected.");

        for answer in ["decline", "cancel"] {
            let answer = json!({ "action": answer });
            let [_, told] = answered(&mut client, "connect_account", json!({}), answer).await;
            assert!(text(&told).starts_with("The user"), "{told}");
        }
        for tool in ["connect_account", "pretend_page_done"] {
            let unknown = client.call(tool, json!({ "ticket": "0".repeat(32) })).await;
            assert!(error_text(&unknown).contains("ticket"), "{unknown}");
        }
    }
}

#[tokio::test]
async fn the_model_is_asked() {
    for era in ERAS {
        let mut client = Client::connect(&server(), era, capable()).await;
        let said = json!({
            "role": "assistant", "model": "parrot", "content": { "type": "text", "text": "Ahoy." },
        });
        let arguments = json!({ "prompt": "Say hello.", "max_tokens": 7 });
        let [asked, told] = answered(&mut client, "ask_model", arguments, said).await;
        assert_eq!(asked["maxTokens"], 7);
        assert_eq!(asked["messages"][0]["content"]["text"], "Say hello.");
        let expected = json!({ "model": "parrot", "text": "Ahoy." });
        assert_eq!(told["result"]["structuredContent"], expected, "{told}");
    }
}

#[tokio::test]
async fn the_client_says_where_its_user_works() {
    for era in ERAS {
        let mut client = Client::connect(&server(), era, capable()).await;
        let roots = json!({ "roots": [{ "uri": "file:///home/ada", "name": "Home" }, { "uri": "file:///tmp" }] });
        let [_, told] = answered(&mut client, "list_roots", json!({}), roots).await;
        let expected = json!([
            { "uri": "file:///home/ada", "name": "Home" },
            { "uri": "file:///tmp", "name": null },
        ]);
        assert_eq!(told["result"]["structuredContent"]["result"], expected);
    }
}

#[tokio::test]
async fn who_cannot_be_asked_is_told() {
    for era in ERAS {
        let mut client = Client::connect(&server(), era, json!({})).await;
        for tool in [
            "plan_trip",
            "fill_form",
            "connect_account",
            "ask_model",
            "list_roots",
        ] {
            let arguments = match tool {
                "ask_model" => json!({ "prompt": "x" }),
                _ => json!({}),
            };
            let refused = client.call(tool, arguments).await;
            match era {
                Era::Legacy => assert!(error_text(&refused).contains("does not support")),
                Era::Modern => assert_eq!(error(&refused).0, -32021, "{tool}: {refused}"),
            }
        }
    }
}
