//! Whether a call costs the same however many tools are registered.

use crate::Result;
use crate::artifacts::Artifacts;
use crate::http::Client;
use crate::mcp::{self, Call, Shape};
use crate::report::Report;
use crate::rounds::{self, Lane, Plan};
use crate::server::Server;

pub(crate) fn run(artifacts: &Artifacts, plan: &Plan, report: &mut Report) -> Result<()> {
    let few = Server::start(artifacts.many_tools(7))?;
    let many = Server::start(artifacts.many_tools(1000))?;
    let legacy = |server: &Server| -> Result<Call> {
        let session = mcp::open_session(&mut Client::connect(server.address)?)?;
        Ok(Call::greet_legacy(Some(&session), Shape::Json))
    };
    let lane = |name, server, call| Lane { name, server, call };
    let lanes = [
        lane("7 tools, 2025-11-25", &few, legacy(&few)?),
        lane("1,000 tools, 2025-11-25", &many, legacy(&many)?),
        lane("7 tools, 2026-07-28", &few, Call::greet_modern()),
        lane("1,000 tools, 2026-07-28", &many, Call::greet_modern()),
    ];
    // A few per cent are to be seen: more and shorter slices than for a factor.
    let finer = Plan {
        rounds: plan.rounds * 3,
        seconds: 1,
        ..*plan
    };
    let tracks = rounds::run(&lanes, &finer)?;

    report.heading("Number of tools")?;
    let rows: Vec<Vec<String>> = lanes
        .iter()
        .zip(&tracks)
        .map(|(lane, track)| {
            let cpu = track.cpu();
            let low = format!("{:.2}", cpu.low);
            vec![lane.name.to_owned(), low, format!("{cpu:.1}")]
        })
        .collect();
    let head = [
        "call of a cached greet",
        "CPU µs, low quartile",
        "median (min–max)",
    ];
    report.table(&head, &rows)?;
    report.raw_rounds(&lanes, &tracks)?;
    for (era, pair) in ["2025-11-25", "2026-07-28"].iter().zip(tracks.chunks(2)) {
        let percent = (pair[1].cpu().low / pair[0].cpu().low - 1.0) * 100.0;
        report.target(
            format!("CPU of 1,000 tools against 7 ({percent:+.2} %), {era}"),
            percent.abs(),
            5.0,
            " %",
        );
    }
    Ok(())
}
