//! # row_count
//!
//! How many rows a table has.
//!
//! What it does: counts the rows; fails if there are fewer than `min` or more than `max`.
//!
//! When to use it: a source that came in only half, a segment table that suddenly doubled.
//!
//! Example:
//!
//! ```yaml
//! enough: {from: orders, row_count: {min: 1000}}
//! ```
//!
//! Rules: the table is judged as a whole, so `rows` is 1 in the table `checks`; the count is in its
//! message. Of a source the rows before `as_of` count.

use crate::checks::{Check, CheckContext, CheckKind, Test, Tested};
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Decode, Decoder, Field, Node, Options};
use crate::ir::relation::{self, column};
use crate::ir::typing::{TypeError, build};
use crate::ir::{Expr, Measure, MeasureFunc, named};

/// The registry's entry.
pub const KIND: CheckKind = CheckKind {
    name: "row_count",
    source: include_str!("row_count.rs"),
    row_level: false,
    fields,
    decode,
};

crate::options! {
    /// The bounds of a count.
    struct RowCount("`row_count`") {
        /// The smallest number of rows allowed.
        min: Option<i64> = None,
        /// The largest number of rows allowed.
        max: Option<i64> = None,
    }
}

fn fields() -> Vec<Field> {
    RowCount::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Check>> {
    Some(Box::new(RowCount::decode(node, decoder)?))
}

impl RowCount {
    fn test(&self, cx: &CheckContext) -> Result<Test, TypeError> {
        let count = vec![named("rows", Measure::of(MeasureFunc::CountRows))];
        let figures = relation::aggregate(&cx.table.rel, Vec::new(), count)?;
        let rows = column(&figures, "rows")?;
        let mut fails = Expr::bool(false);
        if let Some(min) = self.min.value {
            fails = build::or(fails, build::lt(rows.clone(), Expr::int(min))?)?;
        }
        if let Some(max) = self.max.value {
            fails = build::or(fails, build::gt(rows, Expr::int(max))?)?;
        }
        Ok(Test::Whole { figures, fails })
    }
}

impl Check for RowCount {
    fn plan(&self, cx: &mut CheckContext) -> Option<Tested> {
        let bounds = match (self.min.value, self.max.value) {
            (Some(min), Some(max)) if min > max => {
                let message = format!("`max` is {max}, below `min`: no table has so many rows");
                let place = self.max.place(cx.kind.span);
                let diagnostic = Diagnostic::at(Code::InvalidValue, place, message);
                let help = format!("the other way round: `min: {max}, max: {min}`");
                cx.diagnostics.push(diagnostic.help(help));
                return None;
            }
            (Some(min), Some(max)) => format!("{min} to {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, Some(max)) => format!("at most {max}"),
            (None, None) => {
                cx.report(Code::MissingKey, None, "`row_count` needs `min`, `max` or both");
                return None;
            }
        };
        let test = self.test(cx);
        let test = cx.typed(test)?;
        Some(Tested { rule: format!("the table has {bounds} rows"), test })
    }

    fn written(&self) -> String {
        self.show()
    }
}
