//! What is printed, and the exit code.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use pymcp_kit::manifest::{Change, Class, Digest, ItemKind, Manifest, count};
use serde::Serialize;
use serde_json::Value;

use super::{UNCHECKED, findings};
use crate::doctor::finding::{Finding, Rule, Severity, quoted};
use crate::doctor::report::{Named, Summary, of_finding, of_summary};
use crate::doctor::sarif;
use crate::lock::coloured;
use crate::output::{GOOD, Output, STRONG, visible};
use crate::program::Program;
use crate::verbs::list::counted;
use crate::{Error, Result};

/// Differences that are printed for people and as SARIF; JSON has all of them.
const MAX_CHANGES: usize = 200;

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// For programs
    Json,
    /// SARIF 2.1.0, for code hosts and editors
    Sarif,
}

const BREAKING: Rule = Rule {
    id: "drift-breaking",
    severity: Severity::Error,
    about: "Something that may be done, or what is needed for it, differs from the lock.",
    breaks: "What was reviewed and locked is not what is served.",
    mend: "Review the change; if it is meant, write the lock anew (--write).",
};
const ROUTING: Rule = Rule {
    id: "drift-routing",
    severity: Severity::Error,
    about: "Words that a model reads differ from the lock.",
    breaks: "What was reviewed and locked is not what a model is told.",
    mend: "Review the change; if it is meant, write the lock anew (--write).",
};
const INFO: Rule = Rule {
    id: "drift-info",
    severity: Severity::Warning,
    about: "Something that neither models nor permissions depend on differs from the lock.",
    breaks: "What was reviewed and locked is not what is served.",
    mend: "Review the change; if it is meant, write the lock anew (--write).",
};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// It is what the lock says.
    Same,
    /// It differs from the lock.
    Drift,
    /// There is no lock to compare with.
    Unlocked,
    /// It could not be checked.
    Unchecked,
}

/// All that a run found.
pub(crate) struct Report<'a> {
    program: &'a Program,
    target: String,
    lock: Option<&'a Path>,
    pub(super) outcome: Outcome,
    /// Why it could not be checked.
    error: Option<Error>,
    pub(super) manifest: Option<Manifest>,
    /// What the lock pins, and its digest.
    pub(super) pins: Option<(String, Option<Digest>)>,
    pub(super) drift: Vec<Change>,
    pub(super) findings: Vec<Finding>,
    /// The lock that was written.
    pub(super) written: Option<PathBuf>,
}

/// The same as JSON, documented in `docs/verify.md`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    program: Named,
    target: &'a str,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<ShownItems<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<WrittenLock<'a>>,
    drift: &'a [Change],
    findings: &'a [Finding],
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<&'a Path>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownItems<'a> {
    server: &'a Value,
    revisions: &'a Value,
    projection: &'static str,
    digest: Digest,
    tools: usize,
    resources: usize,
    resource_templates: usize,
    prompts: usize,
}

#[derive(Serialize)]
struct WrittenLock<'a> {
    file: &'a Path,
    pins: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
}

impl<'a> Report<'a> {
    pub(super) fn new(program: &'a Program, target: String, lock: Option<&'a Path>) -> Self {
        Self {
            program,
            target,
            lock,
            outcome: Outcome::Unlocked,
            error: None,
            manifest: None,
            pins: None,
            drift: Vec::new(),
            findings: Vec::new(),
            written: None,
        }
    }

