//! How much of what is bounded one caller may have.

mod caller;
mod calls;
mod places;
mod shares;

pub use caller::Caller;
pub(crate) use caller::neighbourhood;
pub use calls::CallLimits;
pub(crate) use places::Places;
pub(crate) use shares::may_have_another;
pub use shares::{Full, Permit, Share, Shares};
