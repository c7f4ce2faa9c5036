//! A metric in the terms of users' metrics: the kinds that a `metrics:` block declares metrics of.
//!
//! A metric is lowered to measures and columns, and these are read back as kinds. What measures orders or customers
//! that are put together first, or reckons with more than one row, is told in words instead.

use std::fmt::Write;

use super::catalog::Direction;
use super::lowering::{Level, Lowering};
use crate::frame::Unit;
use crate::ir::sql::{NoWord, sql};
use crate::ir::typing::build;
use crate::ir::{Expr, ExprNode, Func, Measure, MeasureFunc};

/// One entry of a `metrics:` block: a name, and its keys with their values as YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub keys: Vec<(&'static str, String)>,
}

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

impl Lowering<'_> {
    /// The one metric that was lowered, under another name; what it is made of comes first.
    ///
    /// # Errors
    /// What the language of users' metrics lacks for it.
    pub fn written(
        &self,
        metric: &str,
        name: &str,
        direction: Direction,
    ) -> Result<Vec<Entry>, Lacking> {
        let column = |suffix: &str| {
            let wanted = format!("{metric}{suffix}");
            self.columns.iter().find(|column| column.name == wanted)
        };
        let Some(main) = column("") else { return lacking("a value") };
        let reader = Reader { lowering: self };
        if column("_open").is_some() {
            return lacking(
                "quantiles in which what is still open counts as having lasted until now (Kaplan and Meier); with \
                 `open_cases: drop` it is a `quantile`",
            );
        }
        if column("_prior").is_some() {
            return lacking("a prior that is taken from all groups");
        }
        let has_bounds = column("_low").is_some();
        let mut entries = Vec::new();
        let own = if let (Some(numerator), Some(n)) = (column("_numerator"), column("_n")) {
            if !has_bounds {
                return lacking(
                    "a bound of an interval as a value of its own; a `share` has it as its column `_low`",
                );
            }
            reader.share(&numerator.expr, &n.expr)?
        } else if let (Some(plus), Some(minus), Some(n)) =
            (column("_plus"), column("_minus"), column("_n"))
        {
            reader.balance([&plus.expr, &minus.expr], &n.expr)?
        } else if let (Some(above), Some(below)) = (column("_numerator"), column("_denominator")) {
            match &main.expr.node {
                ExprNode::Call(Func::Divide, sides)
                    if parts_of(sides) == [&above.expr, &below.expr] => {}
                _ => return lacking("more than one metric over another"),
            }
            let mut ratio = String::from("{");
            for (part, column) in [("numerator", above), ("denominator", below)] {
                let part_name = format!("{name}_{part}");
                let keys = reader.plain(&column.expr, &column.unit)?;
                entries.push(Entry { name: part_name.clone(), keys });
                let comma = if part == "numerator" { ", " } else { "}" };
                let _ = write!(ratio, "{part}: {part_name}{comma}");
            }
            vec![("ratio", ratio)]
        } else if let (Some(_), true) = (column("_n"), has_bounds) {
            reader.plain(&main.expr, &main.unit)?
        } else if has_bounds {
            return lacking("an interval of another kind");
        } else {
            reader.plain(&main.expr, &main.unit)?
        };
        let mut keys = own;
        if direction != Direction::Neither {
            keys.push(("direction", direction.to_string()));
        }
        entries.push(Entry { name: name.to_owned(), keys });
        Ok(entries)
    }
}

/// What was lowered, read back.
struct Reader<'a> {
    lowering: &'a Lowering<'a>,
}