    pub(super) fn program(&self) -> &'a Program {
        self.program
    }

    /// It could not be checked.
    pub(super) fn unchecked(&mut self, error: Error) {
        self.outcome = Outcome::Unchecked;
        self.error = Some(error);
    }

    /// Prints it.
    ///
    /// # Errors
    /// With exit code 1 that it differs from the lock or, if it is `strict`, that something is wrong; with 2 that it could
    /// not be checked.
    pub(crate) fn finish(self, format: Format, strict: bool, output: Output) -> Result<()> {
        let printed = match format {
            Format::Human => match self.text().trim_end() {
                "" => Ok(()),
                text => output.line(text),
            },
            Format::Json => output.value(&self.written()),
            Format::Sarif => output.value(&self.sarif()),
        };
        // Nobody has read what could not be printed.
        printed.map_err(|error| error.with_code(UNCHECKED))?;
        let fails = strict
            && self
                .findings
                .iter()
                .any(|one| one.severity != Severity::Note);
        match (self.error, self.outcome) {
            (Some(error), _) => Err(error.with_code(UNCHECKED)),
            (None, Outcome::Drift) => Err(Error::printed(1)),
            _ if fails => Err(Error::printed(1)),
            _ => Ok(()),
        }
    }

    fn shown(&self) -> Option<ShownItems<'_>> {
        let manifest = self.manifest.as_ref()?;
        let items = manifest.items();
        let server = &items.first()?.content;
        let of = |kind| items.iter().filter(|item| item.kind == kind).count();
        Some(ShownItems {
            server: &server["identity"],
            revisions: &server["revisions"],
            projection: manifest.projection().id(),
            digest: manifest.digest(),
            tools: of(ItemKind::Tool),
            resources: of(ItemKind::Resource),
            resource_templates: of(ItemKind::ResourceTemplate),
            prompts: of(ItemKind::Prompt),
        })
    }

    fn written(&self) -> Written<'_> {
        let pins = self.pins.as_ref();
        Written {
            program: Named {
                name: self.program.name().to_owned(),
                version: self.program.version().to_owned(),
            },
            target: &self.target,
            outcome: self.outcome,
            error: self.error.as_ref().and_then(Error::sentence),
            shown: self.shown(),
            lock: self
                .lock
                .zip(pins)
                .map(|(file, (pins, digest))| WrittenLock {
                    file,
                    pins,
                    digest: *digest,
                }),
            drift: &self.drift,
            findings: &self.findings,
            written: self.written.as_deref(),
        }
    }

    fn sarif(&self) -> Value {
        let changes = self.drift.iter().take(MAX_CHANGES).map(of_change);
        let all: Vec<_> = changes.chain(self.findings.iter().cloned()).collect();
        // Code hosts show what is found in a file that they have.
        let lock = self.lock.map(|path| path.display().to_string());
        let log = sarif::Log {
            name: format!("{} verify", self.program.name()),
            version: self.program.version(),
            target: lock.as_deref().unwrap_or(&self.target),
            findings: &all,
            failure: self.error.as_ref().and_then(Error::sentence),
        };
        log.of(findings::rules().chain([&BREAKING, &ROUTING, &INFO]))
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        if let Some(shown) = self.shown() {
            let named = |member: &str| shown.server[member].as_str().unwrap_or_default();
            let revisions = shown.revisions.as_array().into_iter().flatten();
            let revisions: Vec<_> = revisions.filter_map(Value::as_str).collect();
            let name = format!("{} {}", named("name"), named("version"));
            let _ = writeln!(
                text,
                "{STRONG}{}{STRONG:#} ({})\n{}, {}, {}, {}\n{}",
                visible(name.trim()),
                visible(&revisions.join(", ")),
                counted(shown.tools, "tool"),
                counted(shown.resources, "resource"),
                counted(shown.resource_templates, "template"),
                counted(shown.prompts, "prompt"),
                shown.digest
            );
        }
        for finding in &self.findings {
            text.push_str(&of_finding(finding));
        }
        if self.manifest.is_some() {
            let _ = writeln!(text, "\n{}", of_summary(Summary::of(&self.findings)));
        }
        if let (Some(path), Some((pins, _))) = (self.lock, &self.pins) {
            let _ = writeln!(text, "\n{} pins {pins}.", path.display());
        }
        for change in self.drift.iter().take(MAX_CHANGES) {
            for line in change.to_string().lines() {
                let _ = writeln!(text, "{}", coloured(line));
            }
        }
        let path = self.lock.unwrap_or(Path::new("")).display();
        let _ = match self.outcome {
            Outcome::Same => writeln!(text, "{GOOD}The server is as {path} has it.{GOOD:#}"),
            Outcome::Drift => writeln!(
                text,
                "{STRONG}The server differs from {path}: {}.{STRONG:#}",
                count(&self.drift)
            ),
            _ => Ok(()),
        };
        if let Some(path) = &self.written {
            let _ = writeln!(text, "{} is written.", path.display());
        }
        text
    }
}

/// A difference as a finding.
fn of_change(change: &Change) -> Finding {
    let rule = match change.class {
        Class::Breaking => &BREAKING,
        Class::Routing => &ROUTING,
        Class::Info => &INFO,
    };
    let shown = |value: &Option<Value>| match value {
        Some(Value::String(text)) => quoted(text),
        Some(value) => quoted(&value.to_string()),
        None => String::new(),
    };
    let (before, after) = (shown(&change.before), shown(&change.after));
    let what = match (&change.before, &change.after) {
        (None, _) => format!("It is new: {after}."),
        (_, None) => format!("It is gone: {before}."),
        _ => format!("It was {before} and is {after}."),
    };
    let shown = |text: &str| visible(text).into_owned();
    Finding {
        id: Cow::Borrowed(rule.id),
        severity: rule.severity,
        subject: shown(&format!("{} {}", change.kind, change.name)),
        at: Some(shown(&change.path)).filter(|path| !path.is_empty()),
        what: shown(&what),
        breaks: Cow::Borrowed(rule.breaks),
        mend: Cow::Borrowed(rule.mend),
    }
}
