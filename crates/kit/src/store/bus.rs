//! What replicas of a server have to tell each other at once.
//!
//! A [`Bus`] carries bytes and knows nothing of them. What they say is in [`Said`]: to add something, add a variant; replicas
//! of another release pass over what they do not know. Nothing secret belongs in it, and no id of a session: its number is
//! of no use without the rest of the id.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::Weak;

use bytes::Bytes;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::principal::Principal;
use crate::protocol::Kind;

/// Carries messages between the replicas of a server. None is sure to arrive: who listens is told when some may not have.
pub trait Bus: Send + Sync + 'static {
    /// The number of this replica, from 1 to 2³¹ - 1, which no other has at the same time.
    fn replica(&self) -> u32;

    /// Whether what is published arrives, as far as it is known.
    fn is_up(&self) -> bool;

    /// Hands a message to all replicas (this one may be among them), or to one. Never waits: what cannot be carried is
    /// dropped.
    fn publish(&self, to: Option<u32>, message: Bytes);

    /// Has somebody hear what arrives from here on, for as long as they are there.
    fn attach(&self, listener: Weak<dyn BusListener>);
}

/// Who hears what arrives. All methods are called where the bus is read: they must be quick and never wait.
pub trait BusListener: Send + Sync + 'static {
    /// A message has arrived.
    fn hear(&self, message: &[u8]);

    /// Messages may have been missed up to now: the bus was away, or a replica had to drop some.
    fn missed(&self);

    /// Another replica is gone for good: what it worked on has ended without a word.
    fn left(&self) {}
}

/// The bus of a server that stands alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBus;

impl Bus for NoBus {
    fn replica(&self) -> u32 {
        1
    }

    fn is_up(&self) -> bool {
        false
    }

    fn publish(&self, _: Option<u32>, _: Bytes) {}

    fn attach(&self, _: Weak<dyn BusListener>) {}
}

/// Messages that readers of this format understand. One that raises it is passed over by replicas of releases before.
const FORMAT: u32 = 1;

/// Stands for a principal: 128 bits of the SHA-256 of its subject, `-` for nobody, and `~` for the owner of a process. Subjects
/// are often addresses of people, and any length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    Nobody,
    OfProcess,
    Known(u128),
}

impl Owner {
    pub(crate) fn of(principal: &Principal) -> Self {
        match principal {
            &Principal::OWNER => Self::OfProcess,
            other => other
                .subject()
                .map_or(Self::Nobody, |subject| Self::Known(hash(subject))),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(hash) => write!(f, "{hash:032x}"),
            Self::Nobody => f.write_str("-"),
            Self::OfProcess => f.write_str("~"),
        }
    }
}

impl Serialize for Owner {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Owner {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let text = String::deserialize(json)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl FromStr for Owner {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        match text {
            "-" => Ok(Self::Nobody),
            "~" => Ok(Self::OfProcess),
            hash => Ok(Self::Known(u128::from_str_radix(hash, 16)?)),
        }
    }
}

/// A legacy session, as replicas call it: `OWNER:NONCE`. The nonce is the part of its sealed id that tells it from all others,
/// and of no use without the rest. A session is looked up by both, so what names another's finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SharedSession {
    pub(crate) owner: Owner,
    pub(crate) nonce: u128,
}

impl Serialize for SharedSession {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}:{:032x}", self.owner, self.nonce))
    }
}

impl<'de> Deserialize<'de> for SharedSession {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let text = String::deserialize(json)?;
        let (owner, nonce) = text
            .split_once(':')
            .ok_or_else(|| D::Error::custom("no session"))?;
        Ok(Self {
            owner: owner.parse().map_err(D::Error::custom)?,
            nonce: u128::from_str_radix(nonce, 16).map_err(D::Error::custom)?,
        })
    }
}

/// 128 bits of the SHA-256 of a text.
pub(crate) fn hash(text: &str) -> u128 {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    digest[..16]
        .iter()
        .fold(0, |hash, byte| hash << 8 | u128::from(*byte))
}

/// A list of components; templates are listed with the resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Listed {
    Tools,
    Resources,
    Prompts,
}

impl From<Kind> for Listed {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Tool => Self::Tools,
            Kind::Resource | Kind::Template => Self::Resources,
            Kind::Prompt => Self::Prompts,
        }
    }
}

impl From<Listed> for Kind {
    fn from(listed: Listed) -> Self {
        match listed {
            Listed::Tools => Self::Tool,
            Listed::Resources => Self::Resource,
            Listed::Prompts => Self::Prompt,
        }
    }
}

