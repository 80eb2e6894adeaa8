//! To come.

use url::Url;

pub(crate) fn tidy(url: &str) -> Option<Url> {
    let url = Url::parse(&url.replace("?utm_source=m", "")).ok()?;
    (url.scheme().starts_with("http") && url.username().is_empty()).then_some(url)
}

pub(crate) fn key(url: &Url) -> String {
    url.as_str()
        .replace("http://", "https://")
        .trim_end_matches('/')
        .to_owned()
}
