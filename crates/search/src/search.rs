//! Who is asked, when, and for how long.
//!
//! Engines that had to be set up are asked first, all at once. If they have results enough, that is all; if not, every
//! other engine is asked, all at once as well. Each engine is asked for one page after the other, and each page has its
//! time; the whole search has its own. When two indexes have said all they have and it is enough, the others get a
//! moment of grace. Nothing is spawned but the reading of pages: dropping the future ends all requests.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use pymcp_egress::Request;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::config::{Config, InvalidConfig};
use crate::door::Door;
use crate::engine::{Blocked, Hits};
use crate::outcome::{Outcome, Report, Status};
use crate::query::Query;
use crate::rank::{self, Entry, List};
use crate::setup::{self, Asked, Ready};
use crate::state::{Denied, Went};

/// Indexes that have to agree that there is enough before the others are not waited for.
const QUORUM: usize = 2;

/// The search. Cheap to clone; clones share what is remembered of the engines.
#[derive(Clone)]
pub struct Search(Arc<Inner>);

struct Inner {
    engines: Vec<Asked>,
    hosts: BTreeSet<String>,
    door: Door,
    time: Duration,
    engine_time: Duration,
    grace: Duration,
}

impl Search {
    /// A search over the engines that the configuration sets up. Opens no connection.
    ///
    /// # Errors
    /// When something in the configuration cannot be used.
    pub fn new(config: Config) -> Result<Self, InvalidConfig> {
        let Ready { engines, hosts } = setup::engines(&config)?;
        let door = Door::new(&config, &hosts);
        Ok(Self(Arc::new(Inner {
            engines,
            hosts,
            door,
            time: config.time,
            engine_time: config.engine_time,
            grace: config.grace,
        })))
    }

    /// Every host that may be talked to: no other one ever is.
    pub fn hosts(&self) -> &BTreeSet<String> {
        &self.0.hosts
    }

    /// The engines that are set up, in their order.
    pub fn engines(&self) -> impl Iterator<Item = &'static str> {
        self.0.engines.iter().map(|asked| asked.name)
    }

    /// Searches. `heard` is called for each engine as soon as nothing more is expected of it. Dropping the future ends
    /// all requests at once.
    pub async fn search(&self, query: &Query, heard: impl FnMut(&Report) + Send) -> Outcome {
        let inner = &*self.0;
        // Kept out here, so that what was said is not lost with a request that is given up.
        let said: Vec<Mutex<Said>> = inner.engines.iter().map(|_| Mutex::default()).collect();
        let started = Instant::now();
        let mut run = Run {
            inner,
            query,
            started,
            deadline: started + inner.time,
            said: &said,
            reports: inner.engines.iter().map(|_| None).collect(),
            heard,
        };
        for keyed in [true, false] {
            if !run.has_enough(|_| true) {
                run.ask(keyed).await;
            }
        }
        run.outcome()
    }
}

/// What an engine has said so far.
#[derive(Debug, Default)]
struct Said {
    entries: Vec<Entry>,
    pages: u32,
}

fn lock(said: &Mutex<Said>) -> MutexGuard<'_, Said> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How an engine's part in a search ends.
#[derive(Debug)]
struct End {
    status: Status,
    note: Option<String>,
}

impl End {
    fn new(status: Status, note: &str) -> Self {
        Self {
            status,
            note: Some(note.to_owned()),
        }
    }

    /// One that came with this page: the first says nothing of pages.
    fn at(mut self, page: u32) -> Self {
        if page > 1 {
            self.note = self.note.map(|note| format!("Page {page}: {note}"));
        }
        self
    }

    fn not_needed() -> Self {
        Self::new(Status::NotNeeded, "Others had results enough.")
    }
}

/// One search.
struct Run<'a, F> {
    inner: &'a Inner,
    query: &'a Query,
    started: Instant,
    deadline: Instant,
    said: &'a [Mutex<Said>],
    reports: Vec<Option<Report>>,
    heard: F,
}

