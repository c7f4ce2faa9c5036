//! The whole document.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::alert::AlertBlock;
use super::business::{HoursBlock, with_hours};
use super::limits::LimitKeys;
use super::parameter;
use super::parameters::Parameters;
use super::privacy::PrivacyBlock;
use super::segment::{self, Segment};
use super::source::{self, Source};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceText, Span, Spanned};
use crate::document::{
    self, Decode, Decoder, Entries, Expression, Field, Instant, Node, NodeKind, Options, Setting,
    Share, is_name, schema,
};
use crate::ir::Calendar;
use crate::ir::calendar::{Month, Weekday};
use crate::ir::personal::Policy;
use crate::stats::suppress::SmallGroups;

/// What a pipeline is read with, besides its text.
pub struct Inputs<'a> {
    /// Values of `--set params.x=…`.
    pub set: &'a BTreeMap<String, String>,
    /// `--as-of`; `today` is resolved already.
    pub as_of: Option<AsOf>,
    /// Looks up a variable of the environment; asked only for names listed under `env:`.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Reads the days (since 1970-01-01) that a file lists; asked only for files that the pipeline names, and
    /// else says what is wrong.
    pub days: &'a dyn Fn(&str) -> Result<Vec<i32>, String>,
}

/// The first moment not seen, as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    At(Instant),
    /// The day after the last event of the sources.
    Latest,
}

impl Decode for AsOf {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.kind {
            NodeKind::Text(word) if word == "latest" => Some(AsOf::Latest),
            NodeKind::Text(word) if document::parse_instant(word).is_some() => {
                Instant::decode(node, decoder).map(AsOf::At)
            }
            _ => {
                decoder.wrong_type(node, &Self::expects());
                None
            }
        }
    }
    fn expects() -> String {
        format!("{}, or `latest`", Instant::expects())
    }
    fn show(&self) -> String {
        match self {
            AsOf::At(instant) => instant.show(),
            AsOf::Latest => "latest".into(),
        }
    }
    fn json_schema() -> Json {
        schema::any_of([json!({"const": "latest"}), Instant::json_schema()])
    }
}

/// How a stage's body is read: by its kind.
pub struct StageBody<'a, S> {
    /// The names of all kinds.
    pub kinds: Vec<&'static str>,
    /// Reads the body of one.
    pub decode: &'a dyn Fn(&str, &Node, &mut Decoder) -> Option<S>,
    /// Whether a body of this kind may say what is read, so that a stage needs no `from`.
    pub names_its_tables: &'a dyn Fn(&str) -> bool,
}

/// A pipeline as written, with the bodies of its stages.
#[derive(Debug)]
pub struct Pipeline<S> {
    pub name: String,
    pub description: Option<String>,
    /// A stand-in, if it is the latest and not resolved yet.
    pub as_of: Instant,
    /// Where it is said that `as_of` is the day after the last event, if it is.
    pub latest: Option<Span>,
    pub calendar: Calendar,
    /// The level of every interval, such as 0.95.
    pub level: f64,
    pub seed: i64,
    pub parameters: Parameters,
    pub sources: Vec<Source>,
    /// Sources and stages that are there but wrong, which is noted: whoever names one is not.
    pub broken: BTreeSet<String>,
    pub segments: Vec<Segment>,
    /// Segments that are there but wrong, which is noted.
    pub broken_segments: BTreeSet<String>,
    /// Name and body of each declared metric; the body is read by those who know the kinds.
    pub metrics: Vec<(Spanned<String>, Node)>,
    pub stages: Vec<StageSpec<S>>,
    /// Name and body of each check; the body is read by those who know the kinds.
    pub checks: Vec<(Spanned<String>, Node)>,
    pub alerts: Vec<(Spanned<String>, AlertBlock)>,
    /// Which groups are too small to be shown.
    pub small_groups: Option<SmallGroups>,
    /// How what is personal is shown.
    pub personal: Policy,
    /// How much of the machine a run may take; `None` where nothing is said.
    pub limits: Option<LimitKeys>,
    pub outputs: Outputs,
    pub report: ReportOptions,
    /// Key, value and whether it is the default, of the settings at the top.
    pub settings: Vec<(String, String, bool)>,
}

