//! What a run found, as a [`Report`]: plain data made of plan, tables and manifest.
//!
//! Nothing in it depends on the moment, the machine or how the input was cut into files, so the same
//! rows give the same report.

use super::manifest::Manifest;
use super::prepare::Prepared;
use super::views;
use super::waterfall::waterfall;
use super::{alerts, checks};
use crate::document::manual_of;
use crate::frame::{Frame, Value};
use crate::plan::{PlannedStage, PlannedTable};
use crate::report::{
    Block, Cell, Column, Fact, Origin, Report, Rule, Section, Table, Unit as ReportUnit,
};
use crate::stats::suppress::SmallGroups;
use crate::{metrics, stages};

/// The report of a run.
pub(super) fn build(
    prepared: &Prepared,
    tables: &[(&PlannedTable, &Frame)],
    touched: &[(&str, &Frame)],
    manifest: &Manifest,
) -> Report {
    let pipeline = &prepared.pipeline;
    let options = &pipeline.report;
    let sections: Vec<String> = match &options.sections.value {
        Some(sections) => sections.iter().map(|section| section.value.clone()).collect(),
        None => default_sections(prepared),
    };
    let parted = |table: &str| {
        let mut tables = pipeline.outputs.tables.iter();
        tables.any(|(name, of)| name.value == table && !of.partition_by.value.is_empty())
    };
    let hides = pipeline.small_groups.is_some();
    let mut bodies: Vec<Section> = Vec::new();
    for name in &sections {
        match name.as_str() {
            "summary" => bodies.push(Section {
                id: "summary".into(),
                title: "Summary".into(),
                ..Section::default()
            }),
            "data_quality" => bodies.push(data_quality(manifest, touched, pipeline.small_groups)),
            "methods" => bodies.push(methods(prepared)),
            stage => bodies.extend(
                prepared.plan.stages.iter().find(|planned| planned.name == stage).map(|planned| {
                    let (level, top) = (pipeline.level, options.top.value);
                    section(planned, tables, (level, top), hides, parted)
                }),
            ),
        }
    }
    // The summary is the first finding of each section.
    let of_stage =
        |section: &&Section| !matches!(section.id.as_str(), "summary" | "data_quality" | "methods");
    let findings: Vec<String> = bodies
        .iter()
        .filter(of_stage)
        .filter_map(|section| Some(format!("{}: {}", section.title, section.lead.first()?)))
        .collect();
    if let Some(summary) = bodies.iter_mut().find(|section| section.id == "summary") {
        // Where nothing is found, at least how much there is.
        if findings.is_empty() {
            summary.blocks.push(Block::Facts(overview(tables)));
        }
        summary.blocks.extend(findings.into_iter().map(Block::Paragraph));
    }
    Report {
        title: options.title.value.clone().unwrap_or_else(|| pipeline.name.clone()),
        description: pipeline.description.clone(),
        language: options.language.value.word().to_owned(),
        facts: facts(prepared, manifest),
        notices: [alerts::notices(&manifest.alerts), checks::notices(&manifest.checks)].concat(),
        sections: bodies,
    }
}

fn default_sections(prepared: &Prepared) -> Vec<String> {
    let published = |stage: &&PlannedStage| stage.tables.iter().any(|table| table.published);
    let stages = prepared.plan.stages.iter().filter(published).map(|stage| stage.name.clone());
    let ends = ["data_quality", "methods"].map(str::to_owned);
    std::iter::once("summary".to_owned()).chain(stages).chain(ends).collect()
}

fn facts(prepared: &Prepared, manifest: &Manifest) -> Vec<Fact> {
    let as_of = Value::Timestamp(prepared.plan.as_of).to_string();
    let as_of = as_of.strip_suffix("T00:00:00Z").map_or(as_of.clone(), str::to_owned);
    let rows: u64 = manifest.sources.iter().map(|s| s.rows_seen.unwrap_or(s.rows)).sum();
    vec![
        Fact::text("As of (not included)", as_of),
        Fact::new("Rows seen", Cell::Integer(rows as i64)).with_unit(ReportUnit::Count),
        Fact::text("Time zone", prepared.pipeline.calendar.zone_name()),
        Fact::text("Plan", prepared.plan.hash.get(..12).unwrap_or("")),
        Fact::text("Made by", format!("tenure {}", env!("CARGO_PKG_VERSION"))),
    ]
}

