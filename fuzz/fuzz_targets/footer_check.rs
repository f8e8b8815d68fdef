#![no_main]

mod hush;

use libfuzzer_sys::fuzz_target;
use parklite_fuzz::footer_check::run;

fuzz_target!(init: hush::hush_caught_panics(), |footer: &[u8]| run(footer));
