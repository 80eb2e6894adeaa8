//! A server that is ready to be served.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use pymcp_kit::Effect;
use pymcp_kit::ServerBuilder;
use pymcp_kit::metrics::prometheus_client::registry::Registry;
use pymcp_kit::transport::http::HttpConfig;

use crate::Checked;
use crate::confine::Needs;

/// Time that what is to be done at the end may take.
const EXIT: Duration = Duration::from_secs(10);

/// A server to serve, and what is to be done after it was served. A [`ServerBuilder`] alone is one.
pub struct Prepared {
    pub(crate) server: ServerBuilder,
    pub(crate) http: HttpConfig,
    pub(crate) exit: Vec<Exit>,
    pub(crate) metrics: Vec<Register>,
    pub(crate) checks: Vec<(String, OwnCheck)>,
    pub(crate) needs: Needs,
}

/// Adds metrics to those of the kit.
pub(crate) type Register = Box<dyn FnOnce(&mut Registry)>;

/// A check of the author's own, for `doctor`; nobody else polls it.
pub(crate) type OwnCheck = Pin<Box<dyn Future<Output = Checked>>>;

/// Something to do at the end.
pub(crate) type Exit = Pin<Box<dyn Future<Output = ()>>>;

impl Prepared {
    /// How it is served over HTTP: with routes of the author's own, other bounds. The settings of the program (hosts, origins,
    /// the path prefix if one is given) go over it.
    pub fn http(mut self, config: HttpConfig) -> Self {
        self.http = config;
        self
    }

    /// Adds metrics beside those that every server has, if there are any (`--metrics-address`): see
    /// [`Metrics::register`](pymcp_kit::metrics::Metrics::register).
    pub fn register_metrics(mut self, add: impl FnOnce(&mut Registry) + 'static) -> Self {
        self.metrics.push(Box::new(add));
        self
    }

    /// Has the verb `doctor` check something of the program's own: a folder, a sandbox, a service that it needs. `name` is the
    /// id of what it finds, in words with dashes. The check runs for `doctor` alone, and may take 30 s.
    ///
    /// ```
    /// # use pymcp_app::{Checked, Prepared};
    /// # let server = pymcp_kit::Server::builder("zebra-2", "1.0.0");
    /// let herd = std::path::Path::new("/var/lib/herd");
    /// Prepared::from(server).check("herd", async move {
    ///     match herd.exists() {
    ///         true => Checked::new().fact("Herd", herd.display().to_string()),
    ///         false => Checked::new().error("The herd is gone.", "Set --herd to the folder where it is."),
    ///     }
    /// });
    /// ```
    pub fn check(
        mut self,
        name: impl Into<String>,
        check: impl Future<Output = Checked> + 'static,
    ) -> Self {
        self.checks.push((name.into(), Box::pin(check)));
        self
    }

    /// What the program itself does while it serves, beside its components: a task that reads a file again, a route that asks
    /// another server. A process that is confined (`--confine`) can do what these effects say and what those of its
    /// components say, and nothing else.
    ///
    /// ```
    /// # use pymcp_app::Prepared;
    /// # use pymcp_kit::Effect;
    /// # let server = pymcp_kit::Server::builder("zebra-2", "1.0.0");
    /// Prepared::from(server).effects([Effect::reads_files("/var/lib/herd")]);
    /// ```
    pub fn effects(mut self, effects: impl IntoIterator<Item = Effect>) -> Self {
        self.needs.effects.extend(effects);
        self
    }

    /// TCP ports at which hosts are reached, beside 443 and 80: of a database, or a proxy. With no
    /// [`Effect::Network`] nothing is reached, whatever the port.
    pub fn ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.needs.ports.extend(ports);
        self
    }

    /// Has `exit` run before the program ends, whatever ends it but a second signal: to close pools, to write what is
    /// left. It may take 10 s.
    pub fn on_exit(mut self, exit: impl Future<Output = ()> + 'static) -> Self {
        self.exit.push(Box::pin(exit));
        self
    }
}

/// Does what is to be done at the end, within its time.
pub(crate) async fn end(exit: Vec<Exit>) {
    let all = async {
        for exit in exit {
            exit.await;
        }
    };
    if tokio::time::timeout(EXIT, all).await.is_err() {
        tracing::warn!("the server does not close within {} s", EXIT.as_secs());
    }
}

impl From<ServerBuilder> for Prepared {
    fn from(server: ServerBuilder) -> Self {
        Self {
            server,
            http: HttpConfig::default(),
            exit: Vec::new(),
            metrics: Vec::new(),
            checks: Vec::new(),
            needs: Needs::default(),
        }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("exit", &self.exit.len())
            .finish_non_exhaustive()
    }
}
