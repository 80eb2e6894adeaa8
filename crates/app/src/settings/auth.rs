//! Who may use the server over HTTP. Another way to authenticate is a [`Mode`], its settings in a file of their own beside
//! this one, and a line in [`Auth::apply`].

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pymcp_kit::auth::{Authentication, Scopes};

use super::Transport;
use super::jwt::{Jwt, Keys};
use crate::program::Program;
use crate::signals::Signals;
use crate::tokens::watch::Watched;
use crate::{Error, Result};

/// Heading of `--help-all`.
const HEADING: &str = "Authentication";

/// How clients authenticate, and what those that have no token are told.
#[derive(Debug, Clone, Args)]
// An author's own may have the same name.
#[group(skip)]
pub(crate) struct Auth {
    #[cfg_attr(
        feature = "jwt",
        doc = "How clients authenticate over HTTP: none, token or jwt.",
        doc = "",
        doc = "With `token` a request needs one of the tokens of `--auth-tokens`, in `Authorization: Bearer` or `X-Api-Key`; with",
        doc = "`jwt` a JSON Web Token of `--auth-issuer`."
    )]
    #[cfg_attr(
        not(feature = "jwt"),
        doc = "How clients authenticate over HTTP: none or token.",
        doc = "",
        doc = "With `token` a request needs one of the tokens of `--auth-tokens`, in `Authorization: Bearer` or `X-Api-Key`."
    )]
    /// Stdio has one client, which owns the process, and nobody else.
    #[arg(long, default_value = "none", value_name = "MODE", value_enum, hide_possible_values = true, hide_short_help = true, help_heading = HEADING)]
    pub(crate) auth: Mode,

    /// TOML file of the tokens that clients authenticate with, which the command `token` writes. Its owner alone may
    /// read it. It is read again when it changes, and on SIGHUP.
    #[arg(long, value_name = "FILE", hide_short_help = true, help_heading = HEADING)]
    pub(crate) auth_tokens: Option<PathBuf>,

    /// URL of the endpoint as clients write it, such as `https://mcp.example/mcp`, for what they are told when they have no
    /// token, and for the page at `/`. Without it the `Host` of the request is used.
    #[arg(long, value_name = "URL", value_parser = public_url, hide_short_help = true, help_heading = HEADING)]
    pub(crate) public_url: Option<String>,

    /// Scopes that clients are told they can ask for, comma-separated. Without it those that tools, resources and prompts
    /// need.
    #[arg(long, value_name = "SCOPES", value_parser = scopes, hide_short_help = true, help_heading = HEADING)]
    pub(crate) auth_scopes_supported: Option<Scopes>,
}

/// How clients authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Not at all, or as the author of the server says.
    None,
    /// With a token of a file.
    Token,
    /// With a JSON Web Token of an issuer; without the feature `jwt` it is refused.
    #[cfg_attr(not(feature = "jwt"), value(hide = true))]
    Jwt,
}

/// What changes while the server runs.
pub(crate) enum Kept {
    /// Tokens of a file that is watched.
    Tokens(Watched),
    /// The keys of an issuer.
    Keys(Keys),
}

impl Kept {
    /// Begins to keep it up, and to read at each SIGHUP what can be read again.
    ///
    /// # Errors
    /// Signals cannot be listened for.
    pub(crate) fn begin(self, signals: &mut Signals) -> Result<()> {
        match self {
            Self::Tokens(watched) => _ = tokio::spawn(watched.watch(signals.hangups()?)),
            // Who comes first need not wait for them.
            Self::Keys(keys) => keys.prefetch(),
        }
        Ok(())
    }
}

impl Auth {
    /// What the settings say of how clients authenticate goes over what the author says, and what is to be kept up from now
    /// on.
    ///
    /// # Errors
    /// Settings that do not go together, or a file that cannot be used.
    pub(crate) fn apply(
        &self,
        jwt: &Jwt,
        program: &Program,
        authentication: &mut Authentication,
    ) -> Result<Option<Kept>> {
        if jwt.is_given() && self.auth != Mode::Jwt {
            return Err(Error::setting(
                "--auth-issuer and what goes with it are set, but no JSON Web Token is asked for: set --auth to jwt as \
                 well.",
            ));
        }
        let mut kept = None;
        match (self.auth, &self.auth_tokens) {
            (Mode::Token, Some(path)) => {
                let file = Watched::open(path).map_err(|problem| {
                    let name = format!("{} (--auth-tokens)", path.display());
                    Error::setting(problem.of(name))
                })?;
                authentication.authenticator = Some(file.tokens());
                kept = Some(Kept::Tokens(file));
            }
            (Mode::Token, None) => {
                return Err(Error::setting(
                    "--auth is 'token', which needs a file of tokens: set --auth-tokens.",
                ));
            }
            (Mode::None | Mode::Jwt, Some(_)) => {
                return Err(Error::setting(
                    "--auth-tokens is set, but nobody is asked for such a token: set --auth to token as well.",
                ));
            }
            (Mode::Jwt, None) => {
                kept = Some(Kept::Keys(jwt.apply(program, authentication)?));
            }
            (Mode::None, None) => {}
        }
        if let Some(url) = &self.public_url {
            authentication.resource = Some(url.clone());
        }
        if let Some(scopes) = &self.auth_scopes_supported {
            authentication.scopes_supported = Some(scopes.clone());
        }
        Ok(kept)
    }