impl Reader<'_> {
    /// A measure of rows by its column; what is measured of anything else has no kind.
    fn of_rows(&self, column: &Expr) -> Result<&Measure, Lacking> {
        let found = column.as_column().and_then(|name| {
            let mut all = self.lowering.asked.iter().flat_map(|asked| &asked.measures);
            all.find(|(_, measure)| measure.name == name)
        });
        let Some((level, measure)) = found else {
            return lacking("a step between measuring and dividing");
        };
        match level {
            Level::Rows => {}
            Level::Orders(_) => {
                return lacking(
                    "orders put together from their lines (`order.id`); of a source without it a row is an order, \
                     and the metric can be written",
                );
            }
            Level::Placed(_) | Level::CameBack(_) => {
                return lacking("orders together with what came back of them, sold or not");
            }
            Level::Customers(_) => return lacking("what each customer of a cell comes to"),
            Level::Gaps(_) => return lacking("the time between two purchase days of a customer"),
            Level::Sent(_) => {
                return lacking(
                    "rows in the period of another time than that of the source (`survey.sent`)",
                );
            }
            Level::Each(_) => return lacking("one row of each customer of a cell, the latest"),
            Level::Whole | Level::Counted(_) => return lacking("what all groups together come to"),
        }
        let measure = &measure.value;
        let read = measure.func.arguments().into_iter().chain(&measure.filter);
        if read.flat_map(|expr| expr.columns()).any(|name| name.starts_with('#')) {
            return lacking("another row of the same customer, before or behind");
        }
        Ok(measure)
    }

    fn text(&self, expr: &Expr) -> Result<String, Lacking> {
        Ok(sql(expr, self.lowering.subject.calendar, self.lowering.subject.as_of)?)
    }

    fn condition_of(
        &self,
        filter: Option<&Expr>,
        keys: &mut Vec<(&'static str, String)>,
    ) -> Result<(), Lacking> {
        if let Some(filter) = filter.filter(|filter| **filter != Expr::bool(true)) {
            keys.push(("where", scalar(&self.text(filter)?)));
        }
        Ok(())
    }

    /// A share or a side of a balance: which of the rows that are divided by.
    fn part_of(&self, part: &Expr, among: Option<&Expr>) -> Result<String, Lacking> {
        let measure = self.of_rows(part)?;
        if measure.func != MeasureFunc::CountRows {
            return lacking(
                "a share of customers, by how often they did something; users' shares are of rows",
            );
        }
        let among: Vec<&Expr> = among.map(conjuncts).unwrap_or_default();
        let own: Vec<&Expr> = measure.filter.as_ref().map(conjuncts).unwrap_or_default();
        let rest = own.into_iter().filter(|own| !among.contains(own)).cloned();
        let holds = build::all(rest).ok().flatten().unwrap_or_else(|| Expr::bool(true));
        // Of rows of which it is not known they are none, but they are divided by.
        let known = never_null(&holds, &among);
        let text = self.text(&holds)?;
        Ok(if known { text } else { format!("coalesce({text}, false)") })
    }

    /// The rows that are divided by.
    fn counted(&self, n: &Expr) -> Result<Option<Expr>, Lacking> {
        let measure = self.of_rows(n)?;
        match &measure.func {
            MeasureFunc::CountRows => Ok(measure.filter.clone()),
            MeasureFunc::Count(value) => {
                let known = build::is_null(value.clone()).and_then(build::not).ok();
                Ok(build::all(measure.filter.clone().into_iter().chain(known)).ok().flatten())
            }
            _ => lacking(
                "a share of customers, by how often they did something; users' shares are of rows",
            ),
        }
    }

    fn share(&self, numerator: &Expr, n: &Expr) -> Result<Vec<(&'static str, String)>, Lacking> {
        let among = self.counted(n)?;
        let mut keys = vec![("share", scalar(&self.part_of(numerator, among.as_ref())?))];
        self.condition_of(among.as_ref(), &mut keys)?;
        Ok(keys)
    }

    fn balance(&self, sides: [&Expr; 2], n: &Expr) -> Result<Vec<(&'static str, String)>, Lacking> {
        let among = self.counted(n)?;
        let [plus, minus] = sides.map(|side| self.part_of(side, among.as_ref()));
        let balance = format!("{{plus: {}, minus: {}}}", quoted(&plus?), quoted(&minus?));
        let mut keys = vec![("balance", balance)];
        self.condition_of(among.as_ref(), &mut keys)?;
        Ok(keys)
    }

    /// One measure as its kind.
    fn plain(&self, column: &Expr, unit: &Unit) -> Result<Vec<(&'static str, String)>, Lacking> {
        let measure = self.of_rows(column)?;
        let (kind, text) = match &measure.func {
            MeasureFunc::CountRows => ("count", "{}".to_owned()),
            MeasureFunc::Count(of) => ("count", scalar(&self.text(of)?)),
            MeasureFunc::CountDistinct(of) => ("count_distinct", scalar(&self.text(of)?)),
            MeasureFunc::Sum(of) => ("sum", scalar(&self.text(of)?)),
            MeasureFunc::Min(of) => ("min", scalar(&self.text(of)?)),
            MeasureFunc::Max(of) => ("max", scalar(&self.text(of)?)),
            MeasureFunc::Mean(of) => ("mean", scalar(&self.text(of)?)),
            MeasureFunc::Quantile { value, at } => {
                let at = format!("{}%", (at * 100.0 * 1e6).round() / 1e6);
                ("quantile", format!("{{value: {}, at: {at}}}", quoted(&self.text(value)?)))
            }
            _ => return lacking("a measure of another kind"),
        };
        let mut keys = vec![(kind, text)];
        self.condition_of(measure.filter.as_ref(), &mut keys)?;
        if kind != "count" && kind != "count_distinct" {
            keys.extend(unit_of(unit).map(|unit| ("unit", unit)));
        }
        Ok(keys)
    }
}

/// The sides of a quotient, which is one of doubles, whatever they are.
fn parts_of(sides: &[Expr]) -> Vec<&Expr> {
    let mut bare = Vec::new();
    for side in sides {
        bare.push(match &side.node {
            ExprNode::Call(Func::Cast(_), inner) => inner.first().unwrap_or(side),
            _ => side,
        });
    }
    bare
}

/// The unit as the key `unit` takes it, if it takes it.
fn unit_of(unit: &Unit) -> Option<String> {
    match unit {
        Unit::None | Unit::Count | Unit::Money(None) => None,
        Unit::Share => Some("share".into()),
        Unit::Points => Some("points".into()),
        Unit::Time(unit) => Some(unit.clone()),
        Unit::Money(Some(currency)) => Some(currency.clone()),
    }
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
fn never_null(expr: &Expr, among: &[&Expr]) -> bool {
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

/// A text as a value of YAML, in quotes where it needs them.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '(')
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
        && !matches!(text, "true" | "false" | "null")
        && text.parse::<f64>().is_err();
    if plain { text.to_owned() } else { quoted(text) }
}

/// A text in the quotes of YAML, as it may stand inside braces.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The block of a pipeline that declares some metrics.
pub fn block(entries: &[Entry]) -> String {
    let mut text = String::from("metrics:\n");
    for entry in entries {
        let _ = writeln!(text, "  {}:", entry.name);
        for (key, value) in &entry.keys {
            let _ = writeln!(text, "    {key}: {value}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_where_yaml_would_read_something_else() {
        for (text, expected) in [
            ("a = 1 and b = 'x'", "a = 1 and b = 'x'"),
            ("'x' = a", "\"'x' = a\""),
            ("\"odd name\" > 1", "\"\\\"odd name\\\" > 1\""),
            ("a = 'b: c'", "\"a = 'b: c'\""),
            ("true", "\"true\""),
            ("100", "\"100\""),
        ] {
            assert_eq!(scalar(text), expected);
        }
    }
}
