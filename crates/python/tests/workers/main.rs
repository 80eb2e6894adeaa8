//! Tests of the pool and its workers. A program of its own, without the usual harness, because it
//! is its own worker: the real one, and others that lie, die or try to get out.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod attempts;
mod confinement;
mod engine;
mod host;
mod hostile;
mod modules;
mod native;
mod pool;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use pymcp_python::{Config, Failure, Limits, Outcome, Pool, Program, Request};

#[global_allocator]
static ALLOCATOR: pymcp_python::Allocator = pymcp_python::Allocator;

fn main() -> ExitCode {
    if pymcp_python::worker::is_requested() {
        return pymcp_python::worker::main();
    }
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("attempts") => return attempts::run(&arguments.next().unwrap()),
        Some("native") => {
            attempts::know_parent();
            return pymcp_python::worker::stand_in(native::run_native);
        }
        Some("server") => return pool::serve_until_killed(),
        Some("hostile") => return hostile::run(&arguments.next().unwrap()),
        _ => {}
    }
    let mut trials = Vec::new();
    trials.extend(confinement::trials());
    trials.extend(engine::trials());
    trials.extend(host::trials());
    trials.extend(hostile::trials());
    trials.extend(modules::trials());
    trials.extend(native::trials());
    trials.extend(pool::trials());
    // One after the other: some count the children of this process.
    let arguments = Arguments {
        test_threads: Some(1),
        ..Arguments::from_args()
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A test that is a future.
fn trial<F>(name: &'static str, test: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    Trial::test(name, move || {
        nothing_is_left();
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(Failed::from)?
            .block_on(test());
        Ok(())
    })
}

/// Waits for the processes of the test before, which were killed with its runtime and are nobody's now.
fn nothing_is_left() {
    // A test that failed may have left this process the parent of other tests' orphans.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(None);
    // Of any group: a zygote has one of its own.
    #[cfg(unix)]
    while rustix::io::retry_on_intr(|| rustix::process::wait(rustix::process::WaitOptions::empty()))
        .is_ok()
    {}
}

/// This program, with other arguments.
fn program(arguments: &[&str]) -> Program {
    Program {
        arguments: arguments.iter().map(OsString::from).collect(),
        ..Program::default()
    }
}

/// One worker at a time, and patience with a busy machine.
fn config() -> Config {
    Config {
        workers: 1,
        queue_time: Duration::from_secs(60),
        ..Config::default()
    }
}

/// Code without a type check, and with time to spare on a busy machine.
fn code(code: &str) -> Request {
    Request {
        code: code.to_owned(),
        script_name: "main.py".to_owned(),
        limits: Limits {
            time: Duration::from_secs(60),
            ..Limits::default()
        },
        ..Request::default()
    }
}

/// The text of a value.
fn text(result: Result<Outcome, Failure>) -> String {
    result.unwrap().value.text.unwrap_or_default()
}

async fn run(pool: &Pool, source: &str) -> Result<Outcome, Failure> {
    pool.run(code(source)).await
}
