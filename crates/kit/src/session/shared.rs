//! Sessions that were ended at one replica, told to all.

use std::sync::Arc;
use std::time::Duration;

use crate::store::EndedSessionStore;

use super::Sessions;

/// How often replicas tell each other.
pub(crate) const TELL: Duration = Duration::from_millis(400);

/// What one replica has heard of.
pub(crate) struct Telling {
    store: Arc<dyn EndedSessionStore>,
    position: String,
}

impl Telling {
    pub(crate) fn new(store: Arc<dyn EndedSessionStore>) -> Self {
        let position = String::new();
        Self { store, position }
    }

    /// Tells what was ended here, and hears what was ended elsewhere. What cannot be told is told the next time.
    pub(crate) async fn exchange(&mut self, sessions: &Sessions) {
        self.tell(sessions).await;
        while let Ok((ended, position)) = self.store.after(&self.position).await {
            if position == self.position {
                return;
            }
            self.position = position;
            sessions.ended_elsewhere(&ended);
        }
    }

    /// Tells what was ended here.
    pub(crate) async fn tell(&self, sessions: &Sessions) {
        let (untold, most) = sessions.untold();
        if !untold.is_empty() && self.store.add(&untold, most).await.is_ok() {
            sessions.told(untold.len());
        }
    }
}
