//! The process's own stdin, stdout and stderr, without a buffer and without a lock.
//!
//! `O_NONBLOCK` belongs to the open file, which the process that started this one shares and may set or clear at any
//! time. It is never changed here; where it is set, a read or write waits until the file is ready, as it does
//! everywhere else.

#[cfg(unix)]
use std::io::{Read, Write};

#[cfg(unix)]
mod unix {
    use std::io;
    use std::os::fd::AsFd;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;

    /// Reads and writes a descriptor until something was done, whether it blocks or not.
    pub(super) struct Waiting<F>(pub(super) F);

    /// Between two tries where the system cannot say when a file is ready, as for some terminals.
    const PAUSE: Duration = Duration::from_millis(10);

    impl<F: AsFd> Waiting<F> {
        fn until_done(
            &self,
            ready: PollFlags,
            mut act: impl FnMut(&F) -> rustix::io::Result<usize>,
        ) -> io::Result<usize> {
            loop {
                match act(&self.0) {
                    Err(Errno::AGAIN) => self.wait(ready)?,
                    Err(Errno::INTR) => {}
                    done => return Ok(done?),
                }
            }
        }

        fn wait(&self, ready: PollFlags) -> io::Result<()> {
            let mut polled = [PollFd::new(&self.0, ready)];
            match poll(&mut polled, None) {
                Ok(_) if polled[0].revents().contains(PollFlags::NVAL) => {
                    std::thread::sleep(PAUSE);
                    Ok(())
                }
                Ok(_) | Err(Errno::INTR) => Ok(()),
                Err(error) => Err(error.into()),
            }
        }
    }

    impl<F: AsFd> io::Read for Waiting<F> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.until_done(PollFlags::IN, |file| rustix::io::read(file, &mut *buffer))
        }
    }

    impl<F: AsFd> io::Write for Waiting<F> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.until_done(PollFlags::OUT, |file| rustix::io::write(file, bytes))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(unix)]
pub(crate) fn stdin() -> impl Read + Send + 'static {
    unix::Waiting(rustix::stdio::stdin())
}

#[cfg(unix)]
pub(crate) fn stdout() -> impl Write + Send + 'static {
    unix::Waiting(rustix::stdio::stdout())
}

#[cfg(unix)]
pub(crate) fn stderr() -> impl Write + Send + 'static {
    unix::Waiting(rustix::stdio::stderr())
}

#[cfg(not(unix))]
pub(crate) use std::io::{stderr, stdin, stdout};

#[cfg(all(test, unix))]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::unix::Waiting;

    #[test]
    fn what_does_not_block_is_waited_for() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        let sent: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let expected = sent.clone();
        let writer = thread::spawn(move || Waiting(theirs).write_all(&sent).unwrap());
        let mut received = Vec::new();
        Waiting(ours).read_to_end(&mut received).unwrap();
        writer.join().unwrap();
        assert!(received == expected);
    }
}
