//! Whether fitted models can be relied on.

use std::collections::BTreeMap;

use super::{amount, column, label, percent};
use crate::frame::{Frame, Value};
use crate::report::{Block, Notice, Severity, Unit as ReportUnit};
use crate::stats::Termination;

/// From this correlation on, spend that the model takes to be independent of frequency is not.
/// Source: the warning of the R package `clvkit`.
const CORRELATED: f64 = 0.3;

/// What makes a fit doubtful; a notice names all fits of which it is true.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Doubt {
    /// The search ended otherwise than on top.
    Unfinished { model: String, termination: String },
    /// Any parameters fit as well.
    Nothing { model: String },
    /// Nobody bought again; of a curve of retention, nobody left.
    Nobody { model: String },
    /// These parameters are not identified.
    Unknown { model: String, parameters: Vec<String> },
    /// There is no difference between customers to fit a model to.
    Alike { model: String },
    /// Spend goes with frequency.
    Correlated { model: String },
}

impl Doubt {
    fn notice(&self, fits: &[String]) -> Notice {
        let of = fits.join("; ");
        let (title, text) = match self {
            Doubt::Unfinished { model, termination } => (
                "A fit that did not converge",
                format!(
                    "`{model}` ended with `{termination}` ({of}): do not rely on what rests on it."
                ),
            ),
            Doubt::Nothing { model } => (
                "Data that tell nothing",
                format!(
                    "Whatever the parameters of `{model}`, they fit these customers as well ({of}): nobody was \
                     observed for long enough. The estimates are where the search began, all intervals are \
                     open, and forecasts that rest on them say nothing."
                ),
            ),
            Doubt::Nobody { model } if is_curve(model) => (
                "Nobody left",
                format!(
                    "Of these customers nobody left while they were observed ({of}), so the best curve of \
                     `{model}` is level, and any that falls slowly enough fits nearly as well."
                ),
            ),
            Doubt::Nobody { model } => (
                "Nobody came back",
                format!(
                    "Of these customers nobody bought again while they were observed ({of}), so the best rate of \
                     `{model}` is 0, and any that is low enough fits nearly as well. Next to nothing is expected \
                     of them; how often customers come back, and when they stop, the data do not tell."
                ),
            ),
            Doubt::Unknown { model, parameters } => (
                "Parameters that the data do not tell",
                format!(
                    "{} of `{model}` ({of}): values far from the estimate fit as well. Forecasts about as \
                     long as the time observed hardly depend on them; those far beyond it may.",
                    parameters.join(", ")
                ),
            ),
            Doubt::Alike { model } => (
                "Everybody spends the same",
                format!(
                    "The mean purchase of all repeat buyers is the same to five digits ({of}), so `{model}` \
                     has no parameters to tell: that mean is what anybody is expected to spend."
                ),
            ),
            Doubt::Correlated { model } => (
                "Spend goes with frequency",
                format!(
                    "`{model}` takes them to be independent, and they are not ({of}): the lifetime value of \
                     frequent buyers is off."
                ),
            ),
        };
        Notice { severity: Severity::Warning, title: title.to_owned(), text }
    }
}

