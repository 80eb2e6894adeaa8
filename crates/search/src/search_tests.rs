//! Searches with engines that are scripted: a page is lines of `url title`, and time is played.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderMap, StatusCode};
use pymcp_egress::{Error, Request, Response};
use tokio::time::sleep;
use url::Url;

use super::*;
use crate::config::Pace;
use crate::engine::{Blocked, Engine, Hit, Hits, Index};
use crate::state::Memory;

const SECOND: Duration = Duration::from_secs(1);

struct Scripted {
    name: &'static str,
}

impl Engine for Scripted {
    fn hosts(&self) -> Vec<String> {
        vec![format!("{}.example", self.name)]
    }

    fn request(&self, _: &Query, page: u32) -> Request {
        Request::get(Url::parse(&format!("https://{}.example/{page}", self.name)).unwrap())
    }

    fn parse(&self, response: &Response) -> Result<Hits, Blocked> {
        let text = std::str::from_utf8(&response.body).unwrap();
        match text {
            "blocked" => return Err(Blocked::Challenge),
            "panic" => panic!("on purpose"),
            _ => {}
        }
        let hits = text.lines().map(|line| Hit {
            title: line.to_owned(),
            url: line.to_owned(),
            body: String::new(),
        });
        Ok(Hits {
            hits: hits.collect(),
            more: true,
        })
    }
}

