//! Relations: the nodes, their schemas, and the builders that check them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::apply::Apply;
use super::cohorts::CohortGrid;
pub use super::combine::{apply, dedupe, join, lookup, union};
pub use super::expand::expand_all;
use super::expression::Expr;
use super::history::{History, Summary};
use super::movements::Movements;
use super::repeats::Repeats;
pub use super::scan::{BadRowAction, BadRows, Rounding, Rule, Scan, reason, rejected, scan};
use super::typing::TypeError;
use crate::document::TimeUnit;
use crate::frame::{DataType, Field, Frame, Schema, Unit};
use crate::stats::CensoredBound;

/// A shared relation. Two stages that read the same one share its pointer, and an engine runs it
/// once.
pub type RelRef = Arc<Rel>;

/// A relation and the columns it gives.
#[derive(Debug)]
pub struct Rel {
    pub node: RelNode,
    pub schema: Arc<Schema>,
}

/// A named part: a column of a projection, a measure of an aggregate.
#[derive(Debug, Clone, PartialEq)]
pub struct Named<T> {
    pub name: String,
    pub value: T,
}

/// Names a part.
pub fn named<T>(name: impl Into<String>, value: T) -> Named<T> {
    Named { name: name.into(), value }
}

/// What a relation does.
#[derive(Debug)]
pub enum RelNode {
    /// The rows of a source, checked against its contract.
    Scan(Scan),
    /// The bad rows of a source, with the reasons.
    Rejected { scan: RelRef },
    /// The rows for which the condition is true.
    Filter { input: RelRef, predicate: Expr },
    /// As many rows, with these columns.
    Project { input: RelRef, columns: Vec<Named<Expr>> },
    /// As many rows, with columns found in a table under a unique key; null where there is none.
    Lookup(Lookup),
    /// One row per key: the first in an order.
    Dedupe(Dedupe),
    /// The rows of all inputs, which have the same columns.
    Union { inputs: Vec<RelRef> },
    /// One row per group; one row in all if there are no keys.
    Aggregate(Aggregate),
    /// As many rows, with functions of the rows around each.
    Window(Window),
    /// Pairs of rows whose keys are equal. Meant for reduced tables.
    Join(Join),
    /// The rows in order, nulls last.
    Sort { input: RelRef, keys: Vec<SortKey> },
    /// A table given outright.
    Values(Frame),
    /// Each row once for every whole number between two of its columns, both included: SQL's
    /// `unnest(generate_series(from, to))`. A spine whose ends depend on the data.
    Series { input: RelRef, from: Expr, to: Expr, name: String, unit: Option<TimeUnit> },
    /// Events folded per customer and calendar period.
    History(History),
    /// Events folded per customer.
    Summary(Summary),
    /// Cohorts followed over ages.
    CohortGrid(CohortGrid),
    /// Customers who came, stayed and left, from period to period.
    Movements(Movements),
    /// Purchases by day but for each customer's first.
    Repeats(Repeats),
    /// A table of a pure function of tables.
    Apply(Apply),
}

/// An n:1 join.
#[derive(Debug)]
pub struct Lookup {
    pub input: RelRef,
    /// Its `keys` columns are unique together; an engine checks that when it loads the table.
    pub table: RelRef,
    /// What to look up, and the table's column to find it in. Null finds nothing.
    pub keys: Vec<(Expr, String)>,
    /// The table's columns to add, and their names here.
    pub columns: Vec<(String, String)>,
}

/// One row per key.
#[derive(Debug)]
pub struct Dedupe {
    pub input: RelRef,
    /// What the rows of one key have in common; null is a key like any other.
    pub keys: Vec<Expr>,
    /// Which row is the first, nulls last. Rows that tie are alike in every column.
    pub order: Vec<Order>,
}

/// An expression to order by.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    pub value: Expr,
    pub descending: bool,
}

/// Rows folded into groups. Null is a group of its own.
#[derive(Debug)]
pub struct Aggregate {
    pub input: RelRef,
    pub keys: Vec<Named<Expr>>,
    pub measures: Vec<Named<Measure>>,
}

