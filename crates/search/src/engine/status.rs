//! What a status means, wherever an engine has no meaning of its own for it.

use std::time::Duration;

use http::header::RETRY_AFTER;
use pymcp_egress::Response;

use super::Blocked;

/// Nothing for `200 OK`, else what the status says.
pub(super) fn check(response: &Response) -> Result<(), Blocked> {
    let retry_after = retry_after(response);
    match response.status.as_u16() {
        200 => Ok(()),
        429 => Err(Blocked::TooOften { retry_after }),
        // Who says when to come back is not broken, but has too much to do (RFC 9110 §15.6.4).
        503 if retry_after.is_some() => Err(Blocked::TooOften { retry_after }),
        401 | 403 => Err(Blocked::Challenge),
        status @ 500.. => Err(Blocked::Failed { status }),
        _ => Err(Blocked::Unrecognised),
    }
}

/// `Retry-After` in seconds (RFC 9110 §10.2.3); its other form, a date, is not used by search engines.
pub(super) fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}
