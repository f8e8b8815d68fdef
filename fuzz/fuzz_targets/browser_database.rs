#![no_main]

use parklite_fuzz::browser_database::run;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run(bytes));