/// A stage as written.
#[derive(Debug)]
pub struct StageSpec<S> {
    pub name: Spanned<String>,
    /// The place of its keys.
    pub span: Span,
    /// Absent where it is the options, or the metrics that they name, which say what is read.
    pub from: Option<Spanned<String>>,
    pub condition: Option<Expression>,
    pub kind: Spanned<String>,
    /// `None` if it is wrong, which is noted; its `from` and `where` can be looked at all the same.
    pub body: Option<S>,
    /// Absent: as the kind has it.
    pub publish: Option<bool>,
    pub description: Option<String>,
}

crate::choice! {
    /// How the pages of a table are compressed.
    pub enum Compression {
        Zstd = "zstd",
        Snappy = "snappy",
        Gzip = "gzip",
        Lz4 = "lz4",
        Brotli = "brotli",
        None = "none",
    }
}

crate::options! {
    /// How a table is written.
    pub struct TableOptions("a table of `outputs`") {
        /// Compression of its pages.
        compression: Compression = Compression::Zstd,
        /// Rows of a row group.
        row_group_rows: i64 = 1_000_000,
        /// Columns whose values become folders, `TABLE/column=value/part-0.parquet`, and leave the files.
        partition_by: Vec<Spanned<String>> = Vec::new(),
    }
}

/// The `outputs` block.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    pub directory: Setting<String>,
    pub tables: Vec<(Spanned<String>, TableOptions)>,
    pub keep_runs: Setting<i64>,
}

crate::choice! {
    /// A form of the report.
    pub enum ReportFormat {
        Html = "html",
        Markdown = "markdown",
        Json = "json",
    }
}

crate::choice! {
    /// The languages that the text of a report is written in.
    pub enum Language {
        English = "en",
    }
}

crate::options! {
    /// The `report` block.
    pub struct ReportOptions("`report`") {
        /// The heading; absent: the pipeline's name.
        title: Option<String> = None,
        /// The forms to write.
        formats: Vec<ReportFormat> = ReportFormat::ALL.to_vec(),
        /// Sections in order: `summary`, stages, `data_quality`, `methods`.
        sections: Option<Vec<Spanned<String>>> = None,
        /// The language of the document's text.
        language: Language = Language::English,
        /// How many rows of a long table are shown.
        top: i64 = 20,
    }
}

crate::options! {
    /// The `calendar` block.
    pub(super) struct CalendarOptions("`calendar`") {
        /// First day of the week.
        week_starts: Weekday = Weekday::Monday,
        /// First month of the year; quarters follow.
        year_starts: Month = Month::January,
    }
}

crate::options! {
    /// The keys of a pipeline.
    pub(super) struct PipelineKeys("a pipeline") {
        /// The version of the pipeline language.
        version: Version,
        /// The pipeline's name, and unless `outputs` says otherwise its folder under `out/`.
        name: PipelineName,
        /// What it is for.
        description: Option<String> = None,
        /// The first day or instant that is not seen, the only "now" of a run; `latest` is the day after
        /// the last event. It must be given here or as `--as-of`.
        as_of: Option<AsOf> = None,
        /// The time zone of calendars and of times without one; absent: UTC.
        timezone: Option<String> = None,
        /// Where weeks and years start.
        calendar: Option<CalendarOptions> = None,
        /// The level of every interval.
        level: Share = Share(0.95),
        /// What draws are made with.
        seed: i64 = 1,
        /// The variables of the environment that `${env.NAME}` may name.
        env: Option<Node> = None,
        /// Values that a run may replace, `${params.NAME}`.
        params: Option<Node> = None,
        /// When support is open, to be named in `hours`.
        business_hours: Entries<HoursBlock> = Entries::NONE,
        /// What is read: the files, and what their columns mean.
        sources: Entries<Node>,
        /// What maps a customer to one of a few values, to be named in `by`.
        segments: Entries<Node> = Entries::NONE,
        /// Metrics beside the built-in ones, to be named in `metrics`.
        metrics: Entries<Node> = Entries::NONE,
        /// The tables that are made.
        stages: Entries<Node>,
        /// What must hold of tables before they are published.
        checks: Entries<Node> = Entries::NONE,
        /// What is told before anything else where it comes about.
        alerts: Entries<AlertBlock> = Entries::NONE,
        /// What must not be read from what is published.
        privacy: Option<PrivacyBlock> = None,
        /// How much of the machine a run may take.
        limits: Option<LimitKeys> = None,
        /// Where tables go.
        outputs: Option<OutputKeys> = None,
        /// What the report shows.
        report: Option<ReportOptions> = None,
    }
}

