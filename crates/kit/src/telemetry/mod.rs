//! Logs: always on stderr, because stdout belongs to the protocol.
//!
//! Whatever happens to stderr harms nobody: whoever writes a line puts it into a bounded queue, and a thread of its own
//! writes it. A line for which there is no room, or which stderr does not take, is counted, and the number is written
//! as soon as stderr takes lines again.

mod queue;

use std::io;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use self::queue::Queue;
use crate::descriptor;

/// How long [`flush`] waits for one write.
const FLUSH: Duration = Duration::from_millis(200);

static STDERR: Queue = Queue::new();

/// Sends logs of `level` and above to stderr, and panics too: where, but not what, since the message
/// of a panic may hold a caller's value. Call it once, before anything else, and [`flush`] at the end.
pub fn init(level: LevelFilter) {
    use std::io::IsTerminal as _;
    let logs = tracing_subscriber::fmt()
        .with_writer(Lines)
        .with_ansi(io::stderr().is_terminal())
        .with_max_level(level)
        // It would print them on stderr, and panic if that fails.
        .log_internal_errors(false)
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
    push(format!("{line}\n").as_bytes());
}

/// Waits until stderr has taken all lines, for 200 ms at most. To be called before the program ends.
pub fn flush() {
    STDERR.flush(FLUSH);
}

fn push(line: &[u8]) {
    static WRITER: OnceLock<()> = OnceLock::new();
    STDERR.push(line);
    // A program that never says anything has no thread for it.
    WRITER.get_or_init(|| {
        let writer = thread::Builder::new().name("stderr".into());
        // Without it the queue fills up, and the program works all the same.
        let _ = writer.spawn(|| STDERR.run(descriptor::stderr()));
    });
}

/// Writes each event as a line to stderr, through the queue: for a subscriber with a format of its own.
#[derive(Debug, Clone, Copy)]
pub struct Lines;

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
