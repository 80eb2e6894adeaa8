//! Any conversation with the server core: messages, good and bad, on a legacy and on a stateless
//! connection, interleaved with answers, cancellations, slow readers and the passing of time.
//! Whatever the order, every request gets its one answer and nothing is left behind.

#![no_main]

mod check;
mod driver;
mod script;
mod server;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pymcp_kit::Server;

use driver::Driver;
use script::Script;

static SERVER: LazyLock<Server> = LazyLock::new(server::server);

fuzz_target!(
    init: {
        // The handlers' own panics are part of the play; any other one is a finding.
        let finding = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !panic.payload().is::<server::Deliberate>() {
                finding(panic);
            }
        }));
    },
    |script: Script<'_>| {
        let mut driver = Driver::new(&SERVER);
        script.0.iter().for_each(|step| driver.take(step));
        driver.finish();
    }
);