/// The rows of the main table of each stage.
fn overview(tables: &[(&PlannedTable, &Frame)]) -> Vec<Fact> {
    let rows = |frame: &Frame| Cell::Integer(frame.rows() as i64);
    let main = tables.iter().filter(|(table, _)| table.suffix.is_none());
    let facts = main.map(|(table, frame)| {
        Fact::new(format!("Rows of {}", table.name), rows(frame)).with_unit(ReportUnit::Count)
    });
    facts.collect()
}

/// A stage's section: its description, what its tables show, and where they are.
fn section(
    stage: &PlannedStage,
    tables: &[(&PlannedTable, &Frame)],
    (level, top): (f64, i64),
    hides: bool,
    parted: impl Fn(&str) -> bool,
) -> Section {
    let own = |table: &PlannedTable| {
        tables.iter().find(|(published, _)| published.name == table.name).map(|(_, frame)| *frame)
    };
    let mut section = Section {
        id: stage.name.clone(),
        title: views::capital(&stage.name.replace('_', " ")),
        ..Section::default()
    };
    section.blocks.extend(stage.description.clone().map(Block::Paragraph));
    for table in &stage.tables {
        let Some(frame) = own(table) else { continue };
        let companion = |suffix: &str| {
            let found = stage.tables.iter().find(|other| other.suffix == Some(suffix));
            found.and_then(own)
        };
        let file = match parted(&table.name) {
            true => format!("{}/", table.name),
            false => format!("{}.parquet", table.name),
        };
        if hides && !stages::held(&table.rel) {
            let sentence = format!(
                "`{}` has a row for each customer or event, which the report does not show where small groups \
                 are hidden.",
                table.name
            );
            section.blocks.push(Block::Paragraph(sentence));
            continue;
        }
        let context = views::Context { table: &table.name, file: &file, frame, level, top };
        for view in &table.views {
            let (lead, blocks) = views::show(view, &context, &companion);
            section.lead.extend(lead);
            section.blocks.extend(blocks);
        }
    }
    section
}

/// What became of rows that break a contract, of doubles that are no exact money, and of columns that
/// differ between files.
fn contract_sentences(manifest: &Manifest) -> Vec<String> {
    let mut lead = Vec::new();
    if manifest.sources.iter().all(|source| source.rows_bad.unwrap_or(0) == 0) {
        lead.push("Every row that was read obeys the contract of its source.".to_owned());
    }
    for source in &manifest.sources {
        let name = &source.name;
        if let Some(bad) = source.rows_bad.filter(|bad| *bad > 0) {
            lead.push(format!(
                "{bad} of {} rows of `{name}` break its contract and are left out of all tables.",
                source.rows
            ));
        }
        if let Some(rounded) = &source.rounded {
            let least = rounded.least_before.zip(rounded.least_after.as_ref());
            let least =
                least.map(|(before, after)| format!(", the smallest from {before} to {after}"));
            lead.push(format!(
                "{} amount(s) of `{name}` have more digits than its money and were rounded half to even{}.",
                rounded.rows,
                least.unwrap_or_default()
            ));
        }
        lead.extend(source.drift.iter().map(|drift| format!("`{name}`: {drift}.")));
    }
    lead
}

/// Why rows are bad, if any are.
fn bad_rows(manifest: &Manifest) -> Option<Block> {
    let rows: Vec<Vec<Cell>> = manifest
        .sources
        .iter()
        .flat_map(|source| source.reasons.iter().map(move |reason| (source, reason)))
        .map(|(source, reason)| {
            vec![
                Cell::Text(source.name.clone()),
                Cell::Text(reason.reason.clone()),
                Cell::Integer(reason.rows as i64),
            ]
        })
        .collect();
    let columns = vec![
        Column::new("source", "Source", ReportUnit::None),
        Column::new("reason", "Reason", ReportUnit::None),
        Column::new("rows", "Rows", ReportUnit::Count),
    ];
    let table = Table {
        caption: "Bad rows by reason".into(),
        columns,
        rows,
        note: Some("A row may have several reasons.".into()),
        total_rows: None,
        last_rows: false,
    };
    (!table.rows.is_empty()).then_some(Block::Table(table))
}

