//! Operations on the store, by how they ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::metrics::Metrics;
use crate::metrics::readings::STORE_OPERATIONS;

/// Those of this process, whichever node they went to.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) done: AtomicU64,
    pub(super) full: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) late: AtomicU64,
    pub(super) away: AtomicU64,
}

/// One of them.
type Count = fn(&Counts) -> &AtomicU64;

impl Counts {
    /// Has metrics say them.
    pub(super) fn measure(self: &Arc<Self>, metrics: &[Metrics]) {
        for metrics in metrics {
            let counts: [(&str, Count); 5] = [
                ("done", |counts| &counts.done),
                ("full", |counts| &counts.full),
                ("refused", |counts| &counts.refused),
                ("late", |counts| &counts.late),
                ("away", |counts| &counts.away),
            ];
            for (result, count) in counts {
                let all = Arc::clone(self);
                metrics.read(&STORE_OPERATIONS, result, move || {
                    count(&all).load(Ordering::Relaxed)
                });
            }
        }
    }
}
