//! The list of stages.

use std::fmt::Debug;

use super::context::StageContext;
use super::dimension::DimensionSpec;
use super::view::View;
use super::{
    check, clv, cohort_retention, customer_summary, deduplicate, derive, filter, growth, join,
    journey, project_retention, rfm, sample, segment_metrics, select, survival, trend, union,
};
use crate::diagnostic::Spanned;
use crate::document::{Decoder, Field, Node};
use crate::ir::{RelRef, Roles};

/// A stage with its options, ready to be planned.
pub trait Stage: Debug + Send + Sync {
    /// The stage's tables, the main one first; `None` if something is wrong, which is noted.
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>>;
    /// The dimensions it names, for the segments among them.
    fn dimensions(&self) -> Vec<&DimensionSpec> {
        Vec::new()
    }
    /// The metrics it names, for the tables that those read.
    fn metrics(&self) -> Vec<Spanned<String>> {
        Vec::new()
    }
    /// Further tables that it reads, besides `from`.
    fn reads(&self) -> Vec<Spanned<String>> {
        Vec::new()
    }
    /// The table that it reads if the stage says no `from`: kinds of [`names_its_tables`] may have one, unless
    /// it is their metrics that say.
    fn source(&self) -> Option<Spanned<String>> {
        None
    }
    /// Its options: key, value as YAML, and whether it is the default.
    fn settings(&self) -> Vec<(String, String, bool)>;
}

/// One table of a stage.
#[derive(Debug, Clone)]
pub struct Output {
    /// `None` for the main table.
    pub suffix: Option<&'static str>,
    pub rel: RelRef,
    /// The columns that identify a row, in sorting order; empty for rows as they come.
    pub grain: Vec<String>,
    pub roles: Roles,
    /// What a report shows of it.
    pub views: Vec<View>,
}

/// A companion table that a stage may have.
pub struct Companion {
    pub suffix: &'static str,
    pub sentence: &'static str,
}

/// An entry of the registry.
pub struct StageKind {
    pub name: &'static str,
    /// The text of the file; its doc comment is the manual page.
    pub source: &'static str,
    /// Whether its rows are those of its input; such tables are published only if asked for.
    pub row_level: bool,
    pub companions: &'static [Companion],
    /// The options, for the manual.
    pub fields: fn() -> Vec<Field>,
    /// Reads the options.
    pub decode: fn(&Node, &mut Decoder) -> Option<Box<dyn Stage>>,
}

/// Every stage, in reading order.
pub fn registry() -> &'static [StageKind] {
    static REGISTRY: &[StageKind] = &[
        filter::KIND,
        derive::KIND,
        select::KIND,
        deduplicate::KIND,
        join::KIND,
        union::KIND,
        sample::KIND,
        check::KIND,
        segment_metrics::KIND,
        customer_summary::KIND,
        rfm::KIND,
        cohort_retention::KIND,
        growth::KIND,
        journey::KIND,
        project_retention::KIND,
        clv::KIND,
        survival::KIND,
        trend::KIND,
    ];
    REGISTRY
}

/// True for kinds whose options name the tables that they read, so that a stage may do without `from`.
pub fn names_its_tables(kind: &str) -> bool {
    [journey::KIND.name, segment_metrics::KIND.name].contains(&kind)
}

/// True for kinds that hand the weights of a sample on, or reckon with them.
pub fn weighs(kind: &StageKind) -> bool {
    kind.row_level || kind.name == segment_metrics::KIND.name
}

/// The entry called `name`.
pub fn find(name: &str) -> Option<&'static StageKind> {
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
            for part in ["What it does", "When to use it", "Example", "Columns"] {
                assert!(manual.contains(part), "the manual of `{}` has no {part}", kind.name);
            }
            assert!(manual.starts_with(&format!("# {}", kind.name)));
            for companion in kind.companions {
                assert!(
                    manual.contains(&format!("`_{}`", companion.suffix)),
                    "{}",
                    companion.suffix
                );
            }
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), registry().len());
    }
}