    /// Refuses authentication where nobody could: who sets it does not mean stdio.
    ///
    /// # Errors
    /// Clients are to authenticate, and the transport is stdio.
    pub(crate) fn goes_with(&self, transport: Transport) -> Result<()> {
        match (self.auth, transport) {
            (Mode::None, _) | (_, Transport::Http | Transport::Sse) => Ok(()),
            (mode, Transport::Stdio) => Err(Error::setting(format!(
                "--auth is '{}', but on stdio the one client owns the process; set --transport to http, or --auth to \
                 none.",
                if mode == Mode::Jwt { "jwt" } else { "token" }
            ))),
        }
    }
}

/// An absolute URL without user, query and fragment (RFC 8707 §2; RFC 9728 §1.2).
fn public_url(text: &str) -> Result<String, String> {
    let text = text.trim();
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"?#@\\\"<>^`{|}".contains(&byte);
    match rest {
        Some(rest)
            if !rest.starts_with(['/', ':']) && !rest.is_empty() && rest.bytes().all(plain) =>
        {
            Ok(text.to_owned())
        }
        _ => Err("a URL such as https://mcp.example/mcp, without user, query and fragment".into()),
    }
}

pub(super) fn scopes(text: &str) -> Result<Scopes, String> {
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    Scopes::new(words).map_err(|bad| {
        format!("a comma-separated list of scopes such as stock:read,stock:write: {bad}")
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clap::FromArgMatches as _;
    use pymcp_kit::auth::tokens::{TokenEntry, TokenHash, Tokens};

    use super::*;
    use crate::tokens::edit;

    #[test]
    fn what_the_settings_say_goes_over_what_the_author_says_and_nothing_else() {
        let program = crate::App::new("zebra-2", "1.0.0").program();
        let matches = Jwt::augment_args(clap::Command::new("test")).get_matches_from(["test"]);
        let jwt = Jwt::from_arg_matches(&matches).unwrap();
        let none = Auth {
            auth: Mode::None,
            auth_tokens: None,
            public_url: None,
            auth_scopes_supported: None,
        };
        let author = Arc::new(Tokens::new(Vec::new()).unwrap());
        let mut authentication = Authentication {
            authenticator: Some(author),
            resource: Some("https://a.example/mcp".into()),
            scopes_supported: None,
        };
        assert!(
            none.apply(&jwt, &program, &mut authentication)
                .unwrap()
                .is_none()
        );
        assert!(authentication.authenticator.is_some());
        let resource = |authentication: &Authentication| authentication.resource.clone();
        assert_eq!(
            resource(&authentication).as_deref(),
            Some("https://a.example/mcp")
        );

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let entry = TokenEntry {
            name: "ci".into(),
            hash: TokenHash::of("ci"),
            scopes: Scopes::default(),
            expires: None,
        };
        edit::add(&path, &entry).unwrap();
        let token = Auth {
            auth: Mode::Token,
            auth_tokens: Some(path),
            public_url: Some("https://b.example/mcp".into()),
            auth_scopes_supported: Some(Scopes::parse("a b").unwrap()),
        };
        let kept = token.apply(&jwt, &program, &mut authentication).unwrap();
        let Some(Kept::Tokens(watched)) = kept else {
            panic!("the file is not watched");
        };
        assert_eq!(watched.tokens().len(), 1);
        // Held by the file and by the endpoint.
        assert_eq!(Arc::strong_count(&watched.tokens()), 3);
        assert_eq!(
            resource(&authentication).as_deref(),
            Some("https://b.example/mcp")
        );
        assert_eq!(authentication.scopes_supported, token.auth_scopes_supported);
        assert!(token.goes_with(Transport::Http).is_ok());
        assert!(token.goes_with(Transport::Stdio).is_err());
        assert!(none.goes_with(Transport::Stdio).is_ok());
    }

    #[test]
    fn a_public_url_is_absolute_and_plain() {
        for url in [
            "https://mcp.example/mcp",
            "http://localhost:8000/mcp",
            "https://[::1]:8000/team-a/mcp",
            "https://mcp.example",
        ] {
            assert_eq!(public_url(url).as_deref(), Ok(url));
        }
        for bad in [
            "",
            "/mcp",
            "mcp.example/mcp",
            "https://",
            "https:///mcp",
            "https://:80/mcp",
            "ftp://mcp.example",
            "https://me@mcp.example/mcp",
            "https://mcp.example/mcp?a=b",
            "https://mcp.example/mcp#a",
            "https://mcp.example/a b",
            "https://mcp.example/\"",
            "https://mcp.example/ä",
        ] {
            assert!(public_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn scopes_are_separated_by_commas_or_spaces() {
        let read = scopes("stock:write, stock:read,").unwrap();
        assert_eq!(read.to_string(), "stock:read stock:write");
        assert!(scopes("a\"b").unwrap_err().contains("is not a scope"));
    }
}
