//! From a metric to measures and columns.

use std::collections::BTreeMap;

use super::catalog::{Catalog, Found};
use super::drawn::{Drawn, ValuesOf};
use super::fields::{
    CUSTOMER_COLUMNS, CustomerFields, GAP_COLUMN, ORDER_COLUMNS, OrderFields, PLACED_COLUMNS,
    PlacedFields,
};
use super::following::Following;
use super::statistic::Statistic;
use super::weights::WeightedValue;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, Spanned};
use crate::document::{Expression, Setting};
use crate::frame::{DataType, Schema, Unit, Value};
use crate::ir::parse::{self, Scope};
use crate::ir::typing::{TypeError, build, call};
use crate::ir::{Calendar, Expr, Func, Measure, MeasureFunc, Named, Roles, Table, named};

crate::choice! {
    /// How an interval is found.
    pub enum IntervalMethod {
        /// As the kind has it.
        Auto = "auto",
        Wilson = "wilson",
        T = "t",
        Rank = "rank",
        Multinomial = "multinomial",
        /// By drawing customers 200 times: of what sums, counts, means or quantiles come to.
        Bootstrap = "bootstrap",
        None = "none",
    }
}

/// What a measure is taken over.
#[derive(Debug, Clone, PartialEq)]
pub enum Level {
    /// The rows of the input.
    Rows,
    /// Orders put together from their lines, of the rows that pass a condition.
    Orders(Option<Expr>),
    /// Orders that were sold or returned, of the rows that pass a condition.
    Placed(Option<Expr>),
    /// Those that came back, in the cell of the day on which they did.
    CameBack(Option<Expr>),
    /// The customers of each cell, of the rows that pass a condition.
    Customers(Option<Expr>),
    /// The purchase days of customers who had one before, of the rows that pass a condition.
    Gaps(Option<Expr>),
    /// Surveys in the cells of the times they were sent, of the rows that pass a condition.
    Sent(Option<Expr>),
    /// The different values of an expression in each cell of another level.
    Each(Box<Each>),
    /// The rows of all cells.
    Whole,
    /// The cells, each with how many of its rows pass a condition.
    Counted(Expr),
}

/// The different values of an expression in each cell of a level, of its rows that pass a condition, with what is
/// kept of each.
#[derive(Debug, Clone, PartialEq)]
pub struct Each {
    pub level: Level,
    pub of: Expr,
    pub filter: Option<Expr>,
    pub kept: Vec<Named<Measure>>,
}

/// What a stage's input offers to metrics.
pub struct Subject<'a> {
    /// What the input is called in messages.
    pub table: &'a str,
    pub schema: &'a Schema,
    pub roles: &'a Roles,
    pub parameters: &'a BTreeMap<String, (Value, DataType)>,
    pub calendar: &'a Calendar,
    pub as_of: i64,
    /// The level of intervals, such as 0.95.
    pub level: f64,
    /// The time of a customer's first order ever, as a column of the input or of its orders, if a
    /// metric asked for it; see [`Lowering::first_time`].
    pub first_time: Option<Expr>,
    /// The tables that metrics name besides the input.
    pub others: &'a BTreeMap<String, Table>,
}

/// A column of a metric: an expression over its measures.
#[derive(Debug, Clone)]
pub struct MetricColumn {
    pub name: String,
    pub expr: Expr,
    pub unit: Unit,
}

/// What a metric is lowered into.
pub struct Lowering<'a> {
    pub subject: &'a Subject<'a>,
    pub catalog: &'a Catalog,
    pub diagnostics: &'a mut Diagnostics,
    /// Measures by level, in the order added.
    pub measures: Vec<(Level, Named<Measure>)>,
    pub columns: Vec<MetricColumn>,
    /// True once a metric asked for [`Subject::first_time`].
    pub wants_first_time: bool,
    /// What comes after the rows, if a metric asked for it.
    pub following: Vec<Following>,
    /// Metrics whose bounds are drawn. Their bounds among the columns are null until then.
    pub drawn: Vec<Drawn>,
    /// Quantiles of samples.
    pub weighted_values: Vec<WeightedValue>,
    /// What metrics should be, by name, for reports.
    pub goals: Vec<(String, f64)>,
    /// Of weighted counts the sums of the squared weights.
    pub(super) squares: Vec<(Expr, Expr)>,
    /// True once the metric at hand was refused because it cannot be weighted.
    pub(super) unweighable: bool,
    pub(super) name: String,
    /// Where the metric is defined, or where it is named if the pipeline does not define it.
    span: Span,
    /// Where it is named.
    named: Span,
    condition: Option<Expr>,
    pub(super) interval: Setting<IntervalMethod>,
    unit: Option<Unit>,
    /// Metrics being lowered, for ratios of ratios.
    pub(super) stack: Vec<String>,
}

