//! # clv
//!
//! What each customer is expected to buy and to be worth from now on.
//!
//! What it does: sums up each customer as `customer_summary` does, fits a model of purchases and one of spend
//! (Gamma-Gamma) by maximum likelihood, and gives every customer a probability of being alive, expected
//! purchases and a discounted value over the horizon, with intervals. With `holdout` the last span before
//! `as_of` is kept from a second fit, and its forecast is held against what came.
//!
//! When to use it: to decide what a customer may cost, and whom to keep. Look at `_fits` first: whether
//! the fit converged and how the forecast fared.
//!
//! Example:
//!
//! ```yaml
//! value:
//!   from: orders
//!   clv: {purchases: auto, holdout: 26 weeks, horizon: 52 weeks, discount: 10%/year, margin: 30%}
//! ```
//!
//! Columns: the customer, the dimensions of `by` as of the first purchase, `first_time`, `frequency` x,
//! `recency` t_x, `age` T in `unit`, `monetary` (mean value of repeat purchases), `p_alive`,
//! `expected_purchases` within the horizon, `expected_spend` on each, `clv`, and `decile` (10 best; ties by
//! the customer). `…_low` and `…_high` are null with `interval: none`. Customers left out have no row.
//!
//! Companions: `_parameters` has the parameters of each fit that is used, with standard errors, bounds and
//! whether the data say anything of them; a bound is null on a side where nothing holds the parameter. `_fits`
//! has a row for each fit and model: customers, log-likelihood, termination, the test against the holdout
//! (`mae`, `rmse`, `msle` on ln(1 + purchases), `bias` = expected / actual − 1, `correlation`,
//! `tracking_mape` of the cumulative curve, and `naive_bias`, that of carrying each customer's rate x / T
//! on), totals, and `chosen`. `_tracking` has actual and expected repeat purchases by period since the first
//! purchase. `_calibration` has the means of both by repeat purchases before the holdout (7 stands for all
//! above 6) and by tenths of the forecast.
//!
//! Rules: clv = margin × expected_spend × Σ (E(k) − E(k−1)) / (1 + d)^k over the units k of the horizon, E
//! being the expected purchases until then and d the discount per unit; nothing of the past is in it. With
//! `horizon: lifetime` purchases are discounted continuously and without end, and `expected_purchases` is
//! their discounted number. `refunds`, `zero_values` and `collapse` are those of `customer_summary`; means
//! of 0 or less never enter the spend model. `starts` leaves out customers first seen before that date, of
//! whom nobody knows when they began. With `by` each cell has fits of its own, and those with fewer than
//! `min_customers` take that of all. `final` parameters are of all data, `calibration` of what lies before the
//! holdout. A month counts 30.4375 days, a year 365.25.
//!
//! Models: `bg_nbd` lets nobody stop before the second purchase, so who bought once has `p_alive` 1;
//! `mbg_nbd` and `pareto_nbd` do. `bg_bb` is for purchases that can happen once in each `unit` or not: all
//! orders of one are a purchase, recency and age are whole units, and one that is not over is not seen.
//! `auto` fits the first three, and takes the one whose forecast of the holdout has the smallest `rmse`. A few heavy
//! buyers make most of that error: where the mean difference of the squared errors from the smallest is within
//! its interval, models are as good by it, and of those the one with the smallest `tracking_mape` is taken. Without
//! a holdout it is the smallest `aic`; `_fits` has the test of each.
//!
//! Intervals: `delta` takes the covariance of the logarithms of the parameters through the gradient of what
//! they forecast, and is symmetric on the scale of logarithms; those of a total keep what its customers have
//! in common. `bootstrap` fits the models to `draws` of the customers (each drawn a Poisson number of times):
//! a customer's interval reaches z standard deviations of the logarithm to both sides, a total's lies between
//! quantiles of the draws. Both are of what is expected; what a customer then does varies about it besides. Bounds
//! of parameters are z standard errors of the logarithm to both sides; of one whose standard error says nothing
//! they are where the profile likelihood has fallen by z²/2, open on a side where it does not up to a factor of
//! e^20 from 1 or e^10 from the estimate. z is the normal quantile of the pipeline's `level`.
//!
//! What the data tell: a parameter is `identified` if its standard error, or its profile likelihood on both sides,
//! bounds it. Where nobody came back `termination` is `no_events`, the rate is next to 0 and so is what is expected;
//! where nobody was observed for any time it is `no_information`, and forecasts say nothing.
//!
//! References: Fader, Hardie and Lee (2005), "Counting your customers" the easy way; Batislam, Denizel and
//! Filiztekin (2007), Empirical validation and comparison of models for customer base analysis; Schmittlein,
//! Morrison and Colombo (1987), Counting your customers: who are they and what will they do next?; Fader,
//! Hardie and Shang (2010), Customer-base analysis in a discrete-time noncontractual setting; Fader, Hardie
//! and Lee (2005), RFM and CLV: using iso-value curves for customer base analysis.

