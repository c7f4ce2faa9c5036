//! # unique
//!
//! Columns that together identify a row.
//!
//! What it does: counts the rows that have the same values in all of the columns as another row. Of
//! several such rows all but one fail.
//!
//! When to use it: on a source's key, and on the grain of a table that others look up.
//!
//! Example:
//!
//! ```yaml
//! one_row_per_order: {from: orders, unique: [order_id]}
//! ```
//!
//! Rules: null is a value like any other, as in `deduplicate`. The failing rows that are shown are all
//! that share their key with another, key by key, with `copies`, how many rows have it.

use crate::checks::{Check, CheckContext, CheckKind, Test, Tested};
use crate::document::{Columns, Decode, Decoder, Node};
use crate::frame::{DataType, Value};
use crate::ir::relation::{self, column};
use crate::ir::typing::{TypeError, build};
use crate::ir::{Expr, Measure, MeasureFunc, RelRef, named};

/// The registry's entry.
pub const KIND: CheckKind = CheckKind {
    name: "unique",
    source: include_str!("unique.rs"),
    row_level: false,
    fields: || super::main_argument::<Columns>(&Columns::expects()),
    decode,
};

#[derive(Debug)]
struct Unique(Columns);

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Check>> {
    Some(Box::new(Unique(Columns::decode(node, decoder)?)))
}

/// How many rows have the key of a row; a name that no column has.
const COPIES: &str = "#copies";

impl Unique {
    fn test(&self, cx: &CheckContext, keys: Vec<Expr>) -> Result<Test, TypeError> {
        let rel = &cx.table.rel;
        let names: Vec<String> = self.0.0.iter().map(|name| name.value.clone()).collect();
        let grouped = names.iter().zip(keys).map(|(name, key)| named(name, key)).collect();
        let count = Measure::of(MeasureFunc::CountRows);
        let groups = relation::aggregate(rel, grouped, vec![named(COPIES, count)])?;
        let copies = column(&groups, COPIES)?;
        let surplus = build::sub(copies.clone(), Expr::int(1))?;
        let counts = relation::aggregate(
            &groups,
            Vec::new(),
            vec![
                named("#rows", Measure::of(MeasureFunc::Sum(copies.clone()))),
                named("#failures", Measure::of(MeasureFunc::Sum(surplus))),
            ],
        )?;
        let repeated = relation::filter(&groups, build::gt(copies, Expr::int(1))?)?;
        Ok(Test::Groups { counts, failing: with_copies(rel, &repeated, &names)?, keys: names })
    }
}

/// The rows that have one of the keys, and how many copies there are of it.
fn with_copies(rel: &RelRef, repeated: &RelRef, names: &[String]) -> relation::Built {
    // A look-up finds nothing for null: what stands in for it is told apart by a column of its own.
    let (mut known, mut wanted) = (Vec::new(), Vec::new());
    for (number, name) in names.iter().enumerate() {
        let parts = |rel: &RelRef| -> Result<[Expr; 2], TypeError> {
            let key = column(rel, name)?;
            let blank = Expr::literal(blank(key.data_type), key.data_type);
            Ok([build::is_null(key.clone())?, build::coalesce(key, blank)?])
        };
        let called = [format!("#null_{number}"), format!("#key_{number}")];
        known.extend(called.iter().zip(parts(repeated)?).map(|(called, part)| named(called, part)));
        wanted.extend(parts(rel)?.into_iter().zip(called));
    }
    let repeated = relation::extend(repeated, known)?;
    let copies = vec![(COPIES.to_owned(), COPIES.to_owned())];
    let with = relation::lookup(rel, &repeated, wanted, copies)?;
    let found = column(&with, COPIES)?;
    let failing = relation::filter(&with, build::not(build::is_null(found.clone())?)?)?;
    // A table may have a column of that name, which then stays what it is.
    let copies = rel.schema.field("copies").is_none().then(|| named("copies", found));
    relation::project(&failing, relation::all_columns(rel).into_iter().chain(copies).collect())
}

/// Some value of a type.
fn blank(data_type: DataType) -> Value {
    match data_type {
        DataType::Bool => Value::Bool(false),
        DataType::String => Value::text(""),
        DataType::Float64 => Value::Float(0.0),
        DataType::Decimal { scale, .. } => Value::Decimal { minor: 0, scale },
        DataType::Date => Value::Date(0),
        DataType::Timestamp => Value::Timestamp(0),
        DataType::Duration => Value::Duration(0),
        DataType::Int32 | DataType::Int64 => Value::Int(0),
    }
}

impl Check for Unique {
    fn plan(&self, cx: &mut CheckContext) -> Option<Tested> {
        let keys: Vec<Option<Expr>> = self.0.0.iter().map(|name| cx.column(name)).collect();
        let keys = keys.into_iter().collect::<Option<_>>()?;
        let test = self.test(cx, keys);
        let test = cx.typed(test)?;
        let names: Vec<String> = self.0.0.iter().map(|name| format!("`{}`", name.value)).collect();
        let rule = format!("rows differ from each other in {}", names.join(", "));
        Some(Tested { rule, test })
    }

    fn written(&self) -> String {
        self.0.show()
    }
}
