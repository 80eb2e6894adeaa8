//! The zygote, seen from the server.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixDatagram as StdDatagram, UnixStream as StdStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Pid, WaitOptions, child_subreaper, getpid, waitpid};
use tokio::io::Interest;
use tokio::net::{UnixDatagram, UnixStream};
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot, watch};

use super::config::Config;
use super::process::{Alive, START_TIME, command};
use crate::wire::Ended;
use crate::worker::ZYGOTE;
use crate::zygote::control::{self, FromZygote, ToZygote};

/// How long a zygote may take to end its workers and itself.
const LEAVING: Duration = Duration::from_secs(2);

/// How long workers may take to be gone that the kernel ended with their zygote.
const ORPHANED: Duration = Duration::from_secs(1);

/// A zygote. It ends with the last clone of this and of what [`Zygote::fork`] gives.
pub(super) struct Zygote {
    orders: mpsc::UnboundedSender<Order>,
    last: AtomicU64,
}

/// Why there is no zygote.
pub(super) enum Failed {
    /// It started, and can't fork on this machine.
    Unable(String),
    /// It did not start.
    Broken(io::Error),
}

/// What the pool wants of it. As many wait as there are workers, and those have a bound.
enum Order {
    Fork(u64, OwnedFd, Forked),
    Kill(u64),
}

/// What is known of a worker.
struct Forked {
    pid: Option<Pid>,
    tell: oneshot::Sender<Ended>,
    _alive: Alive,
}

/// A worker is killed when this is dropped.
pub(super) struct Held {
    id: u64,
    zygote: Arc<Zygote>,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Without a zygote there is no worker either.
        let _ = self.zygote.orders.send(Order::Kill(self.id));
    }
}

impl Zygote {
    /// Starts one, and waits until it can fork. It ends when `closed` is true.
    pub(super) async fn start(
        config: &Config,
        alive: Alive,
        mut closed: watch::Receiver<bool>,
    ) -> Result<Arc<Self>, Failed> {
        let (control, child) = spawn(config).map_err(Failed::Broken)?;
        let first = tokio::select! {
            first = tokio::time::timeout(START_TIME, receive(&control)) => first,
            _ = closed.wait_for(|closed| *closed) => Ok(Ok(None)),
        };
        let failed = match first {
            Ok(Ok(Some(FromZygote::Ready))) => {
                let (orders, received) = mpsc::unbounded_channel();
                tokio::spawn(keep(child, control, received, closed, alive));
                let last = AtomicU64::new(0);
                return Ok(Arc::new(Self { orders, last }));
            }
            Ok(Ok(Some(FromZygote::Unable(why)))) => Failed::Unable(why),
            Ok(Ok(_)) => Failed::Broken(io::Error::other("its first message is not the right one")),
            Ok(Err(error)) => Failed::Broken(error),
            Err(_) => Failed::Broken(io::ErrorKind::TimedOut.into()),
        };
        let status = end(child, control).await;
        Err(match failed {
            Failed::Broken(error) => {
                Failed::Broken(io::Error::other(format!("{error}; its end: {status:?}")))
            }
            unable => unable,
        })
    }

    /// Whether it has ended, or will in a moment.
    pub(super) fn is_gone(&self) -> bool {
        self.orders.is_closed()
    }

    /// Has a worker forked: the way to it, how it will have ended, and what it lives as long as.
    ///
    /// # Errors
    /// When there is no socket to be had, or the zygote is gone.
    pub(super) fn fork(
        self: &Arc<Self>,
        alive: Alive,
    ) -> io::Result<(UnixStream, oneshot::Receiver<Ended>, Held)> {
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        let ours = UnixStream::from_std(ours)?;
        let id = self.last.fetch_add(1, Ordering::Relaxed);
        let (tell, ended) = oneshot::channel();
        let forked = Forked {
            pid: None,
            tell,
            _alive: alive,
        };
        let order = Order::Fork(id, theirs.into(), forked);
        if self.orders.send(order).is_err() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let zygote = Arc::clone(self);
        Ok((ours, ended, Held { id, zygote }))
    }
}

