//! A metric in the terms of users' metrics: the kinds that a `metrics:` block declares metrics of.
//!
//! A metric is lowered to measures and columns, and these are read back as kinds. What measures orders or customers
//! that are put together first is told in words instead.

mod grouped;

use std::fmt::Write;

use super::catalog::Direction;
use super::fields::PLACED_COLUMNS;
use super::grouped::unit_of_group;
use super::kinds::share::Bound;
use super::lasting::Lasting;
use super::lowering::{Each, IntervalMethod, Level, Lowering, MetricColumn};
use super::placed::PlacedRows;
use super::registry::meant;
use super::subject::Subject;
use crate::document::quote::{Place, scalar};
use crate::frame::Unit;
use crate::ir::parse::next_of;
use crate::ir::sql::{NoWord, readable, sql};
use crate::ir::typing::build;
use crate::ir::{Expr, ExprNode, Func, Measure, MeasureFunc};

/// One entry of a `metrics:` block: a name, and its keys with their values as YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    /// What it does not say, a sentence each.
    pub notes: Vec<String>,
    pub keys: Keys,
}

type Keys = Vec<(&'static str, String)>;

/// Why a metric cannot be written in the terms of users' metrics: what it needs that those lack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking(pub String);

impl From<NoWord> for Lacking {
    fn from(NoWord(what): NoWord) -> Self {
        Lacking(format!("expressions have no word for {what}"))
    }
}

fn lacking<T>(what: &str) -> Result<T, Lacking> {
    Err(Lacking(what.to_owned()))
}

/// What the columns of a metric are called behind its name, where users' metrics have them.
const PARTS: [&str; 11] = [
    "",
    "_n",
    "_open",
    "_low",
    "_high",
    "_numerator",
    "_denominator",
    "_plus",
    "_minus",
    "_prior",
    "_prior_mean",
];

impl Lowering<'_> {
    /// The one metric that was lowered, under another name; what it is made of comes first.
    ///
    /// # Errors
    /// What the language of users' metrics lacks for it.
    pub fn written(&self, metric: &str, name: &str) -> Result<Vec<Entry>, Lacking> {
        let column = |suffix: &str| {
            let wanted = format!("{metric}{suffix}");
            self.columns.iter().find(|column| column.name == wanted)
        };
        let Some(main) = column("") else { return lacking("a value") };
        let own = self.catalog.own(metric);
        let tables = self.catalog.measured_of([metric.to_owned()]);
        let reader = Reader { lowering: self, says_from: !tables.is_empty() };
        let has_bounds = column("_low").is_some();
        let mut entries = Vec::new();
        let mut keys = if let (Some(prior), Some(n)) = (column("_prior"), column("_n")) {
            reader.bayesian_mean(&n.expr, &prior.expr, &main.unit)?
        } else if let (Some(numerator), Some(n)) = (column("_numerator"), column("_n")) {
            let bound = match &main.expr.node {
                _ if has_bounds => None,
                ExprNode::Call(Func::WilsonLow, _) => Some(Bound::Low),
                ExprNode::Call(Func::WilsonHigh, _) => Some(Bound::High),
                _ => return lacking("a share without an interval"),
            };
            reader.share((&numerator.expr, &n.expr), bound, &main.unit)?
        } else if let (Some(plus), Some(minus), Some(n)) =
            (column("_plus"), column("_minus"), column("_n"))
        {
            let scale = scaled(&main.expr).map_or(1.0, |(_, scale)| scale);
            reader.balance([&plus.expr, &minus.expr], &n.expr, scale, &main.unit)?
        } else if let (Some(above), Some(below)) = (column("_numerator"), column("_denominator")) {
            let (value, scale) = scaled(&main.expr).unwrap_or((&main.expr, 1.0));
            if quotient(value) != Some([&above.expr, &below.expr]) {
                return lacking("more than one metric over another");
            }
            for (column, part) in [(above, "numerator"), (below, "denominator")] {
                let (name, keys) = (format!("{name}_{part}"), reader.value(column)?);
                entries.push(Entry { name, notes: Vec::new(), keys });
            }
            reader.ratio(name, (&above.unit, &below.unit), scale, &main.unit)?
        } else if column("_n").is_some() != has_bounds {
            return lacking("an interval of another kind");
        } else {
            reader.value(main)?
        };
        let of_metric = |column: &&MetricColumn| {
            let rest = column.name.strip_prefix(metric);
            rest.is_some_and(|rest| !PARTS.contains(&rest))
        };
        if let Some(more) = self.columns.iter().find(of_metric) {
            return Err(Lacking(format!("a further column, `{}`", more.name)));
        }
        if let Some(interval) = own.map(|own| own.interval.value)
            && interval != IntervalMethod::Auto
        {
            keys.push(("interval", interval.to_string()));
        }
        let of_kind = || meant(metric).map(|(kind, _)| kind.direction);
        let direction = own.map(|own| own.direction).or_else(of_kind);
        if let Some(direction) = direction.filter(|direction| *direction != Direction::Neither) {
            keys.push(("direction", direction.to_string()));
        }
        if let Some(description) = own.and_then(|own| own.description.as_ref()) {
            keys.push(("description", scalar(description, Place::Block)));
        }
        let goals = self.goals.iter().filter(|(name, _)| name == metric);
        let notes = goals.map(|(_, goal)| {
            format!(
                "Its `goal` of {} is a line in the report that other kinds of metrics do not have.",
                percent(*goal)
            )
        });
        let mut notes: Vec<String> = notes.collect();
        let levels = self.asked.iter().flat_map(|asked| &asked.measures);
        if levels.into_iter().any(|(level, _)| matches!(level, Level::CameBack(_))) {
            notes.push(
                "A period in which things came back and nothing was sold has a row, too.".into(),
            );
        }
        entries.push(Entry { name: name.to_owned(), notes, keys });
        Ok(entries)
    }
}

