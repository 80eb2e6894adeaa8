//! A server that is ready to be served.

use std::fmt;
use std::pin::Pin;

use pymcp_kit::ServerBuilder;
use pymcp_kit::transport::http::HttpConfig;

/// A server to serve, and what is to be done after it was served. A [`ServerBuilder`] alone is one.
pub struct Prepared {
    pub(crate) server: ServerBuilder,
    pub(crate) http: HttpConfig,
    pub(crate) exit: Vec<Exit>,
}

/// Something to do at the end.
pub(crate) type Exit = Pin<Box<dyn Future<Output = ()>>>;

impl Prepared {
    /// How it is served over HTTP: with routes of the author's own, other bounds. The settings of the program (hosts, origins,
    /// the path prefix if one is given) go over it.
    pub fn http(mut self, config: HttpConfig) -> Self {
        self.http = config;
        self
    }

    /// Has `exit` run before the program ends, whatever ends it but a second signal: to close pools, to write what is
    /// left. It may take 10 s.
    pub fn on_exit(mut self, exit: impl Future<Output = ()> + 'static) -> Self {
        self.exit.push(Box::pin(exit));
        self
    }
}

impl From<ServerBuilder> for Prepared {
    fn from(server: ServerBuilder) -> Self {
        Self {
            server,
            http: HttpConfig::default(),
            exit: Vec::new(),
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
