//! # quantile
//!
//! A quantile of an expression, with its interval.
//!
//! What it does: finds the value below which the stated share of the values lies. Exact, never a sketch.
//!
//! When to use it: typical and extreme sizes where a mean would follow the largest few.
//!
//! Example: `slow: {quantile: {value: minutes, at: 95%}}`, or
//! `stayed: {quantile: {value: minutes, at: 50%, open: status = 'open'}}`
//!
//! Formula: linear between order statistics (type 7). The bounds are the order statistics numbered
//! ⌊np − z√(np(1−p))⌋ and ⌈np + z√(np(1−p))⌉ + 1, null outside 1..n. Columns `m`, `m_n`, `m_low`,
//! `m_high`; of nothing: null.
//!
//! With `open` the values are durations, and those of rows for which it is true go on: they have lasted at
//! least so long. The quantile is the first value by which the share of `at` has ended (Kaplan and Meier),
//! null where it is not reached; the bounds come from the band that is symmetric in ln(−ln S), and are at 0
//! where none is left. Where nothing is open it is the plain quantile. Rows whose value is below 0, or for
//! which `open` is null, do not count. Columns `m`, `m_n` (all of them), `m_open`, `m_low`, `m_high`.
//!
//! References: Hyndman and Fan (1996), Sample quantiles in statistical packages; Kaplan and Meier (1958),
//! Nonparametric estimation from incomplete observations.

use crate::diagnostic::Code;
use crate::document::{Decode, Decoder, Expression, Field, Node, Options, Share};
use crate::metrics::lasting::Lasting;
use crate::metrics::{Direction, Lowering, Metric, MetricKind, Statistic};

/// The registry's entry.
pub const KIND: MetricKind = MetricKind {
    name: "quantile",
    source: include_str!("quantile.rs"),
    built_in: false,
    unit: "the expression's own, float64",
    direction: Direction::Neither,
    statistics: false,
    fields,
    decode,
    plain: |_| None,
};

crate::options! {
    /// Which quantile of what.
    struct QuantileOf("`quantile`") {
        /// The expression.
        value: Expression,
        /// Which quantile.
        at: Share,
        /// The rows whose value goes on and is the duration so far; absent: none.
        open: Option<Expression> = None,
    }
}

fn fields() -> Vec<Field> {
    QuantileOf::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Metric>> {
    Some(Box::new(QuantileOf::decode(node, decoder)?))
}

impl Metric for QuantileOf {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let at = self.at.value.0;
        if !(0.0..=1.0).contains(&at) {
            lowering.report(Code::InvalidValue, "`at` lies between 0% and 100%");
            return None;
        }
        let value = lowering.parse(&self.value.value)?;
        let unit = lowering.unit_of(&value);
        let value = super::number(value, lowering)?;
        let filter = lowering.condition();
        if let Some(open) = &self.open.value {
            let open = lowering.parse_condition(open)?;
            let lasting = Lasting { value, open, filter };
            return lasting.quantile(lowering, at, &lowering.rows(), unit);
        }
        lowering.statistic(Statistic::Quantile(at), value, filter, &lowering.rows(), unit)
    }
}