/// A function of the rows of a group, or of those that pass a filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    pub func: MeasureFunc,
    pub filter: Option<Expr>,
}

/// Functions of groups. Nulls are skipped unless said otherwise; counts and sums of nothing are 0,
/// everything else of nothing is null.
#[derive(Debug, Clone, PartialEq)]
pub enum MeasureFunc {
    /// Rows.
    CountRows,
    /// Rows where the value is not null.
    Count(Expr),
    /// Distinct values.
    CountDistinct(Expr),
    Sum(Expr),
    Min(Expr),
    Max(Expr),
    Mean(Expr),
    /// The sample variance, with n − 1.
    Variance(Expr),
    /// The linear (type 7) quantile as float64.
    Quantile {
        value: Expr,
        at: f64,
    },
    /// A bound of the quantile's interval: an order statistic, see [`crate::stats::rank_bounds`].
    RankBound {
        value: Expr,
        at: f64,
        z: f64,
        upper: bool,
    },
    /// A quantile of durations of which some go on, or a bound of it: see
    /// [`crate::stats::censored_quantile`]. Those that go on are negative.
    LastingQuantile {
        value: Expr,
        at: f64,
        bound: Option<CensoredBound>,
    },
    /// How many distinct values of `of` have weights that sum to at least `least`.
    CountReaching {
        of: Expr,
        weight: Expr,
        least: i64,
    },
    /// How many distinct values of `of` come with at least two different values of `by`.
    CountVarying {
        of: Expr,
        by: Expr,
    },
    /// The value, null or not, of the first row in the order of these expressions, nulls last.
    /// They must order the rows totally, or rows that tie must have the same value.
    First {
        value: Expr,
        order: Vec<Expr>,
    },
}

/// Functions of the rows around a row.
#[derive(Debug)]
pub struct Window {
    pub input: RelRef,
    pub partition_by: Vec<String>,
    /// Must order the rows of a partition totally.
    pub order_by: Vec<SortKey>,
    pub functions: Vec<Named<WindowFunc>>,
}

/// The closed set of window functions.
#[derive(Debug, Clone, PartialEq)]
pub enum WindowFunc {
    /// The partition cut into so many equal groups, numbered from 1; larger groups come first.
    Ntile(i64),
    /// The sum of a column over the rows up to this one, nulls counting as 0.
    RunningSum(String),
}

/// Pairs of rows.
#[derive(Debug)]
pub struct Join {
    pub left: RelRef,
    pub right: RelRef,
    /// Columns left and right; none makes every pair.
    pub keys: Vec<(String, String)>,
    pub kind: JoinKind,
    /// Whether null equals null.
    pub nulls_equal: bool,
}

/// Which rows a join keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// Pairs only.
    Inner,
    /// And left rows without a partner.
    Left,
    /// And left rows and right rows without a partner; the key columns are those of whichever side is there.
    Full,
    /// Left rows with a partner, once each, without the right's columns.
    Semi,
    /// Left rows without a partner, without the right's columns.
    Anti,
}

/// A column to sort by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortKey {
    pub column: String,
    pub descending: bool,
}

impl SortKey {
    /// Ascending by a column.
    pub fn ascending(column: impl Into<String>) -> Self {
        SortKey { column: column.into(), descending: false }
    }

    /// Descending by a column; nulls are last all the same.
    pub fn descending(column: impl Into<String>) -> Self {
        SortKey { column: column.into(), descending: true }
    }
}

/// Most rows of a table whose rows follow from a span of dates: the cells of a cohort grid, the rows
/// of a series. Daily cohorts over five years with daily ages have 3.3 million; more are as good as
/// always the work of one wrong date. At 4 million, a run took 1.1 GB for cohorts and 3.1 GB for
/// `growth`, whose rows are wider.
pub const MOST_CELLS: u64 = 4_000_000;

/// A relation, or why it cannot be.
pub type Built = Result<RelRef, TypeError>;

