//! A request put together where it is sent.

use std::fmt;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::hosts::shown;
use crate::{Egress, Error, Request, Response, Secret};

/// A request in the making, by [`Egress::get`], [`Egress::post`] and the like. What is wrong with it is
/// the error of [`Call::send`].
#[must_use = "nothing is sent before `send` or `receive`"]
pub struct Call<'a> {
    egress: &'a Egress,
    request: Result<Request, Error>,
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.request {
            Ok(request) => write!(f, "{} {}", request.method, shown(&request.url)),
            Err(error) => write!(f, "{error}"),
        }
    }
}

impl Egress {
    /// A `GET` of this address.
    pub fn get(&self, url: impl AsRef<str>) -> Call<'_> {
        self.request(Method::GET, url)
    }

    /// A `HEAD`: the status and the headers.
    pub fn head(&self, url: impl AsRef<str>) -> Call<'_> {
        self.request(Method::HEAD, url)
    }

    /// A `POST`.
    pub fn post(&self, url: impl AsRef<str>) -> Call<'_> {
        self.request(Method::POST, url)
    }

    /// A `PUT`.
    pub fn put(&self, url: impl AsRef<str>) -> Call<'_> {
        self.request(Method::PUT, url)
    }

    /// A `PATCH`.
    pub fn patch(&self, url: impl AsRef<str>) -> Call<'_> {
        self.request(Method::PATCH, url)
    }

    /// A `DELETE`.
    pub fn delete(&self, url: impl AsRef<str>) -> Call<'_> {
        self.request(Method::DELETE, url)
    }

    /// A request of any method but `CONNECT` and `TRACE`.
    ///
    /// The address is written by the author: what somebody else chose goes into [`Call::query`], or into
    /// an [`Url`] by its own functions, never by `format!`.
    pub fn request(&self, method: Method, url: impl AsRef<str>) -> Call<'_> {
        Call {
            egress: self,
            request: match Url::parse(url.as_ref()) {
                Ok(url) => Ok(Request::new(method, url)),
                Err(_) => Err(Error::Address),
            },
        }
    }
}

impl Call<'_> {
    /// Adds parameters to the address (`?city=Łódź`), encoded.
    pub fn query<'q>(self, pairs: impl IntoIterator<Item = (&'q str, &'q str)>) -> Self {
        self.map(|mut request| {
            request.url.query_pairs_mut().extend_pairs(pairs);
            Ok(request)
        })
    }

    /// Adds a header, in place of others of that name. One that is a secret goes into
    /// [`Call::secret_header`].
    pub fn header(self, name: &str, value: &str) -> Self {
        self.with(name, HeaderValue::try_from(value).ok())
    }

    /// Adds a header that is shown nowhere and goes to no other origin (RFC 6454 §4).
    pub fn secret_header(self, name: &str, secret: &Secret) -> Self {
        self.with(name, Some(secret.value()))
    }

    /// Adds `Authorization: Bearer …`, in the same way.
    pub fn bearer(self, secret: &Secret) -> Self {
        self.with(header::AUTHORIZATION.as_str(), Some(secret.bearer()))
    }

    /// The body: this value as JSON. At most [`Limits::request`](crate::Limits::request) bytes.
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Self {
        self.map(|request| request.json(value))
    }

    /// The body: a form (`application/x-www-form-urlencoded`).
    pub fn form<'f>(self, fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> Self {
        self.map(|request| Ok(request.with_form(fields)))
    }

    /// The body: these bytes, of this media type.
    pub fn body(self, content_type: &str, body: impl Into<Bytes>) -> Self {
        let call = self.map(|mut request| {
            request.body = body.into();
            Ok(request)
        });
        call.header(header::CONTENT_TYPE.as_str(), content_type)
    }

    /// Sends it and reads the whole response, whatever its status. Dropping the future ends it at once.
    ///
    /// # Errors
    /// What is wrong with the request, or when there is no whole response within the bounds.
    pub async fn send(self) -> Result<Response, Error> {
        self.egress.send(self.request?).await
    }

    /// Sends it and reads the answer, which has to be a success (a status of 2xx), as JSON.
    ///
    /// ```no_run
    /// # async fn rate(egress: pymcp_egress::Egress, key: pymcp_egress::Secret) -> Result<f64, pymcp_egress::Error> {
    /// #[derive(serde::Deserialize)]
    /// struct Rate {
    ///     rate: f64,
    /// }
    ///
    /// let call = egress.post("https://rates.example.org/v1/quote").secret_header("x-api-key", &key);
    /// let rate: Rate = call.json(&serde_json::json!({ "from": "EUR" })).receive().await?;
    /// # Ok(rate.rate) }
    /// ```
    ///
    /// # Errors
    /// As [`Call::send`], and when the status or the JSON is another.
    pub async fn receive<T: DeserializeOwned>(mut self) -> Result<T, Error> {
        if let Ok(request) = &mut self.request {
            let json = HeaderValue::from_static("application/json");
            request.headers.entry(header::ACCEPT).or_insert(json);
        }
        self.send().await?.success()?.json()
    }

    fn with(self, name: &str, value: Option<HeaderValue>) -> Self {
        self.map(|request| match (HeaderName::try_from(name), value) {
            (Ok(name), Some(value)) => Ok(request.header(name, value)),
            _ => Err(Error::Header {
                name: name.chars().take(64).collect(),
            }),
        })
    }

    /// The first error stays.
    fn map(self, change: impl FnOnce(Request) -> Result<Request, Error>) -> Self {
        Self {
            request: self.request.and_then(change),
            ..self
        }
    }
}

impl Request {
    /// A request without a body.
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// The same with this value as its body, as JSON.
    ///
    /// # Errors
    /// The value cannot be written as JSON: a map whose keys are no texts, say.
    pub fn json(mut self, value: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        let body = serde_json::to_vec(value).map_err(|_| Error::Unwritable)?;
        self.body = body.into();
        let json = HeaderValue::from_static("application/json");
        Ok(self.header(header::CONTENT_TYPE, json))
    }
}

impl Response {
    /// The same, if its status is a success (2xx).
    ///
    /// # Errors
    /// [`Error::Status`].
    pub fn success(self) -> Result<Self, Error> {
        match self.status.is_success() {
            true => Ok(self),
            false => Err(Error::Status {
                host: shown(&self.url),
                status: self.status,
            }),
        }
    }

    /// Its body, read as JSON.
    ///
    /// # Errors
    /// [`Error::NotJson`]; in which place is in the log, at `debug`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let host = shown(&self.url);
            let (line, column) = (error.line(), error.column());
            tracing::debug!(%host, kind = ?error.classify(), line, column, "not the JSON that was expected");
            Error::NotJson { host }
        })
    }
}
