//! What is written, whatever is chosen. That it builds and passes its own tests is seen in `tests/new/run`.

use std::collections::BTreeSet;

use clap::ValueEnum as _;

use super::*;

fn files(parts: &[Part], transport: TransportName) -> Vec<template::Rendered> {
    let name = Name::parse("zebra-2").unwrap();
    let choices = Choices {
        parts: parts.iter().copied().collect(),
        transport,
    };
    template::server(&name, &choices, &Origin::Registry).unwrap()
}

/// Every set of parts, with both transports.
fn all() -> impl Iterator<Item = Vec<template::Rendered>> {
    let parts = Part::value_variants();
    (0..1 << parts.len()).flat_map(move |set: usize| {
        let chosen: Vec<Part> = (0..parts.len())
            .filter(|part| set >> part & 1 == 1)
            .map(|part| parts[part])
            .collect();
        [TransportName::Stdio, TransportName::Http].map(|transport| files(&chosen, transport))
    })
}

#[test]
fn nothing_is_left_of_the_templates_and_each_path_is_written_once() {
    for files in all() {
        let mut paths = BTreeSet::new();
        for file in &files {
            assert!(
                !file.text.contains("{%") && !file.text.contains("{#"),
                "{}",
                file.path
            );
            assert!(
                file.text.ends_with('\n') && !file.text.ends_with("\n\n"),
                "{}",
                file.path
            );
            assert!(
                !file.path.starts_with('/') && !file.path.contains(".."),
                "{}",
                file.path
            );
            assert!(paths.insert(&file.path), "{}", file.path);
        }
    }
}

#[test]
fn a_server_has_few_files_and_all_its_parts_speak_of_it_alone() {
    assert!(files(&[], TransportName::Stdio).len() <= 30);
    for files in all() {
        for file in &files {
            let crates = ["pymcp-", "pymcp_", "`pymcp add"];
            let strange = file.text.lines().find(|line| {
                let mut line = line.to_lowercase();
                for own in crates {
                    line = line.replace(own, "");
                }
                line.contains("pymcp") || line.contains("fastmcp")
            });
            assert_eq!(strange, None, "{}", file.path);
        }
    }
}

#[test]
fn a_part_brings_its_tool_and_its_crate() {
    for (part, krate, tool) in [
        (Part::Python, "pymcp-python", "src/tools/run_python.rs"),
        (Part::Search, "pymcp-search", "src/tools/web_search.rs"),
        (Part::Egress, "pymcp-egress", "src/tools/latest.rs"),
    ] {
        for (parts, has) in [(&[part][..], true), (&[], false)] {
            let files = files(parts, TransportName::Stdio);
            let text = |path: &str| {
                files
                    .iter()
                    .find(|file| file.path == path)
                    .map(|file| &file.text)
            };
            assert_eq!(text("Cargo.toml").unwrap().contains(krate), has, "{krate}");
            assert_eq!(text(tool).is_some(), has, "{tool}");
            let module = tool
                .trim_start_matches("src/tools/")
                .trim_end_matches(".rs");
            assert_eq!(
                text("src/tools/mod.rs")
                    .unwrap()
                    .contains(&format!("pub mod {module};")),
                has
            );
            assert_eq!(
                text("src/server.rs")
                    .unwrap()
                    .contains(&format!("tools::{module}::tool(")),
                has
            );
        }
    }
}

#[test]
fn a_feature_of_the_program_is_switched_on_and_named_in_the_readme() {
    for (parts, app, settings) in [
        (&[][..], "default-features = false }", [false, false]),
        (&[Part::Otlp], "features = [\"otlp\"] }", [true, false]),
        (
            &[Part::Redis, Part::Otlp],
            "features = [\"otlp\", \"redis\"] }",
            [true, true],
        ),
    ] {
        let files = files(parts, TransportName::Http);
        let text = |path: &str| &files.iter().find(|file| file.path == path).unwrap().text;
        let mut lines = text("Cargo.toml").lines();
        let line = lines.find(|line| line.starts_with("pymcp-app = ")).unwrap();
        assert!(line.contains(app), "{line}");
        let readme = text("README.md");
        let named = ["--otlp-endpoint", "ZEBRA_2_STORE"].map(|name| readme.contains(name));
        assert_eq!(named, settings);
    }
}

#[test]
fn the_interpreter_is_built_as_here() {
    let files = files(&[Part::Python], TransportName::Stdio);
    let text = |path: &str| &files.iter().find(|file| file.path == path).unwrap().text;
    let (_, held) = text("Cargo.lock").split_once("[[package]]").unwrap();
    assert!(include_str!("../../Cargo.lock").contains(held), "{held}");
    let faster = |manifest: &str| -> Vec<String> {
        let lines = manifest.lines();
        let lines = lines.filter(|line| line.contains("overflow-checks"));
        lines.map(str::to_owned).collect()
    };
    let here = faster(include_str!("../../Cargo.toml"));
    assert!(!here.is_empty());
    assert_eq!(faster(text("Cargo.toml")), here);
}

#[test]
fn what_can_be_written_is_listed() {
    let listing = template::listing();
    for line in [
        "python",
        "search",
        "egress",
        "otlp",
        "redis",
        "Cargo.toml",
        "deploy/NAME.service",
        "deploy/compose.yaml",
        "deploy/nginx.conf",
        "src/tools/latest.rs  (with egress)",
        "deploy/kubernetes.yaml  (with kubernetes)",
    ] {
        assert!(listing.contains(line), "{line} is not in:\n{listing}");
    }
}
