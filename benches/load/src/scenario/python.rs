//! What running untrusted Python costs, next to a trivial tool in the same run.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Result;
use crate::artifacts::Artifacts;
use crate::clients::Clients;
use crate::mcp;
use crate::procfs;
use crate::report::{self, Report};
use crate::server::Server;
use crate::stats::Spread;
use crate::stdio::StdioServer;

const CALLS: usize = 2_000;
const KILLS: usize = 10;
const RUNS: usize = 20_000;
/// Runs with type check, of which each takes several times as long.
const CHECKED_RUNS: usize = 4_000;
/// Servers that are asked for the first time.
const STARTS: usize = 10;

/// Hangs in one instruction, so that only killing the worker helps.
const HANG: &str = "a = b = [1]\nfor _ in range(60):\n    a, b = [a, a], [b, b]\na == b";

pub(crate) fn run(artifacts: &Artifacts, report: &mut Report) -> Result<()> {
    report.heading("Untrusted Python")?;
    first_call(artifacts, report)?;
    latency(artifacts, report)?;
    throughput(artifacts, report)
}

fn code(code: &str, check_types: bool) -> Value {
    let arguments = json!({ "code": code, "inputs": { "n": 20 }, "check_types": check_types });
    mcp::tools_call(1, "run_python_code", &arguments)
}

fn snippet(check_types: bool) -> Value {
    code("sum(i * i for i in range(n))", check_types)
}

/// The first call of a server, which waits for the interpreter and the type checker to be ready.
fn first_call(artifacts: &Artifacts, report: &mut Report) -> Result<()> {
    let first = |check_types| -> Result<Spread> {
        let mut millis = Vec::new();
        for _ in 0..STARTS {
            let mut command = artifacts.pymcp();
            command.arg("serve");
            let mut server = StdioServer::start(command)?;
            server.initialize()?;
            millis.push(timed(&mut server, &snippet(check_types))?.as_secs_f64() * 1e3);
        }
        Ok(Spread::of(millis))
    };
    report::progress("python: first calls")?;
    let (unchecked, checked) = (first(false)?, first(true)?);
    report.paragraph(&format!(
        "the first call of a server: {unchecked:.0} ms, with type check {checked:.0} ms, median (min–max) of {STARTS}"
    ))?;
    let slower = unchecked.median.max(checked.median);
    report.target("the first call of a server", slower, 250.0, " ms");
    Ok(())
}

/// One call after the other over stdio, the tools in turns.
fn latency(artifacts: &Artifacts, report: &mut Report) -> Result<()> {
    let mut command = artifacts.pymcp();
    command.args(["serve", "--python-timeout", "1"]);
    command.env("RESPONSE_CACHE_TTL", "0");
    let mut server = StdioServer::start(command)?;
    server.initialize()?;
    let trivial = mcp::tools_call(1, "permutations", &json!({ "n": 16, "k": 8 }));
    let messages = [trivial, snippet(false), snippet(true)];
    let mut micros = [Vec::new(), Vec::new(), Vec::new()];
    for message in &messages {
        timed(&mut server, message)?;
    }
    report::progress("python: latency")?;
    for _ in 0..CALLS {
        for (message, micros) in messages.iter().zip(&mut micros) {
            micros.push(timed(&mut server, message)?.as_secs_f64() * 1e6);
        }
    }
    let mut after_kill = Vec::new();
    for kill in 1..=KILLS {
        report::progress(&format!("python: kill {kill} of {KILLS}"))?;
        server.call(&code(HANG, false))?;
        after_kill.push(timed(&mut server, &messages[2])?.as_secs_f64() * 1e3);
    }
    let [trivial, unchecked, checked] = micros.map(Spread::of);
    let after_kill = Spread::of(after_kill);
    let row = |name: &str, spread: Spread| {
        let ratio = format!("{:.1}", spread.median / trivial.median);
        vec![name.to_owned(), format!("{spread:.0}"), ratio]
    };
    report.table(
        &[
            "one call at a time over stdio",
            "µs, median (min–max)",
            "× trivial",
        ],
        &[
            row("permutations, uncached", trivial),
            row("run_python_code, check_types: false", unchecked),
            row("run_python_code, check_types: true", checked),
        ],
    )?;
    report.paragraph(&format!(
        "the call after a kill, with type check: {after_kill:.2} ms, median (min–max) of {KILLS}"
    ))?;
    report.target(
        "warm call without type check",
        unchecked.median / 1e3,
        3.0,
        " ms",
    );
    report.target(
        "warm call with type check",
        checked.median / 1e3,
        12.0,
        " ms",
    );
    report.target("the call after a kill", after_kill.median, 15.0, " ms");
    Ok(())
}

fn timed(server: &mut StdioServer, message: &Value) -> Result<Duration> {
    let started = Instant::now();
    let answer = server.call(message)?;
    let took = started.elapsed();
    match answer["result"]["isError"] == false {
        true => Ok(took),
        false => Err(format!("{message} failed: {answer}").into()),
    }
}

/// Many at once over HTTP, and what is left of them in memory.
fn throughput(artifacts: &Artifacts, report: &mut Report) -> Result<()> {
    let mut command = artifacts.pymcp_http();
    command.env("RESPONSE_CACHE_TTL", "0");
    let server = Server::start(command)?;
    let trivial = mcp::tools_call(1, "permutations", &json!({ "n": 16, "k": 8 }));
    let mut lanes = Vec::new();
    for (name, calls, message) in [
        ("permutations, uncached", RUNS, trivial),
        ("run_python_code, check_types: false", RUNS, snippet(false)),
        (
            "run_python_code, check_types: true",
            CHECKED_RUNS,
            snippet(true),
        ),
    ] {
        let mut clients = Clients::connect(server.address, |client| {
            let session = mcp::open_session(client)?;
            Ok(vec![mcp::legacy(Some(&session), &message)])
        })?;
        clients.call(400)?;
        lanes.push((name, calls, clients, Vec::new()));
    }
    let before = procfs::resident_kib(server.pid())?;
    let laps = 10;
    for lap in 1..=laps {
        report::progress(&format!("python: lap {lap} of {laps}"))?;
        for (_, calls, clients, rates) in &mut lanes {
            let calls = *calls / laps;
            let started = Instant::now();
            clients.call(calls)?;
            rates.push(calls as f64 / started.elapsed().as_secs_f64());
        }
    }
    let after = procfs::resident_kib(server.pid())?;
    let trivial = Spread::of(lanes[0].3.clone()).median;
    let rows: Vec<Vec<String>> = lanes
        .iter()
        .map(|(name, _, _, rates)| {
            let rate = Spread::of(rates.clone());
            let ratio = format!("1/{:.1}", trivial / rate.median);
            vec![(*name).to_owned(), format!("{rate:.0}"), ratio]
        })
        .collect();
    report.table(
        &[
            "4 connections over HTTP",
            "calls/s, median (min–max)",
            "of trivial",
        ],
        &rows,
    )?;
    let growth = (after as f64 - before as f64) / 1024.0;
    report.paragraph(&format!(
        "memory of the server over {RUNS} runs without and {CHECKED_RUNS} with type check: {growth:+.2} MiB"
    ))?;
    let (name, _, _, rates) = &lanes[1];
    let rate = Spread::of(rates.clone()).median;
    report.target(
        format!("time of 1,000 runs, {name} ({rate:.0} runs/s)"),
        1000.0 / rate,
        1000.0 / 300.0,
        " s",
    );
    report.target(
        "growth of the server over all runs",
        growth.max(0.0),
        1.0,
        " MiB",
    );
    Ok(())
}
