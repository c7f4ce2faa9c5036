//! The JSON Schema of pipelines: it takes what the program takes, and sees the mistakes that a schema can.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;
use serde_json::{Map, Value};

use crate::{docs, mistakes};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn generated() -> Value {
    serde_json::from_str(&tenure::plan::json_schema()).expect("JSON")
}

/// A pipeline as an editor reads it: YAML 1.2, without the meaning of a pipeline.
fn yaml(text: &str) -> Value {
    let mut options = serde_yaml::Options::default();
    options.strict_booleans = true;
    options.duplicate_keys = serde_yaml::DuplicateKeyPolicy::FirstWins;
    serde_yaml::from_str_with_options(text, options).expect("YAML")
}

/// What is wrong with a value: where, and the word at fault, a key or a scalar.
struct Complaint {
    path: String,
    word: String,
}

fn lines(complaints: &[Complaint]) -> String {
    complaints.iter().map(|complaint| format!("{}: {}\n", complaint.path, complaint.word)).collect()
}

/// What the schema says against the text of a pipeline; empty where it takes it.
pub fn complaints_about(text: &str) -> String {
    lines(&Validator::new().complaints(&yaml(text)))
}

/// The keywords of draft-07 that the schema makes use of; any other is refused.
struct Validator {
    root: Value,
}

impl Validator {
    fn new() -> Self {
        Validator { root: generated() }
    }

    fn complaints(&self, value: &Value) -> Vec<Complaint> {
        self.check(&self.root, value, "")
    }

    fn check(&self, schema: &Value, value: &Value, path: &str) -> Vec<Complaint> {
        let none = Map::new();
        let keywords = schema.as_object().unwrap_or_else(|| panic!("no schema: {schema}"));
        let entries = value.as_object();
        let list = value.as_array();
        let complaint = |word: &str| Complaint { path: path.to_owned(), word: word.to_owned() };
        let mut found = Vec::new();
        for (keyword, argument) in keywords {
            let words = argument.as_array().map_or(&[][..], Vec::as_slice);
            let size = argument.as_u64().unwrap_or(0) as usize;
            let tried = || words.iter().map(|schema| self.check(schema, value, path));
            let good = match keyword.as_str() {
                "$schema" | "title" | "description" | "default" | "definitions" => true,
                "enumDescriptions" => true,
                "type" if words.is_empty() => is_of(value, argument),
                "type" => words.iter().any(|name| is_of(value, name)),
                "const" => value == argument,
                "enum" => words.contains(value),
                "pattern" => value.as_str().is_none_or(|text| pattern(argument).is_match(text)),
                "minimum" => value.as_i64().is_none_or(|number| number >= size as i64),
                "maximum" => value.as_i64().is_none_or(|number| number <= size as i64),
                "minItems" => list.is_none_or(|list| list.len() >= size),
                "maxItems" => list.is_none_or(|list| list.len() <= size),
                "minProperties" => entries.is_none_or(|entries| entries.len() >= size),
                "maxProperties" => entries.is_none_or(|entries| entries.len() <= size),
                "required" => entries.is_none_or(|entries| has_all(entries, words)),
                "allOf" => {
                    found.extend(tried().flatten());
                    true
                }
                "if" => {
                    if self.check(argument, value, path).is_empty() {
                        found.extend(self.check(&schema["then"], value, path));
                    }
                    true
                }
                "then" => true,
                "oneOf" => tried().filter(Vec::is_empty).count() == 1,
                "anyOf" => {
                    let good = tried().any(|complaints| complaints.is_empty());
                    if !good {
                        found.extend(tried().flatten());
                    }
                    good
                }
                "dependencies" => {
                    argument.as_object().unwrap_or(&none).iter().all(|(key, needed)| {
                        let needed = needed.as_array().map_or(&[][..], Vec::as_slice);
                        entries.is_none_or(|e| !e.contains_key(key) || has_all(e, needed))
                    })
                }
                "$ref" => {
                    let pointer = argument.as_str().and_then(|text| text.strip_prefix('#'));
                    let target = pointer.and_then(|pointer| self.root.pointer(pointer));
                    found.extend(self.check(target.expect("a definition"), value, path));
                    true
                }
                "items" => {
                    for (index, item) in list.into_iter().flatten().enumerate() {
                        found.extend(self.check(argument, item, &format!("{path}/{index}")));
                    }
                    true
                }
                // Looked at below.
                "properties" | "patternProperties" | "additionalProperties" => true,
                other => panic!("{path}: the keyword `{other}`"),
            };
            if !good {
                found.push(complaint(&word_of(value)));
            }
        }
        for (key, item) in entries.unwrap_or(&none) {
            let schemas = schemas_of(schema, key);
            let path = format!("{path}/{key}");
            for schema in &schemas {
                found.extend(self.check(schema, item, &path));
            }
            match &schema["additionalProperties"] {
                other if !schemas.is_empty() || other.is_null() => {}
                Value::Bool(_) => found.push(Complaint { path, word: key.clone() }),
                other => found.extend(self.check(other, item, &path)),
            }
        }
        found
    }
}

/// A value as it is complained of.
fn word_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The schemas of a key among `properties` and `patternProperties`.
fn schemas_of<'a>(schema: &'a Value, key: &str) -> Vec<&'a Value> {
    let patterns = schema["patternProperties"].as_object().into_iter().flatten();
    let fitting = patterns.filter(|(text, _)| Regex::new(text).expect("a pattern").is_match(key));
    schema["properties"].get(key).into_iter().chain(fitting.map(|(_, schema)| schema)).collect()
}

