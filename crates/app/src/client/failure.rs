//! What went wrong between us and a server, as a sentence with an exit code: 3 if it cannot be reached, 1 if it said no.

use std::error::Error as StdError;
use std::io;

use rmcp::model::{ErrorCode, ErrorData};
use rmcp::service::{ClientInitializeError, ServiceError};
use rmcp::transport::streamable_http_client::{
    AuthRequiredError, HttpStatusError, InsufficientScopeError, StreamableHttpError,
};

#[cfg(unix)]
use rmcp::transport::common::unix_socket::UnixSocketError;
use rustls::CertificateError;

use super::sse;
use super::target::Target;
use crate::Error;
use crate::output::visible;

/// A URL has to be visited first (2025-11-25).
const URL_ELICITATION_REQUIRED: ErrorCode = ErrorCode(-32042);

/// What to look at where nobody answers.
const HINT: &str = "Does it run, and is the address right?";

/// What a server's error says.
pub(super) fn refused(error: &ErrorData) -> Error {
    let message = visible(error.message.trim_end());
    let stop = if message.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    let refused = Error::other(format!("{message}{stop} (error {})", error.code.0));
    match urls(error) {
        Some(urls) => refused.hint(format!("Visit {urls}, then try again.")),
        None => refused,
    }
}

/// The addresses that a user has to visit before the request can succeed.
fn urls(error: &ErrorData) -> Option<String> {
    if error.code != URL_ELICITATION_REQUIRED {
        return None;
    }
    let asked = error.data.as_ref()?.get("elicitations")?.as_array()?;
    let urls = asked.iter().filter_map(|asked| asked.get("url")?.as_str());
    let urls: Vec<_> = urls.map(visible).collect();
    (!urls.is_empty()).then(|| urls.join(" and "))
}

/// What went wrong with a request.
pub(super) fn failed(error: &ServiceError, target: &Target) -> Error {
    match error {
        ServiceError::McpError(error) => refused(error),
        ServiceError::TransportSend(error) => unreached(&*error.error, target),
        ServiceError::TransportClosed | ServiceError::Cancelled { .. } => {
            Error::unreached(format!("{target} closed the connection."))
        }
        ServiceError::UnexpectedResponse => unexpected(target),
        other => Error::other(format!("The request to {target} failed: {other}.")),
    }
}

/// An answer that is none for what was asked.
pub(super) fn unexpected(target: &Target) -> Error {
    Error::other(format!(
        "{target} answered with something else than the protocol says."
    ))
    .hint("--trace shows what it sent.")
}

/// Nothing came in time.
pub(super) fn late(target: &Target, seconds: u64) -> Error {
    Error::unreached(format!("{target} did not answer within {seconds} s."))
        .hint("--timeout SECONDS waits longer.")
}

/// What went wrong before the first request.
pub(super) fn handshake(error: &ClientInitializeError, target: &Target) -> Error {
    match error {
        ClientInitializeError::TransportError { error, .. } => unreached(&*error.error, target),
        ClientInitializeError::ConnectionClosed(_) => Error::unreached(format!(
            "{target} closed the connection before it answered."
        )),
        ClientInitializeError::JsonRpcError(error) => {
            let refused = refused(error);
            let sentence = refused.sentence().unwrap_or_default();
            let refused = Error::unreached(format!("{target} takes no client: {sentence}"));
            elsewhere(refused, target)
        }
        ClientInitializeError::NoCompatibleProtocolVersion {
            server_supported, ..
        } => {
            let versions: Vec<_> = server_supported.iter().map(ToString::to_string).collect();
            let versions = versions.join(", ");
            Error::unreached(format!(
                "{target} speaks other revisions of the protocol: {}.",
                visible(&versions)
            ))
            .hint("--era auto takes what the server has.")
        }
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => handshake(fallback, target),
        ClientInitializeError::ExpectedInitResponse(_)
        | ClientInitializeError::ExpectedInitResult(_)
        | ClientInitializeError::ConflictInitResponseId(..)
        | ClientInitializeError::UncorrelatedErrorResponse { .. } => Error::unreached(format!(
            "{target} does not answer as a Model Context Protocol server."
        ))
        .hint("--trace shows what it sent."),
        other => Error::unreached(format!("{target} cannot be reached: {other}.")),
    }
}

/// Whether a server was there and answered something, if not what it should.
pub(super) fn is_answer(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(|cause| {
        matches!(
            cause.downcast_ref::<StreamableHttpError<reqwest::Error>>(),
            Some(
                StreamableHttpError::UnexpectedServerResponse(_)
                    | StreamableHttpError::UnexpectedContentType(_)
                    | StreamableHttpError::UnexpectedEndOfStream
                    | StreamableHttpError::Deserialize(_)
            )
        )
    })
}

