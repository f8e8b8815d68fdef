#![no_main]

mod hush;

use libfuzzer_sys::fuzz_target;
use parklite_fuzz::single_file::run;

fuzz_target!(init: hush::hush_caught_panics(), |bytes: &[u8]| run(bytes));
