//! Whose tokens are accepted, and for whom they have to be.

use std::time::Duration;

use http::Uri;

use crate::auth::Scopes;
use crate::build_error::BuildError;

use super::Algorithms;

/// Bytes of a URL.
const MAX_URL: usize = 2048;

/// Whose access tokens are accepted, and for whom they have to be.
#[derive(Debug, Clone)]
pub struct JwtConfig {
    /// The issuer, just as its tokens write it (`iss`), with or without the slash at its end: a URL without query and
    /// fragment (RFC 8414 §2). Its keys are found at its well-known addresses unless [`jwks`](Self::jwks) names them.
    pub issuer: String,
    /// What tokens are for (`aud`): one of a token's audiences has to be one of these, exactly. A list, since not every
    /// issuer writes the server's URL there.
    pub audiences: Vec<String>,
    /// Clients (`client_id`) whose tokens are accepted although they have no audience at all, as the access tokens of Amazon
    /// Cognito have none (`token_use` is `access`). It says who a token was issued to and not what it is for, so it counts
    /// for nothing where a token has an audience. Default: none.
    pub client_ids: Vec<String>,
    /// Where the keys are (RFC 7517 §5): a URL. Default: where the issuer says (RFC 8414, OpenID Connect Discovery).
    pub jwks: Option<String>,
    /// Which signatures are accepted.
    pub algorithms: Algorithms,
    /// By how much the clocks of the issuer and of this machine may differ. Default: 60 s.
    pub skew: Duration,
    /// The scopes that every token needs to have. Default: none.
    pub required_scopes: Scopes,
}

impl JwtConfig {
    /// The tokens of this issuer for one of these audiences, and the defaults.
    pub fn new<T: Into<String>>(
        issuer: impl Into<String>,
        audiences: impl IntoIterator<Item = T>,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            audiences: audiences.into_iter().map(Into::into).collect(),
            client_ids: Vec::new(),
            jwks: None,
            algorithms: Algorithms::default(),
            skew: Duration::from_secs(60),
            required_scopes: Scopes::default(),
        }
    }

    pub(super) fn check(&self) -> Result<(), BuildError> {
        if !is_url(&self.issuer) || self.issuer.contains('?') {
            return Err(BuildError(
                "The issuer is no URL of https or http, without a user, query and fragment.".into(),
            ));
        }
        if self.jwks.as_deref().is_some_and(|jwks| !is_url(jwks)) {
            return Err(BuildError(
                "The URL of the keys is none of https or http, without a user and a fragment."
                    .into(),
            ));
        }
        let mut all = self.audiences.iter().chain(&self.client_ids).peekable();
        if all.peek().is_none() || all.any(String::is_empty) {
            return Err(BuildError(
                "Tokens need at least one audience, and an audience is not empty.".into(),
            ));
        }
        Ok(())
    }
}

/// Whether it is an absolute URL that can be fetched.
pub(super) fn is_url(text: &str) -> bool {
    let plain = text.len() <= MAX_URL
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !text.contains(['#', '@', '\\']);
    let is_http = |url: Uri| {
        matches!(url.scheme_str(), Some("https" | "http"))
            && url.host().is_some_and(|host| !host.is_empty())
    };
    plain && text.parse().is_ok_and(is_http)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_and_the_keys_are_urls_and_an_audience_is_needed() {
        let good = JwtConfig::new("https://login.example/tenant/", ["api://mcp"]);
        assert_eq!(good.check(), Ok(()));
        for issuer in [
            "",
            "login.example",
            "/tenant",
            "ftp://login.example",
            "https://",
            "https://user@login.example",
            "https://login.example/?a",
            "https://login.example/#a",
            "https://login.example/a b",
            "https://login.example\\a",
        ] {
            let config = JwtConfig {
                issuer: issuer.into(),
                ..good.clone()
            };
            let error = config.check().unwrap_err().to_string();
            assert!(
                error.starts_with("The issuer is no URL"),
                "{issuer}: {error}"
            );
        }
        let config = JwtConfig {
            jwks: Some("login.example/keys".into()),
            ..good.clone()
        };
        assert!(config.check().is_err());
        for audiences in [&[][..], &["a", ""]] {
            let config = JwtConfig::new("https://login.example", audiences.iter().copied());
            assert!(config.check().is_err(), "{audiences:?}");
        }
        let config = JwtConfig {
            audiences: Vec::new(),
            client_ids: vec!["7lhc".into()],
            ..good
        };
        assert_eq!(config.check(), Ok(()));
    }
}
