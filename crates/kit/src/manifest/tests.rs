use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::*;

fn tool(name: &str, content: Value) -> (ItemKind, String, Value) {
    (ItemKind::Tool, name.to_owned(), content)
}

fn two() -> [(ItemKind, String, Value); 3] {
    [
        tool("b", json!({ "z": 1.5, "a": ["x", null] })),
        tool("a", json!({ "definition": { "name": "a" } })),
        (ItemKind::Server, SERVER.to_owned(), json!({})),
    ]
}

#[test]
fn the_order_of_items_and_members_is_nothing() {
    let one = Manifest::new(Projection::Full, two()).unwrap();
    let mut others = two();
    others.reverse();
    others[2].2 = json!({ "a": ["x", null], "z": 1.5 });
    let other = Manifest::new(Projection::Full, others).unwrap();
    assert_eq!(one.canonical(), other.canonical());
    let names: Vec<_> = one.items().iter().map(|item| &*item.name).collect();
    assert_eq!(names, [SERVER, "a", "b"]);
}

/// What the docs of the module say, computed by hand.
#[test]
fn the_digest_is_what_the_docs_say() {
    let manifest = Manifest::new(Projection::Full, two()).unwrap();
    let hash = |parts: &[&[u8]]| -> [u8; 32] {
        let mut all = Vec::new();
        for part in parts {
            all.extend_from_slice(&(part.len() as u64).to_be_bytes());
            all.extend_from_slice(part);
        }
        Sha256::digest(&all).into()
    };
    let item = |kind: &str, name: &str, content: &str| {
        let (kind, name, content) = (kind.as_bytes(), name.as_bytes(), content.as_bytes());
        hash(&[b"mcp-manifest-item", b"full/1", kind, name, content])
    };
    let mut items = [
        item("tool", "b", r#"{"a":["x",null],"z":1.5}"#),
        item("tool", "a", r#"{"definition":{"name":"a"}}"#),
        item("server", "server", "{}"),
    ];
    assert_eq!(manifest.items()[2].digest.as_bytes(), &items[0]);
    items.sort_unstable();
    let all = hash(&[b"mcp-manifest", b"full/1", &items[0], &items[1], &items[2]]);
    assert_eq!(manifest.digest().as_bytes(), &all);
}

#[test]
fn nothing_can_be_moved_from_one_part_to_another() {
    let of = |projection, items: &[(ItemKind, String, Value)]| {
        Manifest::new(projection, items.to_vec()).unwrap().digest()
    };
    let full = Projection::Full;
    let mut digests = vec![
        of(full, &[]),
        of(full, &[tool("a", json!("b"))]),
        of(full, &[tool("a\"b\"", json!(""))]),
        of(full, &[tool("", json!("ab"))]),
        of(full, &[tool("a", json!({})), tool("b", json!({}))]),
        of(full, &[tool("ab", json!({}))]),
        of(Projection::Code, &[tool("a", json!("b"))]),
        of(Projection::Shown, &[tool("a", json!("b"))]),
    ];
    digests.extend(
        ItemKind::ALL[2..]
            .iter()
            .map(|kind| of(full, &[(*kind, "a".to_owned(), json!("b"))])),
    );
    let count = digests.len();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), count);
}

#[test]
fn text_that_is_not_nfc_is_refused_with_its_place() {
    let decomposed = "e\u{301}";
    for (item, place) in [
        (
            tool("x", json!({ "a": [1, { "b/c": decomposed }] })),
            "/a/1/b~1c",
        ),
        (tool("x", json!({ decomposed: 1 })), "/e\u{301}"),
        (tool(decomposed, json!({})), ""),
    ] {
        let name = item.1.clone();
        let refused = Manifest::new(Projection::Code, [item]).unwrap_err();
        let expected = Error::NotNfc {
            kind: ItemKind::Tool,
            name,
            path: place.to_owned(),
        };
        assert_eq!(refused, expected);
        let sentence = refused.to_string();
        assert!(sentence.starts_with("The tool '"), "{sentence}");
        assert!(sentence.contains("write it in NFC."), "{sentence}");
        assert!(!sentence.contains(decomposed), "{sentence}");
    }
    let composed = tool("é", json!({ "é": "é" }));
    assert!(Manifest::new(Projection::Code, [composed]).is_ok());
}

