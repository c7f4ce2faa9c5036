//! # range
//!
//! A column whose values lie between two bounds.
//!
//! What it does: fails for each row whose value is below `min` or above `max`. Both bounds are allowed
//! values; one of them is enough.
//!
//! When to use it: amounts, scores, shares, dates that must lie in the past.
//!
//! Example:
//!
//! ```yaml
//! scores: {from: answers, range: {column: score, min: 0, max: 10}}
//! ```
//!
//! Rules: null passes. Bounds are numbers, texts, dates or timestamps, as the column is.

use crate::checks::{Check, CheckContext, CheckKind, Test, Tested};
use crate::diagnostic::{Code, Spanned};
use crate::document::{Decode, Decoder, Field, Node, Options, Scalar};
use crate::ir::Expr;
use crate::ir::parse::crossed;
use crate::ir::typing::build;

/// The registry's entry.
pub const KIND: CheckKind =
    CheckKind { name: "range", source: include_str!("range.rs"), row_level: true, fields, decode };

crate::options! {
    /// The bounds of a column.
    struct Range("`range`") {
        /// The column.
        column: Spanned<String>,
        /// The smallest value allowed.
        min: Option<Scalar> = None,
        /// The largest value allowed.
        max: Option<Scalar> = None,
    }
}

fn fields() -> Vec<Field> {
    Range::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Check>> {
    Some(Box::new(Range::decode(node, decoder)?))
}

/// A bound as it is written and as a literal; `None` if it is there but wrong, which is noted.
fn bound<'a>(
    scalar: &'a Option<Scalar>,
    name: &str,
    column: &Expr,
    cx: &mut CheckContext,
) -> Option<Option<(&'a Scalar, Expr)>> {
    match scalar {
        None => Some(None),
        Some(scalar) => cx.bound(scalar, name, column.data_type).map(|bound| Some((scalar, bound))),
    }
}

impl Check for Range {
    fn plan(&self, cx: &mut CheckContext) -> Option<Tested> {
        let name = &self.column.value;
        let column = cx.column(name)?;
        let low = bound(&self.min.value, &name.value, &column, cx);
        let high = bound(&self.max.value, &name.value, &column, cx);
        let (low, high) = (low?, high?);
        if let (Some((low, least)), Some((high, most))) = (&low, &high)
            && let Some(diagnostic) = crossed((low, least), (high, most))
        {
            cx.diagnostics.push(diagnostic);
            return None;
        }
        let below = match &low {
            None => None,
            Some((scalar, bound)) => {
                let below = build::lt(column.clone(), bound.clone());
                Some(cx.typed_at(scalar.span, below)?)
            }
        };
        let above = match &high {
            None => None,
            Some((scalar, bound)) => {
                let above = build::gt(column, bound.clone());
                Some(cx.typed_at(scalar.span, above)?)
            }
        };
        let fails = match (below, above) {
            (Some(below), Some(above)) => cx.typed(build::or(below, above))?,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => {
                cx.report(Code::MissingKey, None, "`range` needs `min`, `max` or both");
                return None;
            }
        };
        let bounds = match (low, high) {
            (Some((low, _)), Some((high, _))) => {
                format!("between {} and {}", low.written, high.written)
            }
            (Some((low, _)), None) => format!("of at least {}", low.written),
            (_, high) => {
                format!("of at most {}", high.map(|(high, _)| high.written.as_str()).unwrap_or(""))
            }
        };
        let rule = format!("rows have `{}` {bounds}", name.value);
        Some(Tested { rule, test: Test::Rows { rel: cx.table.rel.clone(), fails } })
    }

    fn written(&self) -> String {
        self.show()
    }
}
