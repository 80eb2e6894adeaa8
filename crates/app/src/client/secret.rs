//! Values that nobody is to see: tokens and headers. On a command line everybody on the machine can read them, so they may
//! also be named by the file or the variable that they are in.

use std::fmt;
use std::path::Path;

use reqwest::header::{HeaderName, HeaderValue};

use crate::file;

/// Text that is shown nowhere.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// Reads `@FILE` as what is in the file, `$NAME` as the value of an environment variable, and other text as it is.
    /// White space at the end does not count.
    ///
    /// # Errors
    /// What must be given instead.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let value = if let Some(path) = text.strip_prefix('@') {
            file::read(Path::new(path), file::PATIENCE)
                .map_err(|reason| format!("a file that can be read: {path} {reason}"))?
        } else if let Some(name) = text.strip_prefix('$') {
            std::env::var(name)
                .map_err(|_| format!("an environment variable that is set: {name}"))?
        } else {
            text.to_owned()
        };
        let value = value.trim_end();
        match value.is_empty() {
            true => Err("a value that is not empty".to_owned()),
            false => Ok(Self(value.to_owned())),
        }
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A header to send with each request.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(super) name: HeaderName,
    /// Marked as sensitive.
    pub(super) value: HeaderValue,
}

impl Header {
    /// Reads `Name: value`; for the value all that [`Secret::parse`] takes will do.
    ///
    /// # Errors
    /// What must be given instead.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let must = || "a name and a value, such as 'X-Api-Key: @key.txt'".to_owned();
        let (name, value) = text.split_once(':').ok_or_else(must)?;
        let name = HeaderName::try_from(name.trim()).map_err(|_| must())?;
        let value = Secret::parse(value.trim())?;
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| must())?;
        value.set_sensitive(true);
        Ok(Self { name, value })
    }
}

/// Reads the value of `--bearer`.
///
/// # Errors
/// What must be given instead.
pub(super) fn bearer(text: &str) -> Result<Secret, String> {
    let secret = Secret::parse(text)?;
    match secret.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(secret),
        false => Err("a token without white space".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_from_the_command_line_a_file_or_a_variable() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("token");
        std::fs::write(&path, "from-a-file\n").unwrap();
        let value = |text: &str| Secret::parse(text).map(|secret| secret.expose().to_owned());
        assert_eq!(value("plain").unwrap(), "plain");
        assert_eq!(
            value(&format!("@{}", path.display())).unwrap(),
            "from-a-file"
        );
        assert_eq!(
            value("$PATH").unwrap(),
            std::env::var("PATH").unwrap().trim_end()
        );
        assert!(
            value("$NO_SUCH_VARIABLE")
                .unwrap_err()
                .contains("NO_SUCH_VARIABLE")
        );
        assert!(
            value("@/no/such/file")
                .unwrap_err()
                .contains("/no/such/file")
        );
        assert!(value("").is_err());
    }

    #[test]
    fn what_is_secret_is_not_shown() {
        let header = Header::parse("X-Api-Key: hunter2").unwrap();
        assert_eq!(
            (header.name.as_str(), header.value.as_bytes()),
            ("x-api-key", &b"hunter2"[..])
        );
        assert!(!format!("{header:?}{:?}", bearer("hunter2")).contains("hunter2"));
        for text in ["X-Api-Key", ": hunter2", "X Y: hunter2"] {
            assert!(
                !Header::parse(text).unwrap_err().contains("hunter2"),
                "{text}"
            );
        }
    }
}
