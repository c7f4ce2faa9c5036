//! The `tenure` program. Everything is in the library.

fn main() -> std::process::ExitCode {
    tenure::cli::main().code().into()
}