mod inputs;

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::context::{RoleOverrides, StageContext};
use super::customer_summary::{Collapse, customer_roles, touched};
use super::dimension::DimensionSpec;
use super::registry::{Companion, Output, Stage, StageKind};
use super::view::View;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::document::{
    DAY_MICROS, Decode, Decoder, Expression, Field as OptionField, Instant, Interval, Node,
    NodeKind, Options, PeriodUnit, Rate, Share, TimeUnit, schema,
};
use crate::frame::Unit;
use crate::ir::relation;
use crate::ir::{Refunds, RelRef, Roles, ZeroValues};
use crate::models::{Intervals, LifetimeValue, ModelKind, Purchased, Spend};

/// The registry's entry.
pub const KIND: StageKind = StageKind {
    name: "clv",
    source: include_str!("clv.rs"),
    row_level: false,
    companions: &[
        Companion {
            suffix: "parameters",
            sentence: "The parameters of each fit, with standard errors.",
        },
        Companion {
            suffix: "fits",
            sentence: "How each fit ended, how its forecast fared against the holdout, and totals.",
        },
        Companion {
            suffix: "tracking",
            sentence: "Actual and expected repeat purchases by period since the first purchase.",
        },
        Companion {
            suffix: "calibration",
            sentence: "Actual and expected purchases in the holdout, by what was known before it.",
        },
    ],
    fields,
    decode,
};

crate::choice! {
    /// The model of purchases.
    pub enum PurchaseModel {
        /// Buying at a rate of one's own until, after some purchase but the first, one stops.
        BgNbd = "bg_nbd",
        /// The same, but one may stop after the first purchase too.
        MbgNbd = "mbg_nbd",
        /// Buying at a rate of one's own until, at some moment, one stops.
        ParetoNbd = "pareto_nbd",
        /// Buying or not at each opportunity, one in each `unit`, until before some one stops.
        BgBb = "bg_bb",
        /// The one of `bg_nbd`, `mbg_nbd` and `pareto_nbd` that foretells the holdout best, by the squared errors
        /// of customers and, of those that these do not tell apart, by the cumulative curve; without a holdout the
        /// one with the smallest Akaike criterion.
        Auto = "auto",
    }
}

crate::choice! {
    /// The model of spend.
    pub enum SpendModel {
        /// A customer's mean drawn towards that of all, the more so the fewer purchases it is of.
        GammaGamma = "gamma_gamma",
        /// The customer's own mean; that of all where there is none.
        Mean = "mean",
        /// No value at all.
        None = "none",
    }
}

crate::choice! {
    /// How intervals are found.
    pub enum ValueInterval {
        /// From the covariance of the parameters (delta method).
        Delta = "delta",
        /// By fitting the models to draws of the customers.
        Bootstrap = "bootstrap",
        /// They are left null.
        None = "none",
    }
}

/// How far ahead is looked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Horizon {
    Span(Interval),
    /// For as long as discounting leaves anything.
    Lifetime,
}

impl Decode for Horizon {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.kind {
            NodeKind::Text(text) if text == "lifetime" => Some(Horizon::Lifetime),
            _ => Interval::decode(node, decoder).map(Horizon::Span),
        }
    }
    fn expects() -> String {
        "a duration such as `52 weeks`, or `lifetime`".into()
    }
    fn show(&self) -> String {
        match self {
            Horizon::Span(span) => span.to_string(),
            Horizon::Lifetime => "lifetime".into(),
        }
    }
    fn json_schema() -> Json {
        schema::any_of([json!({"const": "lifetime"}), Interval::json_schema()])
    }
}

