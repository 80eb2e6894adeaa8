//! A worker: the process that the untrusted code runs in. Each serves one run.
//!
//! There are two ways to become one. A fork of a zygote (Linux, `zygote.rs`) has its interpreter from
//! there. A process of its own starts its interpreter itself, on two threads: the first reads frames,
//! and ends the process when the server goes away, whatever the second is busy with; the second, with
//! a stack for the deepest source there may be, runs the code.

mod host;

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

pub(crate) use self::host::Host;
use crate::confine::{self, Layers};
use crate::engine::Engine;
use crate::run::{Kind, Value};
use crate::wire::{FromWorker, Run, RunError, ToWorker};
use crate::{alloc, limits};

/// The argument that makes a program a worker.
pub const ARGUMENT: &str = "python-worker";

/// The argument behind it that makes it a zygote.
#[cfg(target_os = "linux")]
pub(crate) const ZYGOTE: &str = "zygote";

/// Seconds of CPU after which the kernel ends a run that the server could not: more than the longest
/// there may be, and some to start in.
pub(crate) const CPU_SECONDS: u64 = limits::Limits::MAX.time.as_secs() + 30;

/// Bytes of stack. Parser and type checker recurse with the nesting of the source: 140 bytes and
/// more a level, and [`crate::Limits::MAX`] has room for a quarter of a million levels.
pub(crate) const STACK: usize = 256 << 20;

/// Whether this process was started to be a worker. To be asked first of all in `main`.
pub fn is_requested() -> bool {
    std::env::args_os().nth(1).as_deref() == Some(OsStr::new(ARGUMENT))
}

/// Serves a run on stdin and stdout, or forks workers that do, as the arguments ask. To be called
/// first of all in `main`, with [`crate::Allocator`] as the global allocator: no thread may exist yet.
pub fn main() -> ExitCode {
    start(Engine::new)
}

/// As [`main`], with a function of this program in place of the interpreter: it gets the code, and its
/// text is the value. For tests of what a run can do that has taken over its process.
#[doc(hidden)]
pub fn stand_in(run: fn(&str) -> String) -> ExitCode {
    start(move || StandIn(run))
}

/// What runs the code. Made once, before it is known which.
pub(crate) trait Runner {
    /// Does a part of what makes runs faster, and can as well be done later. Says whether there is more.
    fn warm_more(&mut self) -> bool;

    /// Called once in the process that runs the code, as the last chance to start a thread.
    fn watch(&mut self);

    /// Called once in the process that runs the code, when it is confined: what can be done before a
    /// run is known.
    fn prepare(&mut self);

    /// Runs one request.
    fn run(&mut self, run: Run, host: &Arc<Mutex<Host>>) -> Result<Value, RunError>;
}

impl Runner for Engine {
    fn warm_more(&mut self) -> bool {
        Engine::warm_more(self)
    }

    fn watch(&mut self) {
        Engine::watch(self);
    }

    fn prepare(&mut self) {
        Engine::prepare(self);
    }

    fn run(&mut self, run: Run, host: &Arc<Mutex<Host>>) -> Result<Value, RunError> {
        Engine::run(self, run, host)
    }
}

struct StandIn(fn(&str) -> String);

impl Runner for StandIn {
    fn warm_more(&mut self) -> bool {
        false
    }

    fn watch(&mut self) {}

    fn prepare(&mut self) {}

    fn run(&mut self, run: Run, _: &Arc<Mutex<Host>>) -> Result<Value, RunError> {
        let text = Some((self.0)(&run.code));
        match text.as_ref().map_or(0, String::len) > run.limits.value {
            true => Err(RunError::new(Kind::Exception, "too long")),
            false => Ok(Value {
                text,
                ..Value::default()
            }),
        }
    }
}

fn start<R: Runner>(runner: impl FnOnce() -> R + Send + 'static) -> ExitCode {
    // A thread that unwinds would leave the other one waiting for it.
    std::panic::set_hook(Box::new(|_| std::process::abort()));
    #[cfg(target_os = "linux")]
    if std::env::args_os().next_back().as_deref() == Some(OsStr::new(ZYGOTE)) {
        return crate::zygote::main(runner);
    }
    alone(runner)
}

/// A process that serves one run, from its start.
fn alone<R: Runner>(runner: impl FnOnce() -> R + Send + 'static) -> ExitCode {
    let mut layers = confine::before_threads();
    layers.memory = alloc::start_counting();
    let (requests, received) = mpsc::sync_channel(1);
    let (started, ready) = mpsc::sync_channel(1);
    let (confined, start) = mpsc::sync_channel(1);
    let engine = thread::Builder::new()
        .name("engine".into())
        .stack_size(STACK)
        .spawn(move || {
            let mut runner = runner();
            while runner.warm_more() {}
            runner.watch();
            if started.send(()).is_ok()
                && let Ok(layers) = start.recv()
            {
                let incoming = Box::new(move || received.recv().ok());
                let host = Host::new(incoming, Box::new(io::stdout()));
                serve(&mut runner, layers, host);
            }
        });
    if let Err(error) = engine {
        return fail(&format!("no thread: {error}"));
    }
    // Starting threads needs system calls that are not for later.
    let running = ready.recv().is_ok();
    layers.seccomp = confine::all_threads();
    if !running || confined.send(layers).is_err() {
        return fail("the engine did not start");
    }
    match listen(&requests) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(reason: &str) -> ExitCode {
    // Nobody is left to tell when stderr is closed.
    let _ = writeln!(io::stderr(), "python worker: {reason}");
    ExitCode::FAILURE
}

/// Hands on what the server sends, until it sends no more.
fn listen(requests: &mpsc::SyncSender<ToWorker>) -> io::Result<()> {
    let mut stdin = io::stdin().lock();
    while let Some(message) = host::read(&mut stdin)? {
        if requests.send(message).is_err() {
            return Err(io::Error::other("the engine is gone"));
        }
    }
    Ok(())
}

/// Says how it is confined, runs one request, and ends the process. Not a byte of the request is read
/// before.
pub(crate) fn serve(runner: &mut impl Runner, layers: Layers, mut host: Host) -> ! {
    runner.prepare();
    host.send(&FromWorker::Ready(layers));
    let ToWorker::Run(run) = host.receive() else {
        leave(1)
    };
    host.allow_output(run.limits.output);
    let host = Arc::new(Mutex::new(host));
    let result = runner.run(*run, &host);
    alloc::unlimited();
    let mut host = host.lock().unwrap_or_else(PoisonError::into_inner);
    host.end(result)
}

/// The server's end of what was forked, on descriptor 0, which takes both directions.
#[cfg(target_os = "linux")]
pub(crate) fn host_on_socket() -> Host {
    Host::new(
        // Of what is no message there is nothing to say to the one who sent it.
        Box::new(|| host::read(&mut Socket).ok().flatten()),
        Box::new(Socket),
    )
}

#[cfg(target_os = "linux")]
struct Socket;

#[cfg(target_os = "linux")]
impl io::Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(rustix::stdio::stdin(), buffer)?)
    }
}

#[cfg(target_os = "linux")]
impl io::Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(rustix::stdio::stdin(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Ends the process. A fork ends without what its zygote meant to do at its own end.
pub(crate) fn leave(code: i32) -> ! {
    #[cfg(target_os = "linux")]
    crate::zygote::leave(code);
    #[cfg(not(target_os = "linux"))]
    std::process::exit(code)
}
