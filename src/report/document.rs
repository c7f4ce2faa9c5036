//! The report as a value: what it says, without how it looks.

use serde::{Serialize, Serializer};

use super::figure::Chart;

/// A whole report, in the order in which it is read.
///
/// Sentences may set names between backticks; there is no other markup.
///
/// # Examples
///
/// ```
/// use tenure::report::{self, Cell, Fact, Report};
///
/// let report = Report {
///     title: "Retention of 1997".to_owned(),
///     facts: vec![Fact::new("As of", Cell::Date("1998-07-01".to_owned()))],
///     ..Report::default()
/// };
/// let page = report::html(&report);
/// assert!(page.starts_with("<!DOCTYPE html>"));
/// assert!(page.contains("<h1>Retention of 1997</h1>"));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The title of the document.
    pub title: String,
    /// One or two sentences under the title.
    pub description: Option<String>,
    /// The language of the texts as a BCP 47 tag, for instance `en`.
    pub language: String,
    /// What the report rests on: as-of date, data window, rows read, plan hash, run id.
    pub facts: Vec<Fact>,
    /// What must be read before anything else: alerts, failed checks, a run that was held back.
    pub notices: Vec<Notice>,
    /// The sections in reading order.
    pub sections: Vec<Section>,
}

impl Default for Report {
    fn default() -> Self {
        Report {
            title: String::new(),
            description: None,
            language: "en".to_owned(),
            facts: Vec::new(),
            notices: Vec::new(),
            sections: Vec::new(),
        }
    }
}

/// One section: a heading, what it found in sentences, and the evidence.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Section {
    /// The anchor of the section, usually the name of a stage. Renderers make it safe and unique.
    pub id: String,
    /// The heading.
    pub title: String,
    /// The finding, a sentence each.
    pub lead: Vec<String>,
    /// Figures, tables and explanations.
    pub blocks: Vec<Block>,
}

/// One piece of a section.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// Running text.
    Paragraph(String),
    /// A heading inside the section.
    Heading(String),
    /// Something that must not be overlooked.
    Notice(Notice),
    /// A few key figures side by side.
    Facts(Vec<Fact>),
    /// A table.
    Table(Table),
    /// A chart.
    Chart(Chart),
    /// The rules the numbers above were computed by.
    Rules(Vec<Rule>),
    /// Text that keeps its line breaks, such as a command or a formula.
    Code(String),
}

/// A labelled value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fact {
    /// What the value is.
    pub label: String,
    /// The value.
    pub value: Cell,
    /// The unit of the value.
    pub unit: Unit,
}

impl Fact {
    /// A fact whose value needs no unit.
    pub fn new(label: impl Into<String>, value: Cell) -> Self {
        Fact { label: label.into(), value, unit: Unit::None }
    }

    /// A fact that is a text.
    pub fn text(label: impl Into<String>, value: impl Into<String>) -> Self {
        Fact::new(label, Cell::Text(value.into()))
    }

    /// The same fact with a unit.
    pub fn with_unit(self, unit: Unit) -> Self {
        Fact { unit, ..self }
    }
}

/// A sentence that must not be overlooked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Notice {
    /// How much it matters.
    pub severity: Severity,
    /// The name of the check or alert, or a few words.
    pub title: String,
    /// The sentence.
    pub text: String,
}

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Numbers below may mislead.
    Warning,
    /// Numbers below must not be used as they are, or somebody has to act.
    Critical,
}

/// A rule of a computation: an option, its value, and who chose it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rule {
    /// The name of the option.
    pub name: String,
    /// The value in force, as it would be written.
    pub value: String,
    /// Who chose the value.
    pub origin: Origin,
    /// What the value means for the numbers, in a sentence.
    pub explanation: String,
}

/// Who chose the value of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The value was not written and is the default.
    Default,
    /// The value was written in the pipeline.
    Set,
}

