//! Who is asked, when, and for how long.
//!
//! Engines that had to be set up are asked first, all at once, for half of the time. If they have results enough, that
//! is all; if not, every other engine is asked, all at once as well. Each engine is asked for one page after the other,
//! and each page has its time (`ask`); the whole search has its own. When two indexes have said all they have and it is
//! enough, the others get a moment of grace. Nothing is spawned but the reading of pages: dropping the future ends all
//! requests.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use crate::ask::{End, Said, ask, lock};
use crate::config::{Config, InvalidConfig};
use crate::door::Door;
use crate::outcome::{Outcome, Report, Status};
use crate::query::Query;
use crate::rank::{self, List};
use crate::setup::{self, Asked, Ready};

/// Indexes that have to have answered before the others are not waited for.
const QUORUM: usize = 2;

/// The search. Cheap to clone; clones share what is remembered of the engines.
#[derive(Clone)]
pub struct Search {
    inner: Arc<Inner>,
    caller: u64,
}

pub(crate) struct Inner {
    engines: Vec<Asked>,
    hosts: BTreeSet<String>,
    ports: BTreeSet<u16>,
    pub(crate) door: Door,
    time: Duration,
    pub(crate) engine_time: Duration,
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
        let inner = Inner {
            engines,
            hosts,
            ports: setup::ports(&config),
            door,
            time: config.time,
            engine_time: config.engine_time,
            grace: config.grace,
        };
        Ok(Self {
            inner: Arc::new(inner),
            caller: 0,
        })
    }

    /// The same search for one caller, by any number that is this caller's alone, such as a keyed hash. Callers take
    /// turns where an engine may not be asked more often.
    #[must_use]
    pub fn of(&self, caller: u64) -> Self {
        let inner = Arc::clone(&self.inner);
        Self { inner, caller }
    }

    /// Every host that may be talked to: no other one ever is.
    pub fn hosts(&self) -> &BTreeSet<String> {
        &self.inner.hosts
    }

    /// The TCP ports at which they, or the proxy, are connected to, beside 443 and 80.
    pub fn ports(&self) -> &BTreeSet<u16> {
        &self.inner.ports
    }

    /// The engines that are set up, in their order.
    pub fn engines(&self) -> impl Iterator<Item = &'static str> {
        self.inner.engines.iter().map(|asked| asked.name)
    }

    /// What became of each engine in the searches so far: its name, and how often it was that. For metrics.
    pub fn reports(&self) -> impl Iterator<Item = (&'static str, Status, u64)> {
        self.inner.engines.iter().flat_map(|asked| {
            let count = |status| asked.reports[status as usize].load(Ordering::Relaxed);
            Status::ALL.map(|status| (asked.name, status, count(status)))
        })
    }

    /// What became of the requests so far: see [`Egress::requests`](pymcp_egress::Egress::requests).
    pub fn requests(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.inner.door.requests()
    }

    /// Searches. `heard` is called for each engine as soon as nothing more is expected of it. Dropping the future ends
    /// all requests at once.
    pub async fn search(&self, query: &Query, heard: impl FnMut(&Report) + Send) -> Outcome {
        let inner = &*self.inner;
        // Kept out here, so that what was said is not lost with a request that is given up.
        let said: Vec<Mutex<Said>> = inner.engines.iter().map(|_| Mutex::default()).collect();
        let started = Instant::now();
        let mut run = Run {
            inner,
            caller: self.caller,
            query,
            started,
            said: &said,
            reports: inner.engines.iter().map(|_| None).collect(),
            heard,
        };
        // Those that were set up must not use up the time of the others.
        let half = match inner.engines.iter().all(|asked| asked.keyed) {
            true => inner.time,
            false => inner.time / 2,
        };
        for (keyed, time) in [(true, half), (false, inner.time)] {
            if !run.has_enough(|_| true) {
                run.ask(keyed, started + time).await;
            }
        }
        run.outcome()
    }
}

/// One search.
struct Run<'a, F> {
    inner: &'a Inner,
    caller: u64,
    query: &'a Query,
    started: Instant,
    said: &'a [Mutex<Said>],
    reports: Vec<Option<Report>>,
    heard: F,
}

impl<F: FnMut(&Report) + Send> Run<'_, F> {
    /// Asks all engines that are, or are not, keyed, and returns when nothing more is expected of them.
    async fn ask(&mut self, keyed: bool, deadline: Instant) {
        let (inner, caller, query, said) = (self.inner, self.caller, self.query, self.said);
        let mut open: BTreeSet<usize> = (0..inner.engines.len())
            .filter(|at| inner.engines[*at].keyed == keyed)
            .collect();
        let mut answers: FuturesUnordered<_> = open
            .iter()
            .map(|&at| async move {
                let asked = &inner.engines[at];
                let end = ask(inner, asked, caller, query, deadline, &said[at]).await;
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
                false => End::out_of_time(),
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
            cause: end.cause,
        };
        drop(said);
        self.inner.engines[at].reports[report.status as usize].fetch_add(1, Ordering::Relaxed);
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

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
