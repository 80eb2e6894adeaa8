//! Whether a log is as it was written.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::chain::Head;
use super::digest::Digest;
use super::entry::{Because, MAX_LINE_BYTES};

/// Findings that are kept.
const MAX_FINDINGS: usize = 100;

/// The members of a line that make the chain.
#[derive(Debug, Deserialize)]
pub(super) struct Link {
    pub(super) sequence: u64,
    pub(super) previous: Digest,
    kind: Kind,
    because: Option<Because>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Opened,
    Call,
    Closed,
}

impl Link {
    /// Reads a line with its line feed; none if it is no line of an audit log.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let line = line.strip_suffix(b"\n")?;
        let link: Self = serde_json::from_slice(line).ok()?;
        // No log has come so far, and the numbers after it are still some.
        let is_number = (1..=u64::MAX / 2).contains(&link.sequence);
        (is_number && line.len() < MAX_LINE_BYTES).then_some(link)
    }

    /// Whether it is the first line of a file.
    pub(super) fn begins_a_file(&self) -> bool {
        let first = match self.because {
            Some(Because::New) => self.begins_a_chain(),
            Some(Because::Rotated | Because::Reopened) => !self.begins_a_chain(),
            Some(Because::Restarted) | None => false,
        };
        self.kind == Kind::Opened && first
    }

    fn begins_a_chain(&self) -> bool {
        self.sequence == 1 && self.previous == Digest::NONE
    }
}

/// What was found of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// What is not as it was written, in the order of the lines: at most 100.
    pub findings: Vec<Finding>,
    /// Lines that were read.
    pub lines: u64,
    /// Number of the first line: beyond 1 if the log goes on from a file that was not looked at; 0 for none.
    pub first: u64,
    /// The last line.
    pub head: Head,
    /// Whether the server said that it ended.
    pub closed: bool,
    /// Lines after the one that was expected; none if none was, or if it was not found.
    pub after_expected: Option<u64>,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// The line in the file, from 1.
    pub line: u64,
    /// What it is.
    pub change: Change,
}

/// What is not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// It is no line of an audit log.
    Unreadable,
    /// It has no end.
    CutOff,
    /// The line after it has another hash of it.
    Edited,
    /// Its number is not the one after that of the line before, whose hash it has.
    Renumbered,
    /// Lines are missing before it: how many.
    Missing(u64),
    /// It is the first line of the first file, and none that begins one: what was before it is missing.
    Beginning,
    /// It belongs before the line that it follows, or is there twice.
    Misplaced,
    /// A new chain begins, as if nothing had been before.
    NewChain,
    /// It is the last one, and none has the hash that was expected.
    OtherHead,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: ", self.file.display(), self.line)?;
        match self.change {
            Change::Unreadable => f.write_str("this is no line of an audit log; it was edited"),
            Change::CutOff => f.write_str("this line is cut off"),
            Change::Edited => f.write_str("this line was edited: the line after it has another hash of it"),
            Change::Renumbered => f.write_str("the number of this line was edited"),
            Change::Missing(1) => f.write_str("a line is missing before this one"),
            Change::Missing(lines) => write!(f, "{lines} lines are missing before this one"),
            Change::Beginning => f.write_str("the lines before this one are missing"),
            Change::Misplaced => f.write_str("this line is out of place"),
            Change::NewChain => f.write_str("a new chain begins here, which does not follow the line before"),
            Change::OtherHead => f.write_str(
                "no line up to this last one has the expected head: the log was rewritten, or cut before it",
            ),
        }
    }
}

/// Reads the files of a log, the oldest first, and looks for what is not as it was written.
///
/// What comes after the last line that is known from elsewhere can be changed by whoever knows the rules: the last line
/// can be edited, lines at the end can be cut, and a log can be rewritten as a whole. `expected` is the hash of a line
/// ([`Head`]) that was kept elsewhere; all up to that line is then certain.
///
/// # Errors
/// A file cannot be read, which is no finding.
pub fn verify<P: AsRef<Path>>(
    files: impl IntoIterator<Item = P>,
    expected: Option<Digest>,
) -> Result<Verified, (PathBuf, io::Error)> {
    let mut reading = Reading {
        verified: Verified {
            findings: Vec::new(),
            lines: 0,
            first: 0,
            head: Head::NONE,
            closed: false,
            after_expected: None,
        },
        expected,
        last: None,
        file: PathBuf::new(),
    };
    for path in files {
        let path = path.as_ref();
        reading
            .file(path)
            .map_err(|error| (path.to_owned(), error))?;
    }
    Ok(reading.end())
}

