//! The draft as YAML: segments, metrics, stages and checks.

use super::lines::OrderLines;
use super::lookups::{Dimension, Lookup};
use super::pipeline::{Lines, segment};
use super::start::{Findings, Known, stage_name};
use super::text::{percent, scalar};
use crate::frame::DataType;
use crate::ir::parse;

/// Days from which on tables go by month, and by week.
const BY_MONTH: i32 = 90;
const BY_WEEK: i32 = 21;

/// Weeks of a log from which on a value is forecast, and from which on the forecast is tested.
const FORECAST: i32 = 13;
const TESTED: i32 = 26;

/// Metrics that are left to the table over time.
const OVER_TIME_ONLY: &[&str] =
    &["units", "orders_per_customer", "unit_return_rate", "value_return_rate"];

/// Names that stages of a draft have.
const STAGES: &[&str] = &[
    "monthly",
    "weekly",
    "daily",
    "growth",
    "retention",
    "rfm",
    "value",
    "distinct",
    "returns",
    ORDERS,
    LINES,
];

/// The stage of orders without the columns that their lines have too, or of those that were sold.
const ORDERS: &str = "order_heads";

/// The stage of lines, with the columns of their orders.
const LINES: &str = "sold_lines";

/// True for names that a source must not have.
pub(super) fn is_stage_name(name: &str) -> bool {
    let begins = ["by_", "with_"].iter().any(|begin| name.starts_with(begin));
    begins || name.ends_with("_once") || STAGES.contains(&name)
}

/// The grain of time that suits a span: its name, and that of the stage.
fn grain(days: Option<i32>) -> (&'static str, &'static str) {
    match days {
        Some(days) if days < BY_WEEK => ("day", "daily"),
        Some(days) if days < BY_MONTH => ("week", "weekly"),
        _ => ("month", "monthly"),
    }
}

/// Everything after the sources.
pub(super) fn write(findings: &Findings, lines: &mut Lines) {
    let span = findings.time.days.map(|(first, last)| last - first + 1);
    segments(findings, lines);
    metrics(findings, lines);
    lines.empty();
    lines.comment(0, "A stage is a table: its name, where it reads `from`, and one kind. `tenure stages` lists the kinds.");
    lines.line(0, "stages:");
    let orders = first_stages(findings, lines);
    if let Some(of) = &findings.order_lines {
        order_lines(findings, of, &orders, lines);
    }
    let from = if findings.lines_are_events() { LINES } else { &orders };
    over_time(findings, from, grain(span), lines);
    if findings.lines_are_events() && findings.rows.returned.is_some() {
        returns(&orders, grain(span).0, lines);
    }
    customers(findings, from, span, lines);
    for dimension in &findings.dimensions {
        by_dimension(findings, from, dimension, lines);
    }
    checks(findings, &orders, grain(span).1, lines);
}

fn segments(findings: &Findings, lines: &mut Lines) {
    let segments: Vec<(&str, String)> = findings
        .dimensions
        .iter()
        .filter_map(|dimension| Some((dimension.name.as_str(), segment(&dimension.of)?)))
        .collect();
    if segments.is_empty() {
        return;
    }
    lines.empty();
    lines.comment(0, "A segment gives each customer one of a few values, for use in any `by:`.");
    lines.line(0, "segments:");
    for (name, body) in segments {
        lines.line(1, format!("{name}: {body}"));
    }
}

/// Money less returns, where those have amounts below 0.
fn metrics(findings: &Findings, lines: &mut Lines) {
    let Some(value) = findings.value.as_ref().filter(|_| findings.rows.negative_returns) else {
        return;
    };
    lines.empty();
    lines.line(0, "metrics:");
    // Doubles are summed as the money that they are.
    let written = &value.role.written;
    let double = parse::from_text(written, &findings.events.schema)
        .is_ok_and(|expr| expr.data_type == DataType::Float64);
    let sum = match double {
        true => scalar(&format!("cast({written} as decimal(38, {}))", value.decimals.unwrap_or(2))),
        false => scalar(written),
    };
    let description = "Money of sales less that of returns, which have amounts below 0.";
    lines.line(1, format!("net_revenue: {{sum: {sum}, description: '{description}'}}"));
}

