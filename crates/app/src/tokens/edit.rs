//! Adds and removes an entry, and keeps the rest of the file as it is written.
//!
//! Neither trusts itself: the new text is read again, and has to have exactly the entries that it should.

use std::path::Path;

use pymcp_kit::auth::tokens::{TokenEntry, Tokens};

use super::Problem;
use super::file::{self, Change};
use super::format::{self, List};

/// The entries of a file, all of which can be used.
///
/// # Errors
/// What is wrong with the file.
pub(crate) fn entries(path: &Path) -> Result<Vec<TokenEntry>, Problem> {
    let (text, _) = file::read(path)?;
    checked(&text).map(|list| list.entries)
}

/// Adds an entry at the end of the file, which is made if there is none.
///
/// # Errors
/// The file cannot be used as it is, or has a token of that name.
pub(crate) fn add(path: &Path, entry: &TokenEntry) -> Result<(), Problem> {
    let change = Change::begin(path)?;
    let mut text = change.text()?.unwrap_or_default();
    let mut expected = checked(&text)?.entries;
    expected.push(entry.clone());
    Tokens::new(expected.clone()).map_err(|bad| Problem::new(format!("cannot take it: {bad}")))?;
    if !text.is_empty() {
        let gap = if text.ends_with('\n') { "\n" } else { "\n\n" };
        text.push_str(gap);
    }
    text.push_str(&format::written(entry));
    write(&change, &text, &expected)
}

/// Removes the entry of a name, from its `[[token]]` to its last value, and says whether there was one.
///
/// # Errors
/// The file cannot be used as it is, or is written in a way that only a person can change.
pub(crate) fn remove(path: &Path, name: &str) -> Result<bool, Problem> {
    let change = Change::begin(path)?;
    let text = change.text()?.unwrap_or_default();
    let mut list = checked(&text)?;
    let named = |entry: &TokenEntry| entry.name == name;
    let Some(index) = list.entries.iter().position(named) else {
        return Ok(false);
    };
    list.entries.remove(index);
    let span = list.spans[index].clone();
    let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let rest = match text[span.end..].split_once('\n') {
        Some((_, rest)) => rest,
        None => "",
    };
    let before = &text[..start];
    // Of the empty lines around it one is enough.
    let rest = match before.is_empty() || before.ends_with("\n\n") {
        true => rest.trim_start_matches(['\n', '\r']),
        false => rest,
    };
    write(&change, &format!("{before}{rest}"), &list.entries)?;
    Ok(true)
}

fn checked(text: &str) -> Result<List, Problem> {
    let list = List::parse(text)?;
    match Tokens::new(list.entries.clone()) {
        Ok(_) => Ok(list),
        Err(bad) => Err(list.problem(&bad)),
    }
}

fn write(change: &Change, text: &str, expected: &[TokenEntry]) -> Result<(), Problem> {
    match List::parse(text) {
        Ok(list) if same(&list.entries, expected) => change.write(text),
        _ => Err(Problem::new(
            "is written in a way that only an editor can change: it needs a [[token]] line for each entry",
        )),
    }
}

/// Whether they are the same; times are written to the second.
fn same(found: &[TokenEntry], expected: &[TokenEntry]) -> bool {
    let plain = |entries: &[TokenEntry]| entries.iter().map(format::written).collect::<String>();
    plain(found) == plain(expected)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::{Duration, SystemTime};

    use pymcp_kit::auth::Scopes;
    use pymcp_kit::auth::tokens::TokenHash;

    use super::*;

    fn entry(name: &str) -> TokenEntry {
        TokenEntry {
            name: name.into(),
            hash: TokenHash::of(name),
            scopes: Scopes::parse("a b").unwrap(),
            expires: Some(SystemTime::now() + Duration::from_millis(90_500)),
        }
    }

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let change = Change::begin(&path).unwrap();
        change.write(text).unwrap();
        (folder, path)
    }

    fn text(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn an_entry_comes_to_the_end_and_all_else_stays_as_it_is() {
        let (_folder, path) = file("# Ours");
        add(&path, &entry("ci")).unwrap();
        let first = text(&path);
        assert!(first.starts_with("# Ours\n\n[[token]]\nname = \"ci\"\n"));
        add(&path, &entry("other")).unwrap();
        let second = text(&path);
        let added = second.strip_prefix(&first).unwrap();
        assert!(added.starts_with("\n[[token]]\nname = \"other\"\n"));
        let said = add(&path, &entry("ci")).unwrap_err().of("f");
        assert_eq!(
            said,
            "f cannot take it: there is a token named 'ci' already."
        );
        assert_eq!(text(&path), second);
        assert_eq!(entries(&path).unwrap().len(), 2);
    }

    #[test]
    fn an_entry_goes_and_the_comments_of_others_stay() {
        let part =
            |name: &str, comment: &str| format!("{comment}{}", format::written(&entry(name)));
        let (first, last) = (part("first", "# The first\n"), part("last", "# The last\n"));
        let middle = part("middle", "").replace("scopes", "# Within\nscopes");
        let whole = format!("# Ours\n\n{first}\n{middle}  # at its end\n\n{last}");
        let whole = whole.replace("\n  # at", "  # at");
        let (_folder, path) = file(&whole);
        assert!(remove(&path, "middle").unwrap());
        assert_eq!(text(&path), format!("# Ours\n\n{first}\n{last}"));
        assert!(!remove(&path, "middle").unwrap());
        assert!(remove(&path, "last").unwrap());
        assert_eq!(text(&path), format!("# Ours\n\n{first}\n# The last\n"));
        assert!(remove(&path, "first").unwrap());
        assert_eq!(text(&path), "# Ours\n\n# The first\n\n# The last\n");
        assert!(entries(&path).unwrap().is_empty());
    }

    #[test]
    fn what_only_an_editor_can_change_is_left_as_it_is() {
        let inline = |name: &str| format!("{{name = '{name}', hash = '{}'}}", TokenHash::of(name));
        let whole = format!("token = [{}, {}]\n", inline("a"), inline("b"));
        let (_folder, path) = file(&whole);
        for said in [
            remove(&path, "a").unwrap_err().of("f"),
            add(&path, &entry("c")).unwrap_err().of("f"),
        ] {
            assert!(said.starts_with("f is written in a way"), "{said}");
        }
        assert_eq!(text(&path), whole);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_not_changed() {
        let twice = format!("{0}\n{0}", format::written(&entry("ci")));
        for (text, said) in [
            ("[[token]]\nname = 1\n", "f, line 2: name must be a text."),
            (&*twice, "f, line 7: there is a token named 'ci' already."),
        ] {
            let (_folder, path) = file(text);
            assert_eq!(entries(&path).unwrap_err().of("f"), said);
            assert_eq!(add(&path, &entry("b")).unwrap_err().of("f"), said);
            assert_eq!(remove(&path, "ci").unwrap_err().of("f"), said);
            assert_eq!(super::tests::text(&path), text);
        }
    }
}
