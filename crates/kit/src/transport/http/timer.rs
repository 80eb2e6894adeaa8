//! Timers that stay set: one for a connection, and not one for each of its requests.
//!
//! A timer of tokio's is put into a wheel that all threads share under a lock, and taken out of it again when it is not needed
//! any more, which is nearly always so at once. Here it stays in. When it goes off for something that is over it is set anew
//! for what is waited for then.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use tokio::time::{self, sleep_until};

type Shared = Arc<Mutex<Option<Pin<Box<time::Sleep>>>>>;

/// Longer than anybody waits; a time that no clock can add would be none.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A timer that stays set, of one task that waits for one thing at a time.
#[derive(Clone, Default)]
pub(super) struct Lasting(Shared);

impl Lasting {
    /// What `work` comes to, unless it takes longer than this.
    pub(super) async fn within<F: Future>(&self, patience: Duration, work: F) -> Option<F::Output> {
        let mut until = self.until(time::Instant::now() + patience.min(LONGEST));
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Pin::new(&mut until).poll(cx).map(|()| None),
        })
        .await
    }

    fn until(&self, deadline: time::Instant) -> Until {
        Until {
            deadline,
            timer: Arc::clone(&self.0),
        }
    }
}

/// The time that heads have, for hyper, which sets it for each and takes it back.
#[derive(Default)]
pub(super) struct HeadTimer(Lasting);

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(self.0.until(deadline.into()))
    }

    fn now(&self) -> Instant {
        time::Instant::now().into_std()
    }
}

struct Until {
    deadline: time::Instant,
    timer: Shared,
}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Nothing that is done under this lock can panic half-way.
        let mut timer = self.timer.lock().unwrap_or_else(PoisonError::into_inner);
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(self.deadline)));
        if timer.deadline() > self.deadline {
            timer.as_mut().reset(self.deadline);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= self.deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(self.deadline);
        }
    }
}

impl Sleep for Until {}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_head_has_its_time_whatever_was_set_for_those_before() {
        const HEAD: Duration = Duration::from_secs(15);
        let timer = HeadTimer::default();
        let begun = time::Instant::now();
        for _ in 0..10 {
            let mut head = timer.sleep(HEAD);
            assert!((&mut head).now_or_never().is_none());
            time::sleep(Duration::from_secs(4)).await;
            assert!((&mut head).now_or_never().is_none());
        }
        let last = time::Instant::now();
        assert_eq!(last - begun, Duration::from_secs(40));
        timer.sleep(HEAD).await;
        assert_eq!(last.elapsed(), HEAD);
        // And after one that has gone off.
        timer.sleep(HEAD).await;
        assert_eq!(last.elapsed(), HEAD * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_is_left_whatever_had_more_time_before() {
        let timer = Lasting::default();
        let begun = time::Instant::now();
        for seconds in [15, 1, 15] {
            let wait = time::sleep(Duration::from_millis(10));
            let patience = Duration::from_secs(seconds);
            assert_eq!(timer.within(patience, wait).await, Some(()));
        }
        assert_eq!(begun.elapsed(), Duration::from_millis(30));
        for seconds in [1, 15, 2] {
            let begun = time::Instant::now();
            let patience = Duration::from_secs(seconds);
            let never = std::future::pending::<()>();
            assert_eq!(timer.within(patience, never).await, None);
            assert_eq!(begun.elapsed(), patience);
        }
    }
}
