//! URIs in one normal form, and RFC 6570 templates matched against them: the reverse of expansion,
//! which no library offers.
//!
//! Supported: `{name}` (one path segment), `{+name}` and `{name*}` (the rest, slashes included),
//! `{?a,b}` (query members, each optional). A query that the template does not mention is ignored.
//! A URI with a fragment matches nothing: fragments are the client's business (RFC 3986 §3.5).

use std::borrow::Cow;

/// Longest URI that is looked at, in normal form.
pub(crate) const MAX_URI: usize = 8192;

/// Characters that URIs do not have unless they are percent-encoded, besides white space and controls
/// (RFC 3986 §2; RFC 6570 §2.1).
const FOREIGN: &str = "<>\"\\^`{|}";

#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// In normal form.
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
    /// One sentence when the template is malformed, ambiguous, uses an operator that is not
    /// supported, or can never match.
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
                parts.push(Part::Literal(literal(&rest[..open])?));
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
            parts.push(Part::Literal(literal(rest)?));
        }
        if let Some(Part::Literal(first)) = parts.first_mut() {
            // Without a colon it is the beginning of a scheme.
            *first = match first.contains(':') {
                true => normalize(first).into_owned(),
                false => first.to_ascii_lowercase(),
            };
        }
        let parsed = Self { parts, query };
        parsed.check()?;
        Ok(parsed)
    }

    /// What can be seen only in the whole.
    fn check(&self) -> Result<(), String> {
        let mut names: Vec<&str> = self.variables().collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("the URI template has '{}' twice", twice[0]));
        }
        if self.parts.iter().map(Part::least).sum::<usize>() > MAX_URI {
            return Err(format!(
                "URIs that fit the URI template have more than {MAX_URI} bytes"
            ));
        }
        // A variable may hold the scheme, or a part of it.
        let scheme = match &*self.parts {
            [] => false,
            [Part::Literal(text), rest @ ..] => match text.split_once(':') {
                Some((scheme, _)) => is_scheme(scheme),
                None => !rest.is_empty() && is_scheme(text),
            },
            _ => true,
        };
        match scheme {
            true => Ok(()),
            false => Err(
                "the URI template does not begin with a scheme such as 'file:', which every URI has"
                    .into(),
            ),
        }
    }

    /// The names of all variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts
            .iter()
            .filter_map(Part::name)
            .chain(self.query.iter().map(String::as_str))
    }

    /// The percent-decoded variables of `uri`, which is in normal form; `None` when it does not match.
    pub(crate) fn match_uri(&self, uri: &str) -> Option<Vec<(String, String)>> {
        if uri.len() > MAX_URI || !uri.is_ascii() || uri.contains('#') {
            return None;
        }
        let (path, query) = match uri.split_once('?') {
            Some((path, query)) => (path, query),
            None => (uri, ""),
        };
        let values = self.values(path)?;
        let mut found = Vec::with_capacity(values.len() + self.query.len());
        for (name, value) in self.parts.iter().filter_map(Part::name).zip(values) {
            found.push((name.to_owned(), percent_decode(value)?.into_owned()));
        }
        if self.query.is_empty() {
            return Some(found);
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

    /// What stands in the place of each variable of the path.
    fn values<'u>(&self, path: &'u str) -> Option<Vec<&'u str>> {
        let (mut path, mut parts) = (path, &*self.parts);
        if let [Part::Literal(text), rest @ ..] = parts {
            (path, parts) = (path.strip_prefix(&**text)?, rest);
        }
        if let [rest @ .., Part::Literal(text)] = parts {
            (path, parts) = (path.strip_suffix(&**text)?, rest);
        }
        match parts {
            [] => path.is_empty().then(Vec::new),
            [only] => only.takes(path).then(|| vec![path]),
            several => divide(several, path),
        }
    }
}

impl Part {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::Segment(name) | Self::Rest(name) => Some(name),
        }
    }

    fn takes(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => text == literal,
            Self::Segment(_) => !text.is_empty() && !text.contains('/'),
            Self::Rest(_) => !text.is_empty(),
        }
    }

    /// Bytes of a URI that it takes at least.
    fn least(&self) -> usize {
        match self {
            Self::Literal(text) => text.len(),
            Self::Segment(_) | Self::Rest(_) => 1,
        }
    }
}

