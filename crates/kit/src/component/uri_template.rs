//! Matching URIs against RFC 6570 templates: the reverse of expansion, which no library offers.
//!
//! Supported: `{name}` (one path segment), `{+name}` and `{name*}` (the rest, slashes included),
//! `{?a,b}` (query members, each optional). A query that the template does not mention is ignored.

use std::borrow::Cow;

/// Longest URI that is looked at.
const MAX_URI: usize = 8192;

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Segment(String),
    Rest(String),
}

/// A parsed template.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UriTemplate {
    parts: Vec<Part>,
    query: Vec<String>,
}

impl UriTemplate {
    /// # Errors
    /// One sentence when the template is malformed, ambiguous or uses an operator that is not
    /// supported.
    pub(crate) fn parse(template: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut query = Vec::new();
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            let close = rest[open..]
                .find('}')
                .map(|at| open + at)
                .ok_or("the URI template has a '{' without '}'")?;
            if open > 0 {
                parts.push(Part::Literal(normal_scheme(
                    &rest[..open],
                    parts.is_empty(),
                )));
            }
            let expression = &rest[open + 1..close];
            rest = &rest[close + 1..];
            if let Some(names) = expression.strip_prefix('?') {
                query = names.split(',').map(variable).collect::<Result<_, _>>()?;
                if !rest.is_empty() {
                    return Err("a query has to end the URI template".into());
                }
                break;
            }
            if matches!(parts.last(), Some(Part::Segment(_) | Part::Rest(_))) {
                return Err("two variables of the URI template need text between them".into());
            }
            parts.push(
                match (expression.strip_prefix('+'), expression.strip_suffix('*')) {
                    (Some(name), _) | (None, Some(name)) => Part::Rest(variable(name)?),
                    (None, None) => Part::Segment(variable(expression)?),
                },
            );
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(normal_scheme(rest, parts.is_empty())));
        }
        Ok(Self { parts, query })
    }

    /// The names of all variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        let in_path = self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Segment(name) | Part::Rest(name) => Some(name.as_str()),
        });
        in_path.chain(self.query.iter().map(String::as_str))
    }

    /// The percent-decoded variables of `uri`; `None` when it does not match.
    pub(crate) fn match_uri(&self, uri: &str) -> Option<Vec<(String, String)>> {
        if uri.len() > MAX_URI {
            return None;
        }
        let (mut path, query) = match uri.split_once('?') {
            Some((path, query)) => (path, query),
            None => (uri, ""),
        };
        let mut found = Vec::new();
        for (i, part) in self.parts.iter().enumerate() {
            let (name, spans_segments) = match part {
                Part::Literal(text) => {
                    path = path.strip_prefix(text.as_str())?;
                    continue;
                }
                Part::Segment(name) => (name, false),
                Part::Rest(name) => (name, true),
            };
            let end = match self.parts.get(i + 1) {
                // The last occurrence for the greedy form, the first for a segment.
                Some(Part::Literal(next)) if spans_segments => path.rfind(next.as_str())?,
                Some(Part::Literal(next)) => path.find(next.as_str())?,
                _ => path.len(),
            };
            let (value, after) = path.split_at(end);
            if value.is_empty() || value.contains('#') || (!spans_segments && value.contains('/')) {
                return None;
            }
            found.push((name.clone(), percent_decode(value)?.into_owned()));
            path = after;
        }
        if !path.is_empty() {
            return None;
        }
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let repeated = found.iter().any(|(known, _)| known == name);
            if self.query.iter().any(|known| known == name) && !repeated {
                found.push((name.to_owned(), percent_decode(value)?.into_owned()));
            }
        }
        Some(found)
    }
}

fn variable(name: &str) -> Result<String, String> {
    let name = name.trim_end_matches('*');
    match !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        true => Ok(name.to_owned()),
        false => Err(format!(
            "'{{{name}}}' is no variable that URI templates here can have"
        )),
    }
}

