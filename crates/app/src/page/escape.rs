//! Text on the page: no character of it is markup, and none is hidden.
//!
//! What a server lists may come from anywhere (another server, a document), so nobody is trusted to have written it. A
//! character that nobody sees, or that turns the direction of what follows, is written as its code, `[U+202E]`.

use std::fmt::{self, Write};

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Output, State, Value};
use pymcp_kit::text::marked;

/// Writes each value of a template. Only what [`Value::from_safe_string`] made is markup.
pub(super) fn formatter(
    out: &mut Output<'_>,
    _: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    let written = match value.kind() {
        ValueKind::String if value.is_safe() => out.write_str(value.as_str().unwrap_or_default()),
        ValueKind::String => write_text(out, value.as_str().unwrap_or_default()),
        ValueKind::Number => write!(out, "{value}"),
        kind => {
            return Err(Error::new(
                ErrorKind::InvalidOperation,
                format!("a template writes a value that is no text: {kind}"),
            ));
        }
    };
    written.map_err(Error::from)
}

/// Writes text into an element, or into an attribute between double quotes.
pub(super) fn write_text(out: &mut impl Write, text: &str) -> fmt::Result {
    for (c, hidden) in marked(text) {
        match c {
            '&' => out.write_str("&amp;")?,
            '<' => out.write_str("&lt;")?,
            '>' => out.write_str("&gt;")?,
            '"' => out.write_str("&quot;")?,
            '\'' => out.write_str("&#39;")?,
            c if hidden.is_some() => write!(out, "[U+{:04X}]", u32::from(c))?,
            // Of the end of a line, as some systems write it.
            '\r' => {}
            c => out.write_char(c)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> String {
        let mut out = String::new();
        write_text(&mut out, text).unwrap();
        out
    }

    #[test]
    fn nothing_is_markup_and_nothing_is_hidden() {
        for (from, to) in [
            ("", ""),
            ("plain é 漢 שלום\n\tnext", "plain é 漢 שלום\n\tnext"),
            (
                "<script>alert('x')</script>",
                "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;",
            ),
            ("\" onload=\"x", "&quot; onload=&quot;x"),
            ("&lt;", "&amp;lt;"),
            ("a\r\nb\rc", "a\nb[U+000D]c"),
            (
                "\0\u{1b}[31m\u{7f}\u{9b}",
                "[U+0000][U+001B][31m[U+007F][U+009B]",
            ),
            (
                "\u{202e}txt.exe\u{2066}\u{200b}",
                "[U+202E]txt.exe[U+2066][U+200B]",
            ),
            ("\u{feff}a\u{ad}\u{e0041}", "[U+FEFF]a[U+00AD][U+E0041]"),
            // A heart in colour, a person at a computer, a key cap, a Persian word.
            (
                "❤\u{fe0f} 👩\u{200d}💻 1\u{fe0f}\u{20e3}",
                "❤\u{fe0f} 👩\u{200d}💻 1\u{fe0f}\u{20e3}",
            ),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("a\u{200d}\u{200c}", "a[U+200D][U+200C]"),
            ("❤\u{fe0f}\u{fe0e}", "❤\u{fe0f}[U+FE0E]"),
        ] {
            assert_eq!(text(from), to, "{from:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_stays_text(from: String) {
            let to = text(&from);
            let raw = to.contains(['<', '>', '"', '\'', '\0', '\u{202e}', '\u{200b}']);
            prop_assert!(!raw, "{}", to);
            let entities = to.split('&').skip(1);
            for entity in entities {
                let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
                prop_assert!(known.iter().any(|known| entity.starts_with(known)), "{to}");
            }
        }
    }
}
