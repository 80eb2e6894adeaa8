//! Answers in one block of memory: a new one goes behind the last, and the oldest make room.
//!
//! All answers live equally long, so the oldest is also the next to expire, and no other order is
//! needed. The block is asked for whole and zeroed: the operating system gives its pages as they are
//! written to, and takes them all back when it is let go of. Entries that the heap held, each for
//! itself, would leave it full of holes that no other use fits in.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use tokio::time::Instant;

/// A block is left for a new one when at most one byte of so many that were written is in use.
const SPARSE: usize = 4;

pub(super) struct Ring {
    /// Bytes of the block.
    capacity: usize,
    /// The most entries.
    entries: usize,
    /// Empty until there is an entry.
    block: Vec<u8>,
    /// The oldest first.
    slots: VecDeque<Slot>,
    /// The number of the oldest; each is numbered one higher than the one before.
    oldest: u64,
    /// The number of the youngest entry with this hash.
    index: HashMap<u64, u64>,
    /// Where the youngest entry ends.
    end: usize,
    /// Bytes from the start of the block that were ever written to.
    written: usize,
    /// Bytes of all entries.
    used: usize,
}

/// Where an entry is: its question, and behind that its answer.
struct Slot {
    hash: u64,
    start: usize,
    question: usize,
    answer: usize,
    until: Instant,
}

impl Ring {
    /// Room for so many entries of so many bytes together. Takes no memory yet.
    pub(super) fn new(capacity: usize, entries: usize) -> Self {
        Self {
            capacity,
            entries,
            block: Vec::new(),
            slots: VecDeque::new(),
            oldest: 0,
            index: HashMap::new(),
            end: 0,
            written: 0,
            used: 0,
        }
    }

    /// A copy of the answer to this question, so that who takes long to read it keeps nothing else.
    pub(super) fn get(&self, hash: u64, question: &[u8], now: Instant) -> Option<Bytes> {
        let number = self.index.get(&hash)?;
        let at = usize::try_from(number.checked_sub(self.oldest)?).ok()?;
        let slot = self.slots.get(at).filter(|slot| now < slot.until)?;
        let entry = self.block.get(slot.start..)?;
        let (asked, entry) = entry.split_at_checked(slot.question)?;
        // Two questions may have the same hash.
        (asked == question).then(|| Bytes::copy_from_slice(&entry[..slot.answer]))
    }

    /// Keeps an answer in place of the oldest ones. One that is larger than all there is, is not kept.
    pub(super) fn insert(
        &mut self,
        hash: u64,
        question: &[u8],
        answer: &[u8],
        now: Instant,
        until: Instant,
    ) {
        let size = question.len() + answer.len();
        if size > self.capacity || self.entries == 0 {
            return;
        }
        self.expire(now);
        while self.slots.len() >= self.entries {
            self.evict();
        }
        let start = self.make_room(size);
        if self.block.is_empty() {
            self.block = vec![0; self.capacity];
        }
        self.end = start + size;
        self.written = self.written.max(self.end);
        self.used += size;
        let (asked, answered) = self.block[start..self.end].split_at_mut(question.len());
        asked.copy_from_slice(question);
        answered.copy_from_slice(answer);
        self.index
            .insert(hash, self.oldest + self.slots.len() as u64);
        self.slots.push_back(Slot {
            hash,
            start,
            question: question.len(),
            answer: answer.len(),
            until,
        });
    }

    /// Where `size` bytes are free behind the youngest entry, or at the start of the block.
    fn make_room(&mut self, size: usize) -> usize {
        loop {
            let Some(oldest) = self.slots.front() else {
                return 0;
            };
            // What is used reaches round the end of the block unless the youngest is behind the oldest.
            let behind = match self.end > oldest.start {
                true => self.capacity - self.end,
                false => oldest.start - self.end,
            };
            if size <= behind {
                return self.end;
            }
            if self.end > oldest.start && size <= oldest.start {
                return 0;
            }
            self.evict();
        }
    }

    fn evict(&mut self) {
        let Some(slot) = self.slots.pop_front() else {
            return;
        };
        if self.index.get(&slot.hash) == Some(&self.oldest) {
            self.index.remove(&slot.hash);
        }
        self.oldest += 1;
        self.used -= slot.question + slot.answer;
    }

    fn expire(&mut self, now: Instant) {
        while self.slots.front().is_some_and(|slot| slot.until <= now) {
            self.evict();
        }
    }

