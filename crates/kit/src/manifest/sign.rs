//! Signatures of locks: Ed25519 (RFC 8032) over the digest of a whole manifest.
//!
//! A key is a text in PEM with PKCS #8 (RFC 8410), as other tools write and read it: `openssl genpkey -algorithm ed25519`,
//! `openssl pkey -pubout`.

use std::fmt;
use std::io;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Digest;

/// What is signed begins with this, so that a signature of anything else is none of a lock.
const DOMAIN: &[u8] = b"pymcp-kit lock signature 1\0";

/// How a public key begins as text.
const ALGORITHM: &str = "ed25519:";

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// The bytes of PKCS #8 before those of an Ed25519 key: a sequence of version 0, the algorithm 1.3.101.112 and the key
/// (RFC 8410 §7).
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Bytes of a key, private or public.
const KEY_BYTES: usize = 32;

/// What signs locks; secret.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Makes a key, and its text for a file that only its owner can read.
    ///
    /// # Errors
    /// The operating system's random number generator failed.
    pub fn generate() -> io::Result<(Self, String)> {
        let mut document = [0; PKCS8.len() + KEY_BYTES];
        let (head, seed) = document.split_at_mut(PKCS8.len());
        head.copy_from_slice(&PKCS8);
        getrandom::fill(seed).map_err(io::Error::other)?;
        let key = Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|rejected| io::Error::other(rejected.to_string()))?;
        let text = format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(document));
        Ok((Self(key), text))
    }

    /// Reads the text of a key; none if it is no private Ed25519 key in PEM.
    pub fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once(BEGIN)?;
        let (body, _) = rest.split_once(END)?;
        let body: String = body.split_ascii_whitespace().collect();
        let document = STANDARD.decode(body).ok()?;
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&document).ok()?;
        Some(Self(key))
    }

    /// What others know it by.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; KEY_BYTES];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(bytes)
    }

    /// Signs the digest of a manifest.
    pub(super) fn sign(&self, digest: Digest) -> Signature {
        let signature = self.0.sign(&preimage(digest));
        Signature {
            key: self.public(),
            signature: STANDARD.encode(signature),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public())
    }
}

/// Whose signature it is: shown and read as `ed25519:` and the base64 of the 32 bytes of RFC 8032 §5.1.5.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; KEY_BYTES]);

/// A text that is no [`PublicKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadKey;

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a public key: ed25519: and 32 bytes in base64")
    }
}

impl std::error::Error for BadKey {}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ALGORITHM}{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let text = text.trim().strip_prefix(ALGORITHM).ok_or(BadKey)?;
        let bytes = STANDARD.decode(text).map_err(|_| BadKey)?;
        bytes.try_into().map(Self).map_err(|_| BadKey)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|bad: BadKey| de::Error::custom(format!("'key' must be {bad}")))
    }
}

/// A signature, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signature {
    /// Who signed.
    pub(super) key: PublicKey,
    /// The 64 bytes of RFC 8032 §5.1.6 in base64.
    signature: String,
}

impl Signature {
    /// Whether its key made it of this digest.
    pub(super) fn is_of(&self, digest: Digest) -> bool {
        let Ok(signature) = STANDARD.decode(&self.signature) else {
            return false;
        };
        UnparsedPublicKey::new(&ED25519, self.key.0)
            .verify(&preimage(digest), &signature)
            .is_ok()
    }
}

fn preimage(digest: Digest) -> Vec<u8> {
    let mut preimage = DOMAIN.to_vec();
    preimage.extend(digest.to_string().into_bytes());
    preimage
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(digit: char) -> Digest {
        let text = format!("sha256:{}", digit.to_string().repeat(64));
        text.parse().unwrap()
    }

    /// RFC 8032 §7.1, the first test: key and public key; in PKCS #8 as OpenSSL writes it.
    const RFC8032: (&str, &str) = (
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n",
        "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    );

    #[test]
    fn a_key_is_read_as_it_was_written_and_as_others_write_it() {
        let (key, text) = SigningKey::generate().unwrap();
        assert_eq!(SigningKey::parse(&text).unwrap().public(), key.public());
        assert_ne!(SigningKey::generate().unwrap().0.public(), key.public());
        let known = SigningKey::parse(RFC8032.0).unwrap();
        assert_eq!(known.public().to_string(), RFC8032.1);
        assert_eq!(RFC8032.1.parse::<PublicKey>().unwrap(), known.public());
        let shown = format!("{key:?}");
        let secret = text.lines().nth(1).unwrap();
        assert!(!shown.contains(&secret[24..]), "{shown}");
        for bad in [
            "",
            BEGIN,
            &text.replace(END, ""),
            &text.replace("MC4C", "MC4D"),
            &text.replace("PRIVATE", "PUBLIC"),
        ] {
            assert!(SigningKey::parse(bad).is_none(), "{bad}");
        }
        for bad in ["", "ed25519:", "ed25519:AAAA", "rsa:AAAA", &RFC8032.1[8..]] {
            assert_eq!(bad.parse::<PublicKey>(), Err(BadKey), "{bad}");
        }
    }

    #[test]
    fn a_signature_is_of_one_digest_by_one_key() {
        let (key, _) = SigningKey::generate().unwrap();
        let (other, _) = SigningKey::generate().unwrap();
        let signature = key.sign(digest('a'));
        assert!(signature.is_of(digest('a')));
        assert!(!signature.is_of(digest('b')));
        let claimed = Signature {
            key: other.public(),
            ..signature.clone()
        };
        assert!(!claimed.is_of(digest('a')));
        for bad in ["", "AAAA", "?"] {
            let broken = Signature {
                signature: bad.to_owned(),
                ..signature.clone()
            };
            assert!(!broken.is_of(digest('a')), "{bad}");
        }
        // The digest alone is signed for something else.
        let bare = Signature {
            key: key.public(),
            signature: STANDARD.encode(key.0.sign(digest('a').to_string().as_bytes())),
        };
        assert!(!bare.is_of(digest('a')));
    }
}
