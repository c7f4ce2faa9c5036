//! One declaration per set of options: the struct, how it is read, what its manual says, and its
//! JSON Schema.

use serde_json::Value as Json;

use super::{Decode, Decoder, MapReader};

/// One key of a set of options, for manual pages and for the JSON Schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub key: String,
    pub place: FieldPlace,
    /// What it takes, in words.
    pub expects: String,
    /// The default as YAML; `None` if the key is required.
    pub default: Option<String>,
    pub doc: String,
    /// What it takes, for programs.
    pub json_schema: Json,
    /// The default for programs; null if there is none to be written.
    pub json_default: Json,
}

/// What a field is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldPlace {
    /// The value of the key.
    Key,
    /// The whole body, in place of a map with keys.
    Body,
    /// Every value of a map whose keys are free.
    Each,
}

impl Field {
    /// A key that takes a `T`.
    pub fn key<T: Decode>(key: String, default: Option<T>, doc: String) -> Self {
        Field {
            key,
            place: FieldPlace::Key,
            expects: T::expects(),
            json_default: default.as_ref().map_or(Json::Null, Decode::to_json),
            default: default.as_ref().map(Decode::show),
            doc,
            json_schema: T::json_schema(),
        }
    }

    /// A body that is a `T` and has no keys.
    pub fn body<T: Decode>(doc: &str) -> Self {
        let key = "(its value)".to_owned();
        Field { place: FieldPlace::Body, ..Field::key::<T>(key, None, doc.to_owned()) }
    }

    /// A body that is a map from anything to `T`; `key` says in words what from.
    pub fn each<T: Decode>(key: &str, doc: &str) -> Self {
        let key = format!("({key})");
        Field { place: FieldPlace::Each, ..Field::key::<T>(key, None, doc.to_owned()) }
    }
}

/// A set of options declared with [`options!`](crate::options).
pub trait Options: Sized {
    /// Reads its keys out of a map that may have others; `None` if a required one is missing or wrong.
    fn read(reader: &mut MapReader, decoder: &mut Decoder) -> Option<Self>;
    /// Its keys, in the order declared.
    fn fields() -> Vec<Field>;
    /// Key, value as YAML, and whether it is the default: what a report prints as the rules used.
    fn settings(&self) -> Vec<(String, String, bool)>;
    /// All of its keys left out; `None` if one is required.
    fn defaults() -> Option<Self>;
}

