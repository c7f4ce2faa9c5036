//! From a metric to measures and columns.

use super::catalog::{Catalog, Found};
use super::drawn::{Drawn, ValuesOf};
use super::grouped::Grouped;
use super::registry::Metric;
use super::statistic::Statistic;
use super::subject::{Asked, Subject};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, Spanned};
use crate::document::{Expression, Portion, Setting};
use crate::frame::{DataType, Unit};
use crate::ir::parse::{self, Scope};
use crate::ir::typing::{TypeError, build, call};
use crate::ir::{Expr, Func, Measure, MeasureFunc, Named, named};

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
    /// The purchase days of customers who had one before, of the rows that pass a condition.
    Gaps(Option<Expr>),
    /// Rows in the cells of another time than that of their table.
    Dated(Box<Dated>),
    /// Groups of the rows of each cell of another level.
    Each(Box<Each>),
    /// The rows of all cells.
    Whole,
    /// The cells, each with how many of its rows pass a condition.
    Counted(Expr),
}

/// Groups of the rows of each cell of a level that pass a condition, with what is kept of each.
#[derive(Debug, Clone, PartialEq)]
pub struct Each {
    pub level: Level,
    /// What the rows of a group have in common, the columns [`per_columns`](super::per_columns) of the level; rows of
    /// which nothing is known of it are in no group.
    pub per: Vec<Expr>,
    pub filter: Option<Expr>,
    pub kept: Vec<Named<Measure>>,
    /// The time of a group, over what is kept, by which it is in a period. Absent: rows of other periods are other
    /// groups.
    pub time: Option<Expr>,
    /// Which groups of a cell, if not all.
    pub top: Option<Best>,
}

/// The groups of a cell in which something that is kept is highest.
#[derive(Debug, Clone, PartialEq)]
pub struct Best {
    pub by: Expr,
    pub size: Portion,
}

/// Rows by another time than that of their table, and which of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Dated {
    /// A date or a timestamp; rows without one are in a period of their own, null.
    pub time: Expr,
    pub condition: Option<Expr>,
}

/// A column of a metric: an expression over its measures.
#[derive(Debug, Clone)]
pub struct MetricColumn {
    pub name: String,
    pub expr: Expr,
    pub unit: Unit,
    /// True of a mean with Student's bounds beside it.
    pub mean: bool,
}

impl MetricColumn {
    /// The names of those that are means.
    pub fn means(columns: &[MetricColumn]) -> Vec<String> {
        columns.iter().filter(|column| column.mean).map(|column| column.name.clone()).collect()
    }
}

/// What a metric is lowered into.
pub struct Lowering<'a> {
    /// The table that the metric at hand is measured of.
    pub subject: &'a Subject<'a>,
    /// All tables that metrics may be measured of.
    pub(super) subjects: &'a [Subject<'a>],
    /// Which of them is at hand; nothing where neither the stage nor the metric says.
    pub(super) at: Option<usize>,
    pub catalog: &'a Catalog,
    pub diagnostics: &'a mut Diagnostics,
    /// What is asked of each table.
    pub asked: Vec<Asked>,
    pub columns: Vec<MetricColumn>,
    /// Metrics whose bounds are drawn. Their bounds among the columns are null until then.
    pub drawn: Vec<Drawn>,
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
    /// What is required of the rows, as it is written and over the table at hand.
    pub(super) wheres: Vec<&'a Expression>,
    pub(super) condition: Option<Expr>,
    pub(super) interval: Setting<IntervalMethod>,
    unit: Option<Unit>,
    /// The time that says in which period a row is, if it is not that of the table.
    time: Option<Expr>,
    /// Groups that the metric at hand is measured of; nothing where it is of rows.
    pub(super) grouped: Option<Grouped>,
    /// Metrics being lowered, for ratios of ratios.
    pub(super) stack: Vec<String>,
}

impl<'a> Lowering<'a> {
    /// Nothing lowered yet, of one table.
    pub fn new(
        subject: &'a Subject<'a>,
        catalog: &'a Catalog,
        diagnostics: &'a mut Diagnostics,
    ) -> Self {
        Lowering::of_tables(std::slice::from_ref(subject), Some(0), catalog, diagnostics)
    }

