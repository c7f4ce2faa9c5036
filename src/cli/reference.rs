//! The reference of the pipeline language, as Markdown: keys, stages, metrics, checks, functions and
//! codes, from the same declarations and manual pages that the program reads and prints.

use std::fmt::Write;

use super::measures::{MEASURES, Measure};
use crate::checks::{CheckSpec, Place};
use crate::diagnostic::Code;
use crate::document::{
    Decode, Field, FieldPlace, Instant, Interval, Options, Rate, Share, manual_of,
};
use crate::ir::function::{NullRule, TABLE, is_public};
use crate::ir::parse::{AGGREGATES, NEXT_TIME};
use crate::metrics::{Catalog, Direction, MetricKind, Top};
use crate::run::ExitStatus;
use crate::spec::{Block, blocks};
use crate::{checks, metrics, stages};

/// A pipeline with every block; the tests run it.
const EXAMPLE: &str = include_str!("reference.yaml");

/// The words that begin a paragraph of a manual page.
const LABELS: &[&str] = &[
    "What it does",
    "When to use it",
    "Example",
    "Columns",
    "Companions",
    "Formula",
    "Rules",
    "References",
];

/// The reference.
pub fn reference() -> String {
    let mut page = "# Reference\n\n\
        The pipeline language, version 1: every key, stage, metric, check and function. This page is made \
        from the declarations that read a pipeline and from the pages that `tenure stages NAME`, \
        `tenure metrics NAME` and `tenure checks NAME` print; `tenure schema` says the same to an \
        editor. [TUTORIAL.md](TUTORIAL.md) is the place to begin.\n\n"
        .to_owned();
    contents(&mut page);
    let _ =
        write!(page, "## An example\n\nA pipeline with every block:\n\n```yaml\n{EXAMPLE}```\n\n");
    values(&mut page);
    keys(&mut page);
    all_stages(&mut page);
    all_metrics(&mut page);
    measures(&mut page);
    all_checks(&mut page);
    functions(&mut page);
    aggregates(&mut page);
    codes(&mut page);
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn contents(page: &mut String) {
    let links = |names: &mut dyn Iterator<Item = &'static str>| {
        names.map(|name| format!("[{name}](#{name})")).collect::<Vec<_>>().join(" · ")
    };
    let stages = links(&mut stages::registry().iter().map(|kind| kind.name));
    let built_in = links(&mut of_metrics(true).map(|kind| kind.name));
    let kinds = links(&mut of_metrics(false).map(|kind| kind.name));
    let checks = links(&mut checks::registry().iter().map(|kind| kind.name));
    let _ = write!(
        page,
        "- [An example](#an-example)\n\
         - [How values are written](#how-values-are-written)\n\
         - [Keys](#keys)\n\
         - [Stages](#stages): {stages}\n\
         - [Metrics](#metrics): {built_in}\n\
         - [Kinds of metrics](#kinds-of-metrics): {kinds}\n\
         - [Measures and their cases](#measures-and-their-cases)\n\
         - [Checks](#checks): {checks}\n\
         - [Functions of expressions](#functions-of-expressions)\n\
         - [Exit status](#exit-status)\n\
         - [Codes of mistakes](#codes-of-mistakes)\n\n"
    );
}

fn of_metrics(built_in: bool) -> impl Iterator<Item = &'static MetricKind> {
    metrics::registry().iter().filter(move |kind| kind.built_in == built_in)
}

fn values(page: &mut String) {
    let _ = write!(
        page,
        "## How values are written\n\n\
         A name has lower-case letters, digits and `_`, begins with a letter, and has at most 63 \
         characters. A duration is {}. A share is {}, a rate {}. A moment is {}. An SQL expression \
         reads the columns of its table; `\"odd name\"` quotes one.\n\n\
         `${{params.NAME}}` stands for a parameter, `${{env.NAME}}` for a variable of the environment \
         that `env` lists, and `${{env.NAME:-TEXT}}` for TEXT where that is empty. Keys that begin with \
         `x-` are free, for notes and YAML anchors. Any other key that is not on this page is refused.\n\n",
        article(&Interval::expects()),
        article(&Share::expects()),
        article(&Rate::expects()),
        Instant::expects(),
    );
}

