//! The house rules that a compiler does not know.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the ground up: a room uses only rooms listed before it.
const ROOMS: &[&str] = &[
    "diagnostic",
    "document",
    "stats",
    "frame",
    "ir",
    "metrics",
    "checks",
    "models",
    "stages",
    "spec",
    "plan",
    "engine",
    "report",
    "run",
    "draft",
    "generate",
    "cli",
];

/// What the rooms may not use though it stands before them.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("frame", &["document"]),
    (
        "generate",
        &[
            "document", "ir", "metrics", "checks", "models", "stages", "spec", "plan", "engine",
            "report", "run", "draft",
        ],
    ),
    ("engine", &["metrics", "checks", "models", "stages", "spec", "plan"]),
];

const LONGEST_FILE: usize = 700;

/// A source file and its text.
struct Source {
    /// From `src/`, with forward slashes.
    name: String,
    text: String,
}

impl Source {
    /// The top-level module, or the file for `lib.rs` and `main.rs`.
    fn room(&self) -> &str {
        self.name.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// The lines that are compiled into the program, with their numbers: no comments, and nothing
    /// from the tests, which stand last in a file or in files of their own.
    fn code(&self) -> Vec<(usize, &str)> {
        if self.name.contains("/tests/") || self.name.ends_with("/tests.rs") {
            return Vec::new();
        }
        let lines = (1..).zip(self.text.lines());
        let mut code = Vec::new();
        let mut tests = false;
        for (number, line) in lines {
            // `#[cfg(test)]` before `mod tests;` is followed by more code, before `mod tests {` by
            // nothing.
            tests |= line.starts_with("mod tests {");
            if !tests && !line.trim_start().starts_with("//") {
                code.push((number, line));
            }
        }
        code
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).expect("a folder of the sources");
        let mut paths: Vec<PathBuf> =
            entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("below the root");
                let parts: Vec<_> = name.iter().map(|part| part.to_string_lossy()).collect();
                let text = fs::read_to_string(&path).expect("a source");
                sources.push(Source { name: parts.join("/"), text });
            }
        }
    }
    sources
}

#[track_caller]
fn nothing(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The rooms that a line names: `crate::frame::…`, `use crate::{frame, ir::Expr}`.
fn rooms_named(text: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        // `$crate::` in a macro is no different, `other_crate::` is.
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        let word = |text: &str| -> String {
            text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        let Some(list) = rest.strip_prefix('{') else {
            named.insert(word(rest));
            continue;
        };
        // Names at the first level of the braces.
        let mut depth = 0;
        let mut start = 0;
        for (place, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                ',' if depth == 0 => {
                    named.insert(word(&list[start..place]));
                    start = place + 1;
                }
                '}' if depth == 0 => {
                    named.insert(word(&list[start..place]));
                    break;
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    named
}

#[test]
fn rooms_are_named_in_full() {
    let named = |text: &str| rooms_named(text).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(named("use crate::frame::{Value, Schema};"), "frame");
    assert_eq!(named("use crate::{frame::{Value, Schema}, ir};"), "frame ir");
    assert_eq!(named("$crate::document::Decode for other_crate::stats"), "document");
}

#[test]
fn a_room_uses_only_rooms_before_it() {
    let place = |room: &str| ROOMS.iter().position(|known| *known == room);
    let mut found = Vec::new();
    for source in sources() {
        let room = source.room();
        if matches!(room, "lib" | "main") {
            continue;
        }
        let Some(own) = place(room) else {
            found.push(format!("src/{}: the room `{room}` is not in the table", source.name));
            continue;
        };
        let forbidden =
            FORBIDDEN.iter().find(|(of, _)| *of == room).map_or(&[][..], |(_, list)| list);
        // Joined, so that a list of names may span lines.
        let code: Vec<&str> = source.code().into_iter().map(|(_, line)| line).collect();
        for used in rooms_named(&code.join("\n")) {
            // What is not a room is a macro of the crate, such as `crate::choice!`.
            let Some(its) = place(&used) else { continue };
            if its > own || forbidden.contains(&used.as_str()) {
                found.push(format!("src/{}: `{room}` uses `{used}`", source.name));
            }
        }
    }
    nothing(found);
}

#[test]
fn one_file_knows_polars() {
    let code = |source: &Source| {
        source.code().iter().any(|(_, line)| {
            line.match_indices("polars::").any(|(at, _)| {
                // `super::polars` and `polars::order` after `use super::polars` are our own module.
                let ours = ["polars::order", "polars::join"];
                !ours.iter().any(|name| line[at..].starts_with(name))
            })
        })
    };
    let found = sources().into_iter().filter(|source| code(source)).map(|source| source.name);
    assert_eq!(found.collect::<Vec<_>>(), ["engine/local/polars.rs"]);
}

#[test]
fn files_are_short() {
    let long = sources().into_iter().filter_map(|source| {
        let lines = source.text.lines().count();
        (lines > LONGEST_FILE).then(|| format!("src/{}: {lines} lines", source.name))
    });
    nothing(long.collect());
}

#[test]
fn the_library_neither_prints_nor_gives_up() {
    let mut found = Vec::new();
    for source in sources() {
        let may_print = matches!(source.room(), "cli" | "main");
        for (number, line) in source.code() {
            for phrase in [".unwrap()", "todo!(", "unimplemented!(", "dbg!("] {
                if line.contains(phrase) {
                    found.push(format!("src/{}:{number}: `{phrase}`", source.name));
                }
            }
            for phrase in ["println!(", "print!("] {
                // `eprintln!` holds `println!` too.
                if line.contains(phrase) && !may_print {
                    found.push(format!("src/{}:{number}: `{phrase}`", source.name));
                }
            }
        }
    }
    nothing(found);
}

#[test]
fn every_module_says_what_it_is_for() {
    let mut found = Vec::new();
    for source in sources().into_iter().filter(|source| source.name.ends_with("/mod.rs")) {
        if source.name.contains("/tests/") {
            continue;
        }
        if !source.text.starts_with("//!") {
            found.push(format!("src/{}: it does not begin with `//!`", source.name));
        }
        if !source.text.contains("**Invariants**") {
            found.push(format!("src/{}: no **Invariants**", source.name));
        }
    }
    nothing(found);
}
