//! Lanes under load, in turns: one short slice each, round after round, the order rotated.
//!
//! Whatever else the machine does then hits every lane alike, and a ratio is taken between slices of
//! the same round, seconds apart.

use std::time::{Duration, Instant};

use clap::Args;

use crate::Result;
use crate::http::Client;
use crate::mcp::{CALL_ID, Call};
use crate::procfs;
use crate::report;
use crate::server::Server;
use crate::stats::Spread;
use crate::wrk;

/// How long and how hard.
#[derive(Args)]
pub(crate) struct Plan {
    /// Rounds; each lane gets one slice in every round
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) rounds: u16,
    /// Length of a slice
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=60))]
    pub(crate) seconds: u16,
    /// Keep-alive connections that call without pause
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) connections: u16,
}

/// One kind of call to one server.
pub(crate) struct Lane<'a> {
    pub(crate) name: &'static str,
    pub(crate) server: &'a Server,
    pub(crate) call: Call,
}

/// What a slice showed.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) cpu_micros: f64,
    pub(crate) per_second: f64,
    pub(crate) p50_millis: f64,
    pub(crate) p99_millis: f64,
    /// CPUs that neither the server nor this bench used.
    pub(crate) foreign_cpus: f64,
}

/// The samples of one lane, in the order of the rounds.
pub(crate) struct Track(pub(crate) Vec<Sample>);

impl Track {
    pub(crate) fn spread(&self, of: impl Fn(&Sample) -> f64) -> Spread {
        Spread::of(self.0.iter().map(of))
    }

    pub(crate) fn cpu(&self) -> Spread {
        self.spread(|sample| sample.cpu_micros)
    }

    /// Microseconds of CPU per call above another lane's, round by round.
    pub(crate) fn more_than(&self, other: &Self) -> Spread {
        let pairs = self.0.iter().zip(&other.0);
        Spread::of(pairs.map(|(own, base)| own.cpu_micros - base.cpu_micros))
    }

    /// CPU per call against another lane's, round by round.
    pub(crate) fn ratio_to(&self, other: &Self) -> Spread {
        let pairs = self.0.iter().zip(&other.0);
        Spread::of(pairs.map(|(own, base)| own.cpu_micros / base.cpu_micros))
    }
}

/// Verifies each lane, warms it up, and measures all of them; one track a lane, in their order.
pub(crate) fn run(lanes: &[Lane<'_>], plan: &Plan) -> Result<Vec<Track>> {
    let mut tracks: Vec<Track> = lanes.iter().map(|_| Track(Vec::new())).collect();
    let mut weights = Vec::new();
    let mut slices = 0;
    for lane in lanes {
        weights.push(verified(lane)?);
        slices += 1;
        slice(lane, plan, slices)?;
    }
    for round in 0..usize::from(plan.rounds) {
        report::progress(&format!("round {} of {}", round + 1, plan.rounds))?;
        for turn in 0..lanes.len() {
            let at = (round + turn) % lanes.len();
            let lane = &lanes[at];
            slices += 1;
            let (sample, bytes_each) = slice(lane, plan, slices)?;
            check_weight(bytes_each, weights[at])
                .map_err(|wrong| format!("{}: {wrong}", lane.name))?;
            tracks[at].0.push(sample);
        }
    }
    for lane in lanes {
        verified(lane)?;
    }
    Ok(tracks)
}

/// Checks that a lane answers as it should, and tells what an answer weighs.
fn verified(lane: &Lane<'_>) -> Result<usize> {
    let verify = || -> Result<usize> {
        let mut client = Client::connect(lane.server.address)?;
        // Of a cached call this answer may be the one that fills the cache, which differs.
        client.post(&lane.call.post)?;
        Ok(lane.call.verify(&mut client)?.wire_bytes)
    };
    verify().map_err(|error| format!("{}: {error}", lane.name).into())
}

/// The load tool sees the status only; an error told in a 200 shows by its size.
fn check_weight(bytes_each: f64, weight: usize) -> std::result::Result<(), String> {
    let share = bytes_each / weight as f64;
    match (0.95..1.05).contains(&share) {
        true => Ok(()),
        false => Err(format!(
            "answers under load weigh {bytes_each:.0} bytes, a right one {weight}"
        )),
    }
}

fn slice(lane: &Lane<'_>, plan: &Plan, number: u64) -> Result<(Sample, f64)> {
    // Far enough apart that no two slices share an id.
    let first_id = CALL_ID + number * 10_000_000;
    let pid = lane.server.pid();
    let own = std::process::id();
    let start = Instant::now();
    let server = procfs::cpu_time(pid)?;
    let bench = procfs::cpu_time_with_children(own)?;
    let machine = procfs::machine_cpu_time()?;
    let load = wrk::run(
        lane.server,
        &lane.call.post,
        first_id,
        plan.connections,
        plan.seconds,
    )
    .map_err(|error| format!("{}: {error}", lane.name))?;
    let server = procfs::cpu_time(pid)? - server;
    let bench = procfs::cpu_time_with_children(own)? - bench;
    let machine = procfs::machine_cpu_time()? - machine;
    let foreign = machine.saturating_sub(server + bench);
    let calls = load.requests as f64;
    let sample = Sample {
        cpu_micros: server.as_secs_f64() * 1e6 / calls,
        per_second: calls / Duration::from_micros(load.microseconds).as_secs_f64(),
        p50_millis: load.p50 as f64 / 1e3,
        p99_millis: load.p99 as f64 / 1e3,
        foreign_cpus: foreign.as_secs_f64() / start.elapsed().as_secs_f64(),
    };
    Ok((sample, load.bytes as f64 / calls))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(cpu: &[f64]) -> Track {
        let sample = |&cpu_micros: &f64| Sample {
            cpu_micros,
            per_second: 0.0,
            p50_millis: 0.0,
            p99_millis: 0.0,
            foreign_cpus: 0.0,
        };
        Track(cpu.iter().map(sample).collect())
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // A machine that slows down tenfold in the second round changes no ratio.
        let ratio = track(&[30.0, 300.0]).ratio_to(&track(&[20.0, 200.0]));
        assert_eq!((ratio.min, ratio.max), (1.5, 1.5));
    }

    #[test]
    fn answers_of_another_size_are_noticed() {
        assert!(check_weight(500.2, 500).is_ok());
        assert!(check_weight(120.0, 500).is_err());
    }
}
