//! # rfm
//!
//! Recency, frequency and monetary value of each customer, as scores.
//!
//! What it does: sums up each customer as `customer_summary` does, then scores how recent, how many and
//! how much, from 1 to `groups`, high being good, and gives labels.
//!
//! When to use it: to pick whom to write to, before a model does it better.
//!
//! Example:
//!
//! ```yaml
//! rfm:
//!   from: orders
//!   rfm:
//!     labels:
//!       - best: r_score = 5 and f_score = 5
//!       - lapsed: r_score <= 2
//! ```
//!
//! Columns: all of `customer_summary`, then `r_score`, `f_score`, `m_score` (on −since_last, orders and
//! value), `rfm_score` (text such as `543`), `label` if there are labels. A label's condition sees these
//! columns; the first that holds names the customer, `rest` the others.
//!
//! Companion `_cuts`: `measure` (r, f, m), `score`, `low` and `high` (the smallest and largest value that
//! got the score: since_last, orders, value), `customers`; every score has a row.
//!
//! Rules: with `ties: together` the cut points are type 7 quantiles and the score is 1 + the number of
//! cuts strictly below the value (R: `groups` − the number of cuts strictly below since_last). Equal
//! values share a score, so groups may be uneven or empty. With `ties: split` the groups are equal and
//! ties are broken by the customer.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::context::{RoleOverrides, StageContext};
use super::customer_summary::{Collapse, Rules, summarise};
use super::dimension::DimensionSpec;
use super::registry::{Companion, Output, Stage, StageKind};
use super::view::View;
use crate::diagnostic::{Code, Spanned};
use crate::document::{Decode, Decoder, Expression, Field, Node, NodeKind, Options, TimeUnit};
use crate::frame::{DataType, Frame, Schema, Unit, Value};
use crate::ir::relation::{self, Built, all_columns, column};
use crate::ir::typing::{TypeError, build, call};
use crate::ir::{
    Expr, Func, JoinKind, Measure, MeasureFunc, Refunds, RelRef, SortKey, Table, WindowFunc,
    ZeroValues, named,
};

/// The registry's entry.
pub const KIND: StageKind = StageKind {
    name: "rfm",
    source: include_str!("rfm.rs"),
    row_level: false,
    companions: &[Companion {
        suffix: "cuts",
        sentence: "What each score stands for: smallest and largest value, and how many customers.",
    }],
    fields,
    decode,
};

crate::choice! {
    /// What happens to equal values.
    pub enum Ties {
        /// They share a score.
        Together = "together",
        /// They may be told apart, by the customer.
        Split = "split",
    }
}

crate::options! {
    /// How customers are scored.
    struct Rfm("`rfm`") {
        /// Unit of recency, age and since_last.
        unit: TimeUnit = TimeUnit::Day,
        /// Which purchases are one.
        collapse: Collapse = Collapse::Day,
        /// What a negative value is.
        refunds: Refunds = Refunds::Net,
        /// What an order of value 0 is.
        zero_values: ZeroValues = ZeroValues::Keep,
        /// Dimensions, as of the first purchase.
        by: Vec<DimensionSpec> = Vec::new(),
        /// How many scores there are.
        groups: i64 = 5,
        /// What happens to equal values.
        ties: Ties = Ties::Together,
        /// Names and conditions; the first that holds.
        labels: Vec<Label> = Vec::new(),
        /// The label of those for whom none holds.
        rest: String = "other".to_owned(),
        /// Another customer than the input's.
        customer: Option<Expression> = None,
        /// Another time than the input's.
        time: Option<Expression> = None,
        /// Another value than the input's.
        value: Option<Expression> = None,
    }
}

/// One label.
#[derive(Debug, Clone, PartialEq)]
struct Label {
    name: Spanned<String>,
    condition: Expression,
}

impl Decode for Label {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.kind {
            NodeKind::Map(entries) if entries.len() == 1 => {
                let (name, condition) = &entries[0];
                Some(Label {
                    name: name.clone(),
                    condition: Expression::decode(condition, decoder)?,
                })
            }
            _ => {
                decoder.wrong_type(node, &Self::expects());
                None
            }
        }
    }
    fn expects() -> String {
        "a name and its condition, such as `best: r_score = 5`".into()
    }
    fn show(&self) -> String {
        format!("{}: {}", self.name.value, self.condition.text)
    }
    fn json_schema() -> Json {
        json!({
            "type": "object",
            "additionalProperties": Expression::json_schema(),
            "minProperties": 1,
            "maxProperties": 1,
        })
    }
}

