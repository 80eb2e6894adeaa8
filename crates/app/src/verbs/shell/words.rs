//! A line as words, as shells read them: blanks part words, quotes and backslashes keep them together.

/// Words of a line.
///
/// # Errors
/// What is wrong with it, as a sentence without its full stop.
pub(super) fn words(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('"') | None, '\\') => {
                let next = rest.next().ok_or("A backslash ends the line")?;
                let word = word.get_or_insert_default();
                // Within quotes a backslash means itself before most characters (POSIX shell, §2.2.3).
                if quote.is_some() && !matches!(next, '"' | '\\' | '$' | '`') {
                    word.push('\\');
                }
                word.push(next);
            }
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                word.get_or_insert_default();
                quote = Some(c);
            }
            (None, '#') if word.is_none() => break,
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    match quote {
        Some(_) => Err("A quote is not closed"),
        None => {
            words.extend(word);
            Ok(words)
        }
    }
}

/// Where the last word of an unfinished line begins, if nothing of it is quoted: only such words are completed.
pub(super) fn last_plain(line: &str) -> Option<usize> {
    let start = line.rfind(char::is_whitespace).map_or(0, |at| {
        at + line[at..].chars().next().map_or(1, char::len_utf8)
    });
    let quoted = line[start..].contains(['\'', '"', '\\']) || words(&line[..start]).is_err();
    (!quoted).then_some(start)
}

/// A word as it has to be typed.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,{}[]".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_as_in_a_shell() {
        for (line, expected) in [
            ("", &[][..]),
            ("  list  tools ", &["list", "tools"]),
            (
                "call greet name='Ada L.' # hello",
                &["call", "greet", "name=Ada L."],
            ),
            (
                r#"call x '{"a": "b c"}'"#,
                &["call", "x", r#"{"a": "b c"}"#],
            ),
            (r#""a \" b" c\ d '' e#f"#, &[r#"a " b"#, "c d", "", "e#f"]),
            (r#"'\n' "\n""#, &[r"\n", r"\n"]),
        ] {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
        assert!(words("call 'x").is_err());
        assert!(words("call x\\").is_err());
    }

    #[test]
    fn what_is_quoted_is_the_word_again() {
        for word in ["a", "", "a b", "it's", "$HOME", "x=1", "barn://bales{?q}"] {
            assert_eq!(words(&quoted(word)).unwrap(), [word]);
        }
    }

    #[test]
    fn the_last_word_is_completed_unless_it_is_quoted() {
        for (line, start) in [
            ("ca", Some(0)),
            ("call ", Some(5)),
            ("call fe", Some(5)),
            ("call 'a b' n", Some(11)),
            ("call 'a", None),
            ("call 'a b", None),
        ] {
            assert_eq!(last_plain(line), start, "{line}");
        }
    }
}
