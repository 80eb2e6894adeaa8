//! Which signatures are accepted.

use std::fmt;

use jsonwebtoken::Algorithm;

/// Every algorithm that can be accepted, by its name of RFC 7518 §3.1 (`EdDSA`: RFC 8037). `none` and those of shared
/// secrets (`HS256` …) are not among them, whatever is configured: with these, whoever knows the public key could sign.
const ALL: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

/// The algorithms whose signatures are accepted, of `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `ES256`, `ES384`
/// and `EdDSA` (Ed25519).
///
/// Default: `RS256`, which every issuer can and most do sign with (RFC 9068 §2.1 demands it), and `ES256`, which RFC 7518
/// recommends for those that changed. What no issuer of the server uses is better not accepted.
#[derive(Clone, PartialEq, Eq)]
pub struct Algorithms(Vec<Algorithm>);

/// A name that is no algorithm that can be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadAlgorithm(pub String);

impl Algorithms {
    /// These, at least one.
    ///
    /// # Errors
    /// A name is none of the nine, or there is none.
    pub fn new<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Result<Self, BadAlgorithm> {
        let mut found = Vec::new();
        for name in names {
            let name = name.as_ref();
            let known = ALL.iter().find(|(known, _)| *known == name);
            let (_, algorithm) =
                known.ok_or_else(|| BadAlgorithm(name.chars().take(64).collect()))?;
            found.push(*algorithm);
        }
        match found.is_empty() {
            true => Err(BadAlgorithm(String::new())),
            false => Ok(Self(found)),
        }
    }

    pub(super) fn has(&self, algorithm: Algorithm) -> bool {
        self.0.contains(&algorithm)
    }
}

impl Default for Algorithms {
    fn default() -> Self {
        Self(vec![Algorithm::RS256, Algorithm::ES256])
    }
}

impl fmt::Debug for Algorithms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for BadAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = ALL.iter().map(|(name, _)| *name).collect();
        write!(
            f,
            "'{}' is not an algorithm whose signatures can be accepted: {}",
            self.0.escape_debug(),
            names.join(", ")
        )
    }
}

impl std::error::Error for BadAlgorithm {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_secrets_and_none_cannot_be_configured() {
        for bad in [
            "none", "None", "", "HS256", "HS384", "HS512", "rs256", "RSA-OAEP",
        ] {
            let error = Algorithms::new(["RS256", bad]).unwrap_err();
            assert_eq!(error, BadAlgorithm(bad.to_owned()));
        }
        assert!(Algorithms::new::<&str>([]).is_err());
        let error = Algorithms::new(["HS256"]).unwrap_err().to_string();
        assert!(
            error.starts_with("'HS256' is not") && error.ends_with("ES384, EdDSA"),
            "{error}"
        );
    }

    #[test]
    fn those_that_were_named_are_accepted() {
        let algorithms = Algorithms::new(ALL.map(|(name, _)| name)).unwrap();
        assert!(ALL.iter().all(|(_, algorithm)| algorithms.has(*algorithm)));
        assert!(!Algorithms::default().has(Algorithm::EdDSA));
        assert!(!algorithms.has(Algorithm::HS256));
    }
}
