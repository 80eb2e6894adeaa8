//! Connections that hold their places: heads and bodies that never end, and answers that are never read.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use crate::mcp;

use super::attack::{Tally, arrive, connect, connect_narrow, count, pause};

/// How many of each kind.
#[derive(Clone, Copy)]
pub(super) struct Crowd {
    heads: u32,
    bodies: u32,
    unread: u32,
}

pub(super) const HEADS: Crowd = Crowd {
    heads: 1450,
    bodies: 0,
    unread: 0,
};
pub(super) const BODIES: Crowd = Crowd {
    heads: 0,
    bodies: 1450,
    unread: 0,
};
pub(super) const UNREAD: Crowd = Crowd {
    heads: 0,
    bodies: 0,
    unread: 1024,
};
pub(super) const ALL: Crowd = Crowd {
    heads: HEADS.heads,
    bodies: BODIES.bodies,
    unread: UNREAD.unread,
};

/// Between two bytes of a slow one, and between two looks of one that does not read.
const DRIP: Duration = Duration::from_secs(3);

/// Bytes of a large answer: more than the kernel takes off a narrow connection's server.
const LARGE: usize = 48 << 10;

pub(super) async fn run(server: SocketAddr, tally: Arc<Tally>, crowd: Crowd) {
    let Crowd {
        heads,
        bodies,
        unread,
    } = crowd;
    let head = format!("POST /mcp HTTP/1.1\r\nhost: {server}\r\nx-slow: ");
    let body = format!(
        "POST /mcp HTTP/1.1\r\nhost: {server}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\ncontent-length: 60000\r\n\r\n{{\"jsonrpc\":\""
    );
    let large = large_answers(server);
    let [head, body, large] = [head, body, large].map(Arc::<str>::from);
    let all = heads + bodies + unread;
    let mut tasks = JoinSet::new();
    for number in 0..all {
        let tally = Arc::clone(&tally);
        // The kinds arrive mixed, each in its share.
        let kind = (u64::from(number) * 7919 % u64::from(all)) as u32;
        match kind {
            kind if kind < heads => {
                tasks.spawn(slow(server, number, all, Arc::clone(&head), tally))
            }
            kind if kind < heads + bodies => {
                tasks.spawn(slow(server, number, all, Arc::clone(&body), tally))
            }
            _ => tasks.spawn(never_read(server, number, all, Arc::clone(&large), tally)),
        };
    }
    while tasks.join_next().await.is_some() {}
}

/// Two requests, so that the connection is busy even where the first answer fits into the kernel.
fn large_answers(server: SocketAddr) -> String {
    let task = "x".repeat(LARGE);
    let params = json!({ "name": "code_prompt", "arguments": { "task": task } });
    let post = mcp::modern("prompts/get", Some("code_prompt"), params);
    post.text(server).repeat(2)
}

/// Begins a request, and then sends a byte now and then.
async fn slow(server: SocketAddr, number: u32, of: u32, start: Arc<str>, tally: Arc<Tally>) {
    arrive(number, of).await;
    loop {
        if let Ok(stream) = connect(server, number, &tally).await {
            count(&tally.requests);
            drip(stream, &start).await;
            count(&tally.cut);
        }
        pause(number).await;
    }
}

/// Returns when the server has had enough.
async fn drip(mut stream: TcpStream, start: &str) {
    if stream.write_all(start.as_bytes()).await.is_err() {
        return;
    }
    let (mut answer, mut request) = stream.split();
    let mut drips = interval(DRIP);
    let mut refusal = [0; 256];
    loop {
        tokio::select! {
            read = answer.read(&mut refusal) => match read {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            },
            _ = drips.tick() => if request.write_all(b"x").await.is_err() {
                return;
            },
        }
    }
}

/// Asks for much and reads nothing.
async fn never_read(
    server: SocketAddr,
    number: u32,
    of: u32,
    requests: Arc<str>,
    tally: Arc<Tally>,
) {
    arrive(number, of).await;
    loop {
        if let Ok(stream) = connect_narrow(server, number, &tally).await {
            count(&tally.requests);
            hold(stream, &requests).await;
            count(&tally.cut);
        }
        pause(number).await;
    }
}

/// Returns when the server has ended the connection. Without reading that shows only when something
/// more is sent, and the kernel answers that nobody is there for it.
async fn hold(mut stream: TcpStream, requests: &str) {
    // The server reads no second request while it waits to be read; then this one stays half sent.
    if let Ok(Err(_)) = timeout(DRIP, stream.write_all(requests.as_bytes())).await {
        return;
    }
    let mut looks = interval(DRIP);
    looks.tick().await;
    loop {
        looks.tick().await;
        match stream.try_write(b"x") {
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return,
            _ => {}
        }
        // Known when the server's end arrived in spite of all.
        match timeout(Duration::ZERO, stream.ready(tokio::io::Interest::WRITABLE)).await {
            Ok(Ok(ready)) if ready.is_write_closed() || ready.is_error() => return,
            Ok(Err(_)) => return,
            _ => {}
        }
    }
}
