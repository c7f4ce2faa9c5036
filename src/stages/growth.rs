//! # growth
//!
//! Who came, stayed, came back and left, from period to period, and what that did to the money.
//!
//! What it does: compares the customers of each period with those of the one before, as identities: new,
//! retained, resurrected (seen before, but not in the period before) and churned. Money goes the same
//! ways: gained from new and resurrected customers, expansion and contraction of those who stayed, lost
//! with those who left.
//!
//! When to use it: retention and churn rates of a business, gross and net revenue retention, the quick
//! ratio.
//!
//! Example:
//!
//! ```yaml
//! growth:
//!   from: orders
//!   growth: {period: month, by: [plan]}
//! ```
//!
//! Columns: `period` (date), the dimensions, `complete`; `start_customers` (active in the period before),
//! `new`, `retained`, `resurrected`, `churned`, `active`; `retention_rate` and `churn_rate` with Wilson
//! bounds, `churn_rate_annual`; money `start_value`, `new_value`, `resurrected_value`, `expansion`,
//! `contraction`, `churned_value`, `value`; `grr`, `nrr` (with `_low` and `_high` for `interval:
//! bootstrap`), `quick_ratio` of customers, `quick_ratio_value`. Every period from the first with a
//! customer to the last, for every value of the dimensions.
//!
//! Companion `_totals`, if there are dimensions that are no calendar grains: the same without them.
//!
//! Rules: active = new + retained + resurrected, and value = start + new + resurrected + expansion −
//! contraction − churned. A customer's dimensions are those of the first event in a period, and what
//! happens to a customer who was there before counts under those of the period before, so a change of plan
//! is expansion or contraction and no churn. retention_rate = retained / start, churn_rate = churned /
//! start, per year 1 − (1 − churn_rate)^(periods in a year). grr = (start − contraction − churned) / start,
//! nrr adds expansion. quick_ratio = (new + resurrected) / churned; for money, what was gained (new,
//! resurrected, expansion) over what was lost (contraction, churned). A ratio whose denominator is 0 is
//! null, so are the rates of the first period. In a period that is not over, everything after
//! `start_customers` is null.
//!
//! Of a source of spans (`subscription`) a customer is active in a period in whose last instant a span runs,
//! and `value` is the money of all that run then, for such a period: a value that buys a month counts three
//! times in a quarter, and 7 / 30.4375 of it in a week, with four digits more than its own, so that what many
//! spans lose in rounding does not add up. Dimensions are those of the span that started first.
//!
//! References: Hsu (2015), Diligence at Social Capital part 1: accounting for user growth.

use super::cohort_retention::Totals;
use super::context::{RoleOverrides, StageContext};
use super::dimension::DimensionSpec;
use super::draws::{self, DRAWS};
use super::purchases::Purchases;
use super::registry::{Companion, Output, Stage, StageKind};
use super::suppression::Rule;
use super::view::View;
use crate::document::{Decode, Decoder, Expression, Field, Node, Options, PeriodUnit, TimeUnit};
use crate::frame::{DataType, Unit, Value};
use crate::ir::relation::{self, Built, column};
use crate::ir::typing::{TypeError, Typed, build, call};
use crate::ir::{
    Expr, Func, JoinKind, Measure, MeasureFunc, Movements, Named, RelRef, Roles, movements, named,
};
use crate::models::{Bootstrap, Resampled};

/// The registry's entry.
pub const KIND: StageKind = StageKind {
    name: "growth",
    source: include_str!("growth.rs"),
    row_level: false,
    companions: &[Companion {
        suffix: "totals",
        sentence: "The same columns without the dimensions that are no calendar grains.",
    }],
    fields,
    decode,
};

crate::choice! {
    /// How intervals are found.
    pub enum GrowthInterval {
        /// Wilson's, of the rates of customers.
        Wilson = "wilson",
        /// Wilson's, and of `grr` and `nrr` by drawing customers.
        Bootstrap = "bootstrap",
        /// They are left null.
        None = "none",
    }
}

