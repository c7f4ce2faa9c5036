//! Metrics by name: the pipeline's own and the built-in ones.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::grouped::Top;
use super::lowering::IntervalMethod;
use super::registry::{Metric, MetricKind, find, meant, registry};
use super::statistic::Statistic;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Spanned};
use crate::document::{
    Decode, Decoder, Expression, Field, Node, NodeKind, Options, Setting, Several, schema,
    summary_of,
};
use crate::ir::parse::next_tables;

crate::choice! {
    /// Which way a metric is good.
    pub enum Direction {
        Higher = "higher",
        Lower = "lower",
        Neither = "neither",
    }
}

crate::options! {
    /// What every metric takes besides its kind.
    struct CommonKeys("a metric") {
        /// The table that is measured; absent: that of the stage. A stage all of whose metrics say it needs no
        /// `from`.
        from: Option<Spanned<String>> = None,
        /// Rows for which this is not true are not measured.
        r#where: Option<Expression> = None,
        /// The time by which rows are in the periods of a calendar grain: a column, or an expression; absent: that
        /// of the table. Built-in metrics and ratios take none.
        time: Option<Expression> = None,
        /// What rows of a cell are put together by first, such as their customer: an expression, or a list of such.
        /// The metric is then of these groups, and its expressions read rows within `count()`, `sum(…)`, `last(…)` and
        /// the like. Built-in metrics and ratios take none.
        per: Option<Several<Expression>> = None,
        /// Of the groups of `per` only those with the highest values of something.
        top: Option<Top> = None,
        /// The unit, for reports.
        unit: Option<Spanned<String>> = None,
        /// How an interval is found.
        interval: IntervalMethod = IntervalMethod::Auto,
        /// Which way the metric is good.
        direction: Direction = Direction::Neither,
        /// What it means.
        description: Option<String> = None,
    }
}

/// A metric of the pipeline's `metrics` block.
#[derive(Debug)]
pub struct Declared {
    pub name: Spanned<String>,
    pub kind: &'static str,
    pub metric: Box<dyn Metric>,
    /// The table that it is measured of, if it says.
    pub from: Option<Spanned<String>>,
    pub condition: Option<Expression>,
    /// Another time than that of the table.
    pub time: Option<Expression>,
    /// What rows are put together by before they are measured.
    pub per: Option<Several<Expression>>,
    /// Which of what they make is measured.
    pub top: Option<Top>,
    /// The tables of which its expressions look for the next row.
    pub next_of: Vec<Spanned<String>>,
    pub unit: Option<Spanned<String>>,
    pub interval: Setting<IntervalMethod>,
    /// What it says, or what its kind says.
    pub direction: Direction,
    pub description: Option<String>,
}

/// All metrics that a stage may name.
#[derive(Debug, Default)]
pub struct Catalog {
    declared: Vec<Declared>,
    /// Which of them were asked for.
    named: RefCell<BTreeSet<String>>,
    /// Metrics that are there but wrong, which is noted.
    broken: Vec<String>,
}

