//! Texts and names as they look: without what hides, in small letters, and with the letters of other scripts that look like Latin ones
//! as those (Unicode TR 39 §4).

use std::collections::HashMap;

use pymcp_kit::text::hidden;
use unicode_normalization::UnicodeNormalization as _;
use unicode_security::confusable_detection::skeleton;

/// What a text says to whoever reads it, so that no pattern is dodged by letters that only look like those in it. ASCII
/// stays as it is, but for small letters, and white space is one space.
pub(super) fn text(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    // Each character is looked up once: it takes long, and a hostile text is one of them a million times.
    let mut seen = HashMap::new();
    for c in text.nfkc() {
        if c.is_whitespace() {
            if !folded.ends_with(' ') {
                folded.push(' ');
            }
        } else if c.is_ascii() {
            folded.push(c.to_ascii_lowercase());
        } else if hidden(c).is_none() {
            folded.push_str(seen.entry(c).or_insert_with(|| looks(c)));
        }
    }
    folded
}

/// What this character looks like: letters of ASCII, or itself.
fn looks(c: char) -> String {
    let mut bytes = [0; 4];
    let shape: String = skeleton(c.encode_utf8(&mut bytes)).collect();
    match shape.is_ascii() {
        true => shape.to_ascii_lowercase(),
        false => c.to_lowercase().collect(),
    }
}

/// What a name looks like. Two names with the same one cannot be told apart, or only by those who look closely.
pub(super) fn name(name: &str) -> String {
    let shown = name.nfkc().filter(|c| hidden(*c).is_none());
    let small: String = shown.flat_map(char::to_lowercase).collect();
    skeleton(&small).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_what_it_looks_like() {
        for (written, folded) in [
            (
                "Ignore  PREVIOUS\ninstructions",
                "ignore previous instructions",
            ),
            // Cyrillic letters, a zero-width space, full width.
            ("іgnоrе рrеv\u{200b}ious", "ignore previous"),
            ("ｉｇｎｏｒｅ", "ignore"),
            ("don’t", "don't"),
            ("漢字 Grün", "漢字 grün"),
        ] {
            assert_eq!(text(written), folded);
        }
    }

    #[test]
    fn names_that_look_the_same_are() {
        for (one, other) in [
            ("read_file", "reаd_file"),
            ("read_file", "READ_FILE"),
            ("read_file", "read\u{200b}_file"),
            ("list", "1ist"),
        ] {
            assert_eq!(name(one), name(other), "{other}");
        }
        assert_ne!(name("read_file"), name("read_files"));
    }
}
