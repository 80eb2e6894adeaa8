//! Whether callers may write by themselves: not while the disk is slow.

use std::time::{Duration, Instant};

/// Time that a caller who writes a group may take: it holds a thread that serves others.
const SLOW: Duration = Duration::from_millis(10);

/// Time for which the thread alone writes after a group that took longer: so callers stand still a hundredth of the time at
/// most. Twice as long each time in a row, up to [`MAX_CAUTION`].
const FIRST_CAUTION: Duration = Duration::from_secs(1);
const MAX_CAUTION: Duration = Duration::from_secs(60);

/// What is known of the disk.
#[derive(Debug, Default)]
pub(super) struct Caution {
    until: Option<Instant>,
    lasts: Duration,
}

impl Caution {
    /// Takes note of how long a group took.
    pub(super) fn took(&mut self, time: Duration, now: Instant) {
        if time > SLOW {
            self.lasts = (self.lasts * 2).clamp(FIRST_CAUTION, MAX_CAUTION);
            self.until = now.checked_add(self.lasts);
        } else if self.is_over(|| now) {
            *self = Self::default();
        }
    }

    /// Whether callers may write; the clock is looked at only where that depends on it.
    pub(super) fn is_over(&self, now: impl FnOnce() -> Instant) -> bool {
        self.until.is_none_or(|until| now() >= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_write_again_a_second_after_a_slow_disk_and_later_if_it_stays_slow() {
        let (fast, slow) = (Duration::from_millis(1), Duration::from_millis(11));
        let second = Duration::from_secs(1);
        let begin = Instant::now();
        let mut caution = Caution::default();
        let may = |caution: &Caution, now| caution.is_over(|| now);
        caution.took(fast, begin);
        assert!(may(&caution, begin));
        caution.took(slow, begin);
        assert!(!may(&caution, begin));
        // What the thread writes meanwhile says nothing of what a caller waits for.
        caution.took(fast, begin + second / 2);
        assert!(!may(&caution, begin + second / 2));
        assert!(may(&caution, begin + second));
        caution.took(slow, begin + second);
        assert!(!may(&caution, begin + 2 * second));
        assert!(may(&caution, begin + 3 * second));
        for _ in 0..10 {
            caution.took(slow, begin);
        }
        assert!(!may(&caution, begin + 59 * second));
        assert!(may(&caution, begin + 60 * second));
        // It is quick again.
        caution.took(fast, begin + 60 * second);
        caution.took(slow, begin + 60 * second);
        assert!(may(&caution, begin + 61 * second));
    }
}