impl<'a> Lowering<'a> {
    /// Nothing lowered yet.
    pub fn new(
        subject: &'a Subject<'a>,
        catalog: &'a Catalog,
        diagnostics: &'a mut Diagnostics,
    ) -> Self {
        Lowering {
            subject,
            catalog,
            diagnostics,
            measures: Vec::new(),
            columns: Vec::new(),
            wants_first_time: false,
            following: Vec::new(),
            drawn: Vec::new(),
            weighted_values: Vec::new(),
            goals: Vec::new(),
            squares: Vec::new(),
            unweighable: false,
            name: String::new(),
            span: Span::default(),
            named: Span::default(),
            condition: None,
            interval: Setting::default_of(IntervalMethod::Auto),
            unit: None,
            stack: Vec::new(),
        }
    }

    /// Lowers the metric called `name`, as columns that begin with that name.
    pub fn add(&mut self, name: &Spanned<String>) -> Option<()> {
        self.unweighable = false;
        self.lower(name, name.value.clone()).filter(|()| !self.unweighable)
    }

    /// Where the metric is named.
    pub(super) fn place(&self) -> Span {
        self.named
    }

    fn lower(&mut self, name: &Spanned<String>, prefix: String) -> Option<()> {
        if self.stack.contains(&name.value) {
            let mut path = self.stack.clone();
            path.push(name.value.clone());
            self.report(
                Code::Cycle,
                format!("the metric `{}` needs itself: {}", name.value, path.join(" → ")),
            );
            return None;
        }
        let catalog = self.catalog;
        let found = catalog.resolve(name, self.diagnostics)?;
        let outer = (
            std::mem::replace(&mut self.name, prefix),
            std::mem::replace(&mut self.span, name.span),
            std::mem::replace(&mut self.named, name.span),
            // What a ratio counts, its numerator and denominator count.
            self.condition.clone(),
            std::mem::replace(&mut self.interval, Setting::default_of(IntervalMethod::Auto)),
            self.unit.take(),
        );
        self.stack.push(name.value.clone());
        let result = match &found {
            Found::BuiltIn(_, metric) => metric.lower(self),
            Found::Declared(declared) => self.declared(declared),
        };
        self.stack.pop();
        (self.name, self.span, self.named, self.condition, self.interval, self.unit) = outer;
        result
    }

    fn declared(&mut self, declared: &super::Declared) -> Option<()> {
        self.span = declared.name.span;
        if let Some(condition) = &declared.condition {
            let own = self.parse_condition(condition)?;
            let both = build::all(self.condition.take().into_iter().chain([own]));
            self.condition = self.typed(both)?;
        }
        self.interval = declared.interval;
        self.unit = declared.unit.as_ref().map(|unit| unit_of(&unit.value));
        declared.metric.lower(self)
    }

