//! Lines of the log: text for people, JSON for programs.
//!
//! Whatever a field holds, a line is one line: control characters, and those that are invisible or turn the direction
//! of text, are escaped in both, so no client can write to a terminal or forge a line.

use std::fmt::{self, Write as _};
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::terminal;
use crate::text::hidden;
use crate::timestamp::Timestamp;

/// Bytes of one field in a line, as they are escaped; what is longer is cut.
const MAX_FIELD: usize = 8 << 10;

/// The field that holds the sentence of an event.
const MESSAGE: &str = "message";

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Time, level, the server's name, what happened, and `key=value`.
    #[default]
    Text,
    /// An object a line: `time` (RFC 3339, UTC), `level`, `server`, `message`, and `fields`, an object.
    Json,
    /// For a person who watches a terminal: the time of day, and of a request what it was, what it came to, how long it
    /// took, the size of the answer, and who asked. Programs have [`Format::Text`] and [`Format::Json`].
    Terminal {
        /// Whether levels and outcomes have colours.
        colours: bool,
    },
}

/// Writes events as lines that name the server: for a subscriber of `tracing_subscriber::fmt`.
#[derive(Debug, Clone)]
pub struct NamedLines {
    name: String,
    format: Format,
}

impl NamedLines {
    /// Lines of this format, of the server with this name.
    pub fn new(name: impl Into<String>, format: Format) -> Self {
        Self {
            name: name.into(),
            format,
        }
    }

    // A server at work writes a line for each request: so what is a text is written as it is, without `write!`.
    fn text(&self, writer: &mut Writer<'_>, event: &Event<'_>) -> fmt::Result {
        now(writer)?;
        let level = *event.metadata().level();
        let name = match level {
            Level::ERROR => "ERROR",
            Level::WARN => " WARN",
            Level::INFO => " INFO",
            Level::DEBUG => "DEBUG",
            Level::TRACE => "TRACE",
        };
        match writer.has_ansi_escapes() {
            true => write!(writer, " \u{1b}[{}m{name}\u{1b}[0m", colour(level))?,
            false => all(writer, [" ", name])?,
        }
        all(writer, [" ", &self.name, ":"])?;
        Fields::of(writer, Format::Text).all(event);
        writer.write_char('\n')
    }

    fn json(&self, writer: &mut Writer<'_>, event: &Event<'_>) -> fmt::Result {
        writer.write_str("{\"time\":\"")?;
        now(writer)?;
        let level = event.metadata().level().as_str();
        all(writer, ["\",\"level\":\"", level, "\",\"server\":"])?;
        quoted(writer, Format::Json, &self.name)?;
        Fields::of(writer, Format::Json).all(event);
        writer.write_str("}\n")
    }
}

impl<S, N> FormatEvent<S, N> for NamedLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match self.format {
            Format::Text => self.text(&mut writer, event),
            Format::Json => self.json(&mut writer, event),
            Format::Terminal { .. } => terminal::line(&mut writer, event),
        }
    }
}

fn now(writer: &mut Writer<'_>) -> fmt::Result {
    writer.write_str(Timestamp::new(SystemTime::now(), 6).as_str())
}

fn all<const N: usize>(writer: &mut Writer<'_>, texts: [&str; N]) -> fmt::Result {
    texts
        .into_iter()
        .try_for_each(|text| writer.write_str(text))
}

pub(super) fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}

/// The fields of one event: first the message, then the others.
pub(super) struct Fields<'a, 'w> {
    out: &'a mut Writer<'w>,
    format: Format,
    /// Which of the two is written at the moment.
    message: bool,
    /// Whether something of it is written already.
    some: bool,
    /// Whether the others follow at once.
    together: bool,
}

impl<'a, 'w> Fields<'a, 'w> {
    pub(super) fn of(out: &'a mut Writer<'w>, format: Format) -> Self {
        Self {
            out,
            format,
            message: true,
            some: false,
            together: false,
        }
    }

    // What is written to is a buffer in memory, which takes everything.
    pub(super) fn all(&mut self, event: &Event<'_>) {
        self.put(",\"message\":");
        // It is the first one of an event that a macro made.
        let first = event.fields().next();
        self.together = first.is_some_and(|field| field.name() == MESSAGE);
        event.record(self);
        if self.message {
            self.end_message();
            if !self.together {
                event.record(self);
            }
        }
        self.put("}");
    }

    fn put(&mut self, json: &str) {
        if self.format == Format::Json {
            let _ = self.out.write_str(json);
        }
    }

    fn end_message(&mut self) {
        if !self.some {
            self.put("\"\"");
        }
        (self.message, self.some) = (false, false);
        self.put(",\"fields\":{");
    }

