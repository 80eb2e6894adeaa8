//! The findings as SARIF 2.1.0 (OASIS), which code hosts and editors show.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::finding::{Finding, Rule, Severity};

/// The schema of the format.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// What a run has to say.
pub(crate) struct Log<'a> {
    /// Of the tool: the program and its verb.
    pub(crate) name: String,
    /// Of the program.
    pub(crate) version: &'a str,
    /// What was looked at: a URL, a file or a name.
    pub(crate) target: &'a str,
    pub(crate) findings: &'a [Finding],
    /// Why it could not be looked at.
    pub(crate) failure: Option<&'a str>,
}

impl Log<'_> {
    /// The log; what its findings are about is said by these rules, as far as they are of them.
    pub(crate) fn of(&self, known: impl Iterator<Item = &'static Rule>) -> Value {
        let known: BTreeMap<_, _> = known.map(|rule| (rule.id, rule)).collect();
        let mut rules = Vec::new();
        let mut indices = BTreeMap::new();
        for finding in self.findings {
            indices.entry(&*finding.id).or_insert_with(|| {
                // Checks of an author's own have no rule here.
                let about = known
                    .get(&*finding.id)
                    .map_or(&*finding.what, |rule| rule.about);
                rules.push(rule(finding, about));
                rules.len() - 1
            });
        }
        let results: Vec<_> = self
            .findings
            .iter()
            .map(|finding| result(finding, indices[&*finding.id], self.target))
            .collect();
        let mut run = json!({
            "tool": { "driver": {
                "name": self.name,
                "version": self.version,
                "rules": rules,
            } },
            "results": results,
            "columnKind": "unicodeCodePoints",
        });
        if let Some(why) = self.failure {
            run["invocations"] = json!([{
                "executionSuccessful": false,
                "toolExecutionNotifications": [{ "level": "error", "message": { "text": why } }],
            }]);
        }
        json!({ "$schema": SCHEMA, "version": "2.1.0", "runs": [run] })
    }
}

fn rule(finding: &Finding, about: &str) -> Value {
    json!({
        "id": finding.id,
        "shortDescription": { "text": about },
        "fullDescription": { "text": finding.breaks },
        "help": { "text": finding.mend },
        "defaultConfiguration": { "level": level(finding.severity) },
    })
}

fn result(finding: &Finding, index: usize, target: &str) -> Value {
    let (subject, at) = (&finding.subject, finding.at.as_deref().unwrap_or_default());
    let place = match at {
        "" => subject.clone(),
        at => format!("{subject} {at}"),
    };
    json!({
        "ruleId": finding.id,
        "ruleIndex": index,
        "level": level(finding.severity),
        "message": { "text": format!("{place}: {} {}", finding.what, finding.mend) },
        "locations": [{
            "physicalLocation": { "artifactLocation": { "uri": uri(target) } },
            "logicalLocations": [{ "fullyQualifiedName": place }],
        }],
        "partialFingerprints": { "rule/subject": format!("{}/{place}", finding.id) },
    })
}

fn level(severity: Severity) -> &'static str {
    // The words are the same, and the format's own.
    severity.as_str()
}

/// A reference to what was looked at (RFC 3986): its URL, or its name or path with what a reference cannot have encoded.
fn uri(target: &str) -> String {
    if let Ok(url) = url::Url::parse(target)
        && matches!(url.scheme(), "http" | "https")
    {
        return url.to_string();
    }
    let segments = target.split('/').map(|segment| {
        let encoded: String = url::form_urlencoded::byte_serialize(segment.as_bytes()).collect();
        encoded.replace('+', "%20")
    });
    segments.collect::<Vec<_>>().join("/")
}
