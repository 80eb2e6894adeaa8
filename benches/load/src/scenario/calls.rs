//! What a call costs the server, next to a bare HTTP server and to the SDK's own runtime.

use crate::Result;
use crate::artifacts::Artifacts;
use crate::http::Client;
use crate::mcp::{self, Call, Shape};
use crate::report::Report;
use crate::rounds::{self, Lane, Plan, Track};
use crate::server::Server;

/// Lanes by position. A control gets the very bytes that `pymcp` gets in that era.
const AXUM: [usize; 2] = [0, 1];
const RMCP: [usize; 2] = [2, 3];
const GREET: [usize; 2] = [4, 5];
const PERMUTATIONS: usize = 6;
const STREAM: usize = 7;

const LEGACY: usize = 0;
const MODERN: usize = 1;
const ERA_OF_LANE: [usize; 8] = [
    LEGACY, MODERN, LEGACY, MODERN, LEGACY, MODERN, LEGACY, LEGACY,
];

pub(crate) fn run(artifacts: &Artifacts, plan: &Plan, report: &mut Report) -> Result<()> {
    let axum = Server::start(artifacts.control_axum())?;
    let rmcp = Server::start(artifacts.control_rmcp())?;
    let cached = Server::start(artifacts.pymcp_http())?;
    let uncached = Server::start({
        let mut command = artifacts.pymcp_http();
        command.env("RESPONSE_CACHE_TTL", "0");
        command
    })?;
    let processes = [
        ("control-axum", &axum),
        ("control-rmcp", &rmcp),
        ("pymcp", &cached),
        ("pymcp, cache off", &uncached),
    ];
    report.heading("Calls")?;
    report.memory("before the load", &processes)?;

    let session = mcp::open_session(&mut Client::connect(cached.address)?)?;
    let uncached_session = mcp::open_session(&mut Client::connect(uncached.address)?)?;
    let bare = Call::greet_legacy(None, Shape::Json);
    let greet = Call::greet_legacy(Some(&session), Shape::Json);
    let streamed = Call::greet_legacy(Some(&uncached_session), Shape::Stream);
    let permutations = Call::permutations_legacy(&uncached_session);
    let modern = Call::greet_modern();
    let lane = |name, server, call: &Call| Lane {
        name,
        server,
        call: call.clone(),
    };
    let lanes = [
        lane("control-axum, 2025-11-25 request", &axum, &greet),
        lane("control-axum, 2026-07-28 request", &axum, &modern),
        lane("control-rmcp, 2025-11-25", &rmcp, &bare),
        lane("control-rmcp, 2026-07-28", &rmcp, &modern),
        lane("pymcp greet, cached, 2025-11-25", &cached, &greet),
        lane("pymcp greet, cached, 2026-07-28", &cached, &modern),
        lane("pymcp permutations, uncached", &uncached, &permutations),
        lane("pymcp greet by SSE, uncached", &uncached, &streamed),
    ];
    let tracks = rounds::run(&lanes, plan)?;
    print(report, plan, &lanes, &tracks)?;
    report.memory("after the load", &processes)?;
    set_targets(report, &tracks);
    Ok(())
}

fn print(report: &mut Report, plan: &Plan, lanes: &[Lane<'_>], tracks: &[Track]) -> Result<()> {
    report.paragraph(&format!(
        "{} rounds of {} s, {} connections; median (min–max) over the rounds:",
        plan.rounds, plan.seconds, plan.connections
    ))?;
    let rows: Vec<Vec<String>> = lanes
        .iter()
        .zip(tracks)
        .zip(ERA_OF_LANE)
        .map(|((lane, track), era)| {
            vec![
                lane.name.to_owned(),
                format!("{:.1}", track.cpu()),
                format!("{:.2}", track.ratio_to(&tracks[AXUM[era]])),
                format!("{:.2}", track.ratio_to(&tracks[RMCP[era]])),
                format!("{:.0}", track.spread(|sample| sample.per_second)),
                format!("{:.2}", track.spread(|sample| sample.p50_millis)),
                format!("{:.2}", track.spread(|sample| sample.p99_millis)),
            ]
        })
        .collect();
    let head = [
        "call", "CPU µs", "× axum", "× rmcp", "calls/s", "p50 ms", "p99 ms",
    ];
    report.table(&head, &rows)?;
    Ok(report.raw_rounds(lanes, tracks)?)
}

fn set_targets(report: &mut Report, tracks: &[Track]) {
    let ratio = |lane: usize, base: usize| tracks[lane].ratio_to(&tracks[base]).median;
    for (era, name, of_rmcp) in [(LEGACY, "2025-11-25", 0.65), (MODERN, "2026-07-28", 0.55)] {
        let what = format!("CPU of a cached greet, {name}");
        report.target(what.as_str(), ratio(GREET[era], AXUM[era]), 1.5, "× axum");
        report.target(what, ratio(GREET[era], RMCP[era]), of_rmcp, "× rmcp");
    }
    let axum = AXUM[LEGACY];
    let uncached = "CPU of uncached permutations";
    report.target(uncached, ratio(PERMUTATIONS, axum), 1.7, "× axum");
    report.target("CPU of a greet by SSE", ratio(STREAM, axum), 2.0, "× axum");
}
