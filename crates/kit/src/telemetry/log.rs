//! Requests and refusals as events of the log, at INFO.
//!
//! A request costs its line, and a server at work writes as many lines as it has requests. What is refused costs
//! whoever sends it next to nothing, so its lines are bounded: [`PER_SECOND`], then a count.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::events::{Refused, Served};

/// Lines about refusals in a second.
const PER_SECOND: u64 = 10;

/// Bytes that are logged of a text that is the client's.
const MAX_TEXT: usize = 128;

/// Bytes that are logged of a trace's, a principal's or a component's name.
const MAX_NAME: usize = 256;

/// What the events below are known by: their target, and their messages.
pub(super) const TARGET: &str = module_path!();
pub(super) const REQUEST: &str = "request";
pub(super) const REFUSAL: &str = "refused";

static REFUSALS: Budget = Budget::new();

/// Whether anybody reads the lines of requests.
pub(super) fn is_on() -> bool {
    tracing::enabled!(tracing::Level::INFO)
}

pub(super) fn served(served: &Served<'_>) {
    if !is_on() {
        return;
    }
    tell_left_out();
    let (client, client_version) = served.client.unzip();
    tracing::info!(
        method = served.method,
        component = served
            .component
            .map(|component| cut(component.name, MAX_NAME)),
        outcome = served.outcome.as_str(),
        code = served.code,
        ms = served.duration.as_micros() as f64 / 1000.0,
        bytes = served.bytes,
        cache = served.cache.map(super::CacheUse::as_str),
        principal = served.principal.map(|name| cut(name, MAX_NAME)),
        session = served.session,
        client = client.map(|name| cut(name, MAX_TEXT)),
        client_version = client_version.map(|version| cut(version, MAX_TEXT)),
        request_id = cut(served.request_id, MAX_TEXT),
        trace_id = served.trace.map(|trace| trace.trace_id()),
        revision = served.revision,
        transport = served.transport.as_str(),
        "{REQUEST}"
    );
}

pub(super) fn refused(refused: &Refused<'_>) {
    if !is_on() || !REFUSALS.take(second()) {
        return;
    }
    tell_left_out();
    tracing::info!(
        reason = refused.reason,
        why = cut(refused.why, MAX_NAME),
        setting = refused.setting(),
        status = refused.status,
        address = refused.address.map(tracing::field::display),
        transport = refused.transport.as_str(),
        "{REFUSAL}"
    );
}

/// Says how many refusals have no line, once their second is over.
fn tell_left_out() {
    let left_out = REFUSALS.left_out(second());
    if left_out > 0 {
        tracing::warn!(left_out, "more was refused than is logged");
    }
}

fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// Seconds since the first call.
fn second() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs()
}

/// So many lines a second, and a count of the others. Atomics only: at the turn of a second a few lines more may pass.
struct Budget {
    /// The second, and the lines in it.
    now: AtomicU64,
    left_out: AtomicU64,
}

/// Bits of [`Budget::now`] that count lines.
const LINES: u32 = 16;

impl Budget {
    const fn new() -> Self {
        Self {
            now: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
        }
    }

    /// Whether there is room for a line in this second.
    fn take(&self, second: u64) -> bool {
        let taken = self
            .now
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
                let lines = match now >> LINES == second {
                    true => now & ((1 << LINES) - 1),
                    false => 0,
                };
                (lines < PER_SECOND).then(|| (second << LINES) | (lines + 1))
            });
        if taken.is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        taken.is_ok()
    }

    /// How many found no room, if that was in a second before this; they are forgotten.
    fn left_out(&self, second: u64) -> u64 {
        let none = self.left_out.load(Ordering::Relaxed) == 0;
        match none || self.now.load(Ordering::Relaxed) >> LINES == second && !self.has_room() {
            true => 0,
            false => self.left_out.swap(0, Ordering::Relaxed),
        }
    }

    fn has_room(&self) -> bool {
        self.now.load(Ordering::Relaxed) & ((1 << LINES) - 1) < PER_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_has_so_many_lines_a_second_and_a_count() {
        let budget = Budget::new();
        for second in [0, 7] {
            let lines = (0..1000).filter(|_| budget.take(second)).count() as u64;
            assert_eq!(lines, PER_SECOND);
            assert_eq!(budget.left_out(second), 0, "the second is not over");
            assert_eq!(budget.left_out(second + 1), 1000 - PER_SECOND);
            assert_eq!(budget.left_out(second + 1), 0);
        }
        assert!(budget.take(8));
        assert_eq!(budget.left_out(8), 0);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
    }
}
