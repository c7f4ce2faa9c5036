//! The documents: every command in them is run, every pipeline in them is checked.
//!
//! A block `sh` is run line by line in a folder of its own, in which the sample data lies under `data/`;
//! `# exit N` at the end of a line states its exit status. A block `yaml NAME` is a file. A block `yaml`
//! that has a `version` is a pipeline. Commands inside `cron`, `ini` and `python` blocks must be among
//! those that the same document runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A fenced block: its info string and its text.
pub struct Block {
    pub info: String,
    pub text: String,
}

pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub fn blocks(document: &str) -> Vec<Block> {
    let text = fs::read_to_string(repository(document)).expect("the document is there");
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(info), None) => {
                open = Some(Block { info: info.trim().to_owned(), text: String::new() });
            }
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    blocks
}

/// A folder with the sample data, as a newcomer would have it.
fn newcomer() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    fs::create_dir_all(data.join("orders")).expect("a folder");
    let sample = repository("sample_data/cdnow/sample_orders.parquet");
    fs::copy(&sample, data.join("orders.parquet")).expect("copied");
    fs::copy(&sample, data.join("orders/1997.parquet")).expect("copied");
    folder
}

pub fn shell(folder: &Path, line: &str) -> Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_tenure")).parent().expect("it has a folder");
    Command::new("sh")
        .current_dir(folder)
        .env("TENURE", binary)
        .args(["-c", &format!("PATH=\"$TENURE:$PATH\"; {line}")])
        .output()
        .expect("a shell")
}

/// Runs the commands of a document in order; gives them.
fn run(document: &str, folder: &Path) -> Vec<String> {
    let mut commands = Vec::new();
    for block in blocks(document) {
        if let Some(name) = block.info.strip_prefix("yaml ") {
            fs::write(folder.join(name), &block.text).expect("written");
        } else if block.info == "sh" {
            for line in block.text.lines().filter(|line| !line.trim().is_empty()) {
                let (command, expected) = match line.rsplit_once("# exit ") {
                    Some((command, status)) => {
                        (command.trim(), status.trim().parse().expect("a number"))
                    }
                    None => (line.trim(), 0),
                };
                let output = shell(folder, command);
                assert_eq!(
                    output.status.code(),
                    Some(expected),
                    "{document}: {command}\n{}{}",
                    String::from_utf8_lossy(&output.stdout),
                    String::from_utf8_lossy(&output.stderr)
                );
                commands.push(command.to_owned());
            }
        }
    }
    commands
}

#[test]
fn the_tutorial_runs() {
    let folder = newcomer();
    let commands = run("TUTORIAL.md", folder.path());
    assert!(commands.len() > 10, "{commands:?}");
    for block in blocks("TUTORIAL.md") {
        if !matches!(block.info.as_str(), "cron" | "ini" | "python") {
            continue;
        }
        let start = block.text.find("tenure run").expect("a command");
        let command = block.text[start..].split(['"', '\n']).next().unwrap_or_default().trim();
        assert!(commands.iter().any(|known| known == command), "`{command}` is not run");
    }
}

/// A block `rust FILE` is that file, or a run of its lines.
#[test]
fn code_in_documents_is_that_of_the_program() {
    let mut whole = 0;
    let mut found = 0;
    for document in ["CONTRIBUTING.md", "ARCHITECTURE.md", "README.md", "TUTORIAL.md"] {
        for block in blocks(document) {
            let Some(file) = block.info.strip_prefix("rust ") else { continue };
            let code = fs::read_to_string(repository(file)).expect(file);
            assert!(code.contains(&block.text), "{document}: not in {file}:\n{}", block.text);
            whole += usize::from(code == block.text);
            found += 1;
        }
    }
    assert!(whole >= 1 && found >= 2, "{found} blocks, {whole} of them whole files");
}

#[test]
fn pipelines_in_documents_have_no_mistakes() {
    let folder = newcomer();
    let mut checked = 0;
    for document in ["README.md", "TUTORIAL.md", "REFERENCE.md"] {
        for block in blocks(document) {
            if !block.info.starts_with("yaml") || !block.text.contains("version: 1") {
                continue;
            }
            fs::write(folder.path().join("it.yaml"), &block.text).expect("written");
            let output = shell(folder.path(), "tenure check it.yaml");
            assert!(
                output.status.success(),
                "{document}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            let output = shell(folder.path(), "tenure run it.yaml --quiet");
            assert!(
                output.status.success(),
                "{document}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            checked += 1;
        }
    }
    assert!(checked >= 2, "only {checked} pipelines");
}
