//! Whose access tokens are accepted: the settings of JSON Web Tokens, and what verifies tokens by them.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use pymcp_egress::{Allow, Egress, Error as Unfetched, Limits};
use pymcp_kit::auth::jwt::{Algorithms, Fetch, FetchError, JwtAuthenticator, JwtConfig};
use pymcp_kit::auth::{Authentication, Scopes};

use super::auth::scopes;
use super::value::seconds;
use super::web::{self, is_loopback, parsed};
use crate::program::Program;
use crate::{Error, Result};

/// Heading of `--help-all`.
const HEADING: &str = "Authentication";

/// What one document of the issuer may take. Nothing leads to another address than the one that was named.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(5),
    connect: Duration::from_secs(3),
    body: JwtAuthenticator::MAX_DOCUMENT,
    request: 0,
    redirects: 0,
    concurrent: 1,
};

/// Whose access tokens are accepted, and for whom they have to be.
#[derive(Debug, Clone, Args)]
// An author's own may have the same name.
#[group(skip)]
pub(crate) struct Jwt {
    /// Issuer of the access tokens that clients authenticate with, just as the tokens write it (`iss`), such as
    /// `https://login.example/realms/mcp`. Its keys are found through its metadata (RFC 8414, OpenID Connect).
    #[arg(long, value_name = "URL", value_parser = issuer, hide_short_help = true, help_heading = HEADING)]
    pub(crate) auth_issuer: Option<String>,

    /// Audiences, comma-separated: an access token needs one of them (`aud`).
    #[arg(long, value_name = "AUDIENCES", value_parser = list, hide_short_help = true, help_heading = HEADING)]
    pub(crate) auth_audience: Option<List>,

    /// Clients, comma-separated, whose access tokens are accepted although they have no audience, as those of Amazon
    /// Cognito (`client_id`).
    #[arg(long, value_name = "IDS", value_parser = list, hide_short_help = true, help_heading = HEADING)]
    pub(crate) auth_client_ids: Option<List>,

    /// URL of the issuer's keys (JWKS), where its metadata is not to be asked, or names another host.
    #[arg(long, value_name = "URL", value_parser = jwks, hide_short_help = true, help_heading = HEADING)]
    pub(crate) auth_jwks: Option<String>,

    /// Algorithms of signatures that are accepted, comma-separated, of RS256, RS384, RS512, PS256, PS384, PS512, ES256,
    /// ES384 and EdDSA.
    #[arg(long, default_value = "RS256,ES256", value_name = "NAMES", value_parser = algorithms, hide_short_help = true, help_heading = HEADING)]
    pub(crate) auth_algorithms: Algorithms,

    /// Seconds by which the clocks of the issuer and of this machine may differ, 0 to 300.
    #[arg(long, default_value = "60", value_name = "SECONDS", value_parser = skew, hide_short_help = true, help_heading = HEADING)]
    pub(crate) auth_skew: Duration,

    /// Scopes that every access token needs, comma-separated.
    #[arg(long, value_name = "SCOPES", value_parser = scopes, hide_short_help = true, help_heading = HEADING)]
    pub(crate) auth_required_scopes: Option<Scopes>,
}

/// The keys of an issuer.
pub(crate) type Keys = Arc<JwtAuthenticator>;

/// Words with commas between.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct List(Vec<String>);

impl Jwt {
    /// Whether one of the settings is given that mean nothing unless tokens are verified.
    pub(crate) fn is_given(&self) -> bool {
        self.auth_issuer.is_some()
            || self.auth_audience.is_some()
            || self.auth_client_ids.is_some()
            || self.auth_jwks.is_some()
            || self.auth_required_scopes.is_some()
    }

    /// Has clients authenticate by these settings, and returns what is to be kept up.
    ///
    /// # Errors
    /// A setting is missing.
    pub(crate) fn apply(
        &self,
        program: &Program,
        authentication: &mut Authentication,
    ) -> Result<Keys> {
        let verifier = self.authenticator(program)?;
        authentication.authenticator = Some(Arc::clone(&verifier) as _);
        Ok(verifier)
    }

