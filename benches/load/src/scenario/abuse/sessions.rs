//! Sessions that are opened and never used, as many as the server can hold, every second.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::mcp;

use super::attack::{Tally, arrive, connect, count, pause};

const PER_SECOND: u32 = 16_384;
const CONNECTIONS: u32 = 64;

/// Ten batches a second on each connection; a server that cannot keep up gets no more meanwhile.
const BEAT: Duration = Duration::from_millis(100);

/// Requests of one connection that may wait for their answers: a second's.
const WAITING: u64 = (PER_SECOND / CONNECTIONS) as u64;

/// How every answer begins, and how every success does.
const ANSWER: &[u8] = b"HTTP/1.1 ";
const SUCCESS: &[u8] = b"HTTP/1.1 200";

pub(super) async fn run(server: SocketAddr, tally: Arc<Tally>) {
    let request: Arc<str> = mcp::initialize().text(server).into();
    let mut tasks = JoinSet::new();
    for number in 0..CONNECTIONS {
        tasks.spawn(flood(
            server,
            number,
            Arc::clone(&request),
            Arc::clone(&tally),
        ));
    }
    while tasks.join_next().await.is_some() {}
}

async fn flood(server: SocketAddr, number: u32, request: Arc<str>, tally: Arc<Tally>) {
    arrive(number, CONNECTIONS).await;
    loop {
        if let Ok(stream) = connect(server, number, &tally).await {
            pour(stream, number, &request, &tally).await;
            count(&tally.cut);
        }
        pause(number).await;
    }
}

/// Sends batches and drops the answers, until the server ends the connection.
async fn pour(mut stream: TcpStream, number: u32, request: &str, tally: &Tally) {
    let (mut answers, mut requests) = stream.split();
    let waiting = AtomicU64::new(0);
    let write = async {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut beat = number;
        loop {
            beats.tick().await;
            beat = (beat + 1) % 10;
            if waiting.load(Ordering::Relaxed) > WAITING {
                continue;
            }
            let batch = share(number, beat);
            waiting.fetch_add(batch as u64, Ordering::Relaxed);
            let sent = requests.write_all(request.repeat(batch).as_bytes()).await;
            if sent.is_err() {
                return;
            }
            tally.requests.fetch_add(batch as u64, Ordering::Relaxed);
        }
    };
    let read = async {
        let mut kept = Vec::new();
        while matches!(answers.read_buf(&mut kept).await, Ok(1..)) {
            let found = |begin: &[u8]| {
                let whole = kept.windows(SUCCESS.len());
                whole.filter(|window| window.starts_with(begin)).count() as u64
            };
            tally.accepted.fetch_add(found(SUCCESS), Ordering::Relaxed);
            waiting.fetch_sub(found(ANSWER), Ordering::Relaxed);
            // A status line may have come in two pieces.
            let rest = kept.len().saturating_sub(SUCCESS.len() - 1);
            kept.drain(..rest);
        }
    };
    tokio::select! {
        () = write => {}
        () = read => {}
    }
}

/// What a connection sends in one of its ten beats, so that all of them send [`PER_SECOND`] together.
fn share(connection: u32, beat: u32) -> usize {
    let beats = 10 * CONNECTIONS;
    let place = connection * 10 + beat;
    (PER_SECOND * (place + 1) / beats - PER_SECOND * place / beats) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_make_up_the_whole() {
        let places = (0..CONNECTIONS).flat_map(|c| (0..10).map(move |beat| share(c, beat)));
        assert_eq!(places.sum::<usize>(), PER_SECOND as usize);
    }
}
