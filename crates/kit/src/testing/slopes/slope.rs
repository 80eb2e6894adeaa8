//! The slope of the time over the size.

use std::time::Duration;

/// Bytes that are sent, one after the other.
const SIZES: [usize; 6] = [1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20];

/// The steepest slope of the logarithm of the time over that of the size: 1 is linear, 2 quadratic.
/// What lies between is room for caches and for the allocator.
const STEEPEST: f64 = 1.3;

/// Times below say more of the clock than of the work. What is below up to a megabyte is fast enough,
/// whatever its slope.
const FLOOR: Duration = Duration::from_micros(50);

/// Points of a line; fewer say nothing of its slope.
const POINTS: usize = 3;

/// Nothing larger is tried after a step that took so long.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Nor where the slope is no more than this after a step that took [`ENOUGH`]: most places are as flat
/// as that, and a megabyte for each of them would take minutes.
const FLAT: f64 = 1.1;
const ENOUGH: Duration = Duration::from_millis(3);

/// How often a steep slope is measured again before it counts: a neighbour of the process may have
/// taken its cache.
const RETRIES: usize = 2;

/// What was measured, and what was steep.
#[derive(Default)]
pub struct Slopes {
    measured: usize,
    sloped: usize,
    steep: Vec<String>,
}

impl Slopes {
    /// Times `work` on what `prepare` makes of a size in bytes, from a kilobyte to `most`.
    pub fn place<P>(
        &mut self,
        name: &str,
        most: usize,
        prepare: impl Fn(usize) -> P,
        work: impl Fn(&P),
    ) {
        self.measured += 1;
        for attempt in 0..=RETRIES {
            let points = measure(most, &prepare, &work);
            match slope(&points) {
                None => return,
                Some(slope) if slope <= STEEPEST => {
                    self.sloped += 1;
                    return;
                }
                Some(slope) if attempt == RETRIES => {
                    self.steep.push(format!("{name}: {slope:.2} of {points:?}"));
                }
                Some(_) => {}
            }
        }
    }

    /// Says what was steep. At `least` so many places must have taken long enough for their slope to be known.
    ///
    /// # Panics
    /// When anything was steep, or so little took its time that nothing was tested.
    pub fn finish(self, least: usize) {
        let Self {
            measured,
            sloped,
            steep,
        } = self;
        assert!(
            steep.is_empty(),
            "steeper than {STEEPEST}:\n{}",
            steep.join("\n")
        );
        assert!(
            sloped >= least,
            "only {sloped} of {measured} took long enough to tell"
        );
    }
}

fn measure<P>(
    most: usize,
    prepare: impl Fn(usize) -> P,
    work: impl Fn(&P),
) -> Vec<(usize, Duration)> {
    let mut points = Vec::new();
    for size in SIZES.into_iter().filter(|size| *size <= most) {
        let prepared = prepare(size);
        let time = fastest(|| work(&prepared));
        points.push((size, time));
        // A slow step is the last one, and so is one that is long enough to tell that it is flat.
        let flat = slope(&points).is_some_and(|slope| slope < FLAT);
        if time > PATIENCE || (flat && time > ENOUGH) {
            break;
        }
    }
    points
}

/// The least time of a few runs; of one, where that is long enough to be sure.
fn fastest(work: impl Fn()) -> Duration {
    let mut best = Duration::MAX;
    let mut spent = Duration::ZERO;
    for _ in 0..5 {
        let begin = thread_time();
        work();
        let time = thread_time().saturating_sub(begin);
        best = best.min(time);
        spent += time;
        if spent > Duration::from_millis(3) {
            break;
        }
    }
    best
}

/// Time that this thread has had of a processor: others who use the machine do not count.
#[cfg(unix)]
fn thread_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = Duration::from_secs(time.tv_sec.unsigned_abs());
    seconds + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}

/// Time since the first call, where a thread cannot be asked for its own.
#[cfg(not(unix))]
fn thread_time() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;

    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
    FIRST.elapsed()
}

