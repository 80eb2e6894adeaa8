//! A client in memory, and the messages that it sends.

use std::sync::Arc;

use serde_json::json;

use crate::auth::Permit;
use crate::connection::Connection;
use crate::core::{Event, Server};
use crate::principal::Principal;
use crate::protocol::Era;

use super::slope::{Slopes, TEXTS, TREES, repeated, room};

/// Bytes of the largest message.
pub const MOST: usize = 1 << 20;

/// What modern requests carry.
const ENVELOPE: &str = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}"#;

/// A message in which `@` stands for JSON that the client may choose, and `ENVELOPE` for the members of `_meta` of
/// every modern request.
pub struct Place {
    name: String,
    message: String,
}

/// A message, without its braces and `jsonrpc`; the name is for the message of a failure.
pub fn place(name: &str, message: &str) -> Place {
    let message = format!(r#"{{"jsonrpc":"2.0",{message}}}"#);
    Place {
        name: name.to_owned(),
        message: message.replace("ENVELOPE", ENVELOPE),
    }
}

/// A request with these params, without their braces.
pub fn request(name: &str, method: &str, params: &str) -> Place {
    place(
        name,
        &format!(r#""id":1,"method":"{method}","params":{{{params}}}"#),
    )
}

impl Place {
    /// Fills in JSON.
    pub fn tree(&self, slopes: &mut Slopes, client: &Client) {
        for (kind, tree) in TREES {
            let name = format!("{}: {kind}", self.name);
            let prepare = |size| self.message.replace('@', &tree(room(size)));
            slopes.place(&name, MOST, prepare, |message| {
                client.say(message.as_bytes())
            });
        }
    }

    /// Fills in a text.
    pub fn text(&self, slopes: &mut Slopes, client: &Client) {
        for unit in TEXTS {
            let name = format!("{}: {unit:?}", self.name);
            let prepare = |size| {
                let text = repeated(unit, size);
                self.message
                    .replace('@', json!(text).to_string().trim_matches('"'))
            };
            slopes.place(&name, MOST, prepare, |message| {
                client.say(message.as_bytes())
            });
        }
    }
}

/// A client of either era, in the thread that is measured.
pub struct Client {
    server: Server,
    connection: Arc<Connection>,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    /// A client of this server, which shakes hands where its era does.
    pub fn new(server: &Server, era: Era) -> Self {
        let connection = match era {
            Era::Modern => Connection::stateless(Principal::ANONYMOUS),
            Era::Legacy => Connection::new(Principal::ANONYMOUS),
        };
        let client = Self {
            server: server.clone(),
            connection,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime"),
        };
        if era == Era::Legacy {
            let info = json!({ "name": "slopes", "version": "0" });
            let params =
                json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info });
            let request =
                json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
            client.say(request.to_string().as_bytes());
        }
        client
    }

    /// One message, and all that is said to it.
    pub fn say(&self, message: &[u8]) {
        self.runtime.block_on(async {
            let Ok(body) = self.server.parse(message) else {
                return;
            };
            let reply = self
                .server
                .receive(&self.connection, &Permit::unrestricted(), body);
            let Ok(mut exchange) = reply.into_exchange() else {
                return;
            };
            while let Some(event) = exchange.next_event().await {
                match event {
                    Event::Answer(_) => break,
                    // A subscription that is open ends when it is dropped.
                    Event::Message(said) if contains(&said, b"subscriptions/acknowledged") => break,
                    _ => {}
                }
            }
        });
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
