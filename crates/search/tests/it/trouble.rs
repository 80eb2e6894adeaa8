//! Engines that do not answer, or with something else.

use std::time::{Duration, Instant};

use pymcp_egress::testing::{Loopback, Page, Reply};
use pymcp_search::testing::{self as site, ENGINES, KEYLESS};
use pymcp_search::{Search, Status};

use crate::support::{ENGINE_TIME, config, hasty, only, query, report, run, statuses};

/// What the sockets of both sides may hold besides what was read.
const SOCKETS: usize = 16 << 20;

/// Every engine alone with the same reply, and what becomes of it.
async fn each(reply: impl Fn(&str) -> Reply + Send + Sync + 'static, expected: Status) -> Loopback {
    let server = site::start(move |asked| Some(reply(asked.engine))).await;
    for engine in ENGINES {
        let outcome = run(&only(&server, &[engine]), &query(10, 3)).await;
        assert_eq!(statuses(&outcome), [(engine, expected)], "{outcome:?}");
        assert!(outcome.results.is_empty(), "{engine}");
        let note = report(&outcome, engine).note.as_deref().unwrap_or_default();
        assert!(
            note.ends_with('.') && !note.contains("//"),
            "{engine}: {note}"
        );
    }
    server
}

#[tokio::test]
async fn who_refuses_programs_is_blocked_and_never_empty() {
    let server = site::start(|asked| Some(site::refusal(asked.engine))).await;
    let outcome = run(&Search::new(config(&server)).unwrap(), &query(10, 1)).await;
    assert!(!outcome.is_answer());
    for (engine, status) in statuses(&outcome) {
        let expected = match engine {
            "brave_api" | "searxng" => Status::Refused,
            _ => Status::Blocked,
        };
        assert_eq!(status, expected, "{engine}");
    }
}

#[tokio::test]
async fn who_is_asked_too_often_says_so() {
    each(|_| Reply::status(429), Status::Blocked).await;
}

#[tokio::test]
async fn problems_of_their_own_are_failures() {
    for status in [500, 502, 503] {
        each(move |_| Reply::status(status), Status::Failed).await;
    }
}