/// What was lowered, read back.
struct Reader<'a> {
    lowering: &'a Lowering<'a>,
    /// Whether the metric, or one that it is made of, says which table it is measured of.
    says_from: bool,
}

#[derive(Clone)]
/// A measure of rows, and the place of the table that it is taken of.
struct Found {
    table: usize,
    /// The time that its rows are measured by, if it is not that of the table.
    time: Option<Expr>,
    /// Which rows there are to measure.
    rows: Option<Expr>,
    /// The groups that it is taken of, if those are not rows.
    each: Option<Each>,
    measure: Measure,
}

impl Found {
    /// Which rows are measured.
    fn filter(&self, more: Option<&Expr>) -> Option<Expr> {
        if let Some(each) = &self.each {
            return each.filter.clone();
        }
        let rows: Vec<&Expr> = self.rows.as_ref().map(conjuncts).unwrap_or_default();
        let more: Vec<&Expr> = more.map(conjuncts).unwrap_or_default();
        let more = more.into_iter().filter(|more| !rows.contains(more)).cloned();
        build::all(self.rows.iter().cloned().chain(more)).ok().flatten()
    }

    /// A measure of orders that were sold or came back, where a row is an order.
    fn placed(
        subject: &Subject,
        table: usize,
        level: (&Level, &Option<Expr>),
        measure: &Measure,
    ) -> Option<Self> {
        let of = PlacedRows::new(subject.roles, subject.as_of).ok()?;
        let (time, kept) = match level.0 {
            Level::CameBack(_) => {
                let order = subject.roles.order.as_ref();
                (Some(order?.returned_at.clone()?), Some(of.returned.clone()))
            }
            _ => (None, of.placed.clone()),
        };
        let rows = build::all(level.1.iter().cloned().chain(kept)).ok()?;
        let [returned, value, returned_value, quantity, returned_quantity] = PLACED_COLUMNS;
        let mut filters = Vec::new();
        match &measure.filter {
            None => {}
            Some(filter) if filter.as_column() == Some(returned) => {
                filters.push(of.returned.clone());
            }
            Some(_) => return None,
        }
        let func = match &measure.func {
            MeasureFunc::CountRows => MeasureFunc::CountRows,
            MeasureFunc::Sum(of_column) => {
                let name = of_column.as_column()?;
                if name == returned_value || name == returned_quantity {
                    filters.push(of.returned.clone());
                }
                let found = match name {
                    _ if name == value || name == returned_value => of.value,
                    _ if name == quantity => of.quantity,
                    _ if name == returned_quantity => of.returned_quantity,
                    _ => None,
                };
                MeasureFunc::Sum(found?)
            }
            _ => return None,
        };
        let filter = build::all(filters).ok()?;
        Some(Found { table, time, rows, each: None, measure: Measure { func, filter } })
    }
}