const FIFTY_TWO_WEEKS: Interval = Interval { months: 0, micros: 52 * 7 * DAY_MICROS };

crate::options! {
    /// What is forecast, and from what.
    struct Clv("`clv`") {
        /// The model of purchases.
        purchases: PurchaseModel = PurchaseModel::BgNbd,
        /// The model of spend; without the role `value` none.
        spend: SpendModel = SpendModel::GammaGamma,
        /// Unit of recency, age and every parameter.
        unit: PeriodUnit = PeriodUnit::Week,
        /// How far ahead is looked.
        horizon: Horizon = Horizon::Span(FIFTY_TWO_WEEKS),
        /// What a year of waiting takes from money.
        discount: Rate = Rate { share: 0.1, per: TimeUnit::Year },
        /// What remains of the money.
        margin: Share = Share(1.0),
        /// The last span before `as_of` that is kept out to test the forecast.
        holdout: Option<Interval> = None,
        /// Which purchases are one.
        collapse: Collapse = Collapse::Day,
        /// What a negative value is.
        refunds: Refunds = Refunds::Net,
        /// What an order of value 0 is.
        zero_values: ZeroValues = ZeroValues::Keep,
        /// Digits to which recency, age and monetary value are rounded before the fit; absent: all.
        decimals: Option<i64> = None,
        /// Customers first seen before this date are left out.
        starts: Option<Instant> = None,
        /// Dimensions, as of the first purchase; each cell has fits of its own.
        by: Vec<DimensionSpec> = Vec::new(),
        /// Cells with fewer customers take the fit of all.
        min_customers: i64 = 500,
        /// How intervals are found.
        interval: ValueInterval = ValueInterval::Delta,
        /// Draws of a bootstrap.
        draws: i64 = 200,
        /// Another customer than the input's.
        customer: Option<Expression> = None,
        /// Another time than the input's.
        time: Option<Expression> = None,
        /// Another value than the input's.
        value: Option<Expression> = None,
    }
}

