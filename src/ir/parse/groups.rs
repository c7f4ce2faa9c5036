//! Expressions over groups of rows: what they read of the rows stands within aggregates.

use sqlparser::ast;

use super::{Reader, Scope, read};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, list};
use crate::document::Expression;
use crate::frame::DataType;
use crate::ir::typing::{TypeError, build};
use crate::ir::{Expr, Measure, MeasureFunc, Named, named};

/// The aggregates of expressions over groups: the name, its arguments, a sentence.
pub const AGGREGATES: &[(&str, &str, &str)] = &[
    ("count", "", "How many rows the group has."),
    ("count", "a", "Rows of the group in which the value is not null."),
    ("count_distinct", "a", "How many different values that are not null."),
    ("sum", "number", "The sum; 0 if no value is known."),
    ("min", "a", "The smallest value; null if none is known."),
    ("max", "a", "The largest value; null if none is known."),
    ("mean", "number", "The mean of the known values; null if there is none."),
    ("median", "number", "The median of the known values; null if there is none."),
    ("any", "bool", "True if it is true of a row; never null."),
    (
        "first",
        "a",
        "The known value with the earliest time of the table; ties go by its key, then to the smallest.",
    ),
    ("last", "a", "The known value with the latest time; ties as for `first`."),
    (
        PREVIOUS_DAY,
        "",
        "The last day before that of the group's first row on which its customer has a row that the metric's `where` lets through, in whatever cell; null if there is none.",
    ),
];

const PREVIOUS_DAY: &str = "previous_day";

/// What begins the names of the columns that hold, of each row, the last day before on which its customer has one.
pub const PREVIOUS_COLUMN: &str = "#previous";

/// The day that [`AGGREGATES`] call `previous_day`, of rows in the order of their time.
pub fn previous_day(column: &str, from_first: Vec<Expr>) -> MeasureFunc {
    MeasureFunc::First { value: Expr::column(column, DataType::Date), order: from_first }
}

/// Groups of rows, and what expressions over them ask of each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Groups {
    /// What the rows of a group have in common, by the columns that expressions read it as.
    pub per: Vec<Named<Expr>>,
    /// What is kept of each group, in the order in which it was asked for.
    pub kept: Vec<Named<Measure>>,
    /// The orders in which a group's rows come from the first and from the last; nothing where rows have no time.
    pub from_first: Option<Vec<Expr>>,
    pub from_last: Option<Vec<Expr>>,
    /// The column of rows that holds the last day before on which their customer has one.
    pub previous: String,
}

impl Groups {
    /// The column of something that is kept; what was asked for before is kept once.
    fn keep(&mut self, measure: Measure) -> Expr {
        let data_type = measure.func.data_type();
        if let Some(known) = self.kept.iter().find(|known| known.value == measure) {
            return Expr::column(&*known.name, data_type);
        }
        let name = format!("#kept{}", self.kept.len());
        self.kept.push(named(&name, measure));
        Expr::column(name, data_type)
    }
}

/// Like [`expression`](super::expression), over the groups of a table.
pub fn expression_of_groups(
    written: &Expression,
    scope: &Scope,
    groups: &mut Groups,
    diagnostics: &mut Diagnostics,
) -> Option<Expr> {
    read(written, scope, (Some(groups), None), diagnostics).map(|(expr, _)| expr)
}

/// Where in an expression over groups the reader is.
pub(super) struct Within<'a> {
    pub groups: &'a mut Groups,
    /// The aggregate whose argument is read.
    pub aggregate: Option<String>,
}