impl Reader<'_> {
    /// A measure of rows by its column; what is measured of anything else has no kind.
    fn of_rows(&self, column: &Expr) -> Result<Found, Lacking> {
        let found = column.as_column().and_then(|name| {
            let tables = self.lowering.asked.iter().enumerate();
            let mut all = tables.flat_map(|(table, asked)| {
                asked.measures.iter().map(move |(level, measure)| (table, level, measure))
            });
            all.find(|(_, _, measure)| measure.name == name)
        });
        let Some((table, level, measure)) = found else {
            return lacking("a step between measuring and dividing");
        };
        let subject = &self.lowering.subjects[table];
        let found = match level {
            Level::Rows => {
                let measure = measure.value.clone();
                Found { table, time: None, rows: None, each: None, measure }
            }
            Level::Each(each) if each.level == Level::Rows => {
                let (each, measure) = (Some(each.as_ref().clone()), measure.value.clone());
                return Found { table, time: None, rows: None, each, measure }.of_groups();
            }
            Level::Dated(dated) => Found {
                table,
                time: Some(dated.time.clone()),
                rows: dated.condition.clone(),
                each: None,
                measure: measure.value.clone(),
            },
            Level::Placed(condition) | Level::CameBack(condition)
                if subject.roles.order.as_ref().is_some_and(|order| order.id.is_none()) =>
            {
                match Found::placed(subject, table, (level, condition), &measure.value) {
                    Some(found) => found,
                    None => return lacking("another measure of what came back"),
                }
            }
            Level::Orders(_) | Level::Placed(_) | Level::CameBack(_) => {
                return self.of_orders(table, level, &measure.value);
            }
            Level::Gaps(condition) => return self.of_gaps(table, condition, &measure.value),
            Level::Each(_) => {
                return lacking(
                    "customers of orders that are put together from their lines (`order.id`); of a source without it a \
                     row is an order, and the metric can be written",
                );
            }
            Level::Whole | Level::Counted(_) => return lacking("what all groups together come to"),
        };
        let measure = &found.measure;
        let read = measure.func.arguments().into_iter().chain(&measure.filter).chain(&found.rows);
        if read
            .flat_map(|expr| expr.columns())
            .any(|name| name.starts_with('#') && next_of(name).is_none())
        {
            return lacking("another row of the same customer, before or behind");
        }
        Ok(found)
    }

    fn text(&self, expr: &Expr) -> Result<String, Lacking> {
        Ok(sql(expr, self.lowering.subject.calendar, self.lowering.subject.as_of)?)
    }

    /// The keys that say which rows of which table are measured, and the unit, if the kind gives another.
    fn keys(
        &self,
        kind: (&'static str, String),
        (found, filter): (&Found, Option<&Expr>),
        (unit, of_kind): (&Unit, &Unit),
    ) -> Result<Keys, Lacking> {
        let mut keys = vec![kind];
        if let Some(filter) = found.filter(filter).filter(|filter| *filter != Expr::bool(true)) {
            keys.push(("where", scalar(&self.text(&filter)?, Place::Block)));
        }
        if let Some(time) = &found.time {
            keys.push(("time", scalar(&self.text(time)?, Place::Block)));
        }
        keys.extend(self.group_keys(found)?);
        if self.says_from {
            keys.push(("from", self.lowering.subjects[found.table].table.to_owned()));
        }
        keys.extend(self.unit(unit, of_kind)?);
        Ok(keys)
    }

    /// The key `unit`, if the kind gives another.
    fn unit(&self, unit: &Unit, of_kind: &Unit) -> Result<Option<(&'static str, String)>, Lacking> {
        let word = match unit {
            _ if unit == of_kind => return Ok(None),
            Unit::None | Unit::Money(None) => {
                return lacking("a number without the unit of its column");
            }
            Unit::Count => "count".to_owned(),
            Unit::Share => "share".to_owned(),
            Unit::Points => "points".to_owned(),
            Unit::Time(word) | Unit::Money(Some(word)) => word.clone(),
        };
        Ok(Some(("unit", scalar(&word, Place::Block))))
    }

    /// A share or a side of a balance: which of the rows that are divided by, of which some things are known.
    fn part_of(
        &self,
        part: &Expr,
        (all, among): (&Found, Option<&Expr>),
    ) -> Result<String, Lacking> {
        let found = self.of_rows(part)?;
        if (found.table, &found.time) != (all.table, &all.time) {
            return lacking(
                "a share whose two counts lie in the cells of different times or are of different tables; a `ratio` of \
                 them has no interval of its own",
            );
        }
        let measure = &found.measure;
        if measure.func != MeasureFunc::CountRows {
            return lacking(
                "a share of customers, by how often they did something; users' shares are of rows",
            );
        }
        let among = all.filter(among);
        let among = among.as_ref();
        let among: Vec<&Expr> = among.map(conjuncts).unwrap_or_default();
        let own = found.filter(measure.filter.as_ref());
        let own: Vec<&Expr> = own.as_ref().map(conjuncts).unwrap_or_default();
        let rest = own.into_iter().filter(|own| !among.contains(own)).cloned();
        let holds = build::all(rest).ok().flatten().unwrap_or_else(|| Expr::bool(true));
        // Of rows of which it is not known they are none, but they are divided by.
        let holds = match never_null(&holds, &among) {
            true => holds,
            false => build::coalesce(holds.clone(), Expr::bool(false)).unwrap_or(holds),
        };
        self.text(&holds)
    }

    /// The rows that are divided by.
    fn counted(&self, n: &Expr) -> Result<(Found, Option<Expr>), Lacking> {
        let found = self.of_rows(n)?;
        let filter = found.measure.filter.clone();
        let among = match &found.measure.func {
            MeasureFunc::CountRows => filter,
            MeasureFunc::Count(value) => {
                let known = build::is_null(value.clone()).and_then(build::not).ok();
                build::all(filter.into_iter().chain(known)).ok().flatten()
            }
            _ => {
                return lacking(
                    "a share of customers, by how often they did something; users' shares are of rows",
                );
            }
        };
        Ok((found, among))
    }

    fn share(
        &self,
        (numerator, n): (&Expr, &Expr),
        bound: Option<Bound>,
        unit: &Unit,
    ) -> Result<Keys, Lacking> {
        let (found, among, holds) = match self.share_of_groups(numerator, n)? {
            Some((found, holds)) => {
                let holds = self.text_of(&found, &holds)?;
                (found, None, holds)
            }
            None => {
                let (found, among) = self.counted(n)?;
                let holds = self.part_of(numerator, (&found, among.as_ref()))?;
                (found, among, holds)
            }
        };
        let share = match bound {
            None => scalar(&holds, Place::Block),
            Some(bound) => {
                format!("{{of: {}, bound: {bound}}}", scalar(&holds, Place::Anywhere))
            }
        };
        self.keys(("share", share), (&found, among.as_ref()), (unit, &Unit::Share))
    }

    /// A mean that is drawn towards that of all, by the count of its values.
    fn bayesian_mean(&self, n: &Expr, prior: &Expr, unit: &Unit) -> Result<Keys, Lacking> {
        let found = self.of_rows(n)?;
        let MeasureFunc::Count(value) = &found.measure.func else {
            return lacking("a mean of something else than values of rows");
        };
        let (text, of_kind) = self.valued(&found, value)?;
        let prior = match prior.as_literal() {
            Some(crate::frame::Value::Float(count)) => count.to_string(),
            _ => "auto".to_owned(),
        };
        let mean = format!("{{value: {}, prior: {prior}}}", scalar(&text, Place::Anywhere));
        self.keys(("mean", mean), (&found, found.measure.filter.as_ref()), (unit, &of_kind))
    }

    /// The text of a value over what is measured, and the unit that a kind gives it.
    fn valued(&self, found: &Found, value: &Expr) -> Result<(String, Unit), Lacking> {
        let subject = &self.lowering.subjects[found.table];
        let read = readable(value, subject.calendar, subject.as_of);
        let unit = match &found.each {
            Some(each) => unit_of_group(&read, &each.kept, &|value| subject.unit_of(value)),
            None => subject.unit_of(&read),
        };
        Ok((self.text_of(found, value)?, unit))
    }

    fn balance(
        &self,
        sides: [&Expr; 2],
        n: &Expr,
        scale: f64,
        unit: &Unit,
    ) -> Result<Keys, Lacking> {
        let (found, among) = self.counted(n)?;
        let [plus, minus] = match &found.each {
            Some(_) => self.sides_of_groups(sides, &found)?,
            None => {
                let [plus, minus] = sides.map(|side| self.part_of(side, (&found, among.as_ref())));
                [plus?, minus?]
            }
        };
        let [plus, minus] = [plus, minus].map(|side| scalar(&side, Place::Anywhere));
        let mut balance = format!("{{plus: {plus}, minus: {minus}");
        if scale != 100.0 {
            let _ = write!(balance, ", scale: {scale}");
        }
        balance.push('}');
        self.keys(("balance", balance), (&found, among.as_ref()), (unit, &Unit::Points))
    }

    /// The ratio of the parts that are declared under its name.
    fn ratio(
        &self,
        name: &str,
        (above, below): (&Unit, &Unit),
        scale: f64,
        unit: &Unit,
    ) -> Result<Keys, Lacking> {
        let mut ratio = format!("{{numerator: {name}_numerator, denominator: {name}_denominator");
        if scale != 1.0 {
            let _ = write!(ratio, ", scale: {scale}");
        }
        ratio.push('}');
        let of_kind = super::kinds::ratio::unit_of(above, below);
        let mut keys = vec![("ratio", ratio)];
        keys.extend(self.unit(unit, &of_kind)?);
        Ok(keys)
    }

    /// The value of a column: one measure as its kind, or a share as a part of a ratio.
    fn value(&self, MetricColumn { expr, unit, .. }: &MetricColumn) -> Result<Keys, Lacking> {
        if let Some([numerator, n]) = quotient(expr) {
            return self.share((numerator, n), None, unit);
        }
        let found = self.of_rows(expr)?;
        let of = |value: &Expr| self.valued(&found, value);
        let plain = |text: String| scalar(&text, Place::Block);
        let (kind, text, of_kind) = match &found.measure.func {
            MeasureFunc::CountRows => ("count", "{}".to_owned(), Unit::Count),
            MeasureFunc::Count(value) => ("count", plain(of(value)?.0), Unit::Count),
            MeasureFunc::CountDistinct(value) => {
                ("count_distinct", plain(of(value)?.0), Unit::Count)
            }
            MeasureFunc::Sum(value) => of(value).map(|(text, unit)| ("sum", plain(text), unit))?,
            MeasureFunc::Min(value) => of(value).map(|(text, unit)| ("min", plain(text), unit))?,
            MeasureFunc::Max(value) => of(value).map(|(text, unit)| ("max", plain(text), unit))?,
            MeasureFunc::Mean(value) => {
                of(value).map(|(text, unit)| ("mean", plain(text), unit))?
            }
            MeasureFunc::Quantile { value, at } => {
                let (text, unit) = of(value)?;
                let value = scalar(&text, Place::Anywhere);
                ("quantile", format!("{{value: {value}, at: {}}}", percent(*at)), unit)
            }
            MeasureFunc::LastingQuantile { value, at, bound: None } => {
                let Some(Lasting { value, open, .. }) = Lasting::of_column(value) else {
                    return lacking("a quantile of another kind");
                };
                let (text, unit) = of(&value)?;
                let [value, open] =
                    [text, self.text(&open)?].map(|text| scalar(&text, Place::Anywhere));
                let quantile = format!("{{value: {value}, at: {}, open: {open}}}", percent(*at));
                ("quantile", quantile, unit)
            }
            MeasureFunc::Variance(_)
            | MeasureFunc::RankBound { .. }
            | MeasureFunc::LastingQuantile { .. }
            | MeasureFunc::CountReaching { .. }
            | MeasureFunc::CountVarying { .. }
            | MeasureFunc::First { .. } => return lacking("a measure of another kind"),
        };
        if found.each.is_some() && found.measure.filter.is_some() {
            return lacking("a condition of groups of rows");
        }
        self.keys((kind, text), (&found, found.measure.filter.as_ref()), (unit, &of_kind))
    }
}

