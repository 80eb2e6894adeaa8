//! How much of what is bounded one caller may have.

mod caller;
mod shares;

pub use caller::Caller;
pub(crate) use caller::neighbourhood;
pub(crate) use shares::may_have_another;
pub use shares::{Full, Permit, Share, Shares};
