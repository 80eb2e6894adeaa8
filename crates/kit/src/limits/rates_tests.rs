use std::collections::HashMap;

use proptest::prelude::*;
use tokio::time::advance;

use super::*;

fn is_taken(rates: &Rates<u64>, key: u64) -> bool {
    rates.take(&key, 1).is_ok()
}

fn kept(rates: &Rates<u64>) -> usize {
    rates.table().cells.len()
}

#[tokio::test(start_paused = true)]
async fn a_bucket_empties_at_once_and_fills_evenly() {
    let rates = Rates::new(Rate::per_minute(60), KEYS);
    assert_eq!((0..100).filter(|_| is_taken(&rates, 1)).count(), 60);
    assert!(is_taken(&rates, 2), "another has its own");
    let refused = rates.take(&1, 1).unwrap_err();
    assert_eq!(refused.retry_after_seconds(), 1);
    assert_eq!(refused.full_after_seconds(), 60);
    advance(Duration::from_secs(12)).await;
    assert_eq!((0..100).filter(|_| is_taken(&rates, 1)).count(), 12);
}

#[tokio::test(start_paused = true)]
async fn what_costs_more_waits_longer_and_what_is_refused_costs_nothing() {
    let rates = Rates::new(Rate::per_minute(60), KEYS);
    rates.take(&1, 58).unwrap();
    let refused = rates.take(&1, 5).unwrap_err();
    assert_eq!(refused.retry_after, Duration::from_secs(3));
    assert_eq!(refused.full_after, Duration::from_secs(58));
    assert!(is_taken(&rates, 1) && is_taken(&rates, 1) && !is_taken(&rates, 1));
    rates.take(&1, 0).unwrap();
    advance(refused.retry_after + Duration::from_secs(2)).await;
    rates.take(&1, 5).unwrap();
    // More than there ever is takes all.
    assert!(rates.take(&1, 1000).is_err());
    advance(Duration::from_secs(60)).await;
    rates.take(&1, 1000).unwrap();
    assert!(!is_taken(&rates, 1));
}

#[tokio::test(start_paused = true)]
async fn who_is_quiet_is_forgotten_and_who_is_not_is_kept() {
    let rates = Rates::new(Rate::per_minute(2), KEYS);
    assert!(is_taken(&rates, 0) && is_taken(&rates, 0));
    for round in 1..=5_u64 {
        for key in 0..2_000 {
            is_taken(&rates, round * 10_000 + key);
        }
        assert!(kept(&rates) <= 4_001 + FEW, "{}", kept(&rates));
        assert!(!is_taken(&rates, 0), "{round}");
        advance(Duration::from_secs(31)).await;
        assert!(is_taken(&rates, 0), "{round}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_table_keeps_everybody_and_newcomers_share_one_bucket() {
    const FULL: usize = 2_000;
    let rates = Rates::new(Rate::per_minute(2), FULL);
    for key in 0..FULL as u64 {
        assert!(is_taken(&rates, key) && is_taken(&rates, key));
    }
    let strangers = (0..50_000).filter(|key| is_taken(&rates, 1_000_000 + key));
    assert_eq!(strangers.count(), 2);
    assert_eq!(kept(&rates), FULL);
    // Nobody was pushed out, and so nobody has tokens that they used up.
    assert!((0..FULL as u64).all(|key| !is_taken(&rates, key)));
    advance(Duration::from_secs(61)).await;
    assert!(is_taken(&rates, 1_000_000), "there is room again");
}

proptest! {
    /// Whatever is asked by whomever, in whichever order: no more cells than allowed, and no key has more than its bucket
    /// and what came back since.
    #[test]
    fn nobody_gains_by_many_keys(
        steps in proptest::collection::vec((0_u64..40, 1_u32..4, 0_u64..2_000), 1..400),
        keys in 1_usize..24,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let rates = Rates::new(Rate::per_minute(12), keys);
            let begun = Instant::now();
            let mut had: HashMap<u64, u32> = HashMap::new();
            for (key, cost, wait) in steps {
                advance(Duration::from_millis(wait)).await;
                if rates.take(&key, cost).is_ok() {
                    let had = had.entry(key).or_default();
                    *had += cost;
                    let allowed = 12.0 + begun.elapsed().as_secs_f64() / 5.0;
                    // A key that came while the table was full may have had of the shared bucket as well.
                    prop_assert!(f64::from(*had) <= 2.0 * allowed + 1e-6, "{key}: {had}");
                }
                prop_assert!(kept(&rates) <= keys);
            }
            Ok(())
        })?;
    }
}
