//! What results are made of.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pymcp_kit::testing::message::{error, error_text, text};
use serde_json::{Value, json};

use super::client::{Client, ERAS, capable};
use super::server;

fn decode(data: &Value) -> Vec<u8> {
    STANDARD.decode(data.as_str().unwrap()).unwrap()
}

fn content(answer: &Value) -> &[Value] {
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    answer["result"]["content"].as_array().unwrap()
}

#[tokio::test]
async fn parts_say_who_they_are_for_and_how_much_they_matter() {
    for era in ERAS {
        let mut client = Client::connect(&server(), era, json!({})).await;
        for (kind, priority, audience) in [
            ("error", 1.0, json!(["user", "assistant"])),
            ("success", 0.7, json!(["user"])),
            ("debug", 0.3, json!(["assistant"])),
        ] {
            let told = client.call("report", json!({ "kind": kind })).await;
            let [said] = content(&told) else {
                panic!("{told}")
            };
            assert_eq!(
                said["annotations"],
                json!({ "priority": priority, "audience": audience })
            );
        }
        let arguments = json!({ "kind": "error", "picture": true });
        let told = client.call("report", arguments).await;
        let [_, picture] = content(&told) else {
            panic!("{told}")
        };
        assert_eq!(
            (&picture["type"], &picture["mimeType"]),
            (&json!("image"), &json!("image/png"))
        );
        assert_eq!(
            picture["annotations"],
            json!({ "priority": 0.5, "audience": ["user"] })
        );
        assert!(decode(&picture["data"]).starts_with(b"\x89PNG\r\n\x1a\n"));
    }
}

#[tokio::test]
async fn a_tone_is_heard_at_its_pitch() {
    for era in ERAS {
        let mut client = Client::connect(&server(), era, json!({})).await;
        let arguments = json!({ "hertz": 100, "milliseconds": 200 });
        let told = client.call("tone", arguments).await;
        let [audio] = content(&told) else {
            panic!("{told}")
        };
        assert_eq!(
            (&audio["type"], &audio["mimeType"]),
            (&json!("audio"), &json!("audio/wav"))
        );
        let wav = decode(&audio["data"]);
        let number = |at: usize| u32::from_le_bytes(wav[at..at + 4].try_into().unwrap());
        assert_eq!(
            (&wav[..4], &wav[8..16], &wav[36..40]),
            (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..])
        );
        assert_eq!(number(4) as usize, wav.len() - 8);
        assert_eq!(number(40) as usize, wav.len() - 44);
        let samples: Vec<i16> = wav[44..]
            .chunks(2)
            .map(|sample| i16::from_le_bytes(sample.try_into().unwrap()))
            .collect();
        assert_eq!(samples.len(), number(24) as usize / 5);
        // It swings up through the middle as often as its pitch says.
        let swings = samples
            .windows(2)
            .filter(|pair| pair[0] <= 0 && pair[1] > 0);
        assert_eq!(swings.count(), 20);
        let silent = client.call("tone", json!({ "hertz": 5 })).await;
        assert!(error_text(&silent).contains("hertz"), "{silent}");
    }
}

#[tokio::test]
async fn components_have_icons_that_need_no_fetching() {
    for era in ERAS {
        let mut client = Client::connect(&server(), era, json!({})).await;
        for (method, member, name) in [
            ("tools/list", "tools", "tone"),
            ("resources/list", "resources", "counter"),
            ("prompts/list", "prompts", "thank_colleague"),
        ] {
            let listed = client.result(method, json!({})).await;
            let all = listed[member].as_array().unwrap();
            let one = all.iter().find(|one| one["name"] == name).unwrap();
            let icon = &one["icons"][0];
            assert_eq!(icon["mimeType"], "image/svg+xml");
            assert_eq!(icon["sizes"], json!(["any"]));
            let data = icon["src"].as_str().unwrap();
            let data = data.strip_prefix("data:image/svg+xml;base64,").unwrap();
            assert!(decode(&json!(data)).starts_with(b"<svg "));
        }
    }
}

#[tokio::test]
async fn structured_content_is_what_its_schema_says() {
    for era in ERAS {
        let mut client = Client::connect(&server(), era, json!({})).await;
        let listed = client.result("tools/list", json!({})).await;
        let tools = listed["tools"].as_array().unwrap();
        let tool = tools.iter().find(|tool| tool["name"] == "read_weather");
        let schema = &tool.unwrap()["outputSchema"];
        assert_eq!(
            schema["required"],
            json!(["temperature", "conditions", "humidity"])
        );
        assert_eq!(
            schema["properties"]["temperature"]["description"],
            "Degrees Celsius."
        );
        let arguments = json!({ "station": "reykjavik" });
        let told = client.call("read_weather", arguments).await;
        let reading =
            json!({ "temperature": 3.0, "conditions": "rain from the side", "humidity": 81 });
        assert_eq!(told["result"]["structuredContent"], reading);
        assert_eq!(serde_json::from_str::<Value>(text(&told)).unwrap(), reading);
        let nowhere = client.call("read_weather", json!({ "station": "x" })).await;
        assert!(error_text(&nowhere).contains("station"), "{nowhere}");

        let sum = client.call("sum", json!({ "a": 1.5, "b": 2 })).await;
        assert_eq!(sum["result"]["structuredContent"]["result"], 3.5);
        let much = client.call("sum", json!({ "a": 1e308, "b": 1e308 })).await;
        assert!(error_text(&much).contains("too large"));
    }
}

