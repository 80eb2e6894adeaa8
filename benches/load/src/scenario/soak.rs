//! Whether memory grows with the number of calls served.

use serde_json::{Value, json};

use crate::Result;
use crate::artifacts::Artifacts;
use crate::clients::Clients;
use crate::http::Post;
use crate::mcp::{self, Call};
use crate::procfs;
use crate::report::{self, Report};
use crate::server::Server;

const CALLS: usize = 200_000;
const LAPS: usize = 4;
const WARM_UP: usize = 20_000;

pub(crate) fn run(artifacts: &Artifacts, report: &mut Report) -> Result<()> {
    let server = Server::start(artifacts.pymcp_http())?;
    let mut clients = Clients::connect(server.address, |client| {
        let session = mcp::open_session(client)?;
        Ok(mix(&session))
    })?;
    clients.call(WARM_UP)?;
    let mut resident = vec![procfs::resident_kib(server.pid())?];
    for lap in 1..=LAPS {
        report::progress(&format!("soak: {} of {CALLS} calls", lap * CALLS / LAPS))?;
        clients.call(CALLS / LAPS)?;
        resident.push(procfs::resident_kib(server.pid())?);
    }
    let mib: Vec<f64> = resident.iter().map(|&kib| kib as f64 / 1024.0).collect();
    let change = mib[LAPS] - mib[0];
    let laps: Vec<String> = mib.iter().map(|mib| format!("{mib:.2}")).collect();
    report.heading("Soak")?;
    report.paragraph(&format!(
        "RSS in MiB after a warm-up of {WARM_UP} calls and after each quarter of {CALLS}: {} (change {change:+.2})",
        laps.join(" ")
    ))?;
    report.target(
        format!("change of RSS over {CALLS} calls, either way"),
        change.abs(),
        2.0,
        " MiB",
    );
    Ok(())
}

/// Calls of every kind that ask nothing back: cached and not, streamed and not, of both eras, and a refused one.
fn mix(session: &str) -> Vec<Post> {
    let request = |method: &str, params: Value| {
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        mcp::legacy(Some(session), &message)
    };
    let call = |tool: &str, arguments: Value| {
        request(
            "tools/call",
            json!({ "name": tool, "arguments": arguments }),
        )
    };
    vec![
        call("greet", json!({ "name": "Ada" })),
        Call::greet_modern().post,
        call("permutations", json!({ "n": 16, "k": 8 })),
        call("generate_password", json!({ "length": 20 })),
        call("permutations", json!({ "n": 1, "k": 2 })),
        request("resources/read", json!({ "uri": "data://modulo10/7" })),
        request("tools/list", json!({})),
    ]
}
