//! The audit log: a line for each call and each denial, in a file in which nothing can be changed unseen.
//!
//! [`Audit::record`] takes what happened and returns a [`Receipt`] at once; whoever answers the call waits for the receipt
//! first, so that no answer is ahead of its line. A call writes its line itself, and those of calls that come meanwhile, in
//! groups; or a thread does. Each line has the SHA-256 of the line before it ([`Head`]), and
//! [`verify`] finds what was edited, removed, moved or cut. Arguments are in it as their shape and as hashes under a key
//! ([`AuditKey`]), never as values.
//!
//! ```no_run
//! # async fn example(key: &[u8], arguments: &serde_json::Map<String, serde_json::Value>) -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::SystemTime;
//!
//! use pymcp_kit::audit::{Audit, AuditConfig, AuditKey, Entry};
//!
//! let audit = Audit::open(AuditConfig::new("audit.jsonl", AuditKey::new(key)?))?;
//! audit.admit()?; // before the call
//! let mut entry = Entry::new(SystemTime::now(), "http", "tools/call");
//! entry.name = Some("greet");
//! entry.arguments = Some(audit.arguments(arguments));
//! audit.record(&entry).written().await?; // before its answer
//! println!("{}", audit.close());
//! # Ok(())
//! # }
//! ```
//!
//! | file | what it is |
//! | --- | --- |
//! | `entry` | what a line says; its schema |
//! | `key`, `text` | what is said of arguments; text from outside |
//! | `chain`, `digest` | the chain |
//! | `queue`, `direct`, `caution`, `writer`, `file` | the way to the disk |
//! | `verify` | whether a log is as it was written |
//!
//! The page for operators is `docs/audit.md`, with the schema. To say more in a line, add a field to [`Entry`]. A log that
//! goes elsewhere is another `Sink` (`file`).

mod caution;
mod chain;
mod digest;
mod direct;
mod entry;
mod file;
mod key;
mod queue;
#[cfg(test)]
mod tests;
mod text;
mod verify;
mod writer;

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::build_error::BuildError;
use crate::metrics::{Metrics, readings};
use crate::reason::reason;

use self::file::{LogFile, Sink};
use self::queue::{BUSY_BYTES, Queue, Visit, Waits};
use self::writer::{Names, Writer};

pub use self::chain::Head;
pub use self::digest::{BadDigest, Digest};
pub use self::direct::Receipt;
pub use self::entry::{
    Because, Closed, Decision, Entry, Event, Line, MAX_LINE_BYTES, Opened, Outcome, schema,
};
pub use self::key::{Arguments, AuditKey};
pub use self::verify::{Change, Finding, Verified, head, verify};

/// Where the audit log is, and what it does when it cannot be written.
#[derive(Debug, Clone)]
pub struct AuditConfig {
    /// The file. It is made for its owner alone; one that others can write to is refused.
    pub path: PathBuf,
    /// The key of the hashes.
    pub key: AuditKey,
    /// What becomes of calls whose lines cannot be written.
    pub on_failure: OnFailure,
    /// Bytes after which the file is renamed to `<path>.<number of its last line>` and a new one is begun; a file is longer
    /// only by what one group is too long. None for no end.
    pub max_bytes: Option<u64>,
    /// Whether a line counts as written when it is on the disk (`fdatasync` for each group), and not already when the
    /// operating system has it, which outlives the process but not a loss of power.
    pub sync: bool,
    /// Time that a line may take to be written before that counts as a failure.
    pub patience: Duration,
    /// Name and version of the server.
    pub server: String,
}

impl AuditConfig {
    /// Denies calls whose lines cannot be written within 5 s; one file without an end, left to the operating system.
    pub fn new(path: impl Into<PathBuf>, key: AuditKey) -> Self {
        Self {
            path: path.into(),
            key,
            on_failure: OnFailure::Deny,
            max_bytes: None,
            sync: false,
            patience: Duration::from_secs(5),
            server: String::new(),
        }
    }
}

/// More than any line takes; a time that no clock can add would be none.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// What becomes of calls whose lines cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// Nothing is served until a line can be written again. Lines of calls that were under way are kept and written then.
    Deny,
    /// They are served, and the next line says how many are missing before it.
    Continue,
}

/// The line of a call could not be written, so the call is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("The audit log cannot be written, and nothing is served without it.")
    }
}

impl std::error::Error for Refused {}

/// An audit log that is being written. Cheap to clone; clones are the same log.
#[derive(Clone)]
pub struct Audit(Arc<Inner>);

struct Inner {
    queue: Arc<Queue>,
    key: AuditKey,
    on_failure: OnFailure,
    patience: Duration,
    /// Whether callers may write, once one has come that can say so (`direct`).
    is_direct: OnceLock<bool>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The thread must not outlive the log; whoever wants to wait for it calls `close`.
        self.queue.tell(|state| state.closing = true);
    }
}

impl Audit {
    /// Opens the file, goes on with the chain in it, and writes a first line.
    ///
    /// A last line without an end, which a crash leaves, is moved to a file of its own, and the first line says so.
    ///
    /// # Errors
    /// The file cannot be opened or written, others can write to it, another process does, or it is no audit log whose
    /// last line follows the line before it.
    pub fn open(config: AuditConfig) -> Result<Self, BuildError> {
        let shown = config.path.display().to_string();
        let failed = |what: &str| BuildError(format!("The audit log {shown} {what}."));
        let (sink, found) = LogFile::open(&config.path, config.max_bytes, config.sync)
            .map_err(|what| failed(&what))?;
        let because = match found.head {
            Head::NONE => Because::New,
            _ => Because::Restarted,
        };
        Self::start(&config, sink, found.head, because, found.torn)
            .map_err(|error| failed(&format!("cannot be written: {}", reason(&error))))
    }

