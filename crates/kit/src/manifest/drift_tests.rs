use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::manifest::Projection;

type Items = BTreeMap<(ItemKind, String), Value>;

fn manifest(items: &Items) -> Manifest {
    let items = items
        .iter()
        .map(|((kind, name), content)| (*kind, name.clone(), content.clone()));
    Manifest::new(Projection::Full, items).unwrap()
}

fn one(kind: ItemKind, content: Value) -> Manifest {
    manifest(&Items::from([((kind, "x".to_owned()), content)]))
}

/// The places that differ, with their classes.
fn between(kind: ItemKind, before: Value, after: Value) -> Vec<(String, Class)> {
    let changes = drift(&one(kind, before), &one(kind, after));
    let places = changes
        .into_iter()
        .map(|change| (change.path, change.class));
    places.collect()
}

fn tool() -> Value {
    json!({
        "definition": {
            "name": "x",
            "title": "Take",
            "description": "Takes fruit.",
            "annotations": { "readOnlyHint": true },
            "icons": [{ "src": "https://a.example/i.png" }],
            "inputSchema": {
                "type": "object",
                "properties": {
                    "count": { "type": "integer", "description": "How many.", "minimum": 1, "maximum": 9 },
                    "fruit": { "enum": ["apple", "banana"], "x-order": 1 },
                    "title": { "anyOf": [{ "type": "string" }, { "type": "integer" }] },
                },
                "required": ["count", "fruit"],
                "additionalProperties": false,
            },
        },
        "effects": ["asks-user", "network:a.example"],
        "scopes": ["stock:write"],
        "cost": 1,
        "timeoutMs": 1000,
        "tags": ["fruit"],
    })
}

/// The class of one change at this pointer.
#[track_caller]
fn assert_class(kind: ItemKind, before: &Value, pointer: &str, value: Value, class: Class) {
    let mut after = before.clone();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    let parent = after.pointer_mut(parent).unwrap();
    match value {
        // Taken away.
        Value::Null => drop(parent.as_object_mut().unwrap().remove(member)),
        value => parent[member] = value,
    }
    let found = between(kind, before.clone(), after);
    assert_eq!(found, [(pointer.to_owned(), class)]);
}

#[test]
fn every_field_of_a_component_has_its_class() {
    use Class::{Breaking, Info, Routing};
    let schema = "/definition/inputSchema";
    for (pointer, value, class) in [
        ("/definition/title", json!("Steal"), Routing),
        ("/definition/description", json!("Takes it all."), Routing),
        ("/definition/description", Value::Null, Routing),
        (
            "/definition/annotations/readOnlyHint",
            json!(false),
            Routing,
        ),
        ("/definition/icons", Value::Null, Info),
        ("/definition/_meta", json!({ "a": 1 }), Info),
        (
            "/definition/outputSchema",
            json!({ "type": "object" }),
            Breaking,
        ),
        ("/tags", json!([]), Info),
        ("/effects", json!(["asks-user"]), Breaking),
        ("/scopes", json!([]), Breaking),
        ("/scopes", Value::Null, Breaking),
        ("/cost", json!(2), Breaking),
        ("/timeoutMs", json!(2000), Breaking),
        ("/unheardOf", json!(1), Breaking),
    ] {
        assert_class(ItemKind::Tool, &tool(), pointer, value, class);
    }
    for (pointer, value, class) in [
        ("/properties/count/description", json!("Some."), Routing),
        ("/properties/count/title", json!("Count"), Routing),
        ("/properties/count/maximum", json!(99), Breaking),
        ("/properties/count/maximum", Value::Null, Breaking),
        ("/properties/count/type", json!("string"), Breaking),
        ("/properties/count/default", json!(3), Breaking),
        ("/properties/more", json!({ "type": "string" }), Breaking),
        ("/properties/title", Value::Null, Breaking),
        ("/properties/title/anyOf", json!([true]), Breaking),
        ("/properties/fruit/enum", json!(["apple"]), Breaking),
        (
            "/properties/fruit/enum",
            json!(["apple", "banana", "c"]),
            Breaking,
        ),
        (
            "/properties/fruit/enum",
            json!(["banana", "apple"]),
            Routing,
        ),
        ("/properties/fruit/x-order", json!(2), Routing),
        ("/required", json!(["count"]), Breaking),
        ("/required", json!(["fruit", "count"]), Routing),
        ("/additionalProperties", json!(true), Breaking),
        ("/additionalProperties", Value::Null, Breaking),
        ("/$ref", json!("#/$defs/a"), Breaking),
        ("/minProperties", json!(1), Breaking),
        ("/examples", json!([{}]), Routing),
    ] {
        let pointer = format!("{schema}{pointer}");
        assert_class(ItemKind::Tool, &tool(), &pointer, value, class);
    }
}