fn fields() -> Vec<Field> {
    Rfm::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Stage>> {
    Some(Box::new(Rfm::decode(node, decoder)?))
}

/// Letter, column and score column of a measure.
const MEASURES: [(&str, &str, &str); 3] =
    [("r", "since_last", "r_score"), ("f", "orders", "f_score"), ("m", "value", "m_score")];

impl Stage for Rfm {
    fn plan(&self, cx: &mut StageContext) -> Option<Vec<Output>> {
        cx.override_roles(&RoleOverrides {
            customer: &self.customer.value,
            time: &self.time.value,
            value: &self.value.value,
        })?;
        let groups = self.groups.value;
        if !(2..=20).contains(&groups) {
            let message = format!("`groups` is 2 to 20, not {groups}");
            cx.report(Code::InvalidValue, self.groups.span, message);
            return None;
        }
        let table = cx.table.clone();
        // All that is lacking is noted at once.
        let (value, who) = (cx.value(&table), cx.customer_and_time(&table));
        value?;
        who?;
        let (summary, roles) = summarise(
            cx,
            Rules {
                unit: self.unit.value,
                collapse: self.collapse.value,
                refunds: self.refunds.value,
                zero_values: self.zero_values.value,
                by: &self.by.value,
            },
        )?;
        let customer = roles.customer.as_ref().map(|customer| customer.name.clone())?;
        let scored = match self.ties.value {
            Ties::Together => together(&summary, groups),
            Ties::Split => split(&summary, groups, &customer),
        };
        let scored = cx.typed(scored)?;
        let labelled = self.label(cx, &scored)?;
        let cuts = cuts(&scored, groups);
        let cuts = cx.typed(cuts)?;
        let mut views = vec![View::Grid {
            title: "Customers by recency and frequency score".into(),
            rows: "r_score".into(),
            columns: "f_score".into(),
        }];
        if !self.labels.value.is_empty() {
            views.push(View::Counts {
                title: "Customers and value by label".into(),
                of: "label".into(),
                sum: "value".into(),
            });
        }
        Some(vec![
            Output { suffix: None, rel: labelled, grain: vec![customer], roles, views },
            Output {
                suffix: Some("cuts"),
                rel: cuts,
                grain: vec!["measure".into(), "score".into()],
                roles: Default::default(),
                views: vec![View::Rows],
            },
        ])
    }

    fn dimensions(&self) -> Vec<&DimensionSpec> {
        self.by.value.iter().collect()
    }

    fn settings(&self) -> Vec<(String, String, bool)> {
        Options::settings(self)
    }
}

impl Rfm {
    fn label(&self, cx: &mut StageContext, scored: &RelRef) -> Option<RelRef> {
        let table =
            Table { name: cx.name.to_owned(), rel: scored.clone(), roles: Default::default() };
        if self.labels.value.is_empty() {
            return Some(scored.clone());
        }
        let mut arguments = Vec::new();
        let mut good = true;
        for label in &self.labels.value {
            match cx.parse_condition(&label.condition, &table) {
                Some(condition) => {
                    arguments.push(condition);
                    arguments.push(text(&label.name.value));
                }
                None => good = false,
            }
        }
        if !good {
            return None;
        }
        arguments.push(text(&self.rest.value));
        let label = cx.typed(call(Func::Case, arguments))?;
        cx.typed(relation::extend(scored, vec![named("label", label)]))
    }
}

fn text(text: &str) -> Expr {
    Expr::literal(Value::text(text), DataType::String)
}

/// Scores by cut points, equal values together.
fn together(summary: &RelRef, groups: i64) -> Built {
    let mut measures = Vec::new();
    for (letter, name, _) in MEASURES {
        let value = build::cast(column(summary, name)?, DataType::Float64)?;
        for cut in 1..groups {
            let at = cut as f64 / groups as f64;
            let quantile = MeasureFunc::Quantile { value: value.clone(), at };
            measures.push(named(format!("#{letter}{cut}"), Measure::of(quantile)));
        }
    }
    let cuts = relation::aggregate(summary, vec![], measures)?;
    let both = relation::join(summary, &cuts, vec![], JoinKind::Inner, false)?;
    let mut scores = Vec::new();
    for (letter, name, score) in MEASURES {
        let value = build::cast(column(&both, name)?, DataType::Float64)?;
        let mut below = Expr::int(0);
        for cut in 1..groups {
            let cut = column(&both, &format!("#{letter}{cut}"))?;
            let one = build::choose(build::lt(cut, value.clone())?, Expr::int(1), Expr::int(0))?;
            below = build::add(below, one)?;
        }
        let points = match letter {
            "r" => build::sub(Expr::int(groups), below)?,
            _ => build::add(Expr::int(1), below)?,
        };
        scores.push((score, points));
    }
    finish(&both, summary, scores)
}

/// Scores by equal groups, ties by the customer.
fn split(summary: &RelRef, groups: i64, customer: &str) -> Built {
    let mut rel = summary.clone();
    let mut scores = Vec::new();
    for (letter, name, score) in MEASURES {
        let tile = format!("#{letter}");
        let key = match letter {
            "r" => SortKey::descending(name),
            _ => SortKey::ascending(name),
        };
        let order = vec![key, SortKey::ascending(customer)];
        rel = relation::window(&rel, vec![], order, vec![named(&tile, WindowFunc::Ntile(groups))])?;
        scores.push((score, tile));
    }
    let scores = scores
        .into_iter()
        .map(|(score, tile)| Ok((score, column(&rel, &tile)?)))
        .collect::<Result<Vec<_>, TypeError>>()?;
    finish(&rel, summary, scores)
}

/// The summary's columns, then the scores.
fn finish(rel: &RelRef, summary: &RelRef, scores: Vec<(&str, Expr)>) -> Built {
    let mut columns = all_columns(summary);
    let mut whole: Option<Expr> = None;
    for (name, score) in scores {
        let digits = build::cast(score.clone(), DataType::String)?;
        whole = Some(match whole {
            None => digits,
            Some(so_far) => call(Func::Concat, vec![so_far, digits])?,
        });
        columns.push(named(name, build::cast(score, DataType::Int32)?));
    }
    columns.push(named("rfm_score", whole.unwrap_or_else(|| text(""))));
    let rel = relation::project(rel, columns)?;
    let units = MEASURES.map(|(_, _, score)| (score.to_owned(), Unit::Points));
    relation::with_units(&rel, &units.into_iter().collect())
}

/// What each score stands for. Every measure and score has a row.
fn cuts(scored: &RelRef, groups: i64) -> Built {
    let fields = vec![
        crate::frame::Field::new("measure", DataType::String),
        crate::frame::Field::new("score", DataType::Int32),
    ];
    let rows: Vec<Vec<Value>> = MEASURES
        .iter()
        .flat_map(|(letter, _, _)| {
            (1..=groups).map(move |score| vec![Value::text(letter), Value::Int(score)])
        })
        .collect();
    let fault = |error: crate::frame::FrameError| TypeError {
        message: error.to_string(),
        argument: None,
        help: None,
    };
    let spine = Frame::from_rows(Arc::new(Schema::new(fields)), &rows).map_err(fault)?;
    let mut rel = relation::values(spine);
    let keys = || {
        vec![("measure".to_owned(), "measure".to_owned()), ("score".to_owned(), "score".to_owned())]
    };
    for (letter, name, score) in MEASURES {
        let value = build::cast(column(scored, name)?, DataType::Float64)?;
        let found = relation::aggregate(
            scored,
            vec![named("score", column(scored, score)?)],
            vec![
                named(format!("low_{letter}"), Measure::of(MeasureFunc::Min(value.clone()))),
                named(format!("high_{letter}"), Measure::of(MeasureFunc::Max(value))),
                named(format!("customers_{letter}"), Measure::of(MeasureFunc::CountRows)),
            ],
        )?;
        let found = relation::extend(&found, vec![named("measure", text(letter))])?;
        rel = relation::join(&rel, &found, keys(), JoinKind::Left, false)?;
    }
    let either = |part: &str, last: Option<Expr>| -> Result<Expr, TypeError> {
        let mut parts = Vec::new();
        for (letter, _, _) in MEASURES {
            parts.push(column(&rel, &format!("{part}_{letter}"))?);
        }
        call(Func::Coalesce, parts.into_iter().chain(last).collect())
    };
    let columns = vec![
        named("measure", column(&rel, "measure")?),
        named("score", column(&rel, "score")?),
        named("low", either("low", None)?),
        named("high", either("high", None)?),
        named("customers", either("customers", Some(Expr::int(0)))?),
    ];
    relation::project(&rel, columns)
}
