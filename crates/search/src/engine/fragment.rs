//! Snippets with markup, as text.
//!
//! Only the tokeniser of the HTML parser is used. It takes time in proportion to the text; building a tree does not,
//! because a few hundred open tags may be repeated in each of a few hundred paragraphs.

use std::cell::{Cell, RefCell};

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

/// Bytes of a fragment that are read: several times what is shown of a snippet.
const MOST: usize = 4 << 10;

/// Elements that do not end a word.
const INLINE: &[&str] = &[
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "em", "font", "i", "kbd", "mark", "q", "s",
    "small", "span", "strong", "sub", "sup", "tt", "u", "var", "wbr",
];

/// The text of a piece of HTML: entities decoded, no markup, no scripts.
pub(super) fn text(html: &str) -> String {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(
        html.get(..html.floor_char_boundary(MOST))
            .unwrap_or_default(),
    ));
    let tokenizer = Tokenizer::new(Text::default(), TokenizerOpts::default());
    // It stops early only for a script to run, and `Text` never asks for that.
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.text.into_inner()
}

#[derive(Default)]
struct Text {
    text: RefCell<String>,
    /// Inside an element whose text is not for reading.
    silent: Cell<bool>,
}

impl TokenSink for Text {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::CharacterTokens(text) if !self.silent.get() => {
                self.text.borrow_mut().push_str(&text);
            }
            Token::TagToken(tag) => return self.tag(&tag),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Text {
    fn tag(&self, tag: &Tag) -> TokenSinkResult<()> {
        let raw = matches!(&*tag.name, "script" | "style");
        self.silent.set(raw && tag.kind == TagKind::StartTag);
        if self.silent.get() {
            return TokenSinkResult::RawData(RawKind::Rawtext);
        }
        if !INLINE.contains(&&*tag.name) {
            self.text.borrow_mut().push(' ');
        }
        TokenSinkResult::Continue
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markup_becomes_text() {
        let cases = [
            ("plain", "plain"),
            (
                "a <strong>b</strong>c &amp; d&#x27;e&quot; &lt;f&gt;",
                "a bc & d'e\" <f>",
            ),
            ("one<br>two<p>three</p>four", "one two three four"),
            (
                "x<script>alert('<b>')</script>y<style>z{}</style>w",
                "x y w",
            ),
            ("a<!-- hidden -->b<![CDATA[c]]>d", "abd"),
            ("1 < 2 && 3 > 2", "1 < 2 && 3 > 2"),
            ("cut <stro", "cut "),
            ("<script>never closed", ""),
            ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
            ("<a title='>'>link</a>", "link"),
            ("", ""),
        ];
        for (html, expected) in cases {
            assert_eq!(text(html), expected, "{html}");
        }
    }

    #[test]
    fn only_the_start_is_read() {
        assert_eq!(text(&"é".repeat(MOST)).len(), MOST);
        assert_eq!(text(&format!("a{}", "é".repeat(MOST))).len(), MOST - 1);
        assert_eq!(text(&"<".repeat(1 << 20)).len(), MOST);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn nothing_breaks_it(html in "([<>&;/!a-z\"' -]|<b>|<script>|</script>|&#x|\\PC){0,200}") {
            prop_assert!(text(&html).len() <= 4 * MOST);
        }
    }
}