pub(super) fn fault(message: String) -> TypeError {
    TypeError { message, argument: None, help: None }
}

pub(super) fn check(expr: &Expr, schema: &Schema) -> Result<(), TypeError> {
    let mut missing = None;
    expr.for_each_column(&mut |name| {
        if schema.field(name).is_none() {
            missing = Some(name.to_owned());
        }
    });
    match missing {
        None => Ok(()),
        Some(name) => Err(fault(format!("there is no column `{name}`"))),
    }
}

pub(super) fn distinct(fields: Vec<Field>) -> Result<Arc<Schema>, TypeError> {
    let mut seen = std::collections::BTreeSet::new();
    for field in &fields {
        if !seen.insert(field.name.as_str()) {
            return Err(fault(format!("two columns are called `{}`", field.name)));
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}

fn unit_of(expr: &Expr, schema: &Schema) -> Unit {
    expr.as_column()
        .and_then(|name| schema.field(name))
        .map_or(Unit::None, |field| field.unit.clone())
}

/// A field for an expression: a plain column stays what it is under another name.
pub(crate) fn field_of(name: &str, expr: &Expr, schema: &Schema) -> Field {
    match expr.as_column().and_then(|column| schema.field(column)) {
        Some(field) => Field { name: name.to_owned(), data_type: expr.data_type, ..field.clone() },
        None => Field::new(name, expr.data_type),
    }
}

/// A table given outright.
pub fn values(frame: Frame) -> RelRef {
    let schema = frame.schema.clone();
    Arc::new(Rel { node: RelNode::Values(frame), schema })
}

/// The rows for which `predicate` is true.
///
/// # Errors
/// An unknown column, or a predicate that is not bool.
pub fn filter(input: &RelRef, predicate: Expr) -> Built {
    check(&predicate, &input.schema)?;
    if predicate.data_type != DataType::Bool {
        return Err(fault(format!("a filter needs a bool, not a {}", predicate.data_type)));
    }
    let schema = input.schema.clone();
    Ok(Arc::new(Rel { node: RelNode::Filter { input: input.clone(), predicate }, schema }))
}

/// The input under other columns.
///
/// # Errors
/// An unknown column or a name given twice.
pub fn project(input: &RelRef, columns: Vec<Named<Expr>>) -> Built {
    for column in &columns {
        check(&column.value, &input.schema)?;
    }
    let schema = distinct(
        columns.iter().map(|column| field_of(&column.name, &column.value, &input.schema)).collect(),
    )?;
    Ok(Arc::new(Rel { node: RelNode::Project { input: input.clone(), columns }, schema }))
}

/// The input's columns, and some more; a name that exists is replaced in its place.
///
/// # Errors
/// An unknown column.
pub fn extend(input: &RelRef, more: Vec<Named<Expr>>) -> Built {
    let mut columns = all_columns(input);
    for column in more {
        match columns.iter_mut().find(|existing| existing.name == column.name) {
            Some(existing) => existing.value = column.value,
            None => columns.push(column),
        }
    }
    project(input, columns)
}

/// Every column of a relation as itself.
pub fn all_columns(input: &RelRef) -> Vec<Named<Expr>> {
    input
        .schema
        .fields
        .iter()
        .map(|field| named(&field.name, Expr::column(&field.name, field.data_type)))
        .collect()
}

/// A column of a relation as an expression.
///
/// # Errors
/// An unknown column.
pub fn column(input: &RelRef, name: &str) -> Result<Expr, TypeError> {
    match input.schema.field(name) {
        Some(field) => Ok(Expr::column(name, field.data_type)),
        None => Err(fault(format!("there is no column `{name}`"))),
    }
}

/// The same rows with further columns of which nothing is known but that they are wrong.
///
/// # Errors
/// Never for names that the input does not have.
pub fn with_flaws(input: &RelRef, names: &[String]) -> Built {
    let more = names.iter().map(|name| named(name, Expr::null(DataType::String))).collect();
    let rel = extend(input, more)?;
    let fields = rel.schema.fields.iter().map(|field| Field {
        flawed: field.flawed || names.contains(&field.name),
        ..field.clone()
    });
    let node = RelNode::Project { input: rel.clone(), columns: all_columns(&rel) };
    Ok(Arc::new(Rel { node, schema: distinct(fields.collect())? }))
}

/// The same rows with some columns known to be means with Student's bounds beside them.
pub fn with_means(input: &RelRef, means: &[String]) -> Built {
    let fields = input
        .schema
        .fields
        .iter()
        .map(|field| Field { mean: field.mean || means.contains(&field.name), ..field.clone() });
    let node = RelNode::Project { input: input.clone(), columns: all_columns(input) };
    Ok(Arc::new(Rel { node, schema: distinct(fields.collect())? }))
}

/// The same rows with units on some columns.
pub fn with_units(input: &RelRef, units: &BTreeMap<String, Unit>) -> Built {
    let fields = input
        .schema
        .fields
        .iter()
        .map(|field| match units.get(&field.name) {
            Some(unit) => field.clone().with_unit(unit.clone()),
            None => field.clone(),
        })
        .collect();
    let node = RelNode::Project { input: input.clone(), columns: all_columns(input) };
    Ok(Arc::new(Rel { node, schema: distinct(fields)? }))
}

/// The expressions of a function, borrowed one way or the other.
macro_rules! arguments_of {
    ($func:expr, $iter:ident) => {
        match $func {
            MeasureFunc::CountRows => vec![],
            MeasureFunc::Count(value)
            | MeasureFunc::CountDistinct(value)
            | MeasureFunc::Sum(value)
            | MeasureFunc::Min(value)
            | MeasureFunc::Max(value)
            | MeasureFunc::Mean(value)
            | MeasureFunc::Variance(value)
            | MeasureFunc::Quantile { value, .. }
            | MeasureFunc::RankBound { value, .. }
            | MeasureFunc::LastingQuantile { value, .. } => vec![value],
            MeasureFunc::CountReaching { of, weight, .. } => vec![of, weight],
            MeasureFunc::CountVarying { of, by } => vec![of, by],
            MeasureFunc::First { value, order } => {
                std::iter::once(value).chain(order.$iter()).collect()
            }
        }
    };
}

impl MeasureFunc {
    /// The expressions it reads.
    pub fn arguments(&self) -> Vec<&Expr> {
        arguments_of!(self, iter)
    }

    /// The same function of other expressions; `None` if there is none for one of them.
    pub fn try_map(&self, mut other: impl FnMut(&Expr) -> Option<Expr>) -> Option<MeasureFunc> {
        let mut func = self.clone();
        let arguments: Vec<&mut Expr> = arguments_of!(&mut func, iter_mut);
        for argument in arguments {
            *argument = other(argument)?;
        }
        Some(func)
    }

    /// The type of the result.
    pub fn data_type(&self) -> DataType {
        match self {
            MeasureFunc::CountRows
            | MeasureFunc::Count(_)
            | MeasureFunc::CountDistinct(_)
            | MeasureFunc::CountReaching { .. }
            | MeasureFunc::CountVarying { .. } => DataType::Int64,
            MeasureFunc::Sum(value) => match value.data_type {
                DataType::Decimal { scale, .. } => DataType::money(scale),
                DataType::Int32 => DataType::Int64,
                other => other,
            },
            MeasureFunc::Min(value) | MeasureFunc::Max(value) => value.data_type,
            MeasureFunc::First { value, .. } => value.data_type,
            MeasureFunc::Mean(_)
            | MeasureFunc::Variance(_)
            | MeasureFunc::Quantile { .. }
            | MeasureFunc::RankBound { .. }
            | MeasureFunc::LastingQuantile { .. } => DataType::Float64,
        }
    }

    /// Lower-case name for explain texts.
    pub fn name(&self) -> &'static str {
        match self {
            MeasureFunc::CountRows | MeasureFunc::Count(_) => "count",
            MeasureFunc::CountDistinct(_) => "count_distinct",
            MeasureFunc::Sum(_) => "sum",
            MeasureFunc::Min(_) => "min",
            MeasureFunc::Max(_) => "max",
            MeasureFunc::Mean(_) => "mean",
            MeasureFunc::Variance(_) => "variance",
            MeasureFunc::Quantile { .. } => "quantile",
            MeasureFunc::RankBound { .. } => "rank_bound",
            MeasureFunc::LastingQuantile { .. } => "lasting_quantile",
            MeasureFunc::CountReaching { .. } => "count_reaching",
            MeasureFunc::CountVarying { .. } => "count_varying",
            MeasureFunc::First { .. } => "first",
        }
    }
}

impl Measure {
    /// Over all rows of the group.
    pub fn of(func: MeasureFunc) -> Self {
        Measure { func, filter: None }
    }

    /// Over the rows of the group that pass a filter, if there is one.
    pub fn filtered(func: MeasureFunc, filter: Option<Expr>) -> Self {
        Measure { func, filter }
    }
}

/// Rows folded into groups.
///
/// # Errors
/// An unknown column, a name given twice, or a measure of a type it does not take.
pub fn aggregate(input: &RelRef, keys: Vec<Named<Expr>>, measures: Vec<Named<Measure>>) -> Built {
    let mut fields = Vec::new();
    for key in &keys {
        check(&key.value, &input.schema)?;
        fields.push(field_of(&key.name, &key.value, &input.schema));
    }
    for measure in &measures {
        for argument in measure.value.func.arguments().into_iter().chain(&measure.value.filter) {
            check(argument, &input.schema)?;
        }
        use MeasureFunc as M;
        match &measure.value.func {
            M::CountReaching { weight, .. } if !weight.data_type.is_integer() => {
                return Err(fault(format!(
                    "a weight is a whole number, not a {}",
                    weight.data_type
                )));
            }
            M::Sum(value) if value.data_type == DataType::Duration => {}
            M::Sum(value)
            | M::Mean(value)
            | M::Variance(value)
            | M::Quantile { value, .. }
            | M::RankBound { value, .. }
            | M::LastingQuantile { value, .. }
                if !value.data_type.is_numeric() =>
            {
                return Err(fault(format!(
                    "`{}` takes numbers, not a {}",
                    measure.value.func.name(),
                    value.data_type
                )));
            }
            _ => {}
        }
        let unit = match &measure.value.func {
            M::Sum(value) | M::Min(value) | M::Max(value) | M::First { value, .. } => {
                unit_of(value, &input.schema)
            }
            M::CountRows | M::Count(_) | M::CountDistinct(_) => Unit::Count,
            M::CountReaching { .. } | M::CountVarying { .. } => Unit::Count,
            M::Mean(_) | M::Variance(_) | M::Quantile { .. } => Unit::None,
            M::RankBound { .. } | M::LastingQuantile { .. } => Unit::None,
        };
        fields.push(Field::new(&measure.name, measure.value.func.data_type()).with_unit(unit));
    }
    let schema = distinct(fields)?;
    let node = RelNode::Aggregate(Aggregate { input: input.clone(), keys, measures });
    Ok(Arc::new(Rel { node, schema }))
}

/// Functions of the rows around a row.
///
/// # Errors
/// An unknown column or a name given twice.
pub fn window(
    input: &RelRef,
    partition_by: Vec<String>,
    order_by: Vec<SortKey>,
    functions: Vec<Named<WindowFunc>>,
) -> Built {
    for name in partition_by.iter().chain(order_by.iter().map(|key| &key.column)) {
        column(input, name)?;
    }
    let mut fields = input.schema.fields.clone();
    for function in &functions {
        let data_type = match &function.value {
            WindowFunc::Ntile(_) => DataType::Int64,
            WindowFunc::RunningSum(name) => match column(input, name)?.data_type {
                DataType::Decimal { scale, .. } => DataType::money(scale),
                DataType::Int64 => DataType::Int64,
                other => {
                    return Err(fault(format!("a running sum takes exact numbers, not a {other}")));
                }
            },
        };
        fields.push(Field::new(&function.name, data_type));
    }
    let schema = distinct(fields)?;
    let node = RelNode::Window(Window { input: input.clone(), partition_by, order_by, functions });
    Ok(Arc::new(Rel { node, schema }))
}

/// The rows in order.
///
/// # Errors
/// An unknown column.
pub fn sort(input: &RelRef, keys: Vec<SortKey>) -> Built {
    for key in &keys {
        column(input, &key.column)?;
    }
    let schema = input.schema.clone();
    Ok(Arc::new(Rel { node: RelNode::Sort { input: input.clone(), keys }, schema }))
}

/// Each row once for every whole number from `from` to `to`, in a new column.
///
/// # Errors
/// Ends that are not int64, or a name that exists.
pub fn series(input: &RelRef, from: Expr, to: Expr, name: impl Into<String>) -> Built {
    series_of(input, from, to, name.into(), None)
}

/// The same for the numbers of calendar periods.
///
/// # Errors
/// Those of [`series`].
pub fn periods(
    input: &RelRef,
    from: Expr,
    to: Expr,
    name: impl Into<String>,
    unit: TimeUnit,
) -> Built {
    series_of(input, from, to, name.into(), Some(unit))
}

fn series_of(input: &RelRef, from: Expr, to: Expr, name: String, unit: Option<TimeUnit>) -> Built {
    for end in [&from, &to] {
        check(end, &input.schema)?;
        if end.data_type != DataType::Int64 {
            return Err(fault(format!("a series runs between int64, not {}", end.data_type)));
        }
    }
    let mut fields = input.schema.fields.clone();
    fields.push(Field::new(&name, DataType::Int64));
    let schema = distinct(fields)?;
    let node = RelNode::Series { input: input.clone(), from, to, name, unit };
    Ok(Arc::new(Rel { node, schema }))
}

impl Rel {
    /// The relations it reads.
    pub fn inputs(&self) -> Vec<&RelRef> {
        match &self.node {
            RelNode::Scan(_) | RelNode::Values(_) => vec![],
            RelNode::Rejected { scan } => vec![scan],
            RelNode::Filter { input, .. }
            | RelNode::Project { input, .. }
            | RelNode::Sort { input, .. }
            | RelNode::Series { input, .. } => vec![input],
            RelNode::Lookup(lookup) => vec![&lookup.input, &lookup.table],
            RelNode::Dedupe(dedupe) => vec![&dedupe.input],
            RelNode::Union { inputs } => inputs.iter().collect(),
            RelNode::Aggregate(aggregate) => vec![&aggregate.input],
            RelNode::Window(window) => vec![&window.input],
            RelNode::Join(join) => vec![&join.left, &join.right],
            RelNode::History(history) => vec![&history.input],
            RelNode::Summary(summary) => vec![&summary.input],
            RelNode::CohortGrid(grid) => vec![&grid.input],
            RelNode::Movements(movements) => vec![&movements.input],
            RelNode::Repeats(repeats) => vec![&repeats.input],
            RelNode::Apply(apply) => apply.call.inputs.iter().collect(),
        }
    }

    /// True for the nodes whose rows stream: they keep no state between morsels. (`Dedupe` does once it
    /// is known which rows it keeps; a `Union` is streamed part by part.)
    pub fn streams(&self) -> bool {
        match &self.node {
            RelNode::Scan(_)
            | RelNode::Rejected { .. }
            | RelNode::Filter { .. }
            | RelNode::Project { .. }
            | RelNode::Lookup(_)
            | RelNode::Dedupe(_) => true,
            RelNode::Union { .. }
            | RelNode::Aggregate(_)
            | RelNode::Window(_)
            | RelNode::Join(_)
            | RelNode::Sort { .. }
            | RelNode::Values(_)
            | RelNode::Series { .. }
            | RelNode::History(_)
            | RelNode::Summary(_)
            | RelNode::CohortGrid(_)
            | RelNode::Movements(_)
            | RelNode::Repeats(_)
            | RelNode::Apply(_) => false,
        }
    }
}
