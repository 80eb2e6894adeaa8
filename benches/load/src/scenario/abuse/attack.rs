//! What the attackers share: a thread of their own, connections, and a count of what they got done.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::Result;

use super::{Attack, crowd, questions, sessions, subscriptions};

/// Loopback addresses that the attackers call from, so that they don't use up the honest client's ports.
const ADDRESSES: u32 = 8;

/// Time in which those of a crowd come, one after the other: together they would overrun the
/// listener's queue, which is the kernel's.
const ARRIVAL: Duration = Duration::from_secs(2);

/// A small segment makes the kernel take a small piece of an answer only, so that the rest has to wait
/// in the server.
const SEGMENT: u32 = 536;

/// The attackers of one attack, until they are stopped.
pub(super) struct Attackers {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    tally: Arc<Tally>,
    since: Instant,
}

/// What the attackers got done.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) connected: AtomicU64,
    /// Connections that the server ended.
    pub(super) cut: AtomicU64,
    /// Connections that could not be opened.
    pub(super) refused: AtomicU64,
    pub(super) requests: AtomicU64,
    /// Requests whose answer began with a success.
    pub(super) accepted: AtomicU64,
}

/// One more of these.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Attackers {
    pub(super) fn start(attack: Attack, server: SocketAddr) -> Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let tally = Arc::<Tally>::default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let counted = Arc::clone(&tally);
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = run(attack, server, counted) => {}
                }
            });
            // Closes all connections that are left.
            drop(runtime);
        });
        let since = Instant::now();
        Ok(Self {
            stop,
            thread,
            tally,
            since,
        })
    }

    /// Ends the attack and tells what it did.
    pub(super) fn stop(self) -> String {
        // It is gone already when it panicked, which the count will show.
        let _ = self.stop.send(());
        let ended = self.thread.join();
        let seconds = self.since.elapsed().as_secs_f64();
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let tally = &self.tally;
        format!(
            "in {seconds:.0} s {} connections, {} cut by the server, {} not accepted; {} requests ({:.0} a second), \
             {} answered with success{}",
            of(&tally.connected),
            of(&tally.cut),
            of(&tally.refused),
            of(&tally.requests),
            of(&tally.requests) as f64 / seconds,
            of(&tally.accepted),
            if ended.is_ok() {
                ""
            } else {
                "; THE ATTACK BROKE OFF"
            }
        )
    }
}

async fn run(attack: Attack, server: SocketAddr, tally: Arc<Tally>) {
    match attack {
        Attack::Crowd => crowd::run(server, tally, crowd::ALL).await,
        Attack::Heads => crowd::run(server, tally, crowd::HEADS).await,
        Attack::Bodies => crowd::run(server, tally, crowd::BODIES).await,
        Attack::Unread => crowd::run(server, tally, crowd::UNREAD).await,
        Attack::Sessions => sessions::run(server, tally).await,
        Attack::Questions => questions::run(server, tally).await,
        Attack::Subscriptions => subscriptions::run(server, tally).await,
    }
}

/// Waits for its turn to arrive, as one of so many.
pub(super) async fn arrive(number: u32, of: u32) {
    sleep(ARRIVAL * number / of).await;
}

/// The time before a connection that was cut is opened again: prompt, and no two at once.
pub(super) async fn pause(number: u32) {
    sleep(Duration::from_millis(500 + u64::from(number % 500))).await;
}

/// A connection of the attacker with this number.
pub(super) async fn connect(
    server: SocketAddr,
    number: u32,
    tally: &Tally,
) -> io::Result<TcpStream> {
    open(server, number, tally, false).await
}

/// A connection that takes little from the server before it has to be read.
pub(super) async fn connect_narrow(
    server: SocketAddr,
    number: u32,
    tally: &Tally,
) -> io::Result<TcpStream> {
    open(server, number, tally, true).await
}

async fn open(
    server: SocketAddr,
    number: u32,
    tally: &Tally,
    narrow: bool,
) -> io::Result<TcpStream> {
    let connect = async {
        let socket = TcpSocket::new_v4()?;
        if narrow {
            socket.set_recv_buffer_size(4096)?;
            SockRef::from(&socket).set_tcp_mss(SEGMENT)?;
        }
        let from = u32::from(Ipv4Addr::LOCALHOST) + 1 + number % ADDRESSES;
        socket.bind((Ipv4Addr::from(from), 0).into())?;
        let stream = socket.connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    let opened = connect.await;
    count(match &opened {
        Ok(_) => &tally.connected,
        Err(_) => &tally.refused,
    });
    opened
}
