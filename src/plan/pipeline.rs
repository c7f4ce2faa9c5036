//! The plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::alerts::{self, PlannedAlert};
use super::checks::{self, PlannedCheck};
use super::graph::{self, Edges};
use super::inputs::{self, Binding, InputSchema};
use super::privacy::renewed;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Spanned};
use crate::document::{Decoder, Node};
use crate::frame::{DataType, Frame, Value};
use crate::ir::explain::explain;
use crate::ir::parse::{self, Scope};
use crate::ir::relation::{self, BadRowAction, Built};
use crate::ir::scan::QUARANTINE;
use crate::ir::{RelRef, SortKey, Table};
use crate::metrics::Catalog;
use crate::spec::{Pipeline, Source};
use crate::stages::{self, Segments, Stage, StageContext, View};

/// A pipeline known to make sense.
#[derive(Debug)]
pub struct Plan {
    pub name: String,
    /// The first instant not seen, in microseconds since 1970-01-01T00:00Z.
    pub as_of: i64,
    pub sources: Vec<Table>,
    /// All tables, those of stages too, with what their columns mean.
    pub tables: BTreeMap<String, Table>,
    /// The bad rows of sources that keep them.
    pub quarantines: Vec<PlannedTable>,
    /// What the files of a source differ in, in words.
    pub drift: BTreeMap<String, Vec<String>>,
    /// In the order of the text.
    pub stages: Vec<PlannedStage>,
    /// In the order of the text.
    pub checks: Vec<PlannedCheck>,
    /// In the order of the text.
    pub alerts: Vec<PlannedAlert>,
    /// Hash of everything that decides the tables, apart from the data.
    pub hash: String,
}

/// A stage and its tables.
#[derive(Debug)]
pub struct PlannedStage {
    pub name: String,
    pub kind: &'static str,
    pub description: Option<String>,
    /// The table it reads.
    pub from: String,
    /// Further tables that its metrics are measured of.
    pub also: Vec<String>,
    /// What it reads, as a relation.
    pub input: RelRef,
    pub tables: Vec<PlannedTable>,
    /// Its options: key, value, and whether it is the default.
    pub settings: Vec<(String, String, bool)>,
    pub condition: Option<String>,
    /// One row: how many rows each rule is about.
    pub touched: Option<RelRef>,
}

