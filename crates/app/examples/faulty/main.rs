//! `cargo run -p pymcp-app --example faulty -- stdio|http [FAULT …]`: a server with the faults that it is told, each by the id
//! of the finding of `doctor` that it is for. Without one there is nothing to find. Written by hand, since no framework can
//! do most of it; `auth` among the faults wants a token, and prints one that it takes.
//!
//! To plant a fault, look for its id where the right thing is done.

mod auth;
mod definitions;
mod http;
mod messages;

use std::collections::BTreeSet;
use std::io::{BufRead as _, Write as _};
use std::time::Duration;

use serde_json::Value;

/// The faults that are planted.
#[derive(Clone)]
pub(crate) struct Faults(BTreeSet<String>);

impl Faults {
    pub(crate) fn has(&self, id: &str) -> bool {
        self.0.contains(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let transport = arguments.next().unwrap_or_default();
    let faults = Faults(arguments.collect());
    match transport.as_str() {
        "stdio" => stdio(&faults),
        "http" => http::serve(faults),
        other => say(&format!("stdio or http, not '{other}'")),
    }
}

/// Says something on stderr.
pub(crate) fn say(text: &str) {
    // Nobody needs it when nobody reads it.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn send(text: &str) {
    let mut out = std::io::stdout().lock();
    if out
        .write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_err()
    {
        std::process::exit(0);
    }
}

fn for_ever() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn stdio(faults: &Faults) {
    if faults.has("stdout-noise") {
        send("Server running on stdio\n");
    }
    if faults.has("no-answer") {
        for_ever();
    }
    while faults.has("flood") {
        send(&"x".repeat(1 << 16));
    }
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let Ok(message) = serde_json::from_str::<Value>(&line) else {
            if faults.has("garbage-fatal") {
                for_ever();
            }
            send(
                "{\"jsonrpc\": \"2.0\", \"id\": null, \"error\": {\"code\": -32700, \"message\": \"No JSON.\"}}\n",
            );
            continue;
        };
        if faults.has("process-died") && message["method"] == "tools/list" {
            say("out of memory");
            std::process::exit(7);
        }
        for answer in messages::answers(&message, faults) {
            send(&format!("{answer}\n"));
        }
    }
    if faults.has("exit-slow") {
        for_ever();
    }
}
