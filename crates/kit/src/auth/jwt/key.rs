//! A public key of an issuer (RFC 7517, RFC 7518 §6, RFC 8037 §2), and what it verifies.

use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey};
use tokio_util::sync::CancellationToken;

/// Bits of the modulus of an RSA key: fewer are weak (RFC 7518 §3.3), more cost too much.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Bytes of the exponent of an RSA key.
const MAX_EXPONENT: usize = 4;

/// A public key that signatures of tokens are verified with.
pub(super) struct Key {
    /// What tokens call it.
    pub(super) kid: Option<String>,
    /// The only algorithm that it is for, if the issuer says so.
    only: Option<Algorithm>,
    public: Public,
    /// Whether the issuer publishes it no more.
    is_withdrawn: AtomicBool,
    /// Cancelled then.
    withdrawn: CancellationToken,
}

#[derive(PartialEq, Eq)]
enum Public {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// Points, uncompressed (SEC 1 §2.3.3).
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Key {
    /// The key of this description, if it is one to verify signatures with that are known here.
    pub(super) fn of(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        let uses = common.public_key_use.as_ref();
        let operations = common.key_operations.as_ref();
        let verifies = uses.is_none_or(|uses| *uses == PublicKeyUse::Signature)
            && operations.is_none_or(|all| all.contains(&KeyOperations::Verify));
        if !verifies {
            return None;
        }
        let only = match common.key_algorithm {
            Some(KeyAlgorithm::UNKNOWN_ALGORITHM) => return None,
            Some(algorithm) => Some(Algorithm::try_from(algorithm).ok()?),
            None => None,
        };
        let key = Self {
            kid: common.key_id.clone(),
            only,
            public: Public::of(&jwk.algorithm)?,
            is_withdrawn: AtomicBool::new(false),
            withdrawn: CancellationToken::new(),
        };
        only.is_none_or(|only| key.public.fits(only)).then_some(key)
    }

    /// Whether it is for this algorithm.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        self.only.is_none_or(|only| only == algorithm) && self.public.fits(algorithm)
    }

    /// Whether this message was signed with it.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signed: &[u8]) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        let by_point = |how: &'static dyn signature::VerificationAlgorithm, point: &[u8]| {
            UnparsedPublicKey::new(how, point).verify(message, signed)
        };
        let verified = match &self.public {
            Public::Rsa { modulus, exponent } => match rsa(algorithm) {
                Some(how) => RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                }
                .verify(how, message, signed),
                None => return false,
            },
            Public::P256(point) => by_point(&signature::ECDSA_P256_SHA256_FIXED, point),
            Public::P384(point) => by_point(&signature::ECDSA_P384_SHA384_FIXED, point),
            Public::Ed25519(point) => by_point(&signature::ED25519, point),
        };
        verified.is_ok()
    }

    /// Whether it is the same key for the same tokens.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.kid == other.kid && self.only == other.only && self.public == other.public
    }

    /// What it verified is not accepted any more: the issuer withdrew it.
    pub(super) fn withdraw(&self) {
        self.is_withdrawn.store(true, Ordering::Release);
        self.withdrawn.cancel();
    }

    /// Without a lock, since every request asks.
    pub(super) fn is_withdrawn(&self) -> bool {
        self.is_withdrawn.load(Ordering::Acquire)
    }

    /// Is cancelled when it is withdrawn.
    pub(super) fn withdrawn(&self) -> CancellationToken {
        self.withdrawn.child_token()
    }

    #[cfg(test)]
    pub(super) fn any() -> Self {
        Self {
            kid: None,
            only: None,
            public: Public::Ed25519(vec![0; 32]),
            is_withdrawn: AtomicBool::new(false),
            withdrawn: CancellationToken::new(),
        }
    }
}

