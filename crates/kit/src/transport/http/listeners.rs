//! What a server listens on: TCP and Unix sockets, by turns.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::forwarded::LOCAL;
use super::stream::Stream;
#[cfg(unix)]
use super::unix::UnixSocket;

/// Connections that may wait to be accepted: as many as may be open. The system may allow fewer.
pub(super) const BACKLOG: u32 = 1024;

/// Listens on an address, with room for as many connections that wait to be accepted as may be
/// open: tokio's own `bind` has room for 128, which a flood fills at once.
///
/// # Errors
/// What the system says.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // On Windows this would let another program take the port over.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What a server listens on: one socket or several.
#[derive(Debug)]
pub struct Listeners(Vec<Listener>);

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixSocket),
}

impl From<TcpListener> for Listeners {
    fn from(listener: TcpListener) -> Self {
        vec![listener].into()
    }
}

impl From<Vec<TcpListener>> for Listeners {
    fn from(listeners: Vec<TcpListener>) -> Self {
        Self(listeners.into_iter().map(Listener::Tcp).collect())
    }
}

#[cfg(unix)]
impl From<UnixSocket> for Listeners {
    fn from(socket: UnixSocket) -> Self {
        Self(vec![Listener::Unix(socket)])
    }
}

/// A connection, and where it comes from.
pub(super) type Accepted = (Stream, IpAddr);

impl Listener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match self {
            Self::Tcp(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, address)| (Stream::Tcp(stream), address.ip())),
            #[cfg(unix)]
            Self::Unix(socket) => socket
                .listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| (Stream::Unix(stream), LOCAL)),
        }
    }

    /// Has the system pass over who begins to connect, as if it had not heard; whether it does.
    fn turn_away(&self) -> bool {
        match self {
            Self::Tcp(listener) => turn_away(listener).is_ok(),
            // Nobody is between connected and waiting there.
            #[cfg(unix)]
            Self::Unix(_) => false,
        }
    }

    /// What waits to be accepted, as far as the system knows; then nobody listens here any more.
    fn close(self) -> Vec<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let listener = listener.into_std().ok();
                let waiting = listener.map(|listener| waiting(move || listener.accept()));
                let streams = waiting
                    .into_iter()
                    .flatten()
                    .filter_map(|(stream, address)| {
                        stream.set_nonblocking(true).ok()?;
                        let stream = TcpStream::from_std(stream).ok()?;
                        Some((Stream::Tcp(stream), address.ip()))
                    });
                streams.collect()
            }
            #[cfg(unix)]
            Self::Unix(UnixSocket { listener, file }) => {
                // Who comes from now on is to find nobody.
                drop(file);
                let listener = listener.into_std().ok();
                let waiting = listener.map(|listener| waiting(move || listener.accept()));
                let streams = waiting.into_iter().flatten().filter_map(|(stream, _)| {
                    stream.set_nonblocking(true).ok()?;
                    let stream = tokio::net::UnixStream::from_std(stream).ok()?;
                    Some((Stream::Unix(stream), LOCAL))
                });
                streams.collect()
            }
        }
    }
}

impl Listeners {
    /// The next connection, from each listener by turns.
    pub(super) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        for index in 0..self.0.len() {
            if let Poll::Ready(accepted) = self.0[index].poll_accept(cx) {
                self.0[index..].rotate_left(1);
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }

    /// Has the system pass over who begins to connect from now on; whether it does so anywhere. Without it, who connects
    /// between the last look and the end is reset with the request that they have sent. With it they hear nothing, try
    /// again after a second, and are refused, so that whoever balances the load goes to another server.
    pub(super) fn turn_away(&self) -> bool {
        let turned = self.0.iter().map(Listener::turn_away);
        turned.fold(false, |any, one| any | one)
    }

    /// Stops listening, and takes what waits to be accepted.
    pub(super) fn close(self) -> impl Iterator<Item = Accepted> {
        self.0.into_iter().flat_map(Listener::close)
    }
}

/// A filter that only the first segment of a connection does not pass, in the instructions of the classic BPF; a filter of
/// a TCP socket sees a segment from its header on (RFC 9293 §3.1).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn turn_away(listener: &TcpListener) -> io::Result<()> {
    use socket2::{SockFilter, SockRef};
    const LOAD_BYTE: u16 = 0x30;
    const AND: u16 = 0x54;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    SockRef::from(listener).attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(AND, 0, 0, SYN | ACK),
        SockFilter::new(JUMP_IF_EQUAL, 1, 0, SYN),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ])
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn turn_away(_: &TcpListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// What can be accepted without waiting. One that failed meanwhile is passed over.
fn waiting<T>(mut accept: impl FnMut() -> io::Result<T>) -> impl Iterator<Item = T> {
    (0..BACKLOG)
        .map(move |_| accept())
        .take_while(|accepted| {
            !accepted
                .as_ref()
                .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        })
        .filter_map(Result::ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who was connected before is served, whether it was accepted or not; who comes later is not half connected.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn who_is_turned_away_is_not_connected_and_who_waits_is_taken() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        use tokio::time::{Duration, timeout};
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = bind(address.parse().unwrap()) else {
                // Not every machine has IPv6.
                continue;
            };
            let address = listener.local_addr().unwrap();
            let listeners = Listeners::from(listener);
            let mut before = TcpStream::connect(address).await.unwrap();
            assert!(listeners.turn_away());
            before.write_all(b"x").await.unwrap();
            let brief = Duration::from_millis(100);
            let late = timeout(brief, TcpStream::connect(address)).await;
            assert!(late.is_err(), "{late:?}");
            let mut waiting: Vec<_> = listeners.close().collect();
            assert_eq!(waiting.len(), 1);
            let mut byte = [0];
            waiting[0].0.read_exact(&mut byte).await.unwrap();
            assert_eq!(&byte, b"x");
            let refused = TcpStream::connect(address).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        }
    }

    #[test]
    fn a_connection_that_failed_in_the_backlog_does_not_end_it() {
        let aborted = || Err(io::ErrorKind::ConnectionAborted.into());
        let mut backlog = vec![
            Ok(1),
            aborted(),
            Ok(2),
            Err(io::ErrorKind::WouldBlock.into()),
            Ok(3),
        ]
        .into_iter();
        let accepted: Vec<i32> = waiting(|| backlog.next().unwrap()).collect();
        assert_eq!(accepted, [1, 2]);
        // It ends where nothing but errors come.
        let mut tries = 0;
        let accepted: Vec<i32> = waiting(|| {
            tries += 1;
            aborted()
        })
        .collect();
        assert_eq!((accepted.len(), tries), (0, BACKLOG));
    }
}