/// A metric found by name.
pub enum Found<'a> {
    Declared(&'a Declared),
    BuiltIn(&'static MetricKind, Box<dyn Metric>),
}

impl Catalog {
    /// The keys of a declared metric beside its kind.
    pub fn common_fields() -> Vec<Field> {
        CommonKeys::fields()
    }

    /// What a declared metric takes, as a JSON Schema.
    pub fn json_schema() -> Json {
        let kinds = registry().iter();
        let kinds = kinds.map(|kind| (kind.name, summary_of(kind.source), (kind.fields)()));
        schema::one_kind(&Self::common_fields(), kinds)
    }

    /// Reads the `metrics` block.
    pub fn read(entries: &[(Spanned<String>, Node)], diagnostics: &mut Diagnostics) -> Self {
        let mut decoder = Decoder::new(diagnostics);
        let mut catalog = Catalog::default();
        for (name, node) in entries {
            if built_in(&name.value).is_some() {
                decoder.report(
                    Diagnostic::at(
                        Code::DuplicateName,
                        name.span,
                        format!("`{}` is a built-in metric and can't be redefined", name.value),
                    )
                    .help("give yours another name"),
                );
            }
            match declared(name, node, &mut decoder) {
                Some(declared) => catalog.declared.push(declared),
                None => catalog.broken.push(name.value.clone()),
            }
        }
        catalog
    }

    /// The pipeline's own metric of that name.
    pub fn own(&self, name: &str) -> Option<&Declared> {
        self.declared.iter().find(|declared| declared.name.value == name)
    }

    /// The metric called `name`; an unknown one is noted.
    pub fn resolve(
        &self,
        name: &Spanned<String>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Found<'_>> {
        if let Some(declared) = self.own(&name.value) {
            self.named.borrow_mut().insert(name.value.clone());
            return Some(Found::Declared(declared));
        }
        if let Some((kind, metric)) = built_in(&name.value) {
            return Some(Found::BuiltIn(kind, metric));
        }
        if self.broken.contains(&name.value) {
            return None;
        }
        let mut diagnostic = Diagnostic::unknown(
            Code::UnknownMetric,
            name.span,
            format!("there is no metric `{}`", name.value),
            &name.value,
            self.names().iter().map(String::as_str),
        );
        if let Some((kind, _)) = meant(&name.value) {
            diagnostic = diagnostic.help(match kind.statistics {
                true => format!(
                    "say which statistic: `{0}_mean`, `{0}_median`, `{0}_max` or `{0}_p01` to `{0}_p99`",
                    kind.name
                ),
                false => format!(
                    "`{}` is a kind: declare a metric of it under `metrics:` and name that",
                    kind.name
                ),
            });
        }
        diagnostics.push(diagnostic);
        None
    }

    /// The declared metrics that nobody has asked for so far.
    pub fn unnamed(&self) -> Vec<Spanned<String>> {
        let named = self.named.borrow();
        let names = self.declared.iter().map(|declared| declared.name.clone());
        names.filter(|name| !named.contains(&name.value)).collect()
    }

    /// The tables that declared metrics read besides their input, and those that they are made of.
    pub fn reads(&self, names: impl IntoIterator<Item = String>) -> Vec<Spanned<String>> {
        let mut names: Vec<String> = names.into_iter().collect();
        let mut tables = Vec::new();
        let mut next = 0;
        while let Some(name) = names.get(next) {
            next += 1;
            let Some(Declared { metric, from, next_of, .. }) = self.own(name) else { continue };
            tables.extend(from.clone());
            tables.extend(next_of.iter().cloned());
            tables.extend(metric.reads());
            for part in metric.parts() {
                if !names.contains(&part.value) {
                    names.push(part.value.clone());
                }
            }
        }
        tables
    }

    /// The tables that metrics say they are measured of, each with the first of the metrics that reads it.
    pub fn measured_of(
        &self,
        names: impl IntoIterator<Item = String>,
    ) -> Vec<(Spanned<String>, String)> {
        let mut found = Vec::new();
        for name in names {
            self.measured(&name, None, &mut Vec::new(), &mut found);
        }
        found
    }

    fn measured(
        &self,
        name: &str,
        around: Option<&Spanned<String>>,
        path: &mut Vec<String>,
        found: &mut Vec<(Spanned<String>, String)>,
    ) {
        // What is made of itself is noted by whoever lowers it.
        if path.iter().any(|outer| outer == name) {
            return;
        }
        let declared = self.own(name);
        let from = declared.and_then(|declared| declared.from.as_ref()).or(around);
        let parts = declared.map(|declared| declared.metric.parts()).unwrap_or_default();
        let itself = declared.is_none_or(|declared| declared.metric.measures_itself());
        if let Some(from) = from.filter(|_| itself)
            && !found.iter().any(|(known, _)| known.value == from.value)
        {
            found.push((from.clone(), path.first().map_or(name, String::as_str).to_owned()));
        }
        path.push(name.to_owned());
        for part in parts {
            self.measured(&part.value, from, path, found);
        }
        path.pop();
    }

    /// True for the name of a metric, be it well or badly declared.
    pub fn knows(&self, name: &str) -> bool {
        self.broken.iter().any(|broken| broken == name)
            || self.own(name).is_some()
            || built_in(name).is_some()
    }

    /// The names of metrics, of those with many statistics some.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.declared.iter().map(|declared| declared.name.value.clone()).collect();
        names.extend(built_in_names());
        names
    }
}

/// The names of the built-in metrics that need no options, of those with many statistics some.
fn built_in_names() -> Vec<String> {
    let mut names = Vec::new();
    for kind in registry().iter().filter(|kind| kind.built_in) {
        let statistic = kind.statistics.then_some(Statistic::Mean);
        if (kind.plain)(statistic).is_none() {
            continue;
        }
        if kind.statistics {
            let with = ["mean", "median", "max", "p95"];
            names.extend(with.iter().map(|statistic| format!("{}_{statistic}", kind.name)));
        } else {
            names.push(kind.name.to_owned());
        }
    }
    names
}

