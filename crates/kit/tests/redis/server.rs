//! A `redis-server` of a test's own, on a Unix socket in a folder of its own. It ends with the test. `REDIS_SERVER` names
//! another program: that of Valkey, or of an older version.

use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::time::Duration;

/// Nothing that is waited for here takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct RedisServer {
    folder: tempfile::TempDir,
    options: Vec<String>,
    process: Option<Child>,
}

impl RedisServer {
    /// Starts one. `None` where there is no `redis-server`, which is said on stderr once; on CI it has to be there.
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self {
            folder,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            process: None,
        };
        match server.run() {
            Ok(()) => Some(server),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                assert!(std::env::var_os("CI").is_none(), "CI has no redis-server");
                static SAID: Once = Once::new();
                // Past what the test harness captures.
                SAID.call_once(|| {
                    let _ = writeln!(
                        std::io::stderr(),
                        "LEFT OUT: redis-server is not on the PATH, so nothing of the store that replicas share is tested here."
                    );
                });
                None
            }
            Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {
                static SAID: Once = Once::new();
                SAID.call_once(|| {
                    let _ = writeln!(std::io::stderr(), "LEFT OUT: {error}.");
                });
                None
            }
            Err(error) => panic!("redis-server does not start: {error}"),
        }
    }

    /// Starts it again after [`RedisServer::kill`].
    pub(crate) fn run(&mut self) -> std::io::Result<()> {
        let program = std::env::var_os("REDIS_SERVER");
        let another = program.is_some();
        let mut child = Command::new(program.unwrap_or_else(|| "redis-server".into()))
            .args(["--port", "0", "--unixsocket"])
            .arg(self.socket())
            .arg("--dir")
            .arg(self.folder.path())
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut all = String::new();
        while !all.to_lowercase().contains("ready to accept connections") {
            if said.read_line(&mut all)? == 0 {
                child.wait()?;
                // Debian's has it.
                if another && self.options.iter().any(|option| option == "--tls-port") {
                    let why =
                        "the program that REDIS_SERVER names has no TLS, so that is not tested";
                    return Err(std::io::Error::new(std::io::ErrorKind::Unsupported, why));
                }
                panic!("redis-server ended: {all}");
            }
        }
        // It must never wait for somebody who reads.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        self.process = Some(child);
        Ok(())
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// The same with a user and a password.
    pub(crate) fn url_of(&self, user: &str, password: &str) -> String {
        format!("{}?user={user}&pass={password}", self.url())
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Stops it, so that it does nothing until [`RedisServer::go_on`].
    pub(crate) fn stop(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let process = self.process.as_ref().unwrap();
        let id = rustix::process::Pid::from_child(process);
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// What it answers to a command, the parts of an array on a line each; an error begins with a minus.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        let stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut message = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            message.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
        }
        (&stream).write_all(&message).unwrap();
        answer(&mut BufReader::new(&stream))
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn answer(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    let line = line.trim_end();
    let (kind, rest) = line.split_at(1);
    match kind {
        "$" => match rest.parse::<usize>() {
            Ok(length) => {
                let mut bytes = vec![0; length + 2];
                from.read_exact(&mut bytes).unwrap();
                String::from_utf8_lossy(&bytes[..length]).into_owned()
            }
            Err(_) => String::new(),
        },
        "*" => {
            let parts = (0..rest.parse().unwrap_or(0)).map(|_: usize| answer(from));
            parts.collect::<Vec<_>>().join("\n")
        }
        "-" => line.to_owned(),
        _ => rest.to_owned(),
    }
}