/// A share as YAML has it.
fn percent(share: f64) -> String {
    format!("{}%", (share * 100.0 * 1e6).round() / 1e6)
}

/// What is told per so many: the value and how many.
fn scaled(value: &Expr) -> Option<(&Expr, f64)> {
    match &value.node {
        ExprNode::Call(Func::Multiply, sides) => match sides.as_slice() {
            [value, by] => match by.as_literal() {
                Some(crate::frame::Value::Float(scale)) => Some((value, *scale)),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// The sides of a quotient, which is one of doubles, whatever they are.
fn quotient(value: &Expr) -> Option<[&Expr; 2]> {
    let ExprNode::Call(Func::Divide, sides) = &value.node else { return None };
    let [above, below] = sides.as_slice() else { return None };
    Some([above, below].map(|side| match &side.node {
        ExprNode::Call(Func::Cast(_), inner) => inner.first().unwrap_or(side),
        _ => side,
    }))
}

/// The conditions of which an expression is made by `and`.
fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    match &expr.node {
        ExprNode::Call(Func::And, sides) => sides.iter().flat_map(conjuncts).collect(),
        _ if *expr == Expr::bool(true) => Vec::new(),
        _ => vec![expr],
    }
}

/// Whether a condition is true or false wherever some others are true.
pub(super) fn never_null(expr: &Expr, among: &[&Expr]) -> bool {
    if among.contains(&expr) {
        return true;
    }
    let known = |part: &Expr| {
        among.iter().any(|condition| match &condition.node {
            ExprNode::Call(Func::Not, inner) => match inner.first().map(|inner| &inner.node) {
                Some(ExprNode::Call(Func::IsNull, of)) => of.first() == Some(part),
                _ => false,
            },
            _ => false,
        })
    };
    if known(expr) {
        return true;
    }
    match &expr.node {
        ExprNode::Literal(value) => !value.is_null(),
        ExprNode::Column(_) => false,
        ExprNode::Call(Func::IsNull | Func::IsDistinct, _) => true,
        ExprNode::Call(Func::Coalesce, arguments) => {
            arguments.iter().any(|argument| never_null(argument, among))
        }
        ExprNode::Call(
            Func::And
            | Func::Or
            | Func::Not
            | Func::Equal
            | Func::NotEqual
            | Func::Less
            | Func::LessEqual
            | Func::Greater
            | Func::GreaterEqual
            | Func::Cast(_)
            | Func::In,
            arguments,
        ) => arguments.iter().all(|argument| never_null(argument, among)),
        ExprNode::Call(..) => false,
    }
}

/// The block of a pipeline that declares some metrics.
pub fn block(entries: &[Entry]) -> String {
    let mut text = String::from("metrics:\n");
    for entry in entries {
        for note in &entry.notes {
            let _ = writeln!(text, "  # {note}");
        }
        let _ = writeln!(text, "  {}:", entry.name);
        for (key, value) in &entry.keys {
            let _ = writeln!(text, "    {key}: {value}");
        }
    }
    text
}