crate::options! {
    /// The keys of a stage beside its kind.
    pub(super) struct StageKeys("a stage") {
        /// The table that it reads: a source, another stage or a companion. Kinds whose options name all
        /// tables that they read do without.
        from: Option<Spanned<String>> = None,
        /// Rows of it for which this is not true are not seen.
        r#where: Option<Expression> = None,
        /// Whether its tables are published; absent: as the kind has it.
        publish: Option<bool> = None,
        /// What it is for, said in the report.
        description: Option<String> = None,
    }
}

crate::options! {
    /// The `outputs` block.
    pub(super) struct OutputKeys("`outputs`") {
        /// The folder that shows the last published run; absent: `out/NAME`.
        directory: Option<String> = None,
        /// How tables are written; naming one publishes it.
        tables: Entries<TableOptions> = Entries::NONE,
        /// How many runs are kept, the published one included.
        keep_runs: i64 = 3,
    }
}

/// The version of the pipeline language: there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version;

impl Decode for Version {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let version = i64::decode(node, decoder)?;
        if version != 1 {
            decoder.report(
                Diagnostic::at(
                    Code::UnsupportedVersion,
                    node.span,
                    format!("version {version} of the pipeline language is not read"),
                )
                .help("this program reads `version: 1`"),
            );
        }
        Some(Version)
    }
    fn expects() -> String {
        "the number 1".into()
    }
    fn show(&self) -> String {
        "1".into()
    }
    fn json_schema() -> Json {
        json!({"const": 1})
    }
    fn stand_in() -> Option<Self> {
        Some(Version)
    }
}

/// The name of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PipelineName(String);

impl Decode for PipelineName {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let name = String::decode(node, decoder)?;
        if !is_name(&name) {
            decoder.report(
                Diagnostic::at(Code::InvalidName, node.span, format!("`{name}` is not a name"))
                    .help(
                        "a name has lower-case letters, digits and `_`, and begins with a letter",
                    ),
            );
            return None;
        }
        Some(PipelineName(name))
    }
    fn expects() -> String {
        "a name of lower-case letters, digits and `_`".into()
    }
    fn show(&self) -> String {
        self.0.clone()
    }
    fn json_schema() -> Json {
        schema::matching(schema::NAME)
    }
    fn stand_in() -> Option<Self> {
        Some(PipelineName("pipeline".into()))
    }
}

/// What a pipeline takes, as a JSON Schema, given what its stages, metrics and checks take.
pub fn json_schema(stage: Json, metric: Json, check: Json) -> Json {
    let mut keys = PipelineKeys::json_schema();
    for (key, form) in [
        ("env", Vec::<String>::json_schema()),
        ("params", schema::named(parameter::json_schema())),
        ("sources", schema::named(source::json_schema())),
        ("segments", schema::named(segment::json_schema())),
        ("metrics", schema::named(metric)),
        ("stages", schema::named(stage)),
        ("checks", schema::named(check)),
    ] {
        let sentence = keys["properties"][key]["description"].take();
        keys["properties"][key] = schema::described(form, sentence.as_str().unwrap_or_default());
    }
    keys
}