/// The name of a metric as a pipeline writes it: any text, of which an editor offers the built-in ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricName(pub String);

impl Decode for MetricName {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        String::decode(node, decoder).map(MetricName)
    }
    fn expects() -> String {
        String::expects()
    }
    fn show(&self) -> String {
        self.0.show()
    }
    fn json_schema() -> Json {
        let names = built_in_names();
        let names: Vec<(&str, String)> =
            names.iter().map(|name| (name.as_str(), String::new())).collect();
        schema::any_of([schema::words(&names), schema::text()])
    }
    fn to_json(&self) -> Json {
        self.0.to_json()
    }
}

/// A built-in metric by its bare name or by a name with a statistic.
fn built_in(name: &str) -> Option<(&'static MetricKind, Box<dyn Metric>)> {
    let (kind, statistic) = meant(name)?;
    let named = kind.built_in && kind.statistics == statistic.is_some();
    Some((kind, (kind.plain)(statistic).filter(|_| named)?))
}

fn declared(name: &Spanned<String>, node: &Node, decoder: &mut Decoder) -> Option<Declared> {
    let what = format!("the metric `{}`", name.value);
    let mut reader = decoder.map(node, &what)?;
    let common = CommonKeys::read(&mut reader, decoder);
    let (kinds, others): (Vec<_>, Vec<_>) =
        reader.rest().partition(|(key, _)| find(&key.value).is_some());
    for (key, value) in &others {
        let common = CommonKeys::fields();
        let common = common.iter().map(|field| field.key.as_str());
        let known = registry().iter().map(|kind| kind.name).chain(common);
        decoder.unknown_key(Code::UnknownKey, &what, key, value, known);
    }
    let (kind, body) = match kinds.as_slice() {
        [(kind, body)] => (kind, body),
        [] => {
            if others.is_empty() {
                let names: Vec<&str> = registry().iter().map(|kind| kind.name).collect();
                decoder.report(
                    Diagnostic::at(Code::MissingKey, name.span, format!("{what} has no kind"))
                        .help(format!("give it one of {}", crate::diagnostic::list(&names))),
                );
            }
            return None;
        }
        [(first, _), (second, _), ..] => {
            decoder.report(
                Diagnostic::at(Code::InvalidValue, second.span, format!("{what} has two kinds"))
                    .and(first.span, "the first is here"),
            );
            return None;
        }
    };
    let kind = find(&kind.value)?;
    let metric = (kind.decode)(body, decoder)?;
    let CommonKeys { from, r#where, time, per, top, unit, interval, direction, description } =
        common?;
    if per.value.as_ref().is_some_and(|per| per.0.is_empty()) {
        let message = "`per` names nothing by which rows are put together";
        decoder.report(
            Diagnostic::at(Code::InvalidValue, per.place(name.span), message)
                .help("add such as `per: customer_id`"),
        );
        return None;
    }
    if let (Some(top), None) = (&top.value, &per.value) {
        let place = top.by.place(name.span);
        let message = "`top` is of what `per` puts together, and there is no `per`";
        decoder.report(
            Diagnostic::at(Code::MissingKey, place, message).help("add such as `per: customer_id`"),
        );
        return None;
    }
    let mut next_of = Vec::new();
    let shared = per.value.iter().flat_map(|per| &per.0);
    for written in r#where.value.iter().chain(&time.value).chain(shared) {
        next_of.extend(next_tables(written));
    }
    // What stands in the other kinds are no expressions.
    if !kind.built_in {
        of_expressions(body, &mut |written| next_of.extend(next_tables(written)));
    }
    Some(Declared {
        name: name.clone(),
        kind: kind.name,
        metric,
        from: from.value,
        condition: r#where.value,
        time: time.value,
        per: per.value,
        top: top.value,
        next_of,
        unit: unit.value,
        interval,
        direction: if direction.is_default() { kind.direction } else { direction.value },
        description: description.value,
    })
}

/// Goes through the scalars of the body of a kind, which are expressions, or names and numbers that may be read as
/// such.
fn of_expressions(node: &Node, each: &mut impl FnMut(&Expression)) {
    match &node.kind {
        NodeKind::Map(entries) => {
            entries.iter().for_each(|(_, value)| of_expressions(value, each));
        }
        NodeKind::List(items) => items.iter().for_each(|item| of_expressions(item, each)),
        _ => {
            let mut unheard = Diagnostics::default();
            if let Some(written) = Expression::decode(node, &mut Decoder::new(&mut unheard)) {
                each(&written);
            }
        }
    }
}
