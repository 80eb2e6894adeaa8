//! Any bytes as what a worker says, and as a frame in either direction. The server's side must end the
//! conversation in peace, with no more than the limits allow; what is read must be written as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pymcp_python::fuzzing;

fuzz_target!(|bytes: &[u8]| {
    fuzzing::frame(bytes);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime
        .expect("a runtime")
        .block_on(fuzzing::hostile_worker(bytes));
});
