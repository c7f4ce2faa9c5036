//! Sources as written.

use crate::diagnostic::{Code, Diagnostic, Spanned};
use crate::document::{Decode, Decoder, Expression, Node, NodeKind, Path, Scalar, Setting};

/// One entry of `sources`.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    pub name: Spanned<String>,
    pub parquet: Path,
    pub customer: Option<Expression>,
    pub time: Option<Expression>,
    pub key: Vec<Expression>,
    pub value: Option<ValueRole>,
    pub order: Option<OrderBlock>,
    pub columns: Vec<ColumnRule>,
    pub description: Option<String>,
    /// True if something in it was wrong, which is noted: a role may be missing for that reason.
    pub flawed: bool,
}

crate::options! {
    /// The `value` role: money.
    pub struct ValueRole("`value`") {
        /// The column, or an expression.
        column: Expression,
        /// Digits after the point; absent: a decimal's own scale, 0 for whole numbers, 2 for doubles.
        decimals: Option<i64> = None,
        /// The currency's code.
        currency: Option<String> = None,
        /// Whether a whole number is already in minor units, such as cents.
        minor_units: bool = false,
    }
}

crate::options! {
    /// The `order` block.
    pub struct OrderBlock("`order`") {
        /// Rows of one customer and id are lines of one order.
        id: Option<Expression> = None,
        /// Which rows are sales; absent: all.
        sold: Option<Expression> = None,
        /// Which rows are returns; absent: none.
        returned: Option<Expression> = None,
        /// How many things a row is about.
        quantity: Option<Expression> = None,
        /// How many of them came back.
        returned_quantity: Option<Expression> = None,
        /// When they came back.
        returned_at: Option<Expression> = None,
        /// What a row earns.
        margin: Option<Expression> = None,
        /// What kind of thing a row is about.
        category: Option<Expression> = None,
    }
}

crate::choice! {
    /// The type of a column in a contract.
    pub enum ColumnType {
        Bool = "bool",
        Int32 = "int32",
        Int64 = "int64",
        Uint64 = "uint64",
        Float64 = "float64",
        Decimal = "decimal",
        String = "string",
        Date = "date",
        Timestamp = "timestamp",
    }
}

/// One entry of a source's `columns`.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnRule {
    pub name: Spanned<String>,
    pub body: ColumnBody,
}

crate::options! {
    /// A clause of the contract.
    pub struct ColumnBody("a column") {
        /// The type; a narrower one in a file is widened.
        r#type: Option<ColumnType> = None,
        /// Present and never null.
        required: bool = false,
        /// May be absent, and is null then.
        optional: bool = false,
        /// The smallest value allowed.
        min: Option<Scalar> = None,
        /// The largest value allowed.
        max: Option<Scalar> = None,
        /// The values allowed.
        r#in: Option<Vec<Scalar>> = None,
        /// A regular expression that texts must fit.
        matches: Option<String> = None,
        /// The unit, for reports.
        unit: Option<String> = None,
        /// What the column means.
        description: Option<String> = None,
    }
}

/// Reads one source; `None` if it cannot be used at all.
pub(super) fn decode(name: &Spanned<String>, node: &Node, decoder: &mut Decoder) -> Option<Source> {
    let what = format!("the source `{}`", name.value);
    let before = decoder.count();
    let mut reader = decoder.map(node, &what)?;
    let parquet = reader.required::<Path>("parquet", decoder);
    let customer = reader.optional("customer", decoder).map(|setting| setting.value);
    let time = reader.optional("time", decoder).map(|setting| setting.value);
    let key = match reader.take("key") {
        None => Vec::new(),
        Some(node) if matches!(node.kind, NodeKind::List(_)) => {
            Vec::decode(node, decoder).unwrap_or_default()
        }
        Some(node) => Expression::decode(node, decoder).into_iter().collect(),
    };
    let value = reader.take("value").and_then(|node| match node.kind {
        NodeKind::Map(_) => ValueRole::decode(node, decoder),
        // `value: amount` is short for `value: {column: amount}`.
        _ => Some(ValueRole {
            column: Setting { value: Expression::decode(node, decoder)?, span: Some(node.span) },
            decimals: Setting::default_of(None),
            currency: Setting::default_of(None),
            minor_units: Setting::default_of(false),
        }),
    });
    if let Some(ValueRole { decimals: Setting { value: Some(decimals), span }, .. }) = &value
        && !(0..=18).contains(decimals)
    {
        decoder.report(Diagnostic::at(
            Code::InvalidValue,
            span.unwrap_or(name.span),
            format!("`decimals` is 0 to 18, not {decimals}"),
        ));
    }
    let order = reader.optional("order", decoder).map(|setting| setting.value);
    let description = reader.optional("description", decoder).map(|setting| setting.value);
    let mut columns = Vec::new();
    if let Some(node) = reader.take("columns") {
        match &node.kind {
            NodeKind::Map(entries) => {
                for (name, body) in entries.iter().filter(|(name, _)| !name.value.starts_with("x-"))
                {
                    if let Some(body) = ColumnBody::decode(body, decoder) {
                        columns.push(ColumnRule { name: name.clone(), body });
                    }
                }
            }
            _ => decoder.wrong_type(node, "a map from columns to what they must be"),
        }
    }
    reader.finish(decoder);
    Some(Source {
        name: name.clone(),
        parquet: parquet?.value,
        customer,
        time,
        key,
        value,
        order,
        columns,
        description,
        flawed: decoder.count() > before,
    })
}
