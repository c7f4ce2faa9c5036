//! # project_retention
//!
//! How retention goes on beyond what has been observed.
//!
//! What it does: fits a curve to the retention of each cohort, by maximum likelihood, and carries it on to
//! `until_age`, with intervals. The curve comes of customers who differ: each leaves with a probability of
//! their own, so those who have stayed long are those who leave least, and retention flattens.
//!
//! When to use it: to say how long a subscriber stays and what the coming payments are worth, where only a
//! few periods have been seen.
//!
//! Example:
//!
//! ```yaml
//! retention:
//!   from: subscriptions
//!   cohort_retention: {returned: through}
//! projected:
//!   from: retention
//!   project_retention: {until_age: 36, discount: 10%/year}
//! ```
//!
//! Columns: `cohort`, the dimensions, `age`, `observed` (retained / eligible, null where not observed),
//! `projected` (the curve, at observed ages too), `projected_low`, `projected_high`, `hazard` (the share of
//! those there at the age before who leave before this one).
//!
//! Companions: `_parameters` has the parameters of each cohort's curve with standard errors, bounds (null
//! where nothing bounds them) and whether the data say anything of them. `_fits` has a row for each curve
//! that was fitted: `customers`, `pooled`, `log_likelihood`, `aic`, `converged`, `termination`, `iterations`,
//! `gradient_norm`, `expected_lifetime` in periods, the first included (null where the mean has no end),
//! `discounted_expected_lifetime` (Σ S(t) / (1 + d)^t from t = 0), and `chosen`.
//!
//! Rules: the input has `cohort`, `age`, `eligible` and `retained`, as `cohort_retention` with `returned:
//! through` gives them; rows whose `retained` is null are not observed. Retention never rises. `sbg` is the
//! shifted beta-geometric distribution, S(t) = B(α, β + t) / B(α, β); `bdw` the beta-discrete-Weibull
//! distribution, with t^c for t; `auto` takes the one with the smaller Akaike criterion. A cohort with three
//! ages at which somebody left has a curve of its own; others take that of all cohorts of their dimensions
//! together. S(0) is age 0: a cohort that starts below 100% does so in the projection too. Ages at which not
//! all of a cohort are eligible are left out, and `fit_ages` leaves out those beyond it. Intervals are of the
//! curve, by the delta method on the scale ln(−ln S); those of parameters are as in `clv`. Where the column
//! `age` has no unit, an age is a month.
//!
//! References: Fader and Hardie (2007), How to project customer retention; Fader and Hardie (2010),
//! Customer-base valuation in a contractual setting: the perils of ignoring heterogeneity; Fader, Hardie, Liu,
//! Davin and Steenburgh (2018), "How to project customer retention" revisited.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::context::StageContext;
use super::dimension::DimensionSpec;
use super::registry::{Companion, Output, Stage, StageKind};
use super::view::View;
use crate::diagnostic::{Code, Diagnostic, Spanned};
use crate::document::{
    Decode, Decoder, Field as OptionField, Node, NodeKind, Options, Rate, TimeUnit, schema,
};
use crate::frame::{DataType, Unit};
use crate::ir::relation::{self, column};
use crate::ir::typing::build;
use crate::ir::{Expr, Measure, MeasureFunc, RelRef, Roles, SortKey, named};
use crate::models::{CurveModel, RetentionProjection};

/// The registry's entry.
pub const KIND: StageKind = StageKind {
    name: "project_retention",
    source: include_str!("project_retention.rs"),
    row_level: false,
    companions: &[
        Companion {
            suffix: "parameters",
            sentence: "The parameters of each curve, with standard errors.",
        },
        Companion { suffix: "fits", sentence: "How each fit ended, and the lifetimes it expects." },
    ],
    fields,
    decode,
};

crate::choice! {
    /// Which curve is fitted.
    pub enum RetentionModel {
        /// The one with the smaller Akaike criterion.
        Auto = "auto",
        /// The shifted beta-geometric: each customer's risk stays the same.
        Sbg = "sbg",
        /// The beta-discrete-Weibull: it may rise or fall with time.
        Bdw = "bdw",
    }
}

/// Which ages the fit sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FitAges {
    All,
    Until(i64),
}

impl Decode for FitAges {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.kind {
            NodeKind::Text(text) if text == "all" => Some(FitAges::All),
            _ => i64::decode(node, decoder).map(FitAges::Until),
        }
    }
    fn expects() -> String {
        "an age, or `all`".into()
    }
    fn show(&self) -> String {
        match self {
            FitAges::All => "all".into(),
            FitAges::Until(age) => age.to_string(),
        }
    }
    fn json_schema() -> Json {
        schema::any_of([json!({"const": "all"}), i64::json_schema()])
    }
}

crate::options! {
    /// How retention is carried on.
    struct ProjectRetention("`project_retention`") {
        /// The curve.
        model: RetentionModel = RetentionModel::Auto,
        /// The last age of the projection.
        until_age: i64 = 60,
        /// What a year of waiting takes from a payment.
        discount: Rate = Rate { share: 0.1, per: TimeUnit::Year },
        /// The last age that the fit sees.
        fit_ages: FitAges = FitAges::All,
        /// Dimensions: columns of the input.
        by: Vec<DimensionSpec> = Vec::new(),
    }
}

