#![no_main]

use libfuzzer_sys::fuzz_target;
use parklite::parquet_file::is_decoding;
use parklite_fuzz::single_file::run;

fn hush_caught_panics() {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // The program catches these and tells them as damage.
        if !is_decoding() {
            loud(panic);
            std::process::abort();
        }
    }));
}

fuzz_target!(init: hush_caught_panics(), |bytes: &[u8]| run(bytes));
