//! Where a response leads on to (RFC 9110 §15.4).
//!
//! Only what the next request is; whether it may be sent is judged as for any other.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::{Error, Request};

/// The next request, or none if the response is not a redirect that can be followed.
///
/// # Errors
/// [`Error::Redirects`] when it leads nowhere, or would carry a body, a secret or a change to another origin.
pub(crate) fn next(
    request: &Request,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Option<Request>, Error> {
    // A request that says nothing but where, whatever it was before.
    let anew = match status {
        StatusCode::SEE_OTHER => true,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => {
            // A form becomes a `GET`, as everywhere. Another change must not end as one that only looks.
            [Method::GET, Method::HEAD, Method::POST].contains(&request.method)
        }
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
        _ => return Ok(None),
    };
    let location = headers
        .get(header::LOCATION)
        .and_then(|value| value.to_str().ok());
    let location = location.ok_or(Error::Redirects)?;
    let url = request.url.join(location).map_err(|_| Error::Redirects)?;

    let leaves = url.origin() != request.url.origin();
    let secrets: Vec<_> = request
        .headers
        .iter()
        .filter(is_secret)
        .map(|(name, _)| name.clone())
        .collect();
    let carries = !secrets.is_empty() || !request.body.is_empty() || !request.method.is_safe();
    if !anew && leaves && carries {
        return Err(Error::Redirects);
    }
    let mut next = Request {
        url,
        ..request.clone()
    };
    if anew {
        if next.method != Method::HEAD {
            next.method = Method::GET;
        }
        next.body = Bytes::new();
        next.headers.remove(header::CONTENT_TYPE);
    }
    if leaves {
        for name in secrets {
            next.headers.remove(name);
        }
    }
    Ok(Some(next))
}

/// Marked as one, or of a kind that always is one.
fn is_secret((name, value): &(&HeaderName, &HeaderValue)) -> bool {
    value.is_sensitive() || [header::AUTHORIZATION, header::COOKIE].contains(*name)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    const X_KEY: HeaderName = HeaderName::from_static("x-key");
    const X_PLAIN: HeaderName = HeaderName::from_static("x-plain");

    fn form() -> Request {
        let url = Url::parse("https://example.org/search?page=1").unwrap();
        Request::form(url, [("q", "rust")])
            .header(X_PLAIN, HeaderValue::from_static("plain"))
            .header(header::COOKIE, HeaderValue::from_static("region=uk"))
            .secret(X_KEY, HeaderValue::from_static("key"))
    }

    fn led(request: &Request, status: u16, location: &str) -> Result<Option<Request>, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, HeaderValue::from_str(location).unwrap());
        next(request, StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn a_form_becomes_a_get() {
        for status in [301, 302, 303] {
            let next = led(&form(), status, "/found#part").unwrap().unwrap();
            assert_eq!(next.method, Method::GET, "{status}");
            assert_eq!(next.url.as_str(), "https://example.org/found#part");
            assert!(next.body.is_empty());
            assert!(!next.headers.contains_key(header::CONTENT_TYPE));
            assert!(next.headers.contains_key(X_KEY) && next.headers.contains_key(header::COOKIE));
        }
    }

    #[test]
    fn or_stays_what_it_is() {
        for status in [307, 308] {
            let next = led(&form(), status, "?page=2").unwrap().unwrap();
            assert_eq!(next.method, Method::POST, "{status}");
            assert_eq!(next.url.as_str(), "https://example.org/search?page=2");
            assert_eq!(next.body, "q=rust");
            assert!(next.headers.contains_key(header::CONTENT_TYPE));
        }
    }

    #[test]
    fn another_method_stays_what_it_is_unless_it_is_done() {
        let url = Url::parse("https://example.org/item").unwrap();
        let request = |method: &Method| Request::new(method.clone(), url.clone());
        for method in [Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
            for (status, kept) in [
                (301, true),
                (302, true),
                (303, false),
                (307, true),
                (308, true),
            ] {
                let next = led(&request(&method), status, "/moved").unwrap().unwrap();
                assert_eq!(next.method == method, kept, "{method} {status}");
                let elsewhere = led(&request(&method), status, "https://example.com/");
                assert_eq!(
                    elsewhere.is_ok(),
                    !kept || method.is_safe(),
                    "{method} {status}"
                );
            }
        }
        for status in [301, 302, 303, 307, 308] {
            let next = led(&request(&Method::HEAD), status, "/moved");
            assert_eq!(next.unwrap().unwrap().method, Method::HEAD, "{status}");
        }
    }

    #[test]
    fn secrets_stay_with_their_origin() {
        for location in [
            "https://example.com/",
            "//example.com/",
            "https://example.org:8443/",
            "http://example.org/",
            "https://www.example.org/",
        ] {
            let next = led(&form(), 302, location).unwrap().unwrap();
            assert!(!next.headers.contains_key(X_KEY), "{location}");
            assert!(!next.headers.contains_key(header::COOKIE), "{location}");
            assert!(next.headers.contains_key(X_PLAIN), "{location}");
        }
        let same = led(&form(), 302, "https://EXAMPLE.org:443/other")
            .unwrap()
            .unwrap();
        assert!(same.headers.contains_key(X_KEY));
    }

    #[test]
    fn neither_a_body_nor_a_secret_is_carried_elsewhere() {
        let url = Url::parse("https://example.org/").unwrap();
        let secret = Request::get(url.clone()).secret(X_KEY, HeaderValue::from_static("key"));
        for status in [307, 308] {
            assert_eq!(
                led(&form(), status, "https://example.com/").unwrap_err(),
                Error::Redirects
            );
            assert_eq!(
                led(&secret, status, "https://example.com/").unwrap_err(),
                Error::Redirects
            );
            let plain = led(&Request::get(url.clone()), status, "https://example.com/").unwrap();
            assert_eq!(plain.unwrap().url.as_str(), "https://example.com/");
        }
    }

    #[test]
    fn some_lead_nowhere() {
        for location in [
            "https://",
            "http://[::1",
            "https://example.org:99999/",
            "\u{e9}",
        ] {
            assert_eq!(
                led(&form(), 302, location).unwrap_err(),
                Error::Redirects,
                "{location}"
            );
        }
        let none = next(&form(), StatusCode::FOUND, &HeaderMap::new());
        assert_eq!(none.unwrap_err(), Error::Redirects);
    }

    #[test]
    fn others_are_no_redirects() {
        for status in [200, 201, 300, 304, 305, 306, 399, 404] {
            assert!(
                led(&form(), status, "https://example.com/")
                    .unwrap()
                    .is_none(),
                "{status}"
            );
        }
    }
}
