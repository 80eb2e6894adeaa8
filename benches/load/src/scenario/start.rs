//! How soon a client that starts the server can talk to it, and what it takes to have it idle.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::artifacts::Artifacts;
use crate::procfs;
use crate::report::Report;
use crate::server::Server;
use crate::stats::Spread;
use crate::stdio::StdioServer;

const STARTS: usize = 50;

/// Time after which a server of which nobody asks anything has given back what it does without: it looks every 5 s, and
/// the first look that finds it idle may be the second.
const IDLE: Duration = Duration::from_secs(12);

pub(crate) fn run(artifacts: &Artifacts, report: &mut Report) -> Result<()> {
    report.heading("Start")?;
    let light = measure(artifacts.pymcp_light(), artifacts.pymcp_light_http())?;
    let full = measure(artifacts.pymcp(), artifacts.pymcp_http())?;
    let generated = measure(artifacts.generated(), artifacts.generated_http())?;
    let minimal = measure(artifacts.minimal(), artifacts.minimal_http())?;
    let row = |name: &str, build: &Build| {
        vec![
            name.to_owned(),
            format!("{:.2}", build.millis),
            format!("{:.2}", build.answered),
            format!("{:.2}", build.idle),
            format!("{:.2}", build.idle_http),
            format!("{:.2}", build.megabytes),
        ]
    };
    report.table(
        &[
            "build",
            "start to the answer of `initialize`, ms",
            "RSS then, MiB",
            "idle RSS over stdio, MiB",
            "over HTTP, MiB",
            "binary, MB",
        ],
        &[
            row("`--no-default-features`", &light),
            row("as it is shipped", &full),
            row("a server of `pymcp new`", &generated),
            row("the same, `--no-default-features`", &minimal),
        ],
    )?;
    report.paragraph(&format!(
        "Median (min–max) of {STARTS} starts over stdio; idle is {} s after the first answer.",
        IDLE.as_secs()
    ))?;
    report.target("start to the first answer", full.millis.median, 10.0, " ms");
    report.target("idle RSS over stdio", full.idle, 18.0, " MiB");
    report.target("idle RSS over HTTP", full.idle_http, 18.0, " MiB");
    report.target("stripped binary", full.megabytes, 45.0, " MB");
    report.target(
        "idle RSS over stdio, without features",
        light.idle,
        10.0,
        " MiB",
    );
    report.target(
        "idle RSS over HTTP, without features",
        light.idle_http,
        10.0,
        " MiB",
    );
    report.target(
        "stripped binary, without features",
        light.megabytes,
        15.0,
        " MB",
    );
    let of_minimal = [
        (
            "start to the first answer",
            minimal.millis.median,
            6.0,
            " ms",
        ),
        ("idle RSS over stdio", minimal.idle, 7.0, " MiB"),
        ("stripped binary", minimal.megabytes, 8.0, " MB"),
    ];
    for (what, measured, limit, unit) in of_minimal {
        report.target(
            format!("{what}, of a server of `pymcp new` without features"),
            measured,
            limit,
            unit,
        );
    }
    Ok(())
}

struct Build {
    millis: Spread,
    /// MiB that are resident after the first answer.
    answered: Spread,
    idle: f64,
    idle_http: f64,
    megabytes: f64,
}

fn measure(stdio: Command, http: Command) -> Result<Build> {
    let megabytes = fs::metadata(Path::new(stdio.get_program()))?.len() as f64 / 1e6;
    let again = || {
        let mut command = Command::new(stdio.get_program());
        command.env_clear();
        if let Some(folder) = stdio.get_current_dir() {
            command.current_dir(folder);
        }
        command
    };
    let resident = |pid| procfs::resident_kib(pid).map(|kib| kib as f64 / 1024.0);
    let start = || -> Result<_> {
        let began = Instant::now();
        let mut server = StdioServer::start(again())?;
        server.initialize()?;
        Ok((server, began.elapsed().as_secs_f64() * 1e3))
    };
    let (mut millis, mut answered) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let (server, took) = start()?;
        millis.push(took);
        answered.push(resident(server.pid())?);
    }
    let (stdio, http) = (start()?.0, Server::start(http)?);
    thread::sleep(IDLE);
    Ok(Build {
        millis: Spread::of(millis),
        answered: Spread::of(answered),
        idle: resident(stdio.pid())?,
        idle_http: resident(http.pid())?,
        megabytes,
    })
}