/// Schemes are case-insensitive (RFC 3986 §3.1): lower case everywhere.
pub(crate) fn normalize(uri: &str) -> Cow<'_, str> {
    match uri.split_once(':') {
        Some((scheme, rest)) if scheme.bytes().any(|b| b.is_ascii_uppercase()) => {
            format!("{}:{rest}", scheme.to_ascii_lowercase()).into()
        }
        _ => uri.into(),
    }
}

fn normal_scheme(literal: &str, first: bool) -> String {
    if first {
        normalize(literal).into_owned()
    } else {
        literal.to_owned()
    }
}

/// Whether it starts with a scheme (RFC 3986 §3.1) and holds none of the characters that no URI and
/// no IRI has: what a URI has to be here.
pub(crate) fn is_uri(uri: &str) -> bool {
    let allowed = |c: char| !c.is_control() && !c.is_whitespace() && !"<>\"\\^`".contains(c);
    uri.chars().all(allowed) && has_scheme(uri)
}

/// Whether it starts with a scheme (RFC 3986 §3.1).
fn has_scheme(uri: &str) -> bool {
    uri.split_once(':').is_some_and(|(scheme, _)| {
        scheme
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    })
}

/// RFC 3986 §2.1; `None` for a broken escape or bytes that are no UTF-8.
fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(text.into());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let hex = |digit: u8| char::from(digit).to_digit(16);
                let (high, low) = (hex(bytes.next()?)?, hex(bytes.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            plain => plain,
        });
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(template: &str, uri: &str) -> Option<Vec<(String, String)>> {
        UriTemplate::parse(template).unwrap().match_uri(uri)
    }

    fn one(name: &str, value: &str) -> Option<Vec<(String, String)>> {
        Some(vec![(name.into(), value.into())])
    }

    #[test]
    fn a_variable_is_one_segment() {
        let template = "data://modulo10/{number}";
        assert_eq!(
            matched(template, "data://modulo10/127"),
            one("number", "127")
        );
        assert_eq!(matched(template, "data://modulo10/%31"), one("number", "1"));
        assert_eq!(
            matched(template, "data://modulo10/5?x=1"),
            one("number", "5")
        );
        for other in [
            "data://modulo10",
            "data://modulo10/",
            "data://modulo10/1/2",
            "data://modulo10/5/",
            "data://modulo10/5#x",
            "data://modulo10/%zz",
            "data://modulo10/%ff",
            "x://modulo10/5",
        ] {
            assert_eq!(matched(template, other), None, "{other}");
        }
        assert_eq!(
            matched(
                template,
                &format!("data://modulo10/{}", "9".repeat(MAX_URI))
            ),
            None
        );
    }

    #[test]
    fn text_after_a_variable_counts() {
        assert_eq!(
            matched("test://template/{id}/data", "test://template/7/data"),
            one("id", "7")
        );
        assert_eq!(
            matched("test://template/{id}/data", "test://template/7/other"),
            None
        );
    }

    #[test]
    fn the_rest_may_have_slashes() {
        for template in ["files:///{+path}", "files:///{path*}"] {
            assert_eq!(
                matched(template, "files:///a/b.txt"),
                one("path", "a/b.txt")
            );
        }
        assert_eq!(
            matched("x://{+path}/end", "x://a/end/b/end"),
            one("path", "a/end/b")
        );
    }

    #[test]
    fn query_members_are_optional_and_named() {
        let template = "db://rows{?limit,after}";
        assert_eq!(matched(template, "db://rows"), Some(vec![]));
        assert_eq!(
            matched(template, "db://rows?after=x%20y&z=1&after=2"),
            one("after", "x y")
        );
    }

    #[test]
    fn malformed_templates_are_refused() {
        for template in [
            "x://{a",
            "x://{a}{b}",
            "x://{}",
            "x://{a b}",
            "x://{?a}/b",
            "x://{#a}",
        ] {
            assert!(UriTemplate::parse(template).is_err(), "{template}");
        }
    }

    #[test]
    fn schemes_ignore_case() {
        assert_eq!(normalize("DATA://Logo"), "data://Logo");
        assert_eq!(matched("Data://{a}", "data://x"), one("a", "x"));
        assert!(
            has_scheme("data://x") && !has_scheme("nope") && !has_scheme("1:x") && !has_scheme("")
        );
    }
}
