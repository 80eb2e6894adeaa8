//! Matching: what a URI has in the place of each variable.

use super::super::uri::{MAX_URI, percent_decode};
use super::{Part, UriTemplate};

impl UriTemplate {
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
    fn takes(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => text == literal,
            Self::Segment(_) => !text.is_empty() && !text.contains('/'),
            Self::Rest(_) => !text.is_empty(),
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
