//! What a server and a worker say to each other, and how it is framed.
//!
//! A frame is its length (4 bytes, little-endian) and as many bytes of JSON. The protocol knows
//! nothing of the engine: values are JSON, errors are text. JSON because it is there already and
//! any engine can write it, so that no type of an interpreter gets into the server.
//!
//! A worker says that it is ready and how it is confined, takes one request, prints, calls functions
//! of the host one at a time, and ends with one answer. What the server and its zygote say to each
//! other is `zygote::control`'s.
//!
//! The worker runs hostile code and may be hostile itself, so the server believes nothing: frames
//! are bounded before they are read, and [`crate::pool`] bounds how many there are.

use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::confine::Layers;
use crate::limits::Limits;
use crate::run::{Kind, Value};

/// Bytes of the largest frame there may be: the largest inputs or value, with everything escaped.
pub(crate) const MAX_FRAME: usize = 32 << 20;

/// Bytes of the longest message about a failed run; workers cut theirs.
pub(crate) const MAX_MESSAGE: usize = 64 << 10;

/// Bytes of a frame's head.
pub(crate) const HEAD: usize = 4;

/// From the server.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToWorker {
    /// Run this. Only while nothing runs.
    Run(Box<Run>),
    /// What the host function returned that was called last.
    Returned(Box<RawValue>),
    /// Why it returned nothing: raises `RuntimeError`.
    Raised(String),
}

/// A request, as a worker sees it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) code: String,
    pub(crate) inputs: Option<Box<RawValue>>,
    pub(crate) script_name: String,
    pub(crate) check_types: bool,
    pub(crate) stubs: Option<String>,
    pub(crate) limits: Limits,
    /// Names of the host's functions, and their declarations for the type checker.
    pub(crate) host: Vec<(String, String)>,
    pub(crate) utc_offset: i32,
}

/// From a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromWorker {
    /// First of all: ready to run, and confined like this.
    Ready(Layers),
    /// Something was printed.
    Output(Stream, String),
    /// A host function is called: name, positional arguments (an array), arguments by name (an
    /// object). Nothing else is sent until it is answered.
    Call(String, Box<RawValue>, Box<RawValue>),
    /// The run is over.
    Done(Done),
}

/// The end of a run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) result: Result<Value, RunError>,
    /// Bytes of stdout and stderr that were dropped.
    pub(crate) dropped: [u64; 2],
}

/// Why a run has no value.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RunError {
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

impl RunError {
    /// Cuts a message that is too long in its middle: its end says what went wrong.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        const CUT: &str = "\n  [...]\n";
        let mut message = message.into();
        if message.len() > MAX_MESSAGE {
            let half = (MAX_MESSAGE - CUT.len()) / 2;
            let start = message.floor_char_boundary(half);
            let end = message.ceil_char_boundary(message.len() - half);
            message.replace_range(start..end, CUT);
        }
        Self { kind, message }
    }
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ended {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Otherwise; in words for the log.
    Other(String),
}

/// An output stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// A message as a frame.
///
/// # Errors
/// When it is larger than [`MAX_FRAME`].
pub(crate) fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; HEAD];
    serde_json::to_writer(&mut frame, message)?;
    let length = length(frame.len() - HEAD)?;
    frame[..HEAD].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

/// The length that a frame's head announces.
///
/// # Errors
/// When it is more than [`MAX_FRAME`].
pub(crate) fn announced(head: [u8; HEAD]) -> io::Result<usize> {
    length(u32::from_le_bytes(head) as usize).map(|length| length as usize)
}

/// A frame's body as a message.
///
/// # Errors
/// When it is none. The error says where, and nothing of what the frame holds.
pub(crate) fn decode<T: DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let kind = error.classify();
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("no message ({kind:?} at {line}:{column})"),
        )
    })
}

fn length(bytes: usize) -> io::Result<u32> {
    match u32::try_from(bytes) {
        Ok(length) if bytes <= MAX_FRAME => Ok(length),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {bytes} bytes"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let frame = encode(&FromWorker::Output(Stream::Stdout, "a\u{0}é".into())).unwrap();
        let length = announced(frame[..HEAD].try_into().unwrap()).unwrap();
        assert_eq!(length, frame.len() - HEAD);
        let FromWorker::Output(Stream::Stdout, text) = decode(&frame[HEAD..]).unwrap() else {
            panic!("{frame:?}");
        };
        assert_eq!(text, "a\u{0}é");
    }

    #[test]
    fn a_frame_that_is_too_large_is_refused_by_its_head() {
        assert!(announced(u32::MAX.to_le_bytes()).is_err());
        assert!(announced((MAX_FRAME as u32 + 1).to_le_bytes()).is_err());
        assert_eq!(
            announced((MAX_FRAME as u32).to_le_bytes()).unwrap(),
            MAX_FRAME
        );
    }

    #[test]
    fn a_long_message_keeps_its_ends() {
        let long = format!("first{}last", "é".repeat(MAX_MESSAGE));
        let message = RunError::new(Kind::Exception, long).message;
        assert!(message.len() <= MAX_MESSAGE, "{}", message.len());
        assert!(message.starts_with("firsté") && message.ends_with("élast"));
    }

    #[test]
    fn inputs_keep_their_digits() {
        let text = r#"{"n":123456789012345678901234567890.5}"#;
        let run = Run {
            code: String::new(),
            inputs: Some(RawValue::from_string(text.into()).unwrap()),
            script_name: String::new(),
            check_types: false,
            stubs: None,
            limits: Limits::default(),
            host: Vec::new(),
            utc_offset: 0,
        };
        let frame = encode(&ToWorker::Run(Box::new(run))).unwrap();
        let ToWorker::Run(run) = decode(&frame[HEAD..]).unwrap() else {
            panic!()
        };
        assert_eq!(run.inputs.unwrap().get(), text);
    }
}
