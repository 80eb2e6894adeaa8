//! What a search found, and what each engine had to say.

use std::time::Duration;

/// What a search found, and what each engine had to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Best first, each address once.
    pub results: Vec<Found>,
    /// One for each engine that is set up, in their order.
    pub engines: Vec<Report>,
}

impl Outcome {
    /// Whether at least one engine answered, be it that there is nothing.
    pub fn is_answer(&self) -> bool {
        self.engines
            .iter()
            .any(|report| matches!(report.status, Status::Found | Status::Nothing))
    }
}

/// One result. Its texts are those of strangers, without anything that cannot be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The title of the page; 300 characters at most.
    pub title: String,
    /// Its address, `http:` or `https:`; 2,048 characters at most.
    pub href: String,
    /// What an engine shows of it; 1,000 characters at most, may be empty.
    pub body: String,
    /// The engines that found it.
    pub engines: Vec<&'static str>,
}

/// What became of one engine in one search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its name.
    pub engine: &'static str,
    /// What became of it.
    pub status: Status,
    /// Results of all its pages, before duplicates are joined.
    pub results: usize,
    /// Pages that it answered.
    pub pages: u32,
    /// From the start of the search to its last word.
    pub time: Duration,
    /// A sentence for whoever wonders, unless all went well. Nothing of a page is in it.
    pub note: Option<String>,
    /// For an engine that rests: what became of it when it was asked.
    pub cause: Option<Status>,
}

/// What became of one engine in one search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It has results.
    Found,
    /// It answered that there are none.
    Nothing,
    /// It refuses programs, wants proof of being human, or says that it was asked too often.
    Blocked,
    /// It does not take the key, or is not set up to answer programs.
    Refused,
    /// It did not answer in time.
    TimedOut,
    /// No connection to it can be made, or none that can be trusted.
    Unreachable,
    /// It answered with something that is no page of results.
    Failed,
    /// It was not asked, because it did not answer a moment ago.
    Resting,
    /// It was not asked, because it is asked as often as is polite.
    Busy,
    /// It was not asked or not waited for, because others had results enough.
    NotNeeded,
}

impl Status {
    /// All of them, in their order.
    pub const ALL: [Self; 10] = [
        Self::Found,
        Self::Nothing,
        Self::Blocked,
        Self::Refused,
        Self::TimedOut,
        Self::Unreachable,
        Self::Failed,
        Self::Resting,
        Self::Busy,
        Self::NotNeeded,
    ];

    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Nothing => "nothing",
            Self::Blocked => "blocked",
            Self::Refused => "refused",
            Self::TimedOut => "timed out",
            Self::Unreachable => "unreachable",
            Self::Failed => "failed",
            Self::Resting => "resting",
            Self::Busy => "busy",
            Self::NotNeeded => "not needed",
        }
    }
}
