//! The `parklite` program: parse, choose a reporter, run, exit code.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
