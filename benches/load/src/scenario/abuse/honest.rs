//! A client that means well: each request on a connection of its own, at a steady pace whatever the
//! server does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use crate::http::{Response, read_response};
use crate::mcp;

/// What counts as served.
const SOON: Duration = Duration::from_secs(1);

/// After this long a request is given up.
const PATIENCE: Duration = Duration::from_secs(4);

/// A session (four requests) or a call (one), in turns.
const PACE: Duration = Duration::from_millis(25);

/// Requests a second: a session and a call in two beats.
pub(super) const PER_SECOND: u128 = 5 * 1000 / (2 * PACE.as_millis());

/// Bytes of an answer; no honest one is near it.
const MAX_ANSWER: u64 = 1 << 20;

/// How the requests went.
#[derive(Default)]
pub(super) struct Record {
    /// How long each answer took, from the first byte of the connection to its last.
    answered: Vec<Duration>,
    /// Why there was none, and how often.
    pub(super) failed: BTreeMap<String, usize>,
}

impl Record {
    pub(super) fn sent(&self) -> usize {
        self.answered.len() + self.failed.values().sum::<usize>()
    }

    /// The share that was answered well and soon.
    pub(super) fn served_percent(&self) -> f64 {
        let soon = self.answered.iter().filter(|&&took| took <= SOON).count();
        soon as f64 * 100.0 / self.sent() as f64
    }

    /// How long answers took at this quantile; NaN without any.
    pub(super) fn millis(&self, quantile: f64) -> f64 {
        let mut sorted = self.answered.clone();
        sorted.sort_unstable();
        let at = (sorted.len() as f64 * quantile) as usize;
        let took = sorted.get(at.min(sorted.len().saturating_sub(1)));
        took.map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
    }

    pub(super) fn failures(&self) -> String {
        let each = self
            .failed
            .iter()
            .map(|(why, times)| format!("{times} × {why}"));
        each.collect::<Vec<_>>().join(", ")
    }

    fn note(&mut self, started: Instant, outcome: &Result<Response, String>) {
        match outcome {
            Ok(_) => self.answered.push(started.elapsed()),
            Err(why) => *self.failed.entry(why.clone()).or_default() += 1,
        }
    }

    fn add(&mut self, other: Self) {
        self.answered.extend(other.answered);
        for (why, times) in other.failed {
            *self.failed.entry(why).or_default() += times;
        }
    }
}

/// Sends requests for so long, then waits for the last answers.
pub(super) async fn run(server: SocketAddr, time: Duration) -> Record {
    let started = Instant::now();
    let mut record = Record::default();
    let mut running = JoinSet::new();
    let mut beat = interval(PACE);
    let mut turn = 0_u64;
    while started.elapsed() < time {
        tokio::select! {
            _ = beat.tick() => {
                turn += 1;
                match turn % 2 {
                    0 => running.spawn(session(server)),
                    _ => running.spawn(call(server)),
                };
            }
            Some(done) = running.join_next() => record.add(done.unwrap_or_default()),
        }
    }
    while let Some(done) = running.join_next().await {
        record.add(done.unwrap_or_default());
    }
    record
}

/// One call of the modern era.
async fn call(server: SocketAddr) -> Record {
    let mut record = Record::default();
    let params = json!({ "name": "permutations", "arguments": { "n": 16, "k": 8 } });
    let post = mcp::modern("tools/call", Some("permutations"), params);
    ask(&mut record, server, &post.text(server), "518918400").await;
    record
}

/// A session of the older era: opened, used and ended; the rest is not tried when a part fails.
async fn session(server: SocketAddr) -> Record {
    let mut record = Record::default();
    talk(&mut record, server).await;
    record
}

