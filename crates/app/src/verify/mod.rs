//! `verify`: what any server shows, as a manifest with a digest; what is wrong with it; and what differs from a lock.
//!
//! ```text
//! target ──► read ──► shown (shown/1) ──► findings ──┐
//!              lock, mcptrust ──────────► drift ─────┴──► report
//! ```
//!
//! | file | what it holds |
//! | --- | --- |
//! | `read` | all that a server shows, within bounds |
//! | `shown` | the manifest of it, and what is left out of it |
//! | `locked` | the lock, of whatever kind |
//! | `mcptrust` | locks of mcptrust |
//! | `findings` | what is wrong whatever a lock says |
//! | `report` | what is printed |
//!
//! Another kind of lock is a variant of `locked::Locked`, another finding a rule in `findings`.

mod findings;
mod locked;
mod mcptrust;
mod read;
mod report;
mod shown;

use std::path::Path;
use std::time::Duration;

use pymcp_kit::manifest::{Lock, Manifest};

use self::locked::Locked;
use self::read::Order;
use self::report::{Outcome, Report};
use crate::client::{EraChoice, capabilities};
use crate::doctor::probe::Target;
use crate::doctor::probe::message::Client;
use crate::program::Program;
use crate::{Error, Result, file};
use pymcp_kit::reason::reason;

pub(crate) use self::report::Format;

/// Exit code of what could not be checked.
pub(crate) const UNCHECKED: u8 = 2;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// The lock to compare with.
    pub(crate) lock: Option<&'a Path>,
    /// Where a lock is written.
    pub(crate) write: Option<&'a Path>,
    pub(crate) era: EraChoice,
    /// Time that an answer may take.
    pub(crate) patience: Duration,
}

/// Looks at a server, and says what came of it.
pub(crate) async fn verify<'a>(
    program: &'a Program,
    target: &Target,
    asked: &Asked<'a>,
) -> Report<'a> {
    let mut report = Report::new(program, target.shown(), asked.lock);
    if let Err(error) = look(&mut report, target, asked).await {
        report.unchecked(error);
    }
    report
}

/// Fills the report.
async fn look(report: &mut Report<'_>, target: &Target, asked: &Asked<'_>) -> Result<()> {
    let locked = asked.lock.map(Locked::read).transpose()?;
    let order = Order::of(asked.era, locked.as_ref().and_then(Locked::era));
    let client = Client::of(report.program(), capabilities());
    let manifest = manifest(target, &client, order, asked.patience).await?;
    // It computes, and Ctrl-C must be heard meanwhile.
    let looked = tokio::task::spawn_blocking(move || (findings::of(&manifest), manifest)).await;
    let (findings, manifest) =
        looked.map_err(|_| Error::other("What the server shows cannot be looked through."))?;
    report.findings = findings;
    if let Some(locked) = &locked {
        report.pins = Some((locked.pins(), locked.digest()));
        report.drift = locked.drift(&manifest);
        report.outcome = match report.drift.is_empty() {
            true => Outcome::Same,
            false => Outcome::Drift,
        };
    }
    if let Some(path) = asked.write {
        // What is another one each time would be drift each time.
        let again = Order::of(asked.era, Some(shown::era(&manifest)));
        let again = self::manifest(target, &client, again, asked.patience).await?;
        let varies = pymcp_kit::manifest::drift(&manifest, &again);
        if let Some(one) = varies.first() {
            let (kind, name, path) = (one.kind, &one.name, &one.path);
            return Err(Error::other(format!(
                "{} shows something else each time that it is asked, and cannot be locked: {kind} {name} {path}.",
                target.shown()
            )));
        }
        write(path, &manifest)?;
        report.written = Some(path.to_owned());
    }
    report.manifest = Some(manifest);
    Ok(())
}

/// The manifest of what a server shows.
async fn manifest(
    target: &Target,
    client: &Client,
    order: Order,
    patience: Duration,
) -> Result<Manifest> {
    let shown = read::read(target, client, order, patience).await?;
    shown::manifest(shown).map_err(Error::other)
}

fn write(path: &Path, manifest: &Manifest) -> Result<()> {
    let named = path.display();
    let text = Lock::of(manifest).to_text();
    let text = text.map_err(|bad| Error::other(format!("The lock {bad}.")))?;
    file::replace(path, &text)
        .map_err(|error| Error::other(format!("{named} cannot be written: {}.", reason(&error))))
}
