#![no_main]

use parklite_fuzz::dump::run;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run(bytes));