#[test]
fn what_is_too_much_is_refused() {
    let new = |items: Vec<_>| Manifest::new(Projection::Full, items).map(|_| ());
    let kind = ItemKind::Tool;
    let name = || "x".to_owned();
    let twice = new(vec![tool("x", json!(1)), tool("x", json!(2))]);
    assert_eq!(twice, Err(Error::Duplicate { kind, name: name() }));
    let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(new(vec![tool("x", nested(Item::MAX_DEPTH))]), Ok(()));
    let deeper = new(vec![tool("x", nested(Item::MAX_DEPTH + 1))]);
    assert_eq!(deeper, Err(Error::TooDeep { kind, name: name() }));
    // The two quotes are of the content.
    let long = |bytes: usize| json!("x".repeat(bytes - 2));
    assert_eq!(new(vec![tool("x", long(Item::MAX_BYTES))]), Ok(()));
    let longer = new(vec![tool("x", long(Item::MAX_BYTES + 1))]);
    assert_eq!(longer, Err(Error::TooLarge { kind, name: name() }));
    let called = new(vec![tool(&"x".repeat(Item::MAX_NAME + 1), json!(1))]);
    assert!(matches!(called, Err(Error::TooLarge { .. })));
    let many = (0..17).map(|n| tool(&n.to_string(), long(Item::MAX_BYTES)));
    assert_eq!(new(many.collect()), Err(Error::TooMany));
    let many = (0..=Manifest::MAX_ITEMS).map(|n| tool(&n.to_string(), json!(1)));
    assert_eq!(new(many.collect()), Err(Error::TooMany));
}

#[test]
fn what_is_written_is_read_again_and_nothing_else() {
    let manifest = Manifest::new(Projection::Shown, two()).unwrap();
    let text: Value = serde_json::from_str(&manifest.canonical()).unwrap();
    assert_eq!(Manifest::from_value(&text).unwrap(), manifest);

    let changed = |change: &dyn Fn(&mut Value)| {
        let mut value = manifest.to_value();
        change(&mut value);
        Manifest::from_value(&value).unwrap_err().to_string()
    };
    type Change = Box<dyn Fn(&mut Value)>;
    let changes: [(Change, &str); 8] = [
        (
            Box::new(|all| all["items"][1]["content"]["definition"]["name"] = json!("c")),
            "The tool 'a' has the digest of something else.",
        ),
        (
            Box::new(|all| all["items"][1]["name"] = json!("c")),
            "The tool 'c' has the digest of something else.",
        ),
        (
            Box::new(|all| drop(all["items"].as_array_mut().unwrap().pop())),
            "The manifest has a digest that is not that of its items.",
        ),
        (
            Box::new(|all| all["manifest"] = json!("full/1")),
            "The server 'server' has the digest of something else.",
        ),
        (
            Box::new(|all| all["manifest"] = json!("full/9")),
            "The document is no manifest: A manifest has nothing called 'full/9'.",
        ),
        (
            Box::new(|all| all["digest"] = json!("sha256:0")),
            "64 lower-case hexadecimal digits",
        ),
        (
            Box::new(|all| all["more"] = json!(1)),
            "unknown field `more`",
        ),
        (
            Box::new(|all| *all = json!([])),
            "The document is no manifest:",
        ),
    ];
    for (change, why) in changes {
        let said = changed(&*change);
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn words_are_read_as_they_are_shown() {
    for projection in Projection::ALL {
        assert_eq!(projection.to_string().parse(), Ok(projection));
    }
    for kind in ItemKind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
        assert_eq!(json!(kind), json!(kind.as_str()));
    }
    assert!("full/2".parse::<Projection>().is_err());
    let digest = Digest::of([b"a".as_slice()]);
    assert_eq!(digest.to_string().parse(), Ok(digest));
    let upper = digest.to_string().to_uppercase();
    for bad in [
        "",
        "sha256:",
        &upper,
        &format!("{digest}0"),
        &digest.to_string()[7..],
    ] {
        assert_eq!(bad.parse::<Digest>(), Err(BadDigest), "{bad}");
    }
}