/// A notice for what makes fits doubtful, and how the forecast fared against the holdout. The tables are
/// `clv`'s companions `fits` and `parameters`.
pub(super) fn fits(by: &[String], fits: &Frame, parameters: Option<&Frame>) -> Vec<Block> {
    let at = |name: &str, row: usize| column(fits, name)(row);
    let number = |name: &str, row: usize| at(name, row).as_f64();
    // Fits that know nothing, of which no total is told.
    let (mut fared, mut empty) = (Vec::new(), Vec::new());
    let mut doubts: BTreeMap<Doubt, Vec<String>> = BTreeMap::new();
    for row in 0..fits.rows() {
        let [model, fit] = ["model", "fit"].map(|name| at(name, row).to_string());
        let which = by.iter().map(|name| label(&at(name, row))).chain([fit.clone()]);
        let which = which.collect::<Vec<_>>().join(", ");
        let mut doubt = |doubt: Doubt, fit: String| doubts.entry(doubt).or_default().push(fit);
        if at("converged", row) == Value::Bool(false) {
            let termination = at("termination", row).to_string();
            doubt(Doubt::Unfinished { model: model.clone(), termination }, which.clone());
        }
        let ended = |with: Termination| at("termination", row) == Value::text(with.word());
        if ended(Termination::Limit) {
            doubt(Doubt::Alike { model: model.clone() }, which.clone());
        } else if ended(Termination::NoInformation) {
            doubt(Doubt::Nothing { model: model.clone() }, which.clone());
            empty.push(row);
        } else if ended(Termination::NoEvents) {
            doubt(Doubt::Nobody { model: model.clone() }, which.clone());
        } else if let Some(frame) = parameters {
            let parameters = unidentified(frame, by, fits, row);
            if !parameters.is_empty() {
                doubt(Doubt::Unknown { model: model.clone(), parameters }, which.clone());
            }
        }
        let correlation = number("spend_correlation", row).filter(|c| c.abs() >= CORRELATED);
        if let Some(correlation) = correlation
            && model == "gamma_gamma"
        {
            doubt(Doubt::Correlated { model }, format!("{which}: correlation {correlation:.2}"));
        }
        let tested = ["holdout_actual", "holdout_expected", "bias"].map(|name| number(name, row));
        if let [Some(actual), Some(expected), Some(bias)] = tested
            && by.is_empty()
        {
            let naive = number("naive_bias", row)
                .map(|naive| format!("; each customer's rate carried on: {}", signed(naive)))
                .unwrap_or_default();
            let count = |value: f64| amount(&Value::Int(value.round() as i64), &ReportUnit::Count);
            fared.push(Block::Paragraph(format!(
                "In the holdout the customers made {} purchases where {} were expected ({}{naive}).",
                count(actual),
                count(expected),
                signed(bias)
            )));
        }
    }
    fared.extend(choices(by, fits));
    fared.extend(totals(by, fits, &empty));
    let notices = doubts.iter().map(|(doubt, fits)| Block::Notice(doubt.notice(fits)));
    notices.chain(fared).collect()
}

/// Why a model was taken among several: their figures, of each cell.
fn choices(by: &[String], fits: &Frame) -> Vec<Block> {
    let at = |name: &str, row: usize| column(fits, name)(row);
    let mut candidates: BTreeMap<(Vec<Value>, Value), Vec<usize>> = BTreeMap::new();
    for row in 0..fits.rows() {
        let cell = by.iter().map(|name| at(name, row)).collect();
        if at("model", row) != Value::text("gamma_gamma") {
            candidates.entry((cell, at("fit", row))).or_default().push(row);
        }
    }
    let several = candidates.into_iter().filter(|(_, rows)| rows.len() > 1);
    let sentence = |((cell, fit), rows): ((Vec<Value>, Value), Vec<usize>)| {
        let chosen = *rows.iter().find(|&&row| at("chosen", row) == Value::Bool(true))?;
        // Models of purchases are judged by the holdout, if there is one: by the errors of customers, and where
        // these do not tell models apart, by the cumulative curve.
        let tested = at("rmse", chosen) != Value::Null;
        let curves = tested && at("tracking_mape", chosen) != Value::Null;
        let figure = |row: usize| {
            let aic = || at("aic", row).as_f64().map(|aic| format!("{aic:.1}"));
            let rmse = || at("rmse", row).as_f64().map(|rmse| format!("{rmse:.4}"));
            let own = if tested { rmse() } else { aic() }?;
            let curve = at("tracking_mape", row).as_f64().filter(|_| curves);
            Some(curve.map_or(own.clone(), |off| format!("{own} ({})", percent(off))))
        };
        let others: Vec<String> = rows
            .iter()
            .filter(|&&row| row != chosen)
            .filter_map(|&row| Some(format!("`{}` {}", at("model", row), figure(row)?)))
            .collect();
        let what = match tested {
            true if curves => {
                "root of the mean squared error in the holdout (and the mean error of its cumulative curve, which \
                 decides where the first does not tell models apart)"
            }
            true => "root of the mean squared error in the holdout",
            false => "Akaike criterion",
        };
        let cell: Vec<String> = cell.iter().map(label).collect();
        let of = if cell.is_empty() { String::new() } else { format!(" of {}", cell.join(", ")) };
        Some(Block::Paragraph(format!(
            "`{}` was taken for the fit `{fit}`{of}: its {what} is {}, that of {}.",
            at("model", chosen),
            figure(chosen)?,
            others.join(", ")
        )))
    };
    several.filter_map(sentence).take(MOST).collect()
}

