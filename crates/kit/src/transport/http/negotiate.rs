//! What the body of a request is, and in which form its client takes the answer.

use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, StatusCode};

use super::ingress;
use super::reply::{self, Refusal};

/// The body has to be JSON in UTF-8, as it is.
pub(super) fn check_content(headers: &HeaderMap) -> Result<(), Refusal> {
    let unsupported = |why| Err(reply::refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
    if !ingress::only(headers, CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(is_json)
    {
        return unsupported("Content-Type must be application/json, in UTF-8.");
    }
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    let plain = encodings.all(|encodings| {
        encodings.to_str().is_ok_and(|encodings| {
            let mut encodings = encodings.split(',').map(str::trim);
            encodings.all(|one| one.is_empty() || one.eq_ignore_ascii_case("identity"))
        })
    });
    match plain {
        true => Ok(()),
        false => unsupported("Content-Encoding is not supported; send the JSON as it is."),
    }
}

/// JSON is UTF-8 (RFC 8259 §8.1); a client that announces something else is not read as if it were.
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let is = parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    is && parts
        .filter_map(|parameter| parameter.split_once('='))
        .all(|(name, value)| {
            let value = value.trim().trim_matches('"');
            !name.trim_end().eq_ignore_ascii_case("charset")
                || ["utf-8", "utf8"]
                    .iter()
                    .any(|utf8| value.eq_ignore_ascii_case(utf8))
        })
}

/// `Accept` of a client that takes both forms.
const USUAL: &str = "application/json, text/event-stream";

/// The forms of an answer that a client takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Forms {
    /// `application/json`: one message, or one batch of them.
    pub(super) json: bool,
    /// `text/event-stream`: messages before the answer as well.
    pub(super) stream: bool,
}

impl Forms {
    pub(super) const ALL: Self = Self {
        json: true,
        stream: true,
    };

    /// Reads `Accept` (RFC 9110 §12.5.1): the most specific range that a type is in counts, and
    /// weight 0 refuses it. Without the header everything is accepted.
    ///
    /// Clients should name both (streamable HTTP `#sending-messages`); one that names one of them
    /// gets that one.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(ACCEPT).iter();
        let first = values.next();
        // Nearly every client says this, and then there is nothing to weigh.
        if first.is_none_or(|first| first == USUAL) && values.next().is_none() {
            return Self::ALL;
        }
        let (mut json, mut stream) = (Verdict::default(), Verdict::default());
        for range in ranges(headers) {
            json.consider(range, "application", "json");
            stream.consider(range, "text", "event-stream");
        }
        Self {
            json: json.is_accepted(),
            stream: stream.is_accepted(),
        }
    }

    /// Whether the answer can be neither.
    pub(super) fn is_none(self) -> bool {
        !self.json && !self.stream
    }
}

/// Whether `Accept` names HTML, and wants it more than each form of an answer: so do browsers, and no
/// client of the protocol.
pub(super) fn prefers_html(headers: &HeaderMap) -> bool {
    let mut html = Verdict::default();
    let mut others = [Verdict::default(), Verdict::default()];
    for range in ranges(headers) {
        html.consider(range, "text", "html");
        others[0].consider(range, "application", "json");
        others[1].consider(range, "text", "event-stream");
    }
    html.specific == EXACT && others.iter().all(|other| html.weight > other.weight)
}

/// The ranges of `Accept`.
fn ranges(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(ACCEPT).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| outside_quotes(value, ','))
}

/// How specific a range is that names a type.
const EXACT: u8 = 3;

/// What the ranges so far say of one type.
#[derive(Default)]
struct Verdict {
    /// How specific the range is that counts; 0: there is none.
    specific: u8,
    /// From 0, which refuses it, to 1.
    weight: f32,
}

impl Verdict {
    fn consider(&mut self, range: &str, kind: &str, subtype: &str) {
        let mut parts = outside_quotes(range, ';');
        let essence = parts.next().unwrap_or_default().trim();
        let specific = match essence.split_once('/') {
            Some(("*", "*")) => 1,
            // Not in the grammar, and sent by some HTTP libraries all the same.
            None if essence == "*" => 1,
            Some((k, "*")) if k.eq_ignore_ascii_case(kind) => 2,
            Some((k, s)) if k.eq_ignore_ascii_case(kind) && s.eq_ignore_ascii_case(subtype) => {
                EXACT
            }
            _ => return,
        };
        let weight = parts
            .filter_map(|parameter| parameter.split_once('='))
            .filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
            // One that is no number is none.
            .filter_map(|(_, weight)| weight.trim().parse().ok())
            .fold(1.0, f32::min)
            .max(0.0);
        if specific > self.specific {
            self.specific = specific;
            self.weight = weight;
        } else if specific == self.specific {
            // The same range with other parameters.
            self.weight = self.weight.max(weight);
        }
    }

    fn is_accepted(&self) -> bool {
        self.weight > 0.0
    }
}

/// The parts between separators that do not stand in a quoted string.
fn outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |char| {
        let free = !quoted;
        match char {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        free && char == separator
    })
}