impl Public {
    fn of(parameters: &AlgorithmParameters) -> Option<Self> {
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        match parameters {
            AlgorithmParameters::RSA(rsa) => {
                let (modulus, exponent) = (number(bytes(&rsa.n)?), number(bytes(&rsa.e)?));
                let first = modulus.first()?;
                let bits = modulus.len() * 8 - first.leading_zeros() as usize;
                let within = RSA_BITS.contains(&bits) && exponent.len() <= MAX_EXPONENT;
                within.then_some(Self::Rsa { modulus, exponent })
            }
            AlgorithmParameters::EllipticCurve(ec) => {
                let (x, y) = (bytes(&ec.x)?, bytes(&ec.y)?);
                let point = |size: usize| {
                    let is_point = x.len() == size && y.len() == size;
                    is_point.then(|| [&[4][..], &x, &y].concat())
                };
                match ec.curve {
                    EllipticCurve::P256 => point(32).map(Self::P256),
                    EllipticCurve::P384 => point(48).map(Self::P384),
                    _ => None,
                }
            }
            AlgorithmParameters::OctetKeyPair(ed) if ed.curve == EllipticCurve::Ed25519 => {
                let point = bytes(&ed.x)?;
                (point.len() == 32).then_some(Self::Ed25519(point))
            }
            _ => None,
        }
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa { .. } => rsa(algorithm).is_some(),
            Self::P256(_) => algorithm == Algorithm::ES256,
            Self::P384(_) => algorithm == Algorithm::ES384,
            Self::Ed25519(_) => algorithm == Algorithm::EdDSA,
        }
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

/// A number without the zeros that some issuers write before it.
fn number(mut bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    bytes
}

#[cfg(test)]
mod tests {
    use serde::Deserialize as _;
    use serde_json::{Value, json};

    use super::*;

    fn of(jwk: &Value) -> Option<Key> {
        Jwk::deserialize(jwk).ok().as_ref().and_then(Key::of)
    }

    fn rsa_of(bytes: usize, first: u8) -> Value {
        let mut modulus = vec![0xff; bytes];
        modulus[0] = first;
        json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB"})
    }

    #[test]
    fn an_rsa_key_has_2048_to_8192_bits() {
        for (bytes, first, is_key) in [
            (256, 0x80, true),
            (257, 0, true),
            (1024, 0xff, true),
            (256, 0x7f, false),
            (128, 0xff, false),
            (1025, 1, false),
        ] {
            let found = of(&rsa_of(bytes, first));
            assert_eq!(found.is_some(), is_key, "{bytes} bytes, {first}");
        }
        let mut wide = rsa_of(256, 0x80);
        wide["e"] = json!(URL_SAFE_NO_PAD.encode([1; 5]));
        assert!(of(&wide).is_none());
    }

    #[test]
    fn a_key_is_for_signatures_and_for_its_own_algorithm() {
        let with = |name: &str, value: Value| {
            let mut jwk = rsa_of(256, 0x80);
            jwk[name] = value;
            of(&jwk)
        };
        assert!(with("use", json!("sig")).is_some() && with("use", json!("enc")).is_none());
        assert!(with("key_ops", json!(["verify"])).is_some());
        assert!(with("key_ops", json!(["encrypt"])).is_none());
        for alg in ["RSA-OAEP", "HS256", "ES256", "unheard-of"] {
            assert!(with("alg", json!(alg)).is_none(), "{alg}");
        }
        let key = with("alg", json!("RS256")).unwrap();
        assert!(key.fits(Algorithm::RS256) && !key.fits(Algorithm::PS256));
        let key = of(&rsa_of(256, 0x80)).unwrap();
        assert!(key.fits(Algorithm::PS512) && !key.fits(Algorithm::ES256));
        assert!(!key.fits(Algorithm::HS256) && !key.verifies(Algorithm::HS256, b"", b""));
    }

    #[test]
    fn other_kinds_of_keys_are_none() {
        let point = URL_SAFE_NO_PAD.encode([1; 32]);
        assert!(of(&json!({"kty": "EC", "crv": "P-256", "x": point, "y": point})).is_some());
        assert!(of(&json!({"kty": "OKP", "crv": "Ed25519", "x": point})).is_some());
        for jwk in [
            json!({"kty": "oct", "k": point}),
            json!({"kty": "EC", "crv": "P-384", "x": point, "y": point}),
            json!({"kty": "EC", "crv": "P-521", "x": point, "y": point}),
            json!({"kty": "EC", "crv": "secp256k1", "x": point, "y": point}),
            json!({"kty": "EC", "crv": "P-256", "x": point}),
            json!({"kty": "EC", "crv": "P-256", "x": "=", "y": point}),
            json!({"kty": "OKP", "crv": "X25519", "x": point}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "AQ"}),
            json!({"kty": "RSA", "n": "", "e": "AQAB"}),
            json!({"kty": "new"}),
            json!({}),
            json!(1),
        ] {
            assert!(of(&jwk).is_none(), "{jwk}");
        }
    }
}
