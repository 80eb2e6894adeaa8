//! What an idle session costs in memory.

use serde_json::json;

use crate::Result;
use crate::artifacts::Artifacts;
use crate::http::Client;
use crate::mcp;
use crate::procfs;
use crate::report::{self, Report};
use crate::server::Server;

const SESSIONS: usize = 10_000;

pub(crate) fn run(artifacts: &Artifacts, report: &mut Report) -> Result<()> {
    let mut command = artifacts.pymcp_http();
    command.env("PYMCP_SESSION_RATE", "off");
    let server = Server::start(command)?;
    let mut client = Client::connect(server.address)?;
    let first = mcp::open_session(&mut client)?;
    let before = procfs::resident_kib(server.pid())?;
    report::progress(&format!("opening {SESSIONS} sessions"))?;
    let mut last = String::new();
    for _ in 1..SESSIONS {
        last = mcp::open_session(&mut client)?;
    }
    let after = procfs::resident_kib(server.pid())?;
    // Memory that was freed by dropping sessions would be no achievement.
    for session in [&first, &last] {
        let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
        let response = client.post(&mcp::legacy(Some(session), &ping))?;
        if response.status != 200 {
            return Err(format!("a session did not survive: {response:?}").into());
        }
    }
    let each = (after - before) as f64 / (SESSIONS - 1) as f64;
    let total = after as f64 / 1024.0;
    report.heading("Idle sessions")?;
    report.paragraph(&format!(
        "RSS {:.1} MiB with 1 session, {total:.1} MiB with {SESSIONS}: {each:.2} KiB a session",
        before as f64 / 1024.0
    ))?;
    report.target(
        format!("RSS with {SESSIONS} idle sessions"),
        total,
        160.0,
        " MiB",
    );
    Ok(())
}
