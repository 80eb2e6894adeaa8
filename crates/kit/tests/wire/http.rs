//! Streamable HTTP, in raw bytes.

#[cfg(target_os = "linux")]
mod cache;
mod calls;
mod edge;
mod framing;
mod limits;
mod mirrored;
mod shutdown;
mod statuses;
mod strangers;
