//! A metric in the terms of users' metrics, over a table of a pipeline or over columns that stand for roles.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::prepare::Prepared;
use crate::diagnostic::{Diagnostic, Diagnostics, Span, Spanned, fewest, list};
use crate::frame::{DataType, Field, Schema, Value};
use crate::ir::{Calendar, Expr, Mark, Money, OrderRoles, Roles, Table, named};
use crate::metrics::{self, Catalog, Lowering, MetricKind, Subject};

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
    block: &'static str,
    time: &'static str,
    marks: &'static [(Mark, &'static str, DataType)],
}

const MONEY: DataType = DataType::money(2);

/// What rows may be about, in the order in which a metric is looked at over them.
const SUBJECTS: [StandIns; 5] = [
    StandIns { block: "order", time: "ordered_at", marks: &[] },
    StandIns {
        block: "survey",
        time: "answered_at",
        marks: &[
            (Mark::Score, "score", DataType::Float64),
            (Mark::Question, "question", DataType::String),
            (Mark::Comment, "text", DataType::String),
            (Mark::Sent, "sent_at", DataType::Timestamp),
        ],
    },
    StandIns {
        block: "ticket",
        time: "created_at",
        marks: &[
            (Mark::FirstReply, "first_replied_at", DataType::Timestamp),
            (Mark::Resolved, "resolved_at", DataType::Timestamp),
            (Mark::Closed, "closed_at", DataType::Timestamp),
            (Mark::DueReply, "reply_due_at", DataType::Timestamp),
            (Mark::DueResolve, "resolve_due_at", DataType::Timestamp),
            (Mark::HandleTime, "handle_hours", DataType::Float64),
            (Mark::Reopens, "reopens", DataType::Float64),
            (Mark::Contacts, "contacts", DataType::Float64),
            (Mark::Abandoned, "abandoned", DataType::Bool),
            (Mark::Complaint, "complaint", DataType::Bool),
        ],
    },
    StandIns {
        block: "review",
        time: "reviewed_at",
        marks: &[
            (Mark::Rating, "rating", DataType::Float64),
            (Mark::Sentiment, "sentiment", DataType::Float64),
            (Mark::ReviewText, "text", DataType::String),
            (Mark::Language, "language", DataType::String),
        ],
    },
    StandIns {
        block: "invoice",
        time: "issued_on",
        marks: &[(Mark::Due, "due_on", DataType::Date), (Mark::Paid, "paid_on", DataType::Date)],
    },
];

/// What metrics are read back with.
struct Around<'a> {
    catalog: &'a Catalog,
    parameters: BTreeMap<String, (Value, DataType)>,
    calendar: &'a Calendar,
    as_of: i64,
    level: f64,
    others: &'a BTreeMap<String, Table>,
}

/// How reading a metric back over one table ended.
enum Outcome {
    /// The block, and the tables that it is measured of.
    Written(String, Vec<String>),
    Lacking(String),
    /// The table does not have what the metric needs.
    Mistaken(Vec<Diagnostic>),
}

impl Around<'_> {
    fn subject<'s>(&'s self, table: &'s str, schema: &'s Schema, roles: &'s Roles) -> Subject<'s> {
        let time = roles.time.as_ref();
        Subject {
            table,
            schema,
            roles,
            parameters: &self.parameters,
            calendar: self.calendar,
            as_of: self.as_of,
            level: self.level,
            first_time: time.map(|time| Expr::column("#first_time", time.data_type)),
            others: self.others,
        }
    }

    /// A metric over the table at a place, of which is measured what names no other.
    fn over(&self, name: &str, subjects: &[Subject], at: usize) -> Outcome {
        let mut diagnostics = Diagnostics::default();
        let mut lowering = Lowering::of_tables(subjects, Some(at), self.catalog, &mut diagnostics);
        if lowering.add(&Spanned::new(name.to_owned(), Span::default())).is_none() {
            return Outcome::Mistaken(diagnostics.into_sorted());
        }
        let measured = lowering.asked.iter().zip(subjects);
        let measured = measured.filter(|(asked, _)| !asked.measures.is_empty());
        let tables = measured.map(|(_, subject)| subject.table.to_owned()).collect();
        match lowering.written(name, &format!("my_{name}")) {
            Ok(entries) => Outcome::Written(metrics::block(&entries), tables),
            Err(lacking) => Outcome::Lacking(format!(
                "`{name}` cannot be written in the terms of users' metrics: it needs {}",
                lacking.0
            )),
        }
    }
}

/// The first outcome over a table that has what the metric needs; else what is least wrong with any of them.
fn first_of<T>(
    name: &str,
    outcomes: impl Iterator<Item = (T, Outcome)>,
) -> Result<(T, String, Vec<String>), String> {
    let mut wrong = Vec::new();
    for (over, outcome) in outcomes {
        match outcome {
            Outcome::Written(block, tables) => return Ok((over, block, tables)),
            Outcome::Lacking(why) => return Err(why),
            Outcome::Mistaken(found) => wrong.push(found),
        }
    }
    let first = fewest(wrong).and_then(|found| found.into_iter().next());
    Err(first.map_or_else(
        || format!("`{name}` cannot be measured of any table"),
        |Diagnostic { message, help, .. }| match help {
            Some(help) => format!("{message}; {help}"),
            None => message,
        },
    ))
}

/// What is said of a built-in metric or a kind that has no meaning without options.
fn needs_options(name: &str) -> Option<String> {
    let (kind, statistic) = metrics::meant(name)?;
    let named = !kind.statistics || statistic.is_some();
    (named && (kind.plain)(statistic).is_none()).then(|| {
        format!(
            "`{0}` is measured only with options: declare a metric of it in a pipeline, such as `mine: {{{0}: {{…}}}}`, \
             and print that with `--pipeline PIPELINE`",
            kind.name
        )
    })
}

