//! What is printed: Markdown tables on stdout, ready for `BENCHMARKS.md`, and a verdict for each target.

use std::fmt;
use std::io::{self, Write};

use crate::procfs;
use crate::rounds::{Lane, Track};
use crate::server::Server;

pub(crate) struct Report {
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
pub(crate) fn progress(line: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{line}")
}

impl Report {
    pub(crate) fn new() -> Self {
        let verdicts = Vec::new();
        Self { verdicts }
    }

    pub(crate) fn heading(&mut self, text: &str) -> io::Result<()> {
        self.paragraph(&format!("### {text}"))
    }

    /// Text with an empty line above, as all blocks have one.
    pub(crate) fn paragraph(&mut self, text: &str) -> io::Result<()> {
        writeln!(io::stdout(), "\n{text}")
    }

    pub(crate) fn machine(&mut self) -> crate::Result<()> {
        Ok(self.paragraph(&procfs::machine()?)?)
    }

    /// Columns as wide as their widest cell, so that the source reads as well as the page.
    pub(crate) fn table(&mut self, head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
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
        writeln!(io::stdout())?;
        for row in [&head, &rule].into_iter().chain(rows) {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, &width)| format!("{cell:width$}"))
                .collect();
            writeln!(io::stdout(), "| {} |", cells.join(" | "))?;
        }
        Ok(())
    }

    /// Every slice's CPU per call, and how busy the rest of the machine was.
    pub(crate) fn raw_rounds(&mut self, lanes: &[Lane<'_>], tracks: &[Track]) -> io::Result<()> {
        self.paragraph("Server CPU in µs per call, round by round:")?;
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
        self.paragraph(&format!(
            "CPUs busy with neither server nor load tool: {foreign:.2}"
        ))
    }

    pub(crate) fn memory(&mut self, when: &str, servers: &[(&str, &Server)]) -> crate::Result<()> {
        self.paragraph(&format!("Resident memory, {when}:"))?;
        let mut rows = Vec::new();
        for (name, server) in servers {
            let mib = procfs::resident_kib(server.pid())? as f64 / 1024.0;
            rows.push(vec![(*name).to_owned(), format!("{mib:.1} MiB")]);
        }
        Ok(self.table(&["process", "RSS"], &rows)?)
    }

    /// Notes a target; at the end it is told whether it was met.
    pub(crate) fn target(
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
    pub(crate) fn verdicts(&mut self) -> io::Result<bool> {
        self.heading("Targets")?;
        writeln!(io::stdout())?;
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
