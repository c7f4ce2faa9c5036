//! What is installed beside the program: completions and manual pages, made from the arguments.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use super::arguments::Arguments;

/// The commands that are shown.
fn shown() -> clap::Command {
    let hidden = Arguments::command();
    let subcommands: Vec<clap::Command> =
        hidden.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    // Subcommands cannot be taken out, only left out of a command that has the same words.
    clap::Command::new("tenure")
        .version(env!("CARGO_PKG_VERSION"))
        .about(hidden.get_about().cloned().unwrap_or_default())
        .after_help(hidden.get_after_help().cloned().unwrap_or_default())
        .subcommand_required(true)
        .subcommands(subcommands)
}

/// What a shell reads to complete commands and options.
pub(super) fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut shown(), "tenure", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The manual page of the program.
pub(super) fn page() -> String {
    let mut text = Vec::new();
    clap_mangen::Man::new(shown()).render(&mut text).expect("a vector takes what is written");
    String::from_utf8_lossy(&text).into_owned()
}

/// Writes the manual page of the program and of each of its commands.
///
/// # Errors
/// Says what cannot be written.
pub(super) fn pages(directory: &Path) -> Result<(), String> {
    let failed =
        |path: &Path, error: std::io::Error| format!("cannot write {}: {error}", path.display());
    fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
    clap_mangen::generate_to(shown(), directory).map_err(|error| failed(directory, error))
}
