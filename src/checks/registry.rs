//! The list of checks.

use std::fmt::Debug;

use super::context::{CheckContext, Tested};
use super::kinds;
use crate::diagnostic::Spanned;
use crate::document::{Decoder, Field, Node};

/// A check with its options, ready to be planned.
pub trait Check: Debug + Send + Sync {
    /// What it comes to over a table; `None` if something is wrong, which is noted.
    fn plan(&self, cx: &mut CheckContext) -> Option<Tested>;
    /// Further tables that it reads.
    fn reads(&self) -> Vec<Spanned<String>> {
        Vec::new()
    }
    /// Its options as YAML.
    fn written(&self) -> String;
}

/// An entry of the registry.
pub struct CheckKind {
    pub name: &'static str,
    /// The text of the file; its doc comment is the manual page.
    pub source: &'static str,
    /// Whether it judges rows one by one, which is what the stage `check` can use.
    pub row_level: bool,
    /// The options, for the manual.
    pub fields: fn() -> Vec<Field>,
    /// Reads the options.
    pub decode: fn(&Node, &mut Decoder) -> Option<Box<dyn Check>>,
}

impl Debug for CheckKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Every check, in reading order.
pub fn registry() -> &'static [CheckKind] {
    static REGISTRY: &[CheckKind] = &[
        kinds::not_null::KIND,
        kinds::unique::KIND,
        kinds::accepted_values::KIND,
        kinds::range::KIND,
        kinds::every_row::KIND,
        kinds::row_count::KIND,
        kinds::relationships::KIND,
        kinds::freshness::KIND,
        kinds::reconcile::KIND,
    ];
    REGISTRY
}

/// The entry called `name`.
pub fn find(name: &str) -> Option<&'static CheckKind> {
    registry().iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::manual_of;

    #[test]
    fn entries_are_complete() {
        let mut names: Vec<&str> = registry().iter().map(|kind| kind.name).collect();
        for kind in registry() {
            let manual = manual_of(kind.source);
            for part in ["What it does", "When to use it", "Example", "Rules"] {
                assert!(manual.contains(part), "the manual of `{}` has no {part}", kind.name);
            }
            assert!(manual.starts_with(&format!("# {}", kind.name)));
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), registry().len());
    }
}
