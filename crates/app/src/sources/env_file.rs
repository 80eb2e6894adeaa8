//! Files of variables, `NAME=VALUE` a line: what `--env-file` takes. Knows nothing of settings.
//!
//! The syntax is what such files have in common: spaces around `=`, `export` before the name, `#` comments (after a
//! value only behind white space), values in single quotes (as they are) or double quotes (with `\n`, `\r`, `\t`, `\"`,
//! `\'`, `\\` and `\$`), both over several lines; LF or CRLF, a byte order mark. Nothing is substituted: `$HOME` is five
//! characters. Of a name that is given twice, the later line counts.

/// A line that begins with a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Variable {
    /// Of its first line; the file begins with 1.
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) value: Result<String, Malformed>,
}

/// Why a line gives its name no value; as what follows the name in a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Malformed {
    NoEquals,
    OpenQuote,
    AfterQuote,
}

impl Malformed {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::NoEquals => "must be followed by '=' and its value",
            Self::OpenQuote => "begins with a quote that must be closed",
            Self::AfterQuote => "may have nothing but a comment after its closing quote",
        }
    }
}

/// The lines of a text that begin with a name, malformed ones included. Linear: whatever begins with a quote would have
/// ended the search of the one before.
pub(super) fn parse(text: &str) -> Vec<Variable> {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 1;
    let mut variables = Vec::new();
    while !rest.is_empty() {
        let first = rest.find('\n').map_or(rest.len(), |end| end + 1);
        // A value that is malformed ends with its first line.
        let mut used = first;
        if let Some((name, after)) = name(&rest[..first]) {
            let value = match after.trim_start_matches(BLANK).strip_prefix('=') {
                Some(after) => {
                    let from = first - after.len();
                    value(&rest[from..]).map(|(value, length)| {
                        used = from + length;
                        value
                    })
                }
                // As in a shell: of a variable that was set before.
                None if is_exported(&rest[..first]) && rest_is_empty(after) => {
                    rest = &rest[first..];
                    line += 1;
                    continue;
                }
                None => Err(Malformed::NoEquals),
            };
            variables.push(Variable {
                line,
                name: name.to_owned(),
                value,
            });
        }
        line += rest[..used].matches('\n').count();
        rest = &rest[used..];
    }
    variables
}

const BLANK: [char; 2] = [' ', '\t'];

/// The name at the beginning of a line, and what follows it.
fn name(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start_matches(BLANK);
    let line = after_export(line).unwrap_or(line);
    let length = line
        .find(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c)))
        .unwrap_or(line.len());
    let (name, after) = line.split_at(length);
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins.then_some((name, after))
}

fn is_exported(line: &str) -> bool {
    after_export(line.trim_start_matches(BLANK)).is_some()
}

fn after_export(line: &str) -> Option<&str> {
    let after = line.strip_prefix("export")?;
    let name = after.trim_start_matches(BLANK);
    // `export=1` is a variable of that name.
    (name.len() < after.len() && !name.starts_with('=')).then_some(name)
}

/// The value at the beginning of a text, and the length of all its lines.
fn value(text: &str) -> Result<(String, usize), Malformed> {
    let start = text.trim_start_matches(BLANK);
    let skipped = text.len() - start.len();
    let line = &start[..start.find('\n').map_or(start.len(), |end| end + 1)];
    let (value, length) = match start.chars().next() {
        Some(quote @ ('\'' | '"')) => quoted(&start[1..], quote).ok_or(Malformed::OpenQuote)?,
        _ => {
            // Behind white space only: `#fff` is a value.
            let mut marks = line.match_indices('#').map(|(at, _)| at);
            let comment = marks.find(|at| text[..skipped + at].ends_with(BLANK));
            let plain = &line[..comment.unwrap_or(line.len())];
            return Ok((plain.trim().to_owned(), skipped + line.len()));
        }
    };
    let after = &start[1 + length..];
    let end = after.find('\n').map_or(after.len(), |end| end + 1);
    match rest_is_empty(&after[..end]) {
        true => Ok((value, skipped + 1 + length + end)),
        false => Err(Malformed::AfterQuote),
    }
}

fn rest_is_empty(line: &str) -> bool {
    let rest = line.trim_start();
    rest.is_empty() || rest.starts_with('#')
}

