//! Text from outside in the lines: of a bounded length, and without a character that a terminal would act on.

use std::borrow::Cow;
use std::io;

use serde::{Serialize, Serializer};

use crate::text::hidden;

/// Ends a text that was cut.
pub(super) const CUT: char = '…';

/// Writes JSON whose strings have what nobody sees, or what turns text around, as escapes: all of it, and not only the
/// controls below U+0020, for which JSON asks (RFC 8259 §7).
struct Plain;

impl serde_json::ser::Formatter for Plain {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if is_plain(fragment) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some(at) = rest.find(|c| hidden(c).is_some()) {
            let (shown, hidden) = rest.split_at(at);
            writer.write_all(shown.as_bytes())?;
            let mut chars = hidden.chars();
            if let Some(c) = chars.next() {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            rest = chars.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

/// Whether nothing of it is escaped or wider than a byte, as of nearly every text: names, hashes, times. All of it is looked
/// at, which is quicker than to stop.
fn is_plain(text: &str) -> bool {
    text.bytes().fold(true, |plain, byte| {
        plain & matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\')
    })
}

/// Writes a value as JSON, each string of it escaped.
pub(super) fn write(value: &impl Serialize, out: &mut Vec<u8>) {
    let mut serializer = serde_json::Serializer::with_formatter(out, Plain);
    // What is written here has string keys only, and memory takes everything.
    let _ = value.serialize(&mut serializer);
}

/// Bytes that a character takes at most when it is written.
fn width(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\t' => 2,
        c if hidden(c).is_some() => 6 * c.len_utf16(),
        c => c.len_utf8(),
    }
}

/// The text, or its beginning with [`CUT`], so that it takes at most `most` bytes when it is written.
pub(super) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    // No character takes more than six times its bytes.
    if text.len().saturating_mul(6) <= most || text.len() <= most && is_plain(text) {
        return Cow::Borrowed(text);
    }
    let room = most.saturating_sub(CUT.len_utf8());
    let (mut taken, mut end) = (0, 0);
    for (at, c) in text.char_indices() {
        taken += width(c);
        if taken <= room {
            end = at + c.len_utf8();
        } else if taken > most {
            return Cow::Owned(format!("{}{CUT}", &text[..end]));
        }
    }
    Cow::Borrowed(text)
}

/// For `serialize_with`: at most `MOST` bytes of a text.
pub(super) fn bounded<const MOST: usize, S: Serializer>(
    text: &str,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&cut(text, MOST))
}

/// The same of a text that may be missing.
pub(super) fn bounded_if_any<const MOST: usize, S: Serializer>(
    text: &Option<&str>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&cut(text.unwrap_or_default(), MOST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        write(&text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nothing_that_a_terminal_acts_on_is_written() {
        let text = "a\u{1b}[31m\u{9b}31m\r\n\u{7f}\u{202e}\u{2028}\u{e0041}\"\\ä€😀";
        let json = written(text);
        assert_eq!(
            json,
            r#""a\u001b[31m\u009b31m\r\n\u007f\u202e\u2028\udb40\udc41\"\\ä€😀""#
        );
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    proptest! {
        #[test]
        fn what_is_cut_fits_and_what_fits_is_not_cut(text in "\\PC{0,40}|[\\x00-\\x20\"\\\\\u{80}-\u{9f}]{0,20}", most in 3..60_usize) {
            let kept = cut(&text, most);
            let bytes = written(&kept).len() - 2;
            prop_assert!(bytes <= most);
            match kept == text {
                true => {}
                false => {
                    let beginning = kept.strip_suffix(CUT).unwrap();
                    prop_assert!(text.starts_with(beginning));
                    prop_assert!(text.chars().map(width).sum::<usize>() > most);
                }
            }
        }
    }
}
