//! Signals: the first asks the program to end, a second one ends it.

use crate::{Error, Result};

/// SIGINT, SIGTERM and SIGHUP, from the moment of the call on.
///
/// A second SIGINT or SIGTERM ends the process in the signal handler itself, with the exit code that
/// a shell gives for that signal (130 and 143), whatever the threads of the program do. SIGHUP
/// counts as neither: a service manager sends it beside SIGTERM. It ends the program, unless something is read again
/// instead ([`Signals::hangups`]). It is left alone where the program
/// was started with it ignored, as `nohup` does (Linux only: elsewhere nothing tells without unsafe
/// code).
#[cfg(unix)]
pub(crate) fn signals() -> Result<Signals> {
    Signals::listen().map_err(|error| Error::other(format!("Cannot listen for signals: {error}.")))
}

/// From now on, a write to a file that may not grow any more (`ulimit -f`) fails instead of ending the process: stderr
/// may be such a file.
#[cfg(unix)]
pub(crate) fn outlive_full_files() {
    // A signal that has a handler ends nothing; nobody looks at the flag. Without a handler all is as it was.
    let flag = std::sync::Arc::<std::sync::atomic::AtomicBool>::default();
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, flag);
}

#[cfg(unix)]
pub(crate) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: Option<tokio::signal::unix::Signal>,
    /// Whether a hangup is a signal to end, or one to read files again.
    hangup_ends: bool,
}

/// Hears SIGHUP.
#[cfg(unix)]
pub(crate) struct Hangups(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Hangups {
    /// Waits for the next one: for ever if the program was started with it ignored.
    pub(crate) async fn next(&mut self) {
        match &mut self.0 {
            Some(hangup) => {
                hangup.recv().await;
            }
            None => std::future::pending().await,
        }
    }
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use std::sync::Arc;
        use std::sync::atomic::AtomicBool;

        use signal_hook::consts::{SIGINT, SIGTERM};
        use signal_hook::flag;
        use tokio::signal::unix::{SignalKind, signal};

        let asked = Arc::new(AtomicBool::new(false));
        for number in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag not set, and then sets it.
            flag::register_conditional_shutdown(number, 128 + number, Arc::clone(&asked))?;
            flag::register(number, Arc::clone(&asked))?;
        }
        let hangup = match hangup_is_ignored() {
            true => None,
            false => Some(signal(SignalKind::hangup())?),
        };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
            hangup_ends: true,
        })
    }

    /// From now on SIGHUP does not end the program: whoever calls this hears it, and reads again what it has read.
    pub(crate) fn hangups(&mut self) -> Result<Hangups> {
        use tokio::signal::unix::{SignalKind, signal};

        self.hangup_ends = false;
        let again = self
            .hangup
            .as_ref()
            .map(|_| signal(SignalKind::hangup()))
            .transpose();
        again
            .map(Hangups)
            .map_err(|error| Error::other(format!("Cannot listen for signals: {error}.")))
    }

    /// Does something at each SIGHUP, which does not end the program any more; nothing where it is ignored.
    pub(crate) fn on_hangup(&mut self, action: impl Fn() + Send + Sync + 'static) -> Result<()> {
        let mut hangups = self.hangups()?;
        if hangups.0.is_none() {
            return Ok(());
        }
        let action = std::sync::Arc::new(action);
        tokio::spawn(async move {
            loop {
                hangups.next().await;
                let action = std::sync::Arc::clone(&action);
                // Files may be slow.
                let _ = tokio::task::spawn_blocking(move || action()).await;
            }
        });
        Ok(())
    }

    /// Waits for the first of them.
    pub(crate) async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) if self.hangup_ends => hangup.recv().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }
}

/// Whether this process ignores SIGHUP: the first bit of the mask that the kernel shows.
#[cfg(unix)]
fn hangup_is_ignored() -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return false;
    };
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(not(unix))]
pub(crate) fn signals() -> Result<Signals> {
    Ok(Signals)
}

#[cfg(not(unix))]
pub(crate) struct Signals;

/// There is no such signal here.
#[cfg(not(unix))]
pub(crate) struct Hangups;

#[cfg(not(unix))]
impl Hangups {
    pub(crate) async fn next(&mut self) {
        std::future::pending().await
    }
}

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn hangups(&mut self) -> Result<Hangups> {
        Ok(Hangups)
    }

    /// There is no such signal.
    pub(crate) fn on_hangup(&mut self, _: impl Fn() + Send + Sync + 'static) -> Result<()> {
        Ok(())
    }

    pub(crate) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// What `a_second_signal_ends_a_process_whose_threads_are_all_busy` starts: a runtime none of whose threads
    /// ever looks at a signal.
    #[test]
    #[ignore = "another test starts it in a process of its own"]
    #[allow(clippy::print_stdout)]
    fn busy_process() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let _signals = Signals::listen().unwrap();
            for _ in 0..2 {
                tokio::spawn(async {
                    loop {
                        std::hint::spin_loop();
                    }
                });
            }
            println!("\nbusy");
            // Bounded, should the test be killed.
            std::thread::sleep(2 * PATIENCE);
        });
    }

    struct Busy(Child);

    impl Drop for Busy {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    impl Busy {
        fn start() -> Self {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args([
                "--exact",
                "signals::tests::busy_process",
                "--ignored",
                "--nocapture",
            ]);
            let mut busy = Self(command.stdout(Stdio::piped()).spawn().unwrap());
            let stdout = BufReader::new(busy.0.stdout.take().unwrap());
            let mut lines = stdout.lines().map_while(Result::ok);
            assert!(lines.any(|line| line == "busy"), "it has ended");
            busy
        }

        fn signal(&self, name: &str) {
            let pid = self.0.id().to_string();
            let mut kill = Command::new("kill");
            let sent = kill.args([&format!("-{name}"), &pid]).status();
            assert!(sent.unwrap().success());
        }

        fn code(&mut self) -> Option<i32> {
            let deadline = Instant::now() + PATIENCE;
            while Instant::now() < deadline {
                if let Some(status) = self.0.try_wait().unwrap() {
                    return status.code();
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            panic!("it goes on");
        }
    }

    #[test]
    fn a_second_signal_ends_a_process_whose_threads_are_all_busy() {
        for (first, second, code) in [
            ("TERM", "TERM", 143),
            ("INT", "INT", 130),
            ("INT", "TERM", 143),
            ("TERM", "INT", 130),
        ] {
            let mut busy = Busy::start();
            busy.signal(first);
            // Two signals of a kind that come at once are one.
            std::thread::sleep(Duration::from_millis(100));
            assert_eq!(busy.0.try_wait().unwrap(), None, "{first} ended it");
            busy.signal(second);
            assert_eq!(busy.code(), Some(code), "{first} {second}");
        }
    }

    #[test]
    fn a_hangup_is_no_second_signal() {
        let mut busy = Busy::start();
        for name in ["HUP", "TERM", "HUP"] {
            busy.signal(name);
            std::thread::sleep(Duration::from_millis(50));
            assert_eq!(busy.0.try_wait().unwrap(), None, "{name} ended it");
        }
        busy.signal("TERM");
        assert_eq!(busy.code(), Some(143));
    }
}