/// What an engine does when it is asked for a page.
#[derive(Clone)]
enum Does {
    /// Answers after so long.
    Says(Duration, &'static str),
    /// Never answers.
    Hangs,
    /// Cannot be reached.
    Fails,
}

/// What became of the requests.
#[derive(Default)]
struct Seen {
    asked: Mutex<Vec<String>>,
    open: AtomicUsize,
}

impl Seen {
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

struct Open(Arc<Seen>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A search over `engines` (name, index, keyed), and `script` for the pages (`mojeek/1`); pages that are not in it have
/// nothing.
fn search(
    engines: &[(&'static str, Index, bool)],
    script: &[(&'static str, Does)],
) -> (Search, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let script: HashMap<String, Does> = script
        .iter()
        .map(|(page, does)| ((*page).to_owned(), does.clone()))
        .collect();
    let door = {
        let seen = Arc::clone(&seen);
        Door::from_fn(move |request: Request| {
            let page = request.url.as_str().replace("https://", "");
            let page = page.replace(".example", "");
            seen.asked.lock().unwrap().push(page.clone());
            seen.open.fetch_add(1, Ordering::SeqCst);
            let open = Open(Arc::clone(&seen));
            let does = script.get(&page).cloned();
            async move {
                let _open = open;
                let body = match does {
                    Some(Does::Says(after, body)) => {
                        sleep(after).await;
                        body
                    }
                    Some(Does::Hangs) => std::future::pending().await,
                    Some(Does::Fails) => {
                        let host = "x.example".to_owned();
                        return Err(Error::Unreachable { host });
                    }
                    None => "",
                };
                Ok(Response {
                    status: StatusCode::OK,
                    url: request.url,
                    headers: HeaderMap::new(),
                    body: body.into(),
                })
            }
        })
    };
    let engines = engines
        .iter()
        .map(|&(name, index, keyed)| Asked {
            name,
            index,
            keyed,
            engine: Arc::new(Scripted { name }),
            memory: Memory::new(Pace {
                every: Duration::ZERO,
                burst: 1,
            }),
            reports: Default::default(),
        })
        .collect();
    let inner = Inner {
        engines,
        hosts: BTreeSet::new(),
        ports: BTreeSet::new(),
        door,
        time: 10 * SECOND,
        engine_time: 5 * SECOND,
        grace: SECOND / 2,
    };
    (
        Search {
            inner: Arc::new(inner),
            caller: 0,
        },
        seen,
    )
}

fn query(results: usize, pages: u32) -> Query {
    Query::new("words", "uk-en", results, pages).unwrap()
}

fn statuses(outcome: &Outcome) -> Vec<Status> {
    outcome.engines.iter().map(|report| report.status).collect()
}

fn hrefs(outcome: &Outcome) -> Vec<&str> {
    outcome
        .results
        .iter()
        .map(|found| found.href.as_str())
        .collect()
}

const A: &str = "https://a.example/\nhttps://b.example/";
const B: &str = "https://b.example/\nhttps://c.example/";
const C: &str = "https://d.example/";

const WEB: [(&str, Index, bool); 3] = [
    ("mojeek", Index::Mojeek, false),
    ("brave", Index::Brave, false),
    ("yahoo", Index::Bing, false),
];

/// One that had to be set up, and one that had not.
const SET_UP: [(&str, Index, bool); 2] = [
    ("searxng", Index::Mixed, true),
    ("mojeek", Index::Mojeek, false),
];

const ZERO: Duration = Duration::ZERO;

#[tokio::test(start_paused = true)]
async fn what_all_say_becomes_one_list_whatever_comes_first() {
    let mut lists = Vec::new();
    for delays in [[0, 100, 200], [200, 100, 0]] {
        let [a, b, c] = delays.map(Duration::from_millis);
        let (search, _) = search(
            &WEB,
            &[
                ("mojeek/1", Does::Says(a, A)),
                ("brave/1", Does::Says(b, B)),
                ("yahoo/1", Does::Says(c, C)),
            ],
        );
        let mut heard = Vec::new();
        let outcome = search
            .search(&query(10, 1), |report| heard.push(report.engine))
            .await;
        assert_eq!(statuses(&outcome), [Status::Found; 3]);
        assert_eq!(heard.len(), 3);
        let first = if a < c { "mojeek" } else { "yahoo" };
        assert_eq!(heard[0], first);
        lists.push(outcome.results);
    }
    assert_eq!(lists[0], lists[1]);
    assert_eq!(lists[0][0].href, "https://b.example/");
    assert_eq!(lists[0].len(), 4);
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_costs_its_deadline_and_no_more() {
    let (search, seen) = search(
        &WEB,
        &[
            ("mojeek/1", Does::Says(ZERO, A)),
            ("brave/1", Does::Hangs),
            ("yahoo/1", Does::Says(ZERO, C)),
        ],
    );
    let started = Instant::now();
    // More than there are, so that it is waited for.
    let outcome = search.search(&query(100, 1), |_| {}).await;
    assert_eq!(
        statuses(&outcome),
        [Status::Found, Status::TimedOut, Status::Found]
    );
    assert_eq!(started.elapsed().as_secs(), 5);
    assert_eq!(outcome.results.len(), 3);
    assert_eq!(seen.open.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn when_two_indexes_are_enough_the_others_have_a_moment() {
    let (search, _) = search(
        &WEB,
        &[
            ("mojeek/1", Does::Says(ZERO, A)),
            ("brave/1", Does::Hangs),
            ("yahoo/1", Does::Says(SECOND, C)),
        ],
    );
    let started = Instant::now();
    let outcome = search.search(&query(3, 1), |_| {}).await;
    assert_eq!(
        statuses(&outcome),
        [Status::Found, Status::NotNeeded, Status::Found]
    );
    assert_eq!(started.elapsed(), SECOND + SECOND / 2);
    assert_eq!(outcome.results.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn one_index_is_never_enough_to_drop_the_others() {
    let bing = [
        ("duckduckgo", Index::Bing, false),
        ("yahoo", Index::Bing, false),
        ("brave", Index::Brave, false),
    ];
    let (search, _) = search(
        &bing,
        &[
            ("duckduckgo/1", Does::Says(ZERO, A)),
            ("yahoo/1", Does::Says(ZERO, B)),
            ("brave/1", Does::Says(4 * SECOND, C)),
        ],
    );
    let outcome = search.search(&query(1, 1), |_| {}).await;
    assert_eq!(statuses(&outcome), [Status::Found; 3]);
}

#[tokio::test(start_paused = true)]
async fn those_that_were_set_up_are_asked_first_and_may_be_enough() {
    let script = [
        ("searxng/1", Does::Says(SECOND, A)),
        ("mojeek/1", Does::Says(ZERO, C)),
    ];
    let (first, seen) = search(&SET_UP, &script);
    let outcome = first.search(&query(2, 1), |_| {}).await;
    assert_eq!(statuses(&outcome), [Status::Found, Status::NotNeeded]);
    assert_eq!(seen.asked(), ["searxng/1"]);

    let (second, seen) = search(&SET_UP, &script);
    let outcome = second.search(&query(3, 1), |_| {}).await;
    assert_eq!(statuses(&outcome), [Status::Found, Status::Found]);
    assert_eq!(seen.asked(), ["searxng/1", "mojeek/1"]);
    assert_eq!(outcome.results.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn pages_are_asked_for_one_after_the_other_and_end_where_nothing_new_comes() {
    let (search, seen) = search(
        &WEB,
        &[
            ("mojeek/1", Does::Says(ZERO, A)),
            ("mojeek/2", Does::Says(ZERO, B)),
            ("mojeek/3", Does::Says(ZERO, B)),
            ("mojeek/4", Does::Says(ZERO, C)),
            ("brave/1", Does::Says(ZERO, A)),
            ("brave/2", Does::Fails),
        ],
    );
    let outcome = search.search(&query(100, 5), |_| {}).await;
    let pages: Vec<_> = outcome.engines.iter().map(|report| report.pages).collect();
    assert_eq!(pages, [3, 1, 1]);
    assert_eq!(
        statuses(&outcome),
        [Status::Found, Status::Found, Status::Nothing]
    );
    let note = outcome.engines[1].note.as_deref();
    assert_eq!(note, Some("Page 2: x.example cannot be reached."));
    assert_eq!(outcome.results.len(), 3);
    let mut asked = seen.asked();
    asked.sort();
    assert_eq!(
        asked,
        [
            "brave/1", "brave/2", "mojeek/1", "mojeek/2", "mojeek/3", "yahoo/1"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_came_before_the_time_was_up_counts() {
    let (search, _) = search(
        &WEB[..1],
        &[
            ("mojeek/1", Does::Says(4 * SECOND, A)),
            ("mojeek/2", Does::Says(4 * SECOND, B)),
            ("mojeek/3", Does::Hangs),
        ],
    );
    let started = Instant::now();
    let outcome = search.search(&query(100, 9), |_| {}).await;
    assert_eq!(started.elapsed(), 10 * SECOND);
    assert_eq!(statuses(&outcome), [Status::Found]);
    assert_eq!(outcome.engines[0].pages, 2);
    assert!(outcome.engines[0].note.is_some());
    assert_eq!(outcome.results.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_search_ends_its_requests() {
    let hangs = [
        ("mojeek/1", Does::Hangs),
        ("brave/1", Does::Hangs),
        ("yahoo/1", Does::Hangs),
    ];
    let (search, seen) = search(&WEB, &hangs);
    let query = query(1, 1);
    let asking = search.search(&query, |_| {});
    assert!(tokio::time::timeout(SECOND, asking).await.is_err());
    assert_eq!(seen.asked().len(), 3);
    assert_eq!(seen.open.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn who_blocks_is_not_asked_again_for_a_while() {
    let blocked = [
        ("mojeek/1", Does::Says(ZERO, "blocked")),
        ("brave/1", Does::Says(ZERO, "blocked")),
        ("yahoo/1", Does::Says(ZERO, "blocked")),
    ];
    let (search, seen) = search(&WEB, &blocked);
    let first = search.search(&query(1, 1), |_| {}).await;
    assert_eq!(statuses(&first), [Status::Blocked; 3]);
    assert!(!first.is_answer());
    let second = search.search(&query(1, 1), |_| {}).await;
    assert_eq!(statuses(&second), [Status::Resting; 3]);
    assert_eq!(second.engines[0].cause, Some(Status::Blocked));
    assert_eq!(seen.asked().len(), 3);
    sleep(60 * SECOND).await;
    search.search(&query(1, 1), |_| {}).await;
    assert_eq!(seen.asked().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_an_answer_and_a_failure_is_none() {
    let (search, _) = search(
        &WEB,
        &[
            ("brave/1", Does::Fails),
            ("yahoo/1", Does::Says(ZERO, "panic")),
        ],
    );
    let outcome = search.search(&query(1, 1), |_| {}).await;
    assert_eq!(
        statuses(&outcome),
        [Status::Nothing, Status::Unreachable, Status::Failed]
    );
    assert!(outcome.is_answer());
    assert!(hrefs(&outcome).is_empty());
}

#[tokio::test(start_paused = true)]
async fn those_that_were_set_up_leave_time_for_the_others() {
    let script = [
        ("searxng/1", Does::Says(3 * SECOND, A)),
        ("searxng/2", Does::Hangs),
        ("mojeek/1", Does::Says(4 * SECOND, C)),
    ];
    let (search, _) = search(&SET_UP, &script);
    let started = Instant::now();
    let outcome = search.search(&query(100, 2), |_| {}).await;
    assert_eq!(statuses(&outcome), [Status::Found, Status::Found]);
    assert_eq!(outcome.results.len(), 3);
    assert_eq!(started.elapsed(), 9 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn hits_that_lead_nowhere_are_not_nothing() {
    let (search, _) = search(&WEB[..1], &[("mojeek/1", Does::Says(ZERO, "magnet:?x"))]);
    let outcome = search.search(&query(1, 1), |_| {}).await;
    assert_eq!(statuses(&outcome), [Status::Failed]);
    assert!(!outcome.is_answer());
}

#[tokio::test(start_paused = true)]
async fn a_search_without_end_of_hanging_engines_leaves_them_alone_in_the_end() {
    let (search, seen) = search(&WEB[..1], &[("mojeek/1", Does::Hangs)]);
    for _ in 0..3 {
        let outcome = search.search(&query(1, 1), |_| {}).await;
        assert_eq!(statuses(&outcome), [Status::TimedOut]);
    }
    let outcome = search.search(&query(1, 1), |_| {}).await;
    assert_eq!(statuses(&outcome), [Status::Resting]);
    assert_eq!(outcome.engines[0].cause, Some(Status::TimedOut));
    assert_eq!(seen.asked().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_becomes_of_each_engine_is_counted() {
    let (search, _) = search(
        &WEB,
        &[
            ("mojeek/1", Does::Says(SECOND, A)),
            ("brave/1", Does::Fails),
            ("yahoo/1", Does::Hangs),
        ],
    );
    search.of(7).search(&query(10, 1), |_| {}).await;
    let counted: Vec<_> = search
        .reports()
        .filter(|(.., count)| *count > 0)
        .map(|(engine, status, count)| (engine, status.name(), count))
        .collect();
    assert_eq!(
        counted,
        [
            ("mojeek", "found", 1),
            ("brave", "unreachable", 1),
            ("yahoo", "timed out", 1)
        ]
    );
}
