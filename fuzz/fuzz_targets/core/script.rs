//! What happens, in order.
//!
//! Two forms are read. Bytes that start with `#` are lines, for seeds that people can read and for
//! messages of any shape; all others are a [`Step`] after the other, which are mostly sound, so that
//! the fuzzer gets behind the parser.

use arbitrary::{Arbitrary, Unstructured};
use serde_json::{Value, json};

/// One thing that happens.
#[derive(Debug, Arbitrary)]
pub enum Step<'a> {
    Send(Side, Message<'a>),
    Batch(Side, Vec<Message<'a>>),
    Raw(Side, &'a [u8]),
    /// The transport stops reading from one exchange, or goes on.
    Pause(u8),
    /// The transport gives one exchange up.
    Drop(u8),
    /// The transport looks at every exchange for no reason.
    Poke,
    HangUp(Side),
    Close(Side),
    OpenStream(Side),
    CloseStream(Side),
    Updated,
    /// Seconds pass.
    Wait(u8),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub enum Side {
    Legacy,
    Stateless,
}

#[derive(Debug, Arbitrary)]
pub enum Message<'a> {
    Initialize {
        id: Id,
        version: Version,
        asks: bool,
        samples: bool,
    },
    Call {
        id: Id,
        tool: Tool,
        n: Number<'a>,
        text: Option<&'a str>,
        envelope: Envelope,
    },
    Other {
        id: Id,
        method: Method,
        envelope: Envelope,
    },
    Cancel {
        id: Id,
    },
    Respond {
        ask: u8,
        response: Response<'a>,
    },
}

/// Few, so that they meet.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub enum Id {
    Zero,
    One,
    Two,
    Text,
    Unused(u8),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub enum Version {
    Batches,
    Latest,
    Unknown,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub enum Tool {
    Echo,
    Cached,
    Fail,
    Panic,
    Ask,
    AskTwiceAtOnce,
    Sample,
    Talk,
    Large,
    Hang,
    Slow,
    Unknown,
}

#[derive(Debug, Arbitrary)]
pub enum Number<'a> {
    None,
    Small(i8),
    Float(f64),
    Text(&'a str),
    Big(i128),
}

/// What `_meta` says.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub struct Envelope {
    modern: bool,
    capable: bool,
    progress: bool,
    loud: bool,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub enum Method {
    Ping,
    ToolsList,
    ResourcesList,
    TemplatesList,
    PromptsList,
    Discover,
    ReadFixed,
    ReadPair(u8),
    ReadNothing,
    GetPrompt,
    SetLevel,
    Subscribe,
    Unsubscribe,
    Unknown,
}

#[derive(Debug, Arbitrary)]
pub enum Response<'a> {
    Accept(f64, &'a str),
    Decline,
    Dismiss,
    Sampled(&'a str),
    Nonsense,
    Error(&'a str),
}

/// What happens, in order.
#[derive(Debug)]
pub struct Script<'a>(pub Vec<Step<'a>>);

impl<'a> Arbitrary<'a> for Script<'a> {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let bytes = u.bytes(u.len())?;
        if let Some(text) = bytes.strip_prefix(b"#") {
            return Ok(Self(
                text.split(|&b| b == b'\n').skip(1).map(line).collect(),
            ));
        }
        let (mut u, mut steps) = (Unstructured::new(bytes), Vec::new());
        while !u.is_empty() {
            steps.push(u.arbitrary()?);
        }
        Ok(Self(steps))
    }
}

/// `~` before a message sends it to the stateless connection; a line of one of the marks below is
/// another step; everything else goes to the legacy connection.
fn line(line: &[u8]) -> Step<'_> {
    match line {
        b"-" => Step::Drop(0),
        b"=" => Step::Pause(0),
        b"?" => Step::Poke,
        b"." => Step::HangUp(Side::Legacy),
        b"x" => Step::Close(Side::Legacy),
        b"<" => Step::OpenStream(Side::Legacy),
        b">" => Step::CloseStream(Side::Legacy),
        b"!" => Step::Updated,
        b"+" => Step::Wait(5),
        [b'~', message @ ..] => Step::Raw(Side::Stateless, message),
        message => Step::Raw(Side::Legacy, message),
    }
}

impl Message<'_> {
    /// The message as JSON text.
    pub fn text(&self) -> String {
        match self {
            Self::Initialize {
                id,
                version,
                asks,
                samples,
            } => {
                let mut capabilities = json!({});
                if *asks {
                    capabilities["elicitation"] = json!({});
                }
                if *samples {
                    capabilities["sampling"] = json!({});
                }
                let version = match version {
                    Version::Batches => "2025-03-26",
                    Version::Latest => "2025-11-25",
                    Version::Unknown => "1999-12-31",
                };
                let client = json!({ "name": "fuzz", "version": "1" });
                let params = json!({ "protocolVersion": version, "capabilities": capabilities, "clientInfo": client });
                request(*id, "initialize", &params.to_string())
            }
            Self::Call {
                id,
                tool,
                n,
                text,
                envelope,
            } => {
                // As text, because a tree would round the numbers.
                let (name, n, text) = (json!(tool.name()), n.text(), json!(text));
                let meta = envelope.meta();
                let arguments = match tool {
                    Tool::Hang | Tool::AskTwiceAtOnce => "{}".to_owned(),
                    _ => format!(r#"{{"n":{n},"text":{text},"big":{n}}}"#),
                };
                request(
                    *id,
                    "tools/call",
                    &format!(r#"{{"_meta":{meta},"name":{name},"arguments":{arguments}}}"#),
                )
            }
            Self::Other {
                id,
                method,
                envelope,
            } => {
                let (method, mut params) = method.parts();
                params["_meta"] = envelope.meta();
                request(*id, method, &params.to_string())
            }
            Self::Cancel { id } => {
                let id = id.text();
                format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
                )
            }
            Self::Respond { ask, response } => {
                let mut message = response.message();
                message["jsonrpc"] = json!("2.0");
                message["id"] = json!(ask);
                message.to_string()
            }
        }
    }
}

fn request(id: Id, method: &str, params: &str) -> String {
    let id = id.text();
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

impl Id {
    fn text(self) -> String {
        match self {
            Self::Zero => "0".into(),
            Self::One => "1".into(),
            Self::Two => "2".into(),
            Self::Text => "\"1\"".into(),
            Self::Unused(n) => (1000 + u16::from(n)).to_string(),
        }
    }
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Cached => "cached",
            Self::Fail => "fail",
            Self::Panic => "panic",
            Self::Ask => "ask",
            Self::AskTwiceAtOnce => "ask_twice_at_once",
            Self::Sample => "sample",
            Self::Talk => "talk",
            Self::Large => "large",
            Self::Hang => "hang",
            Self::Slow => "slow",
            Self::Unknown => "unknown",
        }
    }
}

