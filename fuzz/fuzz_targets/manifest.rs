#![no_main]

use parklite_fuzz::manifest::run;

libfuzzer_sys::fuzz_target!(|text: &[u8]| run(text));
