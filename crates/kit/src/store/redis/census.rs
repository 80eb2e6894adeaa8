//! Which replicas are there: each says so every four seconds, in one list.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{ErrorKind, RedisError};
use tokio::time::timeout;

use super::keys::Keys;
use super::link::{ALIVE, micros};
use super::script;

/// Time in which a replica that says nothing counts as gone.
const SILENT: Duration = Duration::from_secs(10);

/// Key of the list.
const REPLICAS: &str = "replicas";

/// The replicas, as far as this one knows.
pub(super) struct Census {
    key: String,
    /// What tells this process from others in the list.
    process: String,
    replicas: AtomicU32,
}

impl Census {
    /// Knows of this one alone.
    ///
    /// # Errors
    /// There is no randomness.
    pub(super) fn new(keys: &Keys) -> Result<Self, RedisError> {
        let mut process = [0; 16];
        getrandom::fill(&mut process)
            .map_err(|_| RedisError::from((ErrorKind::Client, "there is no randomness")))?;
        Ok(Self {
            key: keys.shared(REPLICAS),
            process: format!("{:032x}", u128::from_ne_bytes(process)),
            replicas: AtomicU32::new(1),
        })
    }

    /// Where the list is.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// How many there are, this one among them.
    pub(super) fn replicas(&self) -> u32 {
        self.replicas.load(Ordering::Relaxed)
    }

    /// Says that this one is there, and counts the others: so many at `least`. What fails changes nothing.
    pub(super) async fn count(&self, mut connection: MultiplexedConnection, least: u32) {
        let mut call = script::REPLICAS.prepare_invoke();
        let until = i64::MAX >> 10;
        call.key(&self.key)
            .arg(until)
            .arg(&self.process)
            .arg(micros(SILENT));
        let counted = timeout(ALIVE, call.invoke_async::<u32>(&mut connection)).await;
        if let Ok(Ok(replicas)) = counted {
            self.replicas.store(replicas.max(least), Ordering::Relaxed);
        }
    }
}