#[tokio::test]
async fn links_lead_to_what_can_be_read() {
    for era in ERAS {
        let mut client = Client::connect(&server(), era, json!({})).await;
        let told = client.call("find_papers", json!({ "count": 4 })).await;
        let [intro, links @ ..] = content(&told) else {
            panic!("{told}")
        };
        assert_eq!(intro["text"], "Found 4 papers:");
        let uris: Vec<_> = links.iter().map(|link| &link["uri"]).collect();
        assert_eq!(
            uris,
            [
                "paper://1/text",
                "paper://2/scan",
                "paper://3/text",
                "paper://4/scan"
            ]
        );
        for link in links {
            assert_eq!(link["type"], "resource_link");
            assert!(link["icons"][0]["src"].is_string());
            let params = json!({ "uri": link["uri"] });
            let read = client.result("resources/read", params).await;
            let [contents] = &read["contents"].as_array().unwrap()[..] else {
                panic!("{read}")
            };
            assert_eq!(
                (&contents["uri"], &contents["mimeType"]),
                (&link["uri"], &link["mimeType"])
            );
            match contents["mimeType"].as_str().unwrap() {
                "image/png" => assert!(decode(&contents["blob"]).starts_with(b"\x89PNG")),
                _ => assert!(contents["text"].as_str().unwrap().starts_with("# Paper")),
            }
        }
        for count in [0, 11] {
            let refused = client.call("find_papers", json!({ "count": count })).await;
            assert!(error_text(&refused).contains("count"));
        }
        let absent = client
            .ask("resources/read", json!({ "uri": "paper://3/scan" }))
            .await;
        assert_eq!(absent["error"]["data"]["uri"], "paper://3/scan", "{absent}");
    }
}

#[tokio::test]
async fn a_resource_comes_with_the_answer() {
    for era in ERAS {
        let mut client = Client::connect(&server(), era, json!({})).await;
        for (form, member) in [("text", "text"), ("scan", "blob")] {
            let arguments = json!({ "number": 2, "form": form });
            let told = client.call("open_paper", arguments).await;
            let [_, embedded, _] = content(&told) else {
                panic!("{told}")
            };
            assert_eq!(embedded["type"], "resource");
            let uri = format!("paper://2/{form}");
            let read = client.result("resources/read", json!({ "uri": uri })).await;
            assert_eq!(embedded["resource"], read["contents"][0]);
            assert!(embedded["resource"][member].is_string(), "{told}");
        }
        let absent = json!({ "number": 3, "form": "scan" });
        let absent = client.call("open_paper", absent).await;
        assert!(error_text(&absent).contains("`text`"));
    }
}

#[tokio::test]
async fn suggestions_depend_on_what_is_filled_in() {
    let prompt = || json!({ "type": "ref/prompt", "name": "thank_colleague" });
    let paper = || json!({ "type": "ref/resource", "uri": "paper://{number}/{form}" });
    for era in ERAS {
        let mut client = Client::connect(&server(), era, json!({})).await;
        let all = client
            .complete(prompt(), ["department", "s"], json!({}))
            .await;
        assert_eq!(all["values"], json!(["sales", "support"]));
        for (department, typed, names) in [
            (
                json!({ "department": "sales" }),
                "",
                json!(["Dale", "Estée", "Mary"]),
            ),
            (json!({ "department": "sales" }), "ad", json!([])),
            (json!({ "department": "support" }), "ad", json!(["Adele"])),
            (json!({ "department": "none" }), "", json!([])),
            (json!({}), "ad", json!(["Ada", "Adele"])),
        ] {
            let found = client
                .complete(prompt(), ["name", typed], department.clone())
                .await;
            assert_eq!(found["values"], names, "{department} {typed}");
            assert_eq!(found["hasMore"], false);
        }
        for (number, forms) in [("1", json!(["text"])), ("2", json!(["text", "scan"]))] {
            let known = json!({ "number": number });
            let found = client.complete(paper(), ["form", ""], known).await;
            assert_eq!(found["values"], forms, "{number}");
        }
        let found = client.complete(paper(), ["number", "2"], json!({})).await;
        assert_eq!(found["values"], json!(["2", "20"]));
    }
}

#[tokio::test]
async fn prompts_are_filled_in_and_hold_resources() {
    for era in ERAS {
        let mut client = Client::connect(&server(), era, capable()).await;
        let arguments = json!({ "department": "sales", "name": "Mary" });
        let params = json!({ "name": "thank_colleague", "arguments": arguments });
        let filled = client.result("prompts/get", params).await;
        let said = filled["messages"][0]["content"]["text"].as_str().unwrap();
        assert!(said.contains("for all the help to Mary in sales"), "{said}");

        let params = json!({ "name": "review_paper", "arguments": { "number": "7" } });
        let review = client.result("prompts/get", params).await;
        let [_, paper, start] = &review["messages"].as_array().unwrap()[..] else {
            panic!("{review}")
        };
        assert_eq!(paper["content"]["resource"]["uri"], "paper://7/text");
        assert_eq!(start["role"], "assistant");
        let params = json!({ "name": "review_paper", "arguments": { "number": "21" } });
        let refused = client.ask("prompts/get", params).await;
        assert_eq!(error(&refused).0, -32602, "{refused}");
    }
}
