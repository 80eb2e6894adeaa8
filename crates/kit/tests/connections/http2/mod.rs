//! HTTP/2: what is promised of a connection over HTTP/1.1 holds for each of its streams, and a client can make it do no
//! more than that.

pub(crate) mod client;
pub(crate) mod frames;
mod hostile;
mod leaving;
mod places;
mod requests;
mod time;
