//! The keys under which the server signs what clients carry for it: the state of a question, the
//! cursors of lists, the ids of sessions, and handles.
//!
//! Long things (states, cursors) are written by rmcp's codec. Ids are short, so they have a
//! signature of their own ([`KeyRing::sign`]): HMAC-SHA-256 (RFC 2104) under a key that is derived
//! from the ring's, so that no signature of one kind can pass for one of the other. What is signed
//! next takes a [`Purpose`] of its own.

use hmac::{Hmac, KeyInit, Mac};
use rmcp::model::{RequestStateCodec, SealOptions};
use sha2::Sha256;
use std::time::Duration;

use crate::build_error::BuildError;

/// Bytes of a signature.
pub(crate) const SIGNATURE: usize = 32;

/// Names a key in what it signed: bytes derived from the key, which tell nothing of it.
pub(crate) type KeyId = [u8; 4];

/// What something is signed for: a signature for one purpose is none for another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purpose(pub(crate) &'static str);

type HmacSha256 = Hmac<Sha256>;

/// One key, ready to sign.
struct Signer {
    id: KeyId,
    mac: HmacSha256,
    /// Its part of the fingerprint.
    print: [u8; SIGNATURE],
}

impl Signer {
    fn new(key: &[u8]) -> Result<Self, BuildError> {
        let derived = |label: &str| -> Result<[u8; SIGNATURE], BuildError> {
            let mac = HmacSha256::new_from_slice(key);
            let mut mac = mac.map_err(|_| BuildError("A key cannot be used.".into()))?;
            mac.update(label.as_bytes());
            Ok(mac.finalize().into_bytes().into())
        };
        let [a, b, c, d, ..] = derived("pymcp/key-id/v1")?;
        let mac = HmacSha256::new_from_slice(&derived("pymcp/sign/v1")?);
        Ok(Self {
            id: [a, b, c, d],
            mac: mac.map_err(|_| BuildError("A key cannot be used.".into()))?,
            print: derived("pymcp/fingerprint/v1")?,
        })
    }

    /// Each part goes in with its length, so that no two lists of parts are the same bytes.
    fn over(&self, purpose: Purpose, parts: &[&[u8]]) -> HmacSha256 {
        let mut mac = self.mac.clone();
        for part in std::iter::once(purpose.0.as_bytes()).chain(parts.iter().copied()) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

/// Signing keys: the first signs, all of them verify, so that a key can be replaced while servers
/// run. All replicas of a server need the same keys.
pub struct KeyRing {
    codec: RequestStateCodec,
    /// The signing one.
    first: Signer,
    /// The others.
    others: Vec<Signer>,
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
        let Some(((active, first), others)) = keys.split_first() else {
            return Err(BuildError("A key ring needs at least one key.".into()));
        };
        let (active, first) = (active.clone(), Signer::new(first)?);
        let others = others.iter().map(|(_, key)| Signer::new(key));
        let others = others.collect::<Result<_, _>>()?;
        let codec = RequestStateCodec::new_with_keyring(active, keys)
            .map_err(|error| BuildError(format!("The keys cannot be used: {error}.")))?;
        Ok(Self {
            codec,
            first,
            others,
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

    /// What tells these keys from others: 16 hex digits, the same on every replica that has the same
    /// keys, in whatever order and under whatever names. It tells nothing of the keys.
    pub fn fingerprint(&self) -> String {
        let mut prints: Vec<_> = self.signers().map(|signer| signer.print).collect();
        prints.sort_unstable();
        prints.dedup();
        let digest = <Sha256 as sha2::Digest>::digest(prints.concat());
        digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    fn signers(&self) -> impl Iterator<Item = &Signer> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The key that [`KeyRing::sign`] signs with.
    pub(crate) fn signing_id(&self) -> KeyId {
        self.first.id
    }

    /// Signs these parts, which should name [`KeyRing::signing_id`].
    pub(crate) fn sign(&self, purpose: Purpose, parts: &[&[u8]]) -> [u8; SIGNATURE] {
        let mac = self.first.over(purpose, parts);
        mac.finalize().into_bytes().into()
    }

    /// Whether the key with this id signed these parts for this purpose. It takes as long when there
    /// is no such key.
    pub(crate) fn is_signed(
        &self,
        key: KeyId,
        purpose: Purpose,
        parts: &[&[u8]],
        signature: &[u8],
    ) -> bool {
        let found = self.signers().find(|signer| signer.id == key);
        let known = found.is_some();
        let mac = found.unwrap_or(&self.first).over(purpose, parts);
        mac.verify_slice(signature).is_ok() & known
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
            .field("fingerprint", &self.fingerprint())
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
    fn a_signature_is_good_for_its_key_its_purpose_and_its_parts() {
        const ONE: Purpose = Purpose("one");
        let old = KeyRing::new([("a", vec![1; 32])]).unwrap();
        let both = KeyRing::new([("b", vec![2; 32]), ("a", vec![1; 32])]).unwrap();
        let (id, parts) = (old.signing_id(), [&b"ab"[..], b"c"]);
        let signature = old.sign(ONE, &parts);
        for ring in [&old, &both] {
            assert!(ring.is_signed(id, ONE, &parts, &signature));
            assert!(!ring.is_signed(id, Purpose("two"), &parts, &signature));
            assert!(!ring.is_signed(id, ONE, &[b"a", b"bc"], &signature));
            assert!(!ring.is_signed(id, ONE, &parts, &signature[1..]));
            assert!(!ring.is_signed([0; 4], ONE, &parts, &signature));
        }
        let new = both.sign(ONE, &parts);
        assert!(!old.is_signed(both.signing_id(), ONE, &parts, &new));
        assert!(!both.is_signed(id, ONE, &parts, &new));
    }

    #[test]
    fn a_fingerprint_is_of_the_keys_alone() {
        let of = |keys: &[(&str, u8)]| {
            let keys = keys.iter().map(|(name, byte)| (*name, vec![*byte; 32]));
            KeyRing::new(keys).unwrap().fingerprint()
        };
        let one = of(&[("a", 1)]);
        assert_eq!(one.len(), 16);
        assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(one, of(&[("b", 1)]));
        assert_eq!(of(&[("a", 1), ("b", 2)]), of(&[("x", 2), ("y", 1)]));
        assert_ne!(one, of(&[("a", 2)]));
        assert_ne!(one, of(&[("a", 1), ("b", 2)]));
        let generated = || KeyRing::generate().unwrap().fingerprint();
        assert_ne!(generated(), generated());
    }

    #[test]
    fn weak_rings_are_refused() {
        assert!(KeyRing::new::<&str>([]).is_err());
        assert!(KeyRing::new([("a", vec![1; 31])]).is_err());
        assert!(KeyRing::new([("a", vec![1; 32]), ("a", vec![2; 32])]).is_err());
        assert!(KeyRing::generate().unwrap().is_generated());
    }
}
