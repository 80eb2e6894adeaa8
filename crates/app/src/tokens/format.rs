//! The text of the file: `[[token]]` entries, with the lines that they stand on.

use std::fmt::Write as _;
use std::ops::Range;
use std::time::SystemTime;

use pymcp_kit::auth::Scopes;
use pymcp_kit::auth::tokens::{BadTokens, TokenEntry, TokenHash};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Problem, time};

/// The one key of the file.
const TOKEN: &str = "token";

/// What a file has.
#[derive(Debug, Default)]
pub(crate) struct List {
    pub(crate) entries: Vec<TokenEntry>,
    /// Where each entry begins in the text, and where its last value ends.
    pub(super) spans: Vec<Range<usize>>,
    lines: Lines,
}

impl List {
    /// Reads a text.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let mut list = Self {
            lines: Lines::of(text),
            ..Self::default()
        };
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            // Of its message the first line: others may quote the text.
            let what = error.message().lines().next().unwrap_or_default();
            list.at(at, format!("this is not valid TOML: {what}"))
        })?;
        for (key, value) in in_order(table.get_ref()) {
            let values = value.get_ref().as_array();
            let Some(values) = values.filter(|_| key.get_ref() == TOKEN) else {
                let what = "the file has [[token]] entries and nothing else";
                return Err(list.at(key.span().start, what));
            };
            for value in values.iter() {
                list.add(value)?;
            }
        }
        Ok(list)
    }

    fn add(&mut self, value: &Spanned<DeValue<'_>>) -> Result<(), Problem> {
        let start = value.span().start;
        let Some(table) = value.get_ref().as_table() else {
            return Err(self.at(start, "the file has [[token]] entries and nothing else"));
        };
        let mut end = value.span().end;
        let (mut name, mut hash, mut scopes, mut expires) = (None, None, Scopes::default(), None);
        for (key, value) in in_order(table) {
            let wrong = |what: String| self.at(key.span().start, what);
            let text = value.get_ref().as_str();
            match key.get_ref().as_ref() {
                "name" => {
                    let text = text.ok_or_else(|| wrong("name must be a text".into()))?;
                    name = Some(text.to_owned());
                }
                "hash" => {
                    let read = text.and_then(|text| text.parse::<TokenHash>().ok());
                    let must = "hash must be sha256: and 64 hexadecimal digits, as the command token new writes it";
                    hash = Some(read.ok_or_else(|| wrong(must.into()))?);
                }
                "scopes" => scopes = scopes_of(value.get_ref()).map_err(wrong)?,
                "expires" => expires = Some(expires_of(value.get_ref()).map_err(wrong)?),
                other => {
                    let shown = other.chars().take(64).collect::<String>();
                    return Err(wrong(format!(
                        "'{}' is not a key of a token, which has name, hash, scopes and expires",
                        shown.escape_debug()
                    )));
                }
            }
            end = end.max(value.span().end);
        }
        let (Some(name), Some(hash)) = (name, hash) else {
            return Err(self.at(start, "a token needs a name and a hash"));
        };
        self.entries.push(TokenEntry {
            name,
            hash,
            scopes,
            expires,
        });
        self.spans.push(start..end);
        Ok(())
    }

    fn at(&self, byte: usize, what: impl Into<String>) -> Problem {
        Problem::at(self.lines.number(byte), what)
    }

    /// The same problem, with its line.
    pub(crate) fn problem(&self, bad: &BadTokens) -> Problem {
        let start = self.spans.get(bad.index).map_or(0, |span| span.start);
        self.at(start, bad.to_string())
    }
}

/// Where the lines of a text begin.
#[derive(Debug, Default)]
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(ends).collect())
    }

    /// The line of a byte; the first is 1.
    fn number(&self, byte: usize) -> usize {
        self.0.partition_point(|start| *start <= byte).max(1)
    }
}

/// The keys of a table as they are written: the first mistake of the file is told, not of the alphabet.
fn in_order<'a, 'i>(
    table: &'a DeTable<'i>,
) -> Vec<(
    &'a Spanned<toml::de::DeString<'i>>,
    &'a Spanned<DeValue<'i>>,
)> {
    let mut keys: Vec<_> = table.iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    keys
}

fn scopes_of(value: &DeValue<'_>) -> Result<Scopes, String> {
    let words = value.as_array().and_then(|values| {
        let words = values.iter().map(|value| value.get_ref().as_str());
        words.collect::<Option<Vec<_>>>()
    });
    let words = words.ok_or("scopes must be a list of texts, as in [\"stock:read\"]")?;
    Scopes::new(words).map_err(|bad| bad.to_string())
}

