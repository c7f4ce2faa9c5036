//! The whole document.

use std::collections::{BTreeMap, BTreeSet};

use super::parameters::Parameters;
use super::segment::{self, Segment};
use super::source::{self, Source};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceText, Span, Spanned};
use crate::document::{
    self, Decode, Decoder, Expression, Instant, Node, NodeKind, Setting, Share, is_name,
};
use crate::ir::Calendar;
use crate::ir::calendar::{Month, Weekday};

/// What a pipeline is read with, besides its text.
pub struct Inputs<'a> {
    /// Values of `--set params.x=…`.
    pub set: &'a BTreeMap<String, String>,
    /// `--as-of`; `today` is resolved already.
    pub as_of: Option<AsOf>,
    /// Looks up a variable of the environment; asked only for names listed under `env:`.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
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
}

/// How a stage's body is read: by its kind.
pub struct StageBody<'a, S> {
    /// The names of all kinds.
    pub kinds: Vec<&'static str>,
    /// Reads the body of one.
    pub decode: &'a dyn Fn(&str, &Node, &mut Decoder) -> Option<S>,
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
    /// Name and body of each declared metric; the body is read by those who know the kinds.
    pub metrics: Vec<(Spanned<String>, Node)>,
    pub stages: Vec<StageSpec<S>>,
    /// Name and body of each check; the body is read by those who know the kinds.
    pub checks: Vec<(Spanned<String>, Node)>,
    pub outputs: Outputs,
    pub report: ReportOptions,
    /// Key, value and whether it is the default, of the settings at the top.
    pub settings: Vec<(String, String, bool)>,
}

/// A stage as written.
#[derive(Debug)]
pub struct StageSpec<S> {
    pub name: Spanned<String>,
    pub from: Spanned<String>,
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
        language: String = "en".to_owned(),
        /// How many rows of a long table are shown.
        top: i64 = 20,
    }
}

