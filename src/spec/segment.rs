//! Segments as written: what maps a customer to one of a few values.

use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::document::{
    ColumnOf, Decode, Decoder, Expression, Interval, MapReader, Node, NodeKind, Scalar,
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

/// Reads the `segments` block.
pub(super) fn decode(node: &Node, decoder: &mut Decoder) -> Vec<Segment> {
    let entries = decoder.named(node, "segments");
    entries.into_iter().filter_map(|(name, node)| segment(name, node, decoder)).collect()
}

fn segment(name: Spanned<String>, node: &Node, decoder: &mut Decoder) -> Option<Segment> {
    if !matches!(node.kind, NodeKind::Map(_)) {
        // `plan: customers.plan` is short for `plan: {column: customers.plan}`.
        let ColumnOf { table, column } = ColumnOf::decode(node, decoder)?;
        let form = SegmentForm::Column { column, top: None, rest: "other".into() };
        return Some(Segment { name, table, form, unknown: None, membership: None });
    }
    let mut reader = decoder.map(node, &format!("the segment `{}`", name.value))?;
    let unknown = reader.optional::<String>("unknown", decoder).map(|setting| setting.value);
    let membership = reader.optional("membership", decoder).map(|setting| setting.value);
    let main: Vec<&str> = ["column", "since", "quantiles_of", "expression"]
        .into_iter()
        .filter(|key| node.get(key).is_some())
        .collect();
    let found = match main.as_slice() {
        ["column"] => column(&mut reader, decoder),
        ["since"] => since(&mut reader, &name, decoder),
        ["quantiles_of"] => quantiles(&mut reader, &name, decoder),
        ["expression"] => expression(&mut reader, decoder),
        _ => {
            for key in [
                "column",
                "since",
                "quantiles_of",
                "expression",
                "cuts",
                "labels",
                "top",
                "rest",
                "groups",
            ] {
                reader.take(key);
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
    let (table, form) = found?;
    Some(Segment { name, table, form, unknown, membership })
}

type Found = Option<(Spanned<String>, SegmentForm)>;

fn column(reader: &mut MapReader, decoder: &mut Decoder) -> Found {
    let of = reader.required::<ColumnOf>("column", decoder);
    let span = reader.span();
    let top = reader.optional::<i64>("top", decoder);
    let rest = reader.optional::<String>("rest", decoder);
    let cuts = reader.optional::<Vec<Scalar>>("cuts", decoder);
    let labels = reader.optional::<Vec<String>>("labels", decoder);
    let ColumnOf { table, column } = of?.value;
    if let Some(cuts) = cuts {
        let labels = labels.as_ref().map(|labels| (labels.value.clone(), labels.place(span)));
        let labels = fitting(labels, cuts.value.len() + 1, "cuts", cuts.place(span), decoder)?;
        return Some((table, SegmentForm::Cuts { column, cuts: cuts.value, labels }));
    }
    if let Some(labels) = labels {
        decoder.report(
            Diagnostic::at(Code::MissingKey, labels.place(span), "`labels` without `cuts`")
                .help("`cuts: [25, 40]` makes three cells"),
        );
        return None;
    }
    if let Some(top) = top.as_ref().filter(|top| top.value < 1) {
        decoder.report(Diagnostic::at(Code::InvalidValue, top.place(span), "`top` is at least 1"));
        return None;
    }
    let rest = rest.map_or_else(|| "other".to_owned(), |rest| rest.value);
    Some((table, SegmentForm::Column { column, top: top.map(|top| top.value), rest }))
}

fn since(reader: &mut MapReader, name: &Spanned<String>, decoder: &mut Decoder) -> Found {
    let of = reader.required::<ColumnOf>("since", decoder);
    let cuts = reader.required::<Vec<Interval>>("cuts", decoder);
    let labels = reader.optional::<Vec<String>>("labels", decoder);
    let (of, cuts) = (of?.value, cuts?);
    let place = cuts.place(name.span);
    let span = reader.span();
    let labels = labels.map(|labels| (labels.value.clone(), labels.place(span)));
    let labels = fitting(labels, cuts.value.len() + 1, "cuts", place, decoder)?;
    let days = |cut: &Interval| f64::from(cut.months) * 30.4375 + cut.micros as f64 / 8.64e10;
    if !cuts.value.windows(2).all(|pair| days(&pair[0]) < days(&pair[1])) {
        decoder.report(ascending(place));
        return None;
    }
    Some((of.table, SegmentForm::Since { column: of.column, cuts: cuts.value, labels }))
}

/// What is said of cuts that do not ascend.
pub(crate) fn ascending(span: Span) -> Diagnostic {
    Diagnostic::at(Code::InvalidValue, span, "`cuts` must ascend")
}

fn quantiles(reader: &mut MapReader, name: &Spanned<String>, decoder: &mut Decoder) -> Found {
    let of = reader.required::<ColumnOf>("quantiles_of", decoder);
    let groups = reader.required::<i64>("groups", decoder);
    let labels = reader.optional::<Vec<String>>("labels", decoder);
    let (of, groups) = (of?.value, groups?);
    let place = groups.place(name.span);
    if !(2..=100).contains(&groups.value) {
        let message = format!("`groups` is 2 to 100, not {}", groups.value);
        decoder.report(Diagnostic::at(Code::InvalidValue, place, message));
        return None;
    }
    let labels = match labels {
        None => (1..=groups.value).map(|group| group.to_string()).collect(),
        Some(labels) => {
            let given = Some((labels.value.clone(), labels.place(name.span)));
            fitting(given, groups.value as usize, "groups", place, decoder)?
        }
    };
    Some((of.table, SegmentForm::Quantiles { column: of.column, labels }))
}

fn expression(reader: &mut MapReader, decoder: &mut Decoder) -> Found {
    let written = reader.required::<Expression>("expression", decoder)?.value;
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

/// Labels, so many as there are cells.
fn fitting(
    labels: Option<(Vec<String>, Span)>,
    wanted: usize,
    key: &str,
    place: Span,
    decoder: &mut Decoder,
) -> Option<Vec<String>> {
    match labels {
        Some((labels, _)) if labels.len() == wanted => Some(labels),
        Some((labels, span)) => {
            decoder.report(
                Diagnostic::at(
                    Code::InvalidValue,
                    span,
                    format!("{} labels, where `{key}` make {wanted} cells", labels.len()),
                )
                .and(place, "these"),
            );
            None
        }
        None => {
            decoder.report(
                Diagnostic::at(Code::MissingKey, place, format!("`{key}` without `labels`"))
                    .help(format!("`labels` takes {wanted} texts, one for each cell")),
            );
            None
        }
    }
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
