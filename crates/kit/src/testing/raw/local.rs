//! A server made for one test, over HTTP in the test's own process.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::core::Server;
use crate::testing::PATIENCE;
use crate::transport::http::{HttpConfig, serve};

/// The usual settings, with which calls that say nothing are answered whole, however long they take on a busy machine.
pub fn patient() -> HttpConfig {
    HttpConfig {
        stream_after: 10 * PATIENCE,
        ..HttpConfig::default()
    }
}

/// A server in the test's own process, with threads of its own, on a port of 127.0.0.1. Dropping it cuts off everything.
pub struct LocalServer {
    address: SocketAddr,
    runtime: Option<Runtime>,
    // Dropping it would be a shutdown, which has to come from `Drop` below.
    _shutdown: oneshot::Sender<()>,
}

impl LocalServer {
    /// Starts it.
    pub fn start(server: Server, config: HttpConfig) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime
            .block_on(TcpListener::bind(("127.0.0.1", 0)))
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (shutdown, stopped) = oneshot::channel();
        runtime.spawn(serve(listener, server, config, stopped));
        Self {
            address,
            runtime: Some(runtime),
            _shutdown: shutdown,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
