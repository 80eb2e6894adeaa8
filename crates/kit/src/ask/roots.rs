//! Asking the client where its user works (roots).

// Roots are deprecated since 2026-07-28 and removed a year later at the earliest; clients of today
// still have them, and `Ctx` is the only way to them here.
#![allow(deprecated)]

use rmcp::model::ListRootsResult;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::context::Ctx;
use crate::error::{Error, Result};
use crate::protocol::PeerInfo;

use super::{Asked, Question};

/// A folder or file that the client's user works with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Root {
    /// Where it is: a `file:` URI.
    pub uri: String,
    /// What the user calls it.
    pub name: Option<String>,
}

/// Asks for the folders and files that the client's user works with.
///
/// They are guidance and no permission: whatever reads a file checks for itself what it may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Roots;

impl Question for Roots {
    type Reply = ListRootsResult;
    type Answer = Vec<Root>;

    fn asked(&self, client: &PeerInfo) -> Result<Asked> {
        if !client.capabilities.roots {
            return Err(Error::missing_capability(
                "The client does not support roots, so it cannot say where its user works.",
                json!({ "roots": {} }),
            ));
        }
        Ok(Asked {
            method: "roots/list",
            params: json!({}),
        })
    }

    fn read(self, reply: ListRootsResult) -> Result<Vec<Root>> {
        let root = |root: rmcp::model::Root| Root {
            uri: root.uri,
            name: root.name,
        };
        Ok(reply.roots.into_iter().map(root).collect())
    }
}

impl Ctx {
    /// The client's roots; see [`Roots`].
    ///
    /// # Errors
    /// As [`Ctx::ask`].
    pub async fn roots(&self) -> Result<Vec<Root>> {
        self.ask(Roots).await
    }
}
