//! An HTTP server on 127.0.0.1 for tests of what calls out: as good or as hostile as a test wants it.
//!
//! It speaks HTTP/1.1 by hand, so that it can break off, stall, drip, lie and never end. A test gives it a function
//! from the request to the [`Reply`], and asks it afterwards what it saw: the requests, and the connections. To let it
//! misbehave in one more way, add a [`Reply`] and an arm to `answer`.
//!
//! ```
//! use pymcp_egress::testing::{Loopback, Reply};
//! use pymcp_egress::{Allow, Egress};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let api = Loopback::replying([Reply::ok(r#"{"degrees":21.5}"#)]).await;
//! let egress = Egress::builder().allow(Allow::host("127.0.0.1").private()).build();
//! let answer = egress.get(&api.url("/today")).send().await.unwrap();
//! assert_eq!(answer.status, 200);
//! assert_eq!(api.seen()[0].path(), "/today");
//! # }
//! ```

mod reply;

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use self::reply::{Page, Reply, Seen};

/// The longest head and the longest body of a request, in bytes.
const MAX_REQUEST: usize = 1 << 20;

/// How long a test waits for what has to happen. Only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the server has seen so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that were ever opened.
    pub opened: usize,
    /// Connections that are open now.
    pub open: usize,
    /// Requests that came in whole.
    pub requests: usize,
    /// Bytes of replies that the system took; what a client reads can be less by the sockets' buffers.
    pub sent: usize,
}

/// The server. It ends, with its connections, when it is dropped.
pub struct Loopback {
    port: u16,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    reply: Box<dyn Fn(&Seen) -> Reply + Send + Sync>,
    seen: Mutex<Vec<Seen>>,
    counts: watch::Sender<Counts>,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loopback {
    /// Starts a server on a port that the system chooses. Needs a tokio runtime.
    pub async fn start(reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            reply: Box::new(reply),
            seen: Mutex::default(),
            counts: watch::Sender::default(),
        });
        let serving = tokio::spawn(serve(listener, shared.clone()));
        Self {
            port,
            shared,
            serving,
        }
    }

    /// A server that gives the replies in this order, and 500 when there is none left.
    pub async fn replying(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies = Mutex::new(replies.into_iter().collect::<VecDeque<_>>());
        Self::start(move |_| {
            replies
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front()
                .unwrap_or(Reply::status(500))
        })
        .await
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// An address on it: `http://127.0.0.1:…` and then `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The requests so far, in the order in which they came.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen().clone()
    }

    /// The numbers so far.
    pub fn counts(&self) -> Counts {
        *self.shared.counts.borrow()
    }

    /// Waits until the numbers are as asked.
    ///
    /// # Panics
    /// When they are not within 20 seconds.
    pub async fn until(&self, what: &str, holds: impl FnMut(&Counts) -> bool) -> Counts {
        let mut counts = self.shared.counts.subscribe();
        let waiting = tokio::time::timeout(PATIENCE, counts.wait_for(holds)).await;
        match waiting {
            Ok(counts) => *counts.expect("the server, which is ours"),
            Err(_) => panic!("never: {what}; there were {:?}", self.counts()),
        }
    }

    /// Waits until so many requests have come in.
    pub async fn requested(&self, requests: usize) {
        self.until("requests", |counts| counts.requests >= requests)
            .await;
    }

    /// Waits until there was a connection and none is open any more.
    pub async fn closed(&self) -> Counts {
        self.until("all connections are closed", |counts| {
            counts.opened > 0 && counts.open == 0
        })
        .await
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Accepts connections. When it is dropped, they are too.
async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let open = Open::new(shared.clone());
        connections.spawn(async move {
            // An error is a client that went away, or a request that was cut.
            let _ = connection(stream, &open.0).await;
        });
    }
}

/// Counts a connection for as long as it is open.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: Arc<Shared>) -> Self {
        shared.counts.send_modify(|counts| {
            counts.opened += 1;
            counts.open += 1;
        });
        Self(shared)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.counts.send_modify(|counts| counts.open -= 1);
    }
}

/// Serves one connection until either side ends it.
async fn connection(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = stream.into_split();
    let mut buffer = Vec::new();
    while let Some(seen) = request(&mut reader, &mut buffer).await? {
        let reply = (shared.reply)(&seen);
        shared.seen().push(seen);
        shared.counts.send_modify(|counts| counts.requests += 1);
        let kept = tokio::select! {
            biased;
            kept = answer(reply, &mut writer, &shared.counts) => kept?,
            // A client sends nothing before it has the answer, so this is the end of the connection.
            _ = gone(&mut reader) => return Ok(()),
        };
        if !kept {
            return writer.shutdown().await;
        }
    }
    Ok(())
}

async fn gone(reader: &mut OwnedReadHalf) {
    while matches!(reader.read(&mut [0; 1024]).await, Ok(1..)) {}
}

/// Reads one request; none when the client has closed the connection.
async fn request(reader: &mut OwnedReadHalf, buffer: &mut Vec<u8>) -> io::Result<Option<Seen>> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if reader.read_buf(buffer).await? == 0 {
            return if buffer.is_empty() {
                Ok(None)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
        if buffer.len() > MAX_REQUEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let mut seen = Seen {
        method: first.next().unwrap_or_default().to_owned(),
        target: first.next().unwrap_or_default().to_owned(),
        headers: lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect(),
        body: Vec::new(),
    };
    let length = seen
        .header("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    if length > MAX_REQUEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    while buffer.len() < length {
        if reader.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    seen.body = buffer.drain(..length).collect();
    Ok(Some(seen))
}

/// Sends a reply; says whether the connection is kept.
async fn answer(
    reply: Reply,
    writer: &mut OwnedWriteHalf,
    counts: &watch::Sender<Counts>,
) -> io::Result<bool> {
    let mut reply = reply;
    while let Reply::After(signal, next) = reply {
        signal.notified().await;
        reply = *next;
    }
    let mut out = Out { writer, counts };
    match reply {
        Reply::After(..) => unreachable!("it was waited for above"),
        Reply::Whole(page) => {
            out.send(&page.head(Some(page.body.len()))).await?;
            out.send(&page.body).await?;
            Ok(true)
        }
        Reply::Drip(page, pause) => {
            out.send(&page.head(Some(page.body.len()))).await?;
            out.drip(&page.body, pause).await?;
            Ok(true)
        }
        Reply::DripHead(page, pause) => {
            out.drip(&page.head(Some(page.body.len())), pause).await?;
            out.send(&page.body).await?;
            Ok(true)
        }
        Reply::Hang => std::future::pending().await,
        Reply::Cut(page, missing) => {
            out.send(&page.head(Some(page.body.len() + missing)))
                .await?;
            out.send(&page.body).await?;
            Ok(false)
        }
        Reply::Endless(page, again) => {
            assert!(!again.is_empty(), "nothing would never end");
            out.send(&page.head(None)).await?;
            out.send(&page.body).await?;
            loop {
                out.send(&again).await?;
            }
        }
        Reply::Raw(bytes) => {
            out.send(&bytes).await?;
            Ok(false)
        }
    }
}

/// Where replies go, counted.
struct Out<'a> {
    writer: &'a mut OwnedWriteHalf,
    counts: &'a watch::Sender<Counts>,
}

impl Out<'_> {
    async fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = self.writer.write(bytes).await?;
            self.counts.send_modify(|counts| counts.sent += sent);
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    async fn drip(&mut self, bytes: &[u8], pause: Duration) -> io::Result<()> {
        for byte in bytes.chunks(1) {
            tokio::time::sleep(pause).await;
            self.send(byte).await?;
        }
        Ok(())
    }
}
