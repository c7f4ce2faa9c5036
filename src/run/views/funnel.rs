//! How far customers come on a way of several steps.

use super::{Context, Segment, amount, column, label, percent, segments};
use crate::frame::Value;
use crate::report::{Block, Chart, Interval, Rank, Ranking, Unit as ReportUnit};

/// Most cells that are compared in one chart.
const MOST_COMPARED: usize = 20;

/// The metrics of answers.
const SURVEYS: [&str; 3] = ["csat", "nps", "ces_low_effort"];

/// What stands beside a bar that is not shown.
const HIDDEN: &str = "hidden";

/// `who` is what is counted: customers or entries.
pub(super) fn funnel(context: &Context, by: &[String], who: &str) -> (Vec<String>, Vec<Block>) {
    let (segments, more) = segments(context, by);
    let (mut lead, mut blocks) = (Vec::new(), Vec::new());
    let compared = segments.len() > 1;
    if compared {
        let (sentence, chart) = compare(context, by, who);
        lead.extend(sentence);
        blocks.push(Block::Chart(chart));
    }
    for Segment { of, rows } in &segments {
        if !compared {
            lead.extend(sentence(context, rows, of, who));
            lead.extend(satisfaction(context, rows, of));
        }
        // Of two steps the comparison shows all there is.
        let shown = rows.iter().any(|&row| !is_hidden(context, row));
        if shown && (!compared || rows.len() > 2) {
            blocks.push(Block::Chart(chart(context, rows, of, who)));
        }
    }
    let hides = (0..context.frame.rows()).any(|row| is_hidden(context, row));
    if compared && hides {
        lead.push(
            "Steps that would tell of few customers are hidden, and left out of this.".into(),
        );
    }
    let shown = (0..context.frame.rows()).filter(|&row| !is_hidden(context, row));
    let unsaid = |name: &str| {
        let answers = format!("{name}_n");
        let asked = context.frame.schema.field(&answers).is_some();
        asked && shown.clone().any(|row| column(context.frame, &answers)(row).is_null())
    };
    if SURVEYS.into_iter().any(unsaid) {
        lead.push("Answers of few customers are hidden.".to_owned());
    }
    blocks.extend(more);
    (lead, blocks)
}

/// Whether a row is one of few customers, or would tell of few.
fn is_hidden(context: &Context, row: usize) -> bool {
    column(context.frame, "suppressed")(row) == Value::Bool(true)
}

/// The share of each cell that came to the end, from most to least.
fn compare(context: &Context, by: &[String], who: &str) -> (Option<String>, Chart) {
    let frame = context.frame;
    let position = column(frame, "position");
    let end = (0..frame.rows()).map(&position).max();
    let mut last: Vec<usize> =
        (0..frame.rows()).filter(|&row| Some(position(row)) == end).collect();
    let reached = |row: usize| share(context, "share_of_first", row);
    last.sort_by(|&a, &b| {
        let of = |row| reached(row).unwrap_or(-1.0);
        of(b).total_cmp(&of(a)).then(a.cmp(&b))
    });
    let columns: Vec<_> = by.iter().map(|name| column(frame, name)).collect();
    let name = |row: usize| columns.iter().map(|of| label(&of(row))).collect::<Vec<_>>().join(", ");
    let bounds = |row: usize| {
        let low = share(context, "share_of_first_low", row)?;
        Some(Interval { low, high: share(context, "share_of_first_high", row)? })
    };
    let ending = last.first().map_or(String::new(), |&row| step(context, row));
    let rank = |&row: &usize| Rank {
        label: name(row),
        value: reached(row),
        interval: bounds(row),
        note: Some(match is_hidden(context, row) {
            true => HIDDEN.to_owned(),
            false => {
                format!("{} {who}", amount(&column(frame, "customers")(row), &ReportUnit::Count))
            }
        }),
    };
    let dimension = by.join(", ").replace('_', " ");
    let known: Vec<usize> = last.iter().copied().filter(|&row| reached(row).is_some()).collect();
    let sentence = known.first().zip(known.last()).map(|(&most, &least)| {
        let of = |row: usize| {
            format!("{} ({})", name(row), reached(row).map(percent).unwrap_or_default())
        };
        match known.len() {
            1 => format!("By {dimension}, only {} is shown to come to `{ending}`.", of(most)),
            _ => format!(
                "Of the cells by {dimension}, {} comes to `{ending}` most often, {} least often.",
                of(most),
                of(least)
            ),
        }
    });
    let chart = Chart::Ranking(Ranking {
        title: format!("Share of {who} that reach {ending}, by {dimension}"),
        description: Some(format!(
            "Of those that entered the journey; the thin line is the {} interval.",
            super::level(context.level)
        )),
        row_label: dimension,
        value_label: format!("share that reach {ending}"),
        unit: ReportUnit::Share,
        rows: last.iter().take(MOST_COMPARED).map(rank).collect(),
    });
    (sentence, chart)
}

fn step(context: &Context, row: usize) -> String {
    label(&column(context.frame, "step")(row)).replace('_', " ")
}

fn share(context: &Context, name: &str, row: usize) -> Option<f64> {
    column(context.frame, name)(row).as_f64()
}

