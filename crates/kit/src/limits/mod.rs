//! How much of what is bounded one caller may have.
//!
//! | file | what is bounded |
//! | --- | --- |
//! | `flood` | how often somebody may come, over HTTP |
//! | `budget` | what the calls of a principal may cost |
//! | `turns` | how many calls run at a time, and how many wait in turn |
//! | `shares` | places that callers take and give back |
//! | `places` | blocking handlers |
//! | `calls` | [`CallLimits`]: all that an author can set of calls |
//!
//! `caller` says who counts as one, [`Rate`] and `rates` how often in what time, [`Limit`] how often each refused something.
//! All of it is counted in this process alone, but budgets where replicas share a `BudgetStore`. To add a limit, add a file, a row to `crates/app/src/limits_page.rs`, and
//! where it refuses for a rate or for want of room a [`Limit`].

mod budget;
mod caller;
mod calls;
mod flood;
mod places;
mod rate;
mod rates;
mod refusals;
mod shares;
mod turns;

pub use budget::BudgetLimits;
pub(crate) use budget::{Budget, Spent};
pub use caller::Caller;
pub(crate) use caller::neighbourhood;
#[cfg(feature = "redis")]
pub(crate) use caller::process;
pub use calls::CallLimits;
pub use flood::{Flood, FloodLimits};
pub(crate) use places::Places;
pub use rate::{BadRate, Rate};
pub use rates::Exceeded;
pub use refusals::Limit;
pub(crate) use shares::may_have_another;
pub use shares::{Full, Permit, Share, Shares};
pub use turns::ConcurrencyLimits;
pub(crate) use turns::{Crowded, Turns};