impl PlannedStage {
    /// The tables that it reads, in words.
    pub fn reads(&self) -> String {
        std::iter::once(self.from.as_str())
            .chain(self.also.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// A table of a stage.
#[derive(Debug)]
pub struct PlannedTable {
    pub name: String,
    pub suffix: Option<&'static str>,
    /// In its published order.
    pub rel: RelRef,
    pub grain: Vec<String>,
    pub published: bool,
    pub views: Vec<View>,
}

impl PlannedTable {
    /// A table that is made after the stages, of which a row has a name: of checks, of alerts.
    pub fn of_names(name: &str, frame: &Frame) -> Self {
        PlannedTable {
            name: name.into(),
            suffix: None,
            rel: relation::values(frame.clone()),
            grain: vec!["name".into()],
            published: true,
            views: Vec::new(),
        }
    }
}

/// Reads the body of a stage, for [`crate::spec::parse`].
pub fn body(kind: &str, node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Stage>> {
    (stages::find(kind)?.decode)(node, decoder)
}

/// Plans a pipeline over sources whose files have these columns. `None` if there are errors, all of
/// which are among the diagnostics.
pub fn plan(
    pipeline: &Pipeline<Box<dyn Stage>>,
    files: &BTreeMap<String, InputSchema>,
    diagnostics: &mut Diagnostics,
) -> Option<Plan> {
    let parameters = pipeline.parameters.typed();
    let as_of = pipeline.calendar.resolve(pipeline.as_of);
    let mut planner = Planner {
        pipeline,
        parameters,
        as_of,
        metrics: Catalog::read(&pipeline.metrics, diagnostics),
        tables: BTreeMap::new(),
        segments: pipeline.broken_segments.iter().map(|name| (name.clone(), None)).collect(),
        quarantines: Vec::new(),
        drift: BTreeMap::new(),
        diagnostics,
    };
    let specs = checks::read(&pipeline.checks, planner.diagnostics);
    planner.names();
    planner.sources(files);
    let mut planned = planner.stages();
    let checks = planner.checks(&specs, &planned);
    let alerts = planner.alerts(&planned);
    planner.unnamed_metrics();
    let order = |name: &str| pipeline.stages.iter().position(|stage| stage.name.value == name);
    planned.sort_by_key(|stage| order(&stage.name));
    planner.outputs(&mut planned);
    let sources = pipeline
        .sources
        .iter()
        .filter_map(|s| planner.tables.get(&s.name.value)?.clone())
        .collect();
    if planner.diagnostics.has_errors() {
        return None;
    }
    let (quarantines, drift) = (planner.quarantines, planner.drift);
    let tables = planner.tables.into_iter().filter_map(|(name, table)| Some((name, table?)));
    let tables = tables.collect();
    let hash = hash(pipeline, as_of, &planned, &quarantines, (&checks, &alerts));
    let name = pipeline.name.clone();
    let stages = planned;
    Some(Plan { name, as_of, sources, tables, quarantines, drift, stages, checks, alerts, hash })
}

/// Everything that decides the tables, apart from the data.
fn hash(
    pipeline: &Pipeline<Box<dyn Stage>>,
    as_of: i64,
    stages: &[PlannedStage],
    quarantines: &[PlannedTable],
    (checks, alerts): (&[PlannedCheck], &[PlannedAlert]),
) -> String {
    let mut text = format!(
        "tenure plan 1\nas_of {as_of}\ncalendar {:?}\nlevel {}\nseed {}\n",
        pipeline.calendar, pipeline.level, pipeline.seed
    );
    let tables = stages.iter().flat_map(|stage| &stage.tables).chain(quarantines);
    for table in tables.filter(|table| table.published) {
        text.push_str(&format!("table {} by {}\n", table.name, table.grain.join(", ")));
        text.push_str(&explain(&table.rel));
    }
    for check in checks {
        let (severity, tolerate) = (check.severity, check.tolerate);
        text.push_str(&format!(
            "check {} of {}, {severity}, {tolerate}: {}\n",
            check.name, check.from, check.rule
        ));
        text.push_str(&explain(&check.counts));
        text.push_str(&explain(&check.failing));
    }
    for alert in alerts {
        let (name, from, severity) = (&alert.name, &alert.from, alert.severity);
        text.push_str(&format!("alert {name} of {from}, {severity}: {:?}\n", alert.sentence));
        text.push_str(&explain(&alert.raised));
    }
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}

/// Settings worth telling: roles that nobody overrides are not.
fn told(settings: Vec<(String, String, bool)>) -> Vec<(String, String, bool)> {
    let role = |key: &str| matches!(key, "customer" | "time" | "value");
    settings.into_iter().filter(|(key, _, default)| !(*default && role(key))).collect()
}

pub(super) struct Planner<'a> {
    pub(super) pipeline: &'a Pipeline<Box<dyn Stage>>,
    pub(super) parameters: BTreeMap<String, (Value, DataType)>,
    pub(super) as_of: i64,
    pub(super) metrics: Catalog,
    /// Sources, stages and companions; `None` if it could not be had.
    pub(super) tables: BTreeMap<String, Option<Table>>,
    pub(super) segments: Segments,
    quarantines: Vec<PlannedTable>,
    drift: BTreeMap<String, Vec<String>>,
    pub(super) diagnostics: &'a mut Diagnostics,
}

impl Planner<'_> {
    /// Sources, stages and companions share one name space; so do segments among themselves.
    fn names(&mut self) {
        let mut seen: BTreeMap<String, &Spanned<String>> = BTreeMap::new();
        let sources = self.pipeline.sources.iter().map(|source| &source.name);
        let stages = self.pipeline.stages.iter().map(|stage| &stage.name);
        for name in sources.chain(stages) {
            if let Some(first) = seen.insert(name.value.clone(), name) {
                self.diagnostics.push(
                    Diagnostic::at(
                        Code::DuplicateName,
                        name.span,
                        format!("`{}` is the name of two tables", name.value),
                    )
                    .and(first.span, "the first is here"),
                );
            }
        }
        for source in &self.pipeline.sources {
            let name = format!("{}_quarantine", source.name.value);
            let kept = source.bad_rows.action.value == BadRowAction::Quarantine;
            if let Some(taken) = seen.get(&name).filter(|_| kept) {
                self.diagnostics.push(
                    Diagnostic::at(
                        Code::DuplicateName,
                        taken.span,
                        format!("`{name}` is the table of bad rows of `{}`", source.name.value),
                    )
                    .and(source.bad_rows.action.place(source.name.span), "which are kept")
                    .help("rename one of them"),
                );
            }
        }
        for stage in &self.pipeline.stages {
            let Some(kind) = stages::find(&stage.kind.value) else { continue };
            for companion in kind.companions {
                let name = format!("{}_{}", stage.name.value, companion.suffix);
                if let Some(taken) = seen.get(&name) {
                    self.diagnostics.push(
                        Diagnostic::at(
                            Code::DuplicateName,
                            taken.span,
                            format!(
                                "`{name}` is the name of a companion of `{}`",
                                stage.name.value
                            ),
                        )
                        .and(stage.name.span, "which may have that table")
                        .help("rename one of them"),
                    );
                }
            }
        }
    }

    fn sources(&mut self, files: &BTreeMap<String, InputSchema>) {
        for source in &self.pipeline.sources {
            let name = source.name.value.clone();
            let table = match files.get(&name) {
                // Its files could not be opened; whoever tried has said so.
                None => None,
                Some(files) => {
                    let binding = Binding {
                        parameters: &self.parameters,
                        calendar: &self.pipeline.calendar,
                        as_of: self.as_of,
                        personal: self.pipeline.personal,
                    };
                    let bound = inputs::bind(source, files, &binding, self.diagnostics);
                    bound.map(|bound| {
                        self.drift.insert(name.clone(), bound.drift);
                        self.quarantine(source, bound.quarantine);
                        bound.table
                    })
                }
            };
            if source.bad_rows.action.value == BadRowAction::Quarantine {
                // Known by name, also where it could not be had.
                self.tables.entry(format!("{name}_quarantine")).or_default();
            }
            self.tables.insert(name, table);
        }
    }

    fn quarantine(&mut self, source: &Source, table: Option<Table>) {
        let Some(table) = table else { return };
        let shown = self.pipeline.personal.published(&table);
        match shown.and_then(|rel| published_order(&renewed(&table, rel), &[])) {
            Ok(rel) => self.quarantines.push(PlannedTable {
                name: table.name.clone(),
                suffix: Some(QUARANTINE),
                rel,
                grain: Vec::new(),
                published: true,
                views: Vec::new(),
            }),
            Err(error) => self.diagnostics.push(Diagnostic::at(
                Code::TypeMismatch,
                source.name.span,
                error.message,
            )),
        }
        self.tables.insert(table.name.clone(), Some(table));
    }

    fn stages(&mut self) -> Vec<PlannedStage> {
        // Stages and segments are the nodes; a segment reads the table it looks up.
        let mut edges = Edges::new();
        for stage in &self.pipeline.stages {
            let mut reads = Vec::new();
            if let Some(from) = self.input_of(stage)
                && let Some(maker) = self.maker(&from.value)
            {
                reads.push((maker.to_owned(), from.span));
            }
            for other in self.reads(stage) {
                if let Some(maker) = self.maker(&other.value) {
                    reads.push((maker.to_owned(), other.span));
                }
            }
            let dimensions = stage.body.as_ref().map_or(Vec::new(), |body| body.dimensions());
            for name in dimensions.iter().filter_map(|d| d.as_name()) {
                if self.pipeline.segments.iter().any(|s| s.name.value == name.value) {
                    reads.push((format!("segment {}", name.value), name.span));
                }
            }
            edges.insert(stage.name.value.clone(), reads);
        }
        for segment in &self.pipeline.segments {
            let maker = self.maker(&segment.table.value);
            let reads = maker.map(|maker| (maker.to_owned(), segment.table.span));
            edges.insert(format!("segment {}", segment.name.value), reads.into_iter().collect());
        }
        let segments = self.pipeline.segments.iter();
        let names: Vec<String> = segments
            .map(|segment| format!("segment {}", segment.name.value))
            .chain(self.pipeline.stages.iter().map(|stage| stage.name.value.clone()))
            .collect();
        let mut planned = Vec::new();
        for name in graph::order(&names, &edges, self.diagnostics) {
            if let Some(segment) = name.strip_prefix("segment ") {
                let found = self.pipeline.segments.iter().find(|s| s.name.value == segment);
                if let Some(found) = found {
                    self.segment(found);
                }
            } else {
                planned.extend(self.stage(&name));
            }
        }
        planned
    }

    fn stage(&mut self, name: &str) -> Option<PlannedStage> {
        let stage = self.pipeline.stages.iter().find(|stage| stage.name.value == name)?;
        let kind = stages::find(&stage.kind.value)?;
        self.tables.insert(name.to_owned(), None);
        let Some(from) = self.input_of(stage) else {
            self.without_input(stage);
            return None;
        };
        let table = self.table(&from)?;
        let mut weighed = self.weighed(kind, &from, &table);
        let mut condition = None;
        if let Some(written) = &stage.condition {
            let scope = Scope {
                table: &table.name,
                schema: &table.rel.schema,
                parameters: &self.parameters,
                calendar: &self.pipeline.calendar,
                as_of: self.as_of,
            };
            condition = Some(parse::condition(written, &scope, self.diagnostics)?);
        }
        let mut others = BTreeMap::new();
        for other in self.reads(stage) {
            if let Some(table) = self.table(&other) {
                weighed &= self.weighed(kind, &other, &table);
                others.insert(other.value, table);
            }
        }
        if !weighed {
            return None;
        }
        let input = table.rel.clone();
        let mut context = StageContext {
            name,
            kind: stage.kind.clone(),
            table,
            implied: stage.from.is_none(),
            condition,
            written_condition: stage.condition.as_ref(),
            segments: &self.segments,
            metrics: &self.metrics,
            parameters: &self.parameters,
            calendar: &self.pipeline.calendar,
            as_of: self.as_of,
            level: self.pipeline.level,
            seed: self.pipeline.seed,
            small_groups: self.pipeline.small_groups,
            diagnostics: self.diagnostics,
            others,
            touched: None,
        };
        let body = stage.body.as_ref()?;
        let outputs = body.plan(&mut context)?;
        let touched = context.touched.take();
        let outputs = self.without_small_groups(stage, outputs)?;
        let mut tables = Vec::new();
        for output in outputs {
            let table_name = match output.suffix {
                None => name.to_owned(),
                Some(suffix) => format!("{name}_{suffix}"),
            };
            let roles = output.roles.living_in(&output.rel.schema);
            let table = Table { name: table_name.clone(), rel: output.rel.clone(), roles };
            // What a row-level stage has beside its rows is small, and is told.
            let beside = output.suffix.is_some() && !output.grain.is_empty();
            let published = stage.publish.unwrap_or(!kind.row_level || beside);
            let (shown, grain) = self.without_personal(stage, &table, output.grain, published);
            match shown.and_then(|shown| published_order(&shown, &grain)) {
                Ok(rel) => tables.push(PlannedTable {
                    name: table_name.clone(),
                    suffix: output.suffix,
                    rel,
                    grain,
                    published,
                    views: output.views,
                }),
                Err(error) => self.diagnostics.push(Diagnostic::at(
                    Code::TypeMismatch,
                    stage.kind.span,
                    error.message,
                )),
            }
            self.tables.insert(table_name, Some(table));
        }
        Some(PlannedStage {
            name: name.to_owned(),
            kind: kind.name,
            description: stage.description.clone(),
            also: self.also_measured(body.as_ref(), &from.value),
            from: from.value,
            input,
            tables,
            settings: told(body.settings()),
            touched,
            condition: stage.condition.as_ref().map(|written| written.text.clone()),
        })
    }

    /// `outputs.tables` publishes what it names.
    fn outputs(&mut self, planned: &mut [PlannedStage]) {
        for (name, options) in &self.pipeline.outputs.tables {
            let tables = planned.iter_mut().flat_map(|stage| &mut stage.tables);
            let tables = tables.chain(&mut self.quarantines);
            let known: Vec<String> = self
                .tables
                .keys()
                .filter(|table| !self.pipeline.sources.iter().any(|s| s.name.value == **table))
                .cloned()
                .collect();
            let schema = match tables.into_iter().find(|table| table.name == name.value) {
                Some(table) => {
                    table.published = true;
                    table.rel.schema.clone()
                }
                None if name.value == "checks" && !self.pipeline.checks.is_empty() => {
                    Arc::new(crate::checks::checks_schema())
                }
                None if name.value == "alerts" && !self.pipeline.alerts.is_empty() => {
                    Arc::new(alerts::alerts_schema())
                }
                // It may be one of a stage or source that is wrong itself.
                None if self.diagnostics.has_errors() && may_make(self.pipeline, &name.value) => {
                    continue;
                }
                None => {
                    self.diagnostics.push(Diagnostic::unknown(
                        Code::UnknownTable,
                        name.span,
                        format!("no stage makes the table `{}`", name.value),
                        &name.value,
                        known.iter().map(String::as_str),
                    ));
                    continue;
                }
            };
            let by = &options.partition_by.value;
            for column in by.iter().filter(|name| schema.field(&name.value).is_none()) {
                self.diagnostics.push(Diagnostic::unknown(
                    Code::UnknownColumn,
                    column.span,
                    format!("`{}` has no column `{}`", name.value, column.value),
                    &column.value,
                    schema.names(),
                ));
            }
            if !by.is_empty() && by.len() >= schema.fields.len() {
                self.diagnostics.push(Diagnostic::at(
                    Code::InvalidValue,
                    options.partition_by.place(name.span),
                    "`partition_by` leaves no column for the files",
                ));
            }
        }
        if let Some(sections) = &self.pipeline.report.sections.value {
            let fixed = ["summary", "data_quality", "methods"];
            let stages: Vec<&str> =
                self.pipeline.stages.iter().map(|stage| stage.name.value.as_str()).collect();
            for section in sections {
                let name = section.value.as_str();
                if !fixed.contains(&name) && !stages.contains(&name) {
                    self.diagnostics.push(Diagnostic::unknown(
                        Code::InvalidValue,
                        section.span,
                        format!("`{name}` is neither a stage nor a section of the report"),
                        name,
                        stages.iter().copied().chain(fixed),
                    ));
                }
            }
        }
    }
}

/// True if a table is a stage's or source's, or is called as its companions are.
fn may_make<S>(pipeline: &Pipeline<S>, table: &str) -> bool {
    let sources = pipeline.sources.iter().map(|source| &source.name.value);
    let mut names = sources.chain(pipeline.stages.iter().map(|stage| &stage.name.value));
    names.any(|name| {
        let rest = table.strip_prefix(name.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    })
}

/// A table sorted by its grain; rows as they come by customer, time, key, then all columns.
pub(super) fn published_order(table: &Table, grain: &[String]) -> Built {
    if !grain.is_empty() {
        return relation::sort(&table.rel, grain.iter().map(SortKey::ascending).collect());
    }
    let roles = &table.roles;
    let leading = roles
        .customer
        .iter()
        .map(|customer| &customer.value)
        .chain(&roles.time)
        .chain(&roles.key)
        .filter_map(|expr| expr.as_column().map(str::to_owned));
    sorted_by(&table.rel, leading)
}

/// A table sorted by some columns, then by all others.
pub(super) fn sorted_by(rel: &RelRef, leading: impl Iterator<Item = String>) -> Built {
    let mut keys: Vec<String> = Vec::new();
    for name in leading.chain(rel.schema.names().map(str::to_owned)) {
        if !keys.contains(&name) {
            keys.push(name);
        }
    }
    relation::sort(rel, keys.iter().map(SortKey::ascending).collect())
}
