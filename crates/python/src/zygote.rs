//! A zygote: a process that has the interpreter ready, and forks a worker for each run.
//!
//! It runs nothing of what is sent to the server, and never sees it: the socket that it is given for a
//! worker goes on unread. All it does is one loop over what the server orders and which worker has
//! ended; while there is nothing to do it imports and reads what runs will need, a piece at a time, so
//! that the first run waits for none of it. When the server is gone, whatever the reason, it ends its workers and itself; when it is gone
//! itself, the kernel ends its workers.
//!
//! It has one thread, which is what makes `fork` sound, and that has the stack that the interpreter
//! needs: a fork has the stack of the thread that it was forked from.

pub(crate) mod control;
mod fork;

use std::io;
use std::os::fd::{BorrowedFd, IntoRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, getpid, getppid, getrlimit,
    kill_process, pidfd_open, set_parent_process_death_signal, setrlimit, setsid, waitpid,
};
use rustix::stdio::{dup2_stdin, stdin};

use self::control::{FromZygote, ToZygote};
use self::fork::Heap;
pub(crate) use self::fork::leave;
use crate::alloc;
use crate::confine::{self, Layers, Mapped};
use crate::wire::Ended;
use crate::worker::{self, Runner, STACK};

/// How often the heap is settled once nothing in it changes any more: not all of it is at the first time,
/// because workers that were forked before share pages of it.
const SETTLING: u8 = 4;

/// Forks workers as the server on stdin orders, until that is gone.
pub(crate) fn main<R: Runner>(runner: impl FnOnce() -> R) -> ExitCode {
    let mut layers = confine::inherited();
    // A Ctrl-C in the server's terminal is for the server, which may want its runs to end in peace.
    let _ = setsid();
    grow_stack();
    let heap = Heap::of_this_process();
    layers.memory = alloc::start_counting();
    let runner = runner();
    if let Err(reason) = can_fork() {
        // A server that is gone need not know.
        let _ = control::send(stdin(), &FromZygote::Unable(reason), None);
        return ExitCode::FAILURE;
    }
    let mut zygote = Zygote {
        control: stdin(),
        pid: getpid(),
        mapped: Mapped::by_this_process(),
        layers: confine::zygote(layers),
        children: Vec::new(),
        runner,
        // The first run, which it was started for, comes at once.
        forked: false,
        cold: false,
        heap,
        settling: SETTLING,
    };
    let served = zygote.serve();
    zygote.end_children();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Gives the only thread the stack for the deepest source, or as much as it may have. Where the stack
/// may grow to is laid out when a program is executed, so this one executes itself.
fn grow_stack() {
    let limit = getrlimit(Resource::Stack);
    let wanted = limit.maximum.unwrap_or(u64::MAX).min(STACK as u64);
    if limit.current == Some(wanted) {
        return;
    }
    let grown = Rlimit {
        current: Some(wanted),
        ..limit
    };
    if setrlimit(Resource::Stack, grown).is_ok() {
        // It returns where it fails, and then the stack grows as far as there is room.
        let _ = Command::new("/proc/self/exe")
            .arg0("pymcp-python-zygote")
            .args(std::env::args_os().skip(1))
            .exec();
    }
}

/// # Errors
/// Why not.
fn can_fork() -> Result<(), String> {
    if !fork::is_single_threaded() {
        return Err("it has more than one thread, or /proc is not there to tell".into());
    }
    match pidfd_open(getpid(), PidfdFlags::empty()) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("pidfd_open: {error}")),
    }
}

/// A worker that has not been waited for.
struct Child {
    id: u64,
    pid: Pid,
    /// Becomes readable when the process ends.
    end: OwnedFd,
}

impl Child {
    /// How it ended, as soon as it has.
    fn wait(&self) -> Ended {
        match rustix::io::retry_on_intr(|| waitpid(Some(self.pid), WaitOptions::empty())) {
            Ok(Some((_, status))) => match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Ended::Code(code),
                (_, Some(signal)) => Ended::Signal(signal),
                _ => Ended::Other(format!("{status:?}")),
            },
            Ok(None) => Ended::Other("it is gone".into()),
            Err(error) => Ended::Other(error.to_string()),
        }
    }

    fn kill(&self) {
        // It fails for one that has ended only; until it is waited for, nobody else has its id.
        let _ = kill_process(self.pid, Signal::KILL);
    }
}

