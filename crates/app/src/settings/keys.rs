//! The file of keys that sign what clients carry for the server. `verbs/keys.rs` writes it.

use std::io::{ErrorKind, Read as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pymcp_kit::KeyRing;

use crate::file::open_to;

/// Bytes that the file may have.
pub(crate) const MAX_BYTES: u64 = 64 << 10;

/// Keys by name, the signing one first; none for one that is made up.
#[derive(Clone, Default)]
pub(crate) struct StateKeys(Vec<(String, Vec<u8>)>);

impl std::fmt::Debug for StateKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

impl StateKeys {
    /// The ring of the keys in the file, if there is a file.
    pub(crate) fn ring(&self) -> Option<KeyRing> {
        // What could be wrong with them was found when they were read.
        KeyRing::new(self.0.clone()).ok()
    }
}

/// Reads the file at `path`; its text is in no error.
pub(crate) fn read(path: &str) -> Result<StateKeys, String> {
    if path.is_empty() {
        return Ok(StateKeys::default());
    }
    parse(&text(Path::new(path))?).ok_or_else(allowed)
}

fn allowed() -> String {
    format!(
        "a file that has a key a line: a name, a space and at least {} bytes in base64",
        KeyRing::MIN_KEY_BYTES
    )
}

/// The text of the file.
///
/// # Errors
/// What the file has to be.
pub(crate) fn text(path: &Path) -> Result<String, String> {
    text_of(path, &allowed())
}

/// The text of a file with another kind of keys, which has to be what is `allowed`.
///
/// # Errors
/// What the file has to be.
pub(crate) fn text_of(path: &Path, allowed: &str) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("{allowed}; there is no such file"),
        _ => allowed.to_owned(),
    })?;
    // Of the file that was opened, whatever the path names by now.
    let found = file.metadata().map_err(|_| allowed)?;
    if open_to(&found, 0o077).is_some() {
        return Err(format!(
            "a file that only its owner can read: run chmod 600 {}",
            path.display()
        ));
    }
    let mut text = String::new();
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut text);
    match read {
        Ok(bytes) if bytes as u64 <= MAX_BYTES => Ok(text),
        _ => Err(allowed.to_owned()),
    }
}

/// The keys in the text of such a file; `None` when something in it is none.
pub(crate) fn parse(text: &str) -> Option<StateKeys> {
    let keys = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (name, key) = line.split_once(char::is_whitespace)?;
            Some((name.to_owned(), STANDARD.decode(key.trim()).ok()?))
        })
        .collect::<Option<Vec<_>>>()?;
    KeyRing::new(keys.clone()).ok()?;
    Some(StateKeys(keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_keys_is_read_and_anything_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let path = path.to_str().unwrap();
        let good = STANDARD.encode([7; 32]);
        let try_file = |text: String| {
            std::fs::write(path, text).unwrap();
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
            }
            read(path)
        };
        let keys = try_file(format!("# ours\nnew {good}\n\nold\t{good}\n")).unwrap();
        assert_eq!(keys.0.len(), 2);
        assert_eq!(keys.0[0].0, "new");
        assert!(keys.ring().is_some_and(|ring| !ring.is_generated()));
        for bad in [
            String::new(),
            format!("{good}\n"),
            "new c2hvcnQ=\n".into(),
            "new ???\n".into(),
            format!("a {good}\na {good}\n"),
        ] {
            assert!(try_file(bad).is_err());
        }
        assert!(read("/nowhere/keys").is_err());
        assert!(read("").unwrap().ring().is_none());
    }
}
