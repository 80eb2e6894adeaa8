//! The second door: what the calls of one principal may cost.

use std::collections::BTreeMap;

use super::Rate;
use super::rates::{Exceeded, KEYS, Rates};
use super::refusals::Limit;
use crate::principal::Principal;

/// What the calls of each authenticated principal may cost: calls of tools, reads of resources, gets of prompts. Each
/// costs what its component says ([`Tool::cost`](crate::Tool::cost), 1 by default), also when the cache answers it, and
/// each round of a call that asks its user. Lists, pings and all else are free.
///
/// Who is anonymous (the one client on stdio, everybody where nobody has to authenticate) has no budget: nothing tells
/// one from another. What is counted is counted in this process, and each replica has budgets of its own, unless they share a
/// [`BudgetStore`](crate::store::BudgetStore).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetLimits {
    /// What one principal may use of all components together. Default: no limit.
    pub per_principal: Option<Rate>,
    /// What one principal may use of a tool, by its name, besides. A server is not built when there is no such tool.
    /// Default: none.
    pub tools: BTreeMap<String, Rate>,
    /// Principals whose budgets are kept at a time; those that are full again are forgotten, and while there is no
    /// room all others share one. Default 100,000.
    pub principals: usize,
}

impl Default for BudgetLimits {
    fn default() -> Self {
        Self {
            per_principal: None,
            tools: BTreeMap::new(),
            principals: KEYS,
        }
    }
}

/// What is left of the budgets.
pub(crate) struct Budget {
    all: Option<Rates<Principal>>,
    tools: BTreeMap<String, Rates<Principal>>,
}

/// Which budget is used up.
pub(crate) struct Spent {
    pub(crate) limit: Limit,
    pub(crate) exceeded: Exceeded,
}

impl Budget {
    /// `None` when nothing is limited.
    pub(crate) fn new(limits: &BudgetLimits) -> Option<Self> {
        if limits.per_principal.is_none() && limits.tools.is_empty() {
            return None;
        }
        let rates = |rate| Rates::new(rate, limits.principals);
        Some(Self {
            all: limits.per_principal.map(rates),
            tools: limits
                .tools
                .iter()
                .map(|(name, rate)| (name.clone(), rates(*rate)))
                .collect(),
        })
    }

    /// Spends what a call costs, of the budget of its tool if it is one that has its own, and of the one of all. What is
    /// refused costs nothing.
    pub(crate) fn spend(
        &self,
        principal: &Principal,
        tool: Option<&str>,
        cost: u32,
    ) -> Result<(), Spent> {
        if principal.subject().is_none() {
            return Ok(());
        }
        let refused = |limit: Limit| {
            move |exceeded| {
                limit.count();
                Spent { limit, exceeded }
            }
        };
        let own = tool.and_then(|name| self.tools.get(name));
        if let Some(own) = own {
            own.take(principal, cost)
                .map_err(refused(Limit::ToolBudget))?;
        }
        if let Some(all) = &self.all {
            all.take(principal, cost).map_err(|exceeded| {
                if let Some(own) = own {
                    own.give_back(principal, cost);
                }
                refused(Limit::Budget)(exceeded)
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Principal {
        Principal::authenticated("alice")
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_one_budget_refuses_costs_the_other_nothing() {
        let budget = Budget::new(&BudgetLimits {
            per_principal: Some(Rate::per_minute(10)),
            tools: [("search".to_owned(), Rate::per_minute(5))].into(),
            ..BudgetLimits::default()
        });
        let budget = budget.unwrap();
        let spend = |tool, cost| {
            let spent = budget.spend(&alice(), Some(tool), cost);
            spent.err().map(|spent| spent.limit)
        };
        assert_eq!(spend("greet", 8), None);
        // Two are left of all, and five of the tool: however often more is asked for.
        for _ in 0..9 {
            assert_eq!(spend("search", 3), Some(Limit::Budget));
        }
        tokio::time::advance(std::time::Duration::from_secs(60)).await;
        assert_eq!(spend("search", 5), None);
        for _ in 0..9 {
            assert_eq!(spend("search", 1), Some(Limit::ToolBudget));
        }
        assert_eq!(spend("greet", 5), None);
        assert_eq!(spend("greet", 1), Some(Limit::Budget));
        assert!(
            budget
                .spend(&Principal::authenticated("bob"), None, 10)
                .is_ok()
        );
        assert!((0..99).all(|_| budget.spend(&Principal::ANONYMOUS, None, 10).is_ok()));
    }

    #[test]
    fn without_limits_there_is_no_budget() {
        assert!(Budget::new(&BudgetLimits::default()).is_none());
    }
}
