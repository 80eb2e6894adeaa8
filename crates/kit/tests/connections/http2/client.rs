//! A client over HTTP/2.

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::stage::{Stage, soon};

/// A connection of a client.
pub(crate) struct Peer {
    requests: SendRequest<Bytes>,
    /// The connection itself, until it ends.
    pub(crate) connection: JoinHandle<Result<(), h2::Error>>,
}

/// A request that is open.
pub(crate) struct Open {
    pub(crate) response: ResponseFuture,
    pub(crate) body: SendStream<Bytes>,
}

/// A response of which the head is there.
pub(crate) struct Begun {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: RecvStream,
    read: String,
}

/// A response.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// What a request over HTTP/1.1 is over HTTP/2, and its body.
pub(crate) fn translated(text: &str) -> (Request<()>, Bytes) {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let mut request = Request::builder().method(first.next().unwrap());
    let path = first.next().unwrap();
    let mut authority = "localhost";
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        match name {
            "Host" => authority = value,
            "Content-Length" => {}
            _ => request = request.header(name, value),
        }
    }
    let request = request.uri(format!("http://{authority}{path}"));
    (
        request.body(()).unwrap(),
        Bytes::copy_from_slice(body.as_bytes()),
    )
}

impl Peer {
    pub(crate) async fn new(stage: &Stage) -> Self {
        Self::with(stage, &Builder::new()).await
    }

    pub(crate) async fn with(stage: &Stage, builder: &Builder) -> Self {
        let stream = TcpStream::connect(stage.address).await.unwrap();
        Self::speaking(stream, builder).await
    }

    pub(crate) async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self::speaking(stream, &Builder::new()).await
    }

    async fn speaking(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        builder: &Builder,
    ) -> Self {
        let (requests, connection) = soon(builder.handshake(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        Self {
            requests,
            connection,
        }
    }

    /// Begins a request; `ends` if it has no body.
    pub(crate) async fn begin(&self, request: Request<()>, ends: bool) -> Open {
        let mut ready = soon(self.requests.clone().ready()).await.unwrap();
        let (response, body) = ready.send_request(request, ends).unwrap();
        Open { response, body }
    }

    /// Whether another request may be sent.
    pub(crate) async fn takes_more(&self) -> bool {
        soon(self.requests.clone().ready()).await.is_ok()
    }

    /// Sends what this is over HTTP/1.1.
    pub(crate) async fn send(&self, text: &str) -> Open {
        let (request, body) = translated(text);
        let mut open = self.begin(request, body.is_empty()).await;
        if !body.is_empty() {
            open.body.send_data(body, true).unwrap();
        }
        open
    }

    pub(crate) async fn ask(&self, text: &str) -> Answer {
        self.send(text).await.answer().await.unwrap()
    }

    /// Waits until the connection has ended, and says how.
    pub(crate) async fn ended(self) -> Result<(), h2::Error> {
        drop(self.requests);
        soon(self.connection).await.unwrap()
    }
}

impl Open {
    pub(crate) async fn begun(self) -> Result<Begun, h2::Error> {
        let (head, body) = soon(self.response).await?.into_parts();
        Ok(Begun {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            read: String::new(),
        })
    }

    pub(crate) async fn answer(self) -> Result<Answer, h2::Error> {
        let mut begun = self.begun().await?;
        while begun.more().await? {}
        Ok(Answer {
            status: begun.status,
            headers: begun.headers,
            body: begun.read,
        })
    }

    /// Why there is no response.
    pub(crate) async fn reset(self) -> Option<Reason> {
        self.answer().await.err()?.reason()
    }
}

impl Begun {
    /// Reads on; whether there was more.
    async fn more(&mut self) -> Result<bool, h2::Error> {
        let Some(data) = soon(self.body.data()).await else {
            return Ok(false);
        };
        let data = data?;
        self.body.flow_control().release_capacity(data.len())?;
        self.read += str::from_utf8(&data).unwrap();
        Ok(true)
    }

    /// What comes up to this text.
    pub(crate) async fn until(&mut self, text: &str) -> &str {
        while !self.read.contains(text) {
            assert!(self.more().await.unwrap(), "{}", self.read);
        }
        &self.read
    }

    /// Waits for its end, which is none if it was reset.
    pub(crate) async fn end(&mut self) -> Result<(), h2::Error> {
        while self.more().await? {}
        Ok(())
    }
}
