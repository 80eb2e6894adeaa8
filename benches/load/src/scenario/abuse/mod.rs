//! Whether an honest client is served while others do their worst, and what is left of them in memory.
//!
//! Each attack has a server of its own. The honest client is measured on it before the attack, which
//! is its quiet, and during it; when the attackers have gone, the server's memory has to come back.
//! The attackers are paced and live on a thread of their own, so that they take what the server has
//! and not what the machine has.

mod attack;
mod crowd;
mod honest;
mod questions;
mod sessions;
mod subscriptions;

use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::Result;
use crate::artifacts::Artifacts;
use crate::procfs;
use crate::report::{self, Report};
use crate::server::Server;

use self::attack::Attackers;
use self::honest::Record;

/// Open files that the attackers and the honest client may have at a time, and the server as well.
const OPEN_FILES: u64 = 8192;

/// Time in which the attackers arrive, before the honest client is measured among them.
const RAMP: Duration = Duration::from_secs(4);

/// Time for memory to come back: what an unused session and an abandoned question may last (60 s),
/// and half of it again.
const PATIENCE: Duration = Duration::from_secs(90);

const SETTLE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(500);

/// Share of honest requests that may go unserved, in percent.
const UNSERVED: f64 = 5.0;

/// How much slower an honest request may be, at the 99th percentile.
const SLOWER: f64 = 5.0;

/// MiB that may be left of an attack.
const LEFT: f64 = 64.0;

/// Which attacks, and for how long.
#[derive(Args)]
pub(crate) struct Campaign {
    /// Attacks of the scenario `abuse`; the first four when none is named
    #[arg(long, value_enum, value_delimiter = ',')]
    attacks: Vec<Attack>,
    /// Seconds for which each attack lasts; a body may take 30 before it is cut
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u16).range(5..=600))]
    attack_seconds: u16,
    /// Seconds for which the honest client is measured before each attack
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(2..=600))]
    quiet_seconds: u16,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Attack {
    /// 2,900 slow connections and 1,024 that never read, opened again when they are cut
    Crowd,
    /// 16,384 `initialize` a second
    Sessions,
    /// 4 sessions with 256 questions each whose connections are closed at once, over and over
    Questions,
    /// All subscriptions taken by one
    Subscriptions,
    /// Half of the crowd's slow ones alone: heads that never end
    Heads,
    /// The other half alone: bodies that never end
    Bodies,
    /// Those of the crowd alone that never read
    Unread,
}

impl Attack {
    const ALL: [Self; 4] = [
        Self::Crowd,
        Self::Sessions,
        Self::Questions,
        Self::Subscriptions,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Crowd => "2,900 slow and 1,024 that never read",
            Self::Sessions => "16,384 `initialize` a second",
            Self::Questions => "4 × 256 abandoned questions",
            Self::Subscriptions => "all subscriptions taken by one",
            Self::Heads => "1,450 heads that never end",
            Self::Bodies => "1,450 bodies that never end",
            Self::Unread => "1,024 that never read",
        }
    }
}

/// What one attack did.
struct Outcome {
    quiet: Record,
    attacked: Record,
    /// MiB.
    idle: f64,
    peak: f64,
    left: f64,
    /// Time until the memory was back, or until that was given up.
    waited: Duration,
    afterwards: Record,
    told: String,
    cpus: Cpus,
}

/// CPUs that were busy on average while the honest client was measured among the attackers.
struct Cpus {
    server: f64,
    /// This process: the attackers and the honest client.
    bench: f64,
    /// Whatever else ran; a run in which this is not close to 0 says little about times.
    others: f64,
}

impl Cpus {
    fn during<T>(server: u32, work: impl FnOnce() -> T) -> Result<(Self, T)> {
        let now = || -> Result<[Duration; 3]> {
            let bench = procfs::cpu_time(std::process::id())?;
            Ok([
                procfs::cpu_time(server)?,
                bench,
                procfs::machine_cpu_time()?,
            ])
        };
        let started = Instant::now();
        let before = now()?;
        let done = work();
        let after = now()?;
        let seconds = started.elapsed().as_secs_f64();
        let of = |at: usize| after[at].saturating_sub(before[at]).as_secs_f64() / seconds;
        let [server, bench, machine] = [of(0), of(1), of(2)];
        let others = (machine - server - bench).max(0.0);
        let cpus = Self {
            server,
            bench,
            others,
        };
        Ok((cpus, done))
    }
}

pub(crate) fn run(artifacts: &Artifacts, plan: &Campaign, report: &mut Report) -> Result<()> {
    allow_open_files()?;
    let attacks = match plan.attacks.as_slice() {
        [] => &Attack::ALL[..],
        named => named,
    };
    report.heading("Attacks")?;
    report.paragraph(&format!(
        "{} s each, after {} s of quiet; the honest client opens a connection for each request and sends some {} a \
         second, of both eras",
        plan.attack_seconds,
        plan.quiet_seconds,
        honest::PER_SECOND
    ))?;
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    for &attack in attacks {
        report::progress(&format!("attack: {}", attack.name()))?;
        // One server that is lost must not hide how the others do.
        match endure(artifacts, attack, plan) {
            Ok(outcome) => {
                rows.push(outcome.row(attack));
                notes.push(outcome.note(attack));
                outcome.set_targets(attack, report);
            }
            Err(error) => {
                notes.push(format!("**{}**: {error}", attack.name()));
                report.target(attack.name(), f64::NAN, 0.0, ", not measured");
            }
        }
    }
    report.table(
        &[
            "attack",
            "honest requests",
            "served within 1 s, %",
            "p50 quiet, ms",
            "p50, ms",
            "p99 quiet, ms",
            "p99, ms",
            "× quiet",
            "RSS idle, MiB",
            "peak",
            "after",
            "after s",
            "verdict",
        ],
        &rows,
    )?;
    for note in &notes {
        report.paragraph(note)?;
    }
    Ok(())
}