#[test]
fn a_property_may_be_called_like_a_keyword() {
    let of = |schema: Value| json!({ "definition": { "inputSchema": schema } });
    let before = of(json!({ "properties": { "description": { "type": "string" } } }));
    let after = of(json!({ "properties": { "description": { "type": "integer" } } }));
    let at = "/definition/inputSchema/properties/description/type";
    assert_eq!(
        between(ItemKind::Tool, before, after),
        [(at.to_owned(), Class::Breaking)]
    );
    let before = of(json!({ "anyOf": [{ "type": "string", "description": "A" }, {}] }));
    let after = of(json!({ "anyOf": [{ "type": "string", "description": "B" }, {}] }));
    let at = "/definition/inputSchema/anyOf/0/description";
    assert_eq!(
        between(ItemKind::Tool, before, after),
        [(at.to_owned(), Class::Routing)]
    );
}

#[test]
fn servers_prompts_resources_and_configuration_have_their_classes() {
    use Class::{Breaking, Info, Routing};
    let server = json!({
        "identity": { "name": "a", "version": "1", "title": "A" },
        "instructions": "Be kind.",
        "revisions": ["2026-07-28"],
        "capabilities": { "tools": {} },
    });
    for (pointer, value, class) in [
        ("/identity/version", json!("2"), Info),
        ("/identity/title", json!("B"), Routing),
        ("/instructions", json!("Be quick."), Routing),
        ("/revisions", json!(["2025-11-25"]), Breaking),
        ("/capabilities/tools/listChanged", json!(true), Breaking),
        ("/limits", json!({}), Breaking),
    ] {
        assert_class(ItemKind::Server, &server, pointer, value, class);
    }
    let prompt = json!({
        "definition": {
            "name": "x",
            "arguments": [{ "name": "item", "description": "What.", "required": false }],
        },
        "completes": ["item"],
    });
    for (pointer, value, class) in [
        (
            "/definition/arguments/0/description",
            json!("Which."),
            Routing,
        ),
        ("/definition/arguments/0/required", json!(true), Breaking),
        ("/definition/arguments/0/name", json!("thing"), Breaking),
        ("/definition/arguments", json!([]), Breaking),
        ("/completes", json!([]), Routing),
    ] {
        assert_class(ItemKind::Prompt, &prompt, pointer, value, class);
    }
    let template = json!({ "definition": { "uriTemplate": "a://{b}", "name": "b", "mimeType": "text/plain" } });
    for (pointer, value, class) in [
        ("/definition/name", json!("c"), Routing),
        ("/definition/mimeType", json!("text/html"), Breaking),
        ("/definition/size", json!(5), Info),
    ] {
        assert_class(ItemKind::ResourceTemplate, &template, pointer, value, class);
    }
    let found = between(ItemKind::Configuration, json!(30), json!(60));
    assert_eq!(found, [(String::new(), Breaking)]);
}

#[test]
fn what_is_new_or_gone_has_its_class() {
    let key = |kind, name: &str| (kind, name.to_owned());
    let tool = key(ItemKind::Tool, "take");
    let before = Items::from([(tool.clone(), tool_with(&["network:a.example"], &["s"]))]);
    let class_of = |kind, content: Value| {
        let mut after = before.clone();
        after.insert(key(kind, "new"), content);
        let changes = drift(&manifest(&before), &manifest(&after));
        assert_eq!((changes.len(), changes[0].path.as_str()), (1, ""));
        assert!(changes[0].before.is_none() && changes[0].after.is_some());
        changes[0].class
    };
    for (content, class) in [
        (tool_with(&[], &[]), Class::Routing),
        (tool_with(&["network:a.example"], &["s"]), Class::Routing),
        (tool_with(&["network:b.example"], &["s"]), Class::Breaking),
        (tool_with(&[], &["t"]), Class::Breaking),
    ] {
        assert_eq!(
            class_of(ItemKind::Tool, content.clone()),
            class,
            "{content}"
        );
    }
    assert_eq!(
        class_of(ItemKind::Configuration, json!("off")),
        Class::Breaking
    );
    let gone = drift(&manifest(&before), &manifest(&Items::new()));
    assert_eq!((gone.len(), gone[0].class), (1, Class::Breaking));
    assert!(gone[0].after.is_none());
}

