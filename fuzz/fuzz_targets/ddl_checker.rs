#![no_main]

use parklite_fuzz::ddl_checker::run;

libfuzzer_sys::fuzz_target!(|text: &[u8]| run(text));