    /// Nothing lowered yet, of one table or several. Metrics that name none are measured of that at `at`; without
    /// it they are a mistake.
    pub fn of_tables(
        subjects: &'a [Subject<'a>],
        at: Option<usize>,
        catalog: &'a Catalog,
        diagnostics: &'a mut Diagnostics,
    ) -> Self {
        Lowering {
            subject: &subjects[at.unwrap_or(0)],
            subjects,
            at,
            catalog,
            diagnostics,
            asked: vec![Asked::default(); subjects.len()],
            columns: Vec::new(),
            drawn: Vec::new(),
            goals: Vec::new(),
            squares: Vec::new(),
            unweighable: false,
            name: String::new(),
            span: Span::default(),
            named: Span::default(),
            wheres: Vec::new(),
            condition: None,
            interval: Setting::default_of(IntervalMethod::Auto),
            unit: None,
            time: None,
            grouped: None,
            stack: Vec::new(),
        }
    }

    /// Lowers the metric called `name`, as columns that begin with that name. Of one that is wrong nothing is
    /// left that others could meet.
    pub fn add(&mut self, name: &Spanned<String>) -> Option<()> {
        self.unweighable = false;
        let (columns, drawn) = (self.columns.len(), self.drawn.len());
        let weighted: Vec<usize> =
            self.asked.iter().map(|asked| asked.weighted_values.len()).collect();
        let added = self.lower(name, name.value.clone()).filter(|()| !self.unweighable);
        if added.is_none() {
            self.columns.truncate(columns);
            self.drawn.truncate(drawn);
            for (asked, before) in self.asked.iter_mut().zip(weighted) {
                asked.weighted_values.truncate(before);
            }
        }
        added
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
            (self.unit.take(), self.time.take(), self.grouped.take()),
        );
        let around = (self.at, self.subject, self.wheres.len());
        self.stack.push(name.value.clone());
        let result = match &found {
            Found::BuiltIn(_, metric) => self.of_table(metric.as_ref(), None),
            Found::Declared(declared) => self.declared(declared),
        };
        self.stack.pop();
        (self.at, self.subject) = (around.0, around.1);
        self.wheres.truncate(around.2);
        let of_metric;
        (self.name, self.span, self.named, self.condition, self.interval, of_metric) = outer;
        (self.unit, self.time, self.grouped) = of_metric;
        result
    }

    fn declared(&mut self, declared: &'a super::Declared) -> Option<()> {
        self.span = declared.name.span;
        if let Some(from) = &declared.from {
            let at = self.table_of(from)?;
            if self.at != Some(at) {
                self.enter(at)?;
            }
        }
        if let Some(condition) = &declared.condition {
            self.wheres.push(condition);
            // What is made of other metrics may have no table of its own.
            if self.at.is_some() {
                let own = self.parse_condition(condition)?;
                let both = build::all(self.condition.take().into_iter().chain([own]));
                self.condition = self.typed(both)?;
            }
        }
        self.interval = declared.interval;
        self.unit = declared.unit.as_ref().map(|unit| unit_of(&unit.value));
        match (&declared.per, &declared.time, self.at) {
            (Some(per), _, Some(_)) => self.group(declared, per)?,
            (None, Some(time), Some(_)) => self.time = Some(self.time_of(declared, time)?),
            (_, _, None) | (None, None, _) => {}
        }
        self.of_table(declared.metric.as_ref(), Some(&declared.name))
    }

    /// Lowers a metric over the table at hand. Without one only its parts can be measured.
    fn of_table(&mut self, metric: &dyn Metric, declared: Option<&Spanned<String>>) -> Option<()> {
        if self.at.is_none() && metric.measures_itself() {
            self.without_table(declared);
            return None;
        }
        metric.lower(self)
    }

    /// The time that a metric says for itself; what is none, and a metric that has its own, is noted.
    pub(super) fn time_of(
        &mut self,
        declared: &'a super::Declared,
        written: &Expression,
    ) -> Option<Expr> {
        if !self.takes_rows(declared, written, "time") {
            return None;
        }
        let time = self.parse(written)?;
        if matches!(time.data_type, DataType::Date | DataType::Timestamp) {
            return Some(time);
        }
        let message = format!("a time is a date or a timestamp, not a {}", time.data_type);
        self.diagnostics.push(Diagnostic::at(Code::TypeMismatch, written.span, message));
        None
    }

    /// Whether a metric is of rows that it can be said of by a key what they are; what is made of other metrics and
    /// what has its own rows is noted.
    pub(super) fn takes_rows(
        &mut self,
        declared: &'a super::Declared,
        written: &Expression,
        key: &str,
    ) -> bool {
        let made_of_others = !declared.metric.parts().is_empty();
        if made_of_others || super::find(declared.kind).is_some_and(|kind| kind.built_in) {
            let kind = declared.kind;
            let message = format!("`{kind}` takes no `{key}`");
            let help = match made_of_others {
                true => format!("write `{key}` at the metrics that the `{kind}` is made of"),
                false => {
                    "it has its own; the kinds take one: `count`, `sum`, `mean`, `share`, …".into()
                }
            };
            let mistake = Diagnostic::at(Code::InvalidValue, written.span, message).help(help);
            self.diagnostics.push(mistake);
            return false;
        }
        true
    }

    /// The rows of the table, in the cells of the time that the metric says, or the groups of them that it says.
    /// Groups have what expressions have read of them so far.
    pub fn rows(&self) -> Level {
        if let Some(groups) = self.groups() {
            return groups;
        }
        match &self.time {
            None => Level::Rows,
            Some(time) => Level::Dated(Box::new(Dated { time: time.clone(), condition: None })),
        }
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

    pub(super) fn scope(&self) -> Scope<'a> {
        Scope {
            table: self.subject.table,
            schema: self.subject.schema,
            parameters: self.subject.parameters,
            calendar: self.subject.calendar,
            as_of: self.subject.as_of,
        }
    }

    /// An expression over the rows of the input, or over the groups of them that the metric says.
    pub fn parse(&mut self, written: &Expression) -> Option<Expr> {
        if let Some(read) = self.parse_grouped(written) {
            return read;
        }
        let (expr, next) = parse::expression_of_metric(written, &self.scope(), self.diagnostics)?;
        self.follow(&next)?;
        Some(expr)
    }

    /// A condition over the rows of the input, or over the groups of them that the metric says.
    pub fn parse_condition(&mut self, written: &Expression) -> Option<Expr> {
        let condition = self.parse(written)?;
        parse::is_condition(condition, written, self.diagnostics)
    }

    /// The metric's own `where`.
    pub fn condition(&self) -> Option<Expr> {
        self.condition.clone()
    }

    /// Notes that the input lacks a role.
    pub fn lacks(&mut self, role: &str, key: &str) {
        self.lacked_by(self.subject, role, key);
    }

    /// Notes that a table lacks a role.
    pub(super) fn lacked_by(&mut self, subject: &Subject, role: &str, key: &str) {
        if subject.roles.flawed {
            return;
        }
        let (name, table) = (self.name.clone(), subject.table);
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

    /// The unit of the input's money.
    pub fn money(&self) -> Unit {
        self.subject.money()
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
        self.asked().measures.push((level.clone(), named(&name, measure)));
        Expr::column(name, data_type)
    }

    /// Adds a column under the metric's name and a suffix.
    pub fn column(&mut self, suffix: &str, expr: Expr, unit: Unit) {
        let unit = match (suffix, &self.unit) {
            ("" | "_low" | "_high" | "_prior_mean", Some(unit)) => unit.clone(),
            _ => unit,
        };
        let name = format!("{}{suffix}", self.name);
        self.columns.push(MetricColumn { name, expr, unit, mean: false });
    }

    /// A column of the metric at hand that was added under a suffix.
    pub(super) fn column_of(&self, suffix: &str) -> Option<Expr> {
        let name = format!("{}{suffix}", self.name);
        let found = self.columns.iter().find(|column| column.name == name);
        found.map(|column| column.expr.clone())
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
                self.columns.iter_mut().next_back().into_iter().for_each(|own| own.mean = interval);
                self.column("_n", n.clone(), Unit::Count);
                let half = if interval {
                    let variance =
                        self.measure(level, "variance", over(MeasureFunc::Variance(value)));
                    self.half_of_t(variance, n)?
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
                self.draws_of_all(self.subject)?;
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
        self.ratio_per(numerator, denominator, 1.0, unit)
    }

    /// The same, told per so many of the denominator.
    pub fn ratio_per(
        &mut self,
        numerator: (Expr, Unit),
        denominator: (Expr, Unit),
        scale: f64,
        unit: Unit,
    ) -> Option<()> {
        let mut value = self.typed(build::div(numerator.0.clone(), denominator.0.clone()))?;
        if scale != 1.0 {
            value = self.typed(build::mul(value, Expr::float(scale)))?;
        }
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