fn tool_with(effects: &[&str], scopes: &[&str]) -> Value {
    json!({ "definition": { "name": "x" }, "effects": effects, "scopes": scopes })
}

/// Somebody else's server may have anything.
#[test]
fn what_differs_in_too_many_places_is_told_as_a_whole() {
    let members = |value: u32| -> Value {
        let members = (0..MAX_CHANGES + 1).map(|at| (at.to_string(), json!(value)));
        Value::Object(members.collect())
    };
    let item = |value| json!({ "definition": { "_meta": members(value) } });
    let found = between(ItemKind::Tool, item(1), item(2));
    assert_eq!(found, [(String::new(), Class::Breaking)]);
    let long = "n".repeat(MAX_PATH);
    let named = |value: u32| json!({ "definition": { &long: { "a": { "b": value } } } });
    let found = between(ItemKind::Tool, named(1), named(2));
    assert_eq!(found, [(format!("/definition/{long}"), Class::Info)]);
    let nested = |value: u32| (0..100).fold(json!(value), |inner, _| json!([inner]));
    let found = between(ItemKind::Tool, nested(1), nested(2));
    assert_eq!(found[0].0, "/0".repeat(MAX_DEPTH));
}

#[test]
fn it_takes_no_longer_than_in_proportion() {
    let item = |size: usize, value: u32| {
        let deep = |at: usize| (0..40).fold(json!([at, value]), |inner, _| json!({ "d": inner }));
        let members = (0..size).map(|at| (at.to_string(), deep(at)));
        one(
            ItemKind::Tool,
            json!({ "definition": Value::Object(members.collect()) }),
        )
    };
    let best = |size: usize| {
        let (before, after) = (item(size, 1), item(size, 2));
        let time = || {
            let begin = std::time::Instant::now();
            assert_eq!(drift(&before, &after).len(), size);
            begin.elapsed()
        };
        (0..5).map(|_| time()).min().unwrap()
    };
    let (short, long) = (best(200), best(1600));
    assert!(long < short * 40, "{short:?} and {long:?}");
}

fn json_value() -> impl Strategy<Value = Value> {
    let text = "[a-c/~]{0,3}";
    let name = prop_oneof![
        "[ab/~]{0,2}",
        Just("properties".to_owned()),
        Just("required".to_owned()),
        Just("description".to_owned()),
        Just("inputSchema".to_owned()),
        Just("definition".to_owned()),
        Just("arguments".to_owned()),
        Just("effects".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..4_u32).prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn items() -> impl Strategy<Value = Items> {
    let kind = prop::sample::select(ItemKind::ALL.to_vec());
    prop::collection::btree_map((kind, "[ab]"), json_value(), 0..5)
}

/// Makes a change in what it is of.
fn apply(items: &mut Items, change: Change) {
    let key = (change.kind, change.name);
    if change.path.is_empty() {
        assert_eq!(items.get(&key), change.before.as_ref());
        match change.after {
            Some(content) => drop(items.insert(key, content)),
            None => drop(items.remove(&key)),
        }
        return;
    }
    let content = items.get_mut(&key).unwrap();
    assert_eq!(content.pointer(&change.path), change.before.as_ref());
    let (parent, token) = change.path.rsplit_once('/').unwrap();
    let token = token.replace("~1", "/").replace("~0", "~");
    match (content.pointer_mut(parent).unwrap(), change.after) {
        (Value::Object(members), Some(value)) => drop(members.insert(token, value)),
        (Value::Object(members), None) => drop(members.remove(&token)),
        (Value::Array(list), Some(value)) => list[token.parse::<usize>().unwrap()] = value,
        (other, _) => panic!("{other} has no member {token}"),
    }
}

proptest! {
    #[test]
    fn nothing_differs_from_itself(items in items()) {
        prop_assert_eq!(drift(&manifest(&items), &manifest(&items)), []);
    }

    #[test]
    fn making_each_change_gives_the_other(before in items(), after in items()) {
        let changes = drift(&manifest(&before), &manifest(&after));
        prop_assert_eq!(changes.is_empty(), before == after);
        let mut made = before;
        for change in changes {
            prop_assert_ne!(&change.before, &change.after);
            apply(&mut made, change);
        }
        prop_assert_eq!(made, after);
    }
}