fn spawn(config: &Config) -> io::Result<(UnixDatagram, Child)> {
    let (ours, theirs) = control::pair()?;
    // Of this end only: the zygote waits.
    rustix::io::ioctl_fionbio(&ours, true)?;
    let mut command = command(config);
    command
        .arg(ZYGOTE)
        .arg0("pymcp-python-zygote")
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null());
    let child = command.spawn()?;
    // Of its kind but for the end, which is a packet of no bytes.
    let control = UnixDatagram::from_std(StdDatagram::from(ours))?;
    Ok((control, child))
}

async fn receive(control: &UnixDatagram) -> io::Result<Option<FromZygote>> {
    let packet = control.async_io(Interest::READABLE, || control::receive(control));
    Ok(packet.await?.map(|(message, _)| message))
}

async fn send(
    control: &UnixDatagram,
    message: &ToZygote,
    socket: Option<&OwnedFd>,
) -> io::Result<()> {
    let packet = || control::send(control, message, socket.map(OwnedFd::as_fd));
    control.async_io(Interest::WRITABLE, packet).await
}

/// Talks to a zygote and waits for it, which is what leaves nothing of it; ends it when nobody wants
/// anything of it any more, or the pool is closed.
async fn keep(
    child: Child,
    control: UnixDatagram,
    mut orders: mpsc::UnboundedReceiver<Order>,
    mut closed: watch::Receiver<bool>,
    alive: Alive,
) {
    let mut forked = HashMap::new();
    let talk = async {
        loop {
            let sent = tokio::select! {
                heard = receive(&control) => match heard {
                    Ok(Some(message)) => {
                        note(message, &mut forked);
                        continue;
                    }
                    Ok(None) => return String::new(),
                    Err(error) => Err(error),
                },
                order = orders.recv() => match order {
                    Some(Order::Fork(id, socket, worker)) => {
                        forked.insert(id, worker);
                        send(&control, &ToZygote::Fork(id), Some(&socket)).await
                    }
                    Some(Order::Kill(id)) => send(&control, &ToZygote::Kill(id), None).await,
                    None => return String::new(),
                },
            };
            if let Err(error) = sent {
                return error.to_string();
            }
        }
    };
    let why = tokio::select! {
        why = talk => why,
        _ = closed.wait_for(|closed| *closed) => String::new(),
    };
    // Whoever asks from here on needs another one.
    let unwanted = orders.is_closed() || *closed.borrow();
    orders.close();
    let status = end(child, control).await;
    if !unwanted {
        tracing::warn!(
            status,
            why,
            "the process that Python workers are forked from is gone"
        );
    }
    bury(forked.values().filter_map(|worker| worker.pid).collect()).await;
    drop(alive);
    for worker in forked.into_values() {
        let gone = Ended::Other("it ended with the process that it was forked from".into());
        let _ = worker.tell.send(gone);
    }
}

fn note(message: FromZygote, forked: &mut HashMap<u64, Forked>) {
    match message {
        FromZygote::Forked(id, pid) => {
            if let Some(worker) = forked.get_mut(&id) {
                worker.pid = Pid::from_raw(pid);
            }
        }
        FromZygote::Ended(id, how) => {
            if let Some(worker) = forked.remove(&id) {
                // Nobody asks after a worker that was let go of.
                let _ = worker.tell.send(how);
            }
        }
        FromZygote::Ready | FromZygote::Unable(_) => {}
    }
}

/// Lets a zygote end, which ends when it hears no more, and waits for it.
async fn end(mut child: Child, control: UnixDatagram) -> String {
    drop(control);
    let status = match tokio::time::timeout(LEAVING, child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            // It fails for one that has ended only.
            let _ = child.start_kill();
            child.wait().await
        }
    };
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// Waits for workers whose zygote is gone, where it is on this process to: as the first of a container,
/// or because it has asked for orphans. Anywhere else somebody does who always does.
async fn bury(pids: Vec<Pid>) {
    let adopts = getpid().is_init() || child_subreaper().is_ok_and(|asked| asked.is_some());
    if !adopts || pids.is_empty() {
        return;
    }
    let all = async {
        for pid in pids {
            // Until it is waited for, no other process has its id.
            while let Ok(None) = waitpid(Some(pid), WaitOptions::NOHANG) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    };
    let _ = tokio::time::timeout(ORPHANED, all).await;
}
