//! Lines for a person who watches: requests in columns, everything else short.
//!
//! ```text
//! 12:03:04 tools/call greet                 ok                1.2 ms     94 B  ada
//! 12:03:05 tools/call take                  tool_error       12.0 ms    131 B  anonymous
//! 12:03:09 refused: host                    403           The host is none of this server's … (127.0.0.1)
//! ```

use std::fmt::{self, Write as _};

use chrono::Local;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};
use tracing_subscriber::fmt::format::Writer;

use super::format::{Escaped, Fields, Format, colour};
use super::log::{REFUSAL, REQUEST, TARGET};

/// Columns of what was asked: a method and a name of usual length.
const WHAT: usize = 36;

/// Columns of what it came to: `input_required`.
const OUTCOME: usize = 14;

/// Bytes of a kibibyte.
const KIB: f64 = 1024.0;

const DIM: u8 = 2;
const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;

/// Writes an event as a line.
pub(super) fn line(out: &mut Writer<'_>, event: &Event<'_>) -> fmt::Result {
    let time = Local::now().format("%H:%M:%S");
    paint(out, DIM, format_args!("{time}"))?;
    let metadata = event.metadata();
    if metadata.target() == TARGET {
        let mut told = Told::default();
        event.record(&mut told);
        match told.message.as_str() {
            REQUEST => return told.request(out),
            REFUSAL => return told.refusal(out),
            _ => {}
        }
    }
    let level = *metadata.level();
    if level != Level::INFO {
        out.write_char(' ')?;
        paint(out, colour(level), format_args!("{level}"))?;
    }
    Fields::of(out, Format::Text).all(event);
    out.write_char('\n')
}

/// What the event of a request or of a refusal tells.
#[derive(Default)]
struct Told {
    message: String,
    method: String,
    component: String,
    outcome: String,
    code: Option<i64>,
    ms: f64,
    bytes: u64,
    cached: bool,
    principal: String,
    over_http: bool,
    reason: String,
    why: String,
    status: Option<u64>,
    address: String,
}

impl Told {
    fn request(&self, out: &mut Writer<'_>) -> fmt::Result {
        let what = match self.component.is_empty() {
            true => self.method.clone(),
            false => format!("{} {}", self.method, self.component),
        };
        let outcome = match self.code {
            Some(code) => format!("{} {code}", self.outcome),
            None => self.outcome.clone(),
        };
        let colour = match self.outcome.as_str() {
            "ok" => GREEN,
            "tool_error" | "input_required" | "task" | "cancelled" | "disconnected" => YELLOW,
            _ => RED,
        };
        write!(out, " {what:<WHAT$} ")?;
        paint(out, colour, format_args!("{outcome:<OUTCOME$}"))?;
        write!(out, " {:>9} {:>9}", time(self.ms), size(self.bytes))?;
        // A pipe has one client, and nobody else can ask.
        match (self.principal.as_str(), self.over_http) {
            ("", true) => out.write_str("  anonymous")?,
            ("", false) => {}
            (principal, _) => write!(out, "  {principal}")?,
        }
        if self.cached {
            out.write_str("  cached")?;
        }
        out.write_char('\n')
    }

    fn refusal(&self, out: &mut Writer<'_>) -> fmt::Result {
        let what = format!("refused: {}", self.reason);
        let status = self
            .status
            .map_or_else(String::new, |status| status.to_string());
        write!(out, " {what:<WHAT$} ")?;
        paint(out, YELLOW, format_args!("{status:<OUTCOME$}"))?;
        write!(out, " {}", self.why)?;
        if !self.address.is_empty() {
            write!(out, " ({})", self.address)?;
        }
        out.write_char('\n')
    }

    fn text(&mut self, field: &Field, value: impl fmt::Display) {
        let place = match field.name() {
            "message" => &mut self.message,
            "method" => &mut self.method,
            "component" => &mut self.component,
            "outcome" => &mut self.outcome,
            "principal" => &mut self.principal,
            "reason" => &mut self.reason,
            "why" => &mut self.why,
            "address" => &mut self.address,
            _ => return,
        };
        place.clear();
        // A text in memory takes everything.
        let _ = write!(Escaped::new(&mut Writer::new(place), None), "{value}");
    }
}

impl Visit for Told {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "cache" => self.cached = value == "hit",
            "transport" => self.over_http = value == "http",
            _ => self.text(field, value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format_args!("{value:?}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "bytes" => self.bytes = value,
            "status" => self.status = Some(value),
            _ => {}
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if field.name() == "code" {
            self.code = Some(value);
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "ms" {
            self.ms = value;
        }
    }
}

fn paint(out: &mut Writer<'_>, colour: u8, text: fmt::Arguments<'_>) -> fmt::Result {
    match out.has_ansi_escapes() {
        true => write!(out, "\u{1b}[{colour}m{text}\u{1b}[0m"),
        false => write!(out, "{text}"),
    }
}

fn time(ms: f64) -> String {
    match ms {
        ..10_000.0 => format!("{ms:.1} ms"),
        _ => format!("{:.1} s", ms / 1000.0),
    }
}

fn size(bytes: u64) -> String {
    // Of more than 2^53 bytes nobody wants to know the last one.
    let kib = bytes as f64 / KIB;
    match kib {
        ..1.0 => format!("{bytes} B"),
        ..KIB => format!("{kib:.1} KiB"),
        _ => format!("{:.1} MiB", kib / KIB),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_short() {
        for (ms, shown) in [
            (0.04, "0.0 ms"),
            (1.24, "1.2 ms"),
            (9999.0, "9999.0 ms"),
            (61_500.0, "61.5 s"),
        ] {
            assert_eq!(time(ms), shown);
        }
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (3 << 20, "3.0 MiB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }
}
