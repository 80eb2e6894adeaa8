//! `serve`: checks the settings as a whole, then serves until the client leaves or a signal comes.

use std::io::IsTerminal as _;
use std::time::Duration;

use pymcp_kit::transport::http::{Endpoints, HttpConfig};
use pymcp_kit::transport::{http, stdio};
use pymcp_kit::{Server, ServerBuilder, telemetry};
use tokio::runtime::Runtime;

use crate::prepared::{Exit, Prepared};
use crate::program::Program;
use crate::settings::{Shared, Transport};
use crate::signals::signals;
use crate::sources::Origins;
use crate::{Error, Result, listen};

pub(crate) const NAME: &str = "serve";
pub(crate) const ABOUT: &str = "Serve MCP clients (the default)";

/// Time that what is to be done at the end may take.
const EXIT: Duration = Duration::from_secs(10);

pub(crate) fn run(
    program: &Program,
    origins: &Origins,
    shared: &Shared,
    prepare: impl Future<Output = Result<Prepared>>,
) -> Result<()> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    crate::memory::give_back();
    let runtime = Runtime::new()
        .map_err(|error| Error::other(format!("The runtime cannot start: {error}.")))?;
    let served = runtime.block_on(async {
        let Prepared { server, http, exit } = prepare.await?;
        let serve = Serve {
            program,
            origins,
            shared,
        };
        let served = serve.run(server, http).await;
        end(exit).await;
        served
    });
    // A read of stdin that is under way cannot be interrupted, and must not keep us here.
    runtime.shutdown_background();
    served
}

async fn end(exit: Vec<Exit>) {
    let all = async {
        for exit in exit {
            exit.await;
        }
    };
    if tokio::time::timeout(EXIT, all).await.is_err() {
        tracing::warn!("the server does not close within {} s", EXIT.as_secs());
    }
}

struct Serve<'a> {
    program: &'a Program,
    origins: &'a Origins,
    shared: &'a Shared,
}

impl Serve<'_> {
    async fn run(&self, server: ServerBuilder, http: HttpConfig) -> Result<()> {
        let server = self.build(server)?;
        match self.shared.transport {
            Transport::Stdio => self.stdio(server).await,
            Transport::Http => self.http(server, http, Endpoints::Streamable).await,
            Transport::Sse => self.http(server, http, Endpoints::LegacySse).await,
        }
    }

    fn build(&self, server: ServerBuilder) -> Result<Server> {
        let server = match self.shared.state_keys.ring() {
            Some(keys) => server.keys(keys),
            None => server,
        };
        let shared = self.shared;
        server
            .change_cache(|cache| cache.ttl = shared.response_cache_ttl)
            .change_call_limits(|limits| {
                limits.timeout = shared.request_timeout;
                limits.ask_timeout = shared.ask_timeout;
            })
            .build()
            .map_err(|error| Error::other(error.to_string()))
    }

    async fn stdio(&self, server: Server) -> Result<()> {
        let mut stopped = signals()?;
        if std::io::stdin().is_terminal() {
            telemetry::say(&hint(&self.program.name));
        }
        tokio::select! {
            served = stdio::serve_process(server) => {
                served.map_err(|error| Error::other(format!("The connection on stdin and stdout failed: {error}.")))
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
        let addresses = listen::addresses(&shared.host).await?;
        let beyond = addresses.iter().any(|address| !address.is_loopback());
        if beyond && !shared.allow_unauthenticated {
            return Err(Error::setting(format!(
                "--host is '{}', which other machines can reach, and no client has to authenticate; use localhost, \
                 or allow this with --allow-unauthenticated.",
                shared.host
            )));
        }
        config.endpoints = endpoints;
        config.origins = shared.cors_origins.clone();
        if !shared.path_prefix.as_str().is_empty() {
            config.path_prefix = shared.path_prefix.clone();
        }
        config.hosts.add(shared.allowed_hosts.clone());
        if config.origins.allow_any() {
            let setting = self.origins.name(self.program, "cors-origins");
            tracing::warn!(
                "{setting} has '*': every web page that a user opens can call this server."
            );
        }
        if endpoints == Endpoints::LegacySse {
            tracing::warn!("The transport sse is deprecated; use http if the client supports it.");
        }
        let listeners = listen::listen(&shared.host, &addresses, shared.port)?;
        if beyond && shared.state_keys.ring().is_none() {
            let setting = self.program.setting("state-keys");
            tracing::warn!(
                "{} is not set: pending elicitations are lost on restart, and other replicas cannot resume them.",
                setting.map_or("--state-keys", |setting| setting.variable())
            );
        }
        let path = config.endpoint_path();
        let mut urls = Vec::new();
        for listener in &listeners {
            let bound = listener.local_addr()?;
            urls.push(format!("http://{bound}{path}"));
        }
        // Not a log message: it has to be there at any log level, for people and for programs.
        let name = &self.program.name;
        telemetry::say(&format!("{name}: listening on {}", urls.join(" and ")));
        http::serve(listeners, server, config, stopped.next()).await;
        Ok(())
    }
}

/// What a person reads who starts the program in a terminal.
fn hint(name: &str) -> String {
    format!(
        "\
{name} is waiting for an MCP client on stdin; usually a client starts it.
  From a client:  {{\"mcpServers\": {{\"{name}\": {{\"command\": \"{name}\"}}}}}}
  Over HTTP:      {name} serve --transport http
  By hand:        npx @modelcontextprotocol/inspector {name}
Press Ctrl-C to stop."
    )
}
