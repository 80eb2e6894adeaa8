//! What one run may use.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bounds of one run. Exceeding one ends the run with [`crate::Kind::Limit`], except that printed
/// output is cut and deep recursion raises `RecursionError`, as Python has it.
///
/// [`Limits::default`] is what a server starts with, [`Limits::MAX`] the most that may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of source. Default 64 KiB, at most 256 KiB.
    pub source: usize,
    /// Bytes of all inputs together, as JSON. Default 1 MiB, at most 4 MiB.
    pub inputs: usize,
    /// Bytes of the value, as JSON. Default 1 MiB, at most 4 MiB.
    pub value: usize,
    /// Bytes of each printed stream; what is beyond is counted and dropped. Default 1 MiB, at most
    /// 4 MiB.
    pub output: usize,
    /// Time from the moment a worker takes the run until it has answered: type check, run and host
    /// calls. Default 5 s, at most 60 s.
    pub time: Duration,
    /// Bytes that the run may allocate. Default 64 MiB, at most 256 MiB.
    pub memory: usize,
    /// Calls inside each other, before `RecursionError`; code can change it for itself, as in any Python, up to what
    /// the stack bears. Default and at most 1,000, which is CPython's.
    pub recursion: usize,
    /// Calls of host functions. Default 100, at most 10,000.
    pub host_calls: usize,
}

impl Limits {
    /// The most that may be asked for; what a worker is confined to is made to fit these.
    pub const MAX: Self = Self {
        source: 256 << 10,
        inputs: 4 << 20,
        value: 4 << 20,
        output: 4 << 20,
        time: Duration::from_secs(60),
        memory: 256 << 20,
        recursion: 1_000,
        host_calls: 10_000,
    };

    /// These limits, none above [`Limits::MAX`].
    #[must_use]
    pub fn clamped(self) -> Self {
        Self {
            source: self.source.min(Self::MAX.source),
            inputs: self.inputs.min(Self::MAX.inputs),
            value: self.value.min(Self::MAX.value),
            output: self.output.min(Self::MAX.output),
            time: self.time.min(Self::MAX.time),
            memory: self.memory.min(Self::MAX.memory),
            recursion: self.recursion.min(Self::MAX.recursion),
            host_calls: self.host_calls.min(Self::MAX.host_calls),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            source: 64 << 10,
            inputs: 1 << 20,
            value: 1 << 20,
            output: 1 << 20,
            time: Duration::from_secs(5),
            memory: 64 << 20,
            recursion: 1_000,
            host_calls: 100,
        }
    }
}

/// A size as people say it: `64 KiB`, `1 MiB`, `100 bytes`.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        n if n >= 1 << 20 && n % (1 << 20) == 0 => format!("{} MiB", n >> 20),
        n if n >= 1 << 10 && n % (1 << 10) == 0 => format!("{} KiB", n >> 10),
        n => format!("{n} bytes"),
    }
}
