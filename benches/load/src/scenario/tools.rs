//! Whether a call costs the same however many tools are registered.
//!
//! A few per cent are to be seen, less than a machine varies from one second to the next. So the
//! servers take turns every few hundredths of a second, each in a process of its own, and the CPU
//! time of a process over a whole lap is divided by its calls.

use crate::Result;
use crate::artifacts::Artifacts;
use crate::clients::Clients;
use crate::http::Client;
use crate::mcp::{self, Call, Shape};
use crate::procfs;
use crate::report::{self, Report};
use crate::server::Server;
use crate::stats::Spread;

const FEW: u32 = 7;
const MANY: u32 = 1000;
const LAPS: usize = 12;
const BURSTS: usize = 60;
const BURST: usize = 500;

struct Lane {
    name: String,
    server: Server,
    clients: Clients,
    /// CPU per call in µs, lap by lap.
    laps: Vec<f64>,
}

pub(crate) fn run(artifacts: &Artifacts, report: &mut Report) -> Result<()> {
    let mut lanes = Vec::new();
    for era in ["2025-11-25", "2026-07-28"] {
        for tools in [FEW, MANY] {
            lanes.push(Lane::start(artifacts, tools, era)?);
        }
    }
    for lap in 0..LAPS {
        report::progress(&format!("tools: lap {} of {LAPS}", lap + 1))?;
        let before = cpu_times(&lanes)?;
        for burst in 0..BURSTS {
            for turn in 0..lanes.len() {
                let at = (burst + turn) % lanes.len();
                lanes[at].clients.call(BURST)?;
            }
        }
        let after = cpu_times(&lanes)?;
        for ((lane, before), after) in lanes.iter_mut().zip(before).zip(after) {
            lane.laps
                .push((after - before) * 1e6 / (BURSTS * BURST) as f64);
        }
    }

    report.heading("Number of tools")?;
    let rows: Vec<Vec<String>> = lanes
        .iter()
        .map(|lane| {
            let laps = lane.laps.iter().map(|micros| format!("{micros:.1}"));
            let laps = laps.collect::<Vec<_>>().join(" ");
            vec![lane.name.clone(), format!("{:.2}", lane.mean()), laps]
        })
        .collect();
    let head = ["cached greet", "CPU µs", "laps"];
    report.table(&head, &rows)?;
    for pair in lanes.chunks(2) {
        let percent = (pair[1].mean() / pair[0].mean() - 1.0) * 100.0;
        let laps = pair[0].laps.iter().zip(&pair[1].laps);
        let laps = Spread::of(laps.map(|(few, many)| (many / few - 1.0) * 100.0));
        let what = format!("CPU of {} against {FEW}", pair[1].name);
        report.paragraph(&format!("{what}: {percent:+.2} %; by laps {laps:.1} %"))?;
        report.target(what, percent.abs(), 5.0, " % difference");
    }
    Ok(())
}

impl Lane {
    /// Starts a server, checks its answer, and warms it up.
    fn start(artifacts: &Artifacts, tools: u32, era: &str) -> Result<Self> {
        let server = Server::start(artifacts.many_tools(tools))?;
        let call = |client: &mut Client| -> Result<Call> {
            let call = match era {
                mcp::LEGACY => {
                    let session = mcp::open_session(client)?;
                    Call::greet_legacy(Some(&session), Shape::Json)
                }
                _ => Call::greet_modern(),
            };
            // This one may fill the cache, which differs from an answer out of it.
            client.post(&call.post)?;
            call.verify(client)?;
            Ok(call)
        };
        let mut clients = Clients::connect(server.address, |client| Ok(vec![call(client)?.post]))?;
        clients.call(BURSTS * BURST / 10)?;
        Ok(Self {
            name: format!("{tools} tools, {era}"),
            server,
            clients,
            laps: Vec::new(),
        })
    }

    fn mean(&self) -> f64 {
        self.laps.iter().sum::<f64>() / self.laps.len() as f64
    }
}

/// CPU seconds that each server has used until now.
fn cpu_times(lanes: &[Lane]) -> Result<Vec<f64>> {
    let used = |lane: &Lane| Ok(procfs::cpu_time(lane.server.pid())?.as_secs_f64());
    lanes.iter().map(used).collect()
}
