//! URIs in one normal form.

use std::borrow::Cow;

/// Longest URI that is looked at, in normal form.
pub(crate) const MAX_URI: usize = 8192;

/// Characters that URIs do not have unless they are percent-encoded, besides white space and controls
/// (RFC 3986 §2; RFC 6570 §2.1).
pub(super) const FOREIGN: &str = "<>\"\\^`{|}";

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

pub(super) fn normal_escapes(text: &str) -> Cow<'_, str> {
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
pub(super) fn escape_of(text: &[u8]) -> Option<u8> {
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
pub(super) fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// RFC 3986 §2.1; `None` for a broken escape or bytes that are no UTF-8.
pub(super) fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
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
    fn a_uri_has_a_scheme() {
        assert!(has_scheme("data://x") && !has_scheme("nope"));
        assert!(!has_scheme("1:x") && !has_scheme(""));
    }
}
