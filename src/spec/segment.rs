//! Segments as written: what maps a customer to one of a few values.

use serde_json::{Value as Json, json};

use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::document::{
    ColumnOf, Decode, Decoder, Expression, Field, Interval, MapReader, Node, NodeKind, Options,
    Scalar, Setting, schema,
};

/// One entry of `segments`.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    pub name: Spanned<String>,
    /// The table that has it.
    pub table: Spanned<String>,
    pub form: SegmentForm,
    /// The label of customers who are not in the table, and of those without a value.
    pub unknown: Option<String>,
    /// Which row of a customer counts where there are several; absent: there may be only one.
    pub membership: Option<Spanned<Membership>>,
}

/// How a customer's row becomes a label.
#[derive(Debug, Clone, PartialEq)]
pub enum SegmentForm {
    /// The value of a column, all of them or those with the most customers.
    Column { column: Spanned<String>, top: Option<i64>, rest: String },
    /// The cell `[a, b)` in which a value lies.
    Cuts { column: Spanned<String>, cuts: Vec<Scalar>, labels: Vec<String> },
    /// The cell in which the time since a moment lies.
    Since { column: Spanned<String>, cuts: Vec<Interval>, labels: Vec<String> },
    /// The part of all customers, by quantiles of a value.
    Quantiles { column: Spanned<String>, labels: Vec<String> },
    /// The value of an expression over the table's columns.
    Expression(Expression),
}

crate::choice! {
    /// Which row of a customer counts, by the table's time.
    pub enum Membership {
        First = "first",
        Latest = "latest",
    }
}

crate::options! {
    /// What every segment takes.
    struct CommonKeys("a segment") {
        /// The label of customers who are not in the table, and of those without a value.
        unknown: Option<String> = None,
        /// Which row of a customer counts where there are several; absent: there may be only one.
        membership: Option<Spanned<Membership>> = None,
    }
}

crate::options! {
    /// The values of a column, or the cells in which they lie.
    struct ColumnKeys("a segment") {
        /// The column whose value is the label.
        column: ColumnOf,
        /// Only so many values, those with the most customers.
        top: Option<i64> = None,
        /// The label of the other values.
        rest: String = "other".to_owned(),
        /// Where cells end and the next begin, ascending.
        cuts: Option<Vec<Scalar>> = None,
        /// The cells' labels, one more than `cuts`.
        labels: Option<Vec<String>> = None,
    }
}

crate::options! {
    /// The cells in which the time since a moment lies.
    struct SinceKeys("a segment") {
        /// The column that says when.
        since: ColumnOf,
        /// Where cells end and the next begin, ascending.
        cuts: Vec<Interval>,
        /// The cells' labels, one more than `cuts`.
        labels: Option<Vec<String>> = None,
    }
}

crate::options! {
    /// The parts of all customers by a value.
    struct QuantileKeys("a segment") {
        /// The column that holds the value.
        quantiles_of: ColumnOf,
        /// How many parts.
        groups: GroupCount,
        /// The parts' labels from the lowest; absent: their numbers.
        labels: Option<Vec<String>> = None,
    }
}

/// How many parts there are of all customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct GroupCount(i64);

impl Decode for GroupCount {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let groups = i64::decode(node, decoder)?;
        if !(2..=100).contains(&groups) {
            let message = format!("`groups` is 2 to 100, not {groups}");
            decoder.report(Diagnostic::at(Code::InvalidValue, node.span, message));
            return None;
        }
        Some(GroupCount(groups))
    }
    fn expects() -> String {
        "a whole number from 2 to 100".into()
    }
    fn json_schema() -> Json {
        json!({"type": "integer", "minimum": 2, "maximum": 100})
    }
    fn show(&self) -> String {
        self.0.to_string()
    }
    fn to_json(&self) -> Json {
        self.0.into()
    }
    fn stand_in() -> Option<Self> {
        Some(GroupCount(5))
    }
}

crate::options! {
    /// The value of an expression.
    struct ExpressionKeys("a segment") {
        /// An expression over columns of one table, which it names: `customers.seats > 100`.
        expression: Expression,
    }
}

