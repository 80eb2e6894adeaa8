//! A thread from before the first domain of Landlock, which sees the processes of others: a server that cannot listen wants
//! to know who has its port. It ends before the server serves.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

static BEFORE: Mutex<Option<Before>> = Mutex::new(None);

struct Before {
    asked: Sender<Box<dyn FnOnce() + Send>>,
    thread: JoinHandle<()>,
}

/// Starts it.
pub(super) fn begin() {
    let (asked, looks) = channel::<Box<dyn FnOnce() + Send>>();
    let thread = thread::Builder::new()
        .name("before".into())
        .stack_size(256 << 10)
        .spawn(move || looks.into_iter().for_each(|look| look()));
    // Without it something is not said.
    *before() = thread.ok().map(|thread| Before { asked, thread });
}

/// Looks at something as if nothing was confined, while there is such a thread.
pub(crate) fn look<T: Send + 'static>(
    look: impl FnOnce() -> Option<T> + Send + 'static,
) -> Option<T> {
    let asked = before().as_ref().map(|before| before.asked.clone());
    let Some(asked) = asked else {
        return look();
    };
    let (tell, told) = channel();
    let tells = Box::new(move || _ = tell.send(look()));
    asked.send(tells).ok()?;
    told.recv().ok()?
}

/// Ends it.
pub(super) fn end() {
    if let Some(Before { asked, thread }) = before().take() {
        drop(asked);
        let _ = thread.join();
    }
}

fn before() -> MutexGuard<'static, Option<Before>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_until_it_ends_and_then_whoever_asks_looks() {
        let name = || look(|| thread::current().name().map(str::to_owned));
        let me = thread::current().name().map(str::to_owned);
        assert_eq!(name(), me);
        begin();
        assert_eq!(name().as_deref(), Some("before"));
        end();
        assert_eq!(name(), me);
    }
}
