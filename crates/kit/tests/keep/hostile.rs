//! JSON that is many times its size once it is a tree.

use serde_json::{Value, json};

/// Values that a message may hold, with some left for its envelope.
const NODES: usize = 49_000;

/// Objects of 15 to 800 KiB, of as many shapes as trees grow from.
pub(crate) fn objects() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for size in [15 << 10, 100 << 10] {
        for (shape, value) in [
            ("lists", lists(size)),
            ("members", members(size)),
            ("numbers", json!({ "a": numbers(size) })),
            ("deep", deep(size)),
        ] {
            all.push((format!("{} KiB of {shape}", size >> 10), value));
        }
    }
    for size in [15 << 10, 800 << 10] {
        let value = json!({ "a": "x".repeat(size) });
        all.push((format!("{} KiB of text", size >> 10), value));
    }
    all
}

/// `{"a":[[],{},…]}`
fn lists(size: usize) -> Value {
    let count = (size / 3).min(NODES);
    json!({ "a": (0..count).map(|i| if i % 2 == 0 { json!([]) } else { json!({}) }).collect::<Value>() })
}

/// Many members of few bytes.
pub(crate) fn members(size: usize) -> Value {
    let count = (size / 10).min(NODES);
    (0..count)
        .map(|i| (format!("k{i:x}"), json!(0)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

pub(crate) fn numbers(size: usize) -> Value {
    vec![0; (size / 2).min(NODES)].into()
}

/// Objects in objects, again and again.
fn deep(size: usize) -> Value {
    let one = || (0..40).fold(json!({}), |inner, _| json!({ "a": inner }));
    let count = (size / 250).min(NODES / 42);
    json!({ "a": (0..count).map(|_| one()).collect::<Value>() })
}
