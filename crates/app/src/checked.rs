//! What a check of an author's own found, for `doctor`.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Some client cannot use the server, or a part of it; or somebody can who must not.
    Error,
    /// Some client, or some user of it, is worse off.
    Warning,
    /// Good to know.
    Note,
}

impl Severity {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// What a check found: facts, and problems with their mends. [`Prepared::check`](crate::Prepared::check) takes it.
///
/// ```
/// use pymcp_app::Checked;
///
/// let stock = std::path::Path::new("/var/lib/stock");
/// let checked = match stock.exists() {
///     true => Checked::new().fact("Stock", stock.display().to_string()),
///     false => Checked::new().error("There is no /var/lib/stock.", "Make the folder."),
/// };
/// # drop(checked);
/// ```
#[derive(Debug, Default)]
#[must_use = "it says what was found"]
pub struct Checked {
    pub(crate) facts: Vec<(String, String)>,
    pub(crate) problems: Vec<Problem>,
}

#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) severity: Severity,
    pub(crate) what: String,
    pub(crate) mend: String,
}

impl Checked {
    /// Nothing was found.
    pub fn new() -> Self {
        Self::default()
    }

    /// Something to know: a name in a word or two, and what it is.
    pub fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((name.into(), value.into()));
        self
    }

    /// Something does not work: a sentence, and one that says what to do. The exit code is 1.
    pub fn error(self, what: impl Into<String>, mend: impl Into<String>) -> Self {
        self.problem(Severity::Error, what, mend)
    }

    /// Something works less well than it could. The exit code is 1 only with `--strict`.
    pub fn warning(self, what: impl Into<String>, mend: impl Into<String>) -> Self {
        self.problem(Severity::Warning, what, mend)
    }

    /// Something is good to know, and can be mended.
    pub fn note(self, what: impl Into<String>, mend: impl Into<String>) -> Self {
        self.problem(Severity::Note, what, mend)
    }

    fn problem(
        mut self,
        severity: Severity,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        let (what, mend) = (what.into(), mend.into());
        self.problems.push(Problem {
            severity,
            what,
            mend,
        });
        self
    }
}
