//! Reads the file again when it changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pymcp_kit::auth::tokens::Tokens;
use tokio::time::sleep;

use super::Problem;
use super::file::{self, Stamp};
use super::format::List;
use crate::signals::Hangups;

/// Time between two looks at the file.
const PERIOD: Duration = Duration::from_millis(400);

/// Time in which a file that has changed must not change again before it is read: one that an editor is just writing is not.
/// A revoked token is served for this and [`PERIOD`] at most.
const SETTLED: Duration = Duration::from_millis(200);

/// A file of tokens, and who is authenticated by it.
#[derive(Debug)]
pub(crate) struct Watched {
    path: PathBuf,
    tokens: Arc<Tokens>,
    /// The state of the file that was read last, be it with success or not.
    read: Stamp,
    /// The state that it had at the last look.
    seen: Stamp,
}

impl Watched {
    /// Reads the file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn open(path: &Path) -> Result<Self, Problem> {
        let (text, stamp) = file::read(path)?;
        let mut list = List::parse(&text)?;
        let entries = std::mem::take(&mut list.entries);
        let tokens = Tokens::new(entries).map_err(|bad| list.problem(&bad))?;
        if tokens.is_empty() {
            tracing::warn!(
                "{} has no tokens: nobody is served until it has one.",
                path.display()
            );
        }
        Ok(Self {
            path: path.to_owned(),
            tokens: Arc::new(tokens),
            read: stamp,
            seen: stamp,
        })
    }

    /// Who is authenticated: what is read later counts as well.
    pub(crate) fn tokens(&self) -> Arc<Tokens> {
        Arc::clone(&self.tokens)
    }

    /// Reads the file again whenever it has changed, and at each hangup; without end.
    pub(crate) async fn watch(mut self, mut hangups: Hangups) {
        let mut pause = PERIOD;
        loop {
            let asked = tokio::select! {
                () = hangups.next() => true,
                () = sleep(pause) => false,
            };
            let look = tokio::task::spawn_blocking(move || {
                let changes = self.look(asked);
                (self, changes)
            });
            let Ok((back, changes)) = look.await else {
                // The runtime ends.
                return;
            };
            self = back;
            pause = match changes {
                true => SETTLED,
                false => PERIOD,
            };
        }
    }

    /// Reads the file if it has changed since it was read and not since the last look, or if that is `asked` for. What
    /// cannot be used leaves the tokens as they are, and is told once. Answers whether somebody is changing it.
    fn look(&mut self, asked: bool) -> bool {
        let stamp = file::stamp(&self.path);
        let settled = std::mem::replace(&mut self.seen, stamp) == stamp;
        if !asked && (!settled || stamp == self.read) {
            return !settled;
        }
        self.read = stamp;
        let read = self.read_again();
        let path = self.path.display();
        match read {
            Ok(said) => tracing::info!("{path} was read again; {said}."),
            Err(problem) => tracing::error!(
                "{} The tokens that were read before stay accepted.",
                problem.of(path)
            ),
        }
        false
    }

    fn read_again(&mut self) -> Result<String, Problem> {
        let (text, stamp) = file::read(&self.path)?;
        // Of what was read, should it have changed since.
        self.read = stamp;
        let mut list = List::parse(&text)?;
        let entries = std::mem::take(&mut list.entries);
        let replaced = self
            .tokens
            .replace(entries)
            .map_err(|bad| list.problem(&bad))?;
        Ok(format!(
            "tokens: {}, new or changed: {}, revoked or changed: {}",
            self.tokens.len(),
            replaced.added,
            replaced.revoked
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use pymcp_kit::auth::tokens::{TokenEntry, TokenHash};
    use pymcp_kit::auth::{Authenticator as _, Denied, Identity, Scopes};
    use pymcp_kit::transport::http::Request;

    use super::super::{edit, format};
    use super::*;

    fn entry(name: &str) -> TokenEntry {
        TokenEntry {
            name: name.into(),
            hash: TokenHash::of(name),
            scopes: Scopes::default(),
            expires: None,
        }
    }

    /// Who sends the token `name`.
    async fn who(watched: &Watched, name: &str) -> Result<Identity, Denied> {
        let request = Request::get("/mcp").header("x-api-key", name);
        let (head, ()) = request.body(()).unwrap().into_parts();
        watched.tokens().authenticate(&head).await
    }

    /// Looks at a file that nobody is writing.
    fn look(watched: &mut Watched) {
        watched.look(false);
        watched.look(false);
    }

    #[tokio::test]
    async fn what_the_file_has_counts_and_a_broken_file_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        for name in ["ci", "other"] {
            edit::add(&path, &entry(name)).unwrap();
        }
        let mut watched = Watched::open(&path).unwrap();
        let (ci, other) = (
            who(&watched, "ci").await.unwrap(),
            who(&watched, "other").await.unwrap(),
        );
        assert_eq!(&*ci.subject, "token:ci");

        // Broken, gone, or readable by others: as before.
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, "[[token]]\nname = 1\n").unwrap();
        look(&mut watched);
        assert!(who(&watched, "other").await.is_ok());
        std::fs::remove_file(&path).unwrap();
        look(&mut watched);
        assert_eq!(watched.read, None);
        assert!(who(&watched, "other").await.is_ok());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::write(&path, format::written(&entry("ci"))).unwrap();
            let open = std::fs::Permissions::from_mode(0o644);
            std::fs::set_permissions(&path, open).unwrap();
            look(&mut watched);
            assert!(who(&watched, "other").await.is_ok());
            // The mode alone is a change.
            let own = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&path, own).unwrap();
        }
        #[cfg(not(unix))]
        std::fs::write(&path, format::written(&entry("ci"))).unwrap();
        look(&mut watched);
        assert!(who(&watched, "other").await.is_err());
        assert!(other.revoked.is_cancelled() && !ci.revoked.is_cancelled());

        // Back again, by the verb.
        std::fs::write(&path, whole).unwrap();
        look(&mut watched);
        assert!(who(&watched, "other").await.is_ok());
        assert!(edit::remove(&path, "other").unwrap());
        look(&mut watched);
        let gone = who(&watched, "other").await.unwrap_err();
        assert_eq!(gone, Denied::Invalid("The token is not known."));
        assert!(!ci.revoked.is_cancelled());
    }

    #[cfg(unix)]
    #[test]
    fn a_hangup_reads_a_file_that_looks_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        edit::add(&path, &entry("ci")).unwrap();
        let mut watched = Watched::open(&path).unwrap();
        edit::add(&path, &entry("other")).unwrap();
        watched.read = file::stamp(&path);
        look(&mut watched);
        assert_eq!(watched.tokens.len(), 1);
        watched.look(true);
        assert_eq!(watched.tokens.len(), 2);
    }

    #[test]
    fn a_file_that_is_being_written_is_read_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        edit::add(&path, &entry("ci")).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        let mut watched = Watched::open(&path).unwrap();
        for part in ["", "# Ours\n", "# Ours, all of them\n"] {
            std::fs::write(&path, part).unwrap();
            watched.look(false);
            assert_eq!(watched.tokens.len(), 1, "{part}");
        }
        std::fs::write(&path, whole + &format::written(&entry("other"))).unwrap();
        watched.look(false);
        assert_eq!(watched.tokens.len(), 1);
        watched.look(false);
        assert_eq!(watched.tokens.len(), 2);
    }

    #[test]
    fn ten_thousand_tokens_with_scopes_fit_into_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
        let text: String = (0..Tokens::MAX)
            .map(|n| TokenEntry {
                scopes: Scopes::parse("stock:read stock:write orders:read").unwrap(),
                expires: Some(end),
                ..entry(&format!("user-{n}@department.example"))
            })
            .map(|entry| format::written(&entry) + "\n")
            .collect();
        let change = file::Change::begin(&path).unwrap();
        change.write(&text).unwrap();
        drop(change);
        let watched = Watched::open(&path).unwrap();
        assert_eq!(watched.tokens.len(), Tokens::MAX);
    }
}