/// A table of typed values.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Table {
    /// What the table shows.
    pub caption: String,
    /// The columns in order.
    pub columns: Vec<Column>,
    /// The rows; a row shorter than the columns is filled with missing cells.
    pub rows: Vec<Vec<Cell>>,
    /// A remark under the table.
    pub note: Option<String>,
    /// The number of rows of the full table, if only some are shown.
    pub total_rows: Option<u64>,
    /// Whether those are its last rows, not its first.
    pub last_rows: bool,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    /// The name in the published table, for instance `rate_low`.
    pub name: String,
    /// The heading a person reads.
    pub label: String,
    /// The unit of the values.
    pub unit: Unit,
    /// The side on which the values line up.
    pub align: Align,
    /// Digits after the decimal point of numbers and shares; chosen from the values if absent.
    pub decimals: Option<u8>,
}

impl Column {
    /// A column that lines up at the end if it has a unit and at the start otherwise.
    pub fn new(name: impl Into<String>, label: impl Into<String>, unit: Unit) -> Self {
        let align = if unit == Unit::None { Align::Start } else { Align::End };
        Column { name: name.into(), label: label.into(), unit, align, decimals: None }
    }

    /// The same column, lined up at the end: for plain numbers without a unit.
    pub fn at_end(self) -> Self {
        Column { align: Align::End, ..self }
    }

    /// The same column with a fixed number of digits after the decimal point.
    pub fn with_decimals(self, decimals: u8) -> Self {
        Column { decimals: Some(decimals), ..self }
    }
}

/// The side on which the values of a column line up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Align {
    /// Where reading starts: texts and dates.
    Start,
    /// Where reading ends: numbers.
    End,
}

/// The unit of a value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A text, a date or a bare number.
    #[default]
    None,
    /// A number of things.
    Count,
    /// A fraction of 1, shown in percent.
    Share,
    /// An amount of money.
    Money {
        /// The currency code, if the pipeline names one.
        currency: Option<String>,
    },
    /// Points of a score.
    Points,
    /// Anything else by its name in the plural, for instance `days`.
    Named(String),
}

/// A typed value.
///
/// In JSON a cell is the bare value: a string, a number, a boolean or null. A decimal is a string of its exact digits.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A real number; one that is not finite is shown as missing.
    Number(f64),
    /// An exact decimal number, `minor` × 10^−`scale`.
    Decimal {
        /// The digits without the decimal point.
        minor: i128,
        /// The number of digits after the decimal point.
        scale: u8,
    },
    /// A fraction of 1, shown in percent.
    Share(f64),
    /// A date or an instant in ISO 8601.
    Date(String),
    /// A truth value.
    Boolean(bool),
    /// No value: not observed yet, or not defined.
    Missing,
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Cell::Text(text) | Cell::Date(text) => serializer.serialize_str(text),
            Cell::Integer(value) => serializer.serialize_i64(*value),
            Cell::Number(value) | Cell::Share(value) if value.is_finite() => {
                serializer.serialize_f64(*value)
            }
            Cell::Decimal { minor, scale } => {
                serializer.serialize_str(&plain_decimal(*minor, *scale))
            }
            Cell::Boolean(value) => serializer.serialize_bool(*value),
            Cell::Number(_) | Cell::Share(_) | Cell::Missing => serializer.serialize_unit(),
        }
    }
}

/// The exact digits of a decimal number, without separators of thousands.
pub(super) fn plain_decimal(minor: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    let digits = format!("{:0>width$}", minor.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if minor < 0 { "-" } else { "" };
    let point = if scale == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_bare_values_in_json() {
        let cells = vec![
            Cell::Text("a".to_owned()),
            Cell::Integer(-3),
            Cell::Number(0.5),
            Cell::Number(f64::NAN),
            Cell::Decimal { minor: -5, scale: 2 },
            Cell::Decimal { minor: 1_234_567, scale: 0 },
            Cell::Boolean(true),
            Cell::Missing,
        ];
        let json = serde_json::to_string(&cells).unwrap_or_default();
        assert_eq!(json, r#"["a",-3,0.5,null,"-0.05","1234567",true,null]"#);
    }
}
