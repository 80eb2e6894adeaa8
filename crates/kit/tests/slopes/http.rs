//! Everything that the head of an HTTP request can hold, up to the size of a head. Server and client
//! share a thread, so the time of that thread is all that a request takes.

use pymcp_kit::testing::slopes::{Slopes, TEXTS, repeated};
use pymcp_kit::transport::http::{Endpoints, HttpConfig, serve};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::stage::server;

/// Bytes of a head, and a little more.
const MOST: usize = 1 << 16;

struct Site {
    runtime: Runtime,
    address: String,
    served: JoinHandle<()>,
}

impl Site {
    fn start(endpoints: Endpoints) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let config = HttpConfig {
            endpoints,
            ..HttpConfig::default()
        };
        let served = runtime.spawn(serve(
            listener,
            server(),
            config,
            std::future::pending::<()>(),
        ));
        Self {
            runtime,
            address,
            served,
        }
    }

    /// One request on a connection of its own, and what comes back until that is closed.
    fn send(&self, request: &str) {
        self.runtime.block_on(async {
            let mut stream = TcpStream::connect(&self.address).await.unwrap();
            // A head that is too large is refused, and the connection closed, before it is all written.
            let _ = stream.write_all(request.as_bytes()).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.served.abort();
    }
}

/// A request with `@` in its head.
fn request(line: &str, header: &str, body: &str) -> String {
    let host = match header.starts_with("Host:") {
        true => "",
        false => "Host: localhost\r\n",
    };
    format!(
        "{line} HTTP/1.1\r\n{host}Connection: close\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n{header}\r\n\r\n{body}",
        body.len()
    )
}

fn drive(site: &Site, slopes: &mut Slopes, name: &str, request: &str) {
    // What a header cannot hold is refused by its parser at once.
    let texts = TEXTS
        .into_iter()
        .filter(|unit| unit.bytes().all(|b| (b' '..0x7f).contains(&b)));
    for unit in texts.chain(["a, ", "*/*;q=0.1,", "x://y ", ";q=", "=?base64?QUJD?="]) {
        let prepare = |size| request.replace('@', &repeated(unit, size));
        slopes.place(&format!("{name}: {unit:?}"), MOST, prepare, |request| {
            site.send(request)
        });
    }
}

#[test]
fn headers_of_the_streamable_transport() {
    let mut slopes = Slopes::default();
    let site = Site::start(Endpoints::Streamable);
    let envelope = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params":
        { "name": "mirror", "arguments": { "text": "x" }, "_meta": envelope } })
    .to_string();
    let modern = |header: &str| {
        let others = [
            ("Mcp-Method", "tools/call"),
            ("Mcp-Name", "mirror"),
            ("MCP-Protocol-Version", "2026-07-28"),
        ];
        let mut all = header.to_owned();
        for (name, value) in others {
            if !header.starts_with(name) {
                all.push_str(&format!("\r\n{name}: {value}"));
            }
        }
        all
    };
    for header in [
        "Accept",
        "Mcp-Name",
        "Mcp-Method",
        "Mcp-Param-Text",
        "MCP-Protocol-Version",
        "Mcp-Session-Id",
        "X-Other",
    ] {
        let head = modern(&format!("{header}: @"));
        drive(
            &site,
            &mut slopes,
            header,
            &request("POST /mcp", &head, &call),
        );
    }
    for header in [
        "Host",
        "Origin",
        "Content-Type",
        "Content-Encoding",
        "Last-Event-ID",
        "Cookie",
    ] {
        let head = format!("{header}: @");
        drive(&site, &mut slopes, header, &request("GET /mcp", &head, ""));
    }
    drive(&site, &mut slopes, "path", &request("GET /@", "X: y", ""));
    drive(
        &site,
        &mut slopes,
        "query",
        &request("GET /mcp?@", "X: y", ""),
    );
    slopes.finish(1);
}

#[test]
fn addresses_of_the_old_transport() {
    let mut slopes = Slopes::default();
    let site = Site::start(Endpoints::LegacySse);
    drive(
        &site,
        &mut slopes,
        "query",
        &request("POST /messages/?session_id=@", "X: y", "{}"),
    );
    drive(
        &site,
        &mut slopes,
        "path",
        &request("GET /sse/@", "X: y", ""),
    );
    slopes.finish(0);
}
