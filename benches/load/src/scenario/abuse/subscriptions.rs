//! One client that takes all subscriptions there are, and those that others give up.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::mcp;

use super::attack::{Tally, arrive, connect, count, pause};

/// More than the 512 that there are, so that none that becomes free stays so.
const WANTED: u32 = 640;

/// All from one address.
const CALLER: u32 = 0;

pub(super) async fn run(server: SocketAddr, tally: Arc<Tally>) {
    let params = json!({ "notifications": { "toolsListChanged": true } });
    let request: Arc<str> = mcp::modern("subscriptions/listen", None, params)
        .text(server)
        .into();
    let mut tasks = JoinSet::new();
    for number in 0..WANTED {
        tasks.spawn(subscribe(
            server,
            number,
            Arc::clone(&request),
            Arc::clone(&tally),
        ));
    }
    while tasks.join_next().await.is_some() {}
}

async fn subscribe(server: SocketAddr, number: u32, request: Arc<str>, tally: Arc<Tally>) {
    arrive(number, WANTED).await;
    loop {
        if let Ok(stream) = connect(server, CALLER, &tally).await {
            count(&tally.requests);
            listen(stream, &request, &tally).await;
            count(&tally.cut);
        }
        pause(number).await;
    }
}

/// Returns when there is no subscription, or no more.
async fn listen(mut stream: TcpStream, request: &str, tally: &Tally) {
    if stream.write_all(request.as_bytes()).await.is_err() {
        return;
    }
    let mut head = [0; 12];
    match stream.read_exact(&mut head).await {
        Ok(_) if &head == b"HTTP/1.1 200" => count(&tally.accepted),
        _ => return,
    }
    let mut news = [0; 1024];
    while matches!(stream.read(&mut news).await, Ok(1..)) {}
}
