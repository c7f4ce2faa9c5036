//! The list of metrics.

use std::fmt::Debug;
use std::sync::LazyLock;

use super::catalog::Direction;
use super::lowering::Lowering;
use super::statistic::Statistic;
use super::{kinds, orders, payments, service, survey, voice};
use crate::diagnostic::Spanned;
use crate::document::{Decode, Decoder, Field, Node, Options};

/// A metric with its options, ready to be lowered.
pub trait Metric: Debug + Send + Sync {
    /// Adds the metric's measures and columns; `None` if something is wrong, which is noted.
    fn lower(&self, lowering: &mut Lowering) -> Option<()>;
    /// Further tables that it reads, besides the input.
    fn reads(&self) -> Vec<Spanned<String>> {
        Vec::new()
    }
    /// The metrics that it is made of.
    fn parts(&self) -> Vec<&Spanned<String>> {
        Vec::new()
    }
    /// Whether it measures a table besides what it is made of.
    fn measures_itself(&self) -> bool {
        self.parts().is_empty()
    }
}

/// An entry of the registry.
#[derive(Clone, Copy)]
pub struct MetricKind {
    pub name: &'static str,
    /// The text of the file; its doc comment is the manual page.
    pub source: &'static str,
    /// False for the kinds that users' metrics are made of, true for metrics with a meaning of
    /// their own.
    pub built_in: bool,
    /// The unit of the result, in words.
    pub unit: &'static str,
    /// Which way it is good; a metric declared of a kind may say otherwise.
    pub direction: Direction,
    /// Whether the name takes `_mean`, `_median`, `_max` or `_p01` to `_p99`.
    pub statistics: bool,
    /// The options, for the manual.
    pub fields: fn() -> Vec<Field>,
    /// Reads the options.
    pub decode: fn(&Node, &mut Decoder) -> Option<Box<dyn Metric>>,
    /// The metric by its bare name or, if it has statistics, by a name with one; `None` for what
    /// needs options.
    pub plain: fn(Option<Statistic>) -> Option<Box<dyn Metric>>,
}

impl MetricKind {
    /// A built-in metric whose struct is its options. What it is called, its file, unit and direction are
    /// written over this.
    pub(crate) const fn with_options<M: Metric + Options + Decode + 'static>() -> Self {
        MetricKind {
            name: "",
            source: "",
            built_in: true,
            unit: "",
            direction: Direction::Neither,
            statistics: false,
            fields: M::fields,
            decode: |node, decoder| Some(Box::new(M::decode(node, decoder)?)),
            plain: |_| Some(Box::new(M::defaults()?)),
        }
    }
}

/// Every metric, in reading order, by the block of a source whose rows it is about; the kinds that users' metrics
/// are made of are about any.
static FAMILIES: &[(Option<&str>, &[MetricKind])] = &[
    (
        None,
        &[
            kinds::count::KIND,
            kinds::count_distinct::KIND,
            kinds::sum::KIND,
            kinds::min::KIND,
            kinds::max::KIND,
            kinds::mean::KIND,
            kinds::quantile::KIND,
            kinds::share::KIND,
            kinds::balance::KIND,
            kinds::ratio::KIND,
        ],
    ),
    (
        Some("order"),
        &[
            orders::revenue::KIND,
            orders::order_count::KIND,
            orders::customer_count::KIND,
            orders::units::KIND,
            orders::average_order_value::KIND,
            orders::order_value::KIND,
            orders::orders_per_customer::KIND,
            orders::repeat_purchase_rate::KIND,
            orders::gap_days::KIND,
            orders::historic_clv::KIND,
            orders::top_decile_value_share::KIND,
            orders::return_rate::KIND,
            orders::unit_return_rate::KIND,
            orders::value_return_rate::KIND,
        ],
    ),
    (
        Some("survey"),
        &[
            survey::csat::KIND,
            survey::csat_mean::KIND,
            survey::nps::KIND,
            survey::ces_low_effort::KIND,
            survey::ces_mean::KIND,
            survey::pulse::KIND,
            survey::response_count::KIND,
            survey::response_rate::KIND,
            survey::follow_up_rate::KIND,
            survey::follow_up_time::KIND,
        ],
    ),
    (
        Some("ticket"),
        &[
            service::ticket_count::KIND,
            service::tickets_per_customer::KIND,
            service::first_response_time::KIND,
            service::resolution_time::KIND,
            service::full_resolution_time::KIND,
            service::complaint_resolution_time::KIND,
            service::handling_time::KIND,
            service::first_contact_resolution::KIND,
            service::resolution_rate::KIND,
            service::reopen_rate::KIND,
            service::abandonment_rate::KIND,
            service::sla_compliance::KIND,
        ],
    ),
    (
        Some("review"),
        &[
            voice::review_rating::KIND,
            voice::review_rating_bayes::KIND,
            voice::review_positive_lower::KIND,
            voice::sentiment_positive::KIND,
            voice::sentiment_neutral::KIND,
            voice::sentiment_negative::KIND,
            voice::net_sentiment::KIND,
            voice::sentiment_coverage::KIND,
            voice::theme_share::KIND,
            voice::theme_score::KIND,
        ],
    ),
    (
        Some("invoice"),
        &[
            payments::late_payment_rate::KIND,
            payments::days_overdue::KIND,
            payments::overdue_value::KIND,
        ],
    ),
];

/// Every metric, in reading order.
pub fn registry() -> &'static [MetricKind] {
    static REGISTRY: LazyLock<Vec<MetricKind>> =
        LazyLock::new(|| FAMILIES.iter().flat_map(|(_, kinds)| *kinds).copied().collect());
    &REGISTRY
}

/// The block of a source whose rows a kind of metrics is about; nothing for those that are about any.
pub fn block_of(kind: &MetricKind) -> Option<&'static str> {
    let of = |(_, kinds): &&(_, &[MetricKind])| kinds.iter().any(|one| one.name == kind.name);
    FAMILIES.iter().find(of).and_then(|(block, _)| *block)
}

/// Reads the options of a metric that has none: `{}`.
pub(crate) fn no_options<M: Metric + 'static>(
    name: &str,
    node: &Node,
    decoder: &mut Decoder,
    metric: M,
) -> Option<Box<dyn Metric>> {
    decoder.map(node, &format!("`{name}`"))?.finish(decoder);
    Some(Box::new(metric))
}

/// The entry that a name means: its own, or one with a statistic behind it, such as `gap_days_p90`.
pub fn meant(name: &str) -> Option<(&'static MetricKind, Option<Statistic>)> {
    if let Some(kind) = find(name) {
        return Some((kind, None));
    }
    let (stem, suffix) = name.rsplit_once('_')?;
    let statistic = Statistic::from_word(suffix)?;
    let kind = find(stem).filter(|kind| kind.statistics)?;
    Some((kind, Some(statistic)))
}

/// The entry called `name`.
pub fn find(name: &str) -> Option<&'static MetricKind> {
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
            for part in ["What it does", "Example", "Formula"] {
                assert!(manual.contains(part), "the manual of `{}` has no {part}", kind.name);
            }
            assert!(!kind.unit.is_empty());
            assert!(manual.contains(kind.name), "{}", kind.name);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), registry().len());
    }
}
