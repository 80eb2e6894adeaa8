//! Whether a client that writes without waiting for answers makes the server's memory grow.

use std::io::{BufWriter, Write};
use std::process::ChildStdin;
use std::thread;

use serde_json::{Value, json};

use crate::Result;
use crate::artifacts::Artifacts;
use crate::mcp;
use crate::procfs;
use crate::report::Report;
use crate::stdio::StdioServer;

const CALLS: usize = 20_000;

pub(crate) fn run(artifacts: &Artifacts, report: &mut Report) -> Result<()> {
    let mut command = artifacts.pymcp();
    // Without the cache every call runs its tool and sends a notification besides its answer.
    command.env("RESPONSE_CACHE_TTL", "0");
    let mut server = StdioServer::start(command)?;
    server.initialize()?;
    let before = procfs::resident_kib(server.pid())?;
    let input = server.take_input()?;
    let (counted, written) = thread::scope(|scope| {
        let writer = scope.spawn(|| write_calls(input));
        (count_answers(&mut server), writer.join())
    });
    counted?;
    // Until it is dropped the input stays open, and the server alive to be looked at.
    let _input = written.map_err(|_| "the writer panicked")??;
    let peak = procfs::peak_resident_kib(server.pid())?;
    let rise = (peak.saturating_sub(before)) as f64 / 1024.0;
    report.heading("Pipelined stdio")?;
    report.paragraph(&format!(
        "{CALLS} calls, all answered once; RSS {:.1} MiB before, peak {:.1} MiB",
        before as f64 / 1024.0,
        peak as f64 / 1024.0
    ))?;
    report.target(
        format!("rise of RSS under {CALLS} pipelined calls"),
        rise,
        10.0,
        " MiB",
    );
    Ok(())
}

fn write_calls(input: ChildStdin) -> std::result::Result<ChildStdin, String> {
    let mut input = BufWriter::new(input);
    for id in 0..CALLS {
        let call = mcp::tools_call(id as u64, "greet", &json!({ "name": "Ada" }));
        writeln!(input, "{call}").map_err(|error| error.to_string())?;
    }
    input.into_inner().map_err(|error| error.to_string())
}

/// Reads until every call is answered; twice, by an error or not at all is a failure.
fn count_answers(server: &mut StdioServer) -> Result<()> {
    let mut answered = vec![false; CALLS];
    for _ in 0..CALLS {
        let answer = server.next_answer()?;
        let id = answer["id"].as_u64().ok_or("an answer without an id")?;
        let known = answered
            .get_mut(usize::try_from(id)?)
            .ok_or_else(|| format!("an answer to no call: {answer}"))?;
        if *known || answer["result"] == Value::Null || answer["result"]["isError"] == true {
            return Err(format!("not one good answer: {answer}").into());
        }
        *known = true;
    }
    Ok(())
}
