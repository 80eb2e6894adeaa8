//! What a check finds: which rule is broken, where, and what is there.

use std::borrow::Cow;

use pymcp_kit::telemetry;
use serde::Serialize;

pub(crate) use crate::checked::Severity;
use crate::output::visible;

/// Bytes of a text of the server that a finding repeats.
const MAX_QUOTE: usize = 200;

/// Findings of one rule that are kept; the next ones are counted.
const MAX_OF_A_RULE: usize = 20;

/// Something that a server, or this machine, should keep to. Every rule is a constant beside the check that looks for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Its name for programs: words with dashes. It never changes its meaning.
    pub(crate) id: &'static str,
    pub(crate) severity: Severity,
    /// What is wrong, in a few words.
    pub(crate) about: &'static str,
    /// Which clients it breaks, and how, with a public reference where there is one.
    pub(crate) breaks: &'static str,
    /// What to do.
    pub(crate) mend: &'static str,
}

/// A rule that is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// Of the rule.
    pub(crate) id: Cow<'static, str>,
    pub(crate) severity: Severity,
    /// What it is about: the name of a component, a URL, a setting.
    pub(crate) subject: String,
    /// Where in its definition: a JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<String>,
    /// What was found, in a sentence.
    pub(crate) what: String,
    /// Whom it breaks.
    pub(crate) breaks: Cow<'static, str>,
    /// What to do about it.
    pub(crate) mend: Cow<'static, str>,
}

/// The findings of a run.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    /// Adds one: `what` is a sentence, and may hold what a server said.
    pub(crate) fn add(&mut self, rule: &Rule, subject: impl Into<String>, what: impl Into<String>) {
        self.add_of(rule, subject.into(), None, what.into());
    }

    /// The same about a place, named by its pointer.
    pub(crate) fn add_at(&mut self, rule: &Rule, subject: String, at: String, what: String) {
        self.add_of(rule, subject, Some(at), what);
    }

    fn add_of(&mut self, rule: &Rule, subject: String, at: Option<String>, what: String) {
        let of_rule = self.0.iter().filter(|finding| finding.id == rule.id);
        match of_rule.count() {
            MAX_OF_A_RULE.. => {}
            number => {
                let what = match number + 1 {
                    MAX_OF_A_RULE => "There are more of these, which are not listed.".to_owned(),
                    _ => what,
                };
                self.push(Finding {
                    id: Cow::Borrowed(rule.id),
                    severity: rule.severity,
                    subject,
                    at,
                    what,
                    breaks: Cow::Borrowed(rule.breaks),
                    mend: Cow::Borrowed(rule.mend),
                });
            }
        }
    }

    /// Adds one of any rule.
    pub(crate) fn push(&mut self, finding: Finding) {
        let shown = |text: &str| visible(text).into_owned();
        self.0.push(Finding {
            subject: shown(&finding.subject),
            what: shown(&finding.what),
            at: finding.at.as_deref().map(shown),
            ..finding
        });
    }

    /// All of them, the worst first; those of one rule stay in their order.
    pub(crate) fn sorted(mut self) -> Vec<Finding> {
        self.0.sort_by_key(|finding| finding.severity);
        self.0
    }

    #[cfg(test)]
    pub(crate) fn ids(&self) -> std::collections::BTreeSet<&str> {
        self.0.iter().map(|finding| &*finding.id).collect()
    }
}

/// A text of a server within quotes, cut off where it is long.
pub(crate) fn quoted(text: &str) -> String {
    let text = text.trim();
    let mut end = text.len().min(MAX_QUOTE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let more = if end < text.len() { "…" } else { "" };
    format!("'{}{more}'", text[..end].replace('\n', "\\n"))
}

/// Says what is under way, where a person waits for it.
pub(crate) fn progress(program: &str, what: &str) {
    use std::io::IsTerminal as _;
    if std::io::stderr().is_terminal() {
        telemetry::say(&format!("{program}: {}…", visible(what)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule {
        id: "a-rule",
        severity: Severity::Warning,
        about: "About.",
        breaks: "Nobody.",
        mend: "Nothing.",
    };

    #[test]
    fn findings_of_a_rule_are_bounded_and_what_a_server_says_is_shown() {
        let mut findings = Findings::default();
        for number in 0..100 {
            findings.add(&RULE, format!("{number}\u{1b}[2J"), "x\u{202e}");
        }
        let findings = findings.sorted();
        assert_eq!(findings.len(), MAX_OF_A_RULE);
        assert_eq!(findings[0].subject, "0\\u{1b}[2J");
        assert_eq!(findings[0].what, "x\\u{202e}");
        assert!(
            findings[MAX_OF_A_RULE - 1]
                .what
                .starts_with("There are more")
        );
    }

    #[test]
    fn a_quote_is_short_and_one_line() {
        assert_eq!(quoted(" a\nb "), "'a\\nb'");
        let long = quoted(&"ä".repeat(200));
        assert!(
            long.ends_with("…'") && long.len() <= MAX_QUOTE + 5,
            "{long}"
        );
    }
}
