//! What a server lists, as files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::Value;

use crate::core::Server;

use super::client::Client;
use super::diff::diff;
use super::rules;

/// The folders, one for each kind of component.
const KINDS: [&str; 4] = ["tools", "resources", "templates", "prompts"];

/// Compares everything that the server lists with the files below `folder` (a path from the package's own root:
/// `tests/snapshots`), and looks at [`complaints`]. `<folder>/<kind>/<name>.json` is a definition as clients get it.
///
/// With `UPDATE_SNAPSHOTS=1` in the environment it writes the files instead, and removes those that are of no
/// component any more; the diff is for a reviewer.
///
/// # Panics
/// When a definition is not the one on file, a file is missing or of no component, or [`complaints`] has any;
/// the message has all of it.
pub async fn snapshot(server: &Server, folder: impl AsRef<Path>) {
    let mut found = snapshot_files(server, folder).await;
    found.extend(complaints(server).await);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The first half of [`snapshot`]: compares or writes the files. Returns what is wrong, a component each.
///
/// # Panics
/// When files cannot be written.
pub async fn snapshot_files(server: &Server, folder: impl AsRef<Path>) -> Vec<String> {
    let folder = folder.as_ref();
    let mut listed = BTreeMap::new();
    for (kind, definition) in definitions(&mut Client::legacy(server)).await {
        let file = folder.join(kind).join(file_name(&name(&definition)));
        listed.insert(file, format!("{definition:#}\n"));
    }
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some_and(|value| value == "1") {
        let updated = update(folder, &listed);
        updated.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    }
    let mut found = compare(folder, &listed);
    if !found.is_empty() {
        found.push("If that is as it should be: UPDATE_SNAPSHOTS=1 cargo test".to_owned());
    }
    found
}

/// The second half of [`snapshot`]: what clients or models could not use, or not know, in what the server lists. A
/// server that lists nothing has nothing to complain of.
///
/// - Both eras list the same.
/// - Names are of letters, digits, `_` and `-`, at most 64.
/// - Every component, every argument, at any depth, is described.
/// - Tools say all four hints of their annotations. Their schemas compile as JSON Schema 2020-12; the input is an
///   object; there is no combinator at the top, no `$ref`, no `null` in a list of types, and no `null` for what
///   may be left out.
/// - Resources and templates have a media type.
pub async fn complaints(server: &Server) -> Vec<String> {
    let legacy = definitions(&mut Client::legacy(server)).await;
    let modern = definitions(&mut Client::modern(server)).await;
    let mut found = Vec::new();
    for (kind, definition) in &legacy {
        let broken = rules::broken(kind, definition).into_iter();
        found.extend(broken.map(|rule| format!("{kind} {}: {rule}", name(definition))));
    }
    let differs = |one: &[(&str, Value)], other: &[(&str, Value)], era: &str| -> Vec<String> {
        let lacks = one.iter().filter(|listed| !other.contains(listed));
        lacks
            .map(|(kind, definition)| {
                format!("{kind} {}: only {era} clients see it so", name(definition))
            })
            .collect()
    };
    found.extend(differs(&legacy, &modern, "legacy"));
    found.extend(differs(&modern, &legacy, "modern"));
    found
}

/// Everything that is listed, with its kind.
async fn definitions(client: &mut Client) -> Vec<(&'static str, Value)> {
    let mut all = Vec::new();
    for kind in KINDS {
        let listed = match kind {
            "tools" => client.list_tools().await,
            "resources" => client.list_resources().await,
            "templates" => client.list_templates().await,
            _ => client.list_prompts().await,
        };
        all.extend(listed.into_iter().map(|definition| (kind, definition)));
    }
    all
}

fn name(definition: &Value) -> String {
    definition["name"].as_str().unwrap_or_default().to_owned()
}

/// A file for a name, whatever characters that has.
fn file_name(name: &str) -> String {
    let mut file = String::new();
    for char in name.chars() {
        match char {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => file.push(char),
            other => {
                let mut bytes = [0; 4];
                for byte in other.encode_utf8(&mut bytes).bytes() {
                    file.push_str(&format!("%{byte:02X}"));
                }
            }
        }
    }
    file + ".json"
}

/// The files that are there: those of the kinds, and no others that a folder may hold.
fn files(folder: &Path) -> Vec<PathBuf> {
    let kinds = KINDS.iter().map(|kind| folder.join(kind));
    let entries = kinds.flat_map(|kind| fs::read_dir(kind).into_iter().flatten());
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| {
            file.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    files
}

fn update(folder: &Path, listed: &BTreeMap<PathBuf, String>) -> io::Result<()> {
    for stale in files(folder)
        .iter()
        .filter(|file| !listed.contains_key(*file))
    {
        fs::remove_file(stale)?;
    }
    for (file, definition) in listed {
        if let Some(kind) = file.parent() {
            fs::create_dir_all(kind)?;
        }
        fs::write(file, definition)?;
    }
    Ok(())
}

fn compare(folder: &Path, listed: &BTreeMap<PathBuf, String>) -> Vec<String> {
    let show = |file: &Path| {
        file.strip_prefix(folder)
            .unwrap_or(file)
            .display()
            .to_string()
    };
    let mut found = Vec::new();
    for (file, definition) in listed {
        match fs::read_to_string(file) {
            Ok(known) if known == *definition => {}
            Ok(known) => found.push(format!(
                "{} changed:\n{}",
                show(file),
                diff(&known, definition)
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                found.push(format!(
                    "{} is missing:\n{}",
                    show(file),
                    diff("", definition)
                ));
            }
            Err(error) => found.push(format!("{} cannot be read: {error}", show(file))),
        }
    }
    let stale = files(folder);
    let stale = stale.iter().filter(|file| !listed.contains_key(*file));
    found.extend(stale.map(|file| format!("{} is of no component", show(file))));
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_change_a_missing_file_and_a_stale_one_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join("tools").join(name);
        let listed = BTreeMap::from([
            (at("same.json"), "1\n".into()),
            (at("changed.json"), "2\n".into()),
            (at("new.json"), "3\n".into()),
        ]);
        fs::create_dir(folder.path().join("tools")).unwrap();
        for (name, text) in [("same", "1\n"), ("changed", "1\n"), ("stale", "4\n")] {
            fs::write(at(&format!("{name}.json")), text).unwrap();
        }
        fs::write(at("README.md"), "not ours").unwrap();
        let found = compare(folder.path(), &listed);
        let expected = [
            "tools/changed.json changed:\n  - 1\n  + 2\n",
            "tools/new.json is missing:\n  + 3\n",
            "tools/stale.json is of no component",
        ];
        assert_eq!(found, expected);
        update(folder.path(), &listed).unwrap();
        assert_eq!(compare(folder.path(), &listed), Vec::<String>::new());
        assert!(at("README.md").exists());
    }

    #[test]
    fn a_name_stays_below_its_folder() {
        assert_eq!(file_name("a_B-1"), "a_B-1.json");
        assert_eq!(file_name("../ü"), "%2E%2E%2F%C3%BC.json");
    }
}
