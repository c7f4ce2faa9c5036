//! Whether fitted models can be relied on.

use super::{Context, Segment, amount, column, percent, segments};
use crate::frame::{Frame, Value};
use crate::report::{Block, Notice, Severity, Unit as ReportUnit};

/// From this correlation on, spend that the model takes to be independent of frequency is not.
/// Source: the warning of the R package `clvkit`.
const CORRELATED: f64 = 0.3;

/// A notice for each fit that should not be trusted, and how the forecast fared against the holdout. The
/// columns are those of `clv`'s companions `fits` and `parameters`.
pub(super) fn fits(
    context: &Context,
    by: &[String],
    parameters: Option<&Frame>,
) -> (Vec<String>, Vec<Block>) {
    let at = |name: &str, row: usize| column(context.frame, name)(row);
    let number = |name: &str, row: usize| at(name, row).as_f64();
    let (mut lead, mut blocks) = (Vec::new(), Vec::new());
    let (segments, more) = segments(context, by);
    for Segment { of, rows } in segments {
        for row in rows {
            let [model, fit] = ["model", "fit"].map(|name| at(name, row).to_string());
            let which = if fit == "final" { "" } else { " before the holdout" };
            let mut warn = |title: &str, text: String| {
                let (severity, title) = (Severity::Warning, format!("{title}{of}"));
                blocks.push(Block::Notice(Notice { severity, title, text }));
            };
            if at("converged", row) == Value::Bool(false) {
                warn(
                    "A fit that did not converge",
                    format!(
                        "The fit of `{model}`{which} ended with `{}`: do not rely on what rests on it.",
                        at("termination", row)
                    ),
                );
            }
            let unknown: Vec<String> = parameters
                .map(|frame| unidentified(frame, by, context.frame, row))
                .unwrap_or_default();
            if !unknown.is_empty() {
                let subject = if unknown.len() == 1 { "is" } else { "are" };
                warn(
                    "Parameters that the data do not tell",
                    format!(
                        "{} of `{model}`{which} {subject} not identified: values far from the estimate fit as \
                         well. Forecasts within the time observed change little with them; those far beyond \
                         it may.",
                        unknown.join(", ")
                    ),
                );
            }
            let spending = model == "gamma_gamma" && fit == "final";
            if let Some(correlation) = number("spend_correlation", row)
                && spending
                && correlation.abs() >= CORRELATED
            {
                warn(
                    "Spend goes with frequency",
                    format!(
                        "Their correlation is {correlation:.2}, and `{model}` takes them to be independent: \
                         the lifetime value of frequent buyers is off."
                    ),
                );
            }
            if let (Some(actual), Some(expected), Some(bias)) = (
                number("holdout_actual", row),
                number("holdout_expected", row),
                number("bias", row),
            ) {
                let naive = number("naive_bias", row)
                    .map(|naive| format!("; each customer's rate carried on: {}", signed(naive)))
                    .unwrap_or_default();
                let count =
                    |value: f64| amount(&Value::Int(value.round() as i64), &ReportUnit::Count);
                lead.push(format!(
                    "In the holdout the customers{of} made {} purchases where {} were expected ({}{naive}).",
                    count(actual),
                    count(expected),
                    signed(bias)
                ));
            }
        }
    }
    blocks.extend(more);
    (lead, blocks)
}

/// The parameters of a fit that are not identified, between backticks.
fn unidentified(parameters: &Frame, by: &[String], fits: &Frame, fit: usize) -> Vec<String> {
    let keys = || by.iter().map(String::as_str).chain(["fit", "model"]);
    let same =
        |row: usize| keys().all(|name| column(parameters, name)(row) == column(fits, name)(fit));
    let identified = column(parameters, "identified");
    (0..parameters.rows())
        .filter(|&row| identified(row) == Value::Bool(false) && same(row))
        .map(|row| format!("`{}`", column(parameters, "parameter")(row)))
        .collect()
}

fn signed(share: f64) -> String {
    let sign = if share >= 0.0 { "+" } else { "" };
    format!("{sign}{}", percent(share))
}
