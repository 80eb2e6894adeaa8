//! Access tokens of an identity provider: what is accepted and what is not, whatever a token says of itself.
#![allow(clippy::unwrap_used)]

mod clients;
mod hostile;
mod issuer;
mod keys;
mod remembering;
mod requests;
mod shapes;
mod table;
mod wire;
