//! Metrics of the rows of the input: shares and balances of conditions, and the roles of its subject.

use super::kinds::share::Bound;
use super::lowering::{IntervalMethod, Level, Lowering};
use crate::diagnostic::Spanned;
use crate::document::TimeUnit;
use crate::frame::{DataType, Unit, Value};
use crate::ir::typing::{build, call};
use crate::ir::{Expr, Func, Mark, Measure, MeasureFunc};

impl Lowering<'_> {
    /// A role of the input's subject; a missing one is noted.
    pub fn mark(&mut self, mark: Mark) -> Option<Expr> {
        let found = self.subject.roles.marks.get(&mark).cloned();
        if found.is_none() {
            let (block, key) = mark.written();
            self.lacks(&format!("{block}.{key}"), &format!("{block}: {{{key}: COLUMN}}"));
        }
        found
    }

    /// How hours between two instants are counted: within the opening hours of that name, or of the input;
    /// a name that is not there is noted.
    pub fn hours(&mut self, name: &Option<Spanned<String>>) -> Func {
        let hours = match name {
            None => self.subject.roles.hours,
            Some(name) => self.subject.calendar.hours_by_name(name, self.diagnostics),
        };
        hours.map_or(Func::Elapsed(TimeUnit::Hour), Func::OpenHours)
    }

    /// The first moment that is not seen.
    pub fn as_of(&self) -> Expr {
        Expr::literal(Value::Timestamp(self.subject.as_of), DataType::Timestamp)
    }

    /// Notes what the metric should be, for reports.
    pub fn goal(&mut self, goal: f64) {
        self.goals.push((self.name.clone(), goal));
    }

    /// The last day of which something is seen.
    pub fn last_day(&self) -> i32 {
        self.subject.calendar.date_of(self.subject.as_of - 1)
    }

    /// A condition together with the metric's own `where`.
    pub fn with_condition(&mut self, condition: Expr) -> Option<Expr> {
        let both = build::all([condition].into_iter().chain(self.condition()));
        Some(self.typed(both)?.unwrap_or_else(|| Expr::bool(true)))
    }

    /// The columns of a share: rows for which a condition holds, of those for which `among` does.
    pub fn share_of_rows(&mut self, holds: Expr, among: Expr) -> Option<()> {
        let both = self.typed(build::and(holds, among.clone()))?;
        let numerator = Measure::filtered(MeasureFunc::CountRows, Some(both));
        let numerator = self.measure(&Level::Rows, "numerator", numerator);
        let n = Measure::filtered(MeasureFunc::CountRows, Some(among));
        let n = self.measure(&Level::Rows, "n", n);
        self.share(numerator, n)
    }

    /// The columns of a balance on the scale of ±100, likewise.
    pub fn balance_of_rows(&mut self, plus: Expr, minus: Expr, among: Expr) -> Option<()> {
        let mut columns = Vec::new();
        let parts = [("plus", Some(plus)), ("minus", Some(minus)), ("n", None)];
        for (part, condition) in parts {
            let all = build::all(condition.into_iter().chain([among.clone()]));
            let filter = self.typed(all)?;
            let count = Measure::filtered(MeasureFunc::CountRows, filter);
            columns.push(self.measure(&Level::Rows, part, count));
        }
        let [plus, minus, n] = columns.try_into().ok()?;
        self.balance(plus, minus, n, 100.0)
    }

    /// The columns of a balance of what a level has, of that for which both conditions are known.
    pub fn balance_of(
        &mut self,
        plus: Expr,
        minus: Expr,
        level: &Level,
        condition: Option<Expr>,
        scale: f64,
    ) -> Option<()> {
        let plus_present = self.typed(build::is_null(plus.clone()).and_then(build::not))?;
        let minus_present = self.typed(build::is_null(minus.clone()).and_then(build::not))?;
        let parts = [
            ("plus", vec![plus, minus_present.clone()]),
            ("minus", vec![minus, plus_present.clone()]),
            ("n", vec![plus_present, minus_present]),
        ];
        let mut columns = Vec::new();
        for (part, conditions) in parts {
            let filter = build::all(conditions.into_iter().chain(condition.clone()));
            let filter = self.typed(filter)?;
            let count = Measure::filtered(MeasureFunc::CountRows, filter);
            columns.push(self.measure(level, part, count));
        }
        let [plus, minus, n] = columns.try_into().ok()?;
        self.balance(plus, minus, n, scale)
    }

    /// Whether bounds of a quantile of durations that may go on are wanted; another interval is noted.
    pub fn wants_censored_bounds(&mut self) -> Option<bool> {
        match self.interval.value {
            IntervalMethod::Auto => Some(true),
            IntervalMethod::None => Some(false),
            wanted => self.has_not("it has the band of the survival curve".into(), wanted),
        }
    }

    /// The columns of a share of which a bound of Wilson's interval is the value.
    pub(super) fn bound_of_share(&mut self, numerator: Expr, n: Expr, bound: Bound) -> Option<()> {
        let ([numerator], n) = self.scaled([numerator], n)?;
        let z = Expr::float(crate::stats::normal_quantile(self.subject.level));
        let func = match bound {
            Bound::Low => Func::WilsonLow,
            Bound::High => Func::WilsonHigh,
        };
        let bound = call(func, vec![numerator.clone(), n.clone(), z]);
        let bound = self.typed(bound)?;
        self.plain(bound, Unit::Share)?;
        self.column("_numerator", numerator, Unit::Count);
        self.column("_n", n, Unit::Count);
        Some(())
    }
}
