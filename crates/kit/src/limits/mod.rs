//! How much of what is bounded one caller may have.

mod caller;

pub use caller::Caller;
