//! What a built-in verb may ask of its program: its settings, and its server in process.

use std::fmt;
use std::pin::Pin;

use clap::Command;
use pymcp_kit::Server;
use tokio::runtime::{Builder, Runtime};

use crate::app::located;
#[cfg(feature = "verbs")]
use crate::client::Open;
use crate::prepared::{Exit, OwnCheck, Prepared, end};
use crate::program::Program;
use crate::settings::selection::Selected;
use crate::settings::{Files, Shared};
use crate::sources::Sources;
use crate::{Error, Result};

/// The program that a verb belongs to.
pub(crate) struct Host<'a> {
    /// What it is called, and which settings it has.
    pub(crate) program: &'a Program,
    /// What its author says of it, for `version`.
    pub(crate) facts: &'a [Fact],
    documented: Option<Box<dyn Fn() -> Command + 'a>>,
    /// The connection that verbs use instead of one of their own.
    #[cfg(feature = "verbs")]
    pub(crate) open: Option<Open<'a>>,
    settle: Box<Settle<'a>>,
}

/// Something that is said of a program.
pub(crate) struct Fact {
    pub(crate) name: String,
    pub(crate) value: Box<dyn Fn() -> String>,
}

type Settle<'a> = dyn FnOnce(&Files) -> Result<Settled<'a>> + 'a;
type Prepare<'a> = Pin<Box<dyn Future<Output = Result<Prepared>> + 'a>>;

impl<'a> Host<'a> {
    pub(crate) fn new(
        program: &'a Program,
        settle: impl FnOnce(&Files) -> Result<Settled<'a>> + 'a,
    ) -> Self {
        Self {
            program,
            facts: &[],
            documented: None,
            #[cfg(feature = "verbs")]
            open: None,
            settle: Box::new(settle),
        }
    }

    /// A program whose verbs use a connection that is open.
    #[cfg(feature = "verbs")]
    pub(crate) fn connected(program: &'a Program, open: Open<'a>) -> Self {
        let host = Self::new(program, |_| {
            Err(Error::other("The settings are those of the connection."))
        });
        Self {
            open: Some(open),
            ..host
        }
    }

    /// The same with what is said of the program: its command line as documents have it, and its author's facts.
    pub(crate) fn about(
        mut self,
        documented: impl Fn() -> Command + 'a,
        facts: &'a [Fact],
    ) -> Self {
        self.documented = Some(Box::new(documented));
        self.facts = facts;
        self
    }

    /// The command line, with the names of variables and without what is hidden.
    pub(crate) fn command(&self) -> Command {
        match &self.documented {
            Some(documented) => documented(),
            None => Command::new(self.program.name.clone()),
        }
    }

    /// The settings that `serve` would have without flags: from the environment and from these files.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub(crate) fn settle(self, files: &Files) -> Result<Settled<'a>> {
        (self.settle)(files)
    }
}

impl fmt::Debug for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("program", self.program)
            .finish_non_exhaustive()
    }
}

/// The settings of a program, and its server to be.
pub(crate) struct Settled<'a> {
    /// What every program can be told.
    pub(crate) shared: Shared,
    /// Where each setting comes from.
    pub(crate) sources: Sources,
    prepare: Prepare<'a>,
}

impl<'a> Settled<'a> {
    pub(crate) fn new(
        shared: Shared,
        sources: Sources,
        prepare: impl Future<Output = Result<Prepared>> + 'a,
    ) -> Self {
        Self {
            shared,
            sources,
            prepare: Box::pin(prepare),
        }
    }

    /// The server, as `serve` would serve it. Needs a runtime; the server itself can be sent to other threads.
    ///
    /// # Errors
    /// What the author's function or the server's definitions have wrong.
    pub(crate) async fn build(self, program: &Program) -> Result<Own> {
        let Prepared {
            server,
            http,
            exit,
            checks,
            needs,
            ..
        } = self
            .prepare
            .await
            .map_err(|error| located(error, program, &self.sources))?;
        let located = |error| located(error, program, &self.sources);
        let selection = &self.shared.selection;
        let selected = selection.resolve(server.registry()).map_err(located)?;
        #[cfg(feature = "redis")]
        let checks = match self.shared.has_store() {
            true => {
                let check = self.shared.store.clone().check(program.name.clone());
                let store: (String, OwnCheck) = ("store".to_owned(), Box::pin(check));
                checks.into_iter().chain([store]).collect()
            }
            false => checks,
        };
        let server = self.shared.build(server, &needs)?;
        Ok(Own {
            server,
            selected,
            authenticates: http.auth.authenticator.is_some(),
            checks,
            exit,
        })
    }
}

/// The program's own server, in process.
pub(crate) struct Own {
    pub(crate) server: Server,
    /// Which components it has.
    pub(crate) selected: Selected,
    /// Whether its author has clients authenticate, whatever the settings say.
    pub(crate) authenticates: bool,
    /// Checks of the author's own, by their names.
    pub(crate) checks: Vec<(String, OwnCheck)>,
    exit: Vec<Exit>,
}

impl Own {
    /// Does what the author wants done at the end.
    pub(crate) async fn close(self) {
        drop(self.server);
        end(self.exit).await;
    }
}

/// A runtime for a verb.
///
/// # Errors
/// That it cannot start.
pub(crate) fn runtime() -> Result<Runtime> {
    // One thread does the work of one client. It is not this thread alone: handlers of the server in process may block it.
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Error::other(format!("The runtime cannot start: {error}.")))
}