/// The forms of a segment: the main key of each, and its keys beside the common ones.
fn forms() -> [(&'static str, Vec<Field>); 4] {
    [
        ("column", ColumnKeys::fields()),
        ("since", SinceKeys::fields()),
        ("quantiles_of", QuantileKeys::fields()),
        ("expression", ExpressionKeys::fields()),
    ]
}

/// The main key of each form and all its keys.
pub(super) fn forms_with_common_keys() -> [(&'static str, Vec<Field>); 4] {
    forms().map(|(key, mut fields)| {
        fields.extend(CommonKeys::fields());
        (key, fields)
    })
}

/// What a segment takes, as a JSON Schema.
pub(super) fn json_schema() -> Json {
    let maps = forms_with_common_keys().map(|(_, fields)| schema::of_fields(&fields));
    schema::any_of([ColumnOf::json_schema()].into_iter().chain(maps))
}

/// Reads one segment; `None` if it cannot be used.
pub(super) fn decode(name: Spanned<String>, node: &Node, decoder: &mut Decoder) -> Option<Segment> {
    if !matches!(node.kind, NodeKind::Map(_)) {
        // `plan: customers.plan` is short for `plan: {column: customers.plan}`.
        let ColumnOf { table, column } = ColumnOf::decode(node, decoder)?;
        let form = SegmentForm::Column { column, top: None, rest: "other".into() };
        return Some(Segment { name, table, form, unknown: None, membership: None });
    }
    let mut reader = decoder.map(node, &format!("the segment `{}`", name.value))?;
    let common = CommonKeys::read(&mut reader, decoder);
    let forms = forms();
    let main: Vec<&str> =
        forms.iter().map(|(key, _)| *key).filter(|key| node.get(key).is_some()).collect();
    let found = match main.as_slice() {
        ["column"] => column(&mut reader, decoder),
        ["since"] => since(&mut reader, &name, decoder),
        ["quantiles_of"] => quantiles(&mut reader, &name, decoder),
        ["expression"] => expression(&mut reader, decoder),
        _ => {
            for field in forms.iter().flat_map(|(_, fields)| fields) {
                reader.take(&field.key);
            }
            decoder.report(
                Diagnostic::at(
                    Code::MissingKey,
                    name.span,
                    format!("the segment `{}` needs one main key", name.value),
                )
                .help("give it one of `column`, `since`, `quantiles_of`, `expression`"),
            );
            None
        }
    };
    reader.finish(decoder);
    let ((table, form), common) = (found?, common?);
    let (unknown, membership) = (common.unknown.value, common.membership.value);
    Some(Segment { name, table, form, unknown, membership })
}

type Found = Option<(Spanned<String>, SegmentForm)>;

fn column(reader: &mut MapReader, decoder: &mut Decoder) -> Found {
    let ColumnKeys { column, top, rest, cuts, labels } = ColumnKeys::read(reader, decoder)?;
    let span = reader.span();
    let ColumnOf { table, column } = column.value;
    let place = cuts.place(span);
    for (key, place) in [("top", top.span), ("rest", rest.span)] {
        if let (Some(place), Some(_)) = (place, &cuts.value) {
            let message = format!("`{key}` and `cuts` do not go together");
            decoder.report(Diagnostic::at(Code::InvalidValue, place, message));
            return None;
        }
    }
    if let Some(cuts) = cuts.value {
        let labels = fitting(labels, span, cuts.len() + 1, "cuts", place, decoder);
        return Some((table, SegmentForm::Cuts { column, cuts, labels }));
    }
    if labels.value.is_some() && !cuts.flawed {
        decoder.report(
            Diagnostic::at(Code::MissingKey, labels.place(span), "`labels` without `cuts`")
                .help("`cuts: [25, 40]` makes three cells"),
        );
        return None;
    }
    if top.value.is_none() && !top.flawed && !rest.is_default() {
        let message =
            "`rest` is the label of the values that `top` leaves out, and there is no `top`";
        decoder.report(
            Diagnostic::at(Code::MissingKey, rest.place(span), message).help("such as `top: 12`"),
        );
        return None;
    }
    if top.value.is_some_and(|top| top < 1) {
        decoder.report(Diagnostic::at(Code::InvalidValue, top.place(span), "`top` is at least 1"));
        return None;
    }
    Some((table, SegmentForm::Column { column, top: top.value, rest: rest.value }))
}

fn since(reader: &mut MapReader, name: &Spanned<String>, decoder: &mut Decoder) -> Found {
    let SinceKeys { since, cuts, labels } = SinceKeys::read(reader, decoder)?;
    let place = cuts.place(name.span);
    let labels = fitting(labels, reader.span(), cuts.value.len() + 1, "cuts", place, decoder);
    let days = |cut: &Interval| f64::from(cut.months) * 30.4375 + cut.micros as f64 / 8.64e10;
    if !cuts.value.windows(2).all(|pair| days(&pair[0]) < days(&pair[1])) {
        decoder.report(ascending(place));
        return None;
    }
    let ColumnOf { table, column } = since.value;
    Some((table, SegmentForm::Since { column, cuts: cuts.value, labels }))
}

/// What is said of cuts that do not ascend.
pub(crate) fn ascending(span: Span) -> Diagnostic {
    Diagnostic::at(Code::InvalidValue, span, "`cuts` must ascend")
}

fn quantiles(reader: &mut MapReader, name: &Spanned<String>, decoder: &mut Decoder) -> Found {
    let QuantileKeys { quantiles_of, groups, labels } = QuantileKeys::read(reader, decoder)?;
    let place = groups.place(name.span);
    let GroupCount(count) = groups.value;
    let labels = match labels.value {
        Some(_) if !groups.flawed => {
            fitting(labels, name.span, count as usize, "groups", place, decoder)
        }
        _ => numbered(count as usize),
    };
    let ColumnOf { table, column } = quantiles_of.value;
    Some((table, SegmentForm::Quantiles { column, labels }))
}

fn expression(reader: &mut MapReader, decoder: &mut Decoder) -> Found {
    let written = ExpressionKeys::read(reader, decoder)?.expression.value;
    let Some((at, table)) = table_in(&written.text) else {
        decoder.report(
            Diagnostic::at(
                Code::InvalidValue,
                written.span,
                "the expression does not say which table's columns it reads",
            )
            .help("write `TABLE.COLUMN`, such as `customers.seats > 100`"),
        );
        return None;
    };
    let table = Spanned::new(table.to_owned(), written.place(at, at + table.len()));
    Some((table, SegmentForm::Expression(written)))
}

/// The first name before a `.` outside of quotes, and where it stands.
fn table_in(text: &str) -> Option<(usize, &str)> {
    let name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = text.as_bytes();
    let mut quoted = false;
    for (at, &byte) in bytes.iter().enumerate() {
        quoted ^= byte == b'\'';
        if quoted || byte != b'.' {
            continue;
        }
        let start = bytes[..at].iter().rposition(|&byte| !name(byte)).map_or(0, |place| place + 1);
        if bytes.get(start).is_some_and(u8::is_ascii_lowercase) {
            return Some((start, &text[start..at]));
        }
    }
    None
}

/// Labels, so many as there are cells; with others, which is noted, the cells have their numbers.
fn fitting(
    labels: Setting<Option<Vec<String>>>,
    around: Span,
    wanted: usize,
    key: &str,
    place: Span,
    decoder: &mut Decoder,
) -> Vec<String> {
    let span = labels.place(around);
    let diagnostic = match labels.value {
        Some(labels) if labels.len() == wanted => return labels,
        Some(labels) => Diagnostic::at(
            Code::InvalidValue,
            span,
            format!("{} labels, where `{key}` make {wanted} cells", labels.len()),
        )
        .and(place, "these"),
        None => Diagnostic::at(Code::MissingKey, place, format!("`{key}` without `labels`"))
            .help(format!("`labels` takes {wanted} texts, one for each cell")),
    };
    if !labels.flawed {
        decoder.report(diagnostic);
    }
    numbered(wanted)
}

/// The numbers of cells, as their labels.
fn numbered(count: usize) -> Vec<String> {
    (1..=count).map(|cell| cell.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::table_in;

    #[test]
    fn tables_in_expressions() {
        assert_eq!(table_in("customers.seats > 100"), Some((0, "customers")));
        assert_eq!(table_in("1.5 < lower('a.b') || c_2.x"), Some((22, "c_2")));
        assert_eq!(table_in("seats > 1.5"), None);
    }
}
