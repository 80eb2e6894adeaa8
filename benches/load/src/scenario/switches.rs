//! What a cached call costs with everything off, and what each thing adds that an operator switches on.

use std::path::Path;

use crate::Result;
use crate::artifacts::Artifacts;
use crate::http::Client;
use crate::issuer::Issuer;
use crate::mcp::{self, Call, Shape};
use crate::report::Report;
use crate::rounds::{self, Lane, Plan, Track};
use crate::server::Server;

/// Lanes by position.
const AXUM: [usize; 2] = [0, 1];
const BARE: [usize; 2] = [2, 3];
const LOGGED: usize = 4;
const AUDITED: usize = 5;
const GUARDED: usize = 6;

/// Nothing that a request makes it write.
const SILENT: [&str; 2] = ["--log-level", "warning"];

/// Bounds that the load does not reach.
const LIMITS: [&str; 8] = [
    "--address-rate",
    "1000000/s",
    "--principal-rate",
    "1000000/s",
    "--budget",
    "1000000/s",
    "--concurrency",
    "1000",
];

pub(crate) fn run(artifacts: &Artifacts, plan: &Plan, report: &mut Report) -> Result<()> {
    let issuer = Issuer::start()?;
    let files = Folder::new()?;
    let audit = files.0.join("audit.jsonl");
    let start = |flags: &[&str]| {
        let mut command = artifacts.pymcp_http();
        command.args(flags);
        Server::start(command)
    };
    let axum = Server::start(artifacts.control_axum())?;
    let bare = start(&SILENT)?;
    let logged = start(&["--log-level", "info"])?;
    let audited = start(&[&SILENT[..], &["--audit", path(&audit)?]].concat())?;
    let tokens = issuer.flags();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let metrics = ["--metrics-address", "127.0.0.1:0"];
    let guarded = start(&[&SILENT[..], &tokens, &metrics, &LIMITS].concat())?;
    report.heading("What is switched on")?;

    let lane = |name, server, call: &Call| Lane {
        name,
        server,
        call: call.clone(),
    };
    let session = |server: &Server| -> Result<Call> {
        let session = mcp::open_session(&mut Client::connect(server.address)?)?;
        Ok(Call::greet_legacy(Some(&session), Shape::Json))
    };
    let greet = session(&bare)?;
    let modern = Call::greet_modern();
    let token = issuer.token();
    let session_of_token = {
        let mut client = Client::connect(guarded.address)?;
        mcp::open_session_with(&mut client, Some(&token))?
    };
    let with_token = Call::greet_legacy(Some(&session_of_token), Shape::Json).with_token(&token);
    let lanes = [
        lane("control-axum, 2025-11-25 request", &axum, &greet),
        lane("control-axum, 2026-07-28 request", &axum, &modern),
        lane("all off, 2025-11-25", &bare, &greet),
        lane("all off, 2026-07-28", &bare, &modern),
        lane("request log", &logged, &session(&logged)?),
        lane("audit log", &audited, &session(&audited)?),
        lane("JWT, limits, metrics", &guarded, &with_token),
    ];
    let tracks = rounds::run(&lanes, plan)?;
    print(report, plan, &lanes, &tracks)?;
    set_targets(report, &tracks);
    Ok(())
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| "a path that is no text".into())
}

/// A folder that is removed with what is in it.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("pymcp-bench-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in the folder for such things.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn print(report: &mut Report, plan: &Plan, lanes: &[Lane<'_>], tracks: &[Track]) -> Result<()> {
    report.paragraph(&format!(
        "A cached `greet`; {} rounds of {} s, {} connections; median (min–max) over the rounds. The audit log is in the folder for \
         temporary files. The control has no token to read.",
        plan.rounds, plan.seconds, plan.connections
    ))?;
    let rows: Vec<Vec<String>> = lanes
        .iter()
        .zip(tracks)
        .enumerate()
        .map(|(at, (lane, track))| {
            let era = usize::from(at == AXUM[1] || at == BARE[1]);
            vec![
                lane.name.to_owned(),
                format!("{:.1}", track.cpu()),
                format!("{:.2}", track.ratio_to(&tracks[AXUM[era]])),
                format!("{:.1}", track.more_than(&tracks[BARE[era]])),
                format!("{:.0}", track.spread(|sample| sample.per_second)),
            ]
        })
        .collect();
    let head = [
        "call",
        "CPU µs",
        "× axum",
        "µs more than all off",
        "calls/s",
    ];
    report.table(&head, &rows)?;
    Ok(report.raw_rounds(lanes, tracks)?)
}

fn set_targets(report: &mut Report, tracks: &[Track]) {
    let ratio = |lane: usize, base: usize| tracks[lane].ratio_to(&tracks[base]).median;
    for (era, name, most) in [(0, "2025-11-25", 1.25), (1, "2026-07-28", 1.3)] {
        let what = format!("CPU of a cached greet with all off, {name}");
        report.target(what, ratio(BARE[era], AXUM[era]), most, "× axum");
    }
    for (lane, what) in [(LOGGED, "the request log"), (AUDITED, "the audit log")] {
        let more = tracks[lane].more_than(&tracks[BARE[0]]).median;
        report.target(format!("CPU that {what} adds"), more, 5.0, " µs");
    }
    let what = "CPU of a cached greet with JWT, limits and metrics";
    report.target(what, ratio(GUARDED, AXUM[0]), 1.5, "× axum");
}
