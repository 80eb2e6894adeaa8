//! Serves until a signal comes, and says from then on what it waits for.

use std::convert::Infallible;
use std::io::IsTerminal as _;
use std::time::Duration;

use pymcp_kit::transport::http::{self, HttpConfig, Listeners};
use pymcp_kit::{Server, telemetry};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::signals::Signals;

/// Time after which it is said for the first time: most requests end by then, and streams that answer none do.
const FIRST: Duration = Duration::from_millis(100);

/// Time after which it is said again.
const AGAIN: Duration = Duration::from_secs(5);

/// Serves over HTTP until a signal comes and what is in flight has ended.
pub(crate) async fn serve(
    name: &str,
    listeners: Listeners,
    server: Server,
    config: HttpConfig,
    stopped: &mut Signals,
) {
    let (delay, drain) = (config.drain_delay, config.drain);
    let asked = Notify::new();
    let waits = {
        let server = server.clone();
        let in_flight = move || (server.in_flight(), server.running_tasks());
        let asked = &asked;
        async move {
            asked.notified().await;
            tell(name, delay, drain, in_flight).await
        }
    };
    let shutdown = async {
        stopped.next().await;
        asked.notify_one();
    };
    tokio::select! {
        () = http::serve(listeners, server, config, shutdown) => {}
        never = waits => match never {},
    }
}

/// Says what is waited for, until somebody else ends it.
async fn tell(
    name: &str,
    delay: Duration,
    drain: Duration,
    in_flight: impl Fn() -> (usize, usize),
) -> Infallible {
    if !delay.is_zero() {
        say(
            name,
            &format!("serving on for {} s (--drain-delay)", delay.as_secs()),
        );
        sleep(delay).await;
    }
    let end = Instant::now() + drain;
    sleep(FIRST).await;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let (requests, tasks) = in_flight();
        if let Some(line) = waiting(requests, tasks, left) {
            say(name, &line);
        }
        sleep(AGAIN).await;
    }
}

/// What is waited for, if anything is.
fn waiting(requests: usize, tasks: usize, left: Duration) -> Option<String> {
    let requests = match requests {
        0 => None,
        1 => Some("a request in flight".to_owned()),
        _ => Some(format!("{requests} requests in flight")),
    };
    let tasks = match tasks {
        0 => None,
        1 => Some("a task".to_owned()),
        _ => Some(format!("{tasks} tasks")),
    };
    let both: Vec<_> = requests.into_iter().chain(tasks).collect();
    let left = left.as_secs_f64().ceil();
    let both = both.join(" and ");
    (!both.is_empty()).then(|| format!("waiting for {both}, {left} s at most"))
}

/// A person who has pressed Ctrl-C is told at any log level; elsewhere it is a line of the log.
fn say(name: &str, line: &str) {
    match std::io::stderr().is_terminal() {
        true => telemetry::say(&format!(
            "{name}: {line}; press Ctrl-C again to end at once"
        )),
        false => tracing::info!("{line}; a second signal ends it at once"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_when_nothing_is_waited_for() {
        let left = Duration::from_millis(9900);
        assert_eq!(waiting(0, 0, left), None);
        assert_eq!(
            waiting(1, 0, left).unwrap(),
            "waiting for a request in flight, 10 s at most"
        );
        assert_eq!(
            waiting(2, 1, left).unwrap(),
            "waiting for 2 requests in flight and a task, 10 s at most"
        );
        assert_eq!(
            waiting(0, 2, left).unwrap(),
            "waiting for 2 tasks, 10 s at most"
        );
    }
}
