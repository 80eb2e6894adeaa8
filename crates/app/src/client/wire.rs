//! The transports as one, so that rmcp's client is built once; with every message on stderr if that is wanted.

use std::error::Error;
use std::fmt;
use std::pin::Pin;

use pymcp_kit::telemetry;
use rmcp::RoleClient;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::{StreamableHttpClientTransport, Transport};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};

use super::child::Child;
use super::sse::Sse;
use super::user::User;
use crate::output::visible;

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// How messages get to a server and back.
pub(super) struct Wire {
    inner: Inner,
    trace: bool,
    user: Option<User>,
}

enum Inner {
    /// A message a line; to a command, or to a server in process.
    Lines(AsyncRwTransport<RoleClient, Reader, Writer>, Option<Child>),
    Http(StreamableHttpClientTransport<reqwest::Client>),
    #[cfg(unix)]
    Unix(StreamableHttpClientTransport<rmcp::transport::UnixSocketHttpClient>),
    Sse(Sse),
}

impl Wire {
    pub(super) fn lines(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        child: Option<Child>,
    ) -> Self {
        let (reader, writer): (Reader, Writer) = (Box::new(reader), Box::new(writer));
        Self::new(Inner::Lines(AsyncRwTransport::new(reader, writer), child))
    }

    pub(super) fn http(transport: StreamableHttpClientTransport<reqwest::Client>) -> Self {
        Self::new(Inner::Http(transport))
    }

    #[cfg(unix)]
    pub(super) fn unix(
        transport: StreamableHttpClientTransport<rmcp::transport::UnixSocketHttpClient>,
    ) -> Self {
        Self::new(Inner::Unix(transport))
    }

    pub(super) fn sse(sse: Sse) -> Self {
        Self::new(Inner::Sse(sse))
    }

    fn new(inner: Inner) -> Self {
        Self {
            inner,
            trace: false,
            user: None,
        }
    }

    /// The same, with every message on stderr. Headers are none of a message.
    pub(super) fn traced(self, trace: bool) -> Self {
        Self { trace, ..self }
    }
}

impl Wire {
    /// The same, with somebody who is told of notifications as they come.
    pub(super) fn heard_by(self, user: &User) -> Self {
        let user = Some(user.clone());
        Self { user, ..self }
    }
}

impl Transport<RoleClient> for Wire {
    type Error = Failure;

    fn send(
        &mut self,
        message: ClientJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Failure>> + Send + 'static {
        if self.trace {
            trace('→', &message);
        }
        match &mut self.inner {
            Inner::Lines(lines, _) => boxed(lines.send(message)),
            Inner::Http(http) => boxed(http.send(message)),
            #[cfg(unix)]
            Inner::Unix(http) => boxed(http.send(message)),
            Inner::Sse(sse) => boxed(sse.send(message)),
        }
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        let message = match &mut self.inner {
            Inner::Lines(lines, child) => match (lines.receive().await, child) {
                (None, Some(child)) => {
                    child.look().await;
                    None
                }
                (message, _) => message,
            },
            Inner::Http(http) => http.receive().await,
            #[cfg(unix)]
            Inner::Unix(http) => http.receive().await,
            Inner::Sse(sse) => sse.receive().await,
        }?;
        if self.trace {
            trace('←', &message);
        }
        if let (Some(user), ServerJsonRpcMessage::Notification(said)) = (&self.user, &message) {
            user.notified(&said.notification);
        }
        Some(message)
    }

    async fn close(&mut self) -> Result<(), Failure> {
        match &mut self.inner {
            Inner::Lines(lines, child) => {
                lines.close().await.map_err(Failure::new)?;
                if let Some(child) = child.take() {
                    child.end().await;
                }
                Ok(())
            }
            Inner::Http(http) => http.close().await.map_err(Failure::new),
            #[cfg(unix)]
            Inner::Unix(http) => http.close().await.map_err(Failure::new),
            Inner::Sse(sse) => sse.close().await.map_err(Failure::new),
        }
    }
}

fn boxed<E: Error + Send + Sync + 'static>(
    sent: impl Future<Output = Result<(), E>> + Send + 'static,
) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>> {
    Box::pin(async { sent.await.map_err(Failure::new) })
}

fn trace(way: char, message: &impl Serialize) {
    // A message of the protocol is JSON.
    let json = serde_json::to_string(message).unwrap_or_default();
    telemetry::say(&format!("{way} {}", visible(&json)));
}

/// What failed in a transport; its source says more.
pub(super) struct Failure(Box<dyn Error + Send + Sync>);

impl Failure {
    fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
