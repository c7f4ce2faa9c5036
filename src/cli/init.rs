//! `tenure init`: a draft written down, and what was guessed.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::arguments::InitArguments;
use super::diagnostics;
use crate::draft::{Draft, DraftError, DraftRequest, Guess, draft, shell_word};
use crate::run::{self, ExitStatus, Request, RunError, exit_status_of};

/// Why no pipeline was written.
pub(super) struct Refused {
    pub message: String,
    pub help: Option<String>,
    pub status: ExitStatus,
}

/// Drafts a pipeline and writes it.
///
/// # Errors
/// Files without the roles that a pipeline needs, and a file that is there already.
pub(super) fn init(
    arguments: &InitArguments,
    say: &mut dyn FnMut(&str),
) -> Result<String, Refused> {
    let output = arguments.output.as_ref().map(|output| output.display().to_string());
    let request = DraftRequest {
        addresses: arguments.files.clone(),
        root: Default::default(),
        file: output.clone(),
        name: arguments.name.clone(),
        customer: arguments.customer.clone(),
        time: arguments.time.clone(),
        value: arguments.value.clone(),
    };
    let Draft { name, text, guesses } = draft(&request).map_err(no_draft)?;
    let output = output.unwrap_or_else(|| format!("{name}.yaml"));
    for line in table(&guesses) {
        say(&line);
    }
    write(Path::new(&output), &text, arguments.force)?;
    write_schema(Path::new(&output), say)?;
    checked(&output, say)?;
    let quoted = shell_word(&output);
    say(&format!("next: tenure check {quoted}"));
    say(&format!("      tenure run {quoted}"));
    Ok(output)
}

fn no_draft(error: DraftError) -> Refused {
    let help = error.help();
    let message = error.to_string();
    match error {
        DraftError::Engine(error) => {
            let error = RunError::Engine(error);
            Refused { message, help, status: exit_status_of(&error) }
        }
        DraftError::Empty { .. } => Refused { message, help, status: ExitStatus::NoRows },
        _ => Refused { message, help, status: ExitStatus::Pipeline },
    }
}

/// A line for each guess: what, which column, why.
fn table(guesses: &[Guess]) -> Vec<String> {
    let width = |text: &dyn Fn(&Guess) -> usize| guesses.iter().map(text).max().unwrap_or(0);
    let what = width(&|guess| guess.what.chars().count());
    // A long expression does not push all reasons to the right.
    let written = width(&|guess| guess.written.chars().count()).min(30);
    let line = |Guess { what: about, written: column, because }: &Guess| {
        format!("{about:what$}  {column:written$}  {because}")
    };
    guesses.iter().map(line).collect()
}

/// Writes the pipeline; never over another file, unless that is asked for.
fn write(path: &Path, text: &str, force: bool) -> Result<(), Refused> {
    let mut options = OpenOptions::new();
    options.write(true);
    match force {
        true => options.create(true).truncate(true),
        false => options.create_new(true),
    };
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Refused {
            message: format!("{} is there already, and is left as it is", path.display()),
            help: Some("write it elsewhere, `--output FILE`, or over it, `--force`".into()),
            status: ExitStatus::Pipeline,
        },
        _ => Refused {
            message: format!("cannot write {}: {error}", path.display()),
            help: None,
            status: ExitStatus::Output,
        },
    })
}

/// What the schema of pipelines is called beside one: the pipeline's first line names it for editors.
const SCHEMA: &str = "tenure.schema.json";

/// Writes the schema beside the pipeline, if none is there.
fn write_schema(pipeline: &Path, say: &mut dyn FnMut(&str)) -> Result<(), Refused> {
    let path = pipeline.with_file_name(SCHEMA);
    let text = crate::plan::json_schema();
    match std::fs::read_to_string(&path) {
        Ok(known) if known == text => Ok(()),
        Ok(_) => {
            let path = path.display();
            say(&format!(
                "{path} is another one than this version's: `tenure schema > {path}` renews it"
            ));
            Ok(())
        }
        Err(_) => std::fs::write(&path, text).map_err(|error| Refused {
            message: format!("cannot write {}: {error}", path.display()),
            help: None,
            status: ExitStatus::Output,
        }),
    }
}

/// Holds what was written against the rules: a draft that breaks them says so at once.
fn checked(output: &str, say: &mut dyn FnMut(&str)) -> Result<(), Refused> {
    let request = Request { pipeline: output.into(), ..Request::default() };
    match run::prepare(&request) {
        Ok(prepared) => {
            for warning in &prepared.warnings {
                say(&diagnostics::render(warning, Some(&prepared.source), false));
            }
            Ok(())
        }
        Err(failure) => Err(Refused {
            message: format!(
                "{output} was written and has mistakes:\n{}",
                diagnostics::render_error(&failure.error, failure.source.as_ref(), false)
            ),
            help: Some("mend the lines above; the rest of the file is of use".into()),
            status: exit_status_of(&failure.error),
        }),
    }
}
