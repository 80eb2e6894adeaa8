//! What principals have used of rates, where several processes count it together.

use crate::limits::{Exceeded, Rate};
use crate::principal::Principal;

use super::StoreFuture;

/// Something to take from one budget of a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spending<'a> {
    /// Which budget: the name of a tool, or empty for that of all components.
    pub name: &'a str,
    /// What comes back in what time.
    pub rate: Rate,
    /// Tokens to take, at least 1; what is more than the bucket holds takes all that it holds.
    pub cost: u32,
}

/// Which budget has too little left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overspent {
    /// Its place among those that were asked for.
    pub index: usize,
    /// When to come back.
    pub exceeded: Exceeded,
}

/// Counts the budgets of principals for all processes that share it.
pub trait BudgetStore: Send + Sync + 'static {
    /// Takes all of these, or none.
    ///
    /// # Errors
    /// When that cannot be counted; the caller then counts in its own process, with its part of the rate.
    fn spend<'a>(
        &'a self,
        owner: &'a Principal,
        spendings: &'a [Spending<'a>],
    ) -> StoreFuture<'a, Result<(), Overspent>>;

    /// Processes that share it, at least 1, as far as it knows: each counts its part of a rate while they cannot count
    /// together.
    fn replicas(&self) -> u32;
}
