//! Without an effect nothing is possible, on any thread, over any transport.

use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;

use super::*;

/// Threads on which a tool may run.
const THREADS: [&str; 4] = ["worker", "pool", "thread", "blocking"];

/// Something of this machine for each misdeed.
struct World {
    folder: tempfile::TempDir,
    tcp: TcpListener,
    udp: UdpSocket,
    _unix: UnixListener,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "a secret").unwrap();
        Self {
            tcp: TcpListener::bind("127.0.0.1:0").unwrap(),
            udp: UdpSocket::bind("127.0.0.1:0").unwrap(),
            _unix: UnixListener::bind(folder.path().join("socket")).unwrap(),
            folder,
        }
    }

    /// Each thing that can be done, and with what.
    fn misdeeds(&self) -> Vec<(&'static str, String)> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let me = std::process::id().to_string();
        vec![
            ("read", path("secret")),
            ("read", "/etc/passwd".into()),
            ("read", "/proc/self/status".into()),
            ("write", path("made")),
            ("chmod", path("secret")),
            ("remove", path("made")),
            ("tcp", self.tcp.local_addr().unwrap().to_string()),
            ("udp", self.udp.local_addr().unwrap().to_string()),
            ("unix", path("socket")),
            ("bind", String::new()),
            ("spawn", "/bin/true".into()),
            ("signal", me.clone()),
            ("memory", me),
        ]
    }
}

async fn do_all(served: &mut Served, world: &World, threads: &[&str], allowed: bool) {
    // Removing something needs something.
    std::fs::write(world.folder.path().join("made"), "").unwrap();
    for (what, target) in world.misdeeds() {
        for on in threads {
            let done = served.act(what, &target, on).await;
            let as_wanted = if allowed {
                done.is_ok()
            } else {
                is_refused(&done)
            };
            assert!(as_wanted, "{what} {target} on {on}: {done:?}");
        }
    }
}

#[tokio::test]
async fn off_everything_is_possible() {
    let world = World::new();
    let program = mischief(world.folder.path(), &["--confine=off"]);
    do_all(&mut Served::stdio(&program), &world, &["worker"], true).await;
    do_all(&mut Served::http(&program).await, &world, &["worker"], true).await;
}

#[tokio::test]
async fn without_effects_nothing_is_possible_on_any_thread() {
    if !is_confinable() {
        return;
    }
    let world = World::new();
    for mode in ["--confine=auto", "--confine=require"] {
        let program = mischief(world.folder.path(), &[mode]);
        do_all(&mut Served::stdio(&program), &world, &THREADS, false).await;
        let mut http = Served::http(&program).await;
        do_all(&mut http, &world, &THREADS, false).await;
        // What is being served goes on, and ends as always.
        http.running.terminate();
        assert!(http.running.wait().await.success());
        http.assert_said("confined: files, network, programs, signals, privileges (Landlock ");
    }
}

/// A thread that Landlock does not bind, since it was there before, is bound by seccomp.
#[tokio::test]
async fn a_thread_of_the_authors_own_can_do_nothing_either() {
    if !is_confinable() {
        return;
    }
    let world = World::new();
    let program = mischief(world.folder.path(), &["--early-thread"]);
    let mut served = Served::http(&program).await;
    do_all(&mut served, &world, &["early"], false).await;
    let program = mischief(world.folder.path(), &["--early-thread", "--confine=off"]);
    do_all(&mut Served::stdio(&program), &world, &["early"], true).await;
}
