//! One connection to a server: from the handshake to the end, with everything that verbs ask in between.

// Sampling, roots and logging are deprecated since 2026-07-28, and servers of today have them.
#![allow(deprecated)]

mod pages;
mod rounds;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use pymcp_kit::telemetry::{self, Format};
use pymcp_kit::transport::stdio;
use rmcp::model::{
    CancelledNotification, CancelledNotificationParam, ClientRequest, CompleteRequest,
    CompleteRequestParams, CompletionInfo, LoggingLevel, PingRequest, ProtocolVersion,
    RequestMetaObject, ServerPeerInfo, ServerResult, SetLevelRequest, SetLevelRequestParams,
};
use rmcp::service::{ClientInitializeError, Peer, PeerRequestOptions, RunningService};
use rmcp::{ClientLifecycleMode, ClientServiceExt as _, RoleClient};
use tokio::time::timeout;
use tracing::level_filters::LevelFilter;

use super::child::{self, Ended};
use super::failure;
use super::http;
use super::sse::Sse;
use super::stop::Stop;
use super::target::{EraChoice, Target, TargetArgs};
use super::user::{User, UserArgs};
use super::wire::Wire;
use crate::host::{Host, Own};
use crate::{Error, Result};

pub(crate) use self::watch::Watched;

/// Exit code after Ctrl-C, as a shell has it: 128 and the number of SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// Time that a server has to take a cancellation, or that we leave, before we go without.
const FAREWELL: Duration = Duration::from_secs(2);

/// Bytes of the pipe to the server in process.
const PIPE: usize = 64 << 10;

/// A server that takes our requests.
pub(crate) struct Connection {
    running: RunningService<RoleClient, User>,
    own: Option<Own>,
    user: User,
    target: Target,
    patience: Duration,
    stop: Stop,
}

impl Connection {
    /// Connects to the server that is meant.
    ///
    /// # Errors
    /// That a setting of the program's own server cannot be used (exit code 2), or that the server cannot be reached (3).
    pub(crate) async fn open(
        host: Host<'_>,
        args: &TargetArgs,
        user: UserArgs,
        stop: Stop,
    ) -> Result<Self> {
        let target = args.target()?;
        let program = host.program;
        let version = match args.era {
            EraChoice::Modern => ProtocolVersion::V_2026_07_28,
            EraChoice::Auto | EraChoice::Legacy => ProtocolVersion::V_2025_11_25,
        };
        let user = User::new(program, user, version)?;
        let own = match target {
            Target::Own => {
                // What goes wrong within the server is in its log alone.
                telemetry::init(&program.name, LevelFilter::ERROR, Format::Text);
                Some(host.settle(&args.files)?.build(program).await?)
            }
            _ => None,
        };
        let connecting = handshake(&target, args, own.as_ref(), &user);
        let connected = tokio::select! {
            connected = timeout(args.timeout, connecting) => {
                connected.unwrap_or_else(|_| Err(failure::late(&target, args.timeout.as_secs())))
            }
            () = stop.wait() => Err(Error::printed(INTERRUPTED)),
        };
        let running = match connected {
            Ok(running) => running,
            Err(error) => {
                if let Some(own) = own {
                    own.close().await;
                }
                return Err(error);
            }
        };
        let connection = Self {
            running,
            own,
            user,
            target,
            patience: args.timeout,
            stop,
        };
        if let Err(error) = connection.set_level().await {
            connection.close().await;
            return Err(error);
        }
        Ok(connection)
    }

    /// Which server it is.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// What the server says of itself: name, capabilities, instructions, and the revision that was agreed on.
    pub(crate) fn server(&self) -> Arc<ServerPeerInfo> {
        let info = self.running.peer_info();
        info.unwrap_or_else(|| {
            let unknown = ServerPeerInfo::new(ProtocolVersion::LATEST, Default::default());
            Arc::new(unknown)
        })
    }

