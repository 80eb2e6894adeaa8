//! Log lines: time, level, the server's name, and what happened.

use std::fmt;

use pymcp_kit::telemetry;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Sends logs of `level` and above to stderr, and panics too.
pub(crate) fn init(name: &str, level: LevelFilter) {
    use std::io::IsTerminal as _;
    let logs = tracing_subscriber::fmt()
        .with_writer(telemetry::Lines)
        .with_ansi(std::io::stderr().is_terminal())
        .with_max_level(level)
        // It would print them on stderr, and panic if that fails.
        .log_internal_errors(false)
        .event_format(Named(name.to_owned()))
        .finish();
    // Fails only when a logger is there already, which then is the one that the program wants.
    let _ = tracing::subscriber::set_global_default(logs);
    telemetry::log_panics();
}

/// Names the program in each line instead of the module that wrote it, which says nothing to an operator.
struct Named(String);

impl<S, N> FormatEvent<S, N> for Named
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        SystemTime.format_time(&mut writer)?;
        let level = *event.metadata().level();
        match writer.has_ansi_escapes() {
            true => write!(writer, " \u{1b}[{}m{level:>5}\u{1b}[0m", colour(level))?,
            false => write!(writer, " {level:>5}")?,
        }
        write!(writer, " {}: ", self.0)?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}
