use rmcp::model::Annotations;
use serde_json::{Value, json};

use super::*;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

fn block(content: impl Into<ContentBlock>) -> Value {
    serde_json::to_value(content.into()).unwrap()
}

#[test]
fn bytes_become_blocks() {
    let encoded = "iVBORw0KGgo=";
    assert_eq!(
        block(Image::png(PNG)),
        json!({ "type": "image", "data": encoded, "mimeType": "image/png" })
    );
    assert_eq!(
        block(Audio::from_bytes(vec![1, 2, 3], "audio/midi")),
        json!({ "type": "audio", "data": "AQID", "mimeType": "audio/midi" })
    );
    assert_eq!(
        block(File::new("data://a/b.json?x=1.csv", "{}")),
        json!({ "type": "resource", "resource": {
            "uri": "data://a/b.json?x=1.csv", "mimeType": "application/json", "text": "{}" } })
    );
    // What it holds counts more than what it is called.
    assert_eq!(
        block(File::new("data://a/b.json", PNG))["resource"],
        json!({ "uri": "data://a/b.json", "mimeType": "image/png", "blob": encoded })
    );
    assert_eq!(
        block(File::new("data://a", "x"))["resource"]["mimeType"],
        "text/plain"
    );
    assert_eq!(
        block(File::new("data://a", vec![0, 1]))["resource"]["mimeType"],
        "application/octet-stream"
    );
    let forced = block(
        File::new("data://a", "x")
            .mime_type("application/pdf")
            .uri("data://b"),
    );
    assert_eq!(
        forced["resource"],
        json!({ "uri": "data://b", "mimeType": "application/pdf", "blob": "eA==" })
    );
}

#[test]
fn annotations_stay() {
    let annotations = || Annotations::default().with_priority(0.5);
    for content in [
        block(Image::png(PNG).annotations(annotations())),
        block(Audio::wav(PNG).annotations(annotations())),
        block(File::new("data://a", PNG).annotations(annotations())),
    ] {
        assert_eq!(content["annotations"]["priority"], 0.5, "{content}");
    }
}

#[test]
fn a_kind_is_detected_or_there_is_none() {
    assert_eq!(Image::detect(PNG), Some(Image::png(PNG)));
    assert_eq!(Image::detect("text"), None);
    assert_eq!(Audio::detect(PNG), None);
    assert_eq!(Audio::detect("fLaC"), Some(Audio::flac("fLaC")));
}

#[test]
fn several_are_a_result_too() {
    let result: ToolResult = [Image::png(PNG), Image::gif("GIF89a")]
        .into_iter()
        .collect();
    assert_eq!(result.content.len(), 2);
    let mixed = ToolResult::text("A dot:")
        .and(Image::png(PNG))
        .and(File::new("data://a", "x"));
    assert_eq!(mixed.content.len(), 3);
}
