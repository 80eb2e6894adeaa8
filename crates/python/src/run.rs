//! A run, from outside: what is asked, and what comes of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::host::HostFunctions;
use crate::limits::Limits;

/// What to run.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The source. Its value is that of the last statement at top level, if that is an expression.
    pub code: String,
    /// Names that the code finds defined: a JSON object, with the digits of its numbers as they are.
    pub inputs: Option<Box<RawValue>>,
    /// What errors call the source. Only a label: no file of that name is looked for.
    pub script_name: String,
    /// Whether to check types first, and to run only what the checker does not see fail. A build without
    /// the feature `typecheck` checks none.
    pub check_types: bool,
    /// Declarations for the type checker, as in a `.pyi` file. Inputs that are not declared here
    /// are declared after their values.
    pub stubs: Option<String>,
    /// What the run may use.
    pub limits: Limits,
    /// Functions of the host that the code may call.
    pub host: Arc<HostFunctions>,
    /// Who runs it: any number that is this caller's alone, such as a keyed hash. Callers take turns,
    /// and share the queue.
    pub caller: u64,
}

impl Request {
    /// What errors call the source: the name that was asked for, without what could do more than be
    /// read.
    pub(crate) fn label(&self) -> String {
        const MOST: usize = 100;
        let shown = self.script_name.chars().filter(|c| !c.is_control());
        let label: String = shown.take(MOST).collect();
        match label.trim().is_empty() {
            true => "main.py".to_owned(),
            false => label,
        }
    }
}

/// A run that came to its end.
#[derive(Debug)]
pub struct Outcome {
    /// What the code evaluated to.
    pub value: Value,
    /// What it printed.
    pub stdout: Printed,
    /// What it wrote to standard error.
    pub stderr: Printed,
    /// How long it waited for a worker.
    pub queued: Duration,
    /// How long it took from then on.
    pub duration: Duration,
}

/// A Python value as JSON.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Value {
    /// What a reader is shown: strings as they are, everything else as JSON with exact integers and
    /// `"NaN"`, `"Infinity"` and `"-Infinity"` for floats that are not finite. Nothing for `None` and for an
    /// empty list or tuple.
    pub text: Option<String>,
    /// For a dict or dataclass instance: the same as an object, with decimal strings for integers beyond
    /// ±(2^53 − 1).
    pub object: Option<Box<RawValue>>,
    /// What the type checker has to say of the code that ran all the same: one finding each, with its
    /// place, at most [`MAX_DIAGNOSTICS`] of them and [`MAX_DIAGNOSTICS_SIZE`] bytes together. Empty
    /// when nothing was checked.
    #[serde(default)]
    pub diagnostics: Vec<String>,
}

/// Findings of the type checker that are told, at most.
pub const MAX_DIAGNOSTICS: usize = 20;

/// Bytes of the findings of the type checker that are told, at most.
pub const MAX_DIAGNOSTICS_SIZE: usize = 8 << 10;

/// One output stream of a run.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Printed {
    /// The text, up to the limit.
    pub text: String,
    /// Bytes beyond the limit, which were dropped.
    pub dropped: u64,
}

/// A run without a value.
#[derive(Debug)]
pub struct Failure {
    /// Why.
    pub kind: Kind,
    /// What to tell the author of the code: a traceback, the type checker's findings, or a sentence.
    pub message: String,
    /// What the code printed before.
    pub stdout: Printed,
    /// What it wrote to standard error before.
    pub stderr: Printed,
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            stdout: Printed::default(),
            stderr: Printed::default(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Why a run has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The source is no Python.
    Syntax,
    /// The type checker found what fails when it is run, or cannot check the code.
    Types,
    /// The code raised an exception.
    Exception,
    /// The inputs cannot be given to Python.
    Inputs,
    /// A limit of [`Limits`] was exceeded.
    Limit(Limit),
    /// All workers were busy, and too many runs waited already or this one too long.
    Busy,
    /// The worker died without being told to.
    Crashed,
    /// No worker can be started, or the operating system does not confine it as demanded.
    Unavailable,
}

/// Which limit was exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // as in `Limits`
pub enum Limit {
    Source,
    Inputs,
    Value,
    Time,
    Memory,
    HostCalls,
}