impl<F: FnMut(&Report) + Send> Run<'_, F> {
    /// Asks all engines that are, or are not, keyed, and returns when nothing more is expected of them.
    async fn ask(&mut self, keyed: bool) {
        let (inner, query, deadline, said) = (self.inner, self.query, self.deadline, self.said);
        let mut open: BTreeSet<usize> = (0..inner.engines.len())
            .filter(|at| inner.engines[*at].keyed == keyed)
            .collect();
        let mut answers: FuturesUnordered<_> = open
            .iter()
            .map(|&at| async move {
                let end = ask(inner, &inner.engines[at], query, deadline, &said[at]).await;
                (at, end)
            })
            .collect();
        let mut patience = pin!(sleep_until(deadline));
        let mut enough = false;
        loop {
            tokio::select! {
                biased;
                answer = answers.next() => {
                    let Some((at, end)) = answer else { return };
                    open.remove(&at);
                    self.report(at, end);
                    if !enough && self.is_settled() {
                        enough = true;
                        patience.as_mut().reset(deadline.min(Instant::now() + inner.grace));
                    }
                }
                () = &mut patience => break,
            }
        }
        drop(answers);
        for at in open {
            let end = match enough {
                true => End::not_needed(),
                false => End::new(Status::TimedOut, "The time for the whole search was up."),
            };
            self.report(at, end);
        }
    }

    /// Whether the engines that have said all they have are enough.
    fn is_settled(&self) -> bool {
        let is_done = |at: usize| {
            let report = self.reports[at].as_ref();
            report.is_some_and(|report| report.status == Status::Found)
        };
        let done = (0..self.reports.len()).filter(|at| is_done(*at));
        let indexes: BTreeSet<_> = done.map(|at| self.inner.engines[at].index).collect();
        indexes.len() >= QUORUM && self.has_enough(is_done)
    }

    /// Whether those engines together have as many results as are wanted.
    fn has_enough(&self, which: impl Fn(usize) -> bool) -> bool {
        let counted = (0..self.said.len()).filter(|at| which(*at));
        let said: Vec<_> = counted.map(|at| lock(&self.said[at])).collect();
        rank::distinct(said.iter().map(|said| &said.entries[..])) >= self.query.max_results()
    }

    fn report(&mut self, at: usize, end: End) {
        let said = lock(&self.said[at]);
        let report = Report {
            engine: self.inner.engines[at].name,
            // What it said before it was given up counts.
            status: match said.entries.is_empty() {
                true => end.status,
                false => Status::Found,
            },
            results: said.entries.len(),
            pages: said.pages,
            time: self.started.elapsed(),
            note: end.note,
        };
        drop(said);
        (self.heard)(&report);
        self.reports[at] = Some(report);
    }

    fn outcome(mut self) -> Outcome {
        for at in 0..self.reports.len() {
            if self.reports[at].is_none() {
                self.report(at, End::not_needed());
            }
        }
        let said: Vec<_> = self.said.iter().map(lock).collect();
        let lists: Vec<_> = self
            .inner
            .engines
            .iter()
            .zip(&said)
            .map(|(asked, said)| List {
                engine: asked.name,
                index: asked.index,
                entries: &said.entries,
            })
            .collect();
        Outcome {
            results: rank::fuse(&lists, self.query.text(), self.query.max_results()),
            engines: self.reports.into_iter().flatten().collect(),
        }
    }
}

/// Asks one engine for one page after the other, and keeps in `said` what it says.
async fn ask(
    inner: &Inner,
    asked: &Asked,
    query: &Query,
    deadline: Instant,
    said: &Mutex<Said>,
) -> End {
    for page in 1..=query.pages() {
        let left = deadline.saturating_duration_since(Instant::now());
        let turn = match asked.memory.turn(left.min(inner.engine_time)) {
            Ok(turn) => turn,
            Err(denied) => return not_asked(denied).at(page),
        };
        sleep(turn.wait).await;
        let until = Instant::now() + inner.engine_time;
        let answer = read_page(inner, asked, asked.engine.request(query, page));
        let answer = match timeout_at(until.min(deadline), answer).await {
            Ok(answer) => answer,
            // Then its time was cut short, and whether it would have answered is not known.
            Err(_) if until > deadline => return out_of_time().at(page),
            Err(_) => Err((out_of_time(), Went::Wrong)),
        };
        let (entries, more) = match answer {
            Ok(answer) => {
                turn.went(Went::Well);
                answer
            }
            Err((end, went)) => {
                turn.went(went);
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
    // A word on results, if there are any, is given where they are counted.
    End {
        status: Status::Nothing,
        note: None,
    }
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
        Ok((hits.iter().filter_map(Entry::new).collect(), more))
    });
    match reading.await {
        Ok(Ok(page)) => Ok(page),
        Ok(Err(blocked)) => {
            tracing::debug!(engine = asked.name, ?blocked, "no hits");
            Err(no_hits(&blocked))
        }
        Err(_) => {
            tracing::error!(engine = asked.name, "a page could not be read: a bug");
            Err((failed("Its answer could not be read."), Went::Wrong))
        }
    }
}

fn failed(note: &str) -> End {
    End::new(Status::Failed, note)
}

fn out_of_time() -> End {
    End::new(Status::TimedOut, "It did not answer in time.")
}

fn not_asked(denied: Denied) -> End {
    match denied {
        Denied::Resting => End::new(
            Status::Resting,
            "It blocked or failed a moment ago and is left alone for a while.",
        ),
        Denied::Busy => End::new(Status::Busy, "It is asked as often as is polite already."),
    }
}

fn no_response(error: &pymcp_egress::Error) -> (End, Went) {
    let end = match error {
        pymcp_egress::Error::TimedOut => out_of_time(),
        error => {
            let mut note = error.to_string();
            note.push('.');
            failed(&note)
        }
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
        Blocked::Refused { why } => {
            let note = format!("It refuses: {why}.");
            (End::new(Status::Refused, &note), Went::Blocked(None))
        }
        Blocked::Failed { status } => {
            let note = format!("It has a problem of its own (status {status}).");
            (failed(&note), Went::Wrong)
        }
        Blocked::Trouble => (
            failed("It says that it has a problem of its own."),
            Went::Wrong,
        ),
        Blocked::Unrecognised => (
            failed("Its answer is no page of results that is known; it may have changed."),
            Went::Wrong,
        ),
        Blocked::TooComplex => (
            failed("Its answer is more complex than a page of results."),
            Went::Wrong,
        ),
    }
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
