//! The floors of this crate: a module uses what stands below it, and nothing above. The picture is in
//! `docs/architecture.md`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the crate from the ground up.
const FLOORS: [&str; 39] = [
    // Knows nothing of MCP.
    "text",
    "timestamp",
    "reason",
    "wire",
    "canonical",
    // Only of what those who make one give it.
    "manifest",
    "descriptor",
    "media_type",
    "telemetry",
    "metrics",
    // Facts: what the protocol says, who asks, how much, why not.
    "principal",
    "protocol",
    "build_error",
    "keys",
    "limits",
    "store",
    "auth",
    "effects",
    "label",
    "error",
    // Files below a folder, and what a component may do to the world.
    "beneath",
    "doors",
    // What happened.
    "audit",
    "otlp",
    // What outlives a request.
    "tasks",
    "streams",
    "connection",
    // The questions of a call, which its context holds.
    "rounds",
    // One request, as its handler sees it.
    "context",
    "blocking",
    // What authors write.
    "component",
    "content",
    "skills",
    "ask",
    // The steps around it.
    "middleware",
    // The server.
    "core",
    "session",
    // The way in and out.
    "transport",
    "testing",
];

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|name| *name == module)
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The modules that a file names, without its comments and its unit tests.
fn named(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

#[test]
fn no_arrow_points_up() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&source, &mut files);
    let mut up = Vec::new();
    let mut arrows = 0;
    for file in files {
        let path = file
            .strip_prefix(&source)
            .unwrap()
            .to_string_lossy()
            .replace('\\', "/");
        // Unit tests may use the whole crate.
        if path == "lib.rs" || path.ends_with("tests.rs") {
            continue;
        }
        let module = path.split('/').next().unwrap().trim_end_matches(".rs");
        let here = floor(module).unwrap_or_else(|| panic!("{module} has no floor: FLOORS"));
        for other in named(&fs::read_to_string(&file).unwrap()) {
            if other == module {
                continue;
            }
            arrows += 1;
            // A name at the front door hides where the thing is, so it counts as unknown.
            match floor(&other) {
                Some(there) if there < here => {}
                Some(_) => up.push(format!("{path} uses {other}, which stands above it")),
                None => up.push(format!(
                    "{path} uses crate::{other}: name the module that it is in"
                )),
            }
        }
    }
    assert!(arrows > 100, "the sources were not read: {arrows}");
    assert!(up.is_empty(), "{}", up.join("\n"));
}

#[test]
fn modules_are_found_wherever_they_are_named() {
    let text = "use crate::wire::Id;\n// crate::core\n    Err(crate::error::Error::user(\"\"))\n#[cfg(test)]\nmod tests {\n use crate::core::Server;";
    let found: Vec<_> = named(text).into_iter().collect();
    assert_eq!(found, ["error", "wire"]);
}
