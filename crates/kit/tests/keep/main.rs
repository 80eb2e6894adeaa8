//! What a client can make the server keep for as long as a session, a subscription or a call lasts:
//! at most four times what it sent, and 64 KiB. And what the limits keep of a hundred thousand calls. Counted by the allocator, so these tests have a
//! program of their own and run one at a time.

#![allow(clippy::unwrap_used)]

mod calls;
mod hostile;
mod limits;
mod sessions;
mod stage;

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);
