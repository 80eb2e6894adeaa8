//! Tokens that were revoked at one replica, told to all.

use std::sync::Arc;

use crate::store::{StoreError, TokenChangeStore};

use super::Tokens;
use super::elsewhere::MOST;

/// Changes that are told in one round trip.
const TOGETHER: usize = 1000;

/// Names that the log has of many.
const NAMES: usize = 8;

/// What one replica has heard of.
pub(crate) struct Telling {
    store: Arc<dyn TokenChangeStore>,
    position: String,
}

impl Telling {
    pub(crate) fn new(store: Arc<dyn TokenChangeStore>) -> Self {
        let position = String::new();
        Self { store, position }
    }

    /// Tells what was revoked here; what cannot be told is told the next time. Answers how many changes were told.
    pub(crate) async fn tell(&self, tokens: &Tokens) -> Result<usize, StoreError> {
        let untold = tokens.untold();
        for some in untold.chunks(TOGETHER) {
            self.store.add_changes(some, MOST).await?;
            tokens.told(some.len());
        }
        Ok(untold.len())
    }

    /// Hears what was revoked elsewhere.
    pub(crate) async fn hear(&mut self, tokens: &Tokens) -> Result<(), StoreError> {
        // All of it, before anybody is refused who is accepted again.
        let mut all = Vec::new();
        let mut position = self.position.clone();
        loop {
            let (changes, next) = self.store.changes_after(&position).await?;
            if next == position {
                break;
            }
            all.extend(changes);
            position = next;
        }
        if !all.is_empty() {
            say(&tokens.hear(&all));
        }
        self.position = position;
        Ok(())
    }
}

fn say(refused: &[String]) {
    if let Some(more) = refused.len().checked_sub(1) {
        let names = &refused[..refused.len().min(NAMES)].join(", ");
        let more = match (more + 1).saturating_sub(NAMES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        tracing::info!(
            "tokens that were revoked at another replica and are refused: {names}{more}"
        );
    }
}