/// What a stage takes, as a JSON Schema, given the kinds: name, sentence and fields of each. `needs_from`
/// says of a kind whether it needs the key `from`.
pub fn stage_json_schema<'a>(
    kinds: impl IntoIterator<Item = (&'a str, String, Vec<Field>)>,
    needs_from: impl Fn(&str) -> bool,
) -> Json {
    let mut schema = schema::one_kind(&StageKeys::fields(), kinds);
    for choice in schema["oneOf"].as_array_mut().into_iter().flatten() {
        let kind = choice["required"][0].as_str().unwrap_or_default().to_owned();
        if needs_from(&kind) {
            choice["required"] = json!(["from", kind]);
        }
    }
    schema
}

/// Reads a pipeline. `None` if the text is not YAML or lacks what everything else needs; the
/// diagnostics say what is wrong either way.
pub fn parse<S>(
    source: &SourceText,
    inputs: &Inputs,
    bodies: &StageBody<S>,
    diagnostics: &mut Diagnostics,
) -> Option<Pipeline<S>> {
    let mut node = document::parse(source, diagnostics)?;
    let mut decoder = Decoder::new(diagnostics);
    if !matches!(node.kind, NodeKind::Map(_)) {
        decoder.wrong_type(&node, "a map with `version`, `name`, `sources` and `stages`");
        return None;
    }
    let parameters = Parameters::read(&node, inputs.set, inputs.variable, &mut decoder);
    parameters.fill_document(&mut node, &mut decoder);
    read(&node, parameters, inputs, bodies, &mut decoder)
}

