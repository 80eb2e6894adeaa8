//! The names of characters, which are 0.8 MB.
//!
//! The interpreter has them in version 2 of `unicode_names2`, for `unicodedata`; its parser and the type checker's ask version
//! 1, for `\N{…}` in strings. The workspace's `Cargo.toml` puts this in the place of version 1, so a program has
//! one table, and the same characters everywhere.

mod aliases;

use std::fmt;

/// The character of a name or an alias, in letters of either case. Otherwise names are what they are: version 2 by itself
/// overlooks spaces, hyphens and underscores that are too many or too few, and Python does not.
pub fn character(name: &str) -> Option<char> {
    if let Some(character) = aliases::character(&name.to_ascii_uppercase()) {
        return Some(character);
    }
    // Version 2 looks at what is before each hyphen, and no name begins with one.
    if name.starts_with('-') {
        return None;
    }
    let character = two::character(name)?;
    let Some(proper) = two::name(character).map(|proper| proper.to_string()) else {
        // It has an alias only.
        return Some(character);
    };
    let is_proper = proper.eq_ignore_ascii_case(name);
    (is_proper || loose(&proper) != loose(name)).then_some(character)
}

/// What a name is where the characters between its words do not count.
fn loose(name: &str) -> String {
    let counts = |c: &char| !matches!(c, ' ' | '-' | '_');
    name.chars()
        .filter(counts)
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

/// The name of a character.
#[derive(Clone)]
pub struct Name(two::Name);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a character, if it has one.
pub fn name(character: char) -> Option<Name> {
    two::name(character).map(Name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_are_those_of_characters() {
        for (asked, found) in [
            ("GREEK SMALL LETTER ALPHA", Some('α')),
            ("greek small letter alpha", Some('α')),
            ("ZERO WIDTH JOINER", Some('\u{200d}')),
            ("HANGUL SYLLABLE GA", Some('가')),
            ("CJK UNIFIED IDEOGRAPH-4E00", Some('一')),
            // Aliases.
            ("NULL", Some('\0')),
            ("BOM", Some('\u{feff}')),
            ("LINE FEED", Some('\n')),
            ("carriage return", Some('\r')),
            ("SINGLE-SHIFT-2", Some('\u{8e}')),
            ("WEIERSTRASS ELLIPTIC FUNCTION", Some('℘')),
            ("LINEFEED", None),
            ("-A", None),
            ("-", None),
            ("nothing of the kind", None),
            ("", None),
            ("ä", None),
        ] {
            assert_eq!(character(asked), found, "{asked}");
        }
    }

    #[test]
    fn each_alias_of_several_words_is_found() {
        assert!(aliases::ALIASES.is_sorted_by_key(|(alias, _)| *alias));
        for (alias, c) in aliases::ALIASES {
            assert_eq!(character(alias), Some(c), "{alias}");
        }
    }

    #[test]
    fn what_is_between_words_counts() {
        for asked in [
            "GREEKSMALLLETTERALPHA",
            "GREEK_SMALL_LETTER_ALPHA",
            "ZERO WIDTH  JOINER",
            "CJK UNIFIED IDEOGRAPH 4E00",
        ] {
            assert!(two::character(asked).is_some(), "{asked}");
            assert_eq!(character(asked), None, "{asked}");
        }
    }

    #[test]
    fn the_longest_name_and_more_is_no_trouble() {
        for length in 0..400 {
            assert_eq!(character(&"X".repeat(length)), None);
        }
    }

    #[test]
    fn a_character_is_found_by_its_name() {
        for c in ('\0'..=char::MAX).filter(|c| u32::from(*c) % 7 == 0) {
            if let Some(proper) = name(c) {
                assert_eq!(character(&proper.to_string()), Some(c), "{proper}");
            }
        }
    }
}
