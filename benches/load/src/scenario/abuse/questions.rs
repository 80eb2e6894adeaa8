//! Calls that ask their client, which is gone by then.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::mcp;

use super::attack::{Tally, connect, count, pause};
use super::honest::exchange;

const SESSIONS: u32 = 4;

/// Clients at a time that share a session, so that a server that is slow to answer gets its questions.
const CLIENTS: u32 = 32;

/// Between two questions of one of them: 256 of each session in 3 s, and then again, since what the
/// server gives up is asked anew.
const BEAT: Duration = Duration::from_millis(380);

/// How long most of them stay, to see that the call has begun; every fourth is gone at once.
const GLIMPSE: Duration = Duration::from_secs(1);

pub(super) async fn run(server: SocketAddr, tally: Arc<Tally>) {
    let mut tasks = JoinSet::new();
    for number in 0..SESSIONS {
        tasks.spawn(ask(server, number, Arc::clone(&tally)));
    }
    while tasks.join_next().await.is_some() {}
}

async fn ask(server: SocketAddr, number: u32, tally: Arc<Tally>) {
    loop {
        if let Some(session) = open(server).await {
            let session = Arc::<str>::from(session);
            let mut clients = JoinSet::new();
            for client in 0..CLIENTS {
                let (session, tally) = (Arc::clone(&session), Arc::clone(&tally));
                clients.spawn(async move {
                    sleep(BEAT * client / CLIENTS).await;
                    abandon(server, number, client, &session, &tally).await;
                });
            }
            // When the session is gone for one, it is for all.
            clients.join_next().await;
        }
        pause(number).await;
    }
}

async fn open(server: SocketAddr) -> Option<String> {
    let opened = exchange(server, &mcp::initialize().text(server))
        .await
        .ok()?;
    let session = opened.header("mcp-session-id")?.to_owned();
    let note = mcp::initialized(&session).text(server);
    exchange(server, &note).await.ok()?;
    Some(session)
}

/// Returns when the session is no more.
async fn abandon(server: SocketAddr, number: u32, client: u32, session: &str, tally: &Tally) {
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Skip);
    // No two clients of a session use the same id.
    for turn in 0_u64.. {
        let id = turn * u64::from(CLIENTS) + u64::from(client);
        beats.tick().await;
        let Ok(mut stream) = connect(server, number, tally).await else {
            continue;
        };
        let call = mcp::tools_call(id, "vonmises_random", &json!({ "mu": 1.0 }));
        let call = mcp::legacy(Some(session), &call).text(server);
        count(&tally.requests);
        if stream.write_all(call.as_bytes()).await.is_err() {
            count(&tally.cut);
            continue;
        }
        if turn % 4 == 3 {
            continue;
        }
        let mut head = [0; 12];
        let seen = timeout(GLIMPSE, stream.read_exact(&mut head)).await;
        match (seen, &head) {
            (Ok(Ok(_)), b"HTTP/1.1 200") => count(&tally.accepted),
            (Ok(Ok(_)), b"HTTP/1.1 404") => return,
            (Ok(Err(_)), _) => count(&tally.cut),
            _ => {}
        }
    }
}
