use pymcp_kit::manifest::Projection;

use super::*;

/// The file in mcptrust's own tests (`testdata/golden`), with a tool beside it whose hashes are those of nothing.
fn golden() -> Value {
    json!({
        "lockFileVersion": "3.0",
        "meta": { "generator": "mcptrust test", "updatedAt": "2024-01-01T00:00:00Z" },
        "server": { "name": "test-server" },
        "prompts": { "definitions": {
            "code_review": {
                "argumentsHash": "sha256:124d240a4bee4bcd7b49edda6cf3e4c131bae3d796fbc99845862073fba1ac17",
                "descriptionHash": "sha256:1ee81f092c1d206a082f5df804f33f5c50643d307aca12ec8a0ee8c42f6aa634",
            },
            "summarize": {
                "argumentsHash": "sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
                "descriptionHash": "sha256:a04d95ebe29a8fe1cb065f5bff15fd68e4ff5913b122a1654b3f84493e590741",
            },
            "translate": {
                "argumentsHash": "sha256:d8691d96d50a3112d4317ff44c9f76c3c30f799a83b0089d8b80eb5eb11dd70d",
                "descriptionHash": "sha256:7439d18f7829e41fb8eee17bf6ea36b92fcf6c3c25884ad102318bc2fade522c",
            },
        } },
        "resources": { "templates": [
            {
                "uriTemplate": "api://endpoint/{endpoint_path}",
                "templateHash": "sha256:59814037f7a03e148bf4fc13a4b813dee5ecf4678286edff25962ef3527c727d",
                "nameHash": "sha256:e85a69a745a9b5bfff92a35ed39d38f1e98f700e0266d8c15c662785da9fd479",
            },
            {
                "uriTemplate": "file:///{path}",
                "templateHash": "sha256:44741e3b5f1bb23c0c6da3756af3ea11836a1c6b66a50b03d3cce3d2148a234b",
                "nameHash": "sha256:be89f93f3645ec0039ace97c1919b35fc955d122e5d23af7630485ba33a39046",
                "descriptionHash": "sha256:8f53d841b889d91a86fd25e75e2eea3e5dff9b4519dd8468d0e8011449d1eda9",
                "mimeType": "application/octet-stream",
            },
        ] },
        "tools": { "add": {
            "description_hash": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "input_schema_hash": "",
            "risk_level": "LOW",
        } },
    })
}

/// What the server of that file shows.
fn shown(change: impl FnOnce(&mut Value)) -> Manifest {
    let mut items = json!([
        ["server", "server", { "identity": { "name": "test-server" } }],
        ["tool", "add", { "definition": { "name": "add", "inputSchema": {} } }],
        ["prompt", "code_review", { "definition": {
            "description": "Asks the LLM to analyze code quality and suggest improvements",
            "arguments": [{ "name": "code", "description": "The code to review", "required": true }],
        } }],
        ["prompt", "summarize", { "definition": { "description": "Summarize the given text" } }],
        ["prompt", "translate", { "definition": {
            "description": "Translate text to another language",
            "arguments": [
                { "name": "text", "description": "The text to translate", "required": true },
                { "name": "target_language", "description": "Target language code", "required": true },
            ],
        } }],
        ["resource-template", "api://endpoint/{endpoint_path}", { "definition": {
            "uriTemplate": "api://endpoint/{endpoint_path}", "name": "API Endpoints",
        } }],
        ["resource-template", "file:///{path}", { "definition": {
            "uriTemplate": "file:///{path}", "name": "Project Files",
            "description": "Access files in the project directory", "mimeType": "application/octet-stream",
        } }],
    ]);
    change(&mut items);
    let items: Vec<(ItemKind, String, Value)> = serde_json::from_value(items).unwrap();
    Manifest::new(Projection::Shown, items).unwrap()
}

fn drift(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let lock = McpTrust::parse(&golden().to_string()).unwrap().unwrap();
    let changes = lock.drift(&shown(change)).into_iter();
    changes
        .map(|change| {
            format!(
                "{} {} {}{}",
                change.class, change.kind, change.name, change.path
            )
        })
        .collect()
}

#[test]
fn a_file_of_mcptrust_pins_what_it_says() {
    assert_eq!(drift(|_| {}), [""; 0]);
    type Edit = fn(&mut Value);
    let edits: [(Edit, &str); 8] = [
        (
            |all| all[0][2]["identity"]["name"] = json!("x"),
            "routing server server/identity/name",
        ),
        (
            |all| all[1][2]["definition"]["description"] = json!("Adds."),
            "routing tool add/definition/description",
        ),
        (
            |all| all[1][2]["definition"]["inputSchema"] = json!({ "type": "object" }),
            "breaking tool add/definition/inputSchema",
        ),
        (
            |all| all[2][2]["definition"]["arguments"][0]["required"] = json!(false),
            "breaking prompt code_review/definition/arguments",
        ),
        (
            |all| all[3][2]["definition"]["description"] = json!("Summarise it"),
            "routing prompt summarize/definition/description",
        ),
        (
            |all| all[6][2]["definition"]["mimeType"] = json!("text/plain"),
            "breaking resource-template file:///{path}/definition",
        ),
        (|all| all[1][1] = json!("sub"), "breaking tool add"),
        (
            |all| drop(all.as_array_mut().unwrap().remove(5)),
            "breaking resource-template api://endpoint/{endpoint_path}",
        ),
    ];
    for (edit, expected) in edits {
        let found = drift(edit);
        assert_eq!(found[0], expected, "{found:?}");
    }
    // The new name of the tool is one more.
    assert_eq!(drift(|all| all[1][1] = json!("sub"))[1], "routing tool sub");
    // White space at the ends of lines is none of a prompt's words to mcptrust.
    assert_eq!(
        drift(|all| all[3][2]["definition"]["description"] = json!("Summarize the given text  ")),
        [""; 0]
    );
}

#[test]
fn schemas_are_written_as_go_writes_them() {
    for (value, written) in [
        (
            json!({ "b": [1, 2.5, -0.0], "a": null }),
            r#"{"a":null,"b":[1,2.5,-0]}"#,
        ),
        (
            json!("<a & 'b'>\u{2028}\n\u{7}\u{7f}ä"),
            "\"\\u003ca \\u0026 'b'\\u003e\\u2028\\n\\u0007\u{7f}ä\"",
        ),
        (
            json!([1e21, 1e20, 1.5e-7, 1e-6]),
            "[1e+21,100000000000000000000,1.5e-7,0.000001]",
        ),
        (json!(9_007_199_254_740_993_u64), "9007199254740992"),
        (json!([true, {}, []]), "[true,{},[]]"),
    ] {
        assert_eq!(go(&value), written);
    }
}

#[test]
fn other_files_and_versions_are_told_apart() {
    assert!(McpTrust::parse("{}").is_none());
    assert!(McpTrust::parse("no JSON").is_none());
    let old = json!({ "version": "2.0", "server_command": "x", "tools": {} });
    let refused = McpTrust::parse(&old.to_string()).unwrap().unwrap_err();
    assert!(refused.contains("version '2.0'"), "{refused}");
    let mut broken = golden();
    broken["tools"]["add"] = json!({});
    let refused = McpTrust::parse(&broken.to_string()).unwrap().unwrap_err();
    assert!(refused.contains("description_hash"), "{refused}");
}
