//! Segments: from what is written to a table of customers and labels.

use super::pipeline::Planner;
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::frame::{DataType, Value};
use crate::ir::parse::{self, Scope, bound_of};
use crate::ir::relation::{self, Built, Order};
use crate::ir::typing::{TypeError, Typed, build, call};
use crate::ir::{
    Expr, Func, JoinKind, Measure, MeasureFunc, RelRef, SortKey, Table, WindowFunc, named,
};
use crate::spec::{Membership, Segment, SegmentForm, segment_cuts_ascend};
use crate::stages::{SegmentTable, Since};

/// The column of the customer and that of the label.
const CUSTOMER: &str = "customer";
const SEGMENT: &str = "segment";

impl Planner<'_> {
    /// Plans a segment; what is wrong with it is noted, and it stays without a table.
    pub(super) fn segment(&mut self, segment: &Segment) {
        let planned = self.segment_table(segment);
        self.segments.insert(segment.name.value.clone(), planned);
    }

    fn segment_table(&mut self, segment: &Segment) -> Option<SegmentTable> {
        let mut table = self.table(&segment.table)?;
        let Some(customer) = table.roles.customer.clone() else {
            if !table.roles.flawed {
                self.diagnostics.push(
                    Diagnostic::at(
                        Code::MissingRole,
                        segment.table.span,
                        format!(
                            "a segment needs the role `customer`, which `{}` does not have",
                            table.name
                        ),
                    )
                    .help("say which column it is at the source: `customer: COLUMN`"),
                );
            }
            return None;
        };
        if let Some(membership) = &segment.membership {
            table.rel = self.one_each(&table, &customer.value, membership)?;
        }
        let place = match &segment.form {
            SegmentForm::Column { column, .. }
            | SegmentForm::Cuts { column, .. }
            | SegmentForm::Since { column, .. }
            | SegmentForm::Quantiles { column, .. } => column.span,
            SegmentForm::Expression(written) => written.span,
        };
        let value = match &segment.form {
            SegmentForm::Column { column, .. }
            | SegmentForm::Cuts { column, .. }
            | SegmentForm::Since { column, .. }
            | SegmentForm::Quantiles { column, .. } => self.segment_column(column, &table)?,
            SegmentForm::Expression(written) => {
                let scope = Scope {
                    table: &table.name,
                    schema: &table.rel.schema,
                    parameters: &self.parameters,
                    calendar: &self.pipeline.calendar,
                    as_of: self.as_of,
                };
                parse::expression(written, &scope, self.diagnostics)?
            }
        };
        let rows = |value: Expr| {
            let columns = vec![named(CUSTOMER, customer.value.clone()), named(SEGMENT, value)];
            relation::project(&table.rel, columns)
        };
        let mut since = None;
        let built = match &segment.form {
            SegmentForm::Column { top: None, .. } | SegmentForm::Expression(_) => {
                build::cast(value, DataType::String).and_then(rows)
            }
            SegmentForm::Column { top: Some(top), rest, .. } => {
                build::cast(value, DataType::String)
                    .and_then(rows)
                    .and_then(|rel| with_most(&rel, *top, rest))
            }
            SegmentForm::Cuts { cuts, labels, .. } => {
                let places: Vec<Span> = cuts.iter().map(|cut| cut.span).collect();
                let cuts: Vec<Option<Expr>> = cuts
                    .iter()
                    .map(|cut| {
                        let title = "the column";
                        let calendar = &self.pipeline.calendar;
                        let bound = bound_of(cut, title, value.data_type, calendar);
                        bound.map_err(|diagnostic| self.diagnostics.push(*diagnostic)).ok()
                    })
                    .collect();
                let cuts = cuts.into_iter().collect::<Option<Vec<Expr>>>()?;
                let ascend = |pair: &[Expr]| match (pair[0].as_literal(), pair[1].as_literal()) {
                    (Some(low), Some(high)) => low < high,
                    _ => true,
                };
                if let Some(low) = cuts.windows(2).position(|pair| !ascend(pair)) {
                    self.diagnostics.push(segment_cuts_ascend(places[low + 1]));
                    return None;
                }
                cell_of(value, &cuts, labels, Func::Less).and_then(rows)
            }
            SegmentForm::Since { cuts, labels, .. } => {
                if !matches!(value.data_type, DataType::Date | DataType::Timestamp) {
                    self.segment_fault(
                        place,
                        format!("`since` needs a date or timestamp, not a {}", value.data_type),
                    );
                    return None;
                }
                since = Some(Since { cuts: cuts.clone(), labels: labels.clone() });
                rows(value)
            }
            SegmentForm::Quantiles { labels, .. } => {
                if !value.data_type.is_numeric() {
                    self.segment_fault(
                        place,
                        format!("quantiles are of numbers, not of a {}", value.data_type),
                    );
                    return None;
                }
                build::cast(value, DataType::Float64)
                    .and_then(rows)
                    .and_then(|rel| by_quantiles(&rel, labels))
            }
        };
        match built {
            Ok(rel) => Some(SegmentTable {
                rel,
                table: table.name.clone(),
                since,
                unknown: segment.unknown.clone(),
            }),
            Err(error) => {
                self.segment_fault(place, error.message);
                None
            }
        }
    }

    fn segment_fault(&mut self, span: Span, message: String) {
        self.diagnostics.push(Diagnostic::at(Code::TypeMismatch, span, message));
    }

    fn segment_column(&mut self, column: &Spanned<String>, table: &Table) -> Option<Expr> {
        let Some(field) = table.rel.schema.field(&column.value) else {
            self.diagnostics.push(Diagnostic::unknown(
                Code::UnknownColumn,
                column.span,
                format!("`{}` has no column `{}`", table.name, column.value),
                &column.value,
                table.rel.schema.names(),
            ));
            return None;
        };
        (!field.flawed).then(|| Expr::column(&column.value, field.data_type))
    }

    /// One row per customer, the first or the latest by the table's time.
    fn one_each(
        &mut self,
        table: &Table,
        customer: &Expr,
        membership: &Spanned<Membership>,
    ) -> Option<RelRef> {
        let Some(time) = table.roles.time.clone() else {
            self.diagnostics.push(
                Diagnostic::at(
                    Code::MissingRole,
                    membership.span,
                    format!(
                        "`membership` needs the role `time`, which `{}` does not have",
                        table.name
                    ),
                )
                .help("say which column it is at the source: `time: COLUMN`"),
            );
            return None;
        };
        let order = Order { value: time, descending: membership.value == Membership::Latest };
        match relation::dedupe(&table.rel, vec![customer.clone()], vec![order]) {
            Ok(rel) => Some(rel),
            Err(error) => {
                self.segment_fault(membership.span, error.message);
                None
            }
        }
    }
}