    fn start(
        config: &AuditConfig,
        sink: impl Sink,
        head: Head,
        because: Because,
        torn: u64,
    ) -> std::io::Result<Self> {
        let names = Names {
            server: config.server.clone(),
            key: config.key.fingerprint(),
        };
        let opened = names.opened(because, None, torn);
        let mut writer = Writer::new(sink, config.on_failure, names, head);
        writer.begin(opened)?;
        let queue = Arc::new(Queue::new(writer));
        let thread = thread::Builder::new().name("audit".into());
        let shared = Arc::clone(&queue);
        thread.spawn(move || writer::run(&shared))?;
        Ok(Self(Arc::new(Inner {
            queue,
            key: config.key.clone(),
            on_failure: config.on_failure,
            patience: config.patience.min(LONGEST),
            // Each group goes to the disk.
            is_direct: if config.sync {
                false.into()
            } else {
                OnceLock::new()
            },
        })))
    }

    /// Whether a call may begin: with [`OnFailure::Deny`] none does while the log cannot be written, or is behind.
    ///
    /// # Errors
    /// It may not.
    pub fn admit(&self) -> Result<(), Refused> {
        match self.0.on_failure == OnFailure::Deny && self.is_failing() {
            true => Err(Refused),
            false => Ok(()),
        }
    }

    /// What a line says of the arguments of a call.
    pub fn arguments(&self, arguments: &Map<String, Value>) -> Arguments {
        self.0.key.arguments(arguments)
    }

    /// Writes the line of a call, where that takes no longer than to copy it; else hands it to the writer, as it does with lines
    /// that no answer waits for. It waits for nobody: with 4 MiB of lines waiting the line is lost, which counts as failed.
    pub fn record(&self, entry: &Entry<'_>) -> Receipt {
        thread_local! {
            static BODY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let log = &self.0;
        let waits = entry.waits();
        let is_direct = waits == Waits::Yes && *log.is_direct.get_or_init(direct::is_possible);
        BODY.with_borrow_mut(|body| {
            body.clear();
            Event::Call(entry).write(body);
            let written = is_direct.then(|| direct::write(&log.queue, body)).flatten();
            match written {
                Some(written) => Receipt::ended(log, written),
                None => match log.queue.push(body, waits) {
                    Some(place) => Receipt::on_its_way(Arc::clone(log), place),
                    None => Receipt::ended(log, false),
                },
            }
        })
    }

    /// The last line that was written.
    pub fn head(&self) -> Head {
        self.0.queue.lock().head
    }

    /// How many lines were lost since the log was opened: a counter for a metric.
    #[allow(clippy::misnamed_getters)] // what is lost since the last line is another number
    pub fn lost(&self) -> u64 {
        self.0.queue.lock().lost_in_all
    }

    /// Whether lines cannot be written at the moment, or wait for longer than they may.
    pub fn is_failing(&self) -> bool {
        let state = self.0.queue.lock();
        let late = |since: Instant| since.elapsed() > self.0.patience;
        state.failing
            || state.ended
            || state.bytes() > BUSY_BYTES
            || state.writing.is_some_and(late)
    }

    /// Has metrics say how far it is and whether it fails, for as long as there is somebody else who has it.
    pub(crate) fn measure(&self, metrics: &[Metrics]) {
        type Number = fn(&Audit) -> u64;
        let numbers: [(_, Number); 3] = [
            (&readings::AUDIT_SEQUENCE, |audit| audit.head().sequence),
            (&readings::AUDIT_FAILING, |audit| audit.is_failing().into()),
            (&readings::AUDIT_LOST, Self::lost),
        ];
        for metrics in metrics {
            for (reading, number) in numbers {
                let audit = Arc::downgrade(&self.0);
                metrics.read(reading, "", move || {
                    audit.upgrade().map_or(0, |audit| number(&Self(audit)))
                });
            }
        }
    }

    /// Goes on in a new file if the file was renamed: to be called when something else rotates it. The new one has to be
    /// empty, or not to be there. It is done before the next line is written; what fails is logged, and the old file goes on.
    pub fn reopen(&self) {
        self.0.queue.tell(|state| state.reopen = true);
    }

    /// Has the thread that writes the log do something, before its next write: for a program that takes rights from each of
    /// its threads. What panics there ends the log.
    pub fn visit_writer(&self, visit: impl FnOnce() + Send + 'static) {
        let visit = Visit(Box::new(visit));
        self.0.queue.tell(|state| state.visit = Some(visit));
    }

    /// Writes what waits and a last line, and returns the head. It blocks, for as long as a line may take at most; what is
    /// recorded later is lost.
    pub fn close(&self) -> Head {
        let queue = &self.0.queue;
        queue.tell(|state| state.closing = true);
        queue.wait_for_end(Instant::now() + self.0.patience);
        self.head()
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit")
            .field("head", &self.head())
            .field("on_failure", &self.0.on_failure)
            .finish_non_exhaustive()
    }
}
