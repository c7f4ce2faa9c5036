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
//! Rules: null is a value like any other, as in `deduplicate`. The failing rows that are shown are one
//! per repeated key: the columns, and `copies`, how many rows have them.

use crate::checks::{Check, CheckContext, CheckKind, Test, Tested};
use crate::document::{Columns, Decode, Decoder, Node};
use crate::ir::relation::{self, column};
use crate::ir::typing::{TypeError, build};
use crate::ir::{Expr, Measure, MeasureFunc, named};

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

impl Unique {
    fn test(&self, cx: &CheckContext, keys: Vec<Expr>) -> Result<Test, TypeError> {
        let keys = self.0.0.iter().zip(keys).map(|(name, key)| named(&name.value, key)).collect();
        let copies = Measure::of(MeasureFunc::CountRows);
        let groups = relation::aggregate(&cx.table.rel, keys, vec![named("copies", copies)])?;
        let copies = column(&groups, "copies")?;
        let surplus = build::sub(copies.clone(), Expr::int(1))?;
        let counts = relation::aggregate(
            &groups,
            Vec::new(),
            vec![
                named("#rows", Measure::of(MeasureFunc::Sum(copies.clone()))),
                named("#failures", Measure::of(MeasureFunc::Sum(surplus))),
            ],
        )?;
        let failing = relation::filter(&groups, build::gt(copies, Expr::int(1))?)?;
        Ok(Test::Groups { counts, failing })
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
