//! The sort of the interpreter, for `sorted` and `list.sort`: stable, and with a comparison that can fail or make no sense.
//!
//! `timsort` 0.1.3, which the interpreter would take, keeps no run for later: it merges each one at once with all that is
//! sorted already, so a list of 100,000 takes seconds. The workspace's `Cargo.toml` puts this in its place, under its
//! name. The sort of the standard library is none for this: it may panic where a comparison contradicts itself, which a
//! class of Python can do.
//!
//! What is sorted are positions, by merging the runs that are found; then each element moves once. So there is no unsafe code,
//! and a list whose comparison failed is as it was.

/// Elements of a run at least: a shorter one takes in those that follow.
const MIN_RUN: usize = 32;

/// Sorts a list, the smallest first; `is_greater` says whether the first of two belongs behind the second. Elements that are
/// equal stay in their order. It compares some `n log2 n` times, and `n - 1` times where the list is in order, or in the
/// reverse.
///
/// # Errors
/// The first one of `is_greater`; the list is as it was then.
pub fn try_sort_by_gt<T, E, C: Fn(&T, &T) -> Result<bool, E>>(
    list: &mut [T],
    is_greater: C,
) -> Result<(), E> {
    let order = {
        let list = &*list;
        let mut sort = Sort {
            is_greater: |a: usize, b: usize| is_greater(&list[a], &list[b]),
            order: (0..list.len()).collect(),
            left: Vec::new(),
        };
        sort.all()?;
        sort.order
    };
    arrange(list, order);
    Ok(())
}

/// Moves the element that is at `order[i]` to `i`, for each `i`.
fn arrange<T>(list: &mut [T], mut order: Vec<usize>) {
    for first in 0..order.len() {
        let mut to = first;
        while order[to] != to {
            let from = std::mem::replace(&mut order[to], to);
            if from == first {
                break;
            }
            list.swap(to, from);
            to = from;
        }
    }
}

/// A sort under way.
struct Sort<C> {
    is_greater: C,
    /// Positions of elements.
    order: Vec<usize>,
    /// The first of two runs while they are merged.
    left: Vec<usize>,
}

impl<E, C: Fn(usize, usize) -> Result<bool, E>> Sort<C> {
    /// Finds the runs, from the first to the last. Each that waits is more than twice as long as the next one, so there are few,
    /// and an element is merged seldom.
    fn all(&mut self) -> Result<(), E> {
        let mut begins = Vec::new();
        let mut end = 0;
        while end < self.order.len() {
            begins.push(end);
            end = self.run(end)?;
            while let [.., first, second] = begins[..]
                && second - first <= 2 * (end - second)
            {
                self.merge(first, second, end)?;
                begins.pop();
            }
        }
        while let [.., first, second] = begins[..] {
            self.merge(first, second, end)?;
            begins.pop();
        }
        Ok(())
    }

    fn is_greater(&self, a: usize, b: usize) -> Result<bool, E> {
        (self.is_greater)(self.order[a], self.order[b])
    }

    /// Makes a run of what begins there, and returns its end.
    fn run(&mut self, begin: usize) -> Result<usize, E> {
        let last = self.order.len();
        let mut end = begin + 1;
        if end < last {
            let falls = self.is_greater(begin, end)?;
            end += 1;
            while end < last && self.is_greater(end - 1, end)? == falls {
                end += 1;
            }
            // None of them are equal.
            if falls {
                self.order[begin..end].reverse();
            }
        }
        let least = last.min(begin + MIN_RUN);
        for next in end..least {
            let (mut low, mut high) = (begin, next);
            while low < high {
                let middle = low.midpoint(high);
                match self.is_greater(middle, next)? {
                    true => high = middle,
                    false => low = middle + 1,
                }
            }
            self.order[low..=next].rotate_right(1);
        }
        Ok(end.max(least))
    }