/// What follows "a … is": the examples of a type.
fn article(expects: &str) -> &str {
    expects.split_once("such as").map_or(expects, |(_, examples)| examples.trim())
}

fn keys(page: &mut String) {
    page.push_str("## Keys\n\n");
    let metric = Catalog::common_fields();
    let check = CheckSpec::common_fields(Place::Block);
    for Block { path, sentence, fields } in blocks(metric, check) {
        let _ = match path {
            "" => write!(page, "### The pipeline\n\n{sentence}\n\n"),
            _ => write!(page, "### `{path}`\n\n{sentence}\n\n"),
        };
        table(page, &fields);
        if path == "metrics.NAME" {
            page.push_str(
                "### `metrics.NAME.top`\n\nWhich of the groups of `per` are measured.\n\n",
            );
            table(page, &Top::fields());
        }
    }
}

fn all_stages(page: &mut String) {
    page.push_str(
        "## Stages\n\n\
         `NAME: {from: TABLE, KIND: {…}}` makes the table `NAME`, and companions `NAME_…` where the kind \
         has some.\n\n",
    );
    for kind in stages::registry() {
        manual(page, kind.source);
        table(page, &(kind.fields)());
        if !kind.companions.is_empty() {
            page.push_str("Companion tables:\n\n");
            for companion in kind.companions {
                let _ = writeln!(page, "- `NAME_{}`: {}", companion.suffix, companion.sentence);
            }
            page.push('\n');
        }
    }
}

fn all_metrics(page: &mut String) {
    page.push_str(
        "## Metrics\n\n\
         Named in `metrics: […]` of a stage. With options they are declared under `metrics:` like a \
         metric of the pipeline's own. Most are made of the same kinds: `tenure metrics NAME --as-yaml` \
         prints one as a metric of your own, or says what the kinds lack for it. With `--pipeline PIPELINE` \
         it is over the columns of the pipeline's tables and gives the same numbers; without, its columns \
         stand for roles.\n\n",
    );
    of_metrics(true).for_each(|kind| metric(page, kind));
    page.push_str(
        "## Kinds of metrics\n\nDeclared under `metrics:`, and named like the others.\n\n",
    );
    of_metrics(false).for_each(|kind| metric(page, kind));
}

fn measures(page: &mut String) {
    page.push_str(
        "## Measures and their cases\n\n\
         What people ask for, what it is called here, and the case files that prove it: small tables in, expected \
         tables out, on both engines.\n\n\
         | measure | here | cases |\n|---|---|---|\n",
    );
    for Measure { name, here, cases } in MEASURES {
        let here: Vec<String> = here.iter().map(|name| format!("[`{name}`](#{name})")).collect();
        let cases = cases.iter().map(|case| format!("[{case}](tests/cases/{case}.md)"));
        let cases: Vec<String> = cases.collect();
        row(page, &[(*name).to_owned(), here.join(", "), cases.join(", ")]);
    }
    page.push('\n');
}

fn metric(page: &mut String, kind: &MetricKind) {
    manual(page, kind.source);
    let _ = write!(page, "**Unit:** {}.", kind.unit);
    let _ = match kind.direction {
        Direction::Neither if kind.built_in => write!(page, " **Good:** neither high nor low.\n\n"),
        Direction::Neither => write!(page, "\n\n"),
        direction => write!(page, " **Good:** {direction}.\n\n"),
    };
    table(page, &(kind.fields)());
}

fn all_checks(page: &mut String) {
    page.push_str(
        "## Checks\n\n\
         `NAME: {from: TABLE, KIND: …}` under `checks:`. Those that judge a row by itself can also stand \
         in the stage [check](#check).\n\n",
    );
    for kind in checks::registry() {
        manual(page, kind.source);
        table(page, &(kind.fields)());
    }
}