/// What to do about a server that wants to know who asks: what it says of a token is for its own log.
pub(crate) const TOKEN: &str = "--bearer @FILE, or --bearer '$NAME', gives the token. One that was given may be wrong, expired or \
                     revoked: doctor --auth URL, with the same --bearer, says which.";

/// What went wrong in a transport.
pub(super) fn unreached(error: &(dyn StdError + 'static), target: &Target) -> Error {
    for cause in causes(error) {
        if cause.is::<AuthRequiredError>() {
            return Error::unreached(format!("{target} wants a client to authenticate."))
                .hint(TOKEN);
        }
        if let Some(scope) = cause.downcast_ref::<InsufficientScopeError>() {
            let wanted = scope.get_required_scope().unwrap_or("another scope");
            return Error::unreached(format!(
                "{target} does not allow this with that token: it wants {}.",
                visible(wanted)
            ));
        }
        if let Some(status) = cause.downcast_ref::<HttpStatusError>() {
            return by_status(status.status, target);
        }
        if let Some(sse::Failure::Status(status)) = cause.downcast_ref() {
            return by_status(status.as_u16(), target);
        }
        if let Some(failed) = cause.downcast_ref::<reqwest::Error>() {
            return by_request(failed, target);
        }
        if let Some(StreamableHttpError::UnexpectedServerResponse(said)) =
            cause.downcast_ref::<StreamableHttpError<reqwest::Error>>()
        {
            return by_answer(said, target);
        }
    }
    let last = causes(error)
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string);
    Error::unreached(format!("{target} cannot be reached: {}.", visible(&last))).hint(HINT)
}

/// The error and what it came from. `Client(E)` of rmcp's HTTP client has no source, though it holds one.
fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        if let Some(StreamableHttpError::Client(client)) = error.downcast_ref() {
            let client: &reqwest::Error = client;
            return Some(client);
        }
        #[cfg(unix)]
        if let Some(StreamableHttpError::Client(client)) = error.downcast_ref() {
            let client: &UnixSocketError = client;
            return Some(client);
        }
        // An error of the system has what it was made of inside, and not as its source.
        match error.downcast_ref().and_then(io::Error::get_ref) {
            Some(inside) => Some(inside),
            None => error.source(),
        }
    })
}

fn by_request(error: &reqwest::Error, target: &Target) -> Error {
    if let Some(status) = error.status() {
        return by_status(status.as_u16(), target);
    }
    // The error's own words have the URL, which may be secret.
    let why = match causes(error).skip(1).last() {
        _ if error.is_timeout() => "it takes too long".to_owned(),
        Some(cause) => cause.to_string(),
        None => "the request failed".to_owned(),
    };
    let hint = of_tls(error).unwrap_or(HINT);
    Error::unreached(format!("{target} cannot be reached: {why}.")).hint(hint)
}

/// What to do where one side speaks TLS and the other does not, or does not trust the other.
fn of_tls(error: &reqwest::Error) -> Option<&'static str> {
    causes(error).find_map(|cause| {
        if let Some(failed) = cause.downcast_ref::<hyper::Error>() {
            let is_tls = "The server may speak TLS: then its URL begins with https://.";
            return failed.is_parse().then_some(is_tls);
        }
        match cause.downcast_ref::<rustls::Error>()? {
            rustls::Error::InvalidMessage(_) => {
                Some("The server may speak plain HTTP: then its URL begins with http://.")
            }
            rustls::Error::InvalidCertificate(why) => Some(of_certificate(why)),
            _ => None,
        }
    })
}

fn of_certificate(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "The server needs a new certificate, or the clock of this machine is wrong."
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "The URL needs the name that is in the server's certificate."
        }
        _ if cfg!(target_os = "linux") => {
            "SSL_CERT_FILE=ca.pem in the environment names the authority that signed its certificate."
        }
        _ => "The authority that signed its certificate has to be one that this machine trusts.",
    }
}

/// `HTTP 404 Not Found: …`, as rmcp says what is no message of the protocol.
fn by_answer(said: &str, target: &Target) -> Error {
    let status = said
        .strip_prefix("HTTP ")
        .and_then(|rest| rest.get(..3)?.parse().ok());
    match status {
        Some(status) => by_status(status, target),
        None => Error::unreached(format!(
            "{target} does not answer as a Model Context Protocol server."
        ))
        .hint("--trace shows what it sent."),
    }
}

fn by_status(status: u16, target: &Target) -> Error {
    let answers = Error::unreached(format!("{target} answers with HTTP status {status}."));
    match status {
        401 => answers.hint(TOKEN),
        404 | 405 => elsewhere(answers, target),
        _ => answers,
    }
}

/// Where the server may be instead.
fn elsewhere(error: Error, target: &Target) -> Error {
    match target {
        Target::Http(url) if url.path() == "/" => {
            error.hint(format!("Most servers serve below it: --url {target}mcp"))
        }
        Target::Http(_) => {
            error.hint("If it speaks HTTP+SSE, the older transport: --transport sse")
        }
        _ => error,
    }
}