impl Reader<'_> {
    /// A column of a group, which is one of those that its rows have in common; any other is noted. Nothing where
    /// rows are in sight.
    pub(super) fn of_group(&mut self, column: &Expr, node: &ast::Expr) -> Option<Option<Expr>> {
        let within = self.within.as_ref().filter(|within| within.aggregate.is_none())?;
        if let Some(shared) = within.groups.per.iter().find(|shared| shared.value == *column) {
            return Some(Some(Expr::column(&*shared.name, column.data_type)));
        }
        let place = self.place(node);
        let name = column.as_column().unwrap_or_default();
        self.diagnostics.push(
            Diagnostic::at(
                Code::InvalidExpression,
                place,
                format!("`{name}` is a column of rows, of which a group has many"),
            )
            .help(format!(
                "say which: `min({name})`, `last({name})`, `count({name})`, …; or name it under `per`"
            )),
        );
        Some(None)
    }

    /// An aggregate of a group's rows; nothing for any other function.
    pub(super) fn aggregate(
        &mut self,
        name: &str,
        nodes: &[&ast::Expr],
        node: &ast::Expr,
    ) -> Option<Option<Expr>> {
        let within = self.within.as_ref()?;
        let name = if name == "avg" { "mean" } else { name };
        if !AGGREGATES.iter().any(|(known, ..)| *known == name) {
            return None;
        }
        if let Some(around) = &within.aggregate {
            let message = format!("`{name}` stands within `{around}`: rows are put together once");
            let place = self.place(node);
            self.error(Code::InvalidExpression, place, message);
            return Some(None);
        }
        Some(self.aggregate_of(name, nodes, node))
    }

    fn aggregate_of(&mut self, name: &str, nodes: &[&ast::Expr], node: &ast::Expr) -> Option<Expr> {
        let forms = AGGREGATES.iter().filter(|(known, ..)| *known == name);
        let forms: Vec<&str> = forms.map(|(_, arguments, _)| *arguments).collect();
        let fits = |form: &&str| usize::from(!form.is_empty()) == nodes.len();
        if !forms.iter().any(fits) {
            let place = self.place(node);
            let ways: Vec<String> = forms.iter().map(|form| format!("{name}({form})")).collect();
            let ways: Vec<&str> = ways.iter().map(String::as_str).collect();
            let message = format!("`{name}` does not take {} arguments", nodes.len());
            let wrong = Diagnostic::at(Code::TypeMismatch, place, message);
            self.diagnostics.push(wrong.help(format!("write {}", list(&ways))));
            return None;
        }
        let mut value = None;
        if let [argument] = nodes {
            self.within.as_mut()?.aggregate = Some(name.to_owned());
            let read = self.read(argument);
            self.within.as_mut()?.aggregate = None;
            value = Some(read?);
        }
        let place = nodes.first().map_or_else(|| self.place(node), |node| self.place(node));
        let groups = &mut *self.within.as_mut()?.groups;
        match measure(name, value, groups) {
            Ok(measure) => {
                let kept = groups.keep(measure);
                match name {
                    "any" => build::coalesce(kept, Expr::bool(false)).ok(),
                    _ => Some(kept),
                }
            }
            Err(TypeError { message, help, .. }) => {
                let mut wrong = Diagnostic::at(Code::TypeMismatch, place, message);
                wrong.help = help;
                self.diagnostics.push(wrong);
                None
            }
        }
    }
}

/// What is kept of each group for an aggregate.
fn measure(name: &str, value: Option<Expr>, groups: &Groups) -> Result<Measure, TypeError> {
    let by_time = |order: &Option<Vec<Expr>>| {
        order.clone().ok_or_else(|| TypeError {
            message: format!("`{name}` goes by time, and the table has none"),
            argument: None,
            help: Some("say which column it is at the source: `time: COLUMN`".into()),
        })
    };
    let Some(value) = value else {
        return Ok(Measure::of(match name {
            PREVIOUS_DAY => previous_day(&groups.previous, by_time(&groups.from_first)?),
            _ => MeasureFunc::CountRows,
        }));
    };
    let wants = |what: &str, good: bool| match good {
        true => Ok(()),
        false => Err(TypeError {
            message: format!("`{name}` needs {what}, not a {}", value.data_type),
            argument: Some(0),
            help: None,
        }),
    };
    let from_end = |order: &Option<Vec<Expr>>| {
        let order = by_time(order)?;
        let known = build::not(build::is_null(value.clone())?)?;
        let order = order.into_iter().chain([value.clone()]).collect();
        Ok(Measure::filtered(MeasureFunc::First { value: value.clone(), order }, Some(known)))
    };
    let func = match name {
        "count" => MeasureFunc::Count(value),
        "count_distinct" => MeasureFunc::CountDistinct(value),
        "min" => MeasureFunc::Min(value),
        "max" => MeasureFunc::Max(value),
        "any" => {
            wants("a condition", value.data_type == DataType::Bool)?;
            MeasureFunc::Max(value)
        }
        "first" => return from_end(&groups.from_first),
        "last" => return from_end(&groups.from_last),
        _ => {
            wants("numbers", value.data_type.is_numeric())?;
            match name {
                "sum" => MeasureFunc::Sum(value),
                "mean" => MeasureFunc::Mean(value),
                _ => MeasureFunc::Quantile { value, at: 0.5 },
            }
        }
    };
    Ok(Measure::of(func))
}