fn chart(context: &Context, rows: &[usize], of: &str, who: &str) -> Chart {
    let rank = |&row: &usize| {
        let first = share(context, "share_of_first", row);
        let lost = share(context, "drop_off", row);
        let notes = [
            first
                .filter(|_| row != rows[0])
                .map(|first| format!("{} of the first", percent(first))),
            lost.map(|lost| format!("{} go no further", percent(lost))),
        ];
        let hidden = is_hidden(context, row).then(|| HIDDEN.to_owned());
        let notes: Vec<String> = notes.into_iter().flatten().chain(hidden).collect();
        Rank {
            label: step(context, row),
            value: column(context.frame, "customers")(row).as_f64(),
            interval: None,
            note: (!notes.is_empty()).then(|| notes.join(", ")),
        }
    };
    Chart::Ranking(Ranking {
        title: format!("{} that reach each step{of}", super::capital(who)),
        description: Some(
            "Each bar holds those of the bar above it who came on in time; the rest went no further."
                .to_owned(),
        ),
        row_label: "step".to_owned(),
        value_label: who.to_owned(),
        unit: ReportUnit::Count,
        rows: rows.iter().map(rank).collect(),
    })
}

/// Who comes to the end, where most are lost, and what takes longest.
fn sentence(context: &Context, rows: &[usize], of: &str, who: &str) -> Option<String> {
    let at = |name: &str, row: usize| column(context.frame, name)(row);
    let (hidden, shown): (Vec<usize>, Vec<usize>) =
        rows.iter().partition(|&&row| is_hidden(context, row));
    let (Some(&first), Some(&last)) = (shown.first(), shown.last()) else {
        return Some(format!("Few customers{of} entered the journey, and it is hidden."));
    };
    let Some(reached) = share(context, "share_of_first", last) else {
        return Some(format!("Nobody{of} entered the journey and has had the time to finish it."));
    };
    let bounds =
        share(context, "share_of_first_low", last).zip(share(context, "share_of_first_high", last));
    let bounds = bounds
        .map_or(String::new(), |(low, high)| format!(" ({} to {})", percent(low), percent(high)));
    let entered = amount(&at("customers", first), &ReportUnit::Count);
    let mut text = match first == last {
        true => format!("{entered} {who}{of} came to `{}`.", step(context, first)),
        false => format!(
            "Of {entered} {who}{of} at `{}`, {}{bounds} reached `{}`.",
            step(context, first),
            percent(reached),
            step(context, last)
        ),
    };
    let names: Vec<String> =
        hidden.iter().map(|&row| format!("`{}`", step(context, row))).collect();
    let [lost_most, longest] = match names.is_empty() {
        true => ["Most", "The longest way"],
        false => {
            text.push_str(&format!(
                " {} would tell of few customers and {} hidden.",
                names.join(", "),
                if names.len() == 1 { "is" } else { "are" }
            ));
            ["Of what is shown most", "The longest way that is shown"]
        }
    };
    let most = |name: &str| {
        let known = rows.iter().filter_map(|&row| Some((row, share(context, name, row)?)));
        known.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
    };
    if let Some((row, lost)) = most("drop_off").filter(|(_, lost)| *lost > 0.0) {
        text.push_str(&format!(
            " {lost_most} are lost after `{}`: {} go no further.",
            step(context, row),
            percent(lost)
        ));
    }
    if let Some((row, hours)) = most("hours_to_next_median") {
        text.push_str(&format!(
            " {longest} is that from `{}` to the next step: {} in the middle.",
            step(context, row),
            span(hours)
        ));
    }
    Some(text)
}

/// Hours as a reader thinks of them.
fn span(hours: f64) -> String {
    match hours {
        minutes if minutes < 1.0 => format!("{:.0} minutes", minutes * 60.0),
        hours if hours < 48.0 => format!("{hours:.1} hours"),
        hours => format!("{:.1} days", hours / 24.0),
    }
}

/// Where customers are least content, if they were asked at more than one step.
fn satisfaction(context: &Context, rows: &[usize], of: &str) -> Option<String> {
    let asked = |name: &str| {
        let known = rows.iter().filter_map(|&row| Some((row, share(context, name, row)?)));
        known.collect::<Vec<_>>()
    };
    let name = SURVEYS.into_iter().find(|name| !asked(name).is_empty())?;
    let known = asked(name);
    let unit = |value: f64| match name {
        "nps" => format!("{value:.1}"),
        _ => percent(value),
    };
    let n =
        |row: usize| amount(&column(context.frame, &format!("{name}_n"))(row), &ReportUnit::Count);
    let title = super::capital(&name.replace('_', " "));
    let answers = |(row, value): &(usize, f64)| {
        format!("{} of {} answers at `{}`", unit(*value), n(*row), step(context, *row))
    };
    match known.as_slice() {
        [] => None,
        [one] => Some(format!("{title}{of}: {}.", answers(one))),
        several => {
            let least = several.iter().min_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)))?;
            let most = several.iter().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))?;
            Some(format!(
                "{title}{of} is lowest at {}; highest at {}.",
                answers(least),
                answers(most)
            ))
        }
    }
}