fn functions(page: &mut String) {
    page.push_str(
        "## Functions of expressions\n\n\
         An argument that is null makes the result null, apart from those marked †, whose sentence \
         tells.\n\n\
         | function | takes | gives |\n|---|---|---|\n",
    );
    for (name, arguments, rule, sentence) in TABLE.iter().filter(|row| is_public(row.0)) {
        let mark = if *rule == NullRule::Own { " †" } else { "" };
        let cells = [format!("`{name}`{mark}"), (*arguments).to_owned(), (*sentence).to_owned()];
        row(page, &cells);
    }
    row(
        page,
        &[
            format!("`{NEXT_TIME}` †"),
            "nothing, or a table".to_owned(),
            "In expressions of metrics alone: the time of the next row of the same customer that is later, a \
             timestamp; null if there is none. With a table the time of its first row of the same customer, at the \
             time of this row or later. Needs `customer` and `time` of both."
                .to_owned(),
        ],
    );
    page.push('\n');
}

fn aggregates(page: &mut String) {
    page.push_str(
        "## Aggregates of groups\n\n\
         In the expressions of a metric with [`per`](#metrics): what the rows of a group come to. `where` and `per` \
         themselves are of rows. A column that stands under `per` may be named without an aggregate. Rows of which \
         nothing under `per` is known are in no group.\n\n\
         | aggregate | of each group |\n|---|---|\n",
    );
    for (name, arguments, sentence) in AGGREGATES {
        row(page, &[format!("`{name}({arguments})`"), (*sentence).to_owned()]);
    }
    page.push('\n');
}

fn codes(page: &mut String) {
    page.push_str("## Exit status\n\n| status | meaning |\n|---:|---|\n");
    for (status, sentence) in ExitStatus::ALL {
        row(page, &[status.code().to_string(), (*sentence).to_owned()]);
    }
    page.push_str(
        "\n## Codes of mistakes\n\n\
         They stand in brackets after `error` or `warning`, and as `code` in `--format json`.\n\n\
         | code | meaning |\n|---|---|\n",
    );
    for code in Code::ALL {
        row(page, &[format!("`{code}`"), code.sentence().to_owned()]);
    }
}

/// A manual page one level below a heading, its labels in bold.
fn manual(page: &mut String, source: &str) {
    let mut begins = true;
    for line in manual_of(source).lines() {
        let label = LABELS.iter().find(|label| {
            begins && line.strip_prefix(**label).is_some_and(|rest| rest.starts_with(':'))
        });
        begins = line.is_empty();
        let _ = match (line.strip_prefix("# "), label) {
            (Some(name), _) => writeln!(page, "### {name}"),
            (None, Some(label)) => writeln!(page, "**{label}:**{}", &line[label.len() + 1..]),
            (None, None) => writeln!(page, "{line}"),
        };
    }
    page.push('\n');
}

fn table(page: &mut String, fields: &[Field]) {
    if fields.is_empty() {
        return;
    }
    page.push_str("| key | takes | default | meaning |\n|---|---|---|---|\n");
    for field in fields {
        let key = match field.place {
            FieldPlace::Key => format!("`{}`", field.key),
            FieldPlace::Body | FieldPlace::Each => field.key.clone(),
        };
        let default = match field.default.as_deref() {
            None => "required".to_owned(),
            Some("none") if field.json_default.is_null() => String::new(),
            Some("") => "an empty text".to_owned(),
            Some(default) => format!("`{default}`"),
        };
        let meaning = format!("{}{}", field.doc, words(field));
        row(page, &[key, field.expects.clone(), default, meaning]);
    }
    page.push('\n');
}

/// What the words mean that a field takes, where that is said.
fn words(field: &Field) -> String {
    let forms = field.json_schema["anyOf"].as_array().into_iter().flatten();
    let mut text = String::new();
    for form in forms {
        let list = |key: &str| form[key].as_array().cloned().unwrap_or_default();
        for (word, sentence) in list("enum").iter().zip(list("enumDescriptions")) {
            if let (Some(word), Some(sentence)) = (word.as_str(), sentence.as_str())
                && !sentence.is_empty()
            {
                let _ = write!(text, " `{word}`: {sentence}");
            }
        }
    }
    text
}

fn row(page: &mut String, cells: &[String]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}
