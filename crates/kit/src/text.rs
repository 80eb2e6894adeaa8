//! Characters that nobody sees, or that turn the direction of others, and how they are shown.
//!
//! A model reads them all, so they are where a stranger hides words from the person who reviews a text. What shows, refuses
//! or reports them asks here: the terminal, the page at `/`, logs, the audit log, `doctor`, `verify`.
//!
//! The list is of Unicode 18.0: the properties Bidi_Control, Variation_Selector, Default_Ignorable_Code_Point and
//! Noncharacter_Code_Point, and the general categories Cc, Cf, Co, Zl and Zp. It lacks the line feed and the tab, of which
//! texts are made, and the marks of Prepended_Concatenation_Mark, which are seen; it has the blank of Braille, which is a
//! symbol by its category. Characters that are not assigned are not listed, but for those that are ignorable already. A test
//! compares it with the data of ICU4X: where a newer Unicode makes that fail, `RANGES` is mended.

use std::borrow::Cow;
use std::fmt::Write as _;

use Kind::{
    Annotation, Bidirectional, Blank, Control, Format, PrivateUse, Reserved, Separator, SoftHyphen,
    Tag, VariationSelector, ZeroWidth,
};

/// Why a character is in the list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Annotation,
    Bidirectional,
    Blank,
    Control,
    Format,
    Noncharacter,
    PrivateUse,
    Reserved,
    Separator,
    SoftHyphen,
    Tag,
    VariationSelector,
    ZeroWidth,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Annotation => "annotation",
            Self::Bidirectional => "bidirectional",
            Self::Blank => "blank",
            Self::Control => "control",
            Self::Format => "format",
            Self::Noncharacter => "noncharacter",
            Self::PrivateUse => "private use",
            Self::Reserved => "reserved",
            Self::Separator => "separator",
            Self::SoftHyphen => "soft hyphen",
            Self::Tag => "tag",
            Self::VariationSelector => "variation selector",
            Self::ZeroWidth => "zero-width",
        }
    }
}

/// First and last of each range, in their order. The two noncharacters at the end of each plane are not repeated here.
const RANGES: [(char, char, Kind); 40] = [
    ('\0', '\u{8}', Control),
    ('\u{b}', '\u{1f}', Control),
    ('\u{7f}', '\u{9f}', Control),
    ('\u{ad}', '\u{ad}', SoftHyphen),
    // The combining grapheme joiner.
    ('\u{34f}', '\u{34f}', ZeroWidth),
    ('\u{61c}', '\u{61c}', Bidirectional),
    // Fillers of Hangul, and the inherent vowels of Khmer.
    ('\u{115f}', '\u{1160}', Blank),
    ('\u{17b4}', '\u{17b5}', Blank),
    ('\u{180b}', '\u{180d}', VariationSelector),
    ('\u{180e}', '\u{180e}', ZeroWidth),
    ('\u{180f}', '\u{180f}', VariationSelector),
    ('\u{200b}', '\u{200d}', ZeroWidth),
    ('\u{200e}', '\u{200f}', Bidirectional),
    ('\u{2028}', '\u{2029}', Separator),
    ('\u{202a}', '\u{202e}', Bidirectional),
    // The word joiner, and operators of formulas that are not written.
    ('\u{2060}', '\u{2064}', ZeroWidth),
    ('\u{2065}', '\u{2065}', Reserved),
    ('\u{2066}', '\u{2069}', Bidirectional),
    ('\u{206a}', '\u{206f}', Format),
    ('\u{2800}', '\u{2800}', Blank),
    ('\u{3164}', '\u{3164}', Blank),
    ('\u{e000}', '\u{f8ff}', PrivateUse),
    ('\u{fdd0}', '\u{fdef}', Kind::Noncharacter),
    ('\u{fe00}', '\u{fe0f}', VariationSelector),
    ('\u{feff}', '\u{feff}', ZeroWidth),
    ('\u{ffa0}', '\u{ffa0}', Blank),
    ('\u{fff0}', '\u{fff8}', Reserved),
    ('\u{fff9}', '\u{fffb}', Annotation),
    // Hieroglyphs, shorthand and music.
    ('\u{13430}', '\u{1343f}', Format),
    ('\u{1bca0}', '\u{1bca3}', Format),
    ('\u{1d173}', '\u{1d17a}', Format),
    ('\u{e0000}', '\u{e0000}', Reserved),
    ('\u{e0001}', '\u{e0001}', Tag),
    ('\u{e0002}', '\u{e001f}', Reserved),
    ('\u{e0020}', '\u{e007f}', Tag),
    ('\u{e0080}', '\u{e00ff}', Reserved),
    ('\u{e0100}', '\u{e01ef}', VariationSelector),
    ('\u{e01f0}', '\u{e0fff}', Reserved),
    ('\u{f0000}', '\u{ffffd}', PrivateUse),
    ('\u{100000}', '\u{10fffd}', PrivateUse),
];

