//! # freshness
//!
//! How old the newest row of a table is.
//!
//! What it does: fails if the latest time lies further before `as_of` than `max_age`.
//!
//! When to use it: a nightly job whose source stopped arriving would otherwise report a quiet day.
//!
//! Example:
//!
//! ```yaml
//! arrived: {from: orders, freshness: {max_age: 26h}}
//! ```
//!
//! Rules: the time is the role `time` unless `time:` gives another expression. A date is its midnight, so
//! yesterday's date is 24 hours old at today's midnight. A table without a time fails. It is measured
//! against `as_of`, never against the clock, so a repeated run finds the same.

use crate::checks::{Check, CheckContext, CheckKind, Test, Tested};
use crate::diagnostic::Code;
use crate::document::{Decode, Decoder, Expression, Field, Interval, Node, Options};
use crate::frame::{DataType, Value};
use crate::ir::relation::{self, column};
use crate::ir::typing::{TypeError, build, call};
use crate::ir::{Expr, Func, Measure, MeasureFunc, named};

/// The registry's entry.
pub const KIND: CheckKind = CheckKind {
    name: "freshness",
    source: include_str!("freshness.rs"),
    row_level: false,
    fields,
    decode,
};

crate::options! {
    /// How old the newest row may be.
    struct Freshness("`freshness`") {
        /// The greatest age allowed.
        max_age: Interval,
        /// Another time than the table's.
        time: Option<Expression> = None,
    }
}

fn fields() -> Vec<Field> {
    Freshness::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Check>> {
    Some(Box::new(Freshness::decode(node, decoder)?))
}

impl Freshness {
    fn test(&self, cx: &CheckContext, time: Expr) -> Result<Test, TypeError> {
        let latest = Measure::of(MeasureFunc::Max(build::cast(time, DataType::Timestamp)?));
        let figures =
            relation::aggregate(&cx.table.rel, Vec::new(), vec![named("latest", latest)])?;
        let as_of = Expr::literal(Value::Timestamp(cx.as_of), DataType::Timestamp);
        let oldest = call(Func::Shift(self.max_age.value.negated()), vec![as_of])?;
        let old = build::lt(column(&figures, "latest")?, oldest)?;
        // Without a latest time there is nothing fresh.
        let fails = build::coalesce(old, Expr::bool(true))?;
        Ok(Test::Whole { figures, fails })
    }
}

impl Check for Freshness {
    fn plan(&self, cx: &mut CheckContext) -> Option<Tested> {
        let time = match &self.time.value {
            Some(written) => cx.expression(written)?,
            None => match cx.table.roles.time.clone() {
                Some(time) => time,
                None if cx.table.roles.flawed => return None,
                None => {
                    let message = format!(
                        "`freshness` needs the role `time`, which `{}` does not have",
                        cx.table.name
                    );
                    cx.report(Code::MissingRole, None, message);
                    return None;
                }
            },
        };
        if !matches!(time.data_type, DataType::Date | DataType::Timestamp) {
            let span = self.time.span;
            let message = format!("a time is a date or a timestamp, not a {}", time.data_type);
            cx.report(Code::TypeMismatch, span, message);
            return None;
        }
        if self.max_age.value.months < 0 || self.max_age.value.micros < 0 {
            cx.report(Code::InvalidValue, self.max_age.span, "`max_age` is not negative");
            return None;
        }
        let test = self.test(cx, time);
        let test = cx.typed(test)?;
        let age = self.max_age.value;
        let rule = format!("the latest time is at most {age} before `as_of`");
        Some(Tested { rule, test })
    }

    fn written(&self) -> String {
        self.show()
    }
}
