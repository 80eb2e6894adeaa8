//! What it does, and on which thread.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitCode};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use pymcp_app::{App, Error, Prepared, Result};
use pymcp_kit::{BlockingCtx, Ctx, Effect, Server, Tool, telemetry};
use schemars::JsonSchema;
use serde::Deserialize;

/// Time for one thread to wait for another.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
struct Settings {
    /// An effect that both tools declare, such as `reads-files:/srv/data`; may be given more than once.
    #[arg(long = "declare", value_name = "EFFECT")]
    declared: Vec<String>,

    /// A port at which hosts are reached; may be given more than once.
    #[arg(long = "reach", value_name = "PORT")]
    ports: Vec<u16>,

    /// Start a thread of its own before the server is served.
    #[arg(long)]
    early_thread: bool,
}

async fn server(settings: Settings) -> Result<Prepared> {
    let effects: Vec<Effect> = settings
        .declared
        .iter()
        .map(|effect| effect.parse())
        .collect::<Result<_, _>>()
        .map_err(|bad| Error::setting(format!("--declare has an effect that is none: {bad}.")))?;
    // A log line, so that the thread that writes the log is there as well.
    telemetry::say("mischief: prepared");
    let early = settings.early_thread.then(Early::start).transpose()?;
    let server = Server::builder("mischief", env!("CARGO_PKG_VERSION"))
        .tool(
            Tool::new("act", act)
                .with(early)
                .description("Does something on a thread of your choice.")
                .effects(effects.clone()),
        )
        .tool(
            Tool::blocking("act_blocking", act_blocking)
                .description("Does something in a blocking handler.")
                .effects(effects),
        );
    Ok(Prepared::from(server).ports(settings.ports))
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Args {
    /// What to do.
    what: What,
    /// With what: a path, an address, a program, the id of a process.
    #[serde(default)]
    target: String,
    /// Arguments of a program.
    #[serde(default)]
    arguments: Vec<String>,
    /// Where.
    #[serde(default)]
    on: On,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum What {
    Read,
    Write,
    Remove,
    Chmod,
    /// Looks up the name of a host.
    Resolve,
    Tcp,
    Udp,
    Unix,
    Bind,
    Spawn,
    Signal,
    /// Starts a program on one worker, and ends it on another, whatever thread it is told.
    Kill,
    /// Reads the memory of another process in which its environment is.
    Memory,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum On {
    /// A worker of the runtime.
    #[default]
    Worker,
    /// A thread of the runtime for work that blocks.
    Pool,
    /// A thread of its own.
    Thread,
    /// The thread that was there before the server.
    Early,
}

async fn act(_: Ctx, early: Option<Early>, args: Args) -> pymcp_kit::Result<String> {
    if matches!(args.what, What::Kill) {
        return Ok(said(kill(args).await));
    }
    let done = match args.on {
        On::Worker => tokio::spawn(async move { args.run() }).await?,
        On::Pool => tokio::task::spawn_blocking(move || args.run()).await?,
        On::Thread => thread::spawn(move || args.run())
            .join()
            .map_err(|_| gone())?,
        On::Early => match early {
            Some(early) => early.run(args)?,
            None => Err(gone()),
        },
    };
    Ok(said(done))
}

async fn kill(args: Args) -> io::Result<String> {
    let (give, given) = channel::<Child>();
    let (tell, told) = channel();
    // Each holds its worker, so that they are on two.
    tokio::spawn(async move {
        let child = given.recv_timeout(PATIENCE).map_err(|_| gone());
        let killed = child.and_then(|mut child| {
            child.kill()?;
            child.wait()
        });
        let _ = tell.send(killed);
    });
    let started = tokio::spawn(async move {
        let child = Command::new(&args.target).args(&args.arguments).spawn()?;
        give.send(child).map_err(|_| gone())?;
        told.recv_timeout(PATIENCE).map_err(|_| gone())?
    });
    let ended = started.await.map_err(io::Error::other)??;
    Ok(ended.to_string())
}

fn act_blocking(_: BlockingCtx, args: Args) -> pymcp_kit::Result<String> {
    Ok(said(args.run()))
}

fn said(done: io::Result<String>) -> String {
    match done {
        Ok(done) => format!("done: {done}"),
        Err(error) => format!("refused: {error}"),
    }
}

fn gone() -> io::Error {
    io::Error::other("there is no such thread")
}

impl Args {
    fn run(&self) -> io::Result<String> {
        let target = self.target.as_str();
        let address = || target.parse::<SocketAddr>().map_err(io::Error::other);
        match self.what {
            What::Read => std::fs::read_to_string(target),
            What::Write => std::fs::write(target, "mischief").map(|()| String::new()),
            What::Remove => std::fs::remove_file(target).map(|()| String::new()),
            What::Chmod => {
                let all = std::fs::Permissions::from_mode(0o777);
                std::fs::set_permissions(target, all).map(|()| String::new())
            }
            What::Resolve => {
                let mut found = (target, 0).to_socket_addrs()?;
                found.next().map(|_| String::new()).ok_or_else(gone)
            }
            What::Tcp => {
                let connected = TcpStream::connect_timeout(&address()?, Duration::from_secs(5));
                connected.map(|_| String::new())
            }
            What::Udp => {
                let socket = UdpSocket::bind("127.0.0.1:0")?;
                socket.send_to(b"mischief", address()?)?;
                Ok(String::new())
            }
            What::Unix => UnixStream::connect(target).map(|_| String::new()),
            What::Bind => TcpListener::bind("127.0.0.1:0").map(|_| String::new()),
            What::Spawn => {
                let output = Command::new(target).args(&self.arguments).output()?;
                let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
                match output.status.success() {
                    true => Ok(stdout),
                    false => Err(io::Error::other(format!(
                        "{}: {stdout}{}",
                        output.status,
                        String::from_utf8_lossy(&output.stderr)
                    ))),
                }
            }
            What::Signal => {
                let process = target.parse().ok().and_then(rustix::process::Pid::from_raw);
                let process = process.ok_or_else(|| io::Error::other("no process"))?;
                // One that ends nobody.
                rustix::process::kill_process(process, rustix::process::Signal::WINCH)?;
                Ok(String::new())
            }
            What::Kill => Err(gone()),
            What::Memory => std::fs::read_to_string(format!("/proc/{target}/environ")),
        }
    }
}

/// A thread that is there before the server, and does what it is told.
#[derive(Debug, Clone)]
struct Early(Arc<Sender<(Args, Sender<io::Result<String>>)>>);

impl Early {
    fn start() -> io::Result<Self> {
        let (tell, told) = channel::<(Args, Sender<io::Result<String>>)>();
        let thread = thread::Builder::new().name("early".into());
        thread.spawn(move || {
            for (args, answer) in told {
                let _ = answer.send(args.run());
            }
        })?;
        Ok(Self(Arc::new(tell)))
    }

    fn run(&self, args: Args) -> io::Result<io::Result<String>> {
        let (answer, answered) = channel();
        self.0.send((args, answer)).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())
    }
}

pub(crate) fn main() -> ExitCode {
    App::new("mischief", env!("CARGO_PKG_VERSION"))
        .settings::<Settings>()
        .run(server)
}
