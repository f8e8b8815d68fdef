//! The `parklite` program.

#[expect(dead_code, reason = "nothing is run yet")]
mod cli;

fn main() {}