async fn talk(record: &mut Record, server: SocketAddr) -> Option<()> {
    let opening = mcp::initialize().text(server);
    let opened = ask(record, server, &opening, "protocolVersion").await?;
    let id = opened.header("mcp-session-id")?;
    ask(record, server, &mcp::initialized(id).text(server), "").await?;
    let call = mcp::tools_call(1, "permutations", &json!({ "n": 16, "k": 8 }));
    let call = mcp::legacy(Some(id), &call).text(server);
    ask(record, server, &call, "518918400").await?;
    let version = mcp::LEGACY;
    let end = format!(
        "DELETE /mcp HTTP/1.1\r\nhost: {server}\r\nmcp-session-id: {id}\r\nmcp-protocol-version: {version}\r\n\r\n"
    );
    ask(record, server, &end, "").await?;
    Some(())
}

/// Sends one request on a connection of its own; the answer has to be a success that contains `tells`.
async fn ask(
    record: &mut Record,
    server: SocketAddr,
    request: &str,
    tells: &str,
) -> Option<Response> {
    let started = Instant::now();
    let outcome = timeout(PATIENCE, exchange(server, request)).await;
    let outcome = outcome.unwrap_or_else(|_| Err(format!("no answer in {} s", PATIENCE.as_secs())));
    let outcome = outcome.and_then(|response| check(response, tells));
    record.note(started, &outcome);
    outcome.ok()
}

fn check(response: Response, tells: &str) -> Result<Response, String> {
    match response.status {
        200..300 if response.body.contains(tells) => Ok(response),
        status => {
            // The message alone: ids would make each failure one of a kind.
            let body: Value = serde_json::from_str(&response.body).unwrap_or_default();
            let said = body["error"]["message"].as_str().unwrap_or_default();
            Err(format!("{status} {said:?}"))
        }
    }
}

/// Whether one more can subscribe, in words.
pub(super) async fn subscribe(server: SocketAddr) -> String {
    let params = json!({ "notifications": { "toolsListChanged": true } });
    let request = mcp::modern("subscriptions/listen", None, params).text(server);
    let first = async {
        let mut stream = TcpStream::connect(server).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        // The head and the first event may come apart.
        while !answer.ends_with(b"\n\r\n") && !answer.ends_with(b"}") {
            if stream.read_buf(&mut answer).await.ok()? == 0 {
                break;
            }
        }
        String::from_utf8(answer).ok()
    };
    match timeout(PATIENCE, first).await {
        Ok(Some(answer)) if answer.contains("subscriptions/acknowledged") => "accepted".to_owned(),
        Ok(Some(answer)) => format!(
            "refused with {:?}",
            answer.lines().next().unwrap_or_default()
        ),
        Ok(None) => "cut".to_owned(),
        Err(_) => "not answered".to_owned(),
    }
}

/// The answer to the only request of a new connection.
pub(super) async fn exchange(server: SocketAddr, request: &str) -> Result<Response, String> {
    let cut = |error: std::io::Error| error.kind().to_string();
    let mut stream = TcpStream::connect(server).await.map_err(cut)?;
    stream.set_nodelay(true).map_err(cut)?;
    // The server closes the connection when it has answered, which is how the end is found.
    let request = request.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    stream.write_all(request.as_bytes()).await.map_err(cut)?;
    let mut answer = Vec::new();
    stream
        .take(MAX_ANSWER)
        .read_to_end(&mut answer)
        .await
        .map_err(cut)?;
    match answer.is_empty() {
        true => Err("closed without an answer".to_owned()),
        false => read_response(&mut answer.as_slice()).map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_or_missing_is_not_served() {
        let mut record = Record::default();
        for millis in [1, 2, 3, 2000] {
            record.answered.push(Duration::from_millis(millis));
        }
        record.failed.insert("closed".to_owned(), 4);
        assert_eq!(record.sent(), 8);
        assert_eq!(record.served_percent(), 37.5);
        assert_eq!((record.millis(0.5), record.millis(0.99)), (3.0, 2000.0));
        assert!(Record::default().millis(0.99).is_nan());
        assert!(Record::default().served_percent().is_nan());
    }
}
