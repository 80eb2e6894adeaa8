//! `doctor`: says what is wrong with this machine or with a server, whom it breaks, and what to do.

use clap::{ArgMatches, Args as _, Command};
use http::header::AUTHORIZATION;

use crate::client::{self, EraChoice, TargetArgs};
use crate::doctor::probe::http::Endpoint;
use crate::doctor::probe::web::Web;
use crate::doctor::probe::{Options, Started, Target};
use crate::doctor::{self, Asked};
use crate::host::Host;
use crate::output::{Output, OutputArgs};
use crate::verbs::parsed;
use crate::{Error, Result};

pub(crate) const NAME: &str = "doctor";

/// Find what is wrong with this machine or a server, and how to mend it
///
/// Without a target: the settings, and this program's own server. With one: how the server behaves, and its definitions.
/// Exit code 0 if there is no error, 1 if there is, 3 if the server cannot be reached.
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Args {
    /// Look at the server at this address, and at how clients authenticate there, step by step; with --bearer also at the
    /// token.
    #[arg(long, value_name = "URL", conflicts_with_all = ["command", "url", "env_file", "config"])]
    auth: Option<String>,

    /// Call this tool without arguments, to see its result; can be given several times. Without it only tools are called
    /// that say that they only read, need no arguments, and have a schema of their result.
    #[arg(long, value_name = "TOOL")]
    call: Vec<String>,

    /// Let warnings fail as well.
    #[arg(long)]
    strict: bool,

    /// Print SARIF 2.1.0, for code hosts and editors.
    #[arg(long, conflicts_with = "json")]
    sarif: bool,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) fn command() -> Command {
    let command = Args::augment_args(Command::new(NAME));
    // Both eras are looked at, and messages are not what is shown.
    let command = command.mut_arg("era", |era| era.hide(true));
    command
        .mut_arg("trace", |trace| trace.hide(true))
        .mut_arg("timeout", |timeout| timeout.default_value("30"))
}

pub(crate) fn run(matches: &ArgMatches, host: Host<'_>) -> Result<()> {
    let args = parsed::<Args>(matches)?;
    let mut target = args.target;
    if target.trace || target.era != EraChoice::Auto {
        return Err(Error::setting(
            "--trace and --era are not for doctor, which looks at both eras; list and call have them.",
        ));
    }
    if let Some(url) = &args.auth {
        target.url = Some(url.clone());
    }
    let output = Output::new(args.output);
    let bearer = client::headers(&target).remove(AUTHORIZATION);
    let bearer = bearer.as_ref().and_then(|value| value.to_str().ok());
    let asked = Asked {
        options: Options {
            patience: target.timeout,
            call: args.call,
        },
        auth: args.auth.is_some(),
        bearer: bearer
            .and_then(|value| value.strip_prefix("Bearer "))
            .map(str::to_owned),
        strict: args.strict,
        sarif: args.sarif,
    };
    let found = found(&target)?;
    let program = host.program;
    let runtime = client::runtime()?;
    let ended = runtime.block_on(async {
        match found {
            Some(found) => doctor::server(program, found, &asked, output).await,
            None => {
                let settled = host.settle(&target.files);
                doctor::this_machine(program, settled, &asked, output).await
            }
        }
    });
    // A look-up of a name may hang in a thread of its own, and must not keep us here.
    runtime.shutdown_background();
    ended
}

/// The server to look at; none for the program's own.
///
/// # Errors
/// It cannot be looked at.
pub(crate) fn found(args: &TargetArgs) -> Result<Option<Target>> {
    let web = |endpoint| {
        let web = Web::new(endpoint, client::headers(args));
        Ok(Some(Target::Url(Box::new(web))))
    };
    match args.target()? {
        client::Target::Own => Ok(None),
        client::Target::Http(url) => web(Endpoint::new(&url)?),
        #[cfg(unix)]
        client::Target::Unix(path) => web(Endpoint::unix(&path)?),
        client::Target::Sse(url) => {
            let server = client::SseServer::new(&url, args)?;
            Ok(Some(Target::Sse(Box::new(server))))
        }
        client::Target::Command(words) => Ok(Some(Target::Command(Started {
            words,
            directory: args.cwd.clone(),
            variables: args.env.clone(),
        }))),
    }
}
