//! Mistakes that people make, all in one pipeline: each is reported, at its word, with what was meant.

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

/// What a line of the pipeline says of itself: the word at fault, the code, and what the help names.
pub struct Mistake<'a> {
    pub line: usize,
    pub column: usize,
    pub word: &'a str,
    pub code: &'a str,
    pub help: &'a str,
}

pub fn expected(text: &str) -> Vec<Mistake<'_>> {
    let mut mistakes = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut parts = line.split("#!");
        let written = parts.next().unwrap_or_default();
        if written.trim_start().starts_with('#') {
            continue;
        }
        for part in parts {
            let [word, code, help] = part.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
                panic!("line {}: `{part}` is not `word | code | help`", index + 1);
            };
            let at = written.find(word).unwrap_or_else(|| panic!("no `{word}` in `{written}`"));
            let column = written[..at].chars().count() + 1;
            mistakes.push(Mistake { line: index + 1, column, word, code, help });
        }
    }
    mistakes
}

#[test]
fn mistakes_are_reported_at_once_and_at_their_words() {
    let path = Path::new("tests/it/mistakes.yaml");
    let text = std::fs::read_to_string(path).expect("the pipeline is there");
    let output = Command::new(env!("CARGO_BIN_EXE_tenure"))
        .args(["check", "tests/it/mistakes.yaml", "--format", "json"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut found: Vec<&Value> =
        document["diagnostics"].as_array().expect("a list").iter().collect();

    let mistakes = expected(&text);
    assert!(mistakes.len() >= 40, "only {} mistakes", mistakes.len());
    let mut suggested = 0;
    let mut wrong = Vec::new();
    for mistake in &mistakes {
        let at = found.iter().position(|diagnostic| {
            let start = &diagnostic["labels"][0]["place"]["start"];
            diagnostic["code"] == mistake.code
                && start["line"] == mistake.line
                && start["column"] == mistake.column
        });
        let Some(at) = at else {
            let (line, column, word) = (mistake.line, mistake.column, mistake.word);
            wrong.push(format!("{line}:{column}: {} at `{word}` is not reported", mistake.code));
            continue;
        };
        let help = found.remove(at)["help"].as_str().unwrap_or_default().to_owned();
        if mistake.help.is_empty() {
            continue;
        }
        match help.contains(mistake.help) {
            true => suggested += 1,
            false => wrong.push(format!("{}: `{help}` lacks {}", mistake.line, mistake.help)),
        }
    }
    for diagnostic in found {
        let start = &diagnostic["labels"][0]["place"]["start"];
        wrong.push(format!(
            "{}:{}: {} beyond what was expected",
            start["line"], start["column"], diagnostic["message"]
        ));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let needed = mistakes.len() * 9 / 10;
    assert!(suggested >= needed, "{suggested} of {} have the right suggestion", mistakes.len());
}
