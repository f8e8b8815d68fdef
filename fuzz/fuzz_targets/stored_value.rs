#![no_main]

use parklite_fuzz::stored_value::run;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run(bytes));
