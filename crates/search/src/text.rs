//! What of a page may be shown.
//!
//! Results are read by people and by language models, and what a reader cannot see is the best place to hide words for
//! a model: tag characters and variation selectors spell whole sentences, zero-width characters split words so that no
//! filter finds them, and bidi marks turn text around. So everything that leaves no mark on the page goes, without
//! looking at what it is for. That costs a little: joined emoji (`👩‍💻`) fall apart into their parts, `❤️` loses its
//! colour, and Persian loses its zero-width non-joiners. All of them stay readable.

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization;

/// Characters of a title.
pub(crate) const TITLE: usize = 300;
/// Characters of a snippet.
pub(crate) const BODY: usize = 1_000;

/// Combining marks that one letter keeps. Written languages need half of that; more is stacked over the lines above.
const MARKS: usize = 8;

/// The text in one line, composed (NFC), without what cannot be seen: control, format (bidi, zero width, tags), private
/// and unassigned characters, variation selectors and fillers. At most `most` characters; what is cut ends with `…`.
///
/// Takes time in proportion to the text, and memory in proportion to `most`. What is clean stays as it is.
pub(crate) fn clean(text: &str, most: usize) -> String {
    // Marks are counted twice: before composing, because that sorts them in memory, and after it, because one mark may
    // become two.
    let mut chars: Vec<char> = few_marks(few_marks(one_line(text)).nfc())
        .take(most.saturating_add(1))
        .collect();
    if chars.len() > most {
        cut(&mut chars, most);
    }
    chars.into_iter().collect()
}

/// Whether the character leaves no mark where it is shown, white space apart: categories Cc, Cf, Cs, Co and Cn, and what
/// else Unicode calls ignorable by default (`Default_Ignorable_Code_Point`).
pub(crate) fn is_hidden(c: char) -> bool {
    use GeneralCategory::{Control, Format, PrivateUse, Surrogate, Unassigned};
    matches!(
        get_general_category(c),
        Control | Format | Surrogate | PrivateUse | Unassigned
    ) || matches!(c,
        '\u{034F}'                        // combining grapheme joiner
        | '\u{115F}' | '\u{1160}'         // Hangul fillers
        | '\u{3164}' | '\u{FFA0}'
        | '\u{17B4}' | '\u{17B5}'         // Khmer inherent vowels
        | '\u{180B}'..='\u{180F}'         // Mongolian variation selectors
        | '\u{FE00}'..='\u{FE0F}'         // variation selectors
        | '\u{E0000}'..='\u{E0FFF}'       // tags, more variation selectors
    )
}

/// White space of any kind, and the one blank that Unicode has as a symbol (of Braille).
fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{2800}'
}

fn is_mark(c: char) -> bool {
    use GeneralCategory::{EnclosingMark, NonspacingMark, SpacingMark};
    matches!(
        get_general_category(c),
        NonspacingMark | SpacingMark | EnclosingMark
    )
}

/// What can be seen, with one space between words and none around them.
fn one_line(text: &str) -> impl Iterator<Item = char> {
    let mut words = false;
    let mut space = false;
    text.chars()
        .filter_map(move |c| {
            if is_space(c) {
                space = true;
                return None;
            }
            if is_hidden(c) {
                return None;
            }
            let before = (space && words).then_some(' ');
            (space, words) = (false, true);
            Some(before.into_iter().chain([c]))
        })
        .flatten()
}

/// Without the marks that are too many.
fn few_marks(chars: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    let mut marks = 0;
    chars.filter(move |c| {
        marks = if is_mark(*c) { marks + 1 } else { 0 };
        marks <= MARKS
    })
}