fn read<S>(
    node: &Node,
    parameters: Parameters,
    inputs: &Inputs,
    bodies: &StageBody<S>,
    decoder: &mut Decoder,
) -> Option<Pipeline<S>> {
    let top = Span::new(node.span.start, node.span.end);
    let mut reader = decoder.map(node, "a pipeline")?;
    let keys = PipelineKeys::read(&mut reader, decoder);
    reader.finish(decoder);
    let keys = keys?;
    if inputs.as_of.is_none() && node.get("as_of").is_none() {
        decoder.report(
            Diagnostic::at(Code::MissingKey, top, "a pipeline needs the key `as_of`").help(
                "`as_of` is the first day that is not seen; write a date, or `as_of: latest` for the day \
                 after the last event, here or as `--as-of`",
            ),
        );
    }
    if !(0.0 < keys.level.value.0 && keys.level.value.0 < 1.0) {
        decoder.report(Diagnostic::at(
            Code::InvalidValue,
            keys.level.place(top),
            "`level` lies between 0% and 100%",
        ));
    }

    let (mut sources, mut broken) = (Vec::new(), BTreeSet::new());
    for (name, node) in &keys.sources.value.0 {
        let source = source::decode(name, node, decoder);
        if source.is_none() {
            broken.insert(name.value.clone());
        }
        sources.extend(source);
    }
    let (mut segments, mut broken_segments) = (Vec::new(), BTreeSet::new());
    for (name, node) in keys.segments.value.0 {
        let written = name.value.clone();
        match segment::decode(name, &node, decoder) {
            Some(segment) => segments.push(segment),
            None => _ = broken_segments.insert(written),
        }
    }
    let mut stages = Vec::new();
    for (name, node) in &keys.stages.value.0 {
        let stage = stage(name, node, bodies, decoder);
        if stage.is_none() {
            broken.insert(name.value.clone());
        }
        stages.extend(stage);
    }
    let PipelineName(name) = keys.name.value;
    let outputs = outputs(keys.outputs, &name, top, decoder);
    let report = keys.report.value.unwrap_or_else(default_report);
    if report.top.value < 1 {
        let message = format!("`top` is at least 1, not {}", report.top.value);
        let diagnostic = Diagnostic::at(Code::InvalidValue, report.top.place(top), message);
        decoder.report(diagnostic.help("such as `top: 20`"));
    }
    let calendar = calendar(&keys.timezone, &keys.calendar, top, decoder);
    let calendar = with_hours(calendar, keys.business_hours.value, inputs.days, decoder);
    let privacy = keys.privacy.value.as_ref();
    let small_groups = privacy.and_then(|keys| keys.small_groups(top, decoder));
    let personal = privacy.map(|keys| keys.policy(&parameters, top, decoder)).unwrap_or_default();
    // With a stand-in for what is missing, the rest can be looked at all the same.
    let as_of = match (inputs.as_of, keys.as_of) {
        (Some(as_of), _) => Setting::default_of(as_of),
        (None, Setting { value: Some(value), span, flawed }) => Setting { value, span, flawed },
        (None, _) => Setting::default_of(AsOf::At(Instant::Date(0))),
    };
    let latest = (as_of.value == AsOf::Latest).then(|| as_of.place(top));
    let zone = keys.timezone.value.unwrap_or_else(|| "UTC".into());
    let (week_starts, year_starts) = (calendar.week_starts(), calendar.year_starts());
    let mut settings = vec![
        ("as_of".into(), as_of.value.show(), as_of.is_default() && inputs.as_of.is_none()),
        ("timezone".into(), zone, keys.timezone.span.is_none()),
        (
            "calendar".into(),
            format!("weeks start on {week_starts}, years in {year_starts}"),
            keys.calendar.span.is_none(),
        ),
        ("level".into(), keys.level.value.show(), keys.level.is_default()),
        ("seed".into(), keys.seed.value.show(), keys.seed.is_default()),
    ];
    let of_privacy = keys.privacy.value.iter().map(|keys| ("privacy", keys.settings()));
    let of_limits = keys.limits.value.iter().map(|keys| ("limits", keys.settings()));
    for (block, of_block) in of_privacy.chain(of_limits) {
        let named = of_block.into_iter();
        settings
            .extend(named.map(|(key, value, default)| (format!("{block}.{key}"), value, default)));
    }
    Some(Pipeline {
        name,
        description: keys.description.value,
        as_of: match as_of.value {
            AsOf::At(instant) => instant,
            AsOf::Latest => Instant::Date(0),
        },
        latest,
        calendar,
        level: keys.level.value.0,
        seed: keys.seed.value,
        parameters,
        sources,
        broken,
        segments,
        broken_segments,
        metrics: keys.metrics.value.0,
        stages,
        checks: keys.checks.value.0,
        alerts: keys.alerts.value.0,
        small_groups,
        personal,
        limits: keys.limits.value,
        outputs,
        report,
        settings,
    })
}

fn default_report() -> ReportOptions {
    ReportOptions {
        title: Setting::default_of(None),
        formats: Setting::default_of(ReportFormat::ALL.to_vec()),
        sections: Setting::default_of(None),
        language: Setting::default_of(Language::English),
        top: Setting::default_of(20),
    }
}

fn calendar(
    timezone: &Setting<Option<String>>,
    options: &Setting<Option<CalendarOptions>>,
    top: Span,
    decoder: &mut Decoder,
) -> Calendar {
    let zone = timezone.value.as_deref().unwrap_or("UTC");
    let (week_starts, year_starts) =
        options.value.as_ref().map_or((Weekday::Monday, Month::January), |options| {
            (options.week_starts.value, options.year_starts.value)
        });
    if let Some(calendar) = Calendar::new(zone, week_starts, year_starts) {
        return calendar;
    }
    let zones = Calendar::zones();
    decoder.report(Diagnostic::unknown(
        Code::InvalidValue,
        timezone.place(top),
        format!("`{zone}` is not a time zone"),
        zone,
        zones.iter().map(String::as_str),
    ));
    Calendar::new("UTC", week_starts, year_starts).unwrap_or_default()
}

