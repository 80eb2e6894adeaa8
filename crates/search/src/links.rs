//! Addresses: which are the same, and without what follows people around.
//!
//! Wherever nothing is taken out, an address stays as [`Url`] writes it, escapes and all, because a server may tell `%2F`
//! from `/`. To add a parameter that only follows people around, add it to [`TRACKING`]; a page that only leads on to
//! another one, to [`unwrap`].

use url::Url;

/// Bytes that an address may have.
pub(crate) const MOST: usize = 2_048;
/// Bytes of an address as engines give it: theirs may hold another one, with three bytes for each of its own.
const RAW: usize = 4 * MOST;
/// Addresses that may be inside each other.
const LEVELS: usize = 2;

/// Names of query parameters that tell where somebody came from, in lower case; those that start with `utm_` as well.
const TRACKING: &[&str] = &[
    "__hsfp",
    "__hssc",
    "__hstc",
    "_ga",
    "_gl",
    "_hsenc",
    "_hsmi",
    "dclid",
    "fbclid",
    "gbraid",
    "gclid",
    "gclsrc",
    "hsctatracking",
    "igsh",
    "igshid",
    "li_fat_id",
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "msclkid",
    "oly_anon_id",
    "oly_enc_id",
    "ref_src",
    "srsltid",
    "ttclid",
    "twclid",
    "vero_conv",
    "vero_id",
    "wbraid",
    "wickedid",
    "yclid",
    "ysclid",
];

/// The address as it may be shown: `http:` or `https:` with a host, without user and password, out of redirects of
/// search engines, and without parameters that only follow people around; [`MOST`] bytes at most, all ASCII. None for
/// any other. What is tidy stays as it is.
pub(crate) fn tidy(text: &str) -> Option<Url> {
    let mut url = web(text)?;
    for _ in 0..LEVELS {
        match unwrap(&url) {
            Some(inner) => url = inner,
            None => break,
        }
    }
    // More redirects in each other than anybody needs.
    if unwrap(&url).is_some() {
        return None;
    }
    if let Some(query) = url.query() {
        let kept: Vec<_> = query.split('&').filter(|pair| !is_tracking(pair)).collect();
        let kept = kept.join("&");
        url.set_query((!kept.is_empty()).then_some(&kept));
    }
    // What is marked in the page that was found (`#:~:text=…`) was marked for another search.
    if let Some((fragment, _)) = url.fragment().and_then(|text| text.split_once(":~:")) {
        let fragment = fragment.to_owned();
        url.set_fragment((!fragment.is_empty()).then_some(&fragment));
    }
    (url.as_str().len() <= MOST).then_some(url)
}

/// What is the same for two addresses of one page: host, port, path and query. `http:` or `https:`, a slash at the end,
/// the fragment and the case of escapes (RFC 3986 §6.2.2.1) make no difference. `www.` does: it may be another site.
pub(crate) fn key(url: &Url) -> String {
    let mut key = String::with_capacity(url.as_str().len());
    key.push_str(url.host_str().unwrap_or_default());
    // Only of its own scheme is a port the default one, and that is left out already.
    if let Some(port) = url.port() {
        key.push_str(&format!(":{port}"));
    }
    let path = url.path();
    push_escaped(&mut key, path.strip_suffix('/').unwrap_or(path));
    if let Some(query) = url.query().filter(|query| !query.is_empty()) {
        key.push('?');
        push_escaped(&mut key, query);
    }
    key
}

/// An address that results may have.
fn web(text: &str) -> Option<Url> {
    if text.len() > RAW {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let plain = url.username().is_empty() && url.password().is_none();
    let web = matches!(url.scheme(), "http" | "https");
    (web && plain && url.host_str().is_some_and(|host| !host.is_empty())).then_some(url)
}

fn is_tracking(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default();
    let name = name.to_ascii_lowercase();
    name.starts_with("utm_") || TRACKING.contains(&name.as_str())
}

/// Where an address leads that a search engine gives instead of the one of the page; none for any other address.
pub(crate) fn unwrap(url: &Url) -> Option<Url> {
    let host = url.host_str()?;
    let path = url.path();
    let inner = if is_google(host) && path == "/url" {
        parameter(url, "q")
            .and_then(|text| web(&text))
            .or_else(|| parameter(url, "url").and_then(|text| web(&text)))?
    } else if is_at(host, "bing.com") && path.starts_with("/ck/a") {
        web(&from_base64(parameter(url, "u")?.strip_prefix("a1")?)?)?
    } else if is_at(host, "duckduckgo.com") && matches!(path, "/l/" | "/l") {
        web(&parameter(url, "uddg")?)?
    } else if is_at(host, "search.yahoo.com") {
        let escaped = path.split('/').find_map(|part| part.strip_prefix("RU="))?;
        web(&unescape(escaped)?)?
    } else {
        return None;
    };
    Some(inner)
}

/// Whether a host is a domain or one below it.
pub(crate) fn is_at(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// `google.com`, `google.de`, `google.co.uk`, `google.com.br`, with `www.` or without.
fn is_google(host: &str) -> bool {
    let Some(domain) = host
        .strip_prefix("www.")
        .unwrap_or(host)
        .strip_prefix("google.")
    else {
        return false;
    };
    let country = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_lowercase());
    match domain.split_once('.') {
        None => domain == "com" || country(domain),
        Some((second, last)) => matches!(second, "co" | "com") && country(last),
    }
}

/// The first parameter of that name, decoded as forms are.
fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find_map(|(key, value)| (key == name).then(|| value.into_owned()))
}

/// Text without percent escapes (RFC 3986 §2.1); none if it is no UTF-8.
fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut plain = parts.next()?.as_bytes().to_vec();
    for part in parts {
        if let Some((digits, rest)) = escape(part) {
            plain.push(u8::from_str_radix(digits, 16).ok()?);
            plain.extend_from_slice(rest.as_bytes());
        } else {
            plain.push(b'%');
            plain.extend_from_slice(part.as_bytes());
        }
    }
    String::from_utf8(plain).ok()
}

/// Appends text with the digits of its percent escapes in upper case.
fn push_escaped(to: &mut String, text: &str) {
    let mut parts = text.split('%');
    to.push_str(parts.next().unwrap_or_default());
    for part in parts {
        to.push('%');
        if let Some((digits, rest)) = escape(part) {
            to.push_str(&digits.to_ascii_uppercase());
            to.push_str(rest);
        } else {
            to.push_str(part);
        }
    }
}

/// The two digits of an escape, and what follows, for what stands behind a `%`.
fn escape(part: &str) -> Option<(&str, &str)> {
    let (digits, rest) = part.split_at_checked(2)?;
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then_some((digits, rest))
}

/// Base64 for URLs, without padding (RFC 4648 §5); none if it is none, or no UTF-8.
fn from_base64(text: &str) -> Option<String> {
    let mut plain = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            plain.push((bits >> count & 0xFF) as u8);
        }
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests;
