//! What is sent and what comes back.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use url::Url;

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Any but `CONNECT` and `TRACE`.
    pub method: Method,
    /// Where to; `http:` or `https:`, without a user or a password.
    pub url: Url,
    /// Headers besides those that every request has. Those that are about the connection and not the request are left
    /// out: `Host` and the like follow from the address, and from the body.
    pub headers: HeaderMap,
    /// The body; empty for none. At most [`Limits::request`](crate::Limits::request) bytes.
    pub body: Bytes,
}

impl Request {
    /// A `GET` of `url`.
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// A `POST` of a form (`application/x-www-form-urlencoded`).
    pub fn form<'a>(url: Url, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::new(Method::POST, url).with_form(fields)
    }

    pub(crate) fn with_form<'a>(
        mut self,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.body = body.into();
        self.header(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        )
    }

    /// Adds a header, in place of others of that name.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Adds a header that is shown nowhere and goes to no other origin (RFC 6454 §4). `Authorization` and `Cookie` are
    /// kept from other origins however they are added.
    pub fn secret(self, name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.header(name, value)
    }
}

/// What came back, whole.
#[derive(Debug, Clone)]
pub struct Response {
    /// Any status: whether it is a good one is for the caller to say.
    pub status: StatusCode,
    /// Where it came from, after redirects.
    pub url: Url,
    /// Its headers; at most 100, and 64 KiB of names and values.
    pub headers: HeaderMap,
    /// Its body, decompressed; at most [`Limits::body`](crate::Limits::body) bytes.
    pub body: Bytes,
}
