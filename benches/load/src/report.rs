//! What is printed: Markdown tables on stdout, ready for `BENCHMARKS.md`, and a verdict for each target.

use std::fmt;
use std::io::{self, Write};

use crate::procfs;
use crate::rounds::{Lane, Track};
use crate::server::Server;

pub struct Report {
    verdicts: Vec<Verdict>,
}

struct Verdict {
    what: String,
    measured: f64,
    limit: f64,
    unit: &'static str,
}

impl Verdict {
    /// NaN, which no measurement should be, is a miss.
    fn met(&self) -> bool {
        self.measured <= self.limit
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.met() { "PASS" } else { "MISS" };
        let Self {
            what,
            measured,
            limit,
            unit,
        } = self;
        write!(
            f,
            "{word}  {what}: {measured:.2}{unit} (target ≤ {limit}{unit})"
        )
    }
}

/// Tells a person who waits what is going on.
pub fn progress(line: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{line}")
}

impl Report {
    pub fn new() -> Self {
        let verdicts = Vec::new();
        Self { verdicts }
    }

    pub fn heading(&mut self, text: &str) -> io::Result<()> {
        self.line(&format!("\n## {text}\n"))
    }

    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(io::stdout(), "{text}")
    }

    pub fn machine(&mut self) -> crate::Result<()> {
        Ok(self.line(&procfs::machine()?)?)
    }

    /// Columns as wide as their widest cell, so that the source reads as well as the page.
    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
        let widths: Vec<usize> = (0..head.len())
            .map(|column| {
                let cells = rows
                    .iter()
                    .chain([&head])
                    .map(|row| row[column].chars().count());
                cells.max().unwrap_or_default()
            })
            .collect();
        let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
        for row in [&head, &rule].into_iter().chain(rows) {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, &width)| format!("{cell:width$}"))
                .collect();
            self.line(&format!("| {} |", cells.join(" | ")))?;
        }
        Ok(())
    }

    /// Every slice's CPU per call, and how busy the rest of the machine was.
    pub fn raw_rounds(&mut self, lanes: &[Lane<'_>], tracks: &[Track]) -> io::Result<()> {
        self.line("\nServer CPU in µs per call, round by round:\n")?;
        let rows: Vec<Vec<String>> = lanes
            .iter()
            .zip(tracks)
            .map(|(lane, track)| {
                let rounds = track
                    .0
                    .iter()
                    .map(|sample| format!("{:.1}", sample.cpu_micros));
                vec![lane.name.to_owned(), rounds.collect::<Vec<_>>().join(" ")]
            })
            .collect();
        self.table(&["call", "rounds"], &rows)?;
        let foreign = tracks.iter().flat_map(|track| &track.0);
        let foreign = crate::stats::Spread::of(foreign.map(|sample| sample.foreign_cpus));
        self.line(&format!(
            "\nCPUs busy with neither server nor load tool: {foreign:.2}"
        ))
    }

    pub fn memory(&mut self, when: &str, servers: &[(&str, &Server)]) -> crate::Result<()> {
        self.line(&format!("\nResident memory, {when}:\n"))?;
        let mut rows = Vec::new();
        for (name, server) in servers {
            let mib = procfs::resident_kib(server.pid())? as f64 / 1024.0;
            rows.push(vec![(*name).to_owned(), format!("{mib:.1} MiB")]);
        }
        Ok(self.table(&["process", "RSS"], &rows)?)
    }

    /// Notes a target; at the end it is told whether it was met.
    pub fn target(
        &mut self,
        what: impl Into<String>,
        measured: f64,
        limit: f64,
        unit: &'static str,
    ) {
        let what = what.into();
        self.verdicts.push(Verdict {
            what,
            measured,
            limit,
            unit,
        });
    }

    /// Prints all verdicts; true when no target was missed.
    pub fn verdicts(&mut self) -> io::Result<bool> {
        self.heading("Targets")?;
        for verdict in &self.verdicts {
            writeln!(io::stdout(), "- {verdict}")?;
        }
        Ok(self.verdicts.iter().all(Verdict::met))
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict;

    fn verdict(measured: f64) -> Verdict {
        Verdict {
            what: "a thing".to_owned(),
            measured,
            limit: 1.5,
            unit: "× axum",
        }
    }

    #[test]
    fn a_target_is_met_up_to_its_limit() {
        assert!(verdict(1.5).met());
        assert!(!verdict(1.51).met());
        assert!(!verdict(f64::NAN).met());
    }
}
