//! A metric in the terms of users' metrics, over a table of a pipeline or over columns that stand for roles.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::prepare::Prepared;
use crate::diagnostic::{Diagnostic, Diagnostics, Span, Spanned};
use crate::frame::{DataType, Field, Schema};
use crate::ir::{Calendar, Expr, Mark, Money, OrderRoles, Roles, Table, named};
use crate::metrics::{self, Catalog, Direction, Lowering, Subject};

/// A column that stands for a role where no pipeline says which one it is.
struct StandIn {
    column: &'static str,
    role: &'static str,
    data_type: DataType,
}

const fn stand_in(column: &'static str, role: &'static str, data_type: DataType) -> StandIn {
    StandIn { column, role, data_type }
}

/// The columns of a subject: who, when, and what its block says.
struct StandIns {
    time: &'static str,
    marks: &'static [(Mark, &'static str, DataType)],
}

const MONEY: DataType = DataType::money(2);

/// What rows may be about, in the order in which a metric is looked at over them.
const SUBJECTS: [StandIns; 5] = [
    StandIns { time: "ordered_at", marks: &[] },
    StandIns {
        time: "answered_at",
        marks: &[
            (Mark::Score, "score", DataType::Float64),
            (Mark::Question, "question", DataType::String),
            (Mark::Comment, "text", DataType::String),
            (Mark::Sent, "sent_at", DataType::Timestamp),
        ],
    },
    StandIns {
        time: "created_at",
        marks: &[
            (Mark::FirstReply, "first_replied_at", DataType::Timestamp),
            (Mark::Resolved, "resolved_at", DataType::Timestamp),
            (Mark::Closed, "closed_at", DataType::Timestamp),
            (Mark::HandleTime, "handle_hours", DataType::Float64),
            (Mark::Reopens, "reopens", DataType::Float64),
            (Mark::Contacts, "contacts", DataType::Float64),
            (Mark::Abandoned, "abandoned", DataType::Bool),
            (Mark::Complaint, "complaint", DataType::Bool),
        ],
    },
    StandIns {
        time: "reviewed_at",
        marks: &[
            (Mark::Rating, "rating", DataType::Float64),
            (Mark::Sentiment, "sentiment", DataType::Float64),
            (Mark::ReviewText, "text", DataType::String),
            (Mark::Language, "language", DataType::String),
        ],
    },
    StandIns {
        time: "issued_on",
        marks: &[(Mark::Due, "due_on", DataType::Date), (Mark::Paid, "paid_on", DataType::Date)],
    },
];

/// What metrics are read back over.
struct Around<'a> {
    catalog: &'a Catalog,
    parameters: BTreeMap<String, (crate::frame::Value, DataType)>,
    calendar: &'a Calendar,
    as_of: i64,
    level: f64,
    others: BTreeMap<String, Table>,
}

/// How reading a metric back over one table ended.
enum Outcome {
    Written(String),
    Lacking(String),
    /// The table does not have what the metric needs.
    Mistaken(Vec<Diagnostic>),
}

impl Around<'_> {
    fn over(&self, name: &str, table: &str, schema: &Schema, roles: &Roles) -> Outcome {
        let time = roles.time.as_ref();
        let subject = Subject {
            table,
            schema,
            roles,
            parameters: &self.parameters,
            calendar: self.calendar,
            as_of: self.as_of,
            level: self.level,
            first_time: time.map(|time| Expr::column("#first_time", time.data_type)),
            others: &self.others,
        };
        let mut diagnostics = Diagnostics::default();
        let mut lowering = Lowering::new(&subject, self.catalog, &mut diagnostics);
        if lowering.add(&Spanned::new(name.to_owned(), Span::default())).is_none() {
            return Outcome::Mistaken(diagnostics.into_sorted());
        }
        match lowering.written(name, &format!("my_{name}"), direction_of(name)) {
            Ok(entries) => Outcome::Written(metrics::block(&entries)),
            Err(lacking) => Outcome::Lacking(lacking.0),
        }
    }
}

/// Which way a built-in metric is good.
fn direction_of(name: &str) -> Direction {
    let stem = name.rsplit_once('_').map(|(stem, _)| stem);
    let kind = metrics::find(name).or_else(|| stem.and_then(metrics::find));
    kind.map_or(Direction::Neither, |kind| kind.direction)
}

fn refusal(name: &str, why: &str) -> String {
    format!("`{name}` cannot be written in the terms of users' metrics: it needs {why}")
}

fn in_words(diagnostic: &Diagnostic) -> String {
    match &diagnostic.help {
        Some(help) => format!("{}; {help}", diagnostic.message),
        None => diagnostic.message.clone(),
    }
}

