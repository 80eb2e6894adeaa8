//! RFC 6570 templates matched against URIs in normal form: the reverse of expansion, which no library offers.
//!
//! Supported: `{name}` (one path segment), `{+name}` and `{name*}` (the rest, slashes included),
//! `{?a,b}` (query members, each optional). A query that the template does not mention is ignored.
//! A URI with a fragment matches nothing: fragments are the client's business (RFC 3986 §3.5).

mod matching;

use super::uri::{FOREIGN, MAX_URI, escape_of, is_scheme, normal_escapes, normalize};

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
}

impl Part {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::Segment(name) | Self::Rest(name) => Some(name),
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
    fn schemes_ignore_case() {
        assert_eq!(normalize("DATA://Logo"), "data://Logo");
        assert_eq!(matched("Data://{a}", "data://x"), one("a", "x"));
        for uri in ["data1://x", "DATA1://x"] {
            assert_eq!(matched("DATA{a}://x", uri), one("a", "1"));
        }
        assert_eq!(matched("DATA{+a}", "DATA:x"), one("a", ":x"));
    }
}
