//! Logs: always on stderr, because stdout belongs to the protocol.

use tracing::level_filters::LevelFilter;

/// Sends logs of `level` and above to stderr, and panics too: where, but not what, since the message
/// of a panic may hold a caller's value. Call it once, before anything else.
pub fn init(level: LevelFilter) {
    use std::io::IsTerminal as _;
    let logs = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_max_level(level)
        .finish();
    // Fails only when a logger is there already, which then is the one that the program wants.
    let _ = tracing::subscriber::set_global_default(logs);
    std::panic::set_hook(Box::new(|panic| {
        let location = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(location, "panic");
        tracing::debug!(%panic, "panic");
    }));
}