/// A built-in metric as a block of `metrics:` that declares `my_NAME`, over columns that stand for roles, which a
/// comment names. Over a source with those roles and no others it gives the same numbers.
///
/// # Errors
/// What the language of users' metrics lacks for it, or that there is no such metric.
pub fn metric_as_yaml(name: &str) -> Result<String, String> {
    if let Some(why) = needs_options(name) {
        return Err(why);
    }
    let (catalog, calendar, others) = (Catalog::default(), Calendar::default(), BTreeMap::new());
    let around = Around {
        catalog: &catalog,
        parameters: BTreeMap::new(),
        calendar: &calendar,
        // An instant that nothing else is.
        as_of: i64::MAX / 2,
        level: 0.95,
        others: &others,
    };
    let block = metrics::meant(name).and_then(|(kind, _)| metrics::block_of(kind));
    let (own, rest): (Vec<&StandIns>, Vec<&StandIns>) =
        SUBJECTS.iter().partition(|subject| Some(subject.block) == block);
    let outcomes = own.into_iter().chain(rest).map(|subject| {
        let (columns, roles) = subject.bind();
        let fields = columns.iter().map(|column| Field::new(column.column, column.data_type));
        let schema = Schema::new(fields.collect());
        let outcome = around.over(name, &[around.subject("source", &schema, &roles)], 0);
        (columns, outcome)
    });
    let (columns, block, _) = first_of(name, outcomes)?;
    Ok(with_roles(&block, &columns))
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

/// The same of a metric of a pipeline or a built-in one, over the columns of its tables. What names no table is
/// measured of that called `from`; or else of that of a stage that names the metric, or of the first source that has
/// what it needs, those first whose rows it is about.
///
/// # Errors
/// What the language of users' metrics lacks for it, what the tables lack, or that one of them is not there.
pub fn metric_of_pipeline(
    name: &str,
    prepared: &Prepared,
    from: Option<&str>,
) -> Result<String, String> {
    let (plan, pipeline) = (&prepared.plan, &prepared.pipeline);
    let catalog = Catalog::read(&pipeline.metrics, &mut Diagnostics::default());
    if let (None, Some(why)) = (catalog.own(name), needs_options(name)) {
        return Err(why);
    }
    let names: Vec<&str> = match from {
        Some(from) => vec![from],
        None => likely_tables(name, prepared, &catalog),
    };
    let mut tables: Vec<(&String, &Table)> = plan.tables.iter().collect();
    let place = |tables: &[(&String, &Table)], name: &str| {
        tables.iter().position(|(table, _)| *table == name)
    };
    if let Some(from) = from.filter(|from| place(&tables, from).is_none()) {
        let known: Vec<&str> = tables.iter().map(|(name, _)| name.as_str()).collect();
        return Err(format!("there is no table `{from}`; known here: {}", list(&known)));
    }
    // In the order in which they are spoken of.
    let source = |name: &str| plan.sources.iter().position(|source| source.name == name);
    tables.sort_by_key(|(name, _)| source(name).unwrap_or(usize::MAX));
    let around = Around {
        catalog: &catalog,
        parameters: pipeline.parameters.typed(),
        calendar: &pipeline.calendar,
        as_of: plan.as_of,
        level: pipeline.level,
        others: &plan.tables,
    };
    // What is measured of a sample weighs its rows, whoever declares it.
    let roles: Vec<Roles> =
        tables.iter().map(|(_, table)| Roles { weight: None, ..table.roles.clone() }).collect();
    let subjects = tables.iter().zip(&roles);
    let subjects: Vec<Subject> = subjects
        .map(|((name, table), roles)| around.subject(name, &table.rel.schema, roles))
        .collect();
    let places = names.iter().filter_map(|name| place(&tables, name));
    let outcomes = places.map(|at| ((), around.over(name, &subjects, at)));
    let ((), block, measured) = first_of(name, outcomes)?;
    Ok(format!("# over the columns of {}\n{}", list(&measured), block.trim_end()))
}

/// The tables that a metric may be measured of where it names none, the likeliest first.
fn likely_tables<'a>(name: &str, prepared: &'a Prepared, catalog: &Catalog) -> Vec<&'a str> {
    let (plan, pipeline) = (&prepared.plan, &prepared.pipeline);
    let of_stages = pipeline.stages.iter().filter_map(|stage| {
        let metrics = stage.body.as_ref()?.metrics();
        let planned = plan.stages.iter().find(|planned| planned.name == stage.name.value)?;
        metrics.iter().any(|metric| metric.value == name).then_some(planned.from.as_str())
    });
    let block = kind_of(name, catalog, 0).and_then(metrics::block_of);
    let mut sources: Vec<_> = pipeline.sources.iter().collect();
    sources.sort_by_key(|source| match source.block() {
        own if own == block => 0,
        // Rows of which nothing is said may be about anything.
        None => 1,
        Some(_) => 2,
    });
    of_stages.chain(sources.into_iter().map(|source| source.name.value.as_str())).collect()
}

/// The kind of a metric; of one that is made of others that of the first of them which names no table.
fn kind_of(name: &str, catalog: &Catalog, depth: usize) -> Option<&'static MetricKind> {
    let Some(own) = catalog.own(name) else { return metrics::meant(name).map(|(kind, _)| kind) };
    let parts = own.metric.parts();
    // What is made of itself was refused.
    let mut open = parts.iter().filter(|part| {
        depth < 50 && catalog.own(&part.value).is_none_or(|part| part.from.is_none())
    });
    match open.next() {
        Some(part) => kind_of(&part.value, catalog, depth + 1),
        None => metrics::find(own.kind),
    }
}
