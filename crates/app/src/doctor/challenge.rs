//! The challenge of a server that wants a token (RFC 9110 §11.6.1, RFC 6750 §3, RFC 9728 §5.1).

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// Bytes of a challenge that are read.
const MAX: usize = 8 << 10;

/// What a challenge of the scheme Bearer says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) resource_metadata: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) error: Option<String>,
}

impl Challenge {
    /// The one among the headers of a response, if there is one.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let all = headers.get_all(WWW_AUTHENTICATE).iter();
        all.filter_map(|value| value.to_str().ok())
            .find_map(Self::read)
    }

    fn read(text: &str) -> Option<Self> {
        let text = text.get(..text.len().min(MAX))?;
        let mut at = 0;
        let scheme = loop {
            let found = text.get(at..)?.to_ascii_lowercase().find("bearer")? + at;
            let before = text[..found].chars().next_back();
            let after = text[found + 6..].chars().next();
            let begins = before.is_none_or(|c| c == ',' || c == ' ');
            if begins && after.is_none_or(|c| c == ' ' || c == ',') {
                break found + 6;
            }
            at = found + 6;
        };
        let mut challenge = Self::default();
        for (name, value) in parameters(&text[scheme..]) {
            match name.to_ascii_lowercase().as_str() {
                "resource_metadata" => challenge.resource_metadata = Some(value),
                "scope" => challenge.scope = Some(value),
                "error" => challenge.error = Some(value),
                _ => {}
            }
        }
        Some(challenge)
    }
}

/// `name=value` and `name="quoted"`, up to what is none: the next scheme.
fn parameters(text: &str) -> Vec<(&str, String)> {
    let (mut rest, mut found) = (text.trim_start(), Vec::new());
    while let Some((name, value)) = rest.split_once('=') {
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            break;
        }
        let (value, after) = match value.trim_start().strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let end = value.find([',', ' ']).unwrap_or(value.len());
                (value[..end].to_owned(), &value[end..])
            }
        };
        found.push((name, value));
        rest = after.trim_start_matches([',', ' ', '\t']);
    }
    found
}

/// The value of a quoted string, and what follows it.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_among_others() {
        let expected = Challenge {
            resource_metadata: Some("https://a.example/x?y=\"z\"".into()),
            scope: Some("a b".into()),
            error: Some("invalid_token".into()),
        };
        for text in [
            r#"Bearer error="invalid_token", scope="a b", resource_metadata="https://a.example/x?y=\"z\"""#,
            r#"bearer error=invalid_token,scope="a b",resource_metadata="https://a.example/x?y=\"z\"""#,
            r#"Basic realm="bearers", Bearer error=invalid_token, scope="a b", Resource_Metadata = "https://a.example/x?y=\"z\"", Negotiate x=y"#,
        ] {
            assert_eq!(Challenge::read(text), Some(expected.clone()), "{text}");
        }
        assert_eq!(Challenge::read("Bearer"), Some(Challenge::default()));
        assert_eq!(Challenge::read("Basic realm=\"x\""), None);
        assert_eq!(Challenge::read("Bearer \""), Some(Challenge::default()));
        assert_eq!(Challenge::of(&HeaderMap::new()), None);
    }
}