struct Zygote<R> {
    control: BorrowedFd<'static>,
    pid: Pid,
    mapped: Mapped,
    layers: Layers,
    children: Vec<Child>,
    runner: R,
    /// Whether it has forked a worker.
    forked: bool,
    /// Whether there is more that makes runs faster.
    cold: bool,
    heap: Heap,
    /// How often it still has the heap settled.
    settling: u8,
}

impl<R: Runner> Zygote<R> {
    /// # Errors
    /// When the server can't be reached, or says what no server says.
    fn serve(&mut self) -> io::Result<()> {
        self.tell(&FromZygote::Ready)?;
        loop {
            let (ordered, ended) = self.sleep()?;
            let ended_none = ended.is_empty();
            // From the last on, so that those before stay where they are.
            for at in ended.into_iter().rev() {
                let child = self.children.swap_remove(at);
                let how = child.wait();
                self.tell(&FromZygote::Ended(child.id, how))?;
            }
            if !ordered {
                if ended_none || !self.cold {
                    self.between_orders();
                }
                continue;
            }
            match control::receive(self.control)? {
                Some((ToZygote::Fork(id), Some(socket))) => self.fork(id, socket)?,
                Some((ToZygote::Fork(id), None)) => self.refuse(id, "no socket came with it")?,
                Some((ToZygote::Kill(id), _)) => {
                    let children = self.children.iter();
                    children
                        .filter(|child| child.id == id)
                        .for_each(Child::kill);
                }
                None => return Ok(()),
            }
        }
    }

    /// Does a part of what makes runs faster, and as the last of it has the heap laid out for forks.
    fn between_orders(&mut self) {
        if self.cold {
            self.cold = self.runner.warm_more();
            if !self.cold {
                self.heap.fill();
            }
        } else if self.settling > 0 {
            self.settling -= 1;
            self.heap.settle();
        }
    }

    /// Waits until there is something to do, if there isn't always: whether the server has said
    /// something, and which children have ended.
    fn sleep(&self) -> io::Result<(bool, Vec<usize>)> {
        let mut watched = vec![PollFd::from_borrowed_fd(self.control, PollFlags::IN)];
        let ends = self.children.iter();
        watched.extend(ends.map(|child| PollFd::new(&child.end, PollFlags::IN)));
        let at_once = Timespec::default();
        let patience = self.cold.then_some(&at_once);
        rustix::io::retry_on_intr(|| poll(&mut watched, patience))?;
        let mut woken = watched.iter().map(|fd| !fd.revents().is_empty());
        let ordered = woken.next() == Some(true);
        let ended = woken.enumerate().filter(|(_, ended)| *ended);
        Ok((ordered, ended.map(|(at, _)| at).collect()))
    }

    fn fork(&mut self, id: u64, socket: OwnedFd) -> io::Result<()> {
        let pid = match fork::fork() {
            Ok(None) => self.become_worker(socket),
            Ok(Some(pid)) => pid,
            Err(error) => return self.refuse(id, &error.to_string()),
        };
        // Only the worker has it from here on.
        drop(socket);
        self.cold |= !std::mem::replace(&mut self.forked, true);
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(end) => {
                self.children.push(Child { id, pid, end });
                self.tell(&FromZygote::Forked(id, pid.as_raw_nonzero().get()))
            }
            // Nobody would notice its end.
            Err(error) => {
                let _ = kill_process(pid, Signal::KILL);
                let _ = waitpid(Some(pid), WaitOptions::empty());
                self.refuse(id, &error.to_string())
            }
        }
    }

    /// The child's part. Nothing of the request has been read; what reads it is confined.
    fn become_worker(&mut self, socket: OwnedFd) -> ! {
        // The kernel ends it when the zygote ends; one that ended before this was said is not the
        // parent any more.
        let watched = set_parent_process_death_signal(Some(Signal::KILL)).is_ok();
        if !watched || getppid() != Some(self.pid) || dup2_stdin(&socket).is_err() {
            leave(1);
        }
        // Closed with all others, those of the zygote among them.
        let _ = socket.into_raw_fd();
        let layers = confine::child(self.layers, self.mapped, || self.runner.watch());
        worker::serve(&mut self.runner, layers, worker::host_on_socket())
    }

    fn refuse(&self, id: u64, why: &str) -> io::Result<()> {
        let why = Ended::Other(format!("it was not forked: {why}"));
        self.tell(&FromZygote::Ended(id, why))
    }

    fn tell(&self, message: &FromZygote) -> io::Result<()> {
        control::send(self.control, message, None)
    }

    /// Ends all workers, and waits for them.
    fn end_children(&mut self) {
        self.children.iter().for_each(Child::kill);
        for child in self.children.drain(..) {
            child.wait();
        }
    }
}
