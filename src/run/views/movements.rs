//! Customers gained, kept and lost, period by period.

use super::{Context, Segment, amount, column, percent, segments, written};
use crate::frame::Value;
use crate::report::{Block, Chart, Part, Stacks, Unit as ReportUnit};

/// The parts of a bar, from the axis outwards, and whether they hang below it.
const PARTS: [(&str, bool); 4] =
    [("retained", false), ("new", false), ("resurrected", false), ("churned", true)];

pub(super) fn growth(context: &Context, by: &[String]) -> (Vec<String>, Vec<Block>) {
    let frame = context.frame;
    let period = written(frame, "period");
    let (segments, more) = segments(context, by);
    let (mut lead, mut blocks) = (Vec::new(), Vec::new());
    for Segment { of, rows } in segments {
        lead.extend(sentence(context, &rows, &of));
        let parts = PARTS.map(|(name, below)| Part {
            name: name.to_owned(),
            below,
            values: rows.iter().map(|&row| column(frame, name)(row).as_f64()).collect(),
        });
        blocks.push(Block::Chart(Chart::Stacks(Stacks {
            title: format!("Customers gained, kept and lost{of}"),
            description: Some(
                "Above the axis the customers active in the period; below it those of the period before \
                 who were not. A period that is not over is blank."
                    .to_owned(),
            ),
            x_label: "period".to_owned(),
            y_label: "customers".to_owned(),
            unit: ReportUnit::Count,
            x: rows.iter().map(|&row| period(&column(frame, "period")(row))).collect(),
            parts: parts.to_vec(),
            balance: false,
        })));
    }
    blocks.extend(more);
    (lead, blocks)
}

/// What happened in the last period that is over.
fn sentence(context: &Context, rows: &[usize], of: &str) -> Option<String> {
    let frame = context.frame;
    let at = |name: &str, row: usize| column(frame, name)(row);
    let row = rows.iter().copied().rev().find(|&row| at("complete", row) == Value::Bool(true))?;
    let count = |name: &str| amount(&at(name, row), &ReportUnit::Count);
    let rate = at("retention_rate", row)
        .as_f64()
        .map_or(String::new(), |rate| format!(" ({} retained)", percent(rate)));
    Some(format!(
        "{} customers{of} were active in {}: {} retained, {} new, {} resurrected; {} churned{rate}.",
        count("active"),
        written(frame, "period")(&at("period", row)),
        count("retained"),
        count("new"),
        count("resurrected"),
        count("churned"),
    ))
}
