//! One budget for each principal, whichever replica its calls come to.

use std::time::Duration;

use crate::limits::Exceeded;
use crate::principal::Principal;
use crate::store::{BudgetStore, Overspent, Spending, StoreFuture};

use super::keys::short;
use super::link::micros;
use super::{Redis, script};

const BUDGET: &str = "r";

impl BudgetStore for Redis {
    fn spend<'a>(
        &'a self,
        owner: &'a Principal,
        spendings: &'a [Spending<'a>],
    ) -> StoreFuture<'a, Result<(), Overspent>> {
        Box::pin(async move {
            // Another rate of the same name counts anew.
            let key = |Spending { name, rate, .. }: &Spending<'_>| {
                let of = format!("{}:{rate}", short(name));
                self.nodes.keys().of(owner, BUDGET, &of)
            };
            let Some((first, others)) = spendings.split_first() else {
                return Ok(Ok(()));
            };
            let (index, wait): (usize, u64) = self
                .nodes
                .script(&script::SPEND, &key(first), |call| {
                    for other in others {
                        call.key(key(other));
                    }
                    for Spending { rate, cost, .. } in spendings {
                        let size = rate.count().get();
                        call.arg(micros(rate.period()) as f64 / f64::from(size))
                            .arg(size)
                            .arg((*cost).min(size));
                    }
                })
                .await?;
            let Some(place) = index.checked_sub(1) else {
                return Ok(Ok(()));
            };
            let Some(Spending { rate, cost, .. }) = spendings.get(place) else {
                return Ok(Ok(()));
            };
            let retry_after = Duration::from_micros(wait);
            let size = rate.count().get();
            let rest = rate
                .period()
                .mul_f64(f64::from(size.saturating_sub(*cost)) / f64::from(size));
            let exceeded = Exceeded {
                rate: *rate,
                retry_after,
                full_after: retry_after + rest,
            };
            Ok(Err(Overspent {
                index: place,
                exceeded,
            }))
        })
    }

    fn replicas(&self) -> u32 {
        self.nodes.replicas()
    }
}