/// Stages that other stages read from; the name of what they read.
fn first_stages(findings: &Findings, lines: &mut Lines) -> String {
    let mut from = findings.events.set.name.clone();
    let rows = &findings.rows;
    if let Some(key) = rows.key.as_ref().filter(|_| rows.repeated_keys > 0.0) {
        let (share, key) = (percent(rows.repeated_keys), scalar(&key.written));
        let (body, comment) = match rows.repeated >= rows.repeated_keys {
            true => {
                ("{}".to_owned(), format!("{share} of the rows are there twice, and count once"))
            }
            false => {
                let comment = format!(
                    "{share} of the keys are there twice; `keep` and `order_by` say which row counts"
                );
                (format!("{{keys: [{key}]}}"), comment)
            }
        };
        lines.said(1, format!("distinct: {{from: {from}, deduplicate: {body}}}"), comment);
        lines.empty();
        from = "distinct".into();
    } else if rows.repeated > 0.0 {
        lines.comment(1, format!(
            "{} of the rows are there twice, all columns being equal. If that is a mistake and not a second line \
             like the first, add this stage and read `from: distinct` below:",
            percent(rows.repeated)
        ));
        lines.line(1, format!("# distinct: {{from: {from}, deduplicate: {{}}}}"));
        lines.empty();
    }
    for lookup in findings.lookups.iter().filter(|lookup| !lookup.unique) {
        let key = scalar(&super::text::column(&lookup.key, &lookup.profile.schema));
        let kind = format!("deduplicate: {{keys: [{key}]}}");
        lines.said(
            1,
            format!("{}: {{from: {}, {kind}}}", lookup.table(), lookup.profile.set.name),
            "some keys are there twice",
        );
        lines.empty();
    }
    from
}

/// The lines of orders with the columns of the orders, who and when among them.
fn order_lines(findings: &Findings, of: &OrderLines, orders: &str, lines: &mut Lines) {
    let mut with = orders.to_owned();
    let sold = findings.rows.sold.as_ref();
    if sold.is_some() || of.taken.is_some() {
        with = ORDERS.to_owned();
        lines.line(1, format!("{ORDERS}:"));
        lines.line(2, format!("from: {orders}"));
        match (&of.taken, sold) {
            (Some(taken), sold) => {
                if let Some(sold) = sold {
                    lines.line(2, format!("where: {}", scalar(&sold.written)));
                }
                let columns: Vec<String> = taken.iter().map(|name| scalar(name)).collect();
                lines.said(
                    2,
                    format!("select: {{columns: [{}]}}", columns.join(", ")),
                    format!("those that `{}` has too are left out", of.profile.set.name),
                );
            }
            (None, Some(sold)) => {
                lines.line(2, format!("filter: {{where: {}}}", scalar(&sold.written)));
            }
            (None, None) => {}
        }
        lines.empty();
    }
    let (key, left) = (scalar(&of.key), scalar(&of.left));
    let keys = if left == key { format!("[{key}]") } else { format!("{{{key}: {left}}}") };
    lines
        .comment(1, "The lines with the columns of their orders, of which they have who and when.");
    lines.line(1, format!("{LINES}:"));
    lines.line(2, format!("from: {}", of.profile.set.name));
    lines.line(2, "join:");
    lines.line(3, format!("with: {with}"));
    lines.line(3, format!("keys: {keys}"));
    lines.said(3, "how: inner", "lines without an order are left out");
    lines.line(3, format!("customer: {}", scalar(&findings.customer.written)));
    lines.line(3, format!("time: {}", scalar(&findings.time.role.written)));
    lines.empty();
}