/// Declares a set of options. A field without `= default` is required.
///
/// ```
/// use tenure::document::Options;
/// tenure::options! {
///     /// What a greeting takes.
///     pub struct Greeting("a greeting") {
///         /// Who is greeted.
///         name: String,
///         /// How often.
///         times: i64 = 1,
///     }
/// }
/// assert_eq!(Greeting::fields()[1].default.as_deref(), Some("1"));
/// assert_eq!(Greeting::defaults(), None); // without a name there is none
/// ```
#[macro_export]
macro_rules! options {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident($what:literal) {
            $($(#[doc = $doc:literal])* $field:ident : $type:ty $(= $default:expr)?,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        $visibility struct $name {
            $($(#[doc = $doc])* pub $field: $crate::document::Setting<$type>,)*
        }

        impl $crate::document::Decode for $name {
            fn decode(
                node: &$crate::document::Node,
                decoder: &mut $crate::document::Decoder,
            ) -> Option<Self> {
                let mut reader = decoder.map(node, $what)?;
                let read = <$name as $crate::document::Options>::read(&mut reader, decoder);
                reader.finish(decoder);
                read
            }
            fn expects() -> String {
                format!("a map with the keys of {}", $what)
            }
            fn json_schema() -> serde_json::Value {
                $crate::document::schema::of_fields(&<$name as $crate::document::Options>::fields())
            }
            fn show(&self) -> String {
                let settings = $crate::document::Options::settings(self);
                let written: Vec<String> = settings
                    .into_iter()
                    .filter(|(_, _, default)| !default)
                    .map(|(key, value, _)| format!("{key}: {value}"))
                    .collect();
                format!("{{{}}}", written.join(", "))
            }
        }

        impl $crate::document::Options for $name {
            fn read(
                reader: &mut $crate::document::MapReader,
                decoder: &mut $crate::document::Decoder,
            ) -> Option<Self> {
                $(let $field = $crate::options!(@read reader decoder $field $type $(= $default)?);)*
                Some($name { $($field: $field?,)* })
            }
            fn fields() -> Vec<$crate::document::Field> {
                vec![$($crate::document::Field::key::<$type>(
                    $crate::options!(@key $field),
                    $crate::options!(@default $type $(= $default)?),
                    [$($doc),*].map(str::trim).join(" "),
                ),)*]
            }
            fn settings(&self) -> Vec<(String, String, bool)> {
                vec![$((
                    $crate::options!(@key $field),
                    $crate::document::Decode::show(&self.$field.value),
                    self.$field.is_default(),
                ),)*]
            }
            fn defaults() -> Option<Self> {
                Some($name { $($field: $crate::options!(@unwritten $type $(= $default)?)?,)* })
            }
        }
    };
    (@key $field:ident) => { stringify!($field).trim_start_matches("r#").to_owned() };
    (@read $reader:ident $decoder:ident $field:ident $type:ty) => {
        $reader.required::<$type>(&$crate::options!(@key $field), $decoder).or_else(|| {
            <$type as $crate::document::Decode>::stand_in()
                .map($crate::document::Setting::instead_of)
        })
    };
    (@read $reader:ident $decoder:ident $field:ident $type:ty = $default:expr) => {{
        let key = $crate::options!(@key $field);
        match $reader.take(&key) {
            None => Some($crate::document::Setting::default_of($default)),
            // With the default in place of a wrong value, which is noted, the rest is looked at.
            Some(node) => <$type as $crate::document::Decode>::decode(node, $decoder)
                .map(|value| $crate::document::Setting {
                    value,
                    span: Some(node.span),
                    flawed: false,
                })
                .or_else(|| Some($crate::document::Setting::instead_of($default))),
        }
    }};
    (@unwritten $type:ty) => { None::<$crate::document::Setting<$type>> };
    (@unwritten $type:ty = $default:expr) => {
        Some($crate::document::Setting::<$type>::default_of($default))
    };
    (@default $type:ty) => { None };
    (@default $type:ty = $default:expr) => { Some($default) };
}

/// Declares an option that takes one of a few words.
#[macro_export]
macro_rules! choice {
    (
        $(#[$meta:meta])*
        $visibility:vis enum $name:ident {
            $($(#[doc = $doc:literal])* $variant:ident = $word:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $visibility enum $name { $($(#[doc = $doc])* $variant,)* }

        impl $name {
            /// Every word, in the order declared.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The word as it is written.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            /// The variant that is written `word`.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|choice| choice.word() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl $crate::document::Decode for $name {
            fn decode(
                node: &$crate::document::Node,
                decoder: &mut $crate::document::Decoder,
            ) -> Option<Self> {
                use $crate::diagnostic::{Code, Diagnostic};
                let word = match &node.kind {
                    $crate::document::NodeKind::Text(word) => word.as_str(),
                    // Where `null` is one of the words, it is the word.
                    $crate::document::NodeKind::Null if Self::from_word("null").is_some() => "null",
                    _ => {
                        decoder.wrong_type(node, &Self::expects());
                        return None;
                    }
                };
                let choice = Self::from_word(word);
                if choice.is_none() {
                    decoder.report(Diagnostic::unknown(
                        Code::InvalidValue,
                        node.span,
                        format!("expected {}, found `{word}`", Self::expects()),
                        word,
                        Self::ALL.iter().map(|choice| choice.word()),
                    ));
                }
                choice
            }
            fn expects() -> String {
                let words: Vec<String> =
                    Self::ALL.iter().map(|choice| format!("`{}`", choice.word())).collect();
                match words.as_slice() {
                    [most @ .., last] if !most.is_empty() => {
                        format!("{} or {last}", most.join(", "))
                    }
                    all => all.join(""),
                }
            }
            fn show(&self) -> String {
                self.word().to_owned()
            }
            fn json_schema() -> serde_json::Value {
                $crate::document::schema::words(&[
                    $(($word, [$($doc),*].map(str::trim).join(" ")),)*
                ])
            }
        }
    };
}

/// The doc comment at the head of a source file, as plain text: a manual page.
pub fn manual_of(source: &str) -> String {
    let lines: Vec<&str> = source
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    lines.join("\n")
}

/// The first sentence of a manual page, below its heading.
pub fn summary_of(source: &str) -> String {
    let manual = manual_of(source);
    let text = manual.lines().skip(1).find(|line| !line.trim().is_empty());
    text.unwrap_or_default().trim().to_owned()
}
