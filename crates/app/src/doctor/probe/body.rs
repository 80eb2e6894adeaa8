//! Bodies of responses, read within bounds: JSON, and streams of events.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::http::{Cut, Reply, Until};
use super::message::{self, Unread};

/// Bytes of a body that is no message that are kept.
const MAX_KEPT: usize = 2 << 10;

/// Bytes of a body that are read.
const MAX_BODY: usize = 8 << 20;

/// The next part of a body, if there is one within the bounds.
async fn next(body: &mut Incoming, read: &mut usize, end: Instant) -> Result<Option<Bytes>, Cut> {
    loop {
        let frame = match timeout_at(end, body.frame()).await {
            Err(_) => return Err(Cut::TimedOut),
            Ok(None) => return Ok(None),
            Ok(Some(Err(_))) => return Err(Cut::Broken),
            Ok(Some(Ok(frame))) => frame,
        };
        // Trailers are nothing to us.
        if let Ok(data) = frame.into_data() {
            *read += data.len();
            if *read > MAX_BODY {
                return Err(Cut::TooLarge);
            }
            return Ok(Some(data));
        }
    }
}

impl From<Unread> for Cut {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TooMany => Self::TooLarge,
            Unread::Ambiguous => Self::Ambiguous,
        }
    }
}

/// Reads a body that ends.
pub(super) async fn whole(reply: &mut Reply, mut body: Incoming, end: Instant) {
    let (mut bytes, mut read) = (Vec::new(), 0);
    loop {
        match next(&mut body, &mut read, end).await {
            Ok(Some(data)) => bytes.extend_from_slice(&data),
            Ok(None) => break,
            Err(cut) => {
                reply.cut = Some(cut);
                break;
            }
        }
    }
    match message::parse(&bytes) {
        Ok(Some(Value::Array(several))) => reply.messages = several,
        Ok(Some(message)) => reply.messages.push(message),
        Ok(None) => {
            bytes.truncate(MAX_KEPT);
            reply.text = String::from_utf8_lossy(&bytes).into_owned();
        }
        Err(unread) => reply.cut = Some(unread.into()),
    }
}

/// Reads events (HTML Standard §9.2) until the answer.
pub(super) async fn events(reply: &mut Reply, mut body: Incoming, until: &Until, end: Instant) {
    let (mut line, mut data, mut read) = (Vec::new(), Vec::new(), 0);
    loop {
        let chunk = match next(&mut body, &mut read, end).await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return,
            Err(cut) => {
                reply.cut = Some(cut);
                return;
            }
        };
        for byte in chunk {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            let text = line.strip_suffix(b"\r").unwrap_or(&line);
            if let Some(part) = text.strip_prefix(b"data:") {
                data.extend_from_slice(part.strip_prefix(b" ").unwrap_or(part));
                data.push(b'\n');
            } else if text.is_empty() && !data.is_empty() {
                match message::parse(&data) {
                    Ok(Some(message)) => {
                        let answers = message.get("method").is_none()
                            && *until == Until::Answer(message["id"].clone());
                        reply.messages.push(message);
                        if answers {
                            return;
                        }
                    }
                    // An event without a message opens streams that can be resumed.
                    Ok(None) if data.trim_ascii().is_empty() => {}
                    Ok(None) => {
                        data.truncate(MAX_KEPT);
                        reply.text = String::from_utf8_lossy(&data).into_owned();
                    }
                    Err(unread) => {
                        reply.cut = Some(unread.into());
                        return;
                    }
                }
                data.clear();
            }
            line.clear();
        }
    }
}
