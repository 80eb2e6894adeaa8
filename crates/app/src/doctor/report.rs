//! The report: what was looked at, what was found, and for whom it matters.

use std::fmt::Write as _;

use serde::Serialize;

use super::clients::Fact;
use super::finding::{Finding, Severity};
use super::machine::Set;
use crate::Result;
use crate::output::{BAD, DIM, GOOD, Output, STRONG, WARN, visible};

/// All that a run found. As JSON it is just these members, documented in `docs/doctor.md`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) program: Named,
    /// The URL, the command or the program.
    pub(crate) target: String,
    /// What was learned, by a name for people.
    #[serde(serialize_with = "as_map")]
    pub(crate) facts: Vec<(String, String)>,
    /// Settings of this program that are not at their default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) settings: Vec<Set>,
    /// The worst first.
    pub(crate) findings: Vec<Finding>,
    /// What is known of clients that a server like this has to live with.
    pub(crate) clients: Vec<&'static Fact>,
    pub(crate) summary: Summary,
}

/// A program.
#[derive(Debug, Serialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) version: String,
}

/// How many findings there are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    pub(crate) errors: usize,
    pub(crate) warnings: usize,
    pub(crate) notes: usize,
}

impl Summary {
    pub(crate) fn of(findings: &[Finding]) -> Self {
        let count = |severity| {
            findings
                .iter()
                .filter(|one| one.severity == severity)
                .count()
        };
        Self {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
        }
    }

    /// Whether the check says no.
    pub(crate) fn fails(self, strict: bool) -> bool {
        self.errors > 0 || (strict && self.warnings > 0)
    }
}

fn as_map<S: serde::Serializer>(
    facts: &[(String, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(facts.iter().map(|(name, value)| (name, value)))
}

/// Prints it for people.
pub(crate) fn print(report: &Report, output: Output) -> Result<()> {
    output.line(text(report).trim_end())
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{STRONG}{}{STRONG:#}\n", visible(&report.target));
    let width = report
        .facts
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or(0);
    for (name, value) in &report.facts {
        let _ = writeln!(text, "{name:width$}  {}", visible(value));
    }
    if !report.settings.is_empty() {
        let _ = writeln!(
            text,
            "\n{STRONG}Settings{STRONG:#} {DIM}(others are at their default){DIM:#}"
        );
        for Set {
            setting,
            value,
            source,
        } in &report.settings
        {
            let value = value.as_deref().unwrap_or("(hidden)");
            let (value, source) = (visible(value), visible(source));
            let _ = writeln!(text, "  --{setting} {value}  {DIM}{source}{DIM:#}");
        }
    }
    for finding in &report.findings {
        text.push_str(&of_finding(finding));
    }
    if !report.clients.is_empty() {
        let _ = writeln!(text, "\n{STRONG}Clients{STRONG:#}");
        for Fact {
            client,
            what,
            setting,
            source,
            ..
        } in &report.clients
        {
            let setting = setting.map_or(String::new(), |setting| format!("{setting}; "));
            let _ = writeln!(text, "  {client} {what}. {DIM}({setting}{source}){DIM:#}");
        }
    }
    let _ = writeln!(text, "\n{}", of_summary(report.summary));
    text
}

/// A finding for people: an empty line, and below it what was found.
pub(crate) fn of_finding(finding: &Finding) -> String {
    let Finding {
        id,
        severity,
        subject,
        at,
        what,
        breaks,
        mend,
    } = finding;
    let style = match severity {
        Severity::Error => BAD,
        Severity::Warning => WARN,
        Severity::Note => DIM,
    };
    let severity = severity.as_str();
    let at = match at.as_deref() {
        None | Some("") => String::new(),
        Some(at) => format!("  {DIM}{at}{DIM:#}"),
    };
    format!(
        "\n{style}{severity}{style:#} {STRONG}{id}{STRONG:#}  {subject}{at}\n  {what}\n  \
         {DIM}breaks{DIM:#} {breaks}\n  {DIM}mend{DIM:#}   {mend}\n"
    )
}

/// How many findings there are, for people.
pub(crate) fn of_summary(summary: Summary) -> String {
    let Summary {
        errors,
        warnings,
        notes,
    } = summary;
    let many =
        |number: usize, one: &str| format!("{number} {one}{}", if number == 1 { "" } else { "s" });
    let style = match (errors, warnings) {
        (0, 0) => GOOD,
        (0, _) => WARN,
        _ => BAD,
    };
    format!(
        "{style}{}, {}, {}{style:#}",
        many(errors, "error"),
        many(warnings, "warning"),
        many(notes, "note")
    )
}