crate::options! {
    /// What is compared.
    struct Growth("`growth`") {
        /// The length of a period: a day or longer.
        period: PeriodUnit = PeriodUnit::Month,
        /// Dimensions, as of the first event in a period.
        by: Vec<DimensionSpec> = Vec::new(),
        /// Whether `_totals` is made.
        totals: Totals = Totals::Rows,
        /// How intervals are found.
        interval: GrowthInterval = GrowthInterval::Wilson,
        /// Another customer than the input's.
        customer: Option<Expression> = None,
        /// Another time than the input's.
        time: Option<Expression> = None,
        /// Another value than the input's.
        value: Option<Expression> = None,
    }
}

fn fields() -> Vec<Field> {
    Growth::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Stage>> {
    Some(Box::new(Growth::decode(node, decoder)?))
}

/// The column with the number of a period.
const PERIOD: &str = "#period";

impl Stage for Growth {
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>> {
        cx.override_roles(&RoleOverrides {
            customer: &self.customer.value,
            time: &self.time.value,
            value: &self.value.value,
        })?;
        let mut table = cx.input()?;
        let dimensions = cx.dimensions(&self.by.value, &mut table);
        cx.customer_and_time(&table)?;
        let dimensions = dimensions?;
        let purchases = match table.roles.subscription.clone() {
            None => cx.purchases(&table, &dimensions, None, false)?,
            Some(span) => cx.running(&table, &span, &dimensions, None, self.period.value.into())?,
        };
        let money = table.roles.value.as_ref().and_then(|value| value.currency.clone());

        let mut outputs = Vec::new();
        let grains: Vec<bool> = dimensions.iter().map(|d| d.grain.is_some()).collect();
        let totals = grains.contains(&false) && self.totals.value == Totals::Rows;
        for (suffix, all) in [(None, true), (Some("totals"), false)] {
            if !all && !totals {
                continue;
            }
            let by: Vec<Named<Expr>> = dimensions
                .iter()
                .zip(&purchases.by)
                .filter(|(dimension, _)| all || dimension.grain.is_some())
                .map(|(_, by)| by.clone())
                .collect();
            let names: Vec<String> = by.iter().map(|by| by.name.clone()).collect();
            let built = self.table(cx, &purchases, &by, &money);
            let rel = cx.typed(built)?;
            let views = match all {
                true => vec![View::Growth { by: names.clone() }, View::Rows],
                false => Vec::new(),
            };
            let roles = Roles { time: column(&rel, "period").ok(), ..Roles::default() };
            let grain = std::iter::once("period".to_owned()).chain(names).collect();
            outputs.push(Output { suffix, rel, grain, roles, views });
        }
        if cx.small_groups.is_some() {
            let grains = dimensions.iter().filter(|dimension| dimension.grain.is_some());
            let keys = ["period".to_owned()].into_iter().chain(grains.map(|d| d.name.clone()));
            let counts = Movements::COUNTS.iter().copied().chain(["active"]).collect();
            let rule = Rule::Movements { keys_of_totals: keys.collect(), counts };
            let kept = outputs.iter().map(|output| output.grain.clone()).collect();
            let tables = outputs.iter().map(|output| output.rel.clone()).collect();
            let tables = cx.suppress(tables, kept, rule)?;
            outputs.iter_mut().zip(tables).for_each(|(output, table)| output.rel = table);
        }
        Some(outputs)
    }

    fn dimensions(&self) -> Vec<&DimensionSpec> {
        self.by.value.iter().collect()
    }

    fn settings(&self) -> Vec<(String, String, bool)> {
        Options::settings(self)
    }
}

/// Every column of a set of names as itself.
fn same(rel: &RelRef, names: &[String]) -> Result<Vec<Named<Expr>>, TypeError> {
    names.iter().map(|name| Ok(named(name, column(rel, name)?))).collect()
}

/// The relation with one of its columns under another name.
fn renamed(rel: &RelRef, from: &str, to: &str) -> Built {
    let columns = relation::all_columns(rel).into_iter();
    let name = |column: Named<Expr>| match column.name == from {
        true => named(to, column.value),
        false => column,
    };
    relation::project(rel, columns.map(name).collect())
}

fn zero_like(expr: &Expr) -> Typed {
    build::cast(Expr::int(0), expr.data_type)
}

impl Growth {
    fn table(
        &self,
        cx: &StageContext,
        purchases: &Purchases,
        by: &[Named<Expr>],
        currency: &Option<String>,
    ) -> Built {
        let names: Vec<String> = by.iter().map(|by| by.name.clone()).collect();
        let unit = TimeUnit::from(self.period.value);
        let Purchases { rel, events, .. } = purchases;
        let moved =
            Movements::build(rel.clone(), events.clone(), by.to_vec(), unit, cx.last_day())?;
        let moved = renamed(&moved, "period", PERIOD)?;
        let day = Expr::literal(Value::Date(cx.last_day()), DataType::Date);
        let last = build::period_of(unit, day)?;

        // Every period since the first, for every value of the dimensions.
        let since = relation::aggregate(
            &moved,
            Vec::new(),
            vec![named("#since", Measure::of(MeasureFunc::Min(column(&moved, PERIOD)?)))],
        )?;
        let cells = relation::aggregate(&moved, same(&moved, &names)?, Vec::new())?;
        let cells = relation::join(&cells, &since, Vec::new(), JoinKind::Inner, false)?;
        let since = column(&cells, "#since")?;
        let spine = relation::periods(&cells, since, last, PERIOD, self.period.value.into())?;
        let on = std::iter::once(PERIOD).chain(names.iter().map(String::as_str));
        let on = on.map(|name| (name.to_owned(), name.to_owned())).collect();
        let mut grid = relation::join(&spine, &moved, on, JoinKind::Left, true)?;
        let mut filled = Vec::new();
        for name in Movements::COUNTS.iter().chain(&Movements::MONEY).chain(&["value"]) {
            let value = column(&grid, name)?;
            let zero = zero_like(&value)?;
            filled.push(named(*name, build::coalesce(value, zero)?));
        }
        grid = relation::extend(&grid, filled)?;
        if self.interval.value == GrowthInterval::Bootstrap && purchases.events.value.is_some() {
            let each = movements::each(rel, events, by, unit, cx.last_day())?;
            grid = self.drawn(cx, &grid, &renamed(&each, "period", PERIOD)?, &names)?;
        }
        self.columns(cx, &grid, &names, purchases.events.value.is_some(), currency)
    }

    /// The grid with bounds of what was kept of the money, by drawing customers.
    fn drawn(
        &self,
        cx: &StageContext,
        grid: &RelRef,
        movements: &RelRef,
        names: &[String],
    ) -> Built {
        let of = |name: &str| column(movements, name);
        let gross =
            build::sub(build::sub(of("start_value")?, of("contraction")?)?, of("churned_value")?)?;
        let net = build::add(gross.clone(), of("expansion")?)?;
        let mut columns = vec![named(PERIOD, of(PERIOD)?)];
        columns.extend(same(movements, names)?);
        columns.extend([
            named("#c", of("c")?),
            named("#gross", gross),
            named("#net", net),
            named("#start", of("start_value")?),
        ]);
        let each = relation::project(movements, columns)?;
        let mut keys = vec![PERIOD.to_owned()];
        keys.extend(names.iter().cloned());
        let function = Bootstrap {
            keys: keys.iter().filter_map(|name| each.schema.field(name).cloned()).collect(),
            unit: "#c".into(),
            of: Resampled::Sums(["#gross", "#net", "#start"].map(str::to_owned).to_vec()),
            seed: cx.seed,
            draws: DRAWS,
        };
        let draws = function.over(&each);
        let over_start = |name| build::div(column(&draws, name)?, column(&draws, "#start")?);
        let kept = vec![named("grr", over_start("#gross")?), named("nrr", over_start("#net")?)];
        let bounds = draws::bounds(&draws, &keys, kept, cx.level)?;
        let on = keys.iter().map(|name| (name.clone(), name.clone())).collect();
        relation::join(grid, &bounds, on, JoinKind::Left, true)
    }

    /// The published columns: rates and ratios, and null for what is not over.
    fn columns(
        &self,
        cx: &StageContext,
        grid: &RelRef,
        names: &[String],
        has_value: bool,
        currency: &Option<String>,
    ) -> Built {
        let unit = TimeUnit::from(self.period.value);
        let start = build::period_start(unit, column(grid, PERIOD)?)?;
        let next = build::add(column(grid, PERIOD)?, Expr::int(1))?;
        let end = build::cast(build::period_start(unit, next)?, DataType::Timestamp)?;
        let as_of = Expr::literal(Value::Timestamp(cx.as_of), DataType::Timestamp);
        let complete = build::le(end, as_of)?;
        let of = |name: &str| column(grid, name);
        let over = |value: Expr| {
            let null = Expr::null(value.data_type);
            build::choose(complete.clone(), value, null)
        };
        let money = |value: Expr| match has_value {
            true => over(value),
            false => Ok(Expr::null(value.data_type)),
        };
        let mut columns = vec![named("period", start)];
        columns.extend(same(grid, names)?);
        columns.push(named("complete", complete.clone()));
        columns.push(named("start_customers", of("start_customers")?));
        for name in &Movements::COUNTS[1..] {
            columns.push(named(*name, over(of(name)?)?));
        }
        let active = build::add(build::add(of("new")?, of("retained")?)?, of("resurrected")?)?;
        columns.push(named("active", over(active)?));

        let (began, stayed, left) = (of("start_customers")?, of("retained")?, of("churned")?);
        let z = Expr::float(cx.z());
        for (name, part) in [("retention_rate", stayed), ("churn_rate", left.clone())] {
            let rate = over(build::div(part.clone(), began.clone())?)?;
            columns.push(named(name, rate));
            for (suffix, func) in [("low", Func::WilsonLow), ("high", Func::WilsonHigh)] {
                let bound = match self.interval.value {
                    GrowthInterval::None => Expr::null(DataType::Float64),
                    GrowthInterval::Wilson | GrowthInterval::Bootstrap => {
                        over(call(func, vec![part.clone(), began.clone(), z.clone()])?)?
                    }
                };
                columns.push(named(format!("{name}_{suffix}"), bound));
            }
        }
        let churn = build::div(left.clone(), began)?;
        let kept = build::sub(Expr::float(1.0), churn)?;
        let periods = TimeUnit::Year.days() / unit.days();
        let in_a_year = call(Func::Power, vec![kept, Expr::float(periods)])?;
        let annual = build::sub(Expr::float(1.0), in_a_year)?;
        columns.push(named("churn_rate_annual", over(annual)?));

        for name in Movements::MONEY {
            columns.push(named(name, money(of(name)?)?));
        }
        columns.push(named("value", money(of("value")?)?));
        let before = of("start_value")?;
        let lost = build::add(of("contraction")?, of("churned_value")?)?;
        let gross = build::sub(before.clone(), lost.clone())?;
        let net = build::add(gross.clone(), of("expansion")?)?;
        for (name, kept) in [("grr", gross), ("nrr", net)] {
            columns.push(named(name, money(build::div(kept, before.clone())?)?));
            if self.interval.value == GrowthInterval::Bootstrap {
                for suffix in ["low", "high"] {
                    let name = format!("{name}_{suffix}");
                    let bound = match grid.schema.field(&name) {
                        Some(_) => money(of(&name)?)?,
                        None => Expr::null(DataType::Float64),
                    };
                    columns.push(named(name, bound));
                }
            }
        }
        let came = build::add(of("new")?, of("resurrected")?)?;
        columns.push(named("quick_ratio", over(build::div(came, left)?)?));
        let gained = build::add(of("new_value")?, of("resurrected_value")?)?;
        let gained = build::add(gained, of("expansion")?)?;
        columns.push(named("quick_ratio_value", money(build::div(gained, lost)?)?));

        let table = relation::project(grid, columns)?;
        let mut units = Vec::new();
        for field in &table.schema.fields {
            let unit = match field.name.as_str() {
                name if Movements::COUNTS.contains(&name) || name == "active" => Unit::Count,
                name if Movements::MONEY.contains(&name) || name == "value" => {
                    Unit::Money(currency.clone())
                }
                name if name.contains("rate") || name.contains("rr") => Unit::Share,
                _ => continue,
            };
            if !names.contains(&field.name) {
                units.push((field.name.clone(), unit));
            }
        }
        relation::with_units(&table, &units.into_iter().collect())
    }
}
