//! Any text as JSON that becomes Python, and JSON again: strict JSON stays strict, and what was read
//! once is read as the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &str| pymcp_python::fuzzing::values(json));
