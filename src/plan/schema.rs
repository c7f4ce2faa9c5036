//! The JSON Schema of the pipeline language.

use serde_json::{Value as Json, json};

use crate::checks::{CheckSpec, Place};
use crate::document::{schema, summary_of};
use crate::metrics::Catalog;
use crate::{spec, stages};

/// The JSON Schema (draft-07) of a pipeline, made from the declarations that decode one. An editor that
/// knows it completes keys, shows what they mean, and marks what is not allowed.
///
/// ```
/// let schema: serde_json::Value = serde_json::from_str(&tenure::plan::json_schema()).expect("JSON");
/// assert_eq!(schema["required"][1], "name");
/// ```
pub fn json_schema() -> String {
    let kinds = stages::registry().iter();
    let kinds = kinds.map(|kind| (kind.name, summary_of(kind.source), (kind.fields)()));
    let stage = spec::stage_json_schema(kinds, |kind| !stages::names_its_tables(kind));
    let check = CheckSpec::json_schema(Place::Block);
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A pipeline of tenure",
    });
    let pipeline = spec::json_schema(stage, Catalog::json_schema(), check);
    if let (Json::Object(schema), Json::Object(pipeline)) = (&mut schema, pipeline) {
        schema.extend(pipeline);
    }
    schema["definitions"] = json!({"parameter": schema::parameter()});
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