    /// Merges two runs that follow one another.
    fn merge(&mut self, begin: usize, middle: usize, end: usize) -> Result<(), E> {
        if !self.is_greater(middle - 1, middle)? {
            return Ok(());
        }
        self.left.clear();
        self.left.extend_from_slice(&self.order[begin..middle]);
        let (mut left, mut right, mut to) = (0, middle, begin);
        // What is left of the second run is in its place already.
        while left < self.left.len() {
            let takes_right = right < end && (self.is_greater)(self.left[left], self.order[right])?;
            self.order[to] = match takes_right {
                true => self.order[right],
                false => self.left[left],
            };
            right += usize::from(takes_right);
            left += usize::from(!takes_right);
            to += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// Sorts by the first of two, and says how often it compared.
    fn sorted(list: &mut [(u32, usize)]) -> usize {
        let compared = Cell::new(0);
        let is_greater = |a: &(u32, usize), b: &(u32, usize)| {
            compared.set(compared.get() + 1);
            Ok::<_, Infallible>(a.0 > b.0)
        };
        try_sort_by_gt(list, is_greater).unwrap();
        compared.get()
    }

    fn numbered(keys: impl IntoIterator<Item = u32>) -> Vec<(u32, usize)> {
        keys.into_iter().zip(0..).collect()
    }

    #[test]
    fn a_long_list_takes_n_log_n_comparisons_and_one_in_order_n() {
        let n = 100_000;
        let mixed = |i: u32| i.wrapping_mul(2_654_435_761);
        let most = n as usize * 17;
        assert!(sorted(&mut numbered((0..n).map(mixed))) < most);
        for keys in [
            numbered(0..n),
            numbered((0..n).rev()),
            numbered((0..n).map(|_| 7)),
        ] {
            assert_eq!(sorted(&mut keys.clone()), n as usize - 1);
        }
        // Two that are in order, one behind the other, and one in which each hundredth is elsewhere.
        let halves = (0..n / 2).chain(0..n / 2);
        assert!(sorted(&mut numbered(halves)) < 3 * n as usize);
        let nearly = (0..n).map(|i| if i % 100 == 0 { mixed(i) } else { i });
        assert!(sorted(&mut numbered(nearly)) < most);
    }

    proptest! {
        #[test]
        fn it_sorts_and_what_is_equal_stays_in_its_order(
            keys in prop_oneof![
                prop::collection::vec(any::<u32>(), 0..400),
                prop::collection::vec(0..5_u32, 0..400),
                prop::collection::vec((0..40_u32, 1..30_u32, any::<bool>()), 0..20).prop_map(|runs| {
                    let run = |(begin, length, falls): (u32, u32, bool)| {
                        (0..length).map(move |i| if falls { begin + length - i } else { begin + i })
                    };
                    runs.into_iter().flat_map(run).collect()
                }),
            ],
        ) {
            let mut list = numbered(keys);
            let mut expected = list.clone();
            expected.sort_by_key(|(key, _)| *key);
            sorted(&mut list);
            prop_assert_eq!(list, expected);
        }

        #[test]
        fn a_comparison_that_fails_ends_it_and_changes_nothing(keys in prop::collection::vec(any::<u32>(), 2..200), fails in 0..2000_usize) {
            let left = Cell::new(fails);
            let before = keys.clone();
            let mut list = keys;
            let outcome = try_sort_by_gt(&mut list, |a, b| {
                match left.get() {
                    0 => Err("no"),
                    more => {
                        left.set(more - 1);
                        Ok(a > b)
                    }
                }
            });
            match outcome {
                Err(said) => prop_assert_eq!((said, list, left.get()), ("no", before, 0)),
                Ok(()) => prop_assert!(list.is_sorted()),
            }
        }

        #[test]
        fn a_comparison_without_sense_loses_nothing(length in 0..300_usize, seed in any::<u64>()) {
            let state = Cell::new(seed | 1);
            let mut list: Vec<usize> = (0..length).collect();
            let sorted = try_sort_by_gt(&mut list, |_, _| {
                state.set(state.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
                Ok::<_, Infallible>(state.get() >> 63 == 1)
            });
            prop_assert!(sorted.is_ok());
            list.sort_unstable();
            prop_assert!(list.into_iter().eq(0..length));
        }
    }
}
