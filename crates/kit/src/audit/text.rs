//! Text from outside in the lines: of a bounded length, and without a character that a terminal would act on.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::Write as _;

use crate::text::hidden;

/// Ends a text that was cut.
pub(super) const CUT: char = '…';

/// Whether nothing of it is escaped or wider than a byte, as of nearly every text: names, hashes, times. All of it is looked
/// at, which is quicker than to stop.
fn is_plain(text: &str) -> bool {
    text.bytes().fold(true, |plain, byte| {
        plain & matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\')
    })
}

/// Writes a text as a JSON string, in which what nobody sees, or what turns text around, is escaped: all of it, and not only the
/// controls below U+0020, for which JSON asks (RFC 8259 §7).
pub(super) fn write(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    match is_plain(text) {
        true => out.extend_from_slice(text.as_bytes()),
        false => text.chars().for_each(|c| write_char(c, out)),
    }
    out.push(b'"');
}

fn write_char(c: char, out: &mut Vec<u8>) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\t' => out.extend_from_slice(b"\\t"),
        c if hidden(c).is_some() => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Memory takes everything.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
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

/// Writes an object, a member at a time.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    /// What comes before the next member.
    before: u8,
}

impl<'a> Object<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, before: b'{' }
    }

    fn name(&mut self, name: &'static str) -> &mut Vec<u8> {
        self.out.extend_from_slice(&[self.before, b'"']);
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.before = b',';
        self.out
    }

    /// At most `most` bytes of a text.
    pub(super) fn text(&mut self, name: &'static str, text: &str, most: usize) {
        write(&cut(text, most), self.name(name));
    }

    /// The same of a text that may be missing.
    pub(super) fn text_if_any(&mut self, name: &'static str, text: Option<&str>, most: usize) {
        if let Some(text) = text {
            self.text(name, text, most);
        }
    }

    pub(super) fn number(&mut self, name: &'static str, number: impl Display) {
        let _ = write!(self.name(name), "{number}");
    }

    /// What is JSON already.
    pub(super) fn json(&mut self, name: &'static str, json: &[u8]) {
        self.name(name).extend_from_slice(json);
    }

    pub(super) fn end(self) {
        self.out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        write(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nothing_that_a_terminal_acts_on_is_written() {
        let text = "a\u{1b}[31m\u{9b}31m\r\n\u{7f}\u{202e}\u{2028}\u{e0041}\"\\ä€😀";
        let json = written(text);
        assert_eq!(
            json,
            r#""a\u001b[31m\u009b31m\u000d\n\u007f\u202e\u2028\udb40\udc41\"\\ä€😀""#
        );
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(text in "\\PC{0,40}|[\\x00-\\x20\"\\\\\u{80}-\u{9f}]{0,20}|[ -~]{0,40}") {
            let json = written(&text);
            prop_assert!(!json.chars().any(|c| hidden(c).is_some() || c < ' '), "{}", json);
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }

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