fn data_quality(
    manifest: &Manifest,
    touched: &[(&str, &Frame)],
    small_groups: Option<SmallGroups>,
) -> Section {
    // Rows are of customers or of events, so that fewer rows than a group may have are too few of either.
    let told = |count: i64| match small_groups {
        Some(SmallGroups { least, .. }) if count > 0 && count.unsigned_abs() < least => {
            Cell::Text(format!("fewer than {least}"))
        }
        _ => Cell::Integer(count),
    };
    let rules = touched.iter().flat_map(|(stage, frame)| {
        let fields = frame.schema.fields.iter().enumerate();
        fields.filter(|_| frame.rows() == 1).map(|(column, field)| {
            let count = frame.value(0, column).as_i64().unwrap_or(0);
            vec![Cell::Text((*stage).to_owned()), Cell::Text(field.name.clone()), told(count)]
        })
    });
    let columns = vec![
        Column::new("source", "Source", ReportUnit::None),
        Column::new("rows", "Rows", ReportUnit::Count),
        Column::new("good", "Rows that obey the contract", ReportUnit::Count),
        Column::new("seen", "Good rows before as-of", ReportUnit::Count),
    ];
    let rows = manifest.sources.iter().map(|source| {
        vec![
            Cell::Text(source.name.clone()),
            Cell::Integer(source.rows as i64),
            source
                .rows_bad
                .map_or(Cell::Missing, |bad| Cell::Integer(source.rows.saturating_sub(bad) as i64)),
            source.rows_seen.map_or(Cell::Missing, |rows| Cell::Integer(rows as i64)),
        ]
    });
    let stages = manifest.stages.iter().map(|stage| {
        let count =
            |rows: Option<u64>| rows.map_or(Cell::Missing, |rows| Cell::Integer(rows as i64));
        vec![
            Cell::Text(stage.name.clone()),
            Cell::Text(stage.kind.to_owned()),
            Cell::Text(stage.reads()),
            count(stage.rows_in),
            count(stage.rows_out),
        ]
    });
    let measures_several = manifest.stages.iter().any(|stage| !stage.also.is_empty());
    let mut section = Section {
        id: "data_quality".into(),
        title: "Data quality".into(),
        lead: contract_sentences(manifest),
        blocks: vec![
            Block::Table(Table {
                caption: "Rows of the sources".into(),
                columns,
                rows: rows.collect(),
                note: Some("The files, their sizes and hashes are in `manifest.json`.".into()),
                total_rows: None,
                last_rows: false,
            }),
            Block::Table(Table {
                caption: "Rows through the stages".into(),
                columns: vec![
                    Column::new("stage", "Stage", ReportUnit::None),
                    Column::new("kind", "Kind", ReportUnit::None),
                    Column::new("from", "From", ReportUnit::None),
                    Column::new("rows_in", "Rows in", ReportUnit::Count),
                    Column::new("rows_out", "Rows out", ReportUnit::Count),
                ],
                rows: stages.collect(),
                note: measures_several
                    .then(|| "Rows in are those of the first table that a stage reads.".to_owned()),
                total_rows: None,
                last_rows: false,
            }),
            Block::Table(Table {
                caption: "What a rule is about".into(),
                columns: vec![
                    Column::new("stage", "Stage", ReportUnit::None),
                    Column::new("rule", "Rule", ReportUnit::None),
                    Column::new("count", "Orders, entries or spans", ReportUnit::Count),
                ],
                rows: rules.collect(),
                note: Some("What each rule did with them is under Methods.".into()),
                total_rows: None,
                last_rows: false,
            }),
        ],
    };
    if touched.is_empty() {
        section.blocks.pop();
    }
    let lost = manifest.sources.iter().filter_map(|source| waterfall(source, &manifest.stages));
    let lost = lost.map(Block::Chart);
    section.blocks.splice(1..1, lost);
    if let Some(table) = bad_rows(manifest) {
        section.blocks.insert(1, table);
    }
    if let Some(table) = checks::panel(&manifest.checks) {
        section.blocks.insert(0, Block::Table(table));
    }
    section
}

