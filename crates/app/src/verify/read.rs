//! Reads all that a server shows: who it is, and every page of every list. Whatever the server does, it ends within bounds of time,
//! messages, pages, definitions and memory; and what was read in part is not taken for the whole.

use std::time::Duration;

use pymcp_kit::manifest::ItemKind;
use pymcp_kit::protocol::{LATEST_LEGACY, MODERN_VERSION};
use serde_json::Value;

use crate::client::{self, EraChoice};
use crate::doctor::finding::quoted;
use crate::doctor::observed::{Outcome, Over, Stream};
use crate::doctor::probe::list::{self, Budget};
use crate::doctor::probe::message::Client;
use crate::doctor::probe::{Clock, Link, Target};
use crate::output::visible;
use crate::{Error, Result};

/// Definitions that are read, those of all lists together.
const MAX_ITEMS: usize = 20_000;

/// Bytes of memory that they may take.
const MAX_BYTES: usize = 32 << 20;

/// A list that a server may have.
struct Listed {
    kind: ItemKind,
    method: &'static str,
    /// Where it is in the result.
    member: &'static str,
    capability: &'static str,
}

const LISTS: [Listed; 4] = [
    Listed {
        kind: ItemKind::Tool,
        method: "tools/list",
        member: "tools",
        capability: "tools",
    },
    Listed {
        kind: ItemKind::Resource,
        method: "resources/list",
        member: "resources",
        capability: "resources",
    },
    Listed {
        kind: ItemKind::ResourceTemplate,
        method: "resources/templates/list",
        member: "resourceTemplates",
        capability: "resources",
    },
    Listed {
        kind: ItemKind::Prompt,
        method: "prompts/list",
        member: "prompts",
        capability: "prompts",
    },
];

/// All that a server shows, as it came.
pub(super) struct Shown {
    /// Whether it was asked as 2026-07-28 has it.
    pub(super) modern: bool,
    /// The result of `server/discover`, or of `initialize`.
    pub(super) said: Value,
    /// The definitions of every list.
    pub(super) lists: Vec<(ItemKind, Vec<Value>)>,
}

/// In which order eras are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// This era alone.
    Only(Era),
    /// This era, and the other one where it is not spoken.
    First(Era),
}

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Era {
    Legacy,
    Modern,
}

impl Order {
    /// What the command line says, else the era of the lock, else what every client does.
    pub(super) fn of(choice: EraChoice, locked: Option<Era>) -> Self {
        match choice {
            EraChoice::Legacy => Self::Only(Era::Legacy),
            EraChoice::Modern => Self::Only(Era::Modern),
            EraChoice::Auto => Self::First(locked.unwrap_or(Era::Modern)),
        }
    }

    fn eras(self) -> Vec<Era> {
        match self {
            Self::Only(era) => vec![era],
            Self::First(Era::Modern) => vec![Era::Modern, Era::Legacy],
            Self::First(Era::Legacy) => vec![Era::Legacy, Era::Modern],
        }
    }
}

/// Reads it.
///
/// # Errors
/// Why it cannot be read as a whole.
pub(super) async fn read(
    target: &Target,
    client: &Client,
    order: Order,
    patience: Duration,
) -> Result<Shown> {
    let told = Told {
        target: target.shown(),
        patience,
    };
    let clock = Clock::new(patience);
    let (mut link, modern, said) = greet(target, client, order, clock, &told).await?;
    if !modern {
        link.notify("notifications/initialized").await;
    }
    let mut budget = Budget::new(MAX_ITEMS, MAX_BYTES);
    let mut lists = Vec::new();
    for Listed {
        kind,
        method,
        member,
        capability,
    } in LISTS
    {
        let is_declared = !said["capabilities"][capability].is_null();
        // Many clients ask for tools whatever is declared.
        if !is_declared && kind != ItemKind::Tool {
            continue;
        }
        let list = list::read(&mut link, method, member, &mut budget).await;
        if let Some(outcome) = list.failed {
            // Not every server with resources has templates.
            let is_missing = outcome.code() == Some(-32601) && kind == ItemKind::ResourceTemplate;
            let is_none = matches!(
                outcome,
                Outcome::Error(_) | Outcome::Status(_) | Outcome::Result(_) | Outcome::Silent
            );
            if list.items.is_empty() && (is_missing || (!is_declared && is_none)) {
                continue;
            }
            return Err(told.failed(link, method, &outcome).await);
        }
        if let Some(why) = list.endless {
            return Err(Error::unreached(format!(
                "{} shows no end of its list ({method}): {why}.",
                told.target
            )));
        }
        lists.push((kind, list.items));
    }
    link.end().await;
    Ok(Shown {
        modern,
        said,
        lists,
    })
}

