//! Asking one engine, and what its answer means.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pymcp_egress::{Error, Request};
use tokio::time::{Instant, timeout_at};

use crate::engine::{Blocked, Hits};
use crate::outcome::Status;
use crate::query::Query;
use crate::rank::{self, Entry};
use crate::search::Inner;
use crate::setup::Asked;
use crate::state::{Denied, Went};

/// What an engine has said so far.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) entries: Vec<Entry>,
    pub(crate) pages: u32,
}

pub(crate) fn lock(said: &Mutex<Said>) -> MutexGuard<'_, Said> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How an engine's part in a search ends.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) status: Status,
    pub(crate) note: Option<String>,
    /// For one that rests: what became of it before.
    pub(crate) cause: Option<Status>,
}

impl End {
    fn new(status: Status, note: impl Into<String>) -> Self {
        Self {
            status,
            note: Some(note.into()),
            cause: None,
        }
    }

    pub(crate) fn not_needed() -> Self {
        Self::new(Status::NotNeeded, "Others had results enough.")
    }

    pub(crate) fn out_of_time() -> Self {
        Self::new(Status::TimedOut, "It did not answer in time.")
    }

    fn failed(note: impl Into<String>) -> Self {
        Self::new(Status::Failed, note)
    }

    /// All pages were answered. A word on results is given where they are counted.
    fn of_pages() -> Self {
        Self {
            status: Status::Nothing,
            note: None,
            cause: None,
        }
    }

    /// One that came with this page: the first says nothing of pages.
    fn at(mut self, page: u32) -> Self {
        if page > 1 {
            self.note = self.note.map(|note| format!("Page {page}: {note}"));
        }
        self
    }
}

/// Asks one engine for one page after the other, each when it is the caller's turn, and keeps in `said` what it says.
pub(crate) async fn ask(
    inner: &Inner,
    asked: &Asked,
    caller: u64,
    query: &Query,
    deadline: Instant,
    said: &Mutex<Said>,
) -> End {
    for page in 1..=query.pages() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return End::new(Status::TimedOut, "There was no time left to ask it.").at(page);
        }
        let patience = left.min(inner.engine_time);
        let turn = match asked.memory.turn(caller, patience).await {
            Ok(turn) => turn,
            Err(denied) => return not_asked(denied).at(page),
        };
        let began = Instant::now();
        let until = deadline.min(began + inner.engine_time);
        let answer = read_page(inner, asked, asked.engine.request(query, page));
        let answer = match timeout_at(until, answer).await {
            Ok(answer) => answer,
            // Whether it would have answered is not known.
            Err(_) if until - began < inner.engine_time / 2 => {
                return End::out_of_time().at(page);
            }
            Err(_) => Err((End::out_of_time(), Went::Wrong)),
        };
        let (entries, more) = match answer {
            Ok(answer) => {
                turn.went(Went::Well, Status::Found);
                answer
            }
            Err((end, went)) => {
                turn.went(went, end.status);
                return end.at(page);
            }
        };
        let mut said = lock(said);
        said.pages = page;
        // Some engines give their last page again and again.
        let news = rank::distinct([&said.entries[..], &entries[..]]);
        let is_new = news > rank::distinct([&said.entries[..]]);
        if is_new {
            said.entries.extend(entries);
        }
        if !is_new || !more {
            break;
        }
    }
    End::of_pages()
}

/// Fetches and reads one page.
async fn read_page(
    inner: &Inner,
    asked: &Asked,
    request: Request,
) -> Result<(Vec<Entry>, bool), (End, Went)> {
    let response = inner.door.send(request).await.map_err(|error| {
        tracing::debug!(engine = asked.name, %error, "no response");
        no_response(&error)
    })?;
    let engine = Arc::clone(&asked.engine);
    // A page can take milliseconds, and a hostile one much longer: nobody else should wait for that.
    let reading = tokio::task::spawn_blocking(move || {
        let Hits { hits, more } = engine.parse(&response)?;
        let entries: Vec<_> = hits.iter().filter_map(Entry::new).collect();
        match entries.is_empty() && !hits.is_empty() {
            // Hits that lead nowhere are none of a page that is known.
            true => Err(Blocked::Unrecognised),
            false => Ok((entries, more)),
        }
    });
    match reading.await {
        Ok(Ok(page)) => Ok(page),
        Ok(Err(blocked)) => {
            tracing::debug!(engine = asked.name, ?blocked, "no hits");
            Err(no_hits(&blocked))
        }
        Err(_) => {
            tracing::error!(engine = asked.name, "a page could not be read: a bug");
            Err((End::failed("Its answer could not be read."), Went::Wrong))
        }
    }
}

fn not_asked(denied: Denied) -> End {
    match denied {
        Denied::Resting(cause) => {
            let became = cause.map_or("failed", Status::name);
            let note = format!("It is left alone for a while, because it was asked and {became}.");
            End {
                cause,
                ..End::new(Status::Resting, note)
            }
        }
        Denied::Busy => End::new(Status::Busy, "It is asked as often as is polite already."),
    }
}

fn no_response(error: &Error) -> (End, Went) {
    let end = match error {
        Error::TimedOut => End::out_of_time(),
        Error::Unresolvable { .. }
        | Error::Unreachable { .. }
        | Error::Tls { .. }
        | Error::PrivateAddress { .. } => End::new(Status::Unreachable, format!("{error}.")),
        // Only a redirect can lead there, and where it leads to is a stranger's text.
        Error::NotAllowed { .. } | Error::Insecure { .. } | Error::Credentials { .. } => {
            let end = End::new(
                Status::Blocked,
                "It sends to another site, perhaps for consent.",
            );
            return (end, Went::Blocked(None));
        }
        Error::Redirects => {
            End::failed("It redirects too often, or to where no redirect may lead.")
        }
        Error::TooLarge { .. } => End::failed("Its answer is larger than any page of results."),
        _ => End::failed("Its answer is not valid HTTP."),
    };
    (end, Went::Wrong)
}

fn no_hits(blocked: &Blocked) -> (End, Went) {
    match blocked {
        Blocked::Challenge => (
            End::new(
                Status::Blocked,
                "It refuses programs or wants proof of being human.",
            ),
            Went::Blocked(None),
        ),
        Blocked::TooOften { retry_after } => (
            End::new(Status::Blocked, "It says that it was asked too often."),
            Went::Blocked(*retry_after),
        ),
        Blocked::Refused { why } => (
            End::new(Status::Refused, format!("It refuses: {why}.")),
            Went::Blocked(None),
        ),
        Blocked::Failed { status } => (
            End::failed(format!("It has a problem of its own (status {status}).")),
            Went::Wrong,
        ),
        Blocked::Trouble => (
            End::failed("It says that it has a problem of its own."),
            Went::Wrong,
        ),
        Blocked::Unrecognised => (
            End::failed("Its answer is no page of results that is known; it may have changed."),
            Went::Wrong,
        ),
        Blocked::TooComplex => (
            End::failed("Its answer is more complex than any page of results."),
            Went::Wrong,
        ),
    }
}
