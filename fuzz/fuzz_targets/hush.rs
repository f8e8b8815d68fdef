//! Panics of decoders, which the program catches and tells as damage, are not findings.

use parklite::parquet_file::is_decoding;

/// Lets nothing but other panics stop the fuzzing.
pub fn hush_caught_panics() {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !is_decoding() {
            loud(panic);
            std::process::abort();
        }
    }));
}