/// The rules and defaults that were used, and the formulas behind the names.
fn methods(prepared: &Prepared) -> Section {
    let documented = crate::spec::blocks(Vec::new(), Vec::new());
    let of_block = |key: &str| {
        let (path, key) = key.split_once('.')?;
        let block = documented.iter().find(|block| block.path == path)?;
        block.fields.iter().find(|field| field.key == key).map(|field| field.doc.clone())
    };
    let mut blocks = vec![
        Block::Heading("Everywhere".into()),
        Block::Rules(rules(&prepared.pipeline.settings, &|key| match key {
            "as_of" => "The first instant not seen.".into(),
            "timezone" => "All days, weeks and months are those of this zone.".into(),
            "calendar" => "How weeks, quarters and years are cut.".into(),
            "level" => "The level of every interval.".into(),
            "seed" => "Of the draws behind intervals.".into(),
            key => of_block(key).unwrap_or_default(),
        })),
    ];
    for stage in &prepared.plan.stages {
        let Some(kind) = stages::find(stage.kind) else { continue };
        let fields = (kind.fields)();
        blocks.push(Block::Heading(format!(
            "{}: {} from {}",
            stage.name,
            stage.kind,
            stage.reads()
        )));
        let mut settings = stage.settings.clone();
        if let Some(condition) = &stage.condition {
            settings.insert(0, ("where".into(), condition.clone(), false));
        }
        blocks.push(Block::Rules(rules(&settings, &|key| {
            let field = fields.iter().find(|field| field.key == key);
            field.map(|field| field.doc.clone()).unwrap_or_default()
        })));
        blocks.extend(rules_of(kind.source).into_iter().map(Block::Paragraph));
    }
    let used = used_metrics(prepared);
    if !used.is_empty() {
        blocks.push(Block::Heading("Metrics".into()));
        for kind in used {
            if let Some(formula) = paragraph(kind.source, "Formula:") {
                blocks.push(Block::Paragraph(format!("`{}`: {formula}", kind.name)));
            }
        }
    }
    blocks.push(Block::Heading("To repeat this".into()));
    blocks.push(Block::Code(command(prepared)));
    Section { id: "methods".into(), title: "Methods".into(), lead: Vec::new(), blocks }
}

/// The command that repeats the run. Where its files lie is left out: the report is the same wherever that
/// is, and the manifest has the command with the paths that were given.
fn command(prepared: &Prepared) -> String {
    let path = |name: &str| prepared.pipeline.parameters.is_path(name);
    command_with(prepared, &|name| !path(name), false)
}

/// The command with all that was given, for the manifest.
pub(super) fn whole_command(prepared: &Prepared) -> String {
    command_with(prepared, &|_| true, true)
}

fn command_with(prepared: &Prepared, wanted: &dyn Fn(&str) -> bool, with_root: bool) -> String {
    let as_of = prepared.pipeline.settings.iter().find(|(key, _, _)| key == "as_of");
    let as_of = as_of.map_or("", |(_, value, _)| value.as_str());
    let mut words = vec!["tenure".into(), "run".into(), prepared.source.name.clone()];
    words.extend(["--as-of".to_owned(), as_of.to_owned()]);
    for (name, value) in prepared.request.set.iter().filter(|(name, _)| wanted(name)) {
        words.extend(["--set".to_owned(), format!("params.{name}={value}")]);
    }
    let root = prepared.request.root.display().to_string();
    if with_root && !root.is_empty() {
        words.extend(["--root".to_owned(), root]);
    }
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

fn rules(settings: &[(String, String, bool)], explanation: &dyn Fn(&str) -> String) -> Vec<Rule> {
    settings
        .iter()
        .map(|(name, value, default)| Rule {
            name: name.clone(),
            value: value.clone(),
            origin: if *default { Origin::Default } else { Origin::Set },
            explanation: explanation(name),
        })
        .collect()
}

/// The kinds of the metrics that the stages name.
fn used_metrics(prepared: &Prepared) -> Vec<&'static metrics::MetricKind> {
    let listed = prepared.plan.stages.iter().flat_map(|stage| &stage.settings);
    let listed: Vec<&str> = listed
        .filter(|(key, _, _)| key == "metrics")
        .flat_map(|(_, value, _)| value.trim_matches(['[', ']']).split(", "))
        .collect();
    let names_it = |kind: &metrics::MetricKind| {
        listed.iter().any(|name| {
            *name == kind.name
                || kind.statistics
                    && name.strip_prefix(kind.name).is_some_and(|r| r.starts_with('_'))
        })
    };
    metrics::registry().iter().filter(|kind| names_it(kind)).collect()
}

/// The paragraph of a manual page that begins with a word, without it.
fn paragraph(source: &str, word: &str) -> Option<String> {
    let manual = manual_of(source);
    let found = manual.split("\n\n").find_map(|paragraph| paragraph.strip_prefix(word))?;
    Some(found.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The paragraphs of a manual that say how something is computed: from its rules up to its references.
fn rules_of(source: &str) -> Vec<String> {
    let manual = manual_of(source);
    let paragraphs = manual.split("\n\n").skip_while(|paragraph| !paragraph.starts_with("Rules:"));
    paragraphs
        .take_while(|paragraph| !paragraph.starts_with("References:"))
        .map(|paragraph| {
            let text = paragraph.strip_prefix("Rules:").unwrap_or(paragraph);
            sentence(&text.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .collect()
}

/// A text that begins as sentences do; a name in backticks stays as it is.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}