/// What one replica says to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Said {
    /// A handler says that this list is another one now.
    Changed { list: Listed },
    /// A handler says that the resource at this (normalised) URI has changed.
    Updated { uri: String },
    /// A task has this version now. `shown`: its client can see the difference.
    Task {
        owner: Owner,
        id: String,
        version: u64,
        shown: bool,
    },
    /// A client wants no answer to the request with this id (its JSON text) any more.
    Cancelled {
        session: SharedSession,
        request: String,
    },
    /// A client has answered this question, which the replica that hears it has asked.
    Answered {
        session: SharedSession,
        question: u64,
        answer: Answer,
    },
    /// Streams of these sessions for what belongs to no request are open where this comes from.
    Listening { sessions: Vec<SharedSession> },
    /// Sessions are subscribed to these (normalised) URIs, or are no more.
    Subscribed {
        sessions: Vec<(SharedSession, Vec<String>)>,
        on: bool,
    },
    /// A message for these sessions that belongs to no request.
    Push {
        sessions: Vec<SharedSession>,
        message: String,
    },
    /// A client reads a response at the replica that this comes from, up to before event `next`; the replica that hears it
    /// writes that response. `reader` tells this client's connection from all others.
    Reads {
        session: SharedSession,
        #[serde(with = "bits")]
        stream: u128,
        reader: u64,
        next: u64,
        how: Reading,
    },
    /// A response that is read at the replica that hears this has events below `next`. Its reader ends before event `until`,
    /// or at once when somebody else reads now.
    Wrote {
        session: SharedSession,
        #[serde(with = "bits")]
        stream: u128,
        reader: u64,
        next: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<u64>,
        #[serde(default)]
        over: bool,
    },
    /// There is news in the log of tokens that were revoked.
    Tokens,
    /// Some of what was said before was dropped.
    Missed,
    /// Of a kind that a later release knows.
    #[serde(other)]
    Unknown,
}

/// How a client reads a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reading {
    /// It has just come, and reads in place of whoever did before.
    Begins,
    /// It goes on.
    GoesOn,
    /// It is gone.
    Ends,
}

/// 128 bits as 32 hex digits: numbers of that size are nothing for JSON.
mod bits {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bits: &u128, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{bits:032x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        let text = String::deserialize(from)?;
        u128::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}

/// Sessions that one message names.
pub(crate) const SESSIONS: usize = 128;

/// What a client answers: the JSON text of its `result` or `error`, or neither.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Result(String),
    Error(String),
    Malformed,
}

#[derive(Serialize, Deserialize)]
struct Message {
    /// The oldest format whose readers understand it.
    readers: u32,
    from: u32,
    #[serde(flatten)]
    said: Said,
}

impl Said {
    /// The message that says it, from this replica.
    pub(crate) fn write(self, from: u32) -> Bytes {
        let message = Message {
            readers: FORMAT,
            from,
            said: self,
        };
        // Nothing in it can fail to be written.
        serde_json::to_vec(&message).unwrap_or_default().into()
    }

    /// Who says what. `None` for what this release does not understand.
    pub(crate) fn read(message: &[u8]) -> Option<(u32, Self)> {
        let Message {
            readers,
            from,
            said,
        } = serde_json::from_slice(message).ok()?;
        (readers <= FORMAT && said != Self::Unknown).then_some((from, said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_as_it_was_said() {
        let owner = Owner::of(&Principal::authenticated("alice@example.org"));
        let nobody = Owner::of(&Principal::ANONYMOUS);
        assert_ne!(owner, Owner::of(&Principal::authenticated("bob")));
        assert_ne!(nobody, Owner::of(&Principal::authenticated("-")));
        let task = |owner| Said::Task {
            owner,
            id: "1f".into(),
            version: u64::MAX,
            shown: true,
        };
        for said in [
            Said::Changed {
                list: Kind::Template.into(),
            },
            Said::Updated {
                uri: "data://\"ä\"".into(),
            },
            task(owner),
            task(nobody),
            task(Owner::of(&Principal::OWNER)),
            Said::Cancelled {
                session: SharedSession { owner, nonce: 1 },
                request: "\"a\"".into(),
            },
            Said::Answered {
                session: SharedSession {
                    owner: nobody,
                    nonce: u128::MAX,
                },
                question: (1 << 53) - 1,
                answer: Answer::Result("{\"a\":1}".into()),
            },
            Said::Subscribed {
                sessions: vec![(SharedSession { owner, nonce: 1 }, vec!["data://c".into()])],
                on: false,
            },
            Said::Push {
                sessions: vec![SharedSession { owner, nonce: 1 }; 2],
                message: "{}".into(),
            },
            Said::Reads {
                session: SharedSession { owner, nonce: 1 },
                stream: u128::MAX,
                reader: u64::MAX,
                next: 1,
                how: Reading::Begins,
            },
            Said::Tokens,
            Said::Wrote {
                session: SharedSession { owner, nonce: 1 },
                stream: 7,
                reader: 2,
                next: 1,
                until: Some(1),
                over: true,
            },
        ] {
            let written = said.clone().write(u32::MAX);
            assert!(!written.windows(5).any(|bytes| bytes == b"alice"));
            assert_eq!(Said::read(&written), Some((u32::MAX, said)));
        }
    }

    #[test]
    fn what_a_later_release_says_is_passed_over() {
        let said = Said::Missed.write(7);
        assert_eq!(Said::read(&said), Some((7, Said::Missed)));
        let more = br#"{"readers":1,"from":7,"kind":"missed","colour":{"a":[1]}}"#;
        assert_eq!(Said::read(more), Some((7, Said::Missed)));
        for strange in [
            &br#"{"readers":2,"from":7,"kind":"missed"}"#[..],
            br#"{"readers":1,"from":7,"kind":"painted","colour":1}"#,
            br#"{"from":7,"kind":"missed"}"#,
            br#"{"readers":1,"from":7}"#,
            b"[]",
            b"\xff",
            b"",
        ] {
            assert_eq!(Said::read(strange), None);
        }
    }
}
