//! The parts of a token, read within bounds.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header};
use serde::Deserialize as _;

use crate::auth::Denied;
use crate::wire;

/// Characters of a whole token, and of its header and its signature. A signature by the largest key has 1,366 characters.
const MAX_TOKEN: usize = 16 << 10;
const MAX_HEADER: usize = 8 << 10;
const MAX_SIGNATURE: usize = 1366;

/// How deep its header and its claims are nested, and how many values each has.
const DEPTH: usize = 16;
const NODES: usize = 4096;

/// Characters of the name of a key.
const MAX_KID: usize = 256;

const NOT_A_JWT: Denied = Denied::Invalid(
    "The token is not a signed JSON Web Token (JWT) of at most 16 KiB; this server accepts no others.",
);

/// A token in the compact form (RFC 7515 §7.1): what is needed to verify it.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) algorithm: Algorithm,
    /// Which of the issuer's keys signed it.
    pub(super) kid: Option<String>,
    /// What is signed.
    pub(super) signed: &'a [u8],
    /// The claims as they are sent, in base64.
    pub(super) claims: &'a str,
    pub(super) signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Takes it apart; of what it claims nothing is read.
    pub(super) fn read(token: &'a str) -> Result<Self, Denied> {
        if token.len() > MAX_TOKEN {
            return Err(NOT_A_JWT);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(NOT_A_JWT)?;
        let (header, claims) = signed.split_once('.').ok_or(NOT_A_JWT)?;
        if header.len() > MAX_HEADER || signature.len() > MAX_SIGNATURE || claims.contains('.') {
            return Err(NOT_A_JWT);
        }
        let header = object(header).ok_or(NOT_A_JWT)?;
        // Extensions that have to be understood, and none is (RFC 7515 §4.1.11).
        if header.get("crit").is_some() {
            return Err(Denied::Invalid(
                "The token has critical extensions (crit) that this server does not know.",
            ));
        }
        let header = Header::deserialize(header).map_err(|_| {
            Denied::Invalid("The token's header names no algorithm that is accepted, or has members of a wrong type.")
        })?;
        if !header.typ.as_deref().is_none_or(is_access_token) {
            return Err(Denied::Invalid(
                "The token is no access token: its header says another type (typ).",
            ));
        }
        if header.kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID) {
            return Err(NOT_A_JWT);
        }
        Ok(Self {
            algorithm: header.alg,
            kid: header.kid,
            signed: signed.as_bytes(),
            claims,
            signature: URL_SAFE_NO_PAD.decode(signature).map_err(|_| NOT_A_JWT)?,
        })
    }
}

/// RFC 9068 §2.1 has `at+jwt`; most issuers write `JWT` (RFC 7519 §5.1). Other types are of other tokens, which could have
/// been signed with the same key: `logout+jwt`, `secevent+jwt`, `dpop+jwt`.
fn is_access_token(typ: &str) -> bool {
    ["JWT", "at+jwt", "application/at+jwt"]
        .iter()
        .any(|known| typ.eq_ignore_ascii_case(known))
}

/// A part of a token, as JSON: an object that names nothing twice, within bounds.
pub(super) fn object(part: &str) -> Option<serde_json::Value> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    wire::tree(text, DEPTH, &mut { NODES }).filter(serde_json::Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Result<(Algorithm, Option<String>), Denied> {
        let token = format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(header));
        Token::read(&token).map(|token| (token.algorithm, token.kid))
    }

    #[test]
    fn a_header_says_algorithm_key_and_type() {
        let good = Ok((Algorithm::ES256, Some("a".to_owned())));
        for typ in [
            "",
            r#", "typ": "JWT""#,
            r#", "typ": "at+JWT""#,
            r#", "typ": "application/at+jwt""#,
        ] {
            assert_eq!(
                read(&format!(r#"{{"alg": "ES256", "kid": "a"{typ}}}"#)),
                good,
                "{typ}"
            );
        }
        let long = format!(
            r#"{{"alg": "ES256", "kid": "{}"}}"#,
            "a".repeat(MAX_KID + 1)
        );
        let deep = format!(
            r#"{{"alg": "ES256", "x": {}{}}}"#,
            "[".repeat(17),
            "]".repeat(17)
        );
        for bad in [
            r#"{"alg": "none"}"#,
            r#"{"alg": ["ES256"]}"#,
            r#"{"alg": null}"#,
            r#"{"kid": "a"}"#,
            r#"{"alg": "ES256", "kid": 1}"#,
            r#"{"alg": "ES256", "typ": "logout+jwt"}"#,
            r#"{"alg": "ES256", "crit": ["b64"], "b64": false}"#,
            r#"{"alg": "ES256", "crit": []}"#,
            r#"{"alg": "ES256", "crit": null}"#,
            r#"{"alg": "none", "alg": "ES256"}"#,
            r#"["ES256"]"#,
            r#"{"alg": "ES256"} "#.trim_end_matches(['}', ' ']),
            &long,
            &deep,
        ] {
            assert!(matches!(read(bad), Err(Denied::Invalid(_))), "{bad}");
        }
    }

    #[test]
    fn a_token_has_three_parts_within_bounds() {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg": "ES256"}"#);
        let ok = format!("{header}.e30.AAAA");
        assert!(Token::read(&ok).is_ok());
        for bad in [
            String::new(),
            "..".into(),
            header.clone(),
            format!("{header}.e30"),
            format!("{ok}.AAAA"),
            format!("{ok}.AAAA.AAAA"),
            format!("{ok}="),
            // The last character has bits that stand for nothing.
            format!("{header}.e30.AAB"),
            format!("{header}.e30.{}", "A".repeat(MAX_SIGNATURE + 2)),
            format!("{header}.{}.AAAA", "A".repeat(MAX_TOKEN)),
            format!("{}.e30.AAAA", "A".repeat(MAX_HEADER + 4)),
        ] {
            assert_eq!(Token::read(&bad).unwrap_err(), NOT_A_JWT, "{bad}");
        }
    }
}
