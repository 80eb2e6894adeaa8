//! What a token has to say to be accepted, and what is taken from it.
//!
//! It is asked only once the signature is right.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::auth::{Denied, Scopes};

use super::JwtConfig;
use super::token::object;

/// Bytes of a subject (OpenID Connect Core §2).
const MAX_SUBJECT: usize = 255;

/// The last second that a date of a token can name: the end of the year 9999.
const MAX_DATE: f64 = 253_402_300_799.0;

/// What a token grants.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) subject: Arc<str>,
    pub(super) scopes: Scopes,
    /// From when on it is not accepted any more.
    pub(super) expires: SystemTime,
}

/// The claims that are looked at (RFC 7519 §4.1, RFC 9068 §2.2, and those by which tokens are told apart).
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: Option<String>,
    aud: Option<Words>,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    client_id: Option<String>,
    /// RFC 8693 §4.2: words with spaces between.
    scope: Option<Words>,
    /// The same of Entra (one text) and others (a list).
    scp: Option<Words>,
    /// Cognito: `access` or `id`.
    token_use: Option<String>,
    /// Keycloak: `Bearer`, `ID`, `Refresh`.
    typ: Option<String>,
    nonce: Option<IgnoredAny>,
    at_hash: Option<IgnoredAny>,
    c_hash: Option<IgnoredAny>,
    cnf: Option<IgnoredAny>,
}

/// One text or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    One(String),
    Many(Vec<String>),
}

impl Words {
    fn iter(&self) -> impl Iterator<Item = &str> {
        let all = match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        };
        all.iter().map(String::as_str)
    }
}

/// Judges what a token claims, as it stands between its dots.
pub(super) fn judge(config: &JwtConfig, claims: &str, now: SystemTime) -> Result<Granted, Denied> {
    let claims = object(claims).and_then(|claims| Claims::deserialize(claims).ok());
    let claims = claims.ok_or(Denied::Invalid(
        "The token's claims cannot be read: one is missing (iss, exp), is named twice or has a wrong type.",
    ))?;
    if claims.iss != config.issuer {
        return Err(Denied::Invalid("The token is of another issuer (iss)."));
    }
    let expires = claims.judge_times(config.skew, now)?;
    claims.judge_kind()?;
    claims.judge_audience(config)?;
    let subject = claims.sub.as_deref().unwrap_or_default();
    let is_subject = (1..=MAX_SUBJECT).contains(&subject.len());
    if !is_subject || subject.chars().any(char::is_control) {
        return Err(Denied::Invalid(
            "The token says of nobody who it is: it needs a subject (sub) of 1 to 255 bytes.",
        ));
    }
    Ok(Granted {
        // An issuer has no fragment, so it ends at the first #.
        subject: format!("{}#{subject}", config.issuer).into(),
        scopes: claims.scopes()?,
        expires,
    })
}

impl Claims {
    /// When it expires, with what the clocks may differ.
    fn judge_times(&self, skew: Duration, now: SystemTime) -> Result<SystemTime, Denied> {
        let unreadable = Denied::Invalid("The token has a date that is none (exp, nbf, iat).");
        let date = |seconds: f64| match (0.0..=MAX_DATE).contains(&seconds) {
            true => Ok(SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds)),
            false => Err(unreadable.clone()),
        };
        let expires = date(self.exp)? + skew;
        if now >= expires {
            return Err(Denied::Invalid("The token has expired (exp)."));
        }
        for begins in [self.nbf, self.iat].into_iter().flatten() {
            if date(begins)? > now + skew {
                return Err(Denied::Invalid("The token is not valid yet (nbf, iat)."));
            }
        }
        Ok(expires)
    }

    /// Tokens of other kinds have the same issuer, keys and often audience.
    fn judge_kind(&self) -> Result<(), Denied> {
        let is = |claim: &Option<String>, expected: &str| {
            claim.as_deref().is_none_or(|found| found == expected)
        };
        // Hashes of another token and of a code are in ID tokens only (OpenID Connect Core §3.1.3.6, §3.3.2.11); a nonce is
        // in some access tokens too, which have scopes.
        let is_id_token = self.at_hash.is_some()
            || self.c_hash.is_some()
            || (self.nonce.is_some() && self.scope.is_none() && self.scp.is_none());
        if is_id_token || !is(&self.token_use, "access") || !is(&self.typ, "Bearer") {
            return Err(Denied::Invalid(
                "The token is no access token; ID tokens and refresh tokens are for the client.",
            ));
        }
        // Whoever stole it cannot use it elsewhere, and so must not be able to here (RFC 8705, RFC 9449).
        if self.cnf.is_some() {
            return Err(Denied::Invalid(
                "The token is bound to a key of its client (cnf), which this server cannot check.",
            ));
        }
        Ok(())
    }

    fn judge_audience(&self, config: &JwtConfig) -> Result<(), Denied> {
        let is_for_us = match &self.aud {
            Some(audiences) => audiences
                .iter()
                .any(|one| config.audiences.iter().any(|known| known == one)),
            // Only what says of itself that it is an access token, as Cognito's do.
            None => {
                self.token_use.is_some()
                    && self
                        .client_id
                        .as_ref()
                        .is_some_and(|client| config.client_ids.contains(client))
            }
        };
        match is_for_us {
            true => Ok(()),
            false => Err(Denied::Invalid("The token is not for this server (aud).")),
        }
    }

    fn scopes(&self) -> Result<Scopes, Denied> {
        let both = [&self.scope, &self.scp].into_iter().flatten();
        let words = both.flat_map(|words| words.iter().flat_map(str::split_ascii_whitespace));
        Scopes::new(words).map_err(|_| {
            Denied::Invalid("The token has scopes that cannot be read, or more than 8 KiB of them.")
        })
    }
}
