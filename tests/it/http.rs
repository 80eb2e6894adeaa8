//! Streamable HTTP, in raw bytes.

mod calls;
mod edge;
mod framing;
mod limits;
mod mirrored;
mod shutdown;
mod statuses;
