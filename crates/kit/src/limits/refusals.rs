//! How often each limit refused something.

use std::sync::atomic::{AtomicU64, Ordering};

/// A limit that refuses by rate or for want of room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Requests of one address ([`FloodLimits::per_address`](super::FloodLimits::per_address)).
    AddressRate,
    /// Requests of one principal ([`FloodLimits::per_principal`](super::FloodLimits::per_principal)).
    PrincipalRate,
    /// New sessions of one caller ([`FloodLimits::sessions`](super::FloodLimits::sessions)).
    SessionRate,
    /// What the calls of one principal cost ([`BudgetLimits::per_principal`](super::BudgetLimits::per_principal)).
    Budget,
    /// The same of one tool ([`BudgetLimits::tools`](super::BudgetLimits::tools)).
    ToolBudget,
    /// Calls that wait for their turn ([`ConcurrencyLimits`](super::ConcurrencyLimits)).
    Concurrency,
}

/// As many as there are limits, in their order.
static REFUSED: [AtomicU64; Limit::ALL.len()] = [const { AtomicU64::new(0) }; Limit::ALL.len()];

impl Limit {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::AddressRate,
        Self::PrincipalRate,
        Self::SessionRate,
        Self::Budget,
        Self::ToolBudget,
        Self::Concurrency,
    ];

    /// Its name in metrics and records: one of six words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AddressRate => "address_rate",
            Self::PrincipalRate => "principal_rate",
            Self::SessionRate => "session_rate",
            Self::Budget => "budget",
            Self::ToolBudget => "tool_budget",
            Self::Concurrency => "concurrency",
        }
    }

    /// How often it refused something since the process began, for all servers in it.
    pub fn refused(self) -> u64 {
        REFUSED[self as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn count(self) {
        REFUSED[self as usize].fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_has_its_own_count() {
        let before = Limit::ALL.map(Limit::refused);
        for (number, limit) in Limit::ALL.into_iter().enumerate() {
            (0..=number).for_each(|_| limit.count());
        }
        for (number, limit) in Limit::ALL.into_iter().enumerate() {
            // Other tests count as well.
            assert!(
                limit.refused() > before[number] + number as u64,
                "{limit:?}"
            );
        }
    }
}