/// 32 bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8; 32]) -> [u8; 64] {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let mut hex = [0; 64];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    hex
}

/// What kind of hidden character this is, if it is one: `annotation`, `bidirectional`, `blank`, `control`, `format`,
/// `noncharacter`, `private use`, `reserved`, `separator`, `soft hyphen`, `tag`, `variation selector` or `zero-width`.
///
/// The line feed and the tab are none. Of a whole text, [`marked`] says it: some are a part of what is seen there.
pub fn hidden(c: char) -> Option<&'static str> {
    // Nearly every character is one of these.
    if matches!(c, ' '..='~' | '\n' | '\t') {
        return None;
    }
    if u32::from(c) & 0xfffe == 0xfffe {
        return Some(Kind::Noncharacter.name());
    }
    let after = RANGES.partition_point(|(first, ..)| *first <= c);
    let (_, last, kind) = RANGES.get(after.checked_sub(1)?)?;
    (c <= *last).then_some(kind.name())
}

/// Each character of a text, with its kind where it is [`hidden`].
///
/// Some are no part of a hiding place where they stand, and have no kind there: a carriage return before its line feed; a
/// joiner between two emoji, or within a word of a script that is written with joiners, as Persian and Hindi are; the
/// selector that gives an emoji its colour, or takes it.
pub fn marked(text: &str) -> impl Iterator<Item = (char, Option<&'static str>)> {
    let mut chars = text.chars().peekable();
    // The character that is seen last, and whether a selector has followed it.
    let mut base: Option<(char, bool)> = None;
    std::iter::from_fn(move || {
        let c = chars.next()?;
        let next = chars.peek().copied();
        let Some(kind) = hidden(c) else {
            base = Some((c, false));
            return Some((c, None));
        };
        let (is_meant, then) = match (c, base, next) {
            ('\r', _, Some('\n')) => (true, None),
            ('\u{fe0e}' | '\u{fe0f}', Some((seen, false)), _) if has_colour(seen) => {
                (true, Some((seen, true)))
            }
            ('\u{200c}' | '\u{200d}', Some((seen, _)), Some(next)) => {
                (is_joined(seen) && is_joined(next), None)
            }
            _ => (false, None),
        };
        base = then;
        Some((c, (!is_meant).then_some(kind)))
    })
}

/// Whether a selector may say if this is shown as an emoji or as text (Unicode TR 51 §2.7, in rough ranges).
fn has_colour(c: char) -> bool {
    matches!(c, '0'..='9' | '#' | '*' | '\u{a9}' | '\u{ae}' | '\u{203c}'..='\u{303d}')
        || matches!(c, '\u{3297}' | '\u{3299}' | '\u{1f000}'..='\u{1faff}')
}

/// Whether it is an emoji, or of a script that is written with joiners: those from Arabic on, in rough ranges.
fn is_joined(c: char) -> bool {
    let is_listed = matches!(c, '\u{600}'..='\u{1cff}' | '\u{2190}'..='\u{2bff}' | '\u{a840}'..='\u{abff}')
        || matches!(c, '\u{11000}'..='\u{11fff}' | '\u{1f000}'..='\u{1faff}');
    is_listed && hidden(c).is_none()
}

