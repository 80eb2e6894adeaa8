//! What a request costs without any I/O: time and allocations of reading it, serving it and writing
//! its answer, with few and with many tools.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use divan::{AllocProfiler, Bencher};
use futures_util::FutureExt;
use pymcp_kit::auth::Permit;
use pymcp_kit::core::{Connection, Event};
use pymcp_kit::limits::{Flood, FloodLimits, Rate};
use pymcp_kit::wire::{self, Id, WireLimits};
use pymcp_kit::{CacheConfig, Ctx, NoArgs, Principal, Result, Server, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const TOOLS: [usize; 2] = [7, 1000];

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1.0.0"}}}"#;

/// A request of each era; `$params` are the members of `params` before `_meta`.
macro_rules! requests {
    ($method:literal, $params:literal) => {
        [
            concat!(
                r#"{"jsonrpc":"2.0","id":1,"method":""#,
                $method,
                r#"","params":{"#,
                $params,
                r#""_meta":{"progressToken":1}}}"#
            ),
            concat!(
                r#"{"jsonrpc":"2.0","id":1,"method":""#,
                $method,
                r#"","params":{"#,
                $params,
                r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","#,
                r#""io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1.0.0"},"#,
                r#""io.modelcontextprotocol/clientCapabilities":{}}}}"#
            ),
        ]
    };
}

const CALL: [&str; 2] = requests!(
    "tools/call",
    r#""name":"greet","arguments":{"name":"Ada"},"#
);
const LIST: [&str; 2] = requests!("tools/list", "");

#[derive(Debug, Clone, Copy)]
enum Era {
    Legacy,
    Modern,
}

use Era::{Legacy, Modern};

#[derive(Debug, Deserialize, JsonSchema)]
struct Args {
    /// The optional name to be greeted.
    name: Option<String>,
}

async fn greet(ctx: Ctx, args: Args) -> Result<String> {
    let name = args.name.as_deref().unwrap_or("World");
    Ok(format!(
        "Hello, {name}! Welcome to the {} {} server!",
        ctx.server().name,
        ctx.server().version
    ))
}

async fn number(_: Ctx, _: NoArgs) -> Result<u32> {
    Ok(42)
}

/// A server of so many tools, and the client that speaks to it.
struct Peer {
    server: Server,
    connection: Arc<Connection>,
}

impl Peer {
    #[allow(clippy::unwrap_used)] // a bench that cannot be set up has to stop
    fn new(tools: usize, cache: CacheConfig, era: Era) -> Self {
        let mut builder = Server::builder("bench", "1.0.0")
            .cache(cache)
            .tool(Tool::new("greet", greet).read_only().cached());
        for i in 1..tools {
            builder = builder.tool(Tool::new(format!("number_{i}"), number).read_only());
        }
        let connection = match era {
            Legacy => Connection::new(Principal::ANONYMOUS),
            Modern => Connection::stateless(Principal::ANONYMOUS),
        };
        let peer = Self {
            server: builder.build().unwrap(),
            connection,
        };
        if let Legacy = era {
            peer.serve(INITIALIZE);
        }
        peer
    }

    /// From the bytes of a request to those of its answer.
    #[allow(clippy::unwrap_used)] // nothing here waits, and everything is answered
    fn serve(&self, request: &str) -> Bytes {
        let body = self.server.parse(request.as_bytes()).unwrap();
        let mut exchange = self
            .server
            .receive(&self.connection, &Permit::unrestricted(), body)
            .into_exchange()
            .ok()
            .unwrap();
        loop {
            if let Event::Answer(answer) = exchange.next_event().now_or_never().unwrap().unwrap() {
                assert_eq!(answer.error, None);
                return answer.body;
            }
        }
    }
}

fn off() -> CacheConfig {
    CacheConfig {
        ttl: std::time::Duration::ZERO,
        ..CacheConfig::default()
    }
}

#[divan::bench(args = [Legacy, Modern])]
fn parse(bencher: Bencher<'_, '_>, era: Era) {
    let (request, limits) = (CALL[era as usize].as_bytes(), WireLimits::default());
    bencher.bench(|| wire::parse(black_box(request), &limits).is_ok());
}

#[divan::bench(args = [200, 20_000])]
fn encode(bencher: Bencher<'_, '_>, bytes: usize) {
    let (id, result) = (Id::number(1), "x".repeat(bytes));
    bencher.bench(|| wire::result(black_box(&id), result.as_bytes()));
}

/// The flood door: the part of a request, or of a refusal, that is its own.
#[divan::bench(args = [Rate::per_second(1_000_000), Rate::per_hour(1)])]
fn flood(bencher: Bencher<'_, '_>, rate: Rate) {
    let flood = Flood::new(&FloodLimits {
        per_address: Some(rate),
        ..FloodLimits::default()
    });
    let connection = Connection::stateless(Principal::ANONYMOUS);
    bencher.bench(|| flood.admit(black_box(connection.caller())));
}

/// The whole way, with the parse.
#[divan::bench_group]
mod serve {
    use super::*;

    #[divan::bench(args = [Legacy, Modern], consts = TOOLS)]
    fn cached<const N: usize>(bencher: Bencher<'_, '_>, era: Era) {
        run(
            bencher,
            &Peer::new(N, CacheConfig::default(), era),
            CALL[era as usize],
        );
    }

    #[divan::bench(args = [Legacy, Modern], consts = TOOLS)]
    fn uncached<const N: usize>(bencher: Bencher<'_, '_>, era: Era) {
        run(bencher, &Peer::new(N, off(), era), CALL[era as usize]);
    }

    #[divan::bench(args = [Legacy, Modern], consts = TOOLS)]
    fn list<const N: usize>(bencher: Bencher<'_, '_>, era: Era) {
        run(bencher, &Peer::new(N, off(), era), LIST[era as usize]);
    }

    fn run(bencher: Bencher<'_, '_>, peer: &Peer, request: &str) {
        // The first one fills the cache.
        peer.serve(request);
        bencher.bench(|| peer.serve(black_box(request)));
    }
}

fn main() {
    divan::main();
}