/// Raises the limit of this process and of the servers that it starts.
fn allow_open_files() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < OPEN_FILES) {
        if limit.maximum.is_some_and(|maximum| maximum < OPEN_FILES) {
            return Err(format!(
                "the attacks take {OPEN_FILES} open files, and this shell allows fewer: `ulimit -Hn`"
            )
            .into());
        }
        limit.current = Some(OPEN_FILES);
        setrlimit(Resource::Nofile, limit)?;
    }
    Ok(())
}

fn endure(artifacts: &Artifacts, attack: Attack, plan: &Campaign) -> Result<Outcome> {
    let mut command = artifacts.pymcp_http();
    command.args(["--host", "127.0.0.1"]);
    let server = Server::start(command)?;
    let resident = || -> Result<f64> { Ok(procfs::resident_kib(server.pid())? as f64 / 1024.0) };
    let seconds = |seconds: u16| Duration::from_secs(seconds.into());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let honest = |time| runtime.block_on(honest::run(server.address, time));

    let quiet = honest(seconds(plan.quiet_seconds));
    if !quiet.failed.is_empty() {
        return Err(format!("not all was served before the attack: {}", quiet.failures()).into());
    }
    let idle = resident()?;
    let attackers = Attackers::start(attack, server.address)?;
    // The honest client is there from the start, but only what comes later is counted.
    honest(RAMP);
    let (cpus, attacked) = Cpus::during(server.pid(), || honest(seconds(plan.attack_seconds)))?;
    let subscribed = match attack {
        Attack::Subscriptions => Some(runtime.block_on(honest::subscribe(server.address))),
        _ => None,
    };
    let mut told = attackers.stop();
    if let Some(subscribed) = subscribed {
        told += &format!("; one more subscription, of the honest client: {subscribed}");
    }
    let peak = procfs::peak_resident_kib(server.pid())? as f64 / 1024.0;

    let gone = Instant::now();
    // The server has to hear first that they have gone.
    std::thread::sleep(SETTLE);
    let mut left = resident()?;
    while left - idle > LEFT && gone.elapsed() < PATIENCE {
        std::thread::sleep(POLL);
        left = resident()?;
    }
    let waited = gone.elapsed();
    let afterwards = honest(Duration::from_secs(2));
    Ok(Outcome {
        quiet,
        attacked,
        idle,
        peak,
        left,
        waited,
        afterwards,
        told,
        cpus,
    })
}

impl Outcome {
    fn unserved(&self) -> f64 {
        100.0 - self.attacked.served_percent()
    }

    fn slower(&self) -> f64 {
        self.attacked.millis(0.99) / self.quiet.millis(0.99)
    }

    fn unserved_afterwards(&self) -> f64 {
        100.0 - self.afterwards.served_percent()
    }

    fn passed(&self) -> bool {
        self.unserved() <= UNSERVED
            && self.slower() <= SLOWER
            && self.left - self.idle <= LEFT
            && self.unserved_afterwards() <= UNSERVED
    }

    fn row(&self, attack: Attack) -> Vec<String> {
        vec![
            attack.name().to_owned(),
            self.attacked.sent().to_string(),
            format!("{:.1}", self.attacked.served_percent()),
            format!("{:.2}", self.quiet.millis(0.5)),
            format!("{:.2}", self.attacked.millis(0.5)),
            format!("{:.2}", self.quiet.millis(0.99)),
            format!("{:.2}", self.attacked.millis(0.99)),
            format!("{:.1}", self.slower()),
            format!("{:.1}", self.idle),
            format!("{:.1}", self.peak),
            format!("{:.1}", self.left),
            format!("{:.1}", self.waited.as_secs_f64()),
            if self.passed() { "PASS" } else { "FAIL" }.to_owned(),
        ]
    }

    /// What the attackers got done, and why honest requests were not served.
    fn note(&self, attack: Attack) -> String {
        let Cpus {
            server,
            bench,
            others,
        } = self.cpus;
        let mut note = format!(
            "**{}**: {}; CPUs: server {server:.2}, bench {bench:.2}, others {others:.2}",
            attack.name(),
            self.told
        );
        for (when, record) in [
            ("meanwhile", &self.attacked),
            ("afterwards", &self.afterwards),
        ] {
            if !record.failed.is_empty() {
                note += &format!("; {when} not served: {}", record.failures());
            }
        }
        note
    }

    fn set_targets(&self, attack: Attack, report: &mut Report) {
        let name = attack.name();
        let what = |what| format!("{name}: {what}");
        report.target(
            what("not served within 1 s"),
            self.unserved(),
            UNSERVED,
            " %",
        );
        report.target(what("p99"), self.slower(), SLOWER, "× quiet");
        report.target(
            what("memory that stays"),
            self.left - self.idle,
            LEFT,
            " MiB",
        );
        let afterwards = what("not served within 1 s when it is over");
        report.target(afterwards, self.unserved_afterwards(), UNSERVED, " %");
    }
}