/// The text with each hidden character that [`marked`] finds as its escape, `\u{202e}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if marked(text).all(|(_, kind)| kind.is_none()) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for (c, kind) in marked(text) {
        match kind {
            Some(_) => {
                // Memory takes everything.
                let _ = write!(shown, "{}", c.escape_unicode());
            }
            None => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use icu_properties::props::{
        BidiControl, DefaultIgnorableCodePoint, GeneralCategory, NoncharacterCodePoint,
        PrependedConcatenationMark, VariationSelector,
    };
    use icu_properties::{CodePointMapData, CodePointSetData};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_list_is_that_of_unicode() {
        let category = CodePointMapData::<GeneralCategory>::new();
        let bidirectional = CodePointSetData::new::<BidiControl>();
        let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
        let none = CodePointSetData::new::<NoncharacterCodePoint>();
        let seen = CodePointSetData::new::<PrependedConcatenationMark>();
        let selector = CodePointSetData::new::<VariationSelector>();
        let mut wrong = Vec::new();
        for c in '\0'..=char::MAX {
            let kind = hidden(c);
            let category = category.get(c);
            let only = match category {
                GeneralCategory::Control => Some("control"),
                GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator => {
                    Some("separator")
                }
                GeneralCategory::PrivateUse => Some("private use"),
                _ if bidirectional.contains(c) => Some("bidirectional"),
                _ if selector.contains(c) => Some("variation selector"),
                _ if none.contains(c) => Some("noncharacter"),
                _ => None,
            };
            let is_listed = ignorable.contains(c)
                || (category == GeneralCategory::Format && !seen.contains(c))
                || c == '\u{2800}';
            let is_right = match (c, only) {
                ('\n' | '\t', _) => kind.is_none(),
                (_, Some(only)) => kind == Some(only),
                (_, None) => kind.is_some() == is_listed,
            };
            if !is_right {
                wrong.push(format!("{c:?} is {kind:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        for (c, kind) in [
            ('\u{ad}', "soft hyphen"),
            ('\u{200d}', "zero-width"),
            ('\u{feff}', "zero-width"),
            ('\u{3164}', "blank"),
            ('\u{e0041}', "tag"),
            ('\u{fffa}', "annotation"),
            ('\u{1bca0}', "format"),
            ('\u{e0fff}', "reserved"),
        ] {
            assert_eq!(hidden(c), Some(kind), "{c:?}");
        }
    }

    #[test]
    fn the_ranges_are_in_order() {
        assert!(RANGES.iter().all(|(first, last, _)| first <= last));
        assert!(RANGES.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }

    #[test]
    fn what_hides_is_shown_and_what_shapes_stays() {
        for same in [
            "",
            "plain, ünïcödé, 漢, שלום\n\tnext",
            "two lines\r\nas on Windows",
            // In colour; joined; both; with a tone of skin; a key cap.
            "❤\u{fe0f} 👩\u{200d}💻 ❤\u{fe0f}\u{200d}🔥 👩🏽\u{200d}🔬 🏃\u{200d}♂\u{fe0f} 1\u{fe0f}\u{20e3} ©\u{fe0e}",
            "می\u{200c}خواهم क्\u{200d}ष",
        ] {
            assert_eq!(visible(same), same);
        }
        for (text, shown) in [
            ("\u{1b}[2Jgone", "\\u{1b}[2Jgone"),
            ("over\rwritten", "over\\u{d}written"),
            (
                "a\u{202e}b\u{200b}c\u{e0041}",
                "a\\u{202e}b\\u{200b}c\\u{e0041}",
            ),
            ("a\u{200d}b 漢\u{200c}字", "a\\u{200d}b 漢\\u{200c}字"),
            ("👩\u{200d}", "👩\\u{200d}"),
            ("👩\u{200d}\u{200d}💻", "👩\\u{200d}\\u{200d}💻"),
            ("❤\u{fe0f}\u{fe0e}", "❤\u{fe0f}\\u{fe0e}"),
            ("a\u{fe0f}漢\u{e0100}", "a\\u{fe0f}漢\\u{e0100}"),
            ("\u{3164}\u{e000}\u{fdd0}", "\\u{3164}\\u{e000}\\u{fdd0}"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }

    proptest! {
        #[test]
        fn what_is_visible_stays_as_it_is(text: String) {
            let shown = visible(&text).into_owned();
            prop_assert!(marked(&shown).all(|(_, kind)| kind.is_none()), "{shown:?}");
            prop_assert_eq!(visible(&shown), shown.as_str());
        }
    }
}
