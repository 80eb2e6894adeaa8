//! The keys under which the server signs what clients carry for it: the state of a question, and
//! the cursors of lists.

use rmcp::model::{RequestStateCodec, SealOptions};
use std::time::Duration;

use crate::build_error::BuildError;

/// Signing keys: the first signs, all of them verify, so that a key can be replaced while servers
/// run. All replicas of a server need the same keys.
pub struct KeyRing {
    codec: RequestStateCodec,
    generated: bool,
}

impl KeyRing {
    /// Bytes that a key must have at least.
    pub const MIN_KEY_BYTES: usize = RequestStateCodec::MIN_KEY_LENGTH;

    /// A ring of `(name, key)`, the signing one first. A name has 1 to 255 bytes and is readable in
    /// what is signed; a key has at least [`KeyRing::MIN_KEY_BYTES`] random bytes.
    ///
    /// # Errors
    /// When there is no key, a key is too short, or two have the same name.
    pub fn new<N: Into<String>>(
        keys: impl IntoIterator<Item = (N, Vec<u8>)>,
    ) -> Result<Self, BuildError> {
        let keys: Vec<(String, Vec<u8>)> = keys
            .into_iter()
            .map(|(name, key)| (name.into(), key))
            .collect();
        let Some((active, _)) = keys.first() else {
            return Err(BuildError("A key ring needs at least one key.".into()));
        };
        let codec = RequestStateCodec::new_with_keyring(active.clone(), keys)
            .map_err(|error| BuildError(format!("The keys cannot be used: {error}.")))?;
        Ok(Self {
            codec,
            generated: false,
        })
    }

    /// A ring with one random key that only this process knows: what it signs is worth nothing to
    /// other replicas and after a restart.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, BuildError> {
        let mut key = vec![0; Self::MIN_KEY_BYTES];
        getrandom::fill(&mut key).map_err(|_| {
            BuildError("The operating system's random number generator failed.".into())
        })?;
        Ok(Self {
            generated: true,
            ..Self::new([("generated", key)])?
        })
    }

    /// Whether it is only this process's.
    pub fn is_generated(&self) -> bool {
        self.generated
    }

    /// Signs `payload`, which stays readable, for this `purpose` only.
    pub(crate) fn seal(&self, payload: &[u8], purpose: &[u8], ttl: Option<Duration>) -> String {
        let mut options = SealOptions::new().associated_data(purpose);
        if let Some(ttl) = ttl {
            options = options.ttl(ttl);
        }
        self.codec.seal_with(payload, &options)
    }

    /// What was signed for this `purpose`; `None` for anything else, or when its time is over.
    pub(crate) fn open(&self, sealed: &str, purpose: &[u8]) -> Option<Vec<u8>> {
        match self.codec.open_with(sealed, purpose) {
            Ok(payload) => Some(payload),
            Err(error) => {
                // Which check failed is nobody's business but the operator's.
                tracing::debug!(%error, "refused something that a client carried");
                None
            }
        }
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing")
            .field("generated", &self.generated)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_rotated_by_adding_the_new_one_in_front() {
        let old = KeyRing::new([("a", vec![1; 32])]).unwrap();
        let both = KeyRing::new([("b", vec![2; 32]), ("a", vec![1; 32])]).unwrap();
        let new = KeyRing::new([("b", vec![2; 32])]).unwrap();
        let sealed = old.seal(b"x", b"p", None);
        assert_eq!(both.open(&sealed, b"p").as_deref(), Some(&b"x"[..]));
        assert!(new.open(&sealed, b"p").is_none());
        assert!(both.open(&sealed, b"other").is_none());
        assert!(new.open(&both.seal(b"x", b"p", None), b"p").is_some());
    }

    #[test]
    fn weak_rings_are_refused() {
        assert!(KeyRing::new::<&str>([]).is_err());
        assert!(KeyRing::new([("a", vec![1; 31])]).is_err());
        assert!(KeyRing::new([("a", vec![1; 32]), ("a", vec![2; 32])]).is_err());
        assert!(KeyRing::generate().unwrap().is_generated());
    }
}
