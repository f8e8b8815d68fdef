#![no_main]

use parklite_fuzz::mapping_file::run;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run(bytes));