/// What came back, of orders whose lines do not say it.
fn returns(orders: &str, grain: &str, lines: &mut Lines) {
    lines.line(1, "returns:");
    lines.line(2, format!("from: {orders}"));
    lines.said(
        2,
        format!("segment_metrics: {{by: [{grain}], metrics: [return_rate]}}"),
        "orders that came back, of those sold or returned",
    );
    lines.empty();
}

fn over_time(findings: &Findings, from: &str, (grain, name): (&str, &str), lines: &mut Lines) {
    let by = match findings.events.column(grain) {
        // A column of that name would win.
        Some(_) => format!("{{{grain}: {}}}", scalar(&findings.time.role.written)),
        None => grain.to_owned(),
    };
    lines.line(1, format!("{name}:"));
    lines.line(2, format!("from: {from}"));
    lines.line(2, "segment_metrics:");
    lines.line(3, format!("by: [{by}]"));
    lines.line(3, "metrics:");
    for (metric, comment) in metric_names(findings.known()) {
        match comment {
            "" => lines.line(4, format!("- {metric}")),
            comment => lines.said(4, format!("- {metric}"), comment),
        }
    }
    lines.empty();
    let period = if grain == "month" { String::new() } else { format!("period: {grain}") };
    lines.said(
        1,
        format!("growth: {{from: {from}, growth: {{{period}}}}}"),
        "who came, stayed, came back and left",
    );
    lines.empty();
    let cohort =
        if grain == "month" { String::new() } else { format!("cohort: {grain}, age: {grain}") };
    lines.said(
        1,
        format!("retention: {{from: {from}, cohort_retention: {{{cohort}}}}}"),
        format!("who bought again 0, 1, 2, … {grain}s after the first time"),
    );
    lines.empty();
}

/// The metrics that the roles allow, with a comment each.
fn metric_names(known: Known) -> Vec<(&'static str, &'static str)> {
    let Known { value, quantity, returned, negative_returns } = known;
    let wanted = [
        (value, "revenue", ""),
        (value && negative_returns, "net_revenue", ""),
        (true, "order_count", ""),
        (true, "customer_count", "customers with an order in the cell"),
        (quantity, "units", ""),
        (value, "average_order_value", ""),
        (true, "orders_per_customer", ""),
        (true, "repeat_purchase_rate", "of those customers, who had two orders or more"),
        (returned, "return_rate", "orders that came back, of those sold or returned"),
        (returned && quantity, "unit_return_rate", ""),
        (returned && value && !negative_returns, "value_return_rate", ""),
    ];
    wanted
        .into_iter()
        .filter(|(wanted, ..)| *wanted)
        .map(|(_, name, comment)| (name, comment))
        .collect()
}

fn customers(findings: &Findings, from: &str, span: Option<i32>, lines: &mut Lines) {
    let negative = findings.money().is_some_and(|value| value.negative > 0.0);
    let refunds = negative && findings.rows.sold.is_none();
    if findings.money().is_some() {
        lines.line(1, "rfm:");
        lines.line(2, format!("from: {from}"));
        lines.line(2, "rfm:");
        if refunds {
            lines.said(
                3,
                "refunds: net",
                "amounts below 0 are taken off that day's; or `drop`, or `keep` as orders",
            );
        }
        lines.said(3, "labels:", "scores run from 1 to 5, 5 being best; the first condition that holds names the customer");
        for label in [
            "best: r_score = 5 and f_score = 5 and m_score = 5",
            "loyal: r_score >= 4 and f_score >= 4",
            "slipping_away: r_score <= 2 and f_score >= 4",
            "recent: r_score >= 4",
            "one_time: orders = 1",
        ] {
            lines.line(4, format!("- {label}"));
        }
        lines.line(3, "rest: other");
        lines.empty();
    }
    let weeks = span.map(|days| days / 7);
    if let Some(weeks) = weeks.filter(|weeks| *weeks < FORECAST) {
        let span = if weeks == 1 { "1 week".to_owned() } else { format!("{weeks} weeks") };
        lines.comment(1, format!("No lifetime value: {span} of data say little of when customers stop. Later: `value: {{from: {from}, clv: {{}}}}`."));
        lines.empty();
        return;
    }
    let mut settings = Vec::new();
    let comment = match weeks.filter(|weeks| *weeks >= TESTED) {
        Some(weeks) => {
            settings.push(format!("holdout: {} weeks", (weeks + 2) / 4));
            "what customers will be worth; the holdout, a quarter of the log, tests the forecast"
                .to_owned()
        }
        None => match weeks {
            Some(weeks) => {
                format!("no holdout: {weeks} weeks are too short to keep a part of them for a test")
            }
            None => "`holdout: 13 weeks` would test the forecast".to_owned(),
        },
    };
    let horizon = weeks.map_or(52, |weeks| if weeks >= 39 { 52 } else { 13 });
    settings.push(format!("horizon: {horizon} weeks"));
    if refunds {
        settings.push("refunds: net".into());
    }
    lines.said(1, format!("value: {{from: {from}, clv: {{{}}}}}", settings.join(", ")), comment);
    lines.empty();
}

