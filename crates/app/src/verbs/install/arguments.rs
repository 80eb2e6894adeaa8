//! What `install` is told, and the server that it is about.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use url::Url;

use crate::install::place::{Folders, Place, Scope};
use crate::install::{CLIENTS, Client, Reached, ServerEntry, binary, client, entry};
use crate::output::OutputArgs;
use crate::program::{Program, upper};
use crate::{Error, Result};

/// Add this server to a client: print what belongs into its file, or write it
///
/// On stdout is a whole file with this server alone, on stderr where it belongs and what else would do. --write adds it to
/// the file of the client, where all else stays as it is.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) place: PlaceArgs,
    /// Write the client's file; what it was is kept beside it, in a file that ends with .bak.
    #[arg(long)]
    pub(super) write: bool,
    /// Replace another server that has the name.
    #[arg(long, requires = "write")]
    pub(super) replace: bool,
    /// An environment variable that the client sets for the server; can be given several times. It stands in the file.
    // Read later: clap repeats what it refuses, and this may be a secret.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) env: Vec<String>,
    /// The server listens at this URL, and the client starts none.
    #[arg(long, value_name = "URL", value_parser = http, conflicts_with_all = ["env", "arguments"])]
    pub(super) http: Option<Url>,
    /// A header that the client sends with each request; can be given several times. It stands in the file.
    #[arg(long, value_name = "NAME: VALUE", requires = "http")]
    pub(super) header: Vec<String>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    /// Arguments with which the client starts the server, after --.
    #[arg(last = true, value_name = "ARGUMENT")]
    pub(super) arguments: Vec<String>,
}

/// Which client, and which of its files.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(in crate::verbs) struct PlaceArgs {
    /// The client.
    #[arg(value_name = "CLIENT", value_parser = PossibleValuesParser::new(CLIENTS.iter().map(|client| client.id)))]
    client: String,
    /// Whose servers: user (yours, everywhere) or project (those of this folder). Yours, where the client has both.
    #[arg(long, value_enum, value_name = "SCOPE", hide_possible_values = true)]
    scope: Option<Scope>,
    /// The file, if it is another than the client's usual one.
    #[arg(long, value_name = "FILE", conflicts_with = "scope")]
    pub(super) config_path: Option<PathBuf>,
    /// What the client calls the server: letters, digits, - and _. The name of this program, unless given.
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(in crate::verbs) name: Option<String>,
}

impl PlaceArgs {
    /// The client, the scope and the file.
    ///
    /// # Errors
    /// The client has no file in this scope.
    pub(in crate::verbs) fn resolve(&self) -> Result<(&'static Client, Scope, Place)> {
        let client = client::named(&self.client);
        let client = client.ok_or_else(|| Error::setting("CLIENT is none that is known."))?;
        let folders = Folders::of_process()?;
        let scope = self.scope.unwrap_or(client.usual_scope());
        let place = match (&self.config_path, scope) {
            (Some(path), _) => Some(folders.named(path)),
            (None, Scope::Project) => client.project.map(|path| folders.project(path)),
            (None, Scope::User) => {
                let files = client.user.as_ref();
                files
                    .map(|files| folders.user(files).map_err(Error::setting))
                    .transpose()?
            }
        };
        let place = place.ok_or_else(|| {
            let other = match scope {
                Scope::Project => "user",
                Scope::User => "project",
            };
            Error::setting(format!(
                "{} has no file for this --scope; it has one for {other}.",
                client.name
            ))
        })?;
        Ok((client, scope, place))
    }

    /// What the client calls the server.
    pub(in crate::verbs) fn name(&self, program: &Program) -> String {
        let usual = || entry::usual_name(program.name());
        self.name.clone().unwrap_or_else(usual)
    }
}

/// The server that the arguments are about.
pub(super) fn server(args: &Args, program: &Program) -> Result<ServerEntry> {
    let reached = match &args.http {
        Some(url) => Reached::Http {
            url: url.to_string(),
            headers: pairs(&args.header, "--header", header)?,
        },
        None => {
            let mut arguments = args.arguments.clone();
            let transport = program.setting("transport");
            if arguments.is_empty() && transport.is_some_and(|setting| setting.default() != "stdio")
            {
                arguments = ["serve", "--transport", "stdio"]
                    .map(str::to_owned)
                    .to_vec();
            }
            Reached::Stdio {
                command: binary::path().map_err(Error::other)?,
                args: arguments,
                env: pairs(&args.env, "--env", variable)?,
            }
        }
    };
    let name = args.place.name(program);
    Ok(ServerEntry { name, reached })
}

/// Names and values that a flag gives, each name once.
fn pairs(
    texts: &[String],
    flag: &str,
    read: impl Fn(&str) -> Result<(String, String), &'static str>,
) -> Result<Vec<(String, String)>> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for text in texts {
        let pair = read(text).map_err(|must| Error::setting(format!("{flag} must be {must}.")))?;
        if pairs
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(&pair.0))
        {
            return Err(Error::setting(format!("{flag} gives {} twice.", pair.0)));
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

fn name(text: &str) -> Result<String, String> {
    match entry::is_name(text) {
        true => Ok(text.to_owned()),
        false => Err("1 to 64 letters, digits, - and _".to_owned()),
    }
}

fn variable(text: &str) -> Result<(String, String), &'static str> {
    let is_name = |name: &str| {
        !name.starts_with(|c: char| c.is_ascii_digit()) && upper(name) == name.to_ascii_uppercase()
    };
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && is_name(name) && !value.contains('\0') => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("NAME=VALUE, with a name of letters, digits and _"),
    }
}

fn header(text: &str) -> Result<(String, String), &'static str> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let pair = text
        .split_once(':')
        .map(|(name, value)| (name, value.trim()));
    match pair {
        Some((name, value))
            if !name.is_empty()
                && name.bytes().all(is_token)
                && !value.is_empty()
                && !value.contains(char::is_control) =>
        {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("NAME: VALUE, as HTTP has headers"),
    }
}

fn http(text: &str) -> Result<Url, String> {
    let is_plain = |url: &Url| {
        ["http", "https"].contains(&url.scheme())
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    };
    let url = Url::parse(text).ok().filter(is_plain);
    url.ok_or_else(|| {
        "an http or https URL without a user, such as http://127.0.0.1:8000/mcp".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_what_a_file_can_take() {
        for text in ["A=b", "a_1=", "TOKEN=x=y"] {
            assert!(variable(text).is_ok(), "{text}");
        }
        for text in ["", "A", "=b", "1A=b", "A-B=c", "A=b\0"] {
            assert!(variable(text).is_err(), "{text}");
        }
        assert_eq!(
            header("Authorization: Bearer x:y").unwrap(),
            ("Authorization".into(), "Bearer x:y".into())
        );
        for text in ["", "A", ": b", "A b: c", "A:", "A: b\r\nC: d"] {
            assert!(header(text).is_err(), "{text}");
        }
        assert!(http("https://example.com/mcp").is_ok());
        for text in [
            "example.com",
            "ftp://example.com",
            "https://u:p@example.com",
        ] {
            assert!(http(text).is_err(), "{text}");
        }
    }
}
