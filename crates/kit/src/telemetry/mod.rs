//! What happened: logs, events of requests and refusals, trace context.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `events` | [`Served`] and [`Refused`], one of them for each message; [`Observer`], for whoever wants to hear of them |
//! | `log` | these as lines of the log |
//! | `format` | lines as text or JSON, in which nothing of a client's can do harm |
//! | `queue` | lines on their way to stderr |
//! | `terminal` | lines for a person who watches |
//! | `trace` | W3C trace context, and requests as spans of traces |
//!
//! Logs go to stderr, always, because stdout belongs to the protocol.
//! Whatever happens to stderr harms nobody: whoever writes a line puts it into a bounded queue, and a thread of its own
//! writes it. A line for which there is no room, or which stderr does not take, is counted, and the number is written
//! as soon as stderr takes lines again.

mod events;
mod format;
mod log;
mod queue;
mod terminal;
mod trace;

use std::io;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use self::queue::Queue;
use crate::descriptor;

pub use events::{CacheUse, ComponentName, Lasting, Observer, Outcome, Refused, Served, Transport};
pub(crate) use events::{Observers, Open};
pub use format::{Format, NamedLines};
pub(crate) use trace::Traced;
pub use trace::{Span, TraceContext};

/// How long [`flush`] waits for one write.
const FLUSH: Duration = Duration::from_millis(200);

static STDERR: Queue = Queue::new();

/// Sends logs of `level` and above to stderr as lines of the server with this name, and panics too: where, but not what,
/// since the message of a panic may hold a caller's value. Call it once, before anything else, and [`flush`] at the end.
pub fn init(name: &str, level: LevelFilter, format: Format) {
    use std::io::IsTerminal as _;
    let colours = match format {
        Format::Terminal { colours } => colours,
        Format::Text | Format::Json => io::stderr().is_terminal(),
    };
    let logs = tracing_subscriber::fmt()
        .with_writer(Lines { urgent: true })
        .with_ansi(colours)
        .with_max_level(level)
        // It would print them on stderr, and panic if that fails.
        .log_internal_errors(false)
        .event_format(NamedLines::new(name, format))
        .finish();
    // Fails only when a logger is there already, which then is the one that the program wants.
    let _ = tracing::subscriber::set_global_default(logs);
    log_panics();
}

/// Logs panics from now on: where, but not what, since the message of a panic may hold a caller's value.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(location, "panic");
        tracing::debug!(%panic, "panic");
    }));
}

/// Writes a line to stderr among the logs, at any level: what people and programs look for.
pub fn say(line: &str) {
    push(format!("{line}\n").as_bytes(), true);
}

/// Waits until stderr has taken all lines, for 200 ms at most. To be called before the program ends.
pub fn flush() {
    STDERR.flush(FLUSH);
}

/// Lines that were lost so far, because stderr did not take them.
pub fn lines_lost() -> u64 {
    STDERR.lost()
}

/// Has the thread that writes to stderr do something, before its next write: for a program that takes rights from each of
/// its threads. What panics there ends the log. `false` where nothing was written yet, so that there is no such thread.
pub fn visit_writer(visit: impl FnOnce() + Send + 'static) -> bool {
    let runs = WRITER.get().is_some();
    if runs {
        STDERR.visit(Box::new(visit));
    }
    runs
}

/// Whether there is a thread that writes.
static WRITER: OnceLock<()> = OnceLock::new();

fn push(line: &[u8], urgent: bool) {
    STDERR.push(line, urgent);
    // A program that never says anything has no thread for it.
    WRITER.get_or_init(|| {
        let writer = thread::Builder::new().name("stderr".into());
        // Without it the queue fills up, and the program works all the same.
        let _ = writer.spawn(|| STDERR.run(descriptor::stderr()));
    });
}

/// Writes each event as a line to stderr, through the queue: for a subscriber with a format of its own. Warnings and errors
/// go at once; what is below them may wait some milliseconds for others, to be written with them.
#[derive(Debug, Clone, Copy)]
pub struct Lines {
    /// Whether a line whose level is not known goes at once.
    pub urgent: bool,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }

    fn make_writer_for(&'a self, event: &tracing::Metadata<'_>) -> Self {
        Self {
            urgent: *event.level() <= tracing::Level::WARN,
        }
    }
}

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        push(line, self.urgent);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
