//! Tokens that an operator hands out: random, kept as hashes, several at once, replaced while requests run.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `elsewhere` | what replicas tell each other of tokens, as one of them knows it |
//! | `entry` | [`TokenEntry`]: what is known of one token; [`BadTokens`]: why a list of them cannot be used |
//! | `hash` | [`TokenHash`]: what a token is kept as |
//! | `random` | [`new_token`], [`is_intact`]: how a token looks |
//! | `share` | the exchange of that with the store that they share |
//! | `table` | [`Tokens`]: the [`Authenticator`](super::Authenticator) |
//!
//! Nothing here reads a file: whoever has entries, from wherever, hands them to [`Tokens::replace`]. A new property of
//! a token is a field of [`TokenEntry`], and what it does to whoever holds the token already stands in `table`.

mod elsewhere;
mod entry;
mod hash;
mod random;
mod share;
mod table;
#[cfg(test)]
mod tests;

pub use entry::{BadTokens, TokenEntry};
pub use hash::{BadHash, TokenHash};
pub use random::{is_intact, new_token};
pub(crate) use share::Telling;
pub use table::{Replaced, Tokens};