fn stage<S>(
    name: &Spanned<String>,
    node: &Node,
    bodies: &StageBody<S>,
    decoder: &mut Decoder,
) -> Option<StageSpec<S>> {
    let what = format!("the stage `{}`", name.value);
    let mut reader = decoder.map(node, &what)?;
    let keys = StageKeys::read(&mut reader, decoder);
    let rest: Vec<&(Spanned<String>, Node)> = reader.rest().collect();
    let (kinds, others): (Vec<_>, Vec<_>) =
        rest.into_iter().partition(|(key, _)| bodies.kinds.contains(&key.value.as_str()));
    let common = StageKeys::fields();
    let common = || common.iter().map(|field| field.key.as_str());
    let mut body = None;
    match kinds.as_slice() {
        [(kind, node)] => {
            for (key, value) in &others {
                decoder.unknown_key(Code::UnknownKey, &what, key, value, common());
            }
            body = Some((kind.clone(), (bodies.decode)(&kind.value, node, decoder)));
        }
        [] => {
            for (key, value) in &others {
                let known = || bodies.kinds.iter().copied().chain(common());
                decoder.unknown_key(Code::UnknownStageKind, &what, key, value, known());
                // The options are looked at as those of the kind that was probably meant.
                let near = crate::diagnostic::nearest(&key.value, known());
                if let Some(near) = near.filter(|near| bodies.kinds.contains(near)) {
                    let kind = Spanned::new(near.to_owned(), key.span);
                    body = Some((kind, (bodies.decode)(near, value, decoder)));
                }
            }
            if others.is_empty() {
                decoder.report(
                    Diagnostic::at(Code::MissingKey, name.span, format!("{what} has no kind"))
                        .help(format!("give it one of {}", crate::diagnostic::list(&bodies.kinds))),
                );
            }
        }
        [(first, _), (second, _), ..] => decoder.report(
            Diagnostic::at(Code::InvalidValue, second.span, format!("{what} has two kinds"))
                .and(first.span, "the first is here")
                .help("split it into two stages"),
        ),
    }
    let ((kind, body), keys) = (body?, keys?);
    if keys.from.value.is_none() && !(bodies.names_its_tables)(&kind.value) {
        if !keys.from.flawed && body.is_some() {
            decoder.report(
                Diagnostic::at(
                    Code::MissingKey,
                    reader.span(),
                    format!("{what} needs the key `from`"),
                )
                .help(format!("`from` takes {}", Spanned::<String>::expects())),
            );
        }
        return None;
    }
    if keys.from.flawed {
        return None;
    }
    Some(StageSpec {
        name: name.clone(),
        span: reader.span(),
        from: keys.from.value,
        condition: keys.r#where.value,
        kind,
        body,
        publish: keys.publish.value,
        description: keys.description.value,
    })
}

fn outputs(
    keys: Setting<Option<OutputKeys>>,
    name: &str,
    top: Span,
    decoder: &mut Decoder,
) -> Outputs {
    let around = keys.place(top);
    let mut directory = Setting::default_of(format!("out/{name}"));
    let Some(keys) = keys.value else {
        return Outputs { directory, tables: Vec::new(), keep_runs: Setting::default_of(3) };
    };
    if let Setting { value: Some(written), span, flawed } = keys.directory {
        let path = written.trim_end_matches('/').to_owned();
        if std::path::Path::new(&path).file_name().is_none() {
            decoder.report(Diagnostic::at(
                Code::InvalidValue,
                span.unwrap_or(around),
                format!("`{written}` does not name a folder to make"),
            ));
        }
        directory = Setting { value: path, span, flawed };
    }
    if keys.keep_runs.value < 1 {
        decoder.report(Diagnostic::at(
            Code::InvalidValue,
            keys.keep_runs.place(around),
            "`keep_runs` is at least 1",
        ));
    }
    let mut tables = keys.tables.value.0;
    tables.retain(|(name, options)| {
        let rows = options.row_group_rows;
        if rows.value < 1 {
            let place = rows.place(name.span);
            let message = "`row_group_rows` is at least 1";
            decoder.report(Diagnostic::at(Code::InvalidValue, place, message));
        }
        rows.value >= 1
    });
    Outputs { directory, tables, keep_runs: keys.keep_runs }
}
