//! No tool, prompt or template takes time out of proportion to what a client sends: each of their arguments, as the
//! server lists them, is driven with hostile texts and values from a kilobyte to a megabyte.

use pymcp::server::Services;
use pymcp_kit::Server;
use pymcp_kit::testing::{Era, slopes};

/// The server that ships, without the processes that run Python: what those may take has limits of its own.
fn server() -> Server {
    #[cfg_attr(not(feature = "python"), allow(unused_mut))]
    let mut services = Services::default();
    #[cfg(feature = "python")]
    {
        use pymcp_python::{Config, Pool, Program};
        services.python.pool = Pool::new(Config {
            program: Program {
                path: "/nonexistent".into(),
                arguments: Vec::new(),
            },
            ..Config::default()
        });
    }
    pymcp::server::build(services).unwrap()
}

#[test]
fn arguments_of_tools() {
    let server = server();
    for era in [Era::Legacy, Era::Modern] {
        slopes::tools(&server, era).finish(50);
    }
}

#[test]
fn arguments_of_prompts() {
    slopes::prompts(&server()).finish(10);
}

#[test]
fn variables_of_templates() {
    slopes::templates(&server()).finish(5);
}
