//! Which lock a server has to fit, and whose signatures count.

use std::path::PathBuf;

use clap::Args;
use pymcp_kit::manifest::{Lock, PublicKey};

use crate::{Error, Result, lock};

/// Heading of `--help-all`.
const HEADING: &str = "Lock";

/// Which lock a server has to fit.
#[derive(Debug, Clone, Args)]
// An author's own may have the same name.
#[group(skip)]
pub(crate) struct LockSettings {
    /// Lock that the server and its settings have to fit: if anything differs, it does not start. The command
    /// "lock --projection full FILE" writes one.
    #[arg(long, value_name = "FILE", hide_short_help = true, help_heading = HEADING)]
    pub(crate) locked: Option<PathBuf>,

    /// Public keys, comma-separated, such as `ed25519:…`: a lock that none of them signed is refused. The command
    /// "keys public FILE" prints that of a key.
    #[arg(long, value_name = "KEYS", value_parser = key, value_delimiter = ',', hide_short_help = true, help_heading = HEADING)]
    pub(crate) trust: Vec<PublicKey>,
}

fn key(text: &str) -> Result<PublicKey, String> {
    text.parse::<PublicKey>().map_err(|bad| bad.to_string())
}

impl LockSettings {
    /// Reads the lock, if one is named, and looks at its signatures.
    ///
    /// # Errors
    /// The file is no lock, or nobody signed it who is trusted.
    pub(crate) fn read(&self) -> Result<Option<(String, Lock)>> {
        let Some(path) = &self.locked else {
            return match self.trust.is_empty() {
                true => Ok(None),
                false => Err(Error::setting(
                    "--trust says whose locks count, and there is none: name one with --locked.",
                )),
            };
        };
        let shown = path.display();
        let lock = lock::read(path)
            .map_err(|what| Error::setting(format!("--locked is '{shown}', which {what}.")))?;
        let is_trusted = |key| self.trust.contains(&key);
        if !self.trust.is_empty() && !lock.signers().any(is_trusted) {
            let signed = match lock.signers().count() {
                0 => "is signed by nobody",
                _ => "is signed by others than --trust names",
            };
            return Err(Error::setting(format!(
                "--locked is '{shown}', which {signed}; whoever reviews it signs it with \"lock --sign KEY {shown}\"."
            )));
        }
        Ok(Some((shown.to_string(), lock)))
    }
}
