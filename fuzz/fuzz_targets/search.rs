//! Any answer to the search engines. Whatever comes back, what may be shown of it has nothing hidden in it, is bounded,
//! and is the same when it is cleaned again.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| pymcp_search::fuzzing::parse(bytes));
