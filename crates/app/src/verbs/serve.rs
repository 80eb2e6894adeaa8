//! `serve`: checks the settings as a whole, then serves until the client leaves or a signal comes.

use std::io::IsTerminal as _;
use std::net::SocketAddr;

use pymcp_kit::audit::Audit;
use pymcp_kit::metrics::{self, Metrics};
use pymcp_kit::transport::http::{Check, Endpoints, HttpConfig};
use pymcp_kit::transport::{http, stdio};
use pymcp_kit::{Server, ServerBuilder, telemetry};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::confine::{Confined, Confinement, Needs};
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use crate::memory::Keeper;
#[cfg(feature = "page")]
use crate::page;
use crate::prepared::{Prepared, Register, end};
use crate::program::Program;
use crate::settings::{Shared, Transport};
use crate::signals::signals;
use crate::sources::Origins;
use crate::{Error, Result, confine, listen, lock};
use pymcp_kit::reason::reason;

pub(crate) const NAME: &str = "serve";
/// After how many polls of tasks a busy thread looks for what has arrived. With tokio's 61, and a request a poll, a new
/// connection among busy ones waits for as many requests; a look costs a thirtieth of one.
const EVENT_INTERVAL: u32 = 7;

pub(crate) const ABOUT: &str = "Serve MCP clients (the default)";

pub(crate) fn run(
    program: &Program,
    origins: &Origins,
    shared: &Shared,
    confinement: Confinement,
    prepare: impl Future<Output = Result<Prepared>>,
) -> Result<()> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    let memory = crate::memory::Keeper::new();
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .event_interval(EVENT_INTERVAL)
        .build()
        .map_err(|error| Error::other(format!("The runtime cannot start: {}.", reason(&error))))?;
    let served = runtime.block_on(async {
        let Prepared {
            server,
            http,
            exit,
            metrics,
            needs,
            ..
        } = prepare.await?;
        let serve = Serve {
            program,
            origins,
            shared,
            confinement,
            needs,
            #[cfg(all(target_os = "linux", target_env = "gnu"))]
            memory,
        };
        let served = serve.run(server, http, metrics).await;
        end(exit).await;
        served
    });
    // A read of stdin that is under way cannot be interrupted, and must not keep us here.
    runtime.shutdown_background();
    served
}

struct Serve<'a> {
    program: &'a Program,
    origins: &'a Origins,
    shared: &'a Shared,
    confinement: Confinement,
    needs: Needs,
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    memory: Keeper,
}

