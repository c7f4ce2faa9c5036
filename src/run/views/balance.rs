//! Balances such as the net promoter score: who is for, who is against, and who is neither.

use super::{Context, amount, capital, column, spoken, written};
use crate::frame::Value;
use crate::report::{Block, Chart, Part, Stacks, Unit as ReportUnit};

pub(super) fn balance(context: &Context, x: &str, metric: &str) -> (Vec<String>, Vec<Block>) {
    let frame = context.frame;
    let label = written(frame, x);
    let (xs, over) = (column(frame, x), column(frame, "complete"));
    let of = |suffix: &str| column(frame, &format!("{metric}{suffix}"));
    let (plus, minus, n) = (of("_plus"), of("_minus"), of("_n"));
    let share = |row: usize, part: f64| {
        let all = n(row).as_f64().filter(|all| *all > 0.0)?;
        (over(row) != Value::Bool(false)).then_some(part / all)
    };
    let number = |value: Value| value.as_f64().unwrap_or(0.0);
    let rows = || 0..frame.rows();
    let part =
        |name: &str, below, values: Vec<Option<f64>>| Part { name: name.to_owned(), below, values };
    let rest = |row: usize| number(n(row)) - number(plus(row)) - number(minus(row));
    let (for_it, against) = match metric {
        "nps" => ("promoters", "detractors"),
        _ => ("for", "against"),
    };
    let parts = vec![
        part(for_it, false, rows().map(|row| share(row, number(plus(row)))).collect()),
        part(
            if metric == "nps" { "passives" } else { "neither" },
            false,
            rows().map(|row| share(row, rest(row))).collect(),
        ),
        part(against, true, rows().map(|row| share(row, number(minus(row)))).collect()),
    ];
    let title = capital(&metric.replace('_', " "));
    let chart = Chart::Stacks(Stacks {
        title: format!("{title} by {x}: who is for and who against"),
        description: Some(format!(
            "Shares of the answers; what hangs below the axis counts against. The {} is the first part less \
             the last, times 100.",
            title
        )),
        x_label: x.to_owned(),
        y_label: "share of answers".to_owned(),
        unit: ReportUnit::Share,
        x: rows().map(|row| label(&xs(row))).collect(),
        parts,
        balance: true,
    });
    (sentence(context, x, metric, &title).into_iter().collect(), vec![Block::Chart(chart)])
}

/// The last period that is over and has answers, beside the one before.
fn sentence(context: &Context, x: &str, metric: &str, title: &str) -> Option<String> {
    let frame = context.frame;
    let label = spoken(frame, x);
    let at = |suffix: &str, row: usize| column(frame, &format!("{metric}{suffix}"))(row);
    let over = |row: usize| column(frame, "complete")(row) != Value::Bool(false);
    let mut known = (0..frame.rows()).rev().filter(|&row| over(row) && !at("", row).is_null());
    let (last, before) = (known.next()?, known.next());
    let points = |value: Value| value.as_f64().map(|points| format!("{points:.1}"));
    let bounds = points(at("_low", last)).zip(points(at("_high", last)));
    let bounds = bounds.map_or(String::new(), |(low, high)| format!(" ({low} to {high})"));
    let earlier = before.and_then(|row| {
        Some(format!(", after {} in {}", points(at("", row))?, label(&column(frame, x)(row))))
    });
    Some(format!(
        "{title} in {}: {}{bounds} of {} answers{}.",
        label(&column(frame, x)(last)),
        points(at("", last))?,
        amount(&at("_n", last), &ReportUnit::Count),
        earlier.unwrap_or_default()
    ))
}