/// Divides a text among variables with literals between them: a segment takes as little as it can,
/// the rest as much. Takes time in proportion to the text, whatever is in it.
fn divide<'u>(parts: &[Part], text: &'u str) -> Option<Vec<&'u str>> {
    let bytes = text.as_bytes();
    // For each variable, from the last one on: where it may begin so that what follows fits.
    let mut begins: Vec<Vec<bool>> = Vec::new();
    let ends_at = |place: usize, literal: &Part, next: &[bool]| {
        let Part::Literal(literal) = literal else {
            return false;
        };
        // Not inside of an escape.
        let whole = !bytes[place.saturating_sub(2)..place].contains(&b'%');
        whole && bytes[place..].starts_with(literal.as_bytes()) && next[place + literal.len()]
    };
    for part in parts.chunks(2).rev() {
        let (variable, literal) = (&part[0], part.get(1));
        let mut begin = vec![false; bytes.len() + 1];
        let mut fits = false;
        for place in (0..bytes.len()).rev() {
            let end = place + 1;
            let slash = bytes[place] == b'/' && matches!(variable, Part::Segment(_));
            fits = !slash
                && (fits
                    || match (literal, begins.last()) {
                        (Some(literal), Some(next)) => ends_at(end, literal, next),
                        _ => end == bytes.len(),
                    });
            begin[place] = fits;
        }
        begins.push(begin);
    }
    if !begins.pop()?[0] {
        return None;
    }
    let (mut values, mut from) = (Vec::new(), 0);
    for pair in parts.chunks(2) {
        let [variable, literal] = pair else {
            values.push(&text[from..]);
            break;
        };
        let next = begins.pop()?;
        let mut ends = (from + 1..bytes.len()).filter(|end| ends_at(*end, literal, &next));
        let end = match variable {
            Part::Rest(_) => ends.next_back()?,
            _ => ends.next()?,
        };
        values.push(&text[from..end]);
        from = end + literal.least();
    }
    Some(values)
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

/// The text between variables, in normal form.
fn literal(text: &str) -> Result<String, String> {
    let refuse = |why: &str| Err(format!("the URI template has {why}"));
    let foreign = |c: char| c.is_control() || c.is_whitespace() || FOREIGN.contains(c);
    if let Some(c) = text.chars().find(|c| foreign(*c)) {
        return refuse(&format!("{c:?}, which no URI has; percent-encode it"));
    }
    if text.contains('#') {
        return refuse("a '#': fragments do not reach a server; percent-encode it as %23");
    }
    if text.contains('?') {
        return refuse("a '?' in its text; name the members of a query at its end, as {?a,b}");
    }
    let mut escapes = text.split('%').skip(1);
    if !escapes.all(|escape| escape_of(escape.as_bytes()).is_some()) {
        return refuse("a '%' without two hexadecimal digits; percent-encode it as %25");
    }
    Ok(normal_escapes(text).into_owned())
}

/// The normal form of a URI, in which two that mean the same are the same (RFC 3986 §6.2.2): its
/// scheme is in lower case, nothing is percent-encoded that need not be, everything that must be is,
/// in upper case. An encoded reserved character stays encoded: `%2F` is not `/`.
pub(crate) fn normalize(uri: &str) -> Cow<'_, str> {
    match lower_scheme(uri) {
        Cow::Borrowed(uri) => normal_escapes(uri),
        Cow::Owned(uri) => normal_escapes(&uri).into_owned().into(),
    }
}

/// Schemes are case-insensitive (RFC 3986 §3.1): lower case everywhere.
pub(crate) fn lower_scheme(uri: &str) -> Cow<'_, str> {
    match uri.split_once(':') {
        Some((scheme, rest)) if scheme.bytes().any(|b| b.is_ascii_uppercase()) => {
            format!("{}:{rest}", scheme.to_ascii_lowercase()).into()
        }
        _ => uri.into(),
    }
}

fn normal_escapes(text: &str) -> Cow<'_, str> {
    use std::fmt::Write as _;
    let encode = |byte: u8| !byte.is_ascii() || FOREIGN.as_bytes().contains(&byte);
    if !text.bytes().any(|byte| byte == b'%' || encode(byte)) {
        return text.into();
    }
    let mut normal = String::with_capacity(text.len() + 8);
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escaped = (byte == b'%').then(|| escape_of(rest)).flatten();
        if escaped.is_some() {
            rest = &rest[2..];
        }
        // Writing to a string cannot fail.
        match escaped {
            Some(byte) if is_unreserved(byte) => normal.push(byte.into()),
            Some(byte) => drop(write!(normal, "%{byte:02X}")),
            None if encode(byte) => drop(write!(normal, "%{byte:02X}")),
            None => normal.push(byte.into()),
        }
    }
    normal.into()
}

/// RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// The byte of an escape, read behind its `%`.
fn escape_of(text: &[u8]) -> Option<u8> {
    let hex = |digit: &u8| char::from(*digit).to_digit(16);
    let (high, low) = (hex(text.first()?)?, hex(text.get(1)?)?);
    u8::try_from(high * 16 + low).ok()
}

/// Whether it starts with a scheme (RFC 3986 §3.1) and holds none of the characters that no URI and
/// no IRI has: what a URI has to be here.
pub(crate) fn is_uri(uri: &str) -> bool {
    let allowed = |c: char| !c.is_control() && !c.is_whitespace() && !"<>\"\\^`".contains(c);
    uri.chars().all(allowed) && has_scheme(uri)
}

fn has_scheme(uri: &str) -> bool {
    uri.split_once(':')
        .is_some_and(|(scheme, _)| is_scheme(scheme))
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// RFC 3986 §2.1; `None` for a broken escape or bytes that are no UTF-8.
fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(text.into());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        out.push(escape_of(rest)?);
        rest = &rest[2..];
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(template: &str, uri: &str) -> Option<Vec<(String, String)>> {
        UriTemplate::parse(template)
            .unwrap()
            .match_uri(&normalize(uri))
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
            "x://a}b",
        ] {
            assert!(UriTemplate::parse(template).is_err(), "{template}");
        }
    }

    #[test]
    fn templates_that_can_never_match_are_refused_with_the_way_out() {
        let long = format!("x://{}{{a}}", "y".repeat(MAX_URI));
        for (template, way_out) in [
            ("x://my files/{a}", "percent-encode"),
            ("x://<a>/{a}", "percent-encode"),
            ("x://a|b/{a}", "percent-encode"),
            ("x://a\\{a}", "percent-encode"),
            ("x://a\n{a}", "percent-encode"),
            ("x://{a}#top", "%23"),
            ("x://{a}?b={c}", "{?a,b}"),
            ("x://100%/{a}", "%25"),
            ("x://a%2/{a}", "%25"),
            ("x://%é9/{a}", "%25"),
            ("docs/{a}", "scheme"),
            ("/docs", "scheme"),
            ("docs", "scheme"),
            ("", "scheme"),
            ("1x://{a}", "scheme"),
            ("é://{a}", "scheme"),
            ("{?a}", "scheme"),
            ("x://{a}/{a}", "twice"),
            ("x://{a}{?a}", "twice"),
            (&long, "8192"),
        ] {
            let why = UriTemplate::parse(template).unwrap_err();
            assert!(why.contains(way_out), "{template}: {why}");
        }
        for template in ["{scheme}://x", "x{a}:y", "{+all}", "urn:x:{a}", "x:{a}{?b}"] {
            assert!(UriTemplate::parse(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn literals_are_compared_decoded() {
        for uri in [
            "file:///docs/café/a.txt",
            "file:///docs/caf%C3%A9/a.txt",
            "file:///docs/caf%c3%a9/a.txt",
            "FILE:///d%6Fcs/%63af%C3%a9/a%2Etxt",
        ] {
            for template in [
                "file:///docs/café/{name}",
                "file:///docs/caf%C3%A9/{name}",
                "file:///docs/caf%c3%a9/{+name}",
                "File:///%64ocs/café/{name}",
            ] {
                assert_eq!(
                    matched(template, uri),
                    one("name", "a.txt"),
                    "{template} {uri}"
                );
            }
        }
        // Between variables and behind them, too.
        assert_eq!(
            matched("x://{+a}/é/{b}/ü", "x://1/2/%C3%a9/3/%C3%BC"),
            Some(vec![("a".into(), "1/2".into()), ("b".into(), "3".into())])
        );
        // An encoded reserved character is another one than itself.
        for (template, uri) in [
            ("x://a/b/{c}", "x://a%2Fb/1"),
            ("x://a%2Fb/{c}", "x://a/b/1"),
            ("x://a+b/{c}", "x://a%2Bb/1"),
            ("x://a%25/{c}", "x://a%/1"),
            ("x://é/{c}", "x://e/1"),
        ] {
            assert_eq!(matched(template, uri), None, "{template} {uri}");
        }
        assert_eq!(matched("x://a%2fb/{c}", "x://a%2Fb/1"), one("c", "1"));
        assert_eq!(matched("x://a%20b/{c}", "x://a%20b/1"), one("c", "1"));
    }

    #[test]
    fn values_are_decoded_once_and_escapes_stay_whole() {
        assert_eq!(matched("x://{a}", "x://%252F"), one("a", "%2F"));
        assert_eq!(matched("x://{a}", "x://%2F"), one("a", "/"));
        assert_eq!(matched("x://{a}", "x://é%E2%82%AC"), one("a", "é€"));
        assert_eq!(
            matched("x://{a}C3{b}", "x://éC3z"),
            Some(vec![("a".into(), "é".into()), ("b".into(), "z".into())])
        );
        assert_eq!(matched("x://{a}A9", "x://é"), None);
    }

    #[test]
    fn text_that_is_in_a_value_as_well_does_not_mislead() {
        assert_eq!(matched("x://{a}bc", "x://abcbc"), one("a", "abc"));
        for (template, uri, values) in [
            ("x://{a}-{b}", "x://1-2-3", ["1", "2-3"]),
            ("x://{a}-{b}", "x://-1-2", ["-1", "2"]),
            ("x://{+a}x{b}", "x://1x2x", ["1", "2x"]),
            ("x://{+a}x{b}", "x://1x/2x3", ["1x/2", "3"]),
            ("x://{+a}/{b}", "x://1/2/3", ["1/2", "3"]),
            ("x://{a}/{+b}", "x://1/2/3", ["1", "2/3"]),
            ("x://{a}ab{b}/c", "x://aabab/c", ["a", "ab"]),
        ] {
            let found = matched(template, uri).unwrap_or_default();
            let found: Vec<_> = found.iter().map(|(_, value)| value.as_str()).collect();
            assert_eq!(found, values, "{template} {uri}");
        }
        for (template, uri) in [
            ("x://{a}-{b}", "x://1-"),
            ("x://{a}-{b}", "x://1-/2"),
            ("x://{a}-{b}", "x://-"),
        ] {
            assert_eq!(matched(template, uri), None, "{template} {uri}");
        }
    }

    #[test]
    fn neither_fragment_nor_query_is_part_of_a_variable() {
        for template in ["x://{a}", "x://{+a}", "x://{a}{?b}"] {
            assert_eq!(matched(template, "x://1?b=2#c"), None, "{template}");
            assert_eq!(matched(template, "x://1#c?b=2"), None, "{template}");
        }
        assert_eq!(matched("x://{a}", "x://1?b=2"), one("a", "1"));
        assert_eq!(matched("x://{+a}", "x://1?/2"), one("a", "1"));
        assert_eq!(matched("x://{a}", "x://1%23c"), one("a", "1#c"));
        assert_eq!(
            matched("x://{a}{?b}", "x://1?b=%23&%62=3"),
            Some(vec![("a".into(), "1".into()), ("b".into(), "#".into())])
        );
    }

    #[test]
    fn there_is_one_normal_form() {
        for (uri, normal) in [
            ("DATA://Logo", "data://Logo"),
            ("x://%7Euser/%41%2d", "x://~user/A-"),
            ("x://a%2fb%3a", "x://a%2Fb%3A"),
            ("x://é", "x://%C3%A9"),
            ("x://{a|b}", "x://%7Ba%7Cb%7D"),
            ("x://100%", "x://100%"),
            ("x://%zz%e", "x://%zz%e"),
            ("x://%2541", "x://%2541"),
        ] {
            assert_eq!(normalize(uri), normal);
            assert_eq!(normalize(normal), normal);
        }
        assert!(matches!(
            normalize("data://modulo10/5?a=b"),
            Cow::Borrowed(_)
        ));
    }

    #[test]
    fn schemes_ignore_case() {
        assert_eq!(normalize("DATA://Logo"), "data://Logo");
        assert_eq!(matched("Data://{a}", "data://x"), one("a", "x"));
        for uri in ["data1://x", "DATA1://x"] {
            assert_eq!(matched("DATA{a}://x", uri), one("a", "1"));
        }
        assert_eq!(matched("DATA{+a}", "DATA:x"), one("a", ":x"));
        assert!(
            has_scheme("data://x") && !has_scheme("nope") && !has_scheme("1:x") && !has_scheme("")
        );
    }
}
