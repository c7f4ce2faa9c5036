//! The blocks of a pipeline and their keys, for the reference.

use super::alert::AlertBlock;
use super::business::HoursBlock;
use super::limits::LimitKeys;
use super::parameter::ParameterKeys;
use super::pipeline::{
    CalendarOptions, OutputKeys, PipelineKeys, ReportOptions, StageKeys, TableOptions,
};
use super::privacy::PrivacyBlock;
use super::segment;
use super::source::{
    BadRowsBlock, ColumnBody, DriftBlock, OrderBlock, SourceKeys, SubscriptionBlock, ValueRole,
};
use super::subjects::{
    DurationRole, InvoiceBlock, ReviewBlock, ScalesBlock, SurveyBlock, TicketBlock,
};
use crate::document::{Decode, Entries, Field, Node, Options};

/// A map of the document that has keys.
pub struct Block {
    /// Where it stands, such as `sources.NAME.order`; empty for the whole document.
    pub path: &'static str,
    pub sentence: &'static str,
    pub fields: Vec<Field>,
}

/// Every block, in reading order; the keys of metrics and checks come from those who know their kinds.
pub fn blocks(metric: Vec<Field>, check: Vec<Field>) -> Vec<Block> {
    let mut top = PipelineKeys::fields();
    for field in &mut top {
        // They are read before the other keys.
        match field.key.as_str() {
            "env" => field.expects = Vec::<String>::expects(),
            "params" => field.expects = Entries::<Node>::expects(),
            _ => {}
        }
    }
    let mut blocks = vec![
        block("", "The whole document.", top),
        block("calendar", "Where weeks and years start.", CalendarOptions::fields()),
        block(
            "business_hours.NAME",
            "When a business is open. Spans are half-open, may end at `24:00` and must not overlap; on nights \
             on which clocks change they have the hours that they have. `around_the_clock` is there anyway.",
            HoursBlock::fields(),
        ),
        block(
            "params.NAME",
            "A value that a run may replace: `--set params.NAME=VALUE`. `${params.NAME}` in any text \
             stands for it; in an SQL expression it is a typed value.",
            ParameterKeys::fields(),
        ),
        block(
            "sources.NAME",
            "A table that is read, `parquet` or `csv`, and what its columns mean. The name is what \
             stages read `from`.",
            SourceKeys::fields(),
        ),
        block(
            "sources.NAME.value",
            "The role of money. `value: COLUMN` is short for `value: {column: COLUMN}`.",
            ValueRole::fields(),
        ),
        block(
            "sources.NAME.order",
            "Which rows are an order, what is sold and what comes back.",
            OrderBlock::fields(),
        ),
        block(
            "sources.NAME.subscription",
            "Rows are spans: each holds from `starts` until before `ends`.",
            SubscriptionBlock::fields(),
        ),
        block(
            "sources.NAME.ticket",
            "Rows are tickets of a support team; `time` is when each was opened.",
            TicketBlock::fields(),
        ),
        block(
            "sources.NAME.ticket.DURATION",
            "A duration of a ticket, such as `handle_time: {column: handle_seconds, unit: second}`.",
            DurationRole::fields(),
        ),
        block(
            "sources.NAME.survey",
            "Rows are surveys; `time` is when each was answered.",
            SurveyBlock::fields(),
        ),
        block("sources.NAME.survey.scales", "How far scales go.", ScalesBlock::fields()),
        block("sources.NAME.review", "Rows are reviews.", ReviewBlock::fields()),
        block("sources.NAME.invoice", "Rows are invoices.", InvoiceBlock::fields()),
        block(
            "sources.NAME.columns.COLUMN",
            "A clause of the contract. Rows that break it are bad rows.",
            ColumnBody::fields(),
        ),
        block("sources.NAME.bad_rows", "What becomes of bad rows.", BadRowsBlock::fields()),
        block(
            "sources.NAME.drift",
            "What is done where the files of a source differ in their columns.",
            DriftBlock::fields(),
        ),
    ];
    blocks.extend(segment::forms_with_common_keys().into_iter().map(|(key, fields)| match key {
        "column" => block(
            "segments.NAME: {column: …}",
            "The values of a column, or the cells `[a, b)` in which they lie. `NAME: TABLE.COLUMN` is \
             short for `NAME: {column: TABLE.COLUMN}`.",
            fields,
        ),
        "since" => block(
            "segments.NAME: {since: …}",
            "The cell in which the time since a moment lies: at the event in tables of events, at \
             `as_of` in tables of customers.",
            fields,
        ),
        "quantiles_of" => block(
            "segments.NAME: {quantiles_of: …}",
            "The part of all customers by a value, cut at type 7 quantiles; equal values are in one part.",
            fields,
        ),
        _ => block("segments.NAME: {expression: …}", "The value of an expression.", fields),
    }));
    blocks.extend([
        block(
            "metrics.NAME",
            "A metric of the pipeline's own. Beside these keys stands exactly one kind, with its options.",
            metric,
        ),
        block(
            "stages.NAME",
            "A table that is made. Beside these keys stands exactly one kind, with its options.",
            StageKeys::fields(),
        ),
        block(
            "checks.NAME",
            "What must hold of a table before anything is published. Beside these keys stands exactly \
             one kind, with its options.",
            check,
        ),
        block(
            "alerts.NAME",
            "What is told before anything else where it comes about: first in the report, in the manifest, at \
             the end of a run, and in the table `alerts` with the columns `name`, `severity`, `from`, `rows` and \
             `message`. `rows` is how many rows raised it and `message` the sentence of the first of them, in the \
             order in which the table is published; an alert that no row raises has no row. They are sorted by \
             severity, then name. An alert stops nothing and changes no exit status; for that there are checks.",
            AlertBlock::fields(),
        ),
        block(
            "privacy",
            "What must not be read from what is published. With `min_group_size` a group with fewer customers keeps \
             its dimensions and loses every other column (null), and so do, with `suppress: complementary`, the \
             groups that a total less the others would tell; the extra last column `suppressed` is true for them. \
             Groups are hidden where they are made, in `segment_metrics` (with totals and grouping sets), \
             `cohort_retention`, `growth` and `journey`, so that whatever reads those tables, be it a stage, a check, an alert, \
             the report or `tenure show`, knows no more than is published. A cell is held to it by each \
             population that its metrics measure (its rows, its sold orders, its gaps, the customers of each table), \
             and totals must tell of none of them. A condition of a \
             metric's own (`where`) on rows makes no group. A cell of a cohort is hidden if few are retained or \
             few lost, and a later one if the difference to the one before is few; sums over ages go from the first \
             hidden age on, and amounts with `returned: on_or_after` and `through`, because those who spend are then \
             not those who are counted. A period of `growth` is hidden if few customers came, stayed, came back, \
             left or were there. Totals of cohorts and of growth by segment go with any of their parts. A step of a `journey` is hidden \
             if few customers reached it, or if few stopped between it and another one that is shown, and the answers \
             at a step if few gave them. `sample_strata` \
             is held to it where customers are drawn, and `trend` marks with `suppressed` the periods that are hidden. \
             Counts that the report gives of what the rules of stages touched are then told as \"fewer than\" the \
             least; counts of bad rows, of all rows of a source and those in the manifest are not. Companions \
             that cannot be held to it (`rfm_cuts`, those of `clv`, `sample_strata` of rows) are not made; a stage \
             whose main table cannot is an error unless it reads a table of groups. `survival` is one: its curve is a \
             product over the days on which somebody left, and the numbers at risk say how many were gone in \
             between, so that with the rows of a few hidden these still follow from those before and after; and its \
             medians and tests are of everybody. Tables with a row for \
             each customer or event are as they are, but the report does not show them and alerts do not watch \
             them. A dimension that follows from another (the country from the city) is known to do so within one \
             grouping set only: beside `[country]` write `[country, city]` and not `[city]`, or the cities of a country \
             less the others tell the one that is hidden. Two stages that tell of the same customers in different detail are not held against each other: \
             put such detail into one stage, as grouping sets. `pii` and `customers` say what becomes of columns that \
             identify people and of what is computed from them. A pseudonym is the HMAC-SHA-256 of the value as a text \
             under the key, of which the first 32 hexadecimal digits are written; a null has none. The same value has \
             the same one in all tables and runs under one key, be it a number or a text, so that tables join, and a \
             column of any other type becomes one of texts. Whoever has the key can compute the pseudonym of a value \
             they know, and so can whoever guesses the key. Stages reckon with the values themselves: what a stage \
             needs of a pseudonymous column (a join, a group, a condition) it finds. Rows are published in the order of \
             what is shown. What stands in the path of an input file is no value of a column, and is told.",
            PrivacyBlock::fields(),
        ),
        block(
            "limits",
            "How much of the machine a run may take; `--threads`, `--memory-limit` and `--spill` of `run` win. The \
             results are the same bytes under any limit. Where memory is short, what customers did and the columns \
             of large tables are put aside in files, which vanish with the process whatever ends it. Numbers of \
             customers, groups and tables to look up in stay in memory; where they do not fit, the run ends with \
             exit status 7 and says about how much it needs, and so does a run that takes longer than `timeout`.",
            LimitKeys::fields(),
        ),
        block("outputs", "Where tables go.", OutputKeys::fields()),
        block("outputs.tables.TABLE", "How a table is written.", TableOptions::fields()),
        block("report", "What the report shows.", ReportOptions::fields()),
    ]);
    blocks
}

fn block(path: &'static str, sentence: &'static str, fields: Vec<Field>) -> Block {
    Block { path, sentence, fields }
}