#[tokio::test]
async fn what_is_no_page_of_results_is_a_failure_and_not_nothing() {
    for body in [
        "",
        "<!DOCTYPE html><html><body><h1>Welcome</h1><p>We have changed.</p></body></html>",
        "{}",
        "[]",
        "null",
        "{\"results\": 5}",
        "\u{0}\u{1}\u{2}",
    ] {
        let server = site::start(move |_| Some(Reply::ok(body))).await;
        for engine in ENGINES {
            let outcome = run(&only(&server, &[engine]), &query(10, 1)).await;
            assert!(!outcome.is_answer(), "{engine}: {body}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn who_hangs_costs_its_deadline() {
    let server = site::start(|_| Some(Reply::Hang)).await;
    let started = Instant::now();
    let search = hasty(&server, &KEYLESS);
    let outcome = run(&search, &query(10, 1)).await;
    let took = started.elapsed();
    for (engine, status) in statuses(&outcome) {
        assert_eq!(status, Status::TimedOut, "{engine}");
    }
    // All at once, so all of them cost what one does.
    assert!(took >= ENGINE_TIME && took < 2 * ENGINE_TIME, "{took:?}");
    assert_eq!(server.closed().await.opened, 5);
}

#[tokio::test]
async fn one_that_hangs_keeps_no_results_back() {
    let server = site::start(|asked| (asked.engine == "brave").then_some(Reply::Hang)).await;
    let started = Instant::now();
    let outcome = run(&hasty(&server, &["mojeek", "brave"]), &query(100, 1)).await;
    assert!(started.elapsed() < 2 * ENGINE_TIME);
    assert_eq!(
        statuses(&outcome),
        [("mojeek", Status::Found), ("brave", Status::TimedOut)]
    );
    assert_eq!(outcome.results.len(), 10);
}

#[tokio::test]
async fn who_drips_costs_its_deadline() {
    let server = site::start(|asked| {
        let Reply::Whole(page) = site::page(asked.engine, &site::entries(asked.engine, 1), false)
        else {
            unreachable!("pages are whole");
        };
        let pause = Duration::from_millis(100);
        Some(match asked.engine {
            "mojeek" => Reply::DripHead(page, pause),
            _ => Reply::Drip(page, pause),
        })
    })
    .await;
    let started = Instant::now();
    let search = hasty(&server, &["duckduckgo", "mojeek", "wikipedia"]);
    let outcome = run(&search, &query(10, 1)).await;
    assert!(started.elapsed() < 2 * ENGINE_TIME);
    for (engine, status) in statuses(&outcome) {
        assert_eq!(status, Status::TimedOut, "{engine}");
    }
    server.closed().await;
}

#[tokio::test]
async fn what_is_huge_is_read_up_to_the_limit() {
    let server = each(
        |_| Reply::Endless(Page::new("<html><body>"), b"<div>more</div>".repeat(4096)),
        Status::Failed,
    )
    .await;
    let counts = server.closed().await;
    let limit = ENGINES.len() * ((2 << 20) + SOCKETS);
    assert!(counts.sent < limit, "{} bytes", counts.sent);

    let announced = Page::new("<html>").header("X-Padding", "x".repeat(1000));
    each(
        move |_| Reply::Cut(announced.clone(), 1 << 40),
        Status::Failed,
    )
    .await;
}

#[tokio::test]
async fn what_breaks_off_is_a_failure() {
    each(
        |_| Reply::Cut(Page::new("<html><body>"), 1000),
        Status::Failed,
    )
    .await;
    each(
        |_| Reply::Raw(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
        Status::Failed,
    )
    .await;
    each(|_| Reply::Raw(Vec::new()), Status::Failed).await;
    let gzip = Page::new("no gzip at all").header("Content-Encoding", "gzip");
    each(move |_| gzip.clone().whole(), Status::Failed).await;
}

#[tokio::test]
async fn hostile_pages_are_given_up() {
    for page in [
        "<div>".repeat(400_000),
        "[".repeat(2_000_000),
        (0..60_000).map(|at| format!("<b a={at}><p>")).collect(),
        format!("<a {}", "x=1 ".repeat(400_000)),
    ] {
        let started = Instant::now();
        let server = site::start(move |_| Some(Reply::ok(page.clone()))).await;
        for engine in ENGINES {
            let outcome = run(&only(&server, &[engine]), &query(10, 1)).await;
            assert!(!outcome.is_answer(), "{engine}: {outcome:?}");
        }
        assert!(started.elapsed() < Duration::from_secs(60));
    }
}

#[tokio::test]
async fn nobody_is_followed_to_a_private_address() {
    let trap = Loopback::start(|_| Reply::ok("reached")).await;
    for location in [
        trap.url("/"),
        format!("http://127.0.0.2:{}/", trap.port()),
        format!("http://localhost:{}/", trap.port()),
        format!("http://[::1]:{}/", trap.port()),
        format!("http://0.0.0.0:{}/", trap.port()),
        format!("https://[::ffff:127.0.0.1]:{}/", trap.port()),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://10.0.0.1/".to_owned(),
        "https://[64:ff9b::7f00:1]/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "ftp://127.0.0.1/".to_owned(),
        "//127.0.0.3/".to_owned(),
        "https://evil.example.com/".to_owned(),
    ] {
        for status in [301, 302, 303, 307, 308] {
            let led = location.clone();
            let server = site::start(move |_| Some(Reply::redirect(status, led.clone()))).await;
            let outcome = run(&Search::new(config(&server)).unwrap(), &query(10, 1)).await;
            for report in &outcome.engines {
                // To another site, or to where none may lead.
                let expected = [Status::Blocked, Status::Failed];
                assert!(expected.contains(&report.status), "{location}: {report:?}");
                // Where it leads to is a stranger's text.
                let note = report.note.as_deref().unwrap_or_default();
                assert!(!note.contains("evil") && !note.contains("127"), "{note}");
            }
            assert_eq!(server.seen().len(), ENGINES.len(), "{location}");
        }
    }
    assert_eq!(trap.counts().opened, 0);
}

#[tokio::test]
async fn redirects_end() {
    let server = each(
        |engine| Reply::redirect(302, format!("/{engine}/?q=again")),
        Status::Failed,
    )
    .await;
    // Each was asked once, and led on three times.
    assert_eq!(server.seen().len(), ENGINES.len() * 4);
}

#[tokio::test]
async fn a_search_that_is_given_up_ends_all_its_requests() {
    let server = site::start(|_| Some(Reply::Hang)).await;
    let search = hasty(&server, &KEYLESS);
    let query = query(10, 1);
    {
        let searching = run(&search, &query);
        tokio::select! {
            outcome = searching => panic!("it ended: {outcome:?}"),
            () = server.requested(5) => {}
        }
    }
    let given_up = Instant::now();
    assert_eq!(server.closed().await.requests, 5);
    assert!(given_up.elapsed() < ENGINE_TIME);
}

#[tokio::test]
async fn who_wants_to_be_left_alone_is() {
    let server = site::start(|_| {
        Some(
            Page::new("")
                .status(429)
                .header("Retry-After", "600")
                .whole(),
        )
    })
    .await;
    let search = only(&server, &["mojeek", "brave"]);
    run(&search, &query(10, 1)).await;
    assert_eq!(server.seen().len(), 2);
    let outcome = run(&search, &query(10, 1)).await;
    assert_eq!(server.seen().len(), 2);
    assert_eq!(
        statuses(&outcome),
        [("mojeek", Status::Resting), ("brave", Status::Resting)]
    );
}
