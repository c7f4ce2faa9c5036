//! Metrics of support tickets: how many, how long they take, what is promised and kept.
//!
//! **Invariants**
//! - A ticket counts in the cell of its `time`, when it was opened, whatever happens to it later.
//! - What has not happened by `as_of` is not known: such tickets are left out by a rule that is told, and never
//!   counted as good.

pub mod abandonment_rate;
pub mod complaint_resolution_time;
pub mod first_contact_resolution;
pub mod first_response_time;
pub mod full_resolution_time;
pub mod handling_time;
pub mod reopen_rate;
pub mod resolution_rate;
pub mod resolution_time;
pub mod sla_compliance;
pub mod ticket_count;
pub mod tickets_per_customer;

use std::fmt::Debug;
use std::marker::PhantomData;

use crate::diagnostic::Spanned;
use crate::document::{Options, Setting};
use crate::frame::{DataType, Unit};
use crate::ir::typing::{build, call};
use crate::ir::{Expr, Mark};
use crate::metrics::lasting::Lasting;
use crate::metrics::orders::StatisticWord;
use crate::metrics::{Direction, Level, Lowering, Metric, MetricKind, Statistic};

crate::choice! {
    /// What becomes of durations that have not ended.
    pub enum OpenCases {
        /// In medians and quantiles they have lasted until now at least.
        Censor = "censor",
        /// They are left out.
        Drop = "drop",
    }
}

/// A wait from the opening of a ticket to something that happens to it: all that its metrics differ in.
trait Wait: Debug + Send + Sync + 'static {
    const NAME: &str;
    /// What ends it.
    const ENDED: Mark;
    /// The tickets that count; absent: all.
    const AMONG: Option<Mark> = None;
}

crate::options! {
    /// Which statistic, and what of those that go on.
    struct WaitOptions("a metric of waits") {
        /// `mean`, `median`, `max`, or `p01` to `p99`.
        statistic: StatisticWord,
        /// What becomes of those that have not ended.
        open_cases: OpenCases = OpenCases::Censor,
        /// The opening hours in which the wait is counted; absent: those of the source.
        hours: Option<Spanned<String>> = None,
    }
}

/// The metric of a wait.
#[derive(Debug)]
struct Waiting<W> {
    options: WaitOptions,
    wait: PhantomData<W>,
}

/// The registry's entry of a wait.
const fn waiting<W: Wait>(source: &'static str) -> MetricKind {
    MetricKind {
        name: W::NAME,
        source,
        built_in: true,
        unit: "hours, float64",
        direction: Direction::Lower,
        statistics: true,
        fields: WaitOptions::fields,
        decode: |node, decoder| {
            let mut reader = decoder.map(node, &format!("`{}`", W::NAME))?;
            let options = WaitOptions::read(&mut reader, decoder);
            reader.finish(decoder);
            Some(Box::new(Waiting { options: options?, wait: PhantomData::<W> }))
        },
        plain: |statistic| {
            let options = WaitOptions {
                statistic: Setting::default_of(StatisticWord(statistic?)),
                open_cases: Setting::default_of(OpenCases::Censor),
                hours: Setting::default_of(None),
            };
            Some(Box::new(Waiting { options, wait: PhantomData::<W> }))
        },
    }
}

impl<W: Wait> Metric for Waiting<W> {
    fn lower(&self, lowering: &mut Lowering) -> Option<()> {
        let ended = lowering.mark(W::ENDED);
        let among = W::AMONG.map(|mark| lowering.mark(mark));
        let (ended, among) = (ended?, among.map_or(Some(None), |among| among.map(Some))?);
        let WaitOptions { statistic, open_cases, hours } = &self.options;
        lasting(lowering, ended, among, statistic.value.0, (open_cases.value, &hours.value))
    }
}

/// Adds a statistic of the hours from the opening to an end that may not have come, of rows that pass a
/// condition; missing roles are noted.
fn lasting(
    lowering: &mut Lowering,
    ended: Expr,
    condition: Option<Expr>,
    statistic: Statistic,
    (open_cases, hours): (OpenCases, &Option<Spanned<String>>),
) -> Option<()> {
    let Some(opened) = lowering.subject.roles.time.clone() else {
        lowering.lacks("time", "time: COLUMN");
        return None;
    };
    let instant = |expr: Expr| build::cast(expr, DataType::Timestamp);
    let open = lowering.typed(build::is_null(ended.clone()))?;
    let (from, until) = (lowering.typed(instant(opened))?, lowering.typed(instant(ended))?);
    let counted = lowering.hours(hours);
    let hours = |from: Expr, to: Expr| call(counted, vec![from, to]);
    let ended = lowering.typed(hours(from.clone(), until.clone()))?;
    let value = build::coalesce(until, lowering.as_of()).and_then(|seen| hours(from, seen));
    let value = lowering.typed(value)?;
    let filter = match condition {
        None => lowering.condition(),
        Some(condition) => Some(lowering.with_condition(condition)?),
    };
    Waits { ended, value, open, filter }.statistic(lowering, statistic, open_cases)
}

/// Waits in hours, of which some go on.
pub(super) struct Waits {
    /// The hours of one that has ended; null of others.
    pub ended: Expr,
    /// The same, and of one that goes on how long it has lasted.
    pub value: Expr,
    /// Whether it goes on.
    pub open: Expr,
    /// The rows that have one.
    pub filter: Option<Expr>,
}

impl Waits {
    /// Adds a statistic of them.
    pub fn statistic(
        self,
        lowering: &mut Lowering,
        statistic: Statistic,
        open_cases: OpenCases,
    ) -> Option<()> {
        let Waits { ended, value, open, filter } = self;
        let unit = Unit::Time("hour".into());
        match (statistic, open_cases) {
            (Statistic::Quantile(at), OpenCases::Censor) => {
                let waits = Lasting { value, open, filter };
                waits.quantile(lowering, at, &Level::Rows, unit)
            }
            (Statistic::Quantile(_), OpenCases::Drop) | (Statistic::Mean | Statistic::Max, _) => {
                lowering.statistic(statistic, ended, filter, &Level::Rows, unit)
            }
        }
    }
}
