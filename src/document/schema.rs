//! JSON Schema of what a decoder takes: draft-07, which editors read.
//!
//! Parameters are put into texts before anything is read, so wherever a scalar is expected, a text
//! with `${params.NAME}` or `${env.NAME}` in it will do.

use serde_json::{Value as Json, json};

use super::options::{Field, FieldPlace};

/// The pattern of a name; see [`is_name`](super::is_name).
pub const NAME: &str = "^[a-z][a-z0-9_]{0,62}$";

/// A text.
pub fn text() -> Json {
    json!({"type": "string"})
}

/// A text of a form.
pub fn matching(pattern: &str) -> Json {
    scalar(json!({"type": "string", "pattern": pattern}))
}

/// A scalar, or a text in which a parameter stands for it.
pub fn scalar(schema: Json) -> Json {
    any_of([schema, json!({"$ref": "#/definitions/parameter"})])
}

/// What `scalar` refers to.
pub fn parameter() -> Json {
    json!({
        "description": "A parameter or a variable of the environment.",
        "type": "string",
        "pattern": r"\$\{(params|env)\.[^}]+\}",
    })
}

/// One of several forms.
pub fn any_of(forms: impl IntoIterator<Item = Json>) -> Json {
    json!({"anyOf": forms.into_iter().collect::<Vec<_>>()})
}

/// One of a few words, each with what it means. A word `null` is also YAML's null.
pub fn words(words: &[(&str, String)]) -> Json {
    let mut list: Vec<Json> = words.iter().map(|(word, _)| json!(word)).collect();
    let mut docs: Vec<&str> = words.iter().map(|(_, doc)| doc.as_str()).collect();
    if let Some(null) = words.iter().position(|(word, _)| *word == "null") {
        list.push(Json::Null);
        docs.push(docs[null]);
    }
    let mut schema = json!({"enum": list});
    if docs.iter().any(|doc| !doc.is_empty()) {
        schema["enumDescriptions"] = json!(docs);
    }
    scalar(schema)
}

/// A list.
pub fn list(each: Json) -> Json {
    json!({"type": "array", "items": each})
}

/// A list of two.
pub fn pair(each: Json) -> Json {
    json!({"type": "array", "items": each, "minItems": 2, "maxItems": 2})
}

/// A map from any texts to things of one form.
pub fn map_of(each: Json) -> Json {
    json!({"type": "object", "patternProperties": {"^x-": {}}, "additionalProperties": each})
}

/// A map from names to things of one form; nothing at all is an empty one.
pub fn named(each: Json) -> Json {
    json!({
        "type": ["object", "null"],
        "patternProperties": {NAME: each, "^x-": {}},
        "additionalProperties": false,
    })
}

/// What fields describe: a map with their keys, or a body of another form.
pub fn of_fields(fields: &[Field]) -> Json {
    if let Some(other) = fields.iter().find(|field| field.place != FieldPlace::Key) {
        let form = other.json_schema.clone();
        return match other.place {
            FieldPlace::Each => map_of(form),
            FieldPlace::Body | FieldPlace::Key => form,
        };
    }
    let properties: serde_json::Map<String, Json> =
        fields.iter().map(|field| (field.key.clone(), property(field))).collect();
    let required: Vec<&str> =
        fields.iter().filter(|field| field.default.is_none()).map(|f| f.key.as_str()).collect();
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "patternProperties": {"^x-": {}},
        "additionalProperties": false,
    });
    if required.is_empty() {
        // `rfm:` with nothing behind it means `rfm: {}`.
        schema["type"] = json!(["object", "null"]);
    } else {
        schema["required"] = json!(required);
    }
    schema
}

/// A map with common keys and exactly one kind, whose name is the key of its body: name, sentence and
/// fields of each.
pub fn one_kind<'a>(
    common: &[Field],
    kinds: impl IntoIterator<Item = (&'a str, String, Vec<Field>)>,
) -> Json {
    let mut schema = of_fields(common);
    let mut choices = Vec::new();
    for (name, sentence, fields) in kinds {
        let body = described(of_fields(&fields), &sentence);
        schema["properties"][name] = body;
        choices.push(json!({"required": [name]}));
    }
    schema["type"] = json!("object");
    schema["oneOf"] = Json::Array(choices);
    schema
}

/// The same with a description.
pub fn described(mut schema: Json, sentence: &str) -> Json {
    schema["description"] = json!(sentence);
    schema
}

fn property(field: &Field) -> Json {
    let mut schema = described(field.json_schema.clone(), &field.doc);
    if !field.json_default.is_null() {
        schema["default"] = field.json_default.clone();
    }
    schema
}