fn fields() -> Vec<OptionField> {
    ProjectRetention::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Stage>> {
    Some(Box::new(ProjectRetention::decode(node, decoder)?))
}

/// The oldest age that may be asked for.
const OLDEST: i64 = 10_000;

impl Stage for ProjectRetention {
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>> {
        let mut table = cx.input()?;
        let dimensions = cx.dimensions(&self.by.value, &mut table);
        let names = ["cohort", "age", "eligible", "retained"];
        let lacks: Vec<&str> =
            names.into_iter().filter(|name| table.rel.schema.field(name).is_none()).collect();
        if !lacks.is_empty() {
            let list: Vec<String> = lacks.iter().map(|name| format!("`{name}`")).collect();
            cx.diagnostics.push(
                Diagnostic::at(
                    Code::UnknownColumn,
                    cx.kind.span,
                    format!(
                        "`project_retention` reads {}, which `{}` does not have",
                        list.join(", "),
                        table.name
                    ),
                )
                .help("read from a stage `cohort_retention: {returned: through}`"),
            );
            return None;
        }
        let good = self.check(cx);
        let dimensions = dimensions?;
        good?;
        let unit = match table.rel.schema.field("age").map(|field| &field.unit) {
            Some(Unit::Time(word)) => TimeUnit::from_word(word).unwrap_or(TimeUnit::Month),
            _ => TimeUnit::Month,
        };
        let by: Vec<String> = dimensions.iter().map(|dimension| dimension.name.clone()).collect();
        let built = (|| {
            let whole = |name: &str| build::cast(column(&table.rel, name)?, DataType::Int64);
            let mut keys = vec![named("cohort", column(&table.rel, "cohort")?)];
            keys.extend(dimensions.iter().map(|dimension| dimension.key()));
            keys.push(named("age", whole("age")?));
            let retained = whole("retained")?;
            let known = build::not(build::is_null(retained.clone())?)?;
            let sum = |expr: Expr| Measure::filtered(MeasureFunc::Sum(expr), Some(known.clone()));
            let measures = vec![
                named("eligible", sum(whole("eligible")?)),
                named("retained", sum(retained)),
                named("#known", Measure::filtered(MeasureFunc::CountRows, Some(known.clone()))),
            ];
            let cells = relation::aggregate(&table.rel, keys, measures)?;
            // What is not observed is not nobody.
            let seen = build::gt(column(&cells, "#known")?, Expr::int(0))?;
            let seen = relation::filter(&cells, seen)?;
            let keys = std::iter::once("cohort").chain(by.iter().map(String::as_str));
            relation::sort(&seen, keys.chain(["age"]).map(SortKey::ascending).collect())
        })();
        let cells = cx.typed(built)?;
        let field = |name: &str| cells.schema.field(name).cloned();
        let function = RetentionProjection {
            cohort: field("cohort")?,
            by: by.iter().filter_map(|name| field(name)).collect(),
            model: match self.model.value {
                RetentionModel::Auto => CurveModel::Auto,
                RetentionModel::Sbg => CurveModel::Sbg,
                RetentionModel::Bdw => CurveModel::Bdw,
            },
            until_age: self.until_age.value,
            unit: unit.word().to_owned(),
            discount: self.discount.value.per(unit),
            fit_ages: match self.fit_ages.value {
                FitAges::All => None,
                FitAges::Until(age) => Some(age),
            },
            z: cx.z(),
        };
        let tables = relation::apply(vec![cells], Arc::new(function));
        let [main, parameters, fits] = <[RelRef; 3]>::try_from(tables).ok()?;
        let output = |suffix, rel, more: &[&str], views| Output {
            suffix,
            rel,
            grain: std::iter::once("cohort".to_owned())
                .chain(by.iter().cloned())
                .chain(more.iter().map(|&name| name.to_owned()))
                .collect(),
            roles: Roles::default(),
            views,
        };
        let views = vec![
            View::Projection { by: by.clone(), unit, fits: "fits" },
            View::Fits {
                by: std::iter::once("cohort".to_owned()).chain(by.iter().cloned()).collect(),
                fits: "fits",
                parameters: "parameters",
            },
        ];
        Some(vec![
            output(None, main, &["age"], views),
            output(
                Some("parameters"),
                parameters,
                &["fit", "model", "parameter"],
                vec![View::Rows],
            ),
            output(Some("fits"), fits, &["fit", "model"], vec![View::Rows]),
        ])
    }

    fn dimensions(&self) -> Vec<&DimensionSpec> {
        self.by.value.iter().collect()
    }

    fn reads(&self) -> Vec<Spanned<String>> {
        Vec::new()
    }

    fn settings(&self) -> Vec<(String, String, bool)> {
        Options::settings(self)
    }
}

impl ProjectRetention {
    fn check(&self, cx: &mut StageContext) -> Option<()> {
        let mut good = true;
        if !(1..=OLDEST).contains(&self.until_age.value) {
            let message = format!("`until_age` is 1 to {OLDEST}, not {}", self.until_age.value);
            cx.report(Code::InvalidValue, self.until_age.span, message);
            good = false;
        }
        if let FitAges::Until(age) = self.fit_ages.value
            && age < 2
        {
            let message = "a curve needs at least the ages up to 2";
            cx.report(Code::InvalidValue, self.fit_ages.span, message);
            good = false;
        }
        if self.discount.value.share < 0.0 {
            cx.report(Code::InvalidValue, self.discount.span, "a discount is not negative");
            good = false;
        }
        good.then_some(())
    }
}