    /// Whose tokens are accepted, if it is said.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.auth_issuer.as_deref()
    }

    /// Hosts and ports that the settings name.
    pub(crate) fn places(&self) -> impl Iterator<Item = (String, u16)> {
        let urls = [&self.auth_issuer, &self.auth_jwks];
        urls.into_iter().flatten().filter_map(|url| web::place(url))
    }

    /// Whether it is known where the keys are before the issuer has said so.
    pub(crate) fn names_keys(&self) -> bool {
        self.auth_jwks.is_some()
    }

    /// What verifies tokens by these settings. It fetches nothing before [`JwtAuthenticator::prefetch`].
    ///
    /// # Errors
    /// A setting is missing.
    fn authenticator(&self, program: &Program) -> Result<Keys> {
        let config = self.config()?;
        let urls = [Some(&config.issuer), config.jwks.as_ref()];
        let mut egress = Egress::builder().limits(LIMITS).user_agent(&format!(
            "{}/{}",
            program.name(),
            program.version()
        ));
        for url in urls.into_iter().flatten().filter_map(|url| parsed(url)) {
            if url.scheme() == "http" && !is_loopback(&url) {
                let host = url.host_str().unwrap_or_default();
                tracing::warn!(
                    "{host} is asked for keys over http: who is between can accept tokens of their own."
                );
            }
            // Who names a host of a private network means it; nothing else can be reached.
            egress = egress.allow(Allow::host(url.host_str().unwrap_or_default()).private());
        }
        let authenticator = JwtAuthenticator::new(config, Arc::new(Door(egress.build())));
        Ok(Arc::new(
            authenticator.map_err(|error| Error::other(error.to_string()))?,
        ))
    }

    fn config(&self) -> Result<JwtConfig> {
        let words = |list: &Option<List>| list.clone().unwrap_or_default().0;
        let (audiences, client_ids) = (words(&self.auth_audience), words(&self.auth_client_ids));
        let Some(issuer) = &self.auth_issuer else {
            return Err(Error::setting(
                "--auth is 'jwt', which needs the issuer of the tokens: set --auth-issuer.",
            ));
        };
        if audiences.is_empty() && client_ids.is_empty() {
            return Err(Error::setting(
                "--auth is 'jwt', which needs to know what tokens are for: set --auth-audience.",
            ));
        }
        Ok(JwtConfig {
            client_ids,
            jwks: self.auth_jwks.clone(),
            algorithms: self.auth_algorithms.clone(),
            skew: self.auth_skew,
            required_scopes: self.auth_required_scopes.clone().unwrap_or_default(),
            ..JwtConfig::new(issuer, audiences)
        })
    }
}

/// Fetches the documents of the issuer, from its host alone.
struct Door(Egress);

impl Fetch for Door {
    fn fetch<'a>(
        &'a self,
        url: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<bytes::Bytes, FetchError>> + Send + 'a>> {
        Box::pin(async move {
            let call = self.0.get(url).header("accept", "application/json");
            let response = call.send().await.and_then(pymcp_egress::Response::success);
            response.map(|response| response.body).map_err(|error| {
                FetchError(match error {
                    Unfetched::NotAllowed { host } => format!(
                        "{host} is not the issuer's host; if the keys are there, set --auth-jwks to this address"
                    ),
                    error => error.to_string(),
                })
            })
        })
    }
}

fn issuer(text: &str) -> Result<String, String> {
    let text = text.trim();
    let is_issuer = parsed(text).is_some_and(|url| url.query().is_none());
    is_issuer.then(|| text.to_owned()).ok_or_else(|| {
        "a URL such as https://login.example/realms/mcp, without user, query and fragment".into()
    })
}

fn jwks(text: &str) -> Result<String, String> {
    let text = text.trim();
    let url = parsed(text).map(|_| text.to_owned());
    url.ok_or_else(|| "a URL such as https://login.example/keys, without user and fragment".into())
}

fn list(text: &str) -> Result<List, String> {
    let words: Vec<_> = text.split(',').map(str::trim).map(str::to_owned).collect();
    match words.iter().any(String::is_empty) {
        true => Err("words with commas between".into()),
        false => Ok(List(words)),
    }
}

fn algorithms(text: &str) -> Result<Algorithms, String> {
    let names = text.split(',').map(str::trim);
    Algorithms::new(names).map_err(|bad| format!("a comma-separated list of algorithms: {bad}"))
}

fn skew(text: &str) -> Result<Duration, String> {
    seconds(text, 0, 300)
}

#[cfg(test)]
mod tests;
