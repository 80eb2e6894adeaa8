//! Whether a server is what its lock says.

use crate::core::Server;
use crate::manifest::{Lock, Projection, count};

/// Holds a server to the lock that is committed with it: `assert_locked(&server(), include_str!("../my-server.lock"))`.
///
/// The server is compared as its author wrote it (`code/1`), whatever settings it was made with. Programs made with
/// `pymcp-app` write the lock: `cargo run -- lock`.
///
/// # Panics
/// When the server differs from the lock, or the text is no lock that it could be held to; the message shows what differs,
/// by component and field, and the command that writes the lock anew.
#[track_caller]
pub fn assert_locked(server: &Server, lock: &str) {
    if let Err(why) = held(server, lock) {
        panic!("{why}\nIf that is as it should be: cargo run -- lock --accept");
    }
}

fn held(server: &Server, lock: &str) -> Result<(), String> {
    let unusable = |why: &dyn std::fmt::Display| format!("The lock {why}.");
    let lock = Lock::parse(lock).map_err(|bad| unusable(&bad))?;
    let now = server.manifest(Projection::Code);
    let now = now.map_err(|error| format!("The server has no manifest: {error}"))?;
    let changes = lock.drift(&now).map_err(|bad| unusable(&bad))?;
    if changes.is_empty() {
        return Ok(());
    }
    let shown: Vec<_> = changes.iter().map(ToString::to_string).collect();
    Err(format!(
        "The server differs from its lock, in {}:\n{}",
        count(&changes),
        shown.join("\n")
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::component::{NoArgs, Tool};
    use crate::context::Ctx;

    async fn answer(_: Ctx, _: NoArgs) -> crate::error::Result<u32> {
        Ok(42)
    }

    fn server(description: &str) -> Server {
        let tool = Tool::new("answer", answer).description(description.to_owned());
        Server::builder("example", "1.0.0")
            .tool(tool)
            .build()
            .unwrap()
    }

    #[test]
    fn a_server_that_differs_is_shown_with_the_command() {
        let lock = Lock::of(&server("The answer.").manifest(Projection::Code).unwrap());
        let lock = lock.to_text().unwrap();
        assert_locked(&server("The answer."), &lock);
        let refused = std::panic::catch_unwind(|| assert_locked(&server("An answer."), &lock));
        let message = refused.unwrap_err();
        let message = message.downcast_ref::<String>().unwrap();
        assert_eq!(
            message,
            "The server differs from its lock, in 1 change: 1 routing:\n\
             routing   tool answer /definition/description\n  - \"The answer.\"\n  + \"An answer.\"\n\
             If that is as it should be: cargo run -- lock --accept"
        );
        assert_eq!(held(&server(""), "").unwrap_err(), "The lock is empty.");
    }
}