crate::options! {
    /// The `calendar` block.
    struct CalendarOptions("`calendar`") {
        /// First day of the week.
        week_starts: Weekday = Weekday::Monday,
        /// First month of the year; quarters follow.
        year_starts: Month = Month::January,
    }
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
    let parameters = Parameters::read(
        node.get("env"),
        node.get("params"),
        inputs.set,
        inputs.variable,
        &mut decoder,
    );
    if let NodeKind::Map(entries) = &mut node.kind {
        // `params` was filled as it was read, each value from those before it.
        for (_, value) in entries.iter_mut().filter(|(key, _)| key.value != "params") {
            parameters.fill(value, &mut decoder);
        }
    }
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
    if let Some(version) = reader.required::<i64>("version", decoder)
        && version.value != 1
    {
        decoder.report(
            Diagnostic::at(
                Code::UnsupportedVersion,
                version.place(top),
                format!("version {} of the pipeline language is not read", version.value),
            )
            .help("this program reads `version: 1`"),
        );
    }
    let name = reader.required::<Spanned<String>>("name", decoder);
    let name = name.filter(|name| {
        let good = is_name(&name.value.value);
        if !good {
            decoder.report(
                Diagnostic::at(
                    Code::InvalidName,
                    name.value.span,
                    format!("`{}` is not a name", name.value.value),
                )
                .help("a name has lower-case letters, digits and `_`, and begins with a letter"),
            );
        }
        good
    });
    let description = reader.optional::<String>("description", decoder);
    let as_of = match inputs.as_of {
        Some(as_of) => {
            reader.take("as_of");
            Some(Setting::default_of(as_of))
        }
        None => match reader.take("as_of") {
            Some(node) => {
                AsOf::decode(node, decoder).map(|value| Setting { value, span: Some(node.span) })
            }
            None => {
                decoder.report(
                    Diagnostic::at(Code::MissingKey, top, "a pipeline needs the key `as_of`").help(
                        "`as_of` is the first day that is not seen; write a date, or `as_of: latest` for the \
                         day after the last event, here or as `--as-of`",
                    ),
                );
                None
            }
        },
    };
    let timezone = reader.optional::<Spanned<String>>("timezone", decoder);
    let calendar_options = reader.optional::<CalendarOptions>("calendar", decoder);
    let level = reader.optional::<Share>("level", decoder);
    if let Some(level) = &level
        && !(0.0 < level.value.0 && level.value.0 < 1.0)
    {
        decoder.report(Diagnostic::at(
            Code::InvalidValue,
            level.place(top),
            "`level` lies between 0% and 100%",
        ));
    }
    let seed = reader.optional::<i64>("seed", decoder);
    reader.take("env");
    reader.take("params");

    let (mut sources, mut broken) = (Vec::new(), BTreeSet::new());
    match reader.take("sources") {
        Some(node) => {
            for (name, node) in decoder.named(node, "sources") {
                let source = source::decode(&name, node, decoder);
                if source.is_none() {
                    broken.insert(name.value.clone());
                }
                sources.extend(source);
            }
        }
        None => missing(top, "sources", decoder),
    }
    let segments =
        reader.take("segments").map(|node| segment::decode(node, decoder)).unwrap_or_default();
    let metrics = match reader.take("metrics") {
        Some(node) => decoder
            .named(node, "metrics")
            .into_iter()
            .map(|(name, node)| (name, node.clone()))
            .collect(),
        None => Vec::new(),
    };
    let mut stages = Vec::new();
    match reader.take("stages") {
        Some(node) => {
            for (name, node) in decoder.named(node, "stages") {
                let stage = stage(&name, node, bodies, decoder);
                if stage.is_none() {
                    broken.insert(name.value.clone());
                }
                stages.extend(stage);
            }
        }
        None => missing(top, "stages", decoder),
    }
    let checks = match reader.take("checks") {
        Some(node) => decoder
            .named(node, "checks")
            .into_iter()
            .map(|(name, node)| (name, node.clone()))
            .collect(),
        None => Vec::new(),
    };
    let outputs =
        outputs(reader.take("outputs"), name.as_ref().map(|n| n.value.value.as_str()), decoder);
    let report = match reader.take("report") {
        Some(node) => ReportOptions::decode(node, decoder),
        None => Some(default_report()),
    };
    reader.finish(decoder);

    let calendar = calendar(&timezone, &calendar_options, decoder);
    let seed = seed.unwrap_or(Setting::default_of(1));
    let level = level.unwrap_or(Setting::default_of(Share(0.95)));
    // With a stand-in for what is missing, the rest can be looked at all the same.
    let as_of = as_of.unwrap_or(Setting::default_of(AsOf::At(Instant::Date(0))));
    let latest = (as_of.value == AsOf::Latest).then(|| as_of.place(top));
    let mut settings = vec![(
        "as_of".to_owned(),
        as_of.value.show(),
        as_of.is_default() && inputs.as_of.is_none(),
    )];
    let zone = timezone.as_ref().map_or("UTC".to_owned(), |zone| zone.value.value.clone());
    settings.push(("timezone".into(), zone, timezone.is_none()));
    settings.push((
        "calendar".into(),
        format!("weeks start on {}, years in {}", calendar.week_starts(), calendar.year_starts()),
        calendar_options.is_none(),
    ));
    settings.push(("level".into(), level.value.show(), level.is_default()));
    settings.push(("seed".into(), seed.value.show(), seed.is_default()));
    Some(Pipeline {
        name: name.map_or_else(|| "pipeline".to_owned(), |name| name.value.value),
        description: description.map(|setting| setting.value),
        as_of: match as_of.value {
            AsOf::At(instant) => instant,
            AsOf::Latest => Instant::Date(0),
        },
        latest,
        calendar,
        level: level.value.0,
        seed: seed.value,
        parameters,
        sources,
        broken,
        segments,
        metrics,
        stages,
        checks,
        outputs,
        report: report.unwrap_or_else(default_report),
        settings,
    })
}

fn missing(top: Span, key: &str, decoder: &mut Decoder) {
    decoder.report(Diagnostic::at(
        Code::MissingKey,
        top,
        format!("a pipeline needs the key `{key}`"),
    ));
}