/// Whether a header is there and says something.
pub(super) fn says(headers: &HeaderMap, name: &HeaderName) -> bool {
    let mut values = headers.get_all(name).iter();
    values.any(|value| !value.as_bytes().trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_most_specific_range_decides() {
        const BOTH: (bool, bool) = (true, true);
        const JSON: (bool, bool) = (true, false);
        const STREAM: (bool, bool) = (false, true);
        const NONE: (bool, bool) = (false, false);
        for (accept, expected) in [
            (&[][..], BOTH),
            (&["application/json, text/event-stream"], BOTH),
            (&["application/json", "text/event-stream"], BOTH),
            (&["application/json, text/event-stream", "text/html"], BOTH),
            (&["TEXT/Event-Stream;q=0.5,Application/JSON; q=1"], BOTH),
            (&["*/*"], BOTH),
            (&["*"], BOTH),
            (&["*; q=.2"], BOTH),
            (&["text/html, image/gif, *; q=.2, */*; q=.2"], BOTH),
            (&["application/*, text/*"], BOTH),
            (&["application/json"], JSON),
            (&["application/json; charset=utf-8"], JSON),
            (&["application/json;profile=\"a,b;q=0\""], JSON),
            (
                &["application/json;profile=\"\\\",text/event-stream\""],
                JSON,
            ),
            (&["application/*"], JSON),
            (&["text/event-stream"], STREAM),
            (&["text/*;q=0.1"], STREAM),
            (&["application/json, text/event-stream;q=0"], JSON),
            (&["application/json, text/event-stream;Q=0"], JSON),
            (&["application/json, text/event-stream ; q = 0.000"], JSON),
            (&["application/json;v=1;q=0, application/json"], JSON),
            (&["*/*, text/event-stream;q=0"], JSON),
            (&["text/event-stream;q=0, */*"], JSON),
            (&["application/json;q=0, */*"], STREAM),
            (&["application/json;q=0", "*/*;q=0.1"], STREAM),
            (&["*/*;q=0, text/event-stream"], STREAM),
            (&["application/*;q=0, */*"], STREAM),
            (&["application/json, application/*;q=0"], JSON),
            (&["application/json;q=high"], JSON),
            (&[""], NONE),
            (&["text/html"], NONE),
            (&["application/jsonl, text/event-streams"], NONE),
            (&["*/*;q=0"], NONE),
            (&["*/*;Q=0.0"], NONE),
            (&["application/json;q=0, text/event-stream;q=0, */*"], NONE),
            (&["json, event-stream, /, ;"], NONE),
        ] {
            let forms = Forms::accepted(&headers(ACCEPT, accept));
            assert_eq!((forms.json, forms.stream), expected, "{accept:?}");
        }
    }

    #[test]
    fn html_is_preferred_only_by_who_says_so() {
        for (accept, prefers) in [
            // Firefox, Chrome, Safari; Java's HttpURLConnection, which no client of the protocol uses as it is.
            (
                &["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"][..],
                true,
            ),
            (
                &[
                    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
                ],
                true,
            ),
            (&["text/html, image/gif, *; q=.2, */*; q=.2"], true),
            (&["text/html"], true),
            (&["TEXT/HTML;charset=utf-8"], true),
            (&["application/json;q=0.5", "text/html;q=0.6"], true),
            (&["text/html, application/json;q=0"], true),
            (&[][..], false),
            (&[""], false),
            (&["*/*"], false),
            (&["text/*"], false),
            (&["text/*, */*;q=0.1"], false),
            (&["text/html;q=0"], false),
            (&["text/html;q=-1"], false),
            (&["text/html, */*"], false),
            (&["text/html, application/json"], false),
            (&["text/html;q=0.9, text/event-stream"], false),
            (&["text/event-stream"], false),
            (&["application/json, text/event-stream"], false),
            (
                &["application/json, text/event-stream, text/html;q=0.9"],
                false,
            ),
            (&["application/json;q=0.5, text/html;q=0.5"], false),
            (&["text/html;q=nan, */*;q=nan"], false),
            (&["application/xhtml+xml"], false),
        ] {
            assert_eq!(
                prefers_html(&headers(ACCEPT, accept)),
                prefers,
                "{accept:?}"
            );
        }
    }

    #[test]
    fn a_body_is_json_in_utf_8_and_not_encoded() {
        for (kind, is) in [
            ("application/json", true),
            ("Application/JSON ;charset=UTF-8", true),
            ("application/json; charset=utf8", true),
            ("application/json; charset = \"Utf8\"", true),
            ("application/json; profile=x;", true),
            ("application/json; charset=utf-16", false),
            ("application/json; charset=utf8; charset=latin1", false),
            ("application/json; charset=", false),
            ("application/jsonx", false),
            ("", false),
        ] {
            let sent = headers(CONTENT_TYPE, &[kind]);
            assert_eq!(check_content(&sent).is_ok(), is, "{kind}");
        }
        for (encodings, plain) in [
            (&["identity"][..], true),
            (&["Identity, identity", ""], true),
            (&["gzip"], false),
            (&["identity", "gzip"], false),
            (&["gzip", "identity"], false),
            (&["identity, br"], false),
            (&["chunked"], false),
        ] {
            let mut sent = headers(CONTENT_ENCODING, encodings);
            sent.insert(CONTENT_TYPE, "application/json".parse().unwrap());
            assert_eq!(check_content(&sent).is_ok(), plain, "{encodings:?}");
        }
    }
}