    /// Whether the revision is 2026-07-28 or later.
    pub(crate) fn is_modern(&self) -> bool {
        !self.server().protocol_version.has_initialize()
    }

    /// rmcp's own client, for what is not below.
    pub(crate) fn peer(&self) -> &Peer<RoleClient> {
        self.running.peer()
    }

    /// Whether the server has closed the connection.
    pub(crate) fn is_closed(&self) -> bool {
        self.running.is_closed() || self.running.is_transport_closed()
    }

    /// Sends a request and waits for its answer. Ctrl-C cancels it, as does a server that is silent for too long.
    ///
    /// # Errors
    /// That the server refused (1), did not answer (3), or that Ctrl-C was pressed (130).
    pub(crate) async fn request(&self, request: ClientRequest) -> Result<ServerResult> {
        let mut options = PeerRequestOptions::no_options();
        if self.is_modern() {
            let mut meta = RequestMetaObject::new();
            meta.set_log_level(self.user.log_level().unwrap_or(LoggingLevel::Info));
            options = options.with_meta(meta);
        }
        let failed = |error| failure::failed(&error, &self.target);
        let handle = self.peer().send_request_with_option(request, options);
        let handle = handle.await.map_err(failed)?;
        let id = handle.id.clone();
        let (reason, error) = tokio::select! {
            biased;
            answer = handle.await_response() => {
                self.user.done();
                return answer.map_err(failed);
            }
            () = self.stop.wait() => ("The user cancelled it.", Error::printed(INTERRUPTED)),
            () = self.user.silent_for(self.patience) => {
                ("It took too long.", failure::late(&self.target, self.patience.as_secs()))
            }
        };
        self.user.done();
        let params = CancelledNotificationParam::new(Some(id), Some(reason.to_owned()));
        let cancelled = self
            .peer()
            .send_notification(CancelledNotification::new(params).into());
        // Whoever does not take it is left alone.
        let _ = timeout(FAREWELL, cancelled).await;
        if error.code() == INTERRUPTED {
            self.user.say("Cancelled.");
        }
        Err(error)
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// As of [`Connection::request`].
    pub(crate) async fn ping(&self) -> Result<()> {
        let ping = ClientRequest::PingRequest(PingRequest::default());
        self.request(ping).await.map(drop)
    }

    /// Asks what an argument may be.
    ///
    /// # Errors
    /// As of [`Connection::request`].
    pub(crate) async fn complete(&self, params: CompleteRequestParams) -> Result<CompletionInfo> {
        let request = CompleteRequest::new(params);
        match self
            .request(ClientRequest::CompleteRequest(request))
            .await?
        {
            ServerResult::CompleteResult(result) => Ok(result.completion),
            _ => Err(failure::unexpected(&self.target)),
        }
    }

    /// Sets the level of log messages, where that is a request and was asked for.
    async fn set_level(&self) -> Result<()> {
        let Some(level) = self.user.log_level() else {
            return Ok(());
        };
        if self.is_modern() || self.server().capabilities.logging.is_none() {
            return Ok(());
        }
        let request = SetLevelRequest::new(SetLevelRequestParams::new(level));
        self.request(ClientRequest::SetLevelRequest(request))
            .await
            .map(drop)
    }

    /// Ends the connection: a session is closed, a command is ended, the server in process does what it does at the end.
    pub(crate) async fn close(self) {
        self.user.done();
        self.user.say_what_was_not_asked();
        // Nothing is left to do where that fails.
        let _ = self.running.cancel().await;
        if let Some(own) = self.own {
            own.close().await;
        }
    }
}

/// Connects over a transport, in the era that is wanted. A server that does not bear to be asked which one it speaks is
/// asked again, the old way.
async fn handshake(
    target: &Target,
    args: &TargetArgs,
    own: Option<&Own>,
    user: &User,
) -> Result<RunningService<RoleClient, User>> {
    let modern = || vec![ProtocolVersion::V_2026_07_28];
    let first = match (target, args.era) {
        (Target::Sse(_), _) | (_, EraChoice::Legacy) => ClientLifecycleMode::Initialize,
        (_, EraChoice::Modern) => ClientLifecycleMode::Discover {
            preferred_versions: modern(),
        },
        (_, EraChoice::Auto) => ClientLifecycleMode::Auto {
            preferred_versions: modern(),
            legacy_version: Some(ProtocolVersion::V_2025_11_25),
        },
    };
    let may_retry = matches!(first, ClientLifecycleMode::Auto { .. });
    let (wire, ended) = connect(target, args, own).await?;
    let wire = wire.heard_by(user);
    let error = match user.clone().serve_with_lifecycle(wire, first).await {
        Ok(running) => return Ok(running),
        Err(error) if may_retry && leaves_open(&error) => {
            let (wire, ended) = connect(target, args, own).await?;
            let again = user
                .clone()
                .serve_with_lifecycle(wire.heard_by(user), ClientLifecycleMode::Initialize)
                .await;
            return again.map_err(|error| explain(&error, target, &ended));
        }
        Err(error) => explain(&error, target, &ended),
    };
    Err(error)
}

/// Whether a failure may be that of a server which knows nothing but `initialize`.
fn leaves_open(error: &ClientInitializeError) -> bool {
    match error {
        ClientInitializeError::TransportError { error, .. } => failure::is_answer(&*error.error),
        ClientInitializeError::ConnectionClosed(_)
        | ClientInitializeError::ExpectedInitResponse(_)
        | ClientInitializeError::ExpectedInitResult(_)
        | ClientInitializeError::ConflictInitResponseId(..)
        | ClientInitializeError::UncorrelatedErrorResponse { .. } => true,
        _ => false,
    }
}

fn explain(error: &ClientInitializeError, target: &Target, ended: &Ended) -> Error {
    match (target, ended.status()) {
        (Target::Command(_), Some(status)) => {
            Error::unreached(format!("{target} ended ({status}) before it answered."))
                .hint("What it printed on stderr is above. Does it serve on stdin and stdout?")
        }
        // It was gone before it could be told anything.
        (Target::Command(_), None)
            if matches!(error, ClientInitializeError::TransportError { .. }) =>
        {
            Error::unreached(format!("{target} ended before it answered."))
                .hint("Does it serve on stdin and stdout?")
        }
        _ => failure::handshake(error, target),
    }
}

/// Makes a transport; only HTTP+SSE needs the server for it.
async fn connect(target: &Target, args: &TargetArgs, own: Option<&Own>) -> Result<(Wire, Ended)> {
    let (wire, ended) = match target {
        Target::Own => {
            let own = own.ok_or_else(|| Error::other("This server is not there."))?;
            (in_process(own), Ended::default())
        }
        Target::Http(url) => (http::connect(url, args)?, Ended::default()),
        #[cfg(unix)]
        Target::Unix(path) => (http::connect_unix(path, args), Ended::default()),
        Target::Sse(url) => {
            let client = http::client(url, args)?;
            let sse = Sse::connect(client, url.clone(), http::headers(args), args.timeout).await;
            let sse = sse.map_err(|error| failure::unreached(&error, target))?;
            (Wire::sse(sse), Ended::default())
        }
        Target::Command(_) => child::start(args)?,
    };
    Ok((wire.traced(args.trace), ended))
}

fn in_process(own: &Own) -> Wire {
    let (ours, theirs) = tokio::io::duplex(PIPE);
    let (reader, writer) = tokio::io::split(theirs);
    let server = own.server.clone();
    // It ends when we close the pipe; what goes wrong with a pipe in memory is nobody's news.
    tokio::spawn(async move { stdio::serve(server, reader, writer).await });
    let (reader, writer) = tokio::io::split(ours);
    Wire::lines(reader, writer, None)
}