/// A built-in metric as a block of `metrics:` that declares `my_NAME` with the same numbers. The columns stand for
/// roles, which a comment names.
///
/// # Errors
/// What the language of users' metrics lacks for it, or that there is no such metric.
pub fn metric_as_yaml(name: &str) -> Result<String, String> {
    let (catalog, calendar) = (Catalog::default(), Calendar::default());
    let around = Around {
        catalog: &catalog,
        parameters: BTreeMap::new(),
        calendar: &calendar,
        // An instant that nothing else is.
        as_of: i64::MAX / 2,
        level: 0.95,
        others: BTreeMap::new(),
    };
    let mut wrong: Option<Vec<Diagnostic>> = None;
    for subject in &SUBJECTS {
        let (columns, roles) = subject.bind();
        let fields = columns.iter().map(|column| Field::new(column.column, column.data_type));
        let schema = Schema::new(fields.collect());
        match around.over(name, "the source", &schema, &roles) {
            Outcome::Written(block) => return Ok(with_roles(&block, &columns)),
            Outcome::Lacking(why) => return Err(refusal(name, &why)),
            Outcome::Mistaken(found) => {
                if wrong.as_ref().is_none_or(|wrong| found.len() < wrong.len()) {
                    wrong = Some(found);
                }
            }
        }
    }
    let stem = name.rsplit_once('_').map(|(stem, _)| stem);
    let known = metrics::find(name).or_else(|| stem.and_then(metrics::find));
    if let Some(kind) = known {
        return Err(format!(
            "`{0}` is measured only with options: declare a metric of it in a pipeline, such as `mine: {{{0}: {{…}}}}`, \
             and print that with `--pipeline PIPELINE`",
            kind.name
        ));
    }
    let wrong = wrong.unwrap_or_default();
    Err(wrong.first().map_or_else(|| refusal(name, "options"), in_words))
}

impl StandIns {
    fn bind(&self) -> (Vec<StandIn>, Roles) {
        let mut columns = vec![
            stand_in("customer_id", "customer", DataType::Int64),
            stand_in(self.time, "time", DataType::Timestamp),
        ];
        let of = |name: &str, data_type| Expr::column(name, data_type);
        let mut roles = Roles {
            customer: Some(named("customer_id", of("customer_id", DataType::Int64))),
            time: Some(of(self.time, DataType::Timestamp)),
            ..Roles::default()
        };
        let of_orders = self.marks.is_empty();
        if of_orders || self.marks.iter().any(|(mark, ..)| *mark == Mark::Due) {
            columns.push(stand_in("amount", "value", MONEY));
            roles.value = Some(Money { expr: of("amount", MONEY), currency: None });
        }
        if of_orders {
            columns.push(stand_in("sold", "order.sold", DataType::Bool));
            columns.push(stand_in("units", "order.quantity", DataType::Int64));
            columns.push(stand_in("returned", "order.returned", DataType::Bool));
            roles.order = Some(OrderRoles {
                sold: Some(of("sold", DataType::Bool)),
                quantity: Some(of("units", DataType::Int64)),
                returned: Some(of("returned", DataType::Bool)),
                ..OrderRoles::default()
            });
        }
        for &(mark, column, data_type) in self.marks {
            columns.push(stand_in(column, mark.written().1, data_type));
            roles.marks.insert(mark, of(column, data_type));
        }
        (columns, roles)
    }
}

/// The block below a comment on the columns that are in it.
fn with_roles(block: &str, columns: &[StandIn]) -> String {
    let words: Vec<&str> =
        block.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let mut text = String::new();
    for column in columns.iter().filter(|column| words.contains(&column.column)) {
        let _ = writeln!(
            text,
            "# `{}` stands for the column of the role `{}`.",
            column.column, column.role
        );
    }
    text + block.trim_end()
}

/// The same of a metric of a pipeline or a built-in one, over the columns of one of its sources: that called `from`,
/// or else the first that has what the metric needs.
///
/// # Errors
/// What the language of users' metrics lacks for it, what the source lacks, or that one of them is not there.
pub fn metric_of_pipeline(
    name: &str,
    prepared: &Prepared,
    from: Option<&str>,
) -> Result<String, String> {
    let plan = &prepared.plan;
    let pipeline = &prepared.pipeline;
    let mut noted = Diagnostics::default();
    let catalog = Catalog::read(&pipeline.metrics, &mut noted);
    let own = catalog.measured_of([name.to_owned()]);
    if own.len() > 1 {
        let tables: Vec<&str> = own.iter().map(|(from, _)| from.value.as_str()).collect();
        return Err(format!(
            "`{name}` is made of metrics of several tables, {}: print those",
            crate::diagnostic::list(&tables)
        ));
    }
    let own = own.into_iter().next();
    let from = from.map(str::to_owned).or(own.map(|(from, _)| from.value));
    let sources: Vec<&Table> = plan
        .sources
        .iter()
        .filter(|table| from.as_ref().is_none_or(|from| table.name == *from))
        .collect();
    if sources.is_empty() {
        let known = plan.sources.iter().map(|table| table.name.as_str());
        let known: Vec<&str> = known.collect();
        let from = from.unwrap_or_default();
        return Err(format!(
            "there is no source `{from}`; known here: {}",
            crate::diagnostic::list(&known)
        ));
    }
    let others = plan.sources.iter().map(|table| (table.name.clone(), table.clone()));
    let around = Around {
        catalog: &catalog,
        parameters: pipeline.parameters.typed(),
        calendar: &pipeline.calendar,
        as_of: plan.as_of,
        level: pipeline.level,
        others: others.collect(),
    };
    let mut wrong: Option<Vec<Diagnostic>> = None;
    for table in sources {
        match around.over(name, &table.name, &table.rel.schema, &table.roles) {
            Outcome::Written(block) => {
                let own = format!("# over the columns of `{}`\n", table.name);
                return Ok(own + block.trim_end());
            }
            Outcome::Lacking(why) => return Err(refusal(name, &why)),
            Outcome::Mistaken(found) => {
                if wrong.as_ref().is_none_or(|wrong| found.len() < wrong.len()) {
                    wrong = Some(found);
                }
            }
        }
    }
    let wrong = wrong.unwrap_or_default();
    Err(wrong.first().map_or_else(|| refusal(name, "what no source has"), in_words))
}