fn has_all(entries: &Map<String, Value>, keys: &[Value]) -> bool {
    keys.iter().all(|key| entries.contains_key(key.as_str().expect("a key")))
}

fn pattern(argument: &Value) -> Regex {
    Regex::new(argument.as_str().expect("a text")).expect("a pattern")
}

fn is_of(value: &Value, name: &Value) -> bool {
    match name.as_str().expect("a text") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the type `{other}`"),
    }
}

#[test]
fn the_committed_schema_is_that_of_the_program() {
    let path = repository("pipelines/tenure.schema.json");
    let schema = tenure::plan::json_schema();
    #[expect(clippy::disallowed_methods, reason = "asks whether the file should be made anew")]
    if std::env::var("UPDATE_EXPECTED").is_ok() {
        fs::write(&path, &schema).expect("written");
    }
    let printed = Command::new(env!("CARGO_BIN_EXE_tenure")).arg("schema").output();
    let printed = printed.expect("it runs");
    assert_eq!(String::from_utf8_lossy(&printed.stdout), schema);
    let committed = fs::read_to_string(&path).expect("the schema");
    let anew = "UPDATE_EXPECTED=1 cargo test the_committed_schema";
    assert!(committed == schema, "{} is old; to make it anew: {anew}", path.display());
}

#[test]
fn pipelines_cases_and_documents_are_taken() {
    let validator = Validator::new();
    let mut taken = 0;
    let mut take = |name: &str, text: &str| {
        let complaints = validator.complaints(&yaml(text));
        assert!(complaints.is_empty(), "{name}: {}", lines(&complaints));
        taken += 1;
    };
    for entry in fs::read_dir(repository("pipelines")).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = fs::read_to_string(&path).expect("a pipeline");
            let modeline = "# yaml-language-server: $schema=tenure.schema.json\n";
            assert!(text.starts_with(modeline), "{} does not name the schema", path.display());
            take(&path.display().to_string(), &text);
        }
    }
    for entry in fs::read_dir(repository("tests/cases")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.display().to_string();
        for block in docs::blocks(&name) {
            if block.info == "yaml" {
                take(&name, &block.text);
            }
        }
    }
    for document in ["README.md", "TUTORIAL.md"] {
        for block in docs::blocks(document) {
            if block.info.starts_with("yaml") && block.text.contains("version: 1") {
                take(document, &block.text);
            }
        }
    }
    assert!(taken > 30, "only {taken} pipelines");
}

/// A schema sees keys, types and words; names of tables, columns and metrics it does not.
#[test]
fn mistakes_of_form_are_seen() {
    let text = fs::read_to_string(repository("tests/it/mistakes.yaml")).expect("the pipeline");
    let complaints = Validator::new().complaints(&yaml(&text));
    let of_form =
        ["unknown-key", "unknown-stage-kind", "wrong-type", "invalid-value", "invalid-name"];
    let mut seen = 0;
    for mistake in mistakes::expected(&text) {
        // The list of time zones is no part of the schema; of an unknown kind the options are not known. Nor
        // are options held against each other, or intervals against what they are of.
        let unseen = ["Europe/Berln", "exactly_on", "bootstrap", "t}", "-5", "[]"]
            .contains(&mistake.word)
            || ["2}", "3", "6", "[3, 6]", "12", "[5, 2]", "[0, 1]", "first_in_range"]
                .contains(&mistake.word)
            || [
                "{starts",
                "90d",
                "rolling",
                "1}",
                "{start",
                "0d",
                "journey",
                "120%",
                "some",
                "kinds",
                "buyers",
                "top_decile_value_share",
                "tickets_per_customer",
                "'offce'",
                "auto",
            ]
            .contains(&mistake.word);
        if !of_form.contains(&mistake.code) || unseen {
            continue;
        }
        let word = word_of(&yaml(mistake.word));
        let found = complaints.iter().any(|complaint| complaint.word == word);
        assert!(found, "{}: `{}`\n{}", mistake.line, mistake.word, lines(&complaints));
        seen += 1;
    }
    assert!(seen >= 20, "only {seen} mistakes are seen");
}

#[test]
fn a_pipeline_has_its_keys_and_one_kind_a_stage() {
    let validator = Validator::new();
    let valid = "{version: 1, name: a, sources: {s: {parquet: p, time: t}}, \
                 stages: {x: {from: s, rfm: {labels: [{best: r_score = 5}]}}}}";
    assert!(validator.complaints(&yaml(valid)).is_empty());
    for (part, instead) in [
        ("version: 1, ", ""),
        ("version: 1", "version: 2"),
        ("name: a", "name: A"),
        ("parquet: p, ", ""),
        ("parquet: p", "csv: p"),
        ("parquet: p", "parquet: p, csv: p, columns: {t: {type: date}}"),
        ("from: s, ", ""),
        (", rfm: {labels: [{best: r_score = 5}]}", ""),
        ("rfm:", "clv: {}, rfm:"),
        ("{best: r_score = 5}", "best"),
        ("labels:", "groups: five, labels:"),
        ("labels:", "unit: fortnight, labels:"),
    ] {
        assert!(valid.contains(part));
        let wrong = valid.replace(part, instead);
        assert!(!validator.complaints(&yaml(&wrong)).is_empty(), "{wrong}");
    }
    for good in
        [("version: 1", "version: 1, x-more: 5"), ("labels:", "unit: '${params.u}', labels:")]
    {
        let good = valid.replace(good.0, good.1);
        assert!(validator.complaints(&yaml(&good)).is_empty(), "{good}");
    }
}
