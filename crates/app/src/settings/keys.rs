//! The file of keys that sign what clients carry for the server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pymcp_kit::KeyRing;

/// Bytes that the file may have.
const MAX_BYTES: u64 = 64 << 10;

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
    let allowed = || {
        format!(
            "a file that has a key a line: a name, a space and at least {} bytes in base64",
            KeyRing::MIN_KEY_BYTES
        )
    };
    let size = std::fs::metadata(path).map(|found| found.len());
    if size.is_ok_and(|size| size > MAX_BYTES) {
        return Err(allowed());
    }
    let text = std::fs::read_to_string(path).map_err(|_| allowed())?;
    let keys = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (name, key) = line.split_once(char::is_whitespace)?;
            Some((name.to_owned(), STANDARD.decode(key.trim()).ok()?))
        })
        .collect::<Option<Vec<_>>>()
        .ok_or_else(allowed)?;
    match KeyRing::new(keys.clone()) {
        Ok(_) => Ok(StateKeys(keys)),
        Err(_) => Err(allowed()),
    }
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