/// What stands before the closing quote, and the length of that with the quote.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Some((value, at + 1)),
            '\r' if text[at + 1..].starts_with('\n') => {}
            '\\' if quote == '"' => {
                let (_, escaped) = chars.next()?;
                match escaped {
                    'n' => value.push('\n'),
                    'r' => value.push('\r'),
                    't' => value.push('\t'),
                    '"' | '\'' | '\\' | '$' => value.push(escaped),
                    other => value.extend(['\\', other]),
                }
            }
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// A line each: number, name and value.
    fn values(text: &str) -> Vec<(usize, String, String)> {
        let plain = |variable: Variable| {
            let value = variable
                .value
                .unwrap_or_else(|malformed| format!("<{malformed:?}>"));
            (variable.line, variable.name, value)
        };
        parse(text).into_iter().map(plain).collect()
    }

    #[track_caller]
    fn assert_value(text: &str, value: &str) {
        let all = values(text);
        assert_eq!(all.len(), 1, "{text:?}: {all:?}");
        assert_eq!((&*all[0].1, &*all[0].2), ("A", value), "{text:?}");
    }

    #[test]
    fn the_syntax_that_people_write_is_taken() {
        for (text, value) in [
            ("A=b", "b"),
            ("A=b\n", "b"),
            ("A=b\r\n", "b"),
            ("\u{feff}A=b\r\n", "b"),
            ("  A  =  b c  \n", "b c"),
            ("\tA\t=\tb\t", "b"),
            ("export A=b", "b"),
            (" export\tA = b", "b"),
            ("# A=x\n\n   # B=y\nA=b", "b"),
            ("A=b # c", "b"),
            ("A=b\t# c", "b"),
            ("A=b#c", "b#c"),
            ("A=#fff", "#fff"),
            ("A= # c", ""),
            ("A=", ""),
            ("A", "<NoEquals>"),
            ("A: b", "<NoEquals>"),
            ("A=''", ""),
            ("A='b c' # d", "b c"),
            ("A='b'# d", "b"),
            ("A='b \" \\n $C # d'", "b \" \\n $C # d"),
            ("A=\"b # c\"", "b # c"),
            (r#"A="\n\r\t\"\'\\\$\q\é""#, "\n\r\t\"'\\$\\q\\é"),
            ("A=\"$HOME ${B}\"", "$HOME ${B}"),
            ("A=$HOME", "$HOME"),
            ("A='b\r\nc\nd'\r\n", "b\nc\nd"),
            ("A=b=c", "b=c"),
            ("A=\"b\\\nc\"", "b\\\nc"),
            ("A=it's", "it's"),
            ("A=C:\\new", "C:\\new"),
            ("A=é", "é"),
            ("A='b", "<OpenQuote>"),
            ("A=\"b\\", "<OpenQuote>"),
            ("A=\"b\\\"", "<OpenQuote>"),
            ("A='b'c", "<AfterQuote>"),
            ("A='b' 'c'", "<AfterQuote>"),
        ] {
            assert_value(text, value);
        }
        assert_eq!(
            values("export=1\nexport\n")[0],
            (1, "export".into(), "1".into())
        );
        assert_eq!(values("export A\nexport A # why\n"), []);
    }

    #[test]
    fn lines_that_are_nothing_are_passed_over_and_lines_are_counted() {
        let text = "-----BEGIN KEY-----\nMIIB/+=\n=\n= x\n1=2\n'A=1'\nA='1\n2\n'\nB=\"\nC=3\nD='4'x\nE=5\n";
        assert_eq!(
            values(text),
            [
                (2, "MIIB".into(), "<NoEquals>".into()),
                (7, "A".into(), "1\n2\n".into()),
                (10, "B".into(), "<OpenQuote>".into()),
                (11, "C".into(), "3".into()),
                (12, "D".into(), "<AfterQuote>".into()),
                (13, "E".into(), "5".into()),
            ]
        );
    }

    /// The time that this thread has had: others do not count.
    #[cfg(unix)]
    fn now() -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        let nanoseconds = u32::try_from(time.tv_nsec).unwrap();
        Duration::new(u64::try_from(time.tv_sec).unwrap(), nanoseconds)
    }

    #[cfg(unix)]
    #[test]
    fn the_time_is_linear_in_the_length() {
        for line in [
            "A='\n",
            "A=\"\n",
            "A='\nB=\"\n",
            "A=\"\\\"\n",
            "A='b'c\n",
            "A='x\nB\n",
            "A= # \n",
            "A",
            " ",
            "\"",
            "A=\"\\\n",
            "export ",
            "A=# #",
            "=",
        ] {
            let time = |bytes: usize| {
                let text = line.repeat(bytes / line.len());
                let times = (0..3).map(|_| {
                    let start = now();
                    std::hint::black_box(parse(&text));
                    now() - start
                });
                times.min().unwrap_or_default()
            };
            let (short, long) = (time(32 << 10), time(256 << 10));
            assert!(
                long < short * 8 * 5 + Duration::from_millis(5),
                "{line:?}: {short:?}, {long:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed(text in "(?s).{0,200}") {
            parse(&text);
        }

        #[test]
        fn texts_like_such_files_are_parsed(parts in proptest::collection::vec(
            prop_oneof!["A", "export ", "=", "'", "\"", "\\\\", "\n", "\r\n", " ", "#", "é", "\u{feff}"].prop_map(String::from), 0..60)
        ) {
            let text = parts.concat();
            let lines = text.matches('\n').count() + 1;
            let found = parse(&text);
            prop_assert!(found.iter().all(|variable| (1..=lines).contains(&variable.line)));
            prop_assert!(found.is_sorted_by(|a, b| a.line < b.line));
        }

        #[test]
        fn what_is_quoted_comes_back(value in "[^\0\r]{0,60}") {
            let double = value.replace('\\', "\\\\").replace('"', "\\\"");
            for text in [format!("A=\"{double}\"\nB=1"), format!("A='{}'\nB=1", value.replace('\'', ""))] {
                let all = values(&text);
                prop_assert_eq!(all.len(), 2);
                let expected = if text.starts_with("A=\"") { value.clone() } else { value.replace('\'', "") };
                prop_assert_eq!(&all[0].2, &expected);
            }
        }
    }
}
