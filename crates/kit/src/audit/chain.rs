//! The chain: each line has the number and the hash of the line before it.

use std::fmt;

use super::digest::Digest;
use super::entry::MAX_LINE_BYTES;

/// The last line of a log: where it was, whoever changes the log and knows the rules cannot say what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of the line; 0 for none.
    pub sequence: u64,
    /// SHA-256 of the line with its line feed; [`Digest::NONE`] for none.
    pub hash: Digest,
}

impl Head {
    /// That of a chain without a line.
    pub const NONE: Self = Self {
        sequence: 0,
        hash: Digest::NONE,
    };
}

/// The hash, and the number after a space.
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.hash, self.sequence)
    }
}

/// Bytes of a line that are the chain's at most: `{"sequence":…,"previous":"…","lost":…,"withheld":true,` and the end.
pub(super) const MAX_OWN_BYTES: usize = 192;

/// What is said of a line beside its event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// Lines that were lost before it.
    pub(super) lost: u64,
    /// Whether the answer was withheld.
    pub(super) withheld: bool,
}

impl Head {
    /// Writes the line that follows, with the members of an event's object, and returns its head.
    pub(super) fn follow(self, marks: Marks, body: &[u8], out: &mut Vec<u8>) -> Self {
        debug_assert!(body.len() + MAX_OWN_BYTES <= MAX_LINE_BYTES);
        let begin = out.len();
        let sequence = self.sequence + 1;
        out.extend_from_slice(b"{\"sequence\":");
        out.extend_from_slice(sequence.to_string().as_bytes());
        out.extend_from_slice(b",\"previous\":\"");
        out.extend_from_slice(&self.hash.hex());
        out.push(b'"');
        if marks.lost > 0 {
            out.extend_from_slice(format!(",\"lost\":{}", marks.lost).as_bytes());
        }
        if marks.withheld {
            out.extend_from_slice(b",\"withheld\":true");
        }
        out.push(b',');
        out.extend_from_slice(body.strip_prefix(b"{").unwrap_or(body));
        out.push(b'\n');
        Self {
            sequence,
            hash: Digest::of(&out[begin..]),
        }
    }
}
