//! `cargo run -p pymcp-app --example everything`: one server with everything that the protocol has to show.
//!
//! It serves one client on stdin and stdout; `-- serve --transport http` serves many over HTTP.
//! Every component is a file of its own in `components/` whose first lines say what it shows, and
//! which can be copied from there. None needs anything but this kit.
//!
//! It shows what the official `everything` server shows, in both eras of the protocol, and icons and
//! audio besides. Left out on purpose:
//!
//! - `get-env`: environment variables hold secrets, and a model that reads them can be made to
//!   tell them.
//! - `gzip-file-as-resource`: it fetches whatever URL it is given, from inside the server's
//!   network. What it is there for, resources that belong to a session, is in `components/notes`.
//! - Sampling and elicitation as tasks *of the client*: 2026-07-28 has no such tasks any more, and no
//!   client of before has them outside of an experiment.
//! - Messages on a timer (`toggle-simulated-logging`, `toggle-subscriber-updates`): here every
//!   message has a cause that a client can bring about.
//!
//! Nobody authenticates here, so over HTTP all callers are one: what is the server's (the counter, the
//! tool that can be switched off) is everybody's. What is a caller's own is kept under
//! the caller's principal and session, or under a handle that cannot be guessed.

mod components;

use std::process::ExitCode;

use pymcp_app::App;

fn main() -> ExitCode {
    App::new("everything", env!("CARGO_PKG_VERSION")).run(async |()| Ok(components::builder()))
}