    /// Lets go of what has expired, and gives its memory back.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.expire(now);
        if self.used > self.written / SPARSE {
            return;
        }
        let sparse = std::mem::replace(self, Self::new(self.capacity, self.entries));
        for slot in &sparse.slots {
            let entry = &sparse.block[slot.start..];
            let (question, entry) = entry.split_at(slot.question);
            self.insert(slot.hash, question, &entry[..slot.answer], now, slot.until);
        }
    }

    /// How many answers there can be.
    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    /// How many there are, those included that are too old and were not swept yet.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of these, with their questions.
    pub(super) fn bytes(&self) -> usize {
        self.used
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Answers `a` repeated to the question that is the hash.
    fn insert(ring: &mut Ring, hash: u64, answer: usize, now: Instant) {
        let question = hash.to_le_bytes();
        ring.insert(hash, &question, &vec![b'a'; answer], now, now + SECOND);
    }

    fn found(ring: &Ring, hash: u64, now: Instant) -> Option<usize> {
        let answer = ring.get(hash, &hash.to_le_bytes(), now)?;
        assert!(answer.iter().all(|byte| *byte == b'a'));
        Some(answer.len())
    }

    #[test]
    fn the_oldest_make_room_in_bytes_and_in_entries() {
        let now = Instant::now();
        // Three entries of 8 + 24 bytes.
        let mut ring = Ring::new(100, 1000);
        for hash in 0..10 {
            insert(&mut ring, hash, 24, now);
        }
        let kept: Vec<_> = (0..10).filter_map(|hash| found(&ring, hash, now)).collect();
        assert_eq!(kept, [24; 3]);
        assert!(found(&ring, 9, now).is_some() && found(&ring, 6, now).is_none());
        let mut ring = Ring::new(100_000, 5);
        for hash in 0..10 {
            insert(&mut ring, hash, 24, now);
        }
        assert_eq!(ring.slots.len(), 5);
        assert_eq!((ring.index.len(), ring.used), (5, 5 * 32));
        assert!(found(&ring, 5, now).is_some() && found(&ring, 4, now).is_none());
    }

    #[test]
    fn what_is_larger_than_all_of_it_is_not_kept() {
        let now = Instant::now();
        let mut ring = Ring::new(100, 10);
        insert(&mut ring, 1, 10, now);
        insert(&mut ring, 2, 93, now);
        assert_eq!(
            (found(&ring, 1, now), found(&ring, 2, now)),
            (Some(10), None)
        );
        insert(&mut ring, 2, 92, now);
        assert_eq!(
            (found(&ring, 1, now), found(&ring, 2, now)),
            (None, Some(92))
        );
    }

    #[test]
    fn a_question_with_the_hash_of_another_has_no_answer() {
        let now = Instant::now();
        let mut ring = Ring::new(100, 10);
        insert(&mut ring, 1, 10, now);
        assert_eq!(ring.get(1, b"another", now), None);
        ring.insert(1, b"another", b"its own", now, now + SECOND);
        assert_eq!(
            ring.get(1, b"another", now).as_deref(),
            Some(&b"its own"[..])
        );
        assert_eq!(found(&ring, 1, now), None);
    }

    #[test]
    fn memory_is_given_back_with_what_it_held() {
        let start = Instant::now();
        let mut ring = Ring::new(1000, 100);
        assert_eq!(ring.block.capacity(), 0);
        insert(&mut ring, 0, 900, start);
        ring.sweep(start);
        assert_eq!(found(&ring, 0, start), Some(900));
        let half = start + SECOND / 2;
        insert(&mut ring, 1, 10, half);
        let late = start + SECOND;
        assert_eq!(found(&ring, 0, late), None);
        // One small entry is no reason to keep the pages that a large one had.
        assert_eq!(ring.written, 926);
        ring.sweep(late);
        assert_eq!((ring.written, found(&ring, 1, late)), (18, Some(10)));
        ring.sweep(half + SECOND);
        assert!(ring.is_empty());
        assert_eq!((ring.block.capacity(), ring.index.capacity()), (0, 0));
    }

    proptest! {
        /// Whatever came before, an entry is found as it was put there, until others took its room.
        #[test]
        fn it_holds_the_youngest(
            capacity in 1_usize..300,
            entries in 1_usize..20,
            steps in proptest::collection::vec((0_u64..8, 0_usize..80, 0_u64..400, any::<bool>()), 1..80),
        ) {
            let mut ring = Ring::new(capacity, entries);
            let mut now = Instant::now();
            // Hash, size of the answer, and end of all that were put there.
            let mut all: Vec<(u64, usize, Instant)> = Vec::new();
            for (hash, answer, pause, sweep) in steps {
                now += Duration::from_millis(pause);
                insert(&mut ring, hash, answer, now);
                if answer + 8 <= capacity {
                    all.push((hash, answer, now + SECOND));
                }
                if sweep {
                    ring.sweep(now);
                }
                prop_assert!(ring.used <= capacity && ring.slots.len() <= entries);
                prop_assert!(ring.block.len() <= capacity && ring.written <= capacity);
                prop_assert!(ring.index.len() <= ring.slots.len());
                let latest = all.last().copied().filter(|_| answer + 8 <= capacity);
                if let Some((hash, answer, _)) = latest {
                    prop_assert_eq!(found(&ring, hash, now), Some(answer));
                }
                for hash in 0..8 {
                    let last = all.iter().rev().find(|entry| entry.0 == hash);
                    if let Some(kept) = found(&ring, hash, now) {
                        let (_, answer, until) = last.copied().unwrap();
                        prop_assert_eq!(kept, answer);
                        prop_assert!(now < until);
                    }
                }
            }
        }
    }
}