impl Number<'_> {
    fn text(&self) -> String {
        match self {
            Self::None => "null".into(),
            Self::Small(n) => n.to_string(),
            Self::Float(n) => json!(n).to_string(),
            Self::Text(n) => json!(n).to_string(),
            Self::Big(n) => n.to_string(),
        }
    }
}

impl Envelope {
    fn meta(self) -> Value {
        let mut meta = json!({});
        if self.modern {
            meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
            meta["io.modelcontextprotocol/clientCapabilities"] = match self.capable {
                true => json!({ "elicitation": {}, "sampling": {} }),
                false => json!({}),
            };
            if self.loud {
                meta["io.modelcontextprotocol/logLevel"] = json!("debug");
            }
        }
        if self.progress {
            meta["progressToken"] = json!("token");
        }
        meta
    }
}

impl Method {
    fn parts(self) -> (&'static str, Value) {
        match self {
            Self::Ping => ("ping", json!({})),
            Self::ToolsList => ("tools/list", json!({})),
            Self::ResourcesList => ("resources/list", json!({})),
            Self::TemplatesList => ("resources/templates/list", json!({})),
            Self::PromptsList => ("prompts/list", json!({ "cursor": null })),
            Self::Discover => ("server/discover", json!({})),
            Self::ReadFixed => ("resources/read", json!({ "uri": "DATA://fixed" })),
            Self::ReadPair(b) => (
                "resources/read",
                json!({ "uri": format!("data://%41/x?b={b}") }),
            ),
            Self::ReadNothing => ("resources/read", json!({ "uri": "data:" })),
            Self::GetPrompt => (
                "prompts/get",
                json!({ "name": "topic", "arguments": { "topic": "t" } }),
            ),
            Self::SetLevel => ("logging/setLevel", json!({ "level": "warning" })),
            Self::Subscribe => ("resources/subscribe", json!({ "uri": "data://fixed" })),
            Self::Unsubscribe => ("resources/unsubscribe", json!({ "uri": "data://fixed" })),
            Self::Unknown => ("tasks/list", json!({})),
        }
    }
}

impl Response<'_> {
    fn message(&self) -> Value {
        match self {
            Self::Accept(value, sure) => {
                let content = json!({ "value": value, "sure": sure });
                json!({ "result": { "action": "accept", "content": content } })
            }
            Self::Decline => json!({ "result": { "action": "decline" } }),
            Self::Dismiss => json!({ "result": { "action": "cancel" } }),
            Self::Sampled(text) => {
                let content = json!({ "type": "text", "text": text });
                json!({ "result": { "role": "assistant", "model": "m", "content": content } })
            }
            Self::Nonsense => json!({ "result": [] }),
            Self::Error(message) => json!({ "error": { "code": -1, "message": message } }),
        }
    }
}
