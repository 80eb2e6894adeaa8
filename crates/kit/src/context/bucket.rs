//! What a handler remembers for its caller from one call to the next, in both eras.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::principal::Principal;
use crate::store::{BucketLimits, BucketStore, StoreError};

use super::Ctx;

/// Bytes that a name may have.
const MAX_NAME: usize = 128;

/// Where a server remembers things for its callers.
pub(crate) struct Buckets {
    pub(crate) store: Arc<dyn BucketStore>,
    pub(crate) limits: BucketLimits,
}

/// What is remembered for one principal: values by name, for as long as
/// [`BucketLimits::ttl`] after each was set last.
///
/// Of two calls that set the same value at the same time the last one wins: a bucket is for what a
/// client says one after the other, such as a selection or a draft, and no database.
///
/// ```
/// use pymcp_kit::{Ctx, NoArgs, Result};
///
/// async fn count(ctx: Ctx, _: NoArgs) -> Result<u32> {
///     let bucket = ctx.bucket()?;
///     let calls = bucket.get::<u32>("calls").await?.unwrap_or(0) + 1;
///     bucket.set("calls", &calls).await?;
///     Ok(calls)
/// }
/// ```
#[derive(Clone)]
pub struct Bucket {
    ctx: Ctx,
    /// What all names begin with: of a handle, or nothing.
    prefix: String,
}

impl Ctx {
    /// What is remembered for the principal who is asking, from one call to the next, in both eras
    /// and whatever the connection. On stdio that is the owner of the process.
    ///
    /// # Errors
    /// When the principal is anonymous, as everybody is over HTTP without authentication: nobody could tell whose it is.
    /// The caller is told.
    pub fn bucket(&self) -> Result<Bucket> {
        self.bucket_under(String::new())
    }

    pub(super) fn bucket_under(&self, prefix: String) -> Result<Bucket> {
        if *self.principal() == Principal::ANONYMOUS {
            return Err(Error::user(
                "Over HTTP the server remembers things only for clients that authenticate, and this one does not; set up \
                 authentication, or use stdio.",
            ));
        }
        Ok(Bucket {
            ctx: self.clone(),
            prefix,
        })
    }
}

impl Bucket {
    fn owner(&self) -> &Principal {
        self.ctx.principal()
    }

    fn buckets(&self) -> &Buckets {
        &self.ctx.facts().buckets
    }

    fn name(&self, name: &str) -> Result<String> {
        match name.len() {
            1..=MAX_NAME => Ok(format!("{}{name}", self.prefix)),
            _ => Err(Error::user(format!(
                "The name of a value that is remembered has 1 to {MAX_NAME} bytes."
            ))),
        }
    }

    /// The value with this name; `None` when there is none, or it has expired.
    ///
    /// # Errors
    /// When the store cannot be reached, of which the caller is told, or the value is of another type.
    pub async fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let name = self.name(name)?;
        let found = self.buckets().store.get(self.owner(), &name).await;
        match found.map_err(refused)? {
            Some(value) => Ok(Some(serde_json::from_slice(&value)?)),
            None => Ok(None),
        }
    }

    /// Remembers a value under this name, in place of the one before.
    ///
    /// # Errors
    /// When there is no room for it, or the store cannot be reached; the caller is told.
    pub async fn set<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Result<()> {
        let name = self.name(name)?;
        let value = serde_json::to_vec(value)?;
        let Buckets { store, limits } = self.buckets();
        if value.len() > limits.value_bytes {
            return Err(Error::user(format!(
                "The value has {} bytes, and at most {} can be remembered.",
                value.len(),
                limits.value_bytes
            )));
        }
        let set = store.set(self.owner(), &name, value.into(), limits.ttl);
        set.await.map_err(refused)
    }

    /// Forgets the value with this name; `false` when there is none.
    ///
    /// # Errors
    /// When the store cannot be reached; the caller is told.
    pub async fn remove(&self, name: &str) -> Result<bool> {
        let name = self.name(name)?;
        let removed = self.buckets().store.remove(self.owner(), &name);
        removed.await.map_err(refused)
    }
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bucket").finish_non_exhaustive()
    }
}

fn refused(error: StoreError) -> Error {
    match error {
        StoreError::Full => Error::user(
            "The server remembers as much as it may for this client or in all; remove something first, or try again later.",
        ),
        StoreError::Unavailable => Error::user(
            "What the server remembers cannot be reached at the moment; try again in a few seconds.",
        ),
    }
}