/// The slope by least squares through the largest points that took long enough.
fn slope(points: &[(usize, Duration)]) -> Option<f64> {
    let long: Vec<(f64, f64)> = points
        .iter()
        .filter(|(_, time)| *time >= FLOOR)
        .map(|(size, time)| ((*size as f64).ln(), time.as_secs_f64().ln()))
        .collect();
    let largest = &long[long.len().checked_sub(POINTS)?..];
    let mean = |of: fn(&(f64, f64)) -> f64| largest.iter().map(of).sum::<f64>() / POINTS as f64;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = largest
        .iter()
        .map(|point| (point.0 - x) * (point.1 - y))
        .sum();
    let variance: f64 = largest.iter().map(|point| (point.0 - x).powi(2)).sum();
    Some(covariance / variance)
}

/// Texts that have cost somebody something.
pub const TEXTS: [&str; 12] = [
    "[",
    "[ ",
    "[/task",
    "{\"a\":",
    "/",
    "\\",
    "%25",
    ",",
    " ",
    "9",
    "=?base64?",
    "e\u{301}\u{301}\u{327}",
];

/// What a message of so many bytes leaves for what is in it.
pub fn room(bytes: usize) -> usize {
    bytes.saturating_sub(1024).max(512)
}

/// So many bytes of a text, again and again.
pub fn repeated(unit: &str, bytes: usize) -> String {
    let written = serde_json::Value::from(unit).to_string().len() - 2;
    unit.repeat((room(bytes) / written).max(1))
}

/// The name of a kind of value, and how it is made of so many bytes.
pub type Tree = (&'static str, fn(usize) -> String);

/// JSON that has cost somebody something, made of so many bytes and within the limits of a message:
/// nested, wide, long, and with much in common.
pub const TREES: [Tree; 15] = [
    ("a list of numbers", |bytes| list("1", bytes)),
    ("a list of texts", |bytes| list("\"1\"", bytes)),
    ("a list of nulls", |bytes| list("null", bytes)),
    ("a list of long numbers", |bytes| {
        list(&"9".repeat(300), bytes)
    }),
    ("a list of lists", |bytes| {
        list(&("[".repeat(50) + &"]".repeat(50)), bytes)
    }),
    ("a list of objects", |bytes| {
        list("{\"a\":null,\"b\":[]}", bytes)
    }),
    ("a list of JSON", |bytes| list("\"[[],{}]\"", bytes)),
    ("a deep list", |bytes| deep("[", "]", bytes)),
    ("a deep object", |bytes| deep("{\"a\":", "}", bytes)),
    ("many members", |bytes| object("", bytes)),
    ("members alike", |bytes| object(&"k".repeat(90), bytes)),
    ("one long key", |bytes| {
        format!("{{\"{}\":1}}", "k".repeat(bytes))
    }),
    ("one long number", |bytes| "9".repeat(bytes)),
    ("JSON as text", |bytes| quoted(&list("1", bytes))),
    ("JSON as text as text", |bytes| {
        format!("[{}]", quoted(&list("{}", bytes)))
    }),
];

fn list(item: &str, bytes: usize) -> String {
    let items = vec![item; (bytes / (item.len() + 1)).clamp(1, 40_000)];
    format!("[{}]", items.join(","))
}

fn object(prefix: &str, bytes: usize) -> String {
    let width = prefix.len() + 12;
    let members: Vec<String> = (0..(bytes / width).clamp(1, 40_000))
        .map(|i| format!("\"{prefix}{i:06}\":0"))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn deep(open: &str, close: &str, bytes: usize) -> String {
    let inner = "x".repeat(bytes.saturating_sub(50 * (open.len() + close.len())));
    format!("{}\"{inner}\"{}", open.repeat(50), close.repeat(50))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_steep_is_found_and_what_is_not_is_not() {
        let text = |size: usize| "[".repeat(size);
        let mut slopes = Slopes::default();
        slopes.place("linear", 1 << 20, text, |text| {
            std::hint::black_box(text.chars().filter(|c| *c == ']').count());
        });
        slopes.finish(1);
        let mut slopes = Slopes::default();
        slopes.place("quadratic", 1 << 14, text, |text| {
            for (place, _) in text.char_indices() {
                std::hint::black_box(text[place..].find(']'));
            }
        });
        assert_eq!(slopes.steep.len(), 1, "{:?}", slopes.steep);
        assert!(slope(&[(1 << 10, FLOOR), (1 << 12, FLOOR)]).is_none());
    }
}
