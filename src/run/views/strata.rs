//! How a sample stands to its population.

use super::{Context, amount, column, label, percent};
use crate::frame::Value;
use crate::report::Unit as ReportUnit;

/// How many were drawn, how far their shares are from those of the population, and what weights cost.
pub(super) fn sentences(context: &Context, who: &str) -> Vec<String> {
    let frame = context.frame;
    let at = |name: &str, row: usize| column(frame, name)(row);
    let number = |name: &str, row: usize| at(name, row).as_f64().unwrap_or(0.0);
    let hidden = |row: &usize| at("suppressed", *row) == Value::Bool(true);
    let rows = || (0..frame.rows()).filter(|row| !hidden(row));
    let sum = |name: &str| rows().map(|row| number(name, row)).sum::<f64>();
    let (population, sampled) = (sum("population"), sum("sampled"));
    if sampled == 0.0 && rows().count() < frame.rows() {
        return vec!["The strata have few customers and are hidden.".to_owned()];
    }
    if sampled == 0.0 {
        return vec![format!("There are no {who} to draw from.")];
    }
    let count = |value: f64| amount(&Value::Int(value as i64), &ReportUnit::Count);
    let shown = rows().count();
    let strata = match shown {
        1 => String::new(),
        n => format!(" from {n} strata"),
    };
    let mut text = format!(
        "{} of {} {who} were drawn{strata} ({}).",
        count(sampled),
        count(population),
        percent(sampled / population)
    );
    let apart = |row: usize| (number("share_sampled", row) - number("share_population", row)).abs();
    let widest = rows().max_by(|&a, &b| apart(a).total_cmp(&apart(b)).then(b.cmp(&a)));
    match widest.filter(|_| shown > 1) {
        None => {}
        Some(row) if apart(row) < 0.0005 => {
            text.push_str(" Every stratum has its share of the population, to a tenth of a percent.");
        }
        Some(row) => text.push_str(&format!(
            " Furthest from its share of the population is `{}`: {} of the sample, {} of the population.",
            label(&at("stratum", row)),
            percent(number("share_sampled", row)),
            percent(number("share_population", row))
        )),
    }
    let squares: f64 =
        rows().map(|row| number("sampled", row) * number("weight", row).powi(2)).sum();
    let effective = population * population / squares;
    text.push_str(&match effective >= sampled * 0.9995 {
        true => " The weights are alike, so that the sample is worth its full size.".to_owned(),
        false => format!(
            " Weights make up for that; with them the sample is worth {} that are weighted alike.",
            count(effective.round())
        ),
    });
    if shown < frame.rows() {
        text.push_str(" Strata of few customers are hidden, and left out of this.");
    }
    vec![text]
}
