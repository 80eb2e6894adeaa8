//! Who is asking, and what they may: a resource server of OAuth 2.1 (RFC 6750, RFC 9728), and nothing more. Tokens are
//! verified, never issued to others and never passed on.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `authentication` | [`Authentication`]: what an HTTP endpoint is told of it |
//! | `authenticator` | [`Authenticator`]: finds out who sends a request; the trait for one's own |
//! | `identity` | [`Identity`]: what an authenticator found out |
//! | `jwt` | access tokens of an identity provider (the feature `jwt`): `JwtAuthenticator` |
//! | `permit` | [`Permit`]: what the core serves nothing without |
//! | `scopes` | [`Scopes`]: what a token allows, and what a component needs |
//! | [`tokens`] | tokens that an operator hands out |
//!
//! To add a way to authenticate, implement [`Authenticator`] in a file of its own.

mod authentication;
mod authenticator;
mod identity;
#[cfg(feature = "jwt")]
pub mod jwt;
mod permit;
mod scopes;
pub mod tokens;

pub use authentication::Authentication;
pub use authenticator::{Authenticator, Credentials, Denied};
pub use identity::Identity;
pub use permit::Permit;
pub use scopes::{BadScope, Scopes};