/// At most `most` characters, the last of them `…`; no letter loses some of its marks.
fn cut(chars: &mut Vec<char>, most: usize) {
    let Some(last) = most.checked_sub(1) else {
        return chars.clear();
    };
    let whole = chars
        .iter()
        .take(most)
        .rposition(|c| !is_mark(*c))
        .unwrap_or(0);
    chars.truncate(whole.min(last));
    while chars.last().is_some_and(|c| c.is_whitespace()) {
        chars.pop();
    }
    chars.push('…');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        clean(text, BODY)
    }

    #[test]
    fn words_are_one_line() {
        assert_eq!(
            shown("  a\r\n\tb\u{2028}c\u{A0}\u{3000}d\u{2800} "),
            "a b c d"
        );
        assert_eq!(shown("a \u{200B} b"), "a b");
        assert_eq!(shown(" \n\u{200B}"), "");
        assert_eq!(shown(""), "");
    }

    #[test]
    fn what_cannot_be_seen_is_gone() {
        assert_eq!(shown("\u{1B}[31mred\u{1B}[0m\u{9B}0m"), "[31mred[0m0m");
        assert_eq!(shown("a\0b\u{7}c\u{7F}"), "abc");
        assert_eq!(
            shown("\u{202E}evil\u{202C}\u{2066}x\u{2069}\u{200F}"),
            "evilx"
        );
        assert_eq!(
            shown("zero\u{200B}\u{200C}\u{200D}\u{2060}\u{FEFF}width"),
            "zerowidth"
        );
        assert_eq!(shown("soft\u{AD}hyphen"), "softhyphen");
        let hidden: String = "obey"
            .chars()
            .map(|c| char::from_u32(0xE0000 + c as u32).unwrap())
            .collect();
        assert_eq!(shown(&format!("a{hidden}b\u{E0001}\u{E007F}")), "ab");
        assert_eq!(
            shown("x\u{FE00}\u{FE0F}\u{E0100}\u{E01EF}\u{180B}\u{180F}"),
            "x"
        );
        assert_eq!(
            shown("\u{115F}\u{1160}\u{3164}\u{FFA0}\u{34F}\u{17B4}\u{17B5}y"),
            "y"
        );
        assert_eq!(shown("\u{E000}\u{F8FF}\u{10FFFF}\u{FFFF}\u{378}z"), "z");
    }

    #[test]
    fn what_can_be_seen_stays() {
        for text in [
            "שלום עולם",
            "السلام عليكم",
            "日本語のテキスト",
            "한국어",
            "नमस्ते दुनिया",
            "ภาษาไทย",
            "😀 🎉",
            "naïve café — “quoted” … 50 €",
            "<b>no markup here</b> &amp;",
        ] {
            assert_eq!(shown(text), text);
        }
        assert_eq!(shown("👩\u{200D}💻 ❤\u{FE0F}"), "👩💻 ❤");
        assert_eq!(shown("e\u{301}"), "é");
        assert_eq!(
            shown("e\u{200B}\u{301}"),
            "é",
            "composed after what is hidden is gone"
        );
        assert_eq!(shown("\u{1100}\u{1161}\u{11A8}"), "각");
    }

    #[test]
    fn a_letter_keeps_a_few_marks() {
        let zalgo = format!("Z{}a{}", "\u{335}".repeat(40), "\u{344}".repeat(40));
        let text = shown(&zalgo);
        assert_eq!(text.chars().filter(|c| is_mark(*c)).count(), 2 * MARKS);
        assert!(text.starts_with('Z') && text.contains('ä'));
    }

    #[test]
    fn long_text_is_cut_between_letters() {
        assert_eq!(clean("abcdef", 6), "abcdef");
        assert_eq!(clean("abcdef", 5), "abcd…");
        assert_eq!(clean("abc def", 5), "abc…");
        assert_eq!(clean("abcdef", 1), "…");
        assert_eq!(clean("abcdef", 0), "");
        assert_eq!(clean("", 0), "");
        // No letter of its own exists for x with a dot and a ring below.
        assert_eq!(clean("abx\u{323}\u{325}def", 5), "ab…");
        assert_eq!(clean("abx\u{323}def", 5), "abx\u{323}…");
        assert_eq!(clean("\u{323}\u{325}\u{330}", 2), "…");
    }

    #[test]
    fn huge_text_is_no_trouble() {
        let start = std::time::Instant::now();
        for unit in [
            "a",
            "\u{200B}",
            " ",
            "\u{301}",
            "a\u{344}",
            "\u{1100}",
            "\u{FFFD}",
            "𝅘𝅥𝅮",
        ] {
            let text = clean(&unit.repeat(1 << 18), TITLE);
            assert!(text.chars().count() <= TITLE);
        }
        assert!(start.elapsed().as_secs() < 60);
    }

    fn strange() -> impl Strategy<Value = String> {
        let chars = prop_oneof![
            any::<char>(),
            proptest::char::range('a', 'f'),
            proptest::char::range('\u{300}', '\u{36F}'),
            proptest::char::range('\u{1100}', '\u{11FF}'),
            proptest::char::range('\u{900}', '\u{DFF}'),
            proptest::char::range('\u{F00}', '\u{FFF}'),
            proptest::char::range('\u{2000}', '\u{206F}'),
            proptest::char::range('\u{11000}', '\u{11FFF}'),
            proptest::char::range('\u{1D150}', '\u{1D1FF}'),
            proptest::sample::select(vec![
                ' ', '\n', '\u{344}', '\u{F73}', '\u{958}', '\u{FE0F}', '\u{200D}', '…'
            ]),
        ];
        proptest::collection::vec(chars, 0..60).prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn clean_text_is_clean(text in strange(), most in 0_usize..70) {
            let once = clean(&text, most);
            prop_assert!(once.chars().count() <= most);
            prop_assert!(!once.chars().any(is_hidden), "{once:?}");
            prop_assert!(once.chars().all(|c| c == ' ' || !is_space(c)), "{once:?}");
            prop_assert!(!once.contains("  ") && once.trim() == once, "{once:?}");
            prop_assert!(once.nfc().eq(once.chars()), "{once:?}");
            prop_assert_eq!(clean(&once, most), once);
        }
    }
}