/// Most sentences of one sort.
const MOST: usize = 6;

/// What all customers together are expected to buy and to be worth, of a few cells, but not of these fits.
fn totals(by: &[String], fits: &Frame, without: &[usize]) -> Vec<Block> {
    let at = |name: &str, row: usize| column(fits, name)(row);
    let unit = |name: &str| {
        fits.schema.field(name).map(|field| super::unit_of(&field.unit)).unwrap_or_default()
    };
    let told = |name: &str, row: usize| {
        let unit = unit(name);
        let value = at(name, row);
        let shown = |value: &Value| match unit {
            // Expectations are no whole numbers; a sum of them is told like one.
            ReportUnit::Count => {
                let whole = value.as_f64().unwrap_or(0.0).round() as i64;
                amount(&Value::Int(whole), &unit)
            }
            _ => amount(value, &unit),
        };
        let bounds = [at(&format!("{name}_low"), row), at(&format!("{name}_high"), row)];
        value.as_f64()?;
        Some(match &bounds {
            [Value::Null, _] | [_, Value::Null] => shown(&value),
            [low, high] => format!("{} ({} to {})", shown(&value), shown(low), shown(high)),
        })
    };
    let sentence = |row: usize| {
        let purchases = told("expected_purchases_sum", row)?;
        let cell: Vec<String> = by.iter().map(|name| label(&at(name, row))).collect();
        let of = if cell.is_empty() { String::new() } else { format!(" of {}", cell.join(", ")) };
        let worth =
            told("clv_sum", row).map(|worth| format!(", worth {worth}")).unwrap_or_default();
        Some(Block::Paragraph(format!(
            "Over the horizon the customers{of} are expected to make {purchases} purchases{worth}."
        )))
    };
    let told = (0..fits.rows()).filter(|row| !without.contains(row));
    told.filter_map(sentence).take(MOST).collect()
}

/// The parameters of a fit that are not identified, between backticks.
fn unidentified(parameters: &Frame, by: &[String], fits: &Frame, fit: usize) -> Vec<String> {
    let keys = || by.iter().map(String::as_str).chain(["fit", "model"]);
    let same =
        |row: usize| keys().all(|name| column(parameters, name)(row) == column(fits, name)(fit));
    let at = |name: &str, row: usize| column(parameters, name)(row);
    let unknown = |row: &usize| at("identified", *row) == Value::Bool(false);
    let own = (0..parameters.rows()).filter(|&row| same(row)).filter(unknown);
    own.map(|row| format!("`{}`", at("parameter", row))).collect()
}

fn is_curve(model: &str) -> bool {
    matches!(model, "sbg" | "bdw")
}