fn expires_of(value: &DeValue<'_>) -> Result<SystemTime, String> {
    let text = match value {
        DeValue::Datetime(time) => Some(time.to_string()),
        DeValue::String(text) => Some(text.to_string()),
        _ => None,
    };
    text.and_then(|text| time::parse(&text)).ok_or_else(|| {
        "expires must be a date or a time with its offset, as in 2027-01-31 or 2027-01-31T12:00:00Z".into()
    })
}

/// An entry as the file has it.
pub(crate) fn written(entry: &TokenEntry) -> String {
    // Neither names nor scopes have quotes or backslashes.
    let scopes: Vec<_> = entry
        .scopes
        .iter()
        .map(|scope| format!("\"{scope}\""))
        .collect();
    let mut text = format!(
        "[[{TOKEN}]]\nname = \"{}\"\nhash = \"{}\"\nscopes = [{}]\n",
        entry.name,
        entry.hash,
        scopes.join(", ")
    );
    if let Some(expires) = entry.expires {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "expires = {}", time::written(expires));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn an_entry_has_a_name_a_hash_scopes_and_an_end() {
        let text = format!(
            "# Ours\n[[token]]\nname = \"ci\"\nhash = \"{HASH}\"\nscopes = [\"b\", 'a']\nexpires = 2027-01-31\n\n\
             [[token]]\nhash = '{}'\nname = 'x@y'\n",
            HASH.replace("ba", "bb")
        );
        let list = List::parse(&text).unwrap();
        let [ci, other] = &list.entries[..] else {
            panic!("{list:?}")
        };
        assert_eq!((&*ci.name, ci.hash), ("ci", TokenHash::of("abc")));
        assert_eq!(ci.scopes.to_string(), "a b");
        assert_eq!(
            ci.expires.map(time::written).as_deref(),
            Some("2027-01-31T00:00:00Z")
        );
        assert_eq!((&*other.name, other.expires), ("x@y", None));
        assert!(other.scopes.is_empty());
        for expires in [
            "2027-01-31T02:00:00+02:00",
            "'2027-01-31'",
            "2027-01-31 00:00:00Z",
        ] {
            let same = text.replace("2027-01-31", expires);
            assert_eq!(
                List::parse(&same).unwrap().entries,
                list.entries,
                "{expires}"
            );
        }
        let again: String = list.entries.iter().map(written).collect();
        assert_eq!(List::parse(&again).unwrap().entries, list.entries);
        assert!(List::parse("# None yet\n").unwrap().entries.is_empty());
        assert!(List::parse("").unwrap().entries.is_empty());
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let entry = |rest: &str| format!("\n[[token]]\nname = 'ci'\nhash = '{HASH}'\n{rest}\n");
        for (text, said) in [
            (
                entry("scopes = 'a'"),
                "f, line 5: scopes must be a list of texts",
            ),
            (entry("scopes = ['a b']"), "f, line 5: 'a b' is not a scope"),
            (
                entry("expires = 2027-01-31T12:00:00"),
                "f, line 5: expires must be a date",
            ),
            (
                entry("expires = 12:00:00"),
                "f, line 5: expires must be a date",
            ),
            (
                entry("expires = 'soon'"),
                "f, line 5: expires must be a date",
            ),
            (
                entry("scope = ['a']"),
                "f, line 5: 'scope' is not a key of a token",
            ),
            (entry("name = 'b'"), "f, line 5: this is not valid TOML"),
            (entry("[token]"), "f, line 5: this is not valid TOML"),
            (
                entry("[tokens]"),
                "f, line 5: the file has [[token]] entries",
            ),
            (
                entry("[[token]]\nname = 'b'"),
                "f, line 5: a token needs a name and a hash",
            ),
            ("a = 1".into(), "f, line 1: the file has [[token]] entries"),
            (
                "token = 'x'".into(),
                "f, line 1: the file has [[token]] entries",
            ),
            (
                "\ntoken = ['x']".into(),
                "f, line 2: the file has [[token]] entries",
            ),
            (
                "[[token]]\nname = 1".into(),
                "f, line 2: name must be a text",
            ),
            (
                "[[token]]\nhash = 'pymcp_x'".into(),
                "f, line 2: hash must be sha256:",
            ),
        ] {
            let problem = List::parse(&text).unwrap_err().of("f");
            assert!(problem.starts_with(said), "{text}: {problem}");
            assert!(problem.ends_with('.') && problem.lines().count() == 1);
            assert!(
                !problem.contains("ba78") && !problem.contains("pymcp_x"),
                "{problem}"
            );
        }
    }
}