fn by_dimension(findings: &Findings, from: &str, dimension: &Dimension, lines: &mut Lines) {
    let lines_of = findings.of_lines(&dimension.of);
    let mut from = if lines_of.is_some() { LINES } else { from }.to_owned();
    if let Some(lookup) = findings.lookup_of(&dimension.of) {
        let name = format!("with_{}", lookup.profile.set.name);
        lines.line(1, format!("{name}: {{from: {from}, join: {}}}", join(findings, lookup)));
        lines.empty();
        from = name;
    }
    let known = lines_of.map_or_else(|| findings.known(), OrderLines::known);
    let names = metric_names(known).into_iter().map(|(name, _)| name);
    // The lines of an order tell how many of what.
    let wanted =
        |name: &&str| (lines_of.is_some() && *name == "units") || !OVER_TIME_ONLY.contains(name);
    let metrics: Vec<&str> = names.filter(wanted).collect();
    lines.line(1, format!("{}:", stage_name(dimension)));
    lines.line(2, format!("from: {from}"));
    lines.line(2, "segment_metrics:");
    lines.said(3, format!("by: [{}]", scalar(&dimension.name)), &dimension.because);
    lines.line(3, format!("metrics: [{}]", metrics.join(", ")));
    lines.empty();
}

/// The body of a join.
fn join(findings: &Findings, lookup: &Lookup) -> String {
    let (left, key) = (scalar(&lookup.left), scalar(&lookup.key));
    let keys = if left == key { format!("[{key}]") } else { format!("{{{left}: {key}}}") };
    let prefix = lookup.prefix(&findings.beside(lookup.of_lines));
    let prefix = if prefix.is_empty() { String::new() } else { format!(", prefix: {prefix}") };
    format!("{{with: {}, keys: {keys}{prefix}}}", lookup.table())
}

fn checks(findings: &Findings, from: &str, over_time: &str, lines: &mut Lines) {
    let events = &findings.events.set.name;
    lines.comment(
        0,
        "Checks of severity `error`, the default, stop a run before anything is published.",
    );
    lines.line(0, "checks:");
    lines.line(1, format!("{events}_there: {{from: {events}, row_count: {{min: 1}}}}"));
    lines.said(
        1,
        format!("{events}_fresh: {{from: {events}, freshness: {{max_age: 3d}}, severity: warn}}"),
        "of use when `as_of` is a date",
    );
    if let Some(key) = &findings.rows.key {
        let key = scalar(&key.columns[0]);
        lines.line(1, format!("{events}_once: {{from: {from}, unique: [{key}]}}"));
    }
    for lookup in &findings.lookups {
        let (name, key) = (&lookup.profile.set.name, scalar(&lookup.key));
        lines.line(1, format!("{name}_once: {{from: {}, unique: [{key}]}}", lookup.table()));
    }
    if findings.money().is_some() {
        lines.line(1, format!("{over_time}_revenue: {{from: {over_time}, not_null: revenue}}"));
    }
}