fn default_report() -> ReportOptions {
    ReportOptions {
        title: Setting::default_of(None),
        formats: Setting::default_of(ReportFormat::ALL.to_vec()),
        sections: Setting::default_of(None),
        language: Setting::default_of("en".into()),
        top: Setting::default_of(20),
    }
}

fn calendar(
    timezone: &Option<Setting<Spanned<String>>>,
    options: &Option<Setting<CalendarOptions>>,
    decoder: &mut Decoder,
) -> Calendar {
    let zone = timezone.as_ref().map_or("UTC", |zone| zone.value.value.as_str());
    let (week_starts, year_starts) =
        options.as_ref().map_or((Weekday::Monday, Month::January), |options| {
            (options.value.week_starts.value, options.value.year_starts.value)
        });
    if let Some(calendar) = Calendar::new(zone, week_starts, year_starts) {
        return calendar;
    }
    if let Some(zone) = timezone {
        let zones = Calendar::zones();
        decoder.report(Diagnostic::unknown(
            Code::InvalidValue,
            zone.value.span,
            format!("`{}` is not a time zone", zone.value.value),
            &zone.value.value,
            zones.iter().map(String::as_str),
        ));
    }
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
    let from = reader.required::<Spanned<String>>("from", decoder);
    let condition = reader.optional::<Expression>("where", decoder);
    let publish = reader.optional::<bool>("publish", decoder);
    let description = reader.optional::<String>("description", decoder);
    let rest: Vec<&(Spanned<String>, Node)> = reader.rest().collect();
    let (kinds, others): (Vec<_>, Vec<_>) =
        rest.into_iter().partition(|(key, _)| bodies.kinds.contains(&key.value.as_str()));
    let common = ["from", "where", "publish", "description"];
    let mut body = None;
    match kinds.as_slice() {
        [(kind, node)] => {
            for (key, value) in &others {
                decoder.unknown_key(Code::UnknownKey, &what, key, value, common);
            }
            body = Some((kind.clone(), (bodies.decode)(&kind.value, node, decoder)));
        }
        [] => {
            for (key, value) in &others {
                let known = || bodies.kinds.iter().copied().chain(common);
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
    let (kind, body) = body?;
    Some(StageSpec {
        name: name.clone(),
        from: from?.value,
        condition: condition.map(|setting| setting.value),
        kind,
        body,
        publish: publish.map(|setting| setting.value),
        description: description.map(|setting| setting.value),
    })
}

fn outputs(node: Option<&Node>, name: Option<&str>, decoder: &mut Decoder) -> Outputs {
    let mut outputs = Outputs {
        directory: Setting::default_of(format!("out/{}", name.unwrap_or("pipeline"))),
        tables: Vec::new(),
        keep_runs: Setting::default_of(3),
    };
    let Some(mut reader) = node.and_then(|node| decoder.map(node, "`outputs`")) else {
        return outputs;
    };
    if let Some(directory) = reader.optional::<String>("directory", decoder) {
        let path = directory.value.trim_end_matches('/').to_owned();
        if std::path::Path::new(&path).file_name().is_none() {
            decoder.report(Diagnostic::at(
                Code::InvalidValue,
                directory.place(reader.span()),
                format!("`{}` does not name a folder to make", directory.value),
            ));
        }
        outputs.directory = Setting { value: path, span: directory.span };
    }
    if let Some(keep) = reader.optional::<i64>("keep_runs", decoder) {
        if keep.value < 1 {
            decoder.report(Diagnostic::at(
                Code::InvalidValue,
                keep.place(reader.span()),
                "`keep_runs` is at least 1",
            ));
        }
        outputs.keep_runs = keep;
    }
    if let Some(node) = reader.take("tables") {
        for (name, node) in decoder.named(node, "tables") {
            let Some(options) = TableOptions::decode(node, decoder) else { continue };
            if options.row_group_rows.value < 1 {
                decoder.report(Diagnostic::at(
                    Code::InvalidValue,
                    options.row_group_rows.place(name.span),
                    "`row_group_rows` is at least 1",
                ));
                continue;
            }
            outputs.tables.push((name, options));
        }
    }
    reader.finish(decoder);
    outputs
}
