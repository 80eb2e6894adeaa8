//! What is printed for programs.

use super::*;

#[test]
fn sarif_has_a_rule_for_each_kind_of_finding_and_of_drift() {
    let Some(good) = Python.server("good") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let lock = lock_in(&folder);
    assert_eq!(verify(&["--write", &lock], &good).code, Some(0));
    let server = Python.server("hidden").unwrap();
    let ran = verify(&["--format=sarif", "--lock", &lock], &server);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let log = ran.json();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "market verify");
    let rules: Vec<_> = run["tool"]["driver"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    let ids: Vec<_> = rules
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["drift-routing", "hidden-characters"]);
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(result["ruleId"], ids[index]);
        let place = &result["locations"][0];
        let uri = place["physicalLocation"]["artifactLocation"]["uri"]
            .as_str()
            .unwrap();
        assert!(uri.ends_with("/snake.lock"), "{uri}");
        assert_eq!(
            place["logicalLocations"][0]["fullyQualifiedName"],
            "tool greet /definition/inputSchema/properties/times/description"
        );
        let text = result["message"]["text"].as_str().unwrap();
        assert!(
            text.contains("\\u{200b}") && !text.contains('\u{200b}'),
            "{text}"
        );
    }
}

#[test]
fn sarif_says_what_could_not_be_checked() {
    let Some(server) = Python.server("refuses") else {
        return;
    };
    let ran = verify(&["--format=sarif"], &server);
    ran.assert_unchecked("refuses tools/list");
    let run = &ran.json()["runs"][0];
    assert_eq!(run["results"], serde_json::json!([]));
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let text = &invocation["toolExecutionNotifications"][0]["message"]["text"];
    assert!(
        text.as_str().unwrap().contains("refuses tools/list"),
        "{run}"
    );
}

#[test]
fn what_a_person_reads_names_digest_counts_and_changes() {
    let Some(good) = Python.server("good") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let lock = lock_in(&folder);
    let ran = verify(&["--write", &lock], &good);
    let mut lines = ran.stdout.lines();
    assert_eq!(lines.next(), Some("snake 1.0.0 (2025-11-25)"));
    assert_eq!(
        lines.next(),
        Some("1 tool, 1 resource, 0 templates, 0 prompts")
    );
    assert!(lines.next().unwrap().starts_with("sha256:"), "{ran:?}");
    let ran = verify(&["--lock", &lock], &Python.server("wider").unwrap());
    let changed =
        "breaking  tool greet /definition/inputSchema/properties/times/maximum\n  - 10\n  + 100\n";
    assert!(ran.stdout.contains(changed), "{}", ran.stdout);
    let last = format!("The server differs from {lock}: 1 change: 1 breaking.");
    assert_eq!(ran.stdout.lines().last(), Some(last.as_str()));
}

#[test]
fn bad_arguments_are_no_drift() {
    for arguments in [
        &["verify", "--lock", "a", "--write", "b"][..],
        &["verify", "--format", "xml"],
        &["verify", "--url", "http://127.0.0.1:1/sse"],
        &["verify", "--url", "http://127.0.0.1:1/mcp"],
        &["verify", "--trace"],
    ] {
        assert_eq!(run(arguments).code, Some(2), "{arguments:?}");
    }
}
