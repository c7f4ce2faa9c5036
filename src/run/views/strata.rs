//! How a sample stands to its population.

use super::{Context, amount, column, label, percent};
use crate::frame::{Frame, Value};
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

/// Whether the sample has the shares of the population by each dimension; `shares` has them by value.
pub(super) fn tests(context: &Context, shares: Option<&Frame>) -> Vec<String> {
    let row = |row: usize| test(context, row, shares);
    (0..context.frame.rows()).map(row).collect()
}

fn test(context: &Context, row: usize, shares: Option<&Frame>) -> String {
    let at = |name: &str| column(context.frame, name)(row);
    let dimension = at("dimension");
    let name = label(&dimension).replace('_', " ");
    if at("suppressed") == Value::Bool(true) {
        return format!(
            "How the sample stands by {name} would tell of few customers and is hidden."
        );
    }
    let Some(w) = at("cohens_w").as_f64() else {
        return format!("By {name} no two groups are large enough to test the sample.");
    };
    let (Some(statistic), Some(p)) = (at("chi_square").as_f64(), at("p_value").as_f64()) else {
        return format!(
            "By {name} the way of drawing gives the sample the shares of the population."
        );
    };
    let p_value = if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") };
    let degrees = match at("degrees_of_freedom").as_i64() {
        Some(1) => "1 degree".to_owned(),
        degrees => format!("{} degrees", degrees.unwrap_or(0)),
    };
    let figures =
        format!("chi-square {statistic:.2} with {degrees} of freedom, {p_value}; Cohen's w {w:.2}");
    if p >= 1.0 - context.level {
        return format!(
            "By {name} the sample is as close to the population as chance would have it ({figures})."
        );
    }
    let size = match w {
        w if w < 0.1 => "less than small",
        w if w < 0.3 => "small",
        w if w < 0.5 => "medium",
        _ => "large",
    };
    let mut text = format!(
        "By {name} the sample is further from the population than chance would mostly have it ({figures}, which is {size})."
    );
    let furthest = shares.and_then(|frame| {
        let of = |name: &str, row: usize| column(frame, name)(row);
        let share = |name: &str, row: usize| of(name, row).as_f64();
        let apart = |row: usize| {
            Some((share("share_sampled", row)? - share("share_population", row)?).abs())
        };
        let own = (0..frame.rows()).filter(|&row| of("dimension", row) == dimension);
        let known = own.filter_map(|row| Some((row, apart(row)?)));
        let (row, _) = known.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))?;
        Some(format!(
            " Furthest is `{}`: {} of the weighted sample, {} of the population.",
            label(&of("value", row)),
            percent(share("share_sampled", row)?),
            percent(share("share_population", row)?)
        ))
    });
    text.push_str(&furthest.unwrap_or_default());
    text
}
