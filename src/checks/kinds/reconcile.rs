//! # reconcile
//!
//! Two sums that must agree.
//!
//! What it does: sums an expression over this table and another over a second table, and fails if they
//! differ by more than `tolerance`.
//!
//! When to use it: the revenue of a report against that of its source; a total against its parts.
//!
//! Example:
//!
//! ```yaml
//! nothing_lost:
//!   from: monthly
//!   reconcile: {sum: revenue, equals: {from: orders, sum: amount, where: status = 'completed'}, tolerance: 0.01}
//! ```
//!
//! Rules: nulls add nothing; the sum of nothing is 0. Decimals are summed and subtracted exactly; of doubles a
//! difference of a million-millionth of the larger sum is none. The
//! table is judged as a whole: the figures it found are `sum`, `equals` and `difference`. The check's
//! own `where` is about this table only.

use crate::checks::{Check, CheckContext, CheckKind, Test, Tested};
use crate::diagnostic::{Code, Spanned};
use crate::document::{Decode, Decoder, Expression, Field, Node, Options};
use crate::frame::DataType;
use crate::ir::relation::{self, column};
use crate::ir::typing::{TypeError, build, call};
use crate::ir::{Expr, Func, JoinKind, Measure, MeasureFunc, RelRef, named};

/// The registry's entry.
pub const KIND: CheckKind = CheckKind {
    name: "reconcile",
    source: include_str!("reconcile.rs"),
    row_level: false,
    fields,
    decode,
};

crate::options! {
    /// What equals what.
    struct Reconcile("`reconcile`") {
        /// What is summed over this table.
        sum: Expression,
        /// The other sum.
        equals: Other,
        /// The greatest difference allowed.
        tolerance: f64 = 0.0,
    }
}

crate::options! {
    /// A sum over another table.
    struct Other("`equals`") {
        /// The table.
        from: Spanned<String>,
        /// What is summed over it.
        sum: Expression,
        /// Which of its rows.
        r#where: Option<Expression> = None,
    }
}

fn fields() -> Vec<Field> {
    Reconcile::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Check>> {
    Some(Box::new(Reconcile::decode(node, decoder)?))
}

/// A number to be summed; anything else is noted.
fn number(expr: Expr, written: &Expression, cx: &mut CheckContext) -> Option<Expr> {
    if expr.data_type.is_numeric() {
        return Some(expr);
    }
    let message = format!("a sum needs numbers, not a {}", expr.data_type);
    cx.report(Code::TypeMismatch, Some(written.span), message);
    None
}

impl Reconcile {
    fn test(
        &self,
        ours: (&RelRef, Expr),
        theirs: (&RelRef, Expr, Option<Expr>),
    ) -> Result<Test, TypeError> {
        let sum = |rel: &RelRef, name: &str, expr: Expr, filter: Option<Expr>| {
            let measure = Measure::filtered(MeasureFunc::Sum(expr), filter);
            relation::aggregate(rel, Vec::new(), vec![named(name, measure)])
        };
        let left = sum(ours.0, "sum", ours.1, None)?;
        let right = sum(theirs.0, "equals", theirs.1, theirs.2)?;
        let pair = relation::join(&left, &right, Vec::new(), JoinKind::Inner, true)?;
        let difference = build::sub(column(&pair, "sum")?, column(&pair, "equals")?)?;
        let figures = relation::extend(&pair, vec![named("difference", difference)])?;
        let difference = build::cast(column(&figures, "difference")?, DataType::Float64)?;
        let size = call(Func::Abs, vec![difference])?;
        let mut limit = Expr::float(self.tolerance.value);
        let (sum, equals) = (column(&figures, "sum")?, column(&figures, "equals")?);
        if [&sum, &equals].iter().any(|sum| sum.data_type == DataType::Float64) {
            // Doubles whose sums differ in the last digits are the same.
            let double = |sum: Expr| call(Func::Abs, vec![build::cast(sum, DataType::Float64)?]);
            let largest = call(Func::Greatest, vec![double(sum)?, double(equals)?])?;
            limit = build::add(limit, build::mul(largest, Expr::float(1e-12))?)?;
        }
        let fails = build::gt(size, limit)?;
        Ok(Test::Whole { figures, fails })
    }
}

impl Check for Reconcile {
    fn plan(&self, cx: &mut CheckContext) -> Option<Tested> {
        let equals = &self.equals.value;
        let ours = cx.expression(&self.sum.value);
        let ours = ours.and_then(|expr| number(expr, &self.sum.value, cx));
        let other = cx.other(&equals.from.value)?;
        let theirs = cx.expression_over(&equals.sum.value, &other);
        let theirs = theirs.and_then(|expr| number(expr, &equals.sum.value, cx));
        let condition = match &equals.r#where.value {
            Some(written) => Some(cx.condition_over(written, &other)?),
            None => None,
        };
        if self.tolerance.value < 0.0 {
            cx.report(Code::InvalidValue, self.tolerance.span, "`tolerance` is not negative");
        }
        let rel = cx.table.rel.clone();
        let test = self.test((&rel, ours?), (&other.rel, theirs?, condition));
        let test = cx.typed(test)?;
        let rule = format!(
            "the sum of `{}` is that of `{}` over `{}`, to within {}",
            self.sum.value.text, equals.sum.value.text, other.name, self.tolerance.value
        );
        Some(Tested { rule, test })
    }

    fn reads(&self) -> Vec<Spanned<String>> {
        vec![self.equals.value.from.value.clone()]
    }

    fn written(&self) -> String {
        self.show()
    }
}