fn fields() -> Vec<OptionField> {
    Clv::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Stage>> {
    Some(Box::new(Clv::decode(node, decoder)?))
}

/// Options that were found to make sense.
struct Checked {
    spend: Spend,
    horizon: Option<f64>,
    discount: f64,
    /// Length in units, and first day.
    holdout: Option<(f64, i32)>,
    decimals: Option<u8>,
    starts: Option<i32>,
    draws: u32,
    /// The first instant that is not seen, and the last day that is.
    end: i64,
    last_day: i32,
}

impl Stage for Clv {
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>> {
        cx.override_roles(&RoleOverrides {
            customer: &self.customer.value,
            time: &self.time.value,
            value: &self.value.value,
        })?;
        let mut table = cx.input()?;
        let dimensions = cx.customer_dimensions(&self.by.value, &mut table);
        let (customer, _) = cx.customer_and_time(&table)?;
        let checked = self.check(cx, table.roles.value.is_some());
        let (dimensions, checked) = (dimensions?, checked?);
        let collapse = self.collapse.value == Collapse::Day;
        let orders = cx.purchases(&table, &dimensions, None, !collapse)?;
        let purchases = match self.opportunities() {
            false => None,
            true => {
                let of_periods = self.by_opportunity(&orders, &checked, cx.calendar);
                Some(cx.typed(of_periods)?)
            }
        };
        let purchases = purchases.as_ref().unwrap_or(&orders);

        let whole = self.summary(cx, purchases, &dimensions, &checked, None);
        let whole = cx.typed(whole)?;
        let counted = touched(&orders.rel, orders.events.value.as_ref());
        let counted = cx.typed(counted)?;
        let counted = self.counted(purchases, counted, &checked);
        cx.touched = Some(cx.typed(counted)?);
        let mut inputs = vec![whole.clone()];
        if let Some((_, cut)) = checked.holdout {
            let before = self.summary(cx, purchases, &dimensions, &checked, Some(cut));
            inputs.push(cx.typed(before)?);
        }
        let population = inputs.last().cloned().unwrap_or(whole);
        let repeats = self.repeats(purchases, &checked);
        inputs.push(cx.typed(repeats)?);

        let money = table.roles.value.as_ref().and_then(|value| value.currency.clone());
        let field = |name: &str| population.schema.field(name).cloned();
        let function = LifetimeValue {
            customer: field(&customer.name)?,
            by: dimensions.iter().filter_map(|dimension| field(&dimension.name)).collect(),
            purchases: match self.purchases.value {
                PurchaseModel::BgNbd => Purchased::One(ModelKind::BgNbd),
                PurchaseModel::MbgNbd => Purchased::One(ModelKind::MbgNbd),
                PurchaseModel::ParetoNbd => Purchased::One(ModelKind::ParetoNbd),
                PurchaseModel::BgBb => Purchased::One(ModelKind::BgBb),
                PurchaseModel::Auto => Purchased::Best,
            },
            spend: checked.spend,
            unit: self.unit.value.into(),
            horizon: checked.horizon,
            discount: checked.discount,
            margin: self.margin.value.0,
            holdout: checked.holdout,
            decimals: checked.decimals,
            min_customers: self.min_customers.value,
            last_day: checked.last_day,
            money: Unit::Money(money),
            intervals: match self.interval.value {
                ValueInterval::Delta => Intervals::Delta,
                ValueInterval::Bootstrap => {
                    Intervals::Bootstrap { draws: checked.draws, seed: cx.seed as u64 }
                }
                ValueInterval::None => Intervals::None,
            },
            level: cx.level,
        };
        let tables = relation::apply(inputs, Arc::new(function));
        let by: Vec<String> = dimensions.iter().map(|dimension| dimension.name.clone()).collect();
        let grain = |more: &[&str]| -> Vec<String> {
            by.iter().cloned().chain(more.iter().map(|&name| name.to_owned())).collect()
        };
        let [main, parameters, fits, tracking, calibration] =
            <[RelRef; 5]>::try_from(tables).ok()?;
        let roles = customer_roles(&table, &main);
        let worth = if checked.spend == Spend::None { "expected_purchases" } else { "clv" };
        let title =
            if checked.spend == Spend::None { "expected purchases" } else { "lifetime value" };
        let companion = |suffix, rel, grain, views| Output {
            suffix: Some(suffix),
            rel,
            grain,
            roles: Roles::default(),
            views,
        };
        let track = View::Tracking {
            by: by.clone(),
            title: "Repeat purchases, expected and actual".into(),
            x: "period".into(),
            actual: "cumulative_actual".into(),
            expected: "cumulative_expected".into(),
            holdout: "holdout".into(),
        };
        Some(vec![
            Output {
                suffix: None,
                rel: main,
                grain: vec![customer.name.clone()],
                roles,
                views: vec![
                    View::Fits { by: by.clone(), fits: "fits", parameters: "parameters" },
                    View::Deciles {
                        title: format!("{title} by decile"),
                        decile: "decile".into(),
                        value: worth.into(),
                    },
                    View::Lorenz {
                        by: by.clone(),
                        title: format!("Concentration of {title}"),
                        value: worth.into(),
                    },
                    View::Standing {
                        title: format!("Who is there, by {title}"),
                        alive: "p_alive".into(),
                        decile: "decile".into(),
                        value: worth.into(),
                    },
                ],
            },
            companion(
                "parameters",
                parameters,
                grain(&["fit", "model", "parameter"]),
                vec![View::Rows],
            ),
            companion("fits", fits, grain(&["fit", "model"]), vec![View::Rows]),
            companion("tracking", tracking, grain(&["period"]), vec![track]),
            companion(
                "calibration",
                calibration,
                grain(&["bins", "bin"]),
                vec![View::Calibration { by: by.clone() }],
            ),
        ])
    }

    fn dimensions(&self) -> Vec<&DimensionSpec> {
        self.by.value.iter().collect()
    }

    fn settings(&self) -> Vec<(String, String, bool)> {
        Options::settings(self)
    }
}

impl Clv {
    fn check(&self, cx: &mut StageContext, has_value: bool) -> Option<Checked> {
        let mut good = true;
        let mut wrong = |cx: &mut StageContext, span: Option<Span>, message: String, help: &str| {
            let span = span.unwrap_or(cx.kind.span);
            let diagnostic = Diagnostic::at(Code::InvalidValue, span, message);
            cx.diagnostics.push(match help {
                "" => diagnostic,
                help => diagnostic.help(help),
            });
            good = false;
        };
        let unit = TimeUnit::from(self.unit.value);
        let discount = self.discount.value.per(unit);
        let horizon = match self.horizon.value {
            Horizon::Span(span) => Some(days_of(span) / unit.days()),
            Horizon::Lifetime => None,
        };
        if horizon.is_some_and(|horizon| !(0.0..=10_000.0).contains(&horizon) || horizon == 0.0) {
            let message = format!("the horizon is more than nothing and at most 10000 {unit}s");
            wrong(cx, self.horizon.span, message, "");
        }
        if horizon.is_none() && discount <= 0.0 {
            let message = "without a discount a lifetime has no end".to_owned();
            wrong(cx, self.horizon.span, message, "give a `discount` above 0%, or a `horizon`");
        }
        if discount < 0.0 {
            wrong(cx, self.discount.span, "a discount is not negative".into(), "");
        }
        if self.min_customers.value < 1 {
            wrong(cx, self.min_customers.span, "`min_customers` is at least 1".into(), "");
        }
        let decimals =
            self.decimals.value.map(|decimals| u8::try_from(decimals).unwrap_or(u8::MAX));
        if decimals.is_some_and(|decimals| decimals > 9) {
            wrong(cx, self.decimals.span, "`decimals` is 0 to 9".into(), "");
        }
        if !(2..=100_000).contains(&self.draws.value) {
            wrong(cx, self.draws.span, "`draws` is 2 to 100000".into(), "");
        }
        if self.opportunities() && self.collapse.value == Collapse::None {
            let message = "in `bg_bb` all orders of an opportunity are one purchase".to_owned();
            wrong(cx, self.collapse.span, message, "leave `collapse` out");
        }
        let mut end = cx.last_day() + 1;
        // Opportunities are whole periods: one that is not over is none.
        let begins = |day: i32| cx.calendar.period_start(unit, cx.calendar.period_of(unit, day));
        if self.opportunities() {
            end = begins(end);
        }
        let holdout = self.holdout.value.map(|span| {
            let day = i64::from(cx.calendar.add_months(end, -span.months))
                - span.micros.div_euclid(DAY_MICROS);
            let cut = i32::try_from(day).unwrap_or(i32::MIN / 2);
            match self.opportunities() {
                false => (f64::from(end - cut) / unit.days(), cut),
                true => {
                    let periods = [end, cut].map(|day| cx.calendar.period_of(unit, day));
                    ((periods[0] - periods[1]) as f64, begins(cut))
                }
            }
        });
        if holdout.is_some_and(|(length, _)| length <= 0.0) {
            wrong(cx, self.holdout.span, "a holdout is a day or longer".into(), "");
        }
        let spend = match (self.spend.value, has_value) {
            (SpendModel::None, _) => Spend::None,
            (_, false) if self.spend.is_default() => Spend::None,
            (_, false) => {
                let help = "say which column is money at the source: `value: COLUMN`, or write `spend: none`";
                wrong(cx, self.spend.span, "a model of spend needs the role `value`".into(), help);
                Spend::None
            }
            (SpendModel::GammaGamma, true) => Spend::GammaGamma,
            (SpendModel::Mean, true) => Spend::Mean,
        };
        let starts =
            self.starts.value.map(|starts| cx.calendar.date_of(cx.calendar.resolve(starts)));
        let (end, last_day) = match self.opportunities() {
            true => (cx.calendar.midnight(end), end - 1),
            false => (cx.as_of, cx.last_day()),
        };
        let draws = u32::try_from(self.draws.value).unwrap_or(2);
        good.then_some(Checked {
            spend,
            horizon,
            discount,
            holdout,
            decimals,
            starts,
            draws,
            end,
            last_day,
        })
    }

    /// True if the model counts opportunities instead of time.
    fn opportunities(&self) -> bool {
        self.purchases.value == PurchaseModel::BgBb
    }
}

/// A span as days, a month being 30.4375 of them.
fn days_of(span: Interval) -> f64 {
    f64::from(span.months) * 30.4375 + span.micros as f64 / DAY_MICROS as f64
}
