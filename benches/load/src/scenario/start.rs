//! How soon a client that starts the server can talk to it, and what it takes to have it idle.

use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::Result;
use crate::artifacts::Artifacts;
use crate::procfs;
use crate::report::Report;
use crate::server::Server;
use crate::stats::Spread;
use crate::stdio::StdioServer;

const STARTS: usize = 50;

pub(crate) fn run(artifacts: &Artifacts, report: &mut Report) -> Result<()> {
    let mut millis = Vec::new();
    let mut resident = Vec::new();
    for _ in 0..STARTS {
        let start = Instant::now();
        let mut server = StdioServer::start(artifacts.pymcp())?;
        server.initialize()?;
        millis.push(start.elapsed().as_secs_f64() * 1e3);
        resident.push(procfs::resident_kib(server.pid())? as f64 / 1024.0);
    }
    let http = Server::start(artifacts.pymcp_http())?;
    let http = procfs::resident_kib(http.pid())? as f64 / 1024.0;
    let binary = fs::metadata(Path::new(artifacts.pymcp().get_program()))?.len() as f64 / 1e6;
    let millis = Spread::of(millis);
    let resident = Spread::of(resident);
    report.heading("Start")?;
    report.paragraph(&format!(
        "stdio, process start to the answer of `initialize`: {millis:.2} ms, median (min–max) of {STARTS}"
    ))?;
    report.paragraph(&format!(
        "idle RSS: {resident:.2} MiB over stdio, {http:.2} MiB over HTTP; binary {binary:.2} MB"
    ))?;
    report.target("start to the first answer", millis.median, 10.0, " ms");
    report.target("idle RSS over stdio", resident.median, 10.0, " MiB");
    report.target("idle RSS over HTTP", http, 10.0, " MiB");
    report.target("stripped binary", binary, 15.0, " MB");
    Ok(())
}