fn text(text: &str) -> Expr {
    Expr::literal(Value::text(text), DataType::String)
}

/// The label of the first cut of which `is_below` holds, the last label where it holds of none; null for
/// null.
fn cell_of(value: Expr, cuts: &[Expr], labels: &[String], is_below: Func) -> Typed {
    let mut arguments = vec![build::is_null(value.clone())?, Expr::null(DataType::String)];
    for (cut, label) in cuts.iter().zip(labels) {
        arguments.push(call(is_below, vec![value.clone(), cut.clone()])?);
        arguments.push(text(label));
    }
    arguments.push(text(labels.last().map_or("", String::as_str)));
    call(Func::Case, arguments)
}

/// The values with the most customers; the others under one label. Ties go by the value.
fn with_most(rows: &RelRef, top: i64, rest: &str) -> Built {
    let value = relation::column(rows, SEGMENT)?;
    let known = relation::filter(rows, build::not(build::is_null(value.clone())?)?)?;
    let count = Measure::of(MeasureFunc::CountDistinct(relation::column(&known, CUSTOMER)?));
    let counts = relation::aggregate(
        &known,
        vec![named("kept", relation::column(&known, SEGMENT)?)],
        vec![named("customers", count)],
    )?;
    let counts = relation::extend(&counts, vec![named("one", Expr::int(1))])?;
    let order = vec![SortKey::descending("customers"), SortKey::ascending("kept")];
    let rank = vec![named("rank", WindowFunc::RunningSum("one".into()))];
    let ranked = relation::window(&counts, Vec::new(), order, rank)?;
    let most = build::le(relation::column(&ranked, "rank")?, Expr::int(top))?;
    let most = relation::filter(&ranked, most)?;
    let kept = relation::column(&most, "kept")?;
    let most = relation::project(&most, vec![named("key", kept.clone()), named("kept", kept)])?;
    let found = relation::lookup(
        rows,
        &most,
        vec![(value, "key".into())],
        vec![("kept".into(), "kept".into())],
    )?;
    let value = relation::column(&found, SEGMENT)?;
    let label = call(
        Func::Case,
        vec![
            build::is_null(value)?,
            Expr::null(DataType::String),
            build::coalesce(relation::column(&found, "kept")?, text(rest))?,
        ],
    )?;
    let customer = relation::column(&found, CUSTOMER)?;
    relation::project(&found, vec![named(CUSTOMER, customer), named(SEGMENT, label)])
}

/// The part of all customers by type 7 quantiles; equal values are in one part.
fn by_quantiles(rows: &RelRef, labels: &[String]) -> Result<RelRef, TypeError> {
    let value = relation::column(rows, SEGMENT)?;
    let groups = labels.len();
    let cuts = (1..groups).map(|cut| {
        let at = cut as f64 / groups as f64;
        let quantile = MeasureFunc::Quantile { value: value.clone(), at };
        named(format!("cut{cut}"), Measure::of(quantile))
    });
    let cuts = relation::aggregate(rows, Vec::new(), cuts.collect())?;
    let both = relation::join(rows, &cuts, Vec::new(), JoinKind::Inner, false)?;
    let cuts = (1..groups).map(|cut| relation::column(&both, &format!("cut{cut}")));
    let cuts = cuts.collect::<Result<Vec<_>, _>>()?;
    // A score is 1 + the number of cuts strictly below: a value on a cut belongs to the lower part.
    let label = cell_of(relation::column(&both, SEGMENT)?, &cuts, labels, Func::LessEqual)?;
    let customer = relation::column(&both, CUSTOMER)?;
    relation::project(&both, vec![named(CUSTOMER, customer), named(SEGMENT, label)])
}
