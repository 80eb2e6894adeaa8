//! A server made for one test, over HTTP in the test's own process.

use std::net::SocketAddr;

use pymcp_kit::Server;
use pymcp_kit::transport::http::{HttpConfig, serve};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::support::stdio::PATIENCE;

/// Answers silent calls whole, however long they take on a busy machine.
pub(crate) fn patient() -> HttpConfig {
    HttpConfig {
        stream_after: 10 * PATIENCE,
        ..HttpConfig::default()
    }
}

/// Serves until it is dropped, which cuts off everything.
pub(crate) struct LocalServer {
    address: SocketAddr,
    runtime: Option<Runtime>,
    // Dropping it would be a shutdown, which has to come from `Drop` below.
    _shutdown: oneshot::Sender<()>,
}

impl LocalServer {
    pub(crate) fn start(server: Server, config: HttpConfig) -> Self {
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

    pub(crate) fn address(&self) -> SocketAddr {
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