impl Serve<'_> {
    async fn run(
        &self,
        mut server: ServerBuilder,
        http: HttpConfig,
        registers: Vec<Register>,
    ) -> Result<()> {
        self.shared.auth.goes_with(self.shared.transport)?;
        let audit = self.shared.audit.open(self.program)?;
        // What is served beside the server ends with it.
        let mut beside = JoinSet::new();
        if let Some(address) = self.shared.metrics_address {
            let metrics = Metrics::new();
            registers.into_iter().for_each(|add| metrics.register(add));
            server = server.metrics(&metrics);
            let listener = self.listen_for_metrics(address)?;
            beside.spawn(metrics::serve(listener, metrics));
        }
        if let Some(audit) = &audit {
            server = server.audit(audit);
        }
        #[cfg(feature = "otlp")]
        let traces = self.shared.otlp.start(self.program);
        #[cfg(feature = "otlp")]
        if let Some(traces) = &traces {
            server = server.traces(traces);
        }
        #[cfg(feature = "redis")]
        let (server, http) = match self
            .shared
            .store
            .connect(self.program, self.origins)
            .await?
        {
            Some(redis) => {
                let server = server.redis(&redis);
                let check = move || crate::settings::store::readiness(&redis);
                (server, http.readiness_check("store", check))
            }
            None => (server, http),
        };
        let server = self.shared.build(server, &self.needs)?;
        lock::hold(self.program, self.origins, &self.shared.lock, &server)?;
        if self.shared.has_store() && server.keys().is_generated() {
            let setting = self.origins.name(self.program, "state-keys");
            tracing::warn!(
                "{setting} is not set: replicas share a store, and cannot open what clients carry from one to the other."
            );
        }
        let served = match self.shared.transport {
            Transport::Stdio => self.stdio(server).await,
            Transport::Http => self.http(server, http, Endpoints::Streamable).await,
            Transport::Sse => self.http(server, http, Endpoints::LegacySse).await,
        };
        #[cfg(feature = "otlp")]
        crate::settings::otlp::flush(traces).await;
        if let Some(audit) = audit {
            let (name, head) = (&self.program.name, audit.close());
            // At any log level: whoever keeps it can tell later whether the log was rewritten.
            telemetry::say(&format!("{name}: head of the audit log: {head}"));
        }
        served
    }

    fn listen_for_metrics(&self, address: SocketAddr) -> Result<TcpListener> {
        let listener =
            http::bind(address).map_err(|error| listen::refused::metrics(address, &error))?;
        if !address.ip().is_loopback() {
            let setting = self.origins.name(self.program, "metrics-address");
            tracing::warn!(
                "{setting} is {address}: everybody who reaches it can read the metrics."
            );
        }
        let bound = listener.local_addr()?;
        let name = &self.program.name;
        telemetry::say(&format!("{name}: metrics on http://{bound}/metrics"));
        Ok(listener)
    }

    async fn stdio(&self, server: Server) -> Result<()> {
        let mut stopped = signals()?;
        if let Some(confined) = self.confine(&server)? {
            // Clients show their users what a server says on stderr; that all is as it should be is no news.
            match confined.missing().next() {
                None => tracing::debug!("{}", confined.said()),
                Some(_) => tracing::info!("{}", confined.said()),
            }
        }
        if std::io::stdin().is_terminal() {
            telemetry::say(&hint(&self.program.name));
        }
        tokio::select! {
            served = stdio::serve_process(server) => {
                served.map_err(|error| Error::other(format!("The connection on stdin and stdout failed: {}.", reason(&error))))
            }
            () = stopped.next() => Ok(()),
        }
    }

    async fn http(
        &self,
        server: Server,
        mut config: HttpConfig,
        endpoints: Endpoints,
    ) -> Result<()> {
        let shared = self.shared;
        let mut stopped = signals()?;
        let kept = shared
            .auth
            .apply(&shared.jwt, self.program, &mut config.auth)?;
        let tls = shared.listen.tls.read()?;
        let addresses = match &shared.listen.unix_socket {
            Some(_) => Vec::new(),
            None => listen::addresses(&shared.host).await?,
        };
        let beyond = addresses.iter().any(|address| !address.is_loopback());
        let authenticated = config.auth.authenticator.is_some();
        if beyond && !authenticated && !shared.allow_unauthenticated {
            return Err(Error::setting(format!(
                "--host is '{}', which other machines can reach, and no client has to authenticate; use localhost, \
                 set --auth, or allow this with --allow-unauthenticated.",
                shared.host
            )));
        }
        self.limit_requests(&mut config)?;
        config.endpoints = endpoints;
        config.origins = shared.cors_origins.clone();
        if !shared.path_prefix.as_str().is_empty() {
            config.path_prefix = shared.path_prefix.clone();
        }
        config.hosts.add(shared.allowed_hosts.clone());
        shared.listen.apply(&mut config);
        if let Some(tls) = tls {
            config.tls = Some(tls.clone());
            stopped.on_hangup(move || {
                tls.reload();
            })?;
        }
        if config.origins.allow_any() {
            let setting = self.origins.name(self.program, "cors-origins");
            tracing::warn!(
                "{setting} has '*': every web page that a user opens can call this server."
            );
        }
        if endpoints == Endpoints::LegacySse {
            tracing::warn!("The transport sse is deprecated; use http if the client supports it.");
        }
        let secure = config.tls.is_some();
        let (listeners, urls) = match &shared.listen.unix_socket {
            Some(path) => listen::unix(path)?,
            None => listen::tcp(&shared.host, &addresses, shared.port, secure)?,
        };
        if beyond && server.keys().is_generated() {
            let setting = self.program.setting("state-keys");
            tracing::warn!(
                "{} is not set: sessions and pending elicitations are lost on restart, and other replicas cannot serve them.",
                setting.map_or("--state-keys", |setting| setting.variable())
            );
        } else if beyond {
            tracing::info!(
                "state keys with the fingerprint {}",
                server.keys().fingerprint()
            );
        }
        let fingerprint = server.keys().fingerprint();
        config = config.readiness_check("keys", move || {
            Check::ready().fact("fingerprint", fingerprint.clone())
        });
        if let Some(audit) = server.audit().cloned() {
            let renamed = audit.clone();
            stopped.on_hangup(move || renamed.reopen())?;
            config = config.readiness_check("audit", move || audit_check(&audit));
        }
        #[cfg(feature = "page")]
        if !shared.listen.no_page {
            config = page::serve(config, &server)?;
        }
        if let Some(confined) = self.confine(&server)? {
            telemetry::say(&format!("{}: {}", self.program.name, confined.said()));
            let mode = shared.confine;
            config = config.readiness_check("confinement", move || confined.check(mode));
        }
        if let Some(kept) = kept {
            kept.begin(&mut stopped)?;
        }
        let path = config.endpoint_path();
        let urls: Vec<_> = urls.iter().map(|url| format!("{url}{path}")).collect();
        // Not a log message: it has to be there at any log level, for people and for programs.
        let name = &self.program.name;
        let listening = listen::told::listening(&urls, endpoints, shared.auth.auth, authenticated);
        telemetry::say(&format!("{name}: {listening}"));
        listen::leaving::serve(name, listeners, server, config, &mut stopped).await;
        Ok(())
    }

    /// Takes from the process what it has no need of, and begins what lasts as long as it does: all is open by now.
    fn confine(&self, server: &Server) -> Result<Option<Confined>> {
        let rules = confine::rules(server, self.shared, &self.needs);
        tracing::debug!(allowed = %rules.to_value(self.shared.confine), "confinement");
        let confined = self.confinement.confine(&rules, server.audit())?;
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        self.memory.begin();
        Ok(confined)
    }

    /// Sets how often requests may come. What one principal may do cannot be counted where nobody says who they are.
    fn limit_requests(&self, config: &mut HttpConfig) -> Result<()> {
        let limits = &self.shared.limits;
        if config.auth.authenticator.is_none()
            && let Some(flag) = limits.of_principals()
        {
            return Err(Error::setting(format!(
                "--{flag} limits each principal, and no client has to authenticate; set --auth, or limit \
                 each address with --address-rate."
            )));
        }
        limits.of_requests(&mut config.flood);
        let counting = limits.counting(self.shared.has_store());
        if !counting.is_empty() {
            tracing::info!(
                "limits are counted in this process, and not across replicas: {}",
                counting.join(", ")
            );
        }
        Ok(())
    }
}

/// Whether the audit log can be written, and its head, which replicas and whoever keeps it can compare.
fn audit_check(audit: &Audit) -> Check {
    let head = audit.head();
    let check = match audit.admit() {
        Ok(()) => Check::ready(),
        Err(_) => Check::not_ready("The audit log cannot be written."),
    };
    check
        .fact("sequence", head.sequence)
        .fact("head", head.hash.to_string())
}

/// What a person reads who starts the program in a terminal.
fn hint(name: &str) -> String {
    let by_hand = match cfg!(feature = "verbs") {
        true => format!("  By hand:        {name} shell\n"),
        false => String::new(),
    };
    format!(
        "\
{name} is waiting for an MCP client on stdin; usually a client starts it.
  From a client:  {{\"mcpServers\": {{\"{name}\": {{\"command\": \"{name}\"}}}}}}
  Over HTTP:      {name} serve --transport http
{by_hand}Press Ctrl-C to stop."
    )
}