    /// Begins a field, if it is to be written now.
    fn begin(&mut self, field: &Field) -> bool {
        let name = field.name();
        let is_message = name == MESSAGE;
        if self.message && !is_message && self.together {
            self.end_message();
        }
        if is_message != self.message {
            return false;
        }
        let _ = match (self.format, self.message) {
            (Format::Json, true) => Ok(()),
            (_, true) => self.out.write_char(' '),
            (Format::Text | Format::Terminal { .. }, false) => all(self.out, [" ", name, "="]),
            (Format::Json, false) => {
                let comma = if self.some { "," } else { "" };
                all(self.out, [comma, "\"", name, "\":"])
            }
        };
        self.some = true;
        true
    }

    fn plain(&mut self, field: &Field, value: impl fmt::Display) {
        if self.begin(field) {
            // A message is a text.
            let is_text = self.message && self.format == Format::Json;
            let _ = match is_text {
                true => write!(self.out, "\"{value}\""),
                false => write!(self.out, "{value}"),
            };
        }
    }
}

impl Visit for Fields<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if !self.begin(field) {
            return;
        }
        let _ = match (self.format, self.message) {
            (Format::Text | Format::Terminal { .. }, true) => {
                Escaped::new(self.out, None).write_str(value)
            }
            (format, _) => quoted(self.out, format, value),
        };
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if !self.begin(field) {
            return;
        }
        let _ = match self.format {
            Format::Text | Format::Terminal { .. } => {
                write!(Escaped::new(self.out, None), "{value:?}")
            }
            Format::Json => {
                let _ = self.out.write_char('"');
                let _ = write!(Escaped::new(self.out, Some(Format::Json)), "{value:?}");
                self.out.write_char('"')
            }
        };
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        match value.is_finite() || self.format != Format::Json {
            true => self.plain(field, value),
            // JSON has no such numbers.
            false => self.plain(field, "null"),
        }
    }
}

fn quoted(out: &mut Writer<'_>, format: Format, text: &str) -> fmt::Result {
    out.write_char('"')?;
    Escaped::new(out, Some(format)).write_str(text)?;
    out.write_char('"')
}

/// Writes text so that it stays within its line, and is seen as what it is.
pub(super) struct Escaped<'a, 'w> {
    out: &'a mut Writer<'w>,
    /// Of what it is a part that stands in quotes, if it does.
    quoted: Option<Format>,
    left: usize,
}

impl<'a, 'w> Escaped<'a, 'w> {
    pub(super) fn new(out: &'a mut Writer<'w>, quoted: Option<Format>) -> Self {
        Self {
            out,
            quoted,
            left: MAX_FIELD,
        }
    }

    fn escape(&mut self, c: char) -> fmt::Result {
        let mut units = [0; 2];
        match (c, self.quoted) {
            ('"' | '\\', _) => write!(self.out, "\\{c}"),
            ('\n', _) => self.out.write_str("\\n"),
            ('\r', _) => self.out.write_str("\\r"),
            ('\t', _) => self.out.write_str("\\t"),
            (_, Some(Format::Json)) => c
                .encode_utf16(&mut units)
                .iter()
                .try_for_each(|unit| write!(self.out, "\\u{unit:04x}")),
            _ => write!(self.out, "{}", c.escape_unicode()),
        }
    }
}

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() <= self.left && is_plain(text) {
            self.left -= text.len();
            return self.out.write_str(text);
        }
        let within = text.floor_char_boundary(self.left);
        let (mut text, cut) = (&text[..within], within < text.len());
        let in_quotes = self.quoted.is_some();
        while let Some(at) = text.find(|c| must_be_escaped(c, in_quotes)) {
            self.out.write_str(&text[..at])?;
            let mut rest = text[at..].chars();
            rest.next().map_or(Ok(()), |c| self.escape(c))?;
            text = rest.as_str();
        }
        self.out.write_str(text)?;
        if cut && self.left > 0 {
            self.out.write_char('…')?;
        }
        self.left = if cut { 0 } else { self.left - within };
        Ok(())
    }
}

/// Whether nothing of it has to be escaped, as of nearly every text. All of it is looked at, which is quicker than to stop.
fn is_plain(text: &str) -> bool {
    text.bytes().fold(true, |plain, byte| {
        plain & matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\')
    })
}

/// Control characters, what no one sees, and what Rust has no glyph for.
fn must_be_escaped(c: char, in_quotes: bool) -> bool {
    match c {
        '"' | '\\' => in_quotes,
        ' '..='~' => false,
        _ => hidden(c).is_some() || c.escape_debug().len() > 1,
    }
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
