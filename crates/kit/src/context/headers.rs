//! The request headers of HTTP that a server's author has named, and no others.

use http::{HeaderMap, HeaderName};

use crate::build_error::BuildError;
use crate::wire::RpcError;

use super::Ctx;

/// Headers that can be named.
const MAX_NAMES: usize = 16;

/// Bytes of the value of one.
const MAX_VALUE: usize = 4 << 10;

/// The names, each once.
#[derive(Debug, Default)]
pub(crate) struct HeaderNames(Vec<HeaderName>);

impl HeaderNames {
    /// # Errors
    /// The first name that is none, or that there are too many.
    pub(crate) fn new(names: &[String]) -> Result<Self, BuildError> {
        let mut known: Vec<HeaderName> = Vec::new();
        for name in names {
            let name = HeaderName::try_from(name.as_str()).map_err(|_| {
                BuildError(format!(
                    "The header {name:?} cannot be shown to handlers: it is no name of a header, such as \"x-tenant\"."
                ))
            })?;
            if !known.contains(&name) {
                known.push(name);
            }
        }
        match known.len() <= MAX_NAMES {
            true => Ok(Self(known)),
            false => Err(BuildError(format!(
                "{} headers are to be shown to handlers, and there can be {MAX_NAMES}; name fewer in \"headers\".",
                known.len()
            ))),
        }
    }

    /// The names, in lower case.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(HeaderName::as_str)
    }

    /// Takes what was named out of the headers of a request.
    ///
    /// # Errors
    /// A header of which it cannot be said what its value is; the value is not shown.
    pub(crate) fn read(&self, all: Option<&HeaderMap>) -> Result<Headers, RpcError> {
        let Some(all) = all else {
            return Ok(Headers::default());
        };
        let mut found = Vec::new();
        for name in &self.0 {
            let mut values = all.get_all(name).iter();
            let Some(value) = values.next() else {
                continue;
            };
            let value = value.to_str().ok().filter(|value| value.len() <= MAX_VALUE);
            let Some(value) = value.filter(|_| values.next().is_none()) else {
                return Err(RpcError::invalid_request(format!(
                    "The header {name} must appear once, and be visible ASCII of at most {MAX_VALUE} bytes."
                )));
            };
            found.push((name.clone(), value.into()));
        }
        Ok(Headers(found))
    }
}

/// What one request has of them, in the order of the names.
#[derive(Default)]
pub(crate) struct Headers(Vec<(HeaderName, Box<str>)>);

impl Ctx {
    /// The value of a header of the HTTP request that is being worked on; its name in any case.
    /// `None` when the request has no such header, over stdio, and for each header that
    /// [`ServerBuilder::headers`] does not name.
    ///
    /// A handler that runs again with the answer to a question sees the headers of the request that
    /// brought the answer, and a task those of the request that it began with. Over HTTP+SSE of
    /// 2024-11-05 they are those of the request that posted the message.
    ///
    /// ```
    /// # use pymcp_kit::{Ctx, Error, NoArgs, Result, Server, Tool};
    /// async fn orders(ctx: Ctx, _: NoArgs) -> Result<String> {
    ///     let tenant = ctx.header("x-tenant").ok_or_else(|| Error::user("The header x-tenant is missing."))?;
    ///     Ok(format!("The orders of {tenant}."))
    /// }
    ///
    /// let server = Server::builder("example", "1.0.0")
    ///     .headers(["x-tenant"])
    ///     .tool(Tool::new("orders", orders))
    ///     .build();
    /// assert!(server.is_ok());
    /// ```
    ///
    /// [`ServerBuilder::headers`]: crate::ServerBuilder::headers
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers();
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    /// All of them, their names in lower case.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.0.headers.0.iter();
        headers.map(|(name, value)| (name.as_str(), &**value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<const N: usize>(names: [&str; N]) -> Result<HeaderNames, BuildError> {
        HeaderNames::new(&names.map(str::to_owned))
    }

    fn all(lines: &[(&str, &[u8])]) -> HeaderMap {
        let line = |(name, value): &(&str, &[u8])| {
            (
                HeaderName::try_from(*name).unwrap(),
                http::HeaderValue::from_bytes(value).unwrap(),
            )
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn only_what_was_named_is_kept() {
        let names = names(["X-Tenant", "x-tenant", "x-region"]).unwrap();
        assert_eq!(names.iter().collect::<Vec<_>>(), ["x-tenant", "x-region"]);
        let sent = all(&[
            ("authorization", b"Bearer hunter2"),
            ("cookie", b"a=b"),
            ("x-region", b""),
            ("x-tenant", b"acme"),
        ]);
        let Headers(read) = names.read(Some(&sent)).unwrap();
        let read: Vec<_> = read.iter().map(|(n, v)| (n.as_str(), &**v)).collect();
        assert_eq!(read, [("x-tenant", "acme"), ("x-region", "")]);
        assert!(names.read(None).unwrap().0.is_empty());
    }

    #[test]
    fn what_is_ambiguous_is_refused_without_its_value() {
        let names = names(["x-tenant"]).unwrap();
        let long = [b'a'; MAX_VALUE + 1];
        for lines in [
            &[("x-tenant", &b"hunter2"[..]), ("x-tenant", &b"hunter2"[..])][..],
            &[("x-tenant", "hunter2\u{e9}".as_bytes())],
            &[("x-tenant", &long)],
        ] {
            let error = names.read(Some(&all(lines))).map(drop).unwrap_err();
            assert!(error.message.contains("x-tenant"), "{error:?}");
            assert!(!error.message.contains("hunter2"), "{error:?}");
        }
        assert!(names.read(Some(&all(&[("x-tenant", &long[1..])]))).is_ok());
    }

    #[test]
    fn names_are_bounded_and_checked() {
        for bad in ["", "x tenant", "x:y", "\u{e9}"] {
            let why = names([bad]).map(drop).unwrap_err().to_string();
            assert!(why.contains(&format!("{bad:?}")), "{why}");
        }
        let many: Vec<String> = (0..=MAX_NAMES).map(|n| format!("x-{n}")).collect();
        assert!(HeaderNames::new(&many[1..]).is_ok());
        let why = HeaderNames::new(&many).map(drop).unwrap_err().to_string();
        assert!(why.starts_with("17 headers"), "{why}");
    }
}
