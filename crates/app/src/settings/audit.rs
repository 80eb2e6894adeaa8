//! The audit log: where it is, its key, and what a full disk does.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use pymcp_kit::audit::{Audit, AuditConfig, AuditKey, OnFailure};

use super::value::{boolean, whole};
use crate::program::Program;
use crate::{Error, Result, file};
use pymcp_kit::reason::reason;

const AUDIT: &str = "Audit";

/// Where the audit log is, and what it does when it cannot be written.
#[derive(Debug, Clone, Args)]
// An author's own may have the same name.
#[group(skip)]
pub(crate) struct AuditSettings {
    /// File of the audit log, a JSON object a line for each call and each denial; off by default. Each replica needs a
    /// file of its own.
    #[arg(long, value_name = "FILE", hide_short_help = true, help_heading = AUDIT)]
    pub(crate) audit: Option<PathBuf>,

    /// What becomes of calls whose lines in the audit log cannot be written: deny (nothing is served until they can) or
    /// continue (the next line says how many are missing).
    #[arg(long, default_value = "deny", value_name = "NAME", value_enum, hide_possible_values = true, hide_short_help = true, help_heading = AUDIT)]
    pub(crate) audit_failure: AuditFailure,

    /// File with the key under which the audit log has hashes of arguments: a line with at least 32 bytes in base64, with
    /// or without a name before. Without it the key is in the file of --audit with `.key`, which is made if it isn't there.
    #[arg(long, value_name = "FILE", hide_short_help = true, help_heading = AUDIT)]
    pub(crate) audit_key: Option<PathBuf>,

    /// Bytes after which the audit log goes on in a new file, the old one being renamed to FILE.NUMBER; 0 for one file.
    #[arg(long, default_value = "104857600", value_name = "BYTES", value_parser = max_bytes, hide_short_help = true, help_heading = AUDIT)]
    pub(crate) audit_max_bytes: u64,

    /// Wait until the disk has each line of the audit log, so that a loss of power loses none; every call waits for it.
    #[arg(long, value_parser = boolean, action = clap::ArgAction::Set, num_args = 0..=1, default_value = "false", default_missing_value = "true", value_name = "true|false", hide_short_help = true, help_heading = AUDIT)]
    pub(crate) audit_sync: bool,
}

/// What becomes of calls whose lines cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuditFailure {
    Deny,
    Continue,
}

fn max_bytes(text: &str) -> Result<u64, String> {
    whole(text, 0, 1 << 40, "bytes ")
}

impl AuditSettings {
    /// Opens the log, if there is to be one.
    pub(crate) fn open(&self, program: &Program) -> Result<Option<Audit>> {
        let Some(path) = &self.audit else {
            return Ok(None);
        };
        if let Some(folder) = path.parent().filter(|folder| is_missing(folder)) {
            let (path, folder) = (path.display(), folder.display());
            let missing = format!("--audit is '{path}', but there is no folder {folder}.");
            return Err(Error::setting(missing).hint(format!("mkdir -p {folder} makes it.")));
        }
        let key = match &self.audit_key {
            Some(file) => read(file).map_err(|what| {
                Error::setting(format!(
                    "--audit-key is '{}', which {what}.",
                    file.display()
                ))
            })?,
            None => beside(path).map_err(Error::setting)?,
        };
        let mut config = AuditConfig::new(path, key);
        config.on_failure = match self.audit_failure {
            AuditFailure::Deny => OnFailure::Deny,
            AuditFailure::Continue => OnFailure::Continue,
        };
        config.max_bytes = Some(self.audit_max_bytes).filter(|most| *most > 0);
        config.sync = self.audit_sync;
        config.server = format!("{} {}", program.name, program.version);
        let audit = Audit::open(config).map_err(|error| Error::setting(error.to_string()))?;
        Ok(Some(audit))
    }
}

/// Whether there is no such folder; the one that a program runs in, which has no name, is there.
fn is_missing(folder: &Path) -> bool {
    !folder.as_os_str().is_empty() && matches!(folder.try_exists(), Ok(false))
}

/// The key of the log at `path` if no file is named for it.
fn beside(path: &Path) -> Result<AuditKey, String> {
    let mut file = path.as_os_str().to_owned();
    file.push(".key");
    let file = PathBuf::from(file);
    let said = |what: String| {
        let file = file.display();
        format!("The key of the audit log (--audit), {file}, {what}.")
    };
    match file.try_exists() {
        Ok(true) => {}
        Ok(false) => {
            make(&file).map_err(|error| said(format!("cannot be made: {}", reason(&error))))?
        }
        Err(error) => return Err(said(format!("cannot be read: {}", reason(&error)))),
    }
    read(&file).map_err(said)
}

/// Makes a file with a random key, for its owner alone.
fn make(file: &Path) -> io::Result<()> {
    let mut key = [0; AuditKey::MIN_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let line = format!("audit {}\n", STANDARD.encode(key));
    options.open(file)?.write_all(line.as_bytes())
}

/// Reads the key in a file.
///
/// # Errors
/// What is wrong, as what follows the file's name in a sentence; no text of the file is in it.
pub(crate) fn read(path: &Path) -> Result<AuditKey, String> {
    if std::fs::metadata(path).is_ok_and(|found| file::open_to(&found, 0o007).is_some()) {
        let file = path.display();
        return Err(format!(
            "others can read or write; `chmod o= {file}` takes that from them"
        ));
    }
    let text = file::read(path, file::PATIENCE)?;
    let mut lines = text.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    let key = line.and_then(|line| line.split_whitespace().last());
    let key = key.and_then(|key| STANDARD.decode(key).ok());
    key.and_then(|key| AuditKey::new(&key).ok())
        .ok_or_else(|| "must have a line with at least 32 bytes in base64".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("audit.jsonl");
        let key = beside(&log).unwrap();
        assert_eq!(beside(&log).unwrap().fingerprint(), key.fingerprint());
        let file = folder.path().join("audit.jsonl.key");
        let text = std::fs::read_to_string(&file).unwrap();
        let bare = text.strip_prefix("audit ").unwrap();
        std::fs::write(&file, format!("# ours\n\n{bare}")).unwrap();
        assert_eq!(read(&file).unwrap().fingerprint(), key.fingerprint());
        for bad in ["", "c2hvcnQ=\n", "name ???\n"] {
            std::fs::write(&file, bad).unwrap();
            let refused = beside(&log).unwrap_err();
            assert!(refused.ends_with("in base64."), "{refused}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o604)).unwrap();
            let refused = beside(&log).unwrap_err();
            assert!(refused.contains("others can read"), "{refused}");
        }
    }
}
