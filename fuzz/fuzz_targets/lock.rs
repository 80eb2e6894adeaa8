//! Any text as a lock, and any JSON in one. What is accepted is written as the same and differs in nothing from itself; what
//! is written has nothing hidden in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pymcp_kit::manifest::{ItemKind, Lock, Manifest, Projection, drift};
use pymcp_kit::text;
use serde_json::Value;

fuzz_target!(|text: &str| {
    if let Ok(lock) = Lock::parse(text) {
        check(&lock);
    }
    let Ok(Value::Array(contents)) = serde_json::from_str(text) else {
        return;
    };
    let manifest = |content: &Value| {
        let item = (ItemKind::Tool, "tool".to_owned(), content.clone());
        Manifest::new(Projection::Code, [item]).ok()
    };
    let manifests: Vec<_> = contents.iter().filter_map(manifest).collect();
    for manifest in &manifests {
        check(&Lock::of(manifest));
    }
    if let [before, after, ..] = &*manifests {
        let changes = drift(before, after);
        assert_eq!(changes.is_empty(), before.digest() == after.digest());
        for change in changes {
            assert!(!hides(&change.to_string()));
        }
    }
});

fn check(lock: &Lock) {
    // One that has too much for a file is not written.
    let Ok(written) = lock.to_text() else { return };
    assert_eq!(Lock::parse(&written).as_ref(), Ok(lock));
    assert_eq!(lock.drift(lock.manifest()), Ok(Vec::new()));
    assert!(!hides(&written));
}

fn hides(text: &str) -> bool {
    text::marked(text).any(|(_, kind)| kind.is_some())
}