    /// Notes a mistake at the metric's place.
    pub fn report(&mut self, code: Code, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::at(code, self.span, message));
    }

    /// The value of a typed expression; a fault is noted.
    pub fn typed<T>(&mut self, result: Result<T, TypeError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                let mut diagnostic = Diagnostic::at(Code::TypeMismatch, self.span, error.message);
                diagnostic.help = error.help;
                self.diagnostics.push(diagnostic);
                None
            }
        }
    }

    fn scope(&self) -> Scope<'a> {
        Scope {
            table: self.subject.table,
            schema: self.subject.schema,
            parameters: self.subject.parameters,
            calendar: self.subject.calendar,
            as_of: self.subject.as_of,
        }
    }

    /// An expression over the rows of the input.
    pub fn parse(&mut self, written: &Expression) -> Option<Expr> {
        parse::expression(written, &self.scope(), self.diagnostics)
    }

    /// A condition over the rows of the input.
    pub fn parse_condition(&mut self, written: &Expression) -> Option<Expr> {
        parse::condition(written, &self.scope(), self.diagnostics)
    }

    /// The metric's own `where`.
    pub fn condition(&self) -> Option<Expr> {
        self.condition.clone()
    }

    /// Notes that the input lacks a role.
    pub fn lacks(&mut self, role: &str, key: &str) {
        if self.subject.roles.flawed {
            return;
        }
        let (name, table) = (self.name.clone(), self.subject.table);
        self.diagnostics.push(
            Diagnostic::at(
                Code::MissingRole,
                self.named,
                format!(
                    "the metric `{name}` needs the role `{role}`, which `{table}` does not have"
                ),
            )
            .help(format!("say which column it is at the source: `{key}`")),
        );
    }

    /// The columns of an order. With an order id they are those of orders put together from their
    /// lines, else those of the row.
    pub fn orders(&mut self) -> Option<OrderFields> {
        let roles = self.subject.roles;
        let order = roles.order.clone().unwrap_or_default();
        let value = roles.value.as_ref().map(|value| value.expr.clone());
        if order.id.is_some() {
            let of = |name: &str, like: Option<&Expr>| {
                like.map(|expr| {
                    let data_type = match (name, expr.data_type) {
                        ("#order_value", DataType::Decimal { scale, .. }) => DataType::money(scale),
                        ("#order_quantity", DataType::Decimal { scale, .. }) => {
                            DataType::money(scale)
                        }
                        ("#order_quantity", DataType::Int32) => DataType::Int64,
                        (_, other) => other,
                    };
                    Expr::column(name, data_type)
                })
            };
            let [customer, time, amount, quantity] = ORDER_COLUMNS;
            return Some(OrderFields {
                customer: of(customer, roles.customer.as_ref().map(|customer| &customer.value)),
                time: of(time, roles.time.as_ref()),
                value: of(amount, value.as_ref()),
                quantity: of(quantity, order.quantity.as_ref()),
                filter: None,
                level: Level::Orders(self.condition.clone()),
            });
        }
        let conditions = order.sold.into_iter().chain(self.condition.clone());
        let filter = self.typed(build::all(conditions))?;
        Some(OrderFields {
            customer: roles.customer.as_ref().map(|customer| customer.value.clone()),
            time: roles.time.clone(),
            value,
            quantity: order.quantity,
            filter,
            level: Level::Rows,
        })
    }

    /// The columns of orders that were sold or returned. What says that an order came back is missed
    /// with a note.
    pub fn placed(&mut self) -> Option<PlacedFields> {
        let roles = self.subject.roles;
        let order = roles.order.clone().unwrap_or_default();
        let told = order.returned.is_some()
            || order.returned_at.is_some()
            || order.returned_quantity.is_some();
        if !told {
            self.lacks("order.returned", "order: {returned: CONDITION}");
            return None;
        }
        let of = |name: &str, like: Option<&Expr>| {
            like.map(|expr| {
                let data_type = match expr.data_type {
                    DataType::Decimal { scale, .. } => DataType::money(scale),
                    DataType::Int32 => DataType::Int64,
                    other => other,
                };
                Expr::column(name, data_type)
            })
        };
        let [returned, value, returned_value, quantity, returned_quantity] = PLACED_COLUMNS;
        let money = roles.value.as_ref().map(|value| &value.expr);
        let units = order.returned_quantity.as_ref().or(order.quantity.as_ref());
        Some(PlacedFields {
            returned: Expr::column(returned, DataType::Bool),
            value: of(value, money),
            returned_value: of(returned_value, money),
            quantity: of(quantity, order.quantity.as_ref()),
            returned_quantity: of(returned_quantity, units),
        })
    }

    /// The columns of the customers of a cell; missing roles are noted.
    pub fn customers(&mut self) -> Option<CustomerFields> {
        let roles = self.subject.roles;
        if roles.customer.is_none() {
            self.lacks("customer", "customer: COLUMN");
        }
        if roles.value.is_none() {
            self.lacks("value", "value: COLUMN");
        }
        roles.customer.as_ref()?;
        let [value, first, last, rank, customers] = CUSTOMER_COLUMNS;
        let money = match roles.value.as_ref()?.expr.data_type {
            DataType::Decimal { scale, .. } => DataType::money(scale),
            other => other,
        };
        let time = |name: &str| roles.time.as_ref().map(|time| Expr::column(name, time.data_type));
        Some(CustomerFields {
            value: Expr::column(value, money),
            first: time(first),
            last: time(last),
            rank: Expr::column(rank, DataType::Int64),
            customers: Expr::column(customers, DataType::Int64),
            level: Level::Customers(self.condition.clone()),
        })
    }

    /// The days between a customer's purchase day and the one before it; missing roles are noted.
    pub fn gaps(&mut self) -> Option<(Expr, Level)> {
        let orders = self.orders()?;
        let (customer, time) = (self.customer(&orders), self.time(&orders));
        customer?;
        time?;
        let days = Expr::column(GAP_COLUMN, DataType::Int64);
        Some((days, Level::Gaps(self.condition.clone())))
    }

    /// The customer of an order; a missing role is noted.
    pub fn customer(&mut self, orders: &OrderFields) -> Option<Expr> {
        if orders.customer.is_none() {
            self.lacks("customer", "customer: COLUMN");
        }
        orders.customer.clone()
    }

    /// The value of an order; a missing role is noted.
    pub fn value(&mut self, orders: &OrderFields) -> Option<Expr> {
        if orders.value.is_none() {
            self.lacks("value", "value: COLUMN");
        }
        orders.value.clone()
    }

    /// The quantity of an order; a missing role is noted.
    pub fn quantity(&mut self, orders: &OrderFields) -> Option<Expr> {
        if orders.quantity.is_none() {
            self.lacks("order.quantity", "order: {quantity: COLUMN}");
        }
        orders.quantity.clone()
    }

    /// The time of an order; a missing role is noted.
    pub fn time(&mut self, orders: &OrderFields) -> Option<Expr> {
        if orders.time.is_none() {
            self.lacks("time", "time: COLUMN");
        }
        orders.time.clone()
    }

    /// The time of the customer's first order ever, which may lie in another cell.
    pub fn first_time(&mut self, orders: &OrderFields) -> Option<Expr> {
        self.wants_first_time = true;
        let time = self.time(orders)?;
        Some(self.subject.first_time.clone().unwrap_or_else(|| Expr::null(time.data_type)))
    }

    /// The unit of the input's money.
    pub fn money(&self) -> Unit {
        Unit::Money(self.subject.roles.value.as_ref().and_then(|value| value.currency.clone()))
    }

    /// Adds a measure; gives the column it will be.
    pub fn measure(&mut self, level: &Level, part: &str, measure: Measure) -> Expr {
        match &self.subject.roles.weight {
            Some(weight) => self.weighted(weight, level, part, measure),
            None => self.plain_measure(level, part, measure),
        }
    }

    /// The same without weights.
    pub(super) fn plain_measure(&mut self, level: &Level, part: &str, measure: Measure) -> Expr {
        let name = format!("#{}.{part}", self.name);
        let data_type = measure.func.data_type();
        self.measures.push((level.clone(), named(&name, measure)));
        Expr::column(name, data_type)
    }

    /// Adds a column under the metric's name and a suffix.
    pub fn column(&mut self, suffix: &str, expr: Expr, unit: Unit) {
        let unit = match (suffix, &self.unit) {
            ("" | "_low" | "_high", Some(unit)) => unit.clone(),
            _ => unit,
        };
        self.columns.push(MetricColumn { name: format!("{}{suffix}", self.name), expr, unit });
    }

    /// Whether an interval is wanted; one that the kind does not have is noted.
    pub(super) fn wants(&mut self, method: IntervalMethod) -> Option<bool> {
        match self.interval.value {
            IntervalMethod::Auto => Some(true),
            // Bounds that are drawn come later.
            IntervalMethod::Bootstrap | IntervalMethod::None => Some(false),
            wanted if wanted == method => Some(true),
            wanted => self.has_not(format!("it has `{method}`"), wanted),
        }
    }

    /// Notes that the metric has no such interval.
    pub(super) fn has_not<T>(&mut self, why: String, wanted: IntervalMethod) -> Option<T> {
        let message = format!("the metric `{}` has no interval `{wanted}`: {why}", self.name);
        let place = self.interval.place(self.span);
        let help = "leave `interval` out for the one that the kind has, or write `none`";
        self.diagnostics.push(Diagnostic::at(Code::InvalidValue, place, message).help(help));
        None
    }

    /// Columns of a metric without an interval.
    pub fn plain(&mut self, expr: Expr, unit: Unit) -> Option<()> {
        let wanted = self.interval.value;
        if !matches!(wanted, IntervalMethod::Auto | IntervalMethod::None) {
            return self.has_not("it has none".into(), wanted);
        }
        self.column("", expr, unit);
        Some(())
    }

    fn z(&self) -> Expr {
        Expr::float(crate::stats::normal_quantile(self.subject.level))
    }

    /// Columns of a share: value, numerator, n, Wilson bounds.
    pub fn share(&mut self, numerator: Expr, n: Expr) -> Option<()> {
        let interval = self.wants(IntervalMethod::Wilson)?;
        let ([numerator], n) = self.scaled([numerator], n)?;
        let value = self.typed(build::div(numerator.clone(), n.clone()))?;
        self.draw(&value)?;
        self.column("", value, Unit::Share);
        self.column("_numerator", numerator.clone(), Unit::Count);
        self.column("_n", n.clone(), Unit::Count);
        let arguments = vec![numerator, n, self.z()];
        self.bounds(interval, Func::WilsonLow, Func::WilsonHigh, &arguments, Unit::Share)
    }

    /// Columns of a balance: value, plus, minus, n, multinomial bounds.
    pub fn balance(&mut self, plus: Expr, minus: Expr, n: Expr, scale: f64) -> Option<()> {
        let interval = self.wants(IntervalMethod::Multinomial)?;
        let ([plus, minus], n) = self.scaled([plus, minus], n)?;
        let difference = self.typed(build::sub(plus.clone(), minus.clone()))?;
        let share = self.typed(build::div(difference, n.clone()))?;
        let value = self.typed(build::mul(share, Expr::float(scale)))?;
        self.draw(&value)?;
        self.column("", value, Unit::Points);
        self.column("_plus", plus.clone(), Unit::Count);
        self.column("_minus", minus.clone(), Unit::Count);
        self.column("_n", n.clone(), Unit::Count);
        let arguments = vec![plus, minus, n, Expr::float(scale), self.z()];
        let (low, high) = (Func::MultinomialLow, Func::MultinomialHigh);
        self.bounds(interval, low, high, &arguments, Unit::Points)
    }

    fn bounds(
        &mut self,
        wanted: bool,
        low: Func,
        high: Func,
        arguments: &[Expr],
        unit: Unit,
    ) -> Option<()> {
        for (suffix, func) in [("_low", low), ("_high", high)] {
            let bound = match wanted {
                true => self.typed(call(func, arguments.to_vec()))?,
                false => Expr::null(DataType::Float64),
            };
            self.column(suffix, bound, unit.clone());
        }
        Some(())
    }

    /// Columns of a statistic of an expression over rows or orders.
    pub fn statistic(
        &mut self,
        statistic: Statistic,
        value: Expr,
        filter: Option<Expr>,
        level: &Level,
        unit: Unit,
    ) -> Option<()> {
        let over = |func| Measure::filtered(func, filter.clone());
        match statistic {
            Statistic::Max => {
                let most = self.measure(level, "max", over(MeasureFunc::Max(value)));
                self.plain(most, unit)
            }
            Statistic::Mean => {
                let interval = self.wants(IntervalMethod::T)?;
                let mean = self.measure(level, "mean", over(MeasureFunc::Mean(value.clone())));
                let n = self.measure(level, "n", over(MeasureFunc::Count(value.clone())));
                let ([], n) = self.scaled([], n)?;
                self.draw(&mean)?;
                self.column("", mean.clone(), unit.clone());
                self.column("_n", n.clone(), Unit::Count);
                let half = if interval {
                    let variance =
                        self.measure(level, "variance", over(MeasureFunc::Variance(value)));
                    let degrees = self.typed(build::sub(n.clone(), Expr::int(1)))?;
                    let level = Expr::float(self.subject.level);
                    let t = self.typed(call(Func::StudentT, vec![degrees, level]))?;
                    let square = self.typed(build::div(variance, n))?;
                    let error = self.typed(call(Func::Sqrt, vec![square]))?;
                    self.typed(build::mul(t, error))?
                } else {
                    Expr::null(DataType::Float64)
                };
                let low = self.typed(build::sub(mean.clone(), half.clone()))?;
                let high = self.typed(build::add(mean, half))?;
                self.column("_low", low, unit.clone());
                self.column("_high", high, unit);
                Some(())
            }
            Statistic::Quantile(at) if self.is_weighted() => {
                self.draws_of_all()?;
                let weight = self.subject.roles.weight.as_ref()?;
                self.weighted_quantile(weight, at, value, filter, level, unit)
            }
            Statistic::Quantile(at) => {
                let interval = self.wants(IntervalMethod::Rank)?;
                self.draw_values(ValuesOf {
                    level: level.clone(),
                    condition: filter.clone(),
                    value: value.clone(),
                    statistic: crate::stats::ValueStatistic::Quantile(at),
                })?;
                let quantile = MeasureFunc::Quantile { value: value.clone(), at };
                let quantile = self.measure(level, "quantile", over(quantile));
                let n = self.measure(level, "n", over(MeasureFunc::Count(value.clone())));
                self.column("", quantile, unit.clone());
                self.column("_n", n, Unit::Count);
                let z = crate::stats::normal_quantile(self.subject.level);
                for (suffix, upper) in [("_low", false), ("_high", true)] {
                    let bound = if interval {
                        let bound = MeasureFunc::RankBound { value: value.clone(), at, z, upper };
                        self.measure(level, suffix.trim_start_matches('_'), over(bound))
                    } else {
                        Expr::null(DataType::Float64)
                    };
                    self.column(suffix, bound, unit.clone());
                }
                Some(())
            }
        }
    }

    /// Columns of a ratio: value, numerator, denominator; bounds where they are drawn.
    pub fn ratio(
        &mut self,
        numerator: (Expr, Unit),
        denominator: (Expr, Unit),
        unit: Unit,
    ) -> Option<()> {
        let value = self.typed(build::div(numerator.0.clone(), denominator.0.clone()))?;
        self.draw(&value)?;
        self.parts(value, numerator, denominator, unit)
    }

    /// Columns of what is not just a ratio, but made of a numerator and a denominator. The bounds are
    /// noted by [`Lowering::draw`] or [`Lowering::draw_values`].
    pub fn parts(
        &mut self,
        value: Expr,
        numerator: (Expr, Unit),
        denominator: (Expr, Unit),
        unit: Unit,
    ) -> Option<()> {
        let drawn = self.draws();
        match drawn {
            true => self.column("", value, unit.clone()),
            false => self.plain(value, unit.clone())?,
        }
        self.column("_numerator", numerator.0, numerator.1);
        self.column("_denominator", denominator.0, denominator.1);
        for suffix in ["_low", "_high"].into_iter().filter(|_| drawn) {
            self.column(suffix, Expr::null(DataType::Float64), unit.clone());
        }
        Some(())
    }

    /// The value of another metric, lowered as a part of this one.
    pub fn other(&mut self, name: &Spanned<String>, part: &str) -> Option<(Expr, Unit)> {
        let before = self.columns.len();
        let prefix = format!("{}.{part}", self.name);
        self.lower(name, prefix)?;
        let mut columns = self.columns.split_off(before).into_iter();
        columns.next().map(|column| (column.expr, column.unit))
    }
}

/// A unit as it is written in YAML.
pub(super) fn unit_of(written: &str) -> Unit {
    match written {
        "share" => Unit::Share,
        "points" => Unit::Points,
        "count" => Unit::Count,
        _ if crate::document::TimeUnit::from_word(written).is_some() => {
            Unit::Time(written.to_owned())
        }
        _ => Unit::Money(Some(written.to_owned())),
    }
}
