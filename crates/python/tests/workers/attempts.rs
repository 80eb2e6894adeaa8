//! The attempts of a worker that was taken over: what it would do if the interpreter had not been in
//! its way.

use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};
use std::sync::OnceLock;

use pymcp_python::confine;

/// Asking for it is refused as well, later.
static PARENT: OnceLock<u32> = OnceLock::new();

/// Name, and the attempt.
type Attempt = (&'static str, fn() -> io::Result<()>);

/// What no layer may let through.
pub(crate) const ATTEMPTS: &[Attempt] = &[
    ("open a file", || File::open("/etc/passwd").map(drop)),
    ("read its own environment", || {
        fs::read("/proc/self/environ").map(drop)
    }),
    ("list a directory", || fs::read_dir("/").map(drop)),
    ("write a file", || fs::write("/tmp/pymcp-attempt", "x")),
    ("execute a program", || {
        Command::new("/bin/true").status().map(drop)
    }),
    ("connect over TCP", || {
        TcpStream::connect("127.0.0.1:9").map(drop)
    }),
];

/// What only seccomp refuses, or newer versions of Landlock.
pub(crate) const MORE_ATTEMPTS: &[Attempt] = &[
    ("open a socket", || UdpSocket::bind("127.0.0.1:0").map(drop)),
    ("listen", || TcpListener::bind("127.0.0.1:0").map(drop)),
    ("connect to a Unix socket", || {
        UnixStream::connect("/run/x").map(drop)
    }),
    ("fork", || {
        // What the standard library forks with; nothing is executed, since it does not get so far.
        Command::new("/nowhere").status().map(drop)
    }),
    ("start a thread", || {
        std::thread::Builder::new().spawn(|| {}).map(drop)
    }),
    ("end its parent", || {
        let parent = rustix::process::Pid::from_raw(*PARENT.get().unwrap() as i32).unwrap();
        Ok(rustix::process::test_kill_process(parent)?)
    }),
    ("allow itself more memory", || {
        let more = rustix::process::Rlimit {
            current: Some(1 << 40),
            maximum: Some(1 << 40),
        };
        Ok(rustix::process::setrlimit(
            rustix::process::Resource::As,
            more,
        )?)
    }),
];

/// To be called while it may be asked.
pub(crate) fn know_parent() {
    PARENT.set(std::os::unix::process::parent_id()).unwrap();
}

/// Tries everything; a line for each attempt.
pub(crate) fn all() -> String {
    let attempts = ATTEMPTS.iter().chain(MORE_ATTEMPTS);
    let lines = attempts.map(|(name, attempt)| match attempt() {
        Ok(()) => format!("{name}: done\n"),
        Err(error) => format!("{name}: {}\n", error.raw_os_error().unwrap_or(0)),
    });
    lines.collect()
}

/// Puts the named layers in force, and tries; a line for each attempt.
pub(crate) fn run(layers: &str) -> ExitCode {
    know_parent();
    if layers != "seccomp" && layers != "none" {
        let in_force = confine::before_threads();
        println!("environment empty: {}", in_force.environment);
        println!("descriptors closed: {}", in_force.descriptors);
        println!("Landlock: {}", in_force.landlock);
    }
    if layers != "landlock" && layers != "none" {
        println!("seccomp: {}", confine::all_threads());
    }
    print!("{}", all());
    let inherited = std::env::var_os("PYMCP_SECRET").is_some();
    println!("secret in the environment: {inherited}");
    ExitCode::SUCCESS
}