/// The last line of a log, which is not verified.
///
/// # Errors
/// The file cannot be read, or its last whole line is none of an audit log.
pub fn head(path: impl AsRef<Path>) -> io::Result<Head> {
    let mut file = BufReader::new(File::open(path)?);
    let (mut line, mut last) = (Vec::new(), Vec::new());
    while read_line(&mut file, &mut line)? {
        if line.ends_with(b"\n") {
            std::mem::swap(&mut line, &mut last);
        }
    }
    let no_log = || io::Error::new(io::ErrorKind::InvalidData, "it is no audit log");
    let link = Link::read(&last).ok_or_else(no_log)?;
    Ok(Head {
        sequence: link.sequence,
        hash: Digest::of(&last),
    })
}

struct Reading {
    verified: Verified,
    expected: Option<Digest>,
    /// File and number of the last line.
    last: Option<(PathBuf, u64)>,
    /// The last file, which may have no line.
    file: PathBuf,
}

impl Reading {
    fn file(&mut self, path: &Path) -> io::Result<()> {
        let mut file = BufReader::new(File::open(path)?);
        path.clone_into(&mut self.file);
        let (mut line, mut number) = (Vec::new(), 0);
        while read_line(&mut file, &mut line)? {
            number += 1;
            self.line(path, number, &line);
        }
        Ok(())
    }

    fn line(&mut self, path: &Path, number: u64, line: &[u8]) {
        let first_of_all = self.last.is_none();
        let here = (path.to_owned(), number);
        let before = self.last.replace(here).unwrap_or_default();
        let head = self.verified.head;
        let hash = Digest::of(line);
        let mut sequence = head.sequence + 1;
        let link = Link::read(line);
        self.verified.closed = link.as_ref().is_some_and(|link| link.kind == Kind::Closed);
        match link {
            _ if !line.ends_with(b"\n") && line.len() <= MAX_LINE_BYTES => {
                self.find((path, number), Change::CutOff);
            }
            None => self.find((path, number), Change::Unreadable),
            Some(link) => {
                sequence = link.sequence;
                let follows = link.previous == head.hash;
                let due = head.sequence + 1;
                if first_of_all {
                    self.verified.first = sequence;
                    if !link.begins_a_file() {
                        self.find((path, number), Change::Beginning);
                    }
                } else if link.begins_a_chain() {
                    self.find((path, number), Change::NewChain);
                } else if follows && sequence != due {
                    sequence = due;
                    self.find((path, number), Change::Renumbered);
                } else if sequence < due {
                    self.find((path, number), Change::Misplaced);
                } else if sequence > due {
                    self.find((path, number), Change::Missing(sequence - due));
                } else if !follows {
                    self.find((&before.0, before.1), Change::Edited);
                } else if number == 1 && !link.begins_a_file() {
                    self.find((path, number), Change::Beginning);
                }
            }
        }
        self.verified.lines += 1;
        self.verified.head = Head { sequence, hash };
        match &mut self.verified.after_expected {
            Some(after) => *after += 1,
            None if self.expected == Some(hash) => self.verified.after_expected = Some(0),
            None => {}
        }
    }

    fn find(&mut self, (file, line): (&Path, u64), change: Change) {
        let findings = &mut self.verified.findings;
        // One thing is said of a line, and that is what was found first.
        let known = |known: &Finding| known.file == file && known.line == line;
        if findings.len() < MAX_FINDINGS && !findings.last().is_some_and(known) {
            findings.push(Finding {
                file: file.to_owned(),
                line,
                change,
            });
        }
    }

    fn end(mut self) -> Verified {
        if self.expected.is_some() && self.verified.after_expected.is_none() {
            let (file, line) = self.last.take().unwrap_or((self.file, 0));
            self.verified.findings.truncate(MAX_FINDINGS - 1);
            self.verified.findings.push(Finding {
                file,
                line,
                change: Change::OtherHead,
            });
        }
        self.verified
    }
}

/// Reads a line with its end; of one that is too long so much that this can be seen. False at the end of the file.
fn read_line(file: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    file.by_ref()
        .take(MAX_LINE_BYTES as u64 + 1)
        .read_until(b'\n', line)?;
    if line.len() > MAX_LINE_BYTES && !line.ends_with(b"\n") {
        // What is left of it is none of the next line.
        loop {
            let rest = file.fill_buf()?;
            let Some(at) = memchr::memchr(b'\n', rest) else {
                let length = rest.len();
                file.consume(length);
                if length == 0 {
                    break;
                }
                continue;
            };
            file.consume(at + 1);
            break;
        }
    }
    Ok(!line.is_empty())
}