fn signed(share: f64) -> String {
    let sign = if share >= 0.0 { "+" } else { "" };
    format!("{sign}{}", percent(share))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::frame::{DataType, Field, Schema, Unit};

    fn frame(columns: &[(&str, DataType)], rows: &[Vec<Value>]) -> Frame {
        let unit = |name: &str| if name.ends_with("_sum") { Unit::Count } else { Unit::None };
        let field = |&(name, data_type): &(&str, DataType)| {
            Field::new(name, data_type).with_unit(unit(name))
        };
        let fields = columns.iter().map(field);
        Frame::from_rows(Arc::new(Schema::new(fields.collect())), rows).expect("the rows fit")
    }

    /// A row of `fits` with the purchases that are expected of its customers.
    fn fit(
        plan: &str,
        model: &str,
        end: Termination,
        correlation: f64,
        expected: f64,
    ) -> Vec<Value> {
        let mut row = [plan, "final", model, end.word()].map(Value::text).to_vec();
        let converged = end != Termination::IterationLimit;
        row.extend([Value::Bool(converged), Value::Float(correlation), Value::finite(expected)]);
        row
    }

    fn fits_of(rows: &[Vec<Value>]) -> Frame {
        use DataType::{Bool, Float64, String};
        let columns = [
            ("plan", String),
            ("fit", String),
            ("model", String),
            ("termination", String),
            ("converged", Bool),
            ("spend_correlation", Float64),
            ("expected_purchases_sum", Float64),
        ];
        frame(&columns, rows)
    }

    fn parameter(plan: &str, model: &str, name: &str, identified: bool) -> Vec<Value> {
        let words = [plan, "final", model, name].map(Value::text);
        let bound = if identified { Value::Float(1.0) } else { Value::Null };
        words.into_iter().chain([Value::Bool(identified), bound.clone(), bound]).collect()
    }

    fn parameters_of(rows: &[Vec<Value>]) -> Frame {
        use DataType::{Bool, Float64, String};
        let columns = [
            ("plan", String),
            ("fit", String),
            ("model", String),
            ("parameter", String),
            ("identified", Bool),
            ("low", Float64),
            ("high", Float64),
        ];
        frame(&columns, rows)
    }

    fn texts(blocks: &[Block]) -> Vec<&str> {
        let blocks = blocks.iter().map(|block| match block {
            Block::Notice(notice) => notice.text.as_str(),
            Block::Paragraph(text) => text.as_str(),
            other => panic!("{other:?} is no text"),
        });
        blocks.collect()
    }

    /// One fit ended early, one parameter of another is not known, and spend goes with frequency.
    #[test]
    fn each_doubt_is_one_notice_that_names_its_fits() {
        use Termination::{Converged, IterationLimit};
        let found = fits_of(&[
            fit("a", "bg_nbd", IterationLimit, 0.1, f64::NAN),
            fit("a", "gamma_gamma", Converged, 0.1, f64::NAN),
            fit("b", "bg_nbd", IterationLimit, -0.4, f64::NAN),
            fit("b", "gamma_gamma", Converged, -0.4, f64::NAN),
        ]);
        let parameters = parameters_of(&[
            parameter("a", "bg_nbd", "r", true),
            parameter("b", "bg_nbd", "r", true),
            parameter("b", "bg_nbd", "a", false),
            parameter("b", "bg_nbd", "b", false),
        ]);
        let blocks = fits(&["plan".to_owned()], &found, Some(&parameters));
        let texts = texts(&blocks);
        let [unfinished, unknown, correlated] = texts.as_slice() else { panic!("{texts:?}") };
        assert!(unfinished.contains("`iteration_limit` (a, final; b, final)"), "{unfinished}");
        assert!(unknown.starts_with("`a`, `b` of `bg_nbd` (b, final)"), "{unknown}");
        assert!(correlated.contains("(b, final: correlation -0.40)"), "{correlated}");
    }

    /// Whether the data tell nothing is what the fit says, not what its open bounds look like: nobody who came
    /// back leaves them as open, and so may spend that hardly differs.
    #[test]
    fn open_bounds_alone_do_not_mean_that_the_data_tell_nothing() {
        use Termination::{Flat, NoEvents, NoInformation};
        let found = fits_of(&[
            fit("a", "bg_nbd", NoInformation, 0.0, 5.0),
            fit("b", "bg_nbd", NoEvents, 0.0, 7.0),
            fit("c", "gamma_gamma", Flat, 0.0, f64::NAN),
            fit("d", "sbg", NoEvents, 0.0, f64::NAN),
        ]);
        let unknown = [
            ("a", "bg_nbd", "r"),
            ("b", "bg_nbd", "r"),
            ("c", "gamma_gamma", "p"),
            ("d", "sbg", "beta"),
        ];
        let rows = unknown.map(|(plan, model, name)| parameter(plan, model, name, false));
        let blocks = fits(&["plan".to_owned()], &found, Some(&parameters_of(&rows)));
        let titles: Vec<&str> = blocks
            .iter()
            .filter_map(|block| match block {
                Block::Notice(notice) => Some(notice.title.as_str()),
                _ => None,
            })
            .collect();
        let expected = [
            "Data that tell nothing",
            "Nobody came back",
            "Nobody left",
            "Parameters that the data do not tell",
        ];
        assert_eq!(titles, expected);
        let texts = texts(&blocks);
        assert!(texts[0].contains("`bg_nbd`") && texts[0].contains("(a, final)"), "{texts:?}");
        assert!(texts[3].starts_with("`p` of `gamma_gamma` (c, final)"), "{texts:?}");
        // Of what rests on nothing no total is told; of those who do not come back one is.
        assert_eq!(
            texts[4..],
            ["Over the horizon the customers of b are expected to make 7 purchases."]
        );
    }
}
