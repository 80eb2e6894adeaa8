//! Whether a server that is asked for ten times what it can do does what it can, and says no at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Result;
use crate::artifacts::Artifacts;
use crate::mcp;
use crate::report::{self, Report};
use crate::server::Server;

/// Calls that run Python, on as many places as the server has processors. A call that is over within one poll of its task
/// would never be there together with others, and so never be refused.
const PLACES: usize = 2;
/// Connections that keep the places busy: what the server can do.
const FULL: usize = 2 * PLACES;
/// Connections that ask for so much more that not even all who wait have room.
const OVERLOAD: usize = 800;
/// Calls that have room to wait.
const WAITING: usize = 512;
/// Calls that are refused for each that is served: with it, ten times of what the server can do.
const REFUSED: f64 = 9.0;
/// Time that each of the two is measured for.
const TIME: Duration = Duration::from_secs(10);

/// What came of the calls.
#[derive(Default)]
struct Outcome {
    served: usize,
    refusals: Vec<Duration>,
}

pub(crate) fn run(artifacts: &Artifacts, report: &mut Report) -> Result<()> {
    let mut command = artifacts.pymcp_http();
    command
        .env("PYMCP_RESPONSE_CACHE_TTL", "0")
        .env("PYMCP_TOTAL_CONCURRENCY", PLACES.to_string());
    let server = Server::start(command)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let load = |connections, pause| {
        report::progress(&format!("overload: {connections} connections"))?;
        runtime.block_on(load(server.address, connections, pause))
    };
    let capacity = load(FULL, Duration::ZERO)?;
    // As many as are refused at a time come back so often that they make up the rest.
    let refused = (OVERLOAD - WAITING - PLACES) as f64;
    let pause = TIME.mul_f64(refused / (REFUSED * capacity.served.max(1) as f64));
    let mut overload = load(OVERLOAD, pause)?;
    let goodput = 100.0 * overload.served as f64 / capacity.served.max(1) as f64;
    overload.refusals.sort_unstable();
    let median = overload.refusals.get(overload.refusals.len() / 2);
    let median = median.map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0);
    report.heading("Overload")?;
    report.paragraph(&format!(
        "{FULL} connections: {} calls served in {} s; {OVERLOAD} connections: {} served, {} refused",
        capacity.served,
        TIME.as_secs(),
        overload.served,
        overload.refusals.len()
    ))?;
    report.target("goodput lost at overload", 100.0 - goodput, 10.0, " %");
    report.target("refusals at overload, median", median, 10.0, " ms");
    Ok(())
}

async fn load(server: SocketAddr, connections: usize, pause: Duration) -> Result<Outcome> {
    let arguments = json!({ "code": "sum(range(1_000))", "check_types": false });
    let call = mcp::tools_call(1, "run_python_code", &arguments);
    let post = mcp::modern(
        "tools/call",
        Some("run_python_code"),
        call["params"].clone(),
    );
    let text: Arc<str> = post.text(server).into();
    let until = Instant::now() + TIME;
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        tasks.spawn(client(server, Arc::clone(&text), until, pause));
    }
    let mut all = Outcome::default();
    while let Some(one) = tasks.join_next().await {
        let one = one??;
        all.served += one.served;
        all.refusals.extend(one.refusals);
    }
    Ok(all)
}

/// Calls, one after the other, until the time is up, with a pause after each refusal.
async fn client(
    server: SocketAddr,
    call: Arc<str>,
    until: Instant,
    pause: Duration,
) -> std::io::Result<Outcome> {
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let mut outcome = Outcome::default();
    while Instant::now() < until {
        let sent = Instant::now();
        stream.write_all(call.as_bytes()).await?;
        match status(&mut stream).await? {
            200 => outcome.served += 1,
            _ => {
                outcome.refusals.push(sent.elapsed());
                tokio::time::sleep(pause).await;
            }
        }
    }
    Ok(outcome)
}

/// The status of the next response, which is read to its end.
async fn status(stream: &mut TcpStream) -> std::io::Result<u16> {
    let malformed = || std::io::Error::from(std::io::ErrorKind::InvalidData);
    let mut read = Vec::new();
    loop {
        if stream.read_buf(&mut read).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .and_then(|length| length.trim().parse::<usize>().ok())
            .ok_or_else(malformed)?;
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let missing = (end + 4 + length).saturating_sub(read.len());
        let mut rest = vec![0; missing];
        stream.read_exact(&mut rest).await?;
        return status.ok_or_else(malformed);
    }
}
