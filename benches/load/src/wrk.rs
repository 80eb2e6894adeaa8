//! The load tool: runs `wrk` for a while and reads what its script reports.

use std::io::ErrorKind;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::Result;
use crate::http::Post;
use crate::mcp::CALL_ID;
use crate::server::Server;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/wrk.lua");
const HINT: &str =
    "this bench drives the servers with wrk, which is not on the PATH: `apt install wrk`";

/// What one run of the load tool saw.
#[derive(Debug, Deserialize)]
pub(crate) struct Load {
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    pub(crate) microseconds: u64,
    /// Latencies in microseconds.
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    not_2xx: u64,
    failed: u64,
}

/// Says how to install the tool, before minutes are spent on builds.
pub(crate) fn require() -> Result<()> {
    let probe = Command::new("wrk")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    match probe {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(HINT.into()),
        Err(error) => Err(error.into()),
    }
}

/// Sends `post` over keep-alive connections for so long; an answer that is no success is an error.
pub(crate) fn run(
    server: &Server,
    post: &Post,
    first_id: u64,
    connections: u16,
    seconds: u16,
) -> Result<Load> {
    let output = Command::new("wrk")
        // One thread: with more the tool takes CPUs from the server on a small machine.
        .args(["--threads", "1", "--timeout", "5s", "--script", SCRIPT])
        .args(["--connections", &connections.to_string()])
        .args(["--duration", &format!("{seconds}s")])
        .arg(format!("http://{}/mcp", server.address))
        .args(["--", &CALL_ID.to_string(), &first_id.to_string()])
        .arg(&post.body)
        .args(
            post.headers
                .iter()
                .flat_map(|(name, value)| [*name, value.as_str()]),
        )
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.starts_with('{'));
    let Some(line) = line.filter(|_| output.status.success()) else {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("wrk failed: {text}{stderr}").into());
    };
    let load: Load = serde_json::from_str(line)?;
    if load.requests == 0 || load.not_2xx + load.failed > 0 {
        return Err(format!("not every call was answered with success: {load:?}").into());
    }
    Ok(load)
}