/// Finds out how to speak to it: the connection, whether it is modern, and what the server says of itself.
async fn greet(
    target: &Target,
    client: &Client,
    order: Order,
    clock: Clock,
    told: &Told,
) -> Result<(Link, bool, Value)> {
    let eras = match target.over() {
        // The transport is older than the other era.
        Over::Sse => vec![Era::Legacy],
        _ => order.eras(),
    };
    let mut eras = eras.into_iter().peekable();
    let mut link = target.open(clock, false, client.clone()).await?;
    while let Some(era) = eras.next() {
        let modern = era == Era::Modern;
        link.speak(modern);
        let (method, params) = match era {
            Era::Modern => ("server/discover", Value::Null),
            Era::Legacy => ("initialize", link.hello(LATEST_LEGACY)),
        };
        let outcome = match link.ask(method, params).await {
            Outcome::Result(said) if speaks(era, &said) => return Ok((link, modern, said)),
            other => other,
        };
        let wants_token = matches!(outcome, Outcome::Status(401 | 403));
        let is_over = wants_token || outcome == Outcome::Flooded;
        if is_over || eras.peek().is_none() {
            return Err(told.failed(link, method, &outcome).await);
        }
        // It may not have borne the question.
        if outcome == Outcome::Closed {
            drop(link);
            link = target.open(clock, false, client.clone()).await?;
        }
    }
    Err(Error::unreached(format!("{} was not asked.", told.target)))
}

/// Whether what a server says of itself is that of this era.
fn speaks(era: Era, said: &Value) -> bool {
    let agreed = match era {
        Era::Legacy => said["protocolVersion"].is_string(),
        Era::Modern => match said["supportedVersions"].as_array() {
            Some(all) => all.iter().any(|one| one == MODERN_VERSION),
            None => true,
        },
    };
    agreed && said["capabilities"].is_object()
}

/// How failures are told.
struct Told {
    target: String,
    patience: Duration,
}

impl Told {
    /// What went wrong with a request.
    async fn failed(&self, mut link: Link, method: &str, outcome: &Outcome) -> Error {
        let broken = link.broken();
        if *outcome == Outcome::Closed {
            link.await_end().await;
        }
        let stream = link.failed().await;
        let sentence = self.sentence(method, outcome, &stream, broken);
        let error = Error::unreached(sentence);
        match hint(outcome, &stream) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    fn sentence(
        &self,
        method: &str,
        outcome: &Outcome,
        stream: &Stream,
        broken: Option<String>,
    ) -> String {
        let (target, seconds) = (&self.target, self.patience.as_secs());
        match outcome {
            Outcome::Silent => format!("{target} does not answer {method} within {seconds} s."),
            Outcome::Closed => match (&stream.died, broken) {
                (Some(status), _) => {
                    format!("{target} ended ({status}) before it answered {method}.")
                }
                (None, Some(broken)) => format!("{target} {broken}."),
                (None, None) => {
                    format!("{target} closed the connection before it answered {method}.")
                }
            },
            Outcome::Flooded => {
                format!("{target} sends more than is read, and no answer to {method}.")
            }
            Outcome::Ambiguous => {
                format!("{target} answers {method} with a message that names a member twice.")
            }
            Outcome::Status(401) => format!("{target} wants a client to authenticate."),
            Outcome::Status(403) => format!("{target} does not allow {method} with that token."),
            Outcome::Status(status) => {
                format!("{target} answers {method} with HTTP status {status} and no JSON-RPC.")
            }
            Outcome::Error(error) => {
                let code = error["code"].as_i64().unwrap_or_default();
                let message = quoted(error["message"].as_str().unwrap_or_default());
                format!(
                    "{target} refuses {method}: {} (error {code}).",
                    visible(&message)
                )
            }
            Outcome::Result(_) => {
                format!("{target} answers {method} with something else than the protocol has.")
            }
        }
    }
}

/// What may help.
fn hint(outcome: &Outcome, stream: &Stream) -> Option<String> {
    if *outcome == Outcome::Status(401) {
        return Some(client::TOKEN.to_owned());
    }
    let last = stream
        .stderr
        .lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty());
    match (last, stream.noise.first()) {
        (Some(last), _) => Some(format!(
            "It printed last on stderr: {}",
            visible(&quoted(last))
        )),
        (None, Some(noise)) => Some(format!(
            "It printed what is no JSON-RPC: {}",
            visible(noise)
        )),
        _ => None,
    }
}
