//! The list of diagnostic codes.

/// Declares the codes once: variant, kebab-case name, and the sentence that explains it.
macro_rules! codes {
    ($($variant:ident $name:literal $sentence:literal,)*) => {
        /// What kind of mistake a diagnostic reports. The name is stable and may be relied upon.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $(#[doc = $sentence] $variant,)* }

        impl Code {
            /// Every code, in the order of the phases that report it.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The stable kebab-case name.
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// One sentence on what the code means.
            pub fn sentence(self) -> &'static str {
                match self { $(Code::$variant => $sentence,)* }
            }
        }
    };
}

codes! {
    InvalidYaml "invalid-yaml" "The text is not YAML, or exceeds the limits on size, depth or aliases.",
    UnsupportedVersion "unsupported-version" "The pipeline's `version` is not one this program reads.",
    DuplicateKey "duplicate-key" "A key stands twice in the same map.",
    UnknownKey "unknown-key" "A map has a key that nothing reads.",
    MissingKey "missing-key" "A required key is absent.",
    WrongType "wrong-type" "A value is of another type than the key takes.",
    InvalidValue "invalid-value" "A value is of the right type but not one that is allowed.",
    InvalidName "invalid-name" "A name is not of the form `[a-z][a-z0-9_]*`, or is longer than 63 characters.",
    DuplicateName "duplicate-name" "Two things share a name that must be unique.",
    UnknownParameter "unknown-parameter" "A `${…}` or `--set` names a parameter or variable that is not declared.",
    UnknownTable "unknown-table" "A `from` names neither a source, a stage nor a companion table.",
    UnknownStageKind "unknown-stage-kind" "A stage's kind is not one this program has.",
    UnknownMetric "unknown-metric" "A metric is neither declared in the pipeline nor built in.",
    UnknownDimension "unknown-dimension" "A `by` entry is neither a segment, a column nor a calendar grain.",
    AmbiguousName "ambiguous-name" "A name could mean two things.",
    Cycle "cycle" "Stages, segments or metrics need each other in a circle.",
    MissingRole "missing-role" "A stage or metric needs a role that its input does not have.",
    UnknownColumn "unknown-column" "An expression, role or option names a column that its input does not have.",
    InvalidExpression "invalid-expression" "The text is not an SQL expression, or uses SQL that has no meaning here.",
    TypeMismatch "type-mismatch" "An expression combines types that do not fit.",
    InputNotFound "input-not-found" "A source's path matches no file.",
    SchemaMismatch "schema-mismatch" "A file's columns cannot be read as the source's contract states them.",
    Drift "drift" "The files of a source differ in their columns.",
    Unsupported "unsupported" "The pipeline asks for something this version does not do.",
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn names_are_unique_and_kebab_case() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        for name in &names {
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }
}
