//! # relationships
//!
//! Values that are all found in a column of another table.
//!
//! What it does: fails for each row whose value does not occur in the other column.
//!
//! When to use it: orders whose customer is missing from the table of customers, before a segment counts
//! them as unknown.
//!
//! Example:
//!
//! ```yaml
//! known: {from: orders, relationships: {column: customer_id, to: customers.customer_id}}
//! ```
//!
//! Rules: null passes. The other column need not be unique. A whole number and a wider one compare as
//! numbers; a text and a number are a mistake.

use crate::checks::{Check, CheckContext, CheckKind, Test, Tested};
use crate::diagnostic::Spanned;
use crate::document::{ColumnOf, Decode, Decoder, Field, Node, Options};
use crate::ir::relation::{self, column};
use crate::ir::typing::{TypeError, build, common_type};
use crate::ir::{Expr, RelRef, named};

/// The registry's entry.
pub const KIND: CheckKind = CheckKind {
    name: "relationships",
    source: include_str!("relationships.rs"),
    row_level: true,
    fields,
    decode,
};

crate::options! {
    /// Which column refers to which.
    struct Relationships("`relationships`") {
        /// The column that refers.
        column: Spanned<String>,
        /// The column it refers to.
        to: ColumnOf,
    }
}

fn fields() -> Vec<Field> {
    Relationships::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Check>> {
    Some(Box::new(Relationships::decode(node, decoder)?))
}

/// The values of a column, once each, with the column `found`.
fn values(rel: &RelRef, key: Expr) -> relation::Built {
    let distinct = relation::aggregate(rel, vec![named("key", key)], Vec::new())?;
    relation::extend(&distinct, vec![named("found", Expr::bool(true))])
}

impl Check for Relationships {
    fn plan(&self, cx: &mut CheckContext) -> Option<Tested> {
        let (name, to) = (&self.column.value, &self.to.value);
        let own = cx.column(name);
        let other = cx.other(&to.table)?;
        let theirs = cx.column_of(&to.column, &other);
        let (own, theirs) = (own?, theirs?);
        let Some(common) = common_type(own.data_type, theirs.data_type) else {
            let message = format!(
                "`{}` is a {}, `{}` a {}",
                name.value,
                own.data_type,
                to.show(),
                theirs.data_type
            );
            cx.report(crate::diagnostic::Code::TypeMismatch, Some(to.column.span), message);
            return None;
        };
        let found = format!("#found {}", cx.name);
        let test = || -> Result<Test, TypeError> {
            let key = build::cast(own.clone(), common)?;
            let known = values(&other.rel, build::cast(theirs, common)?)?;
            let rel = relation::lookup(
                &cx.table.rel,
                &known,
                vec![(key, "key".to_owned())],
                vec![("found".to_owned(), found.clone())],
            )?;
            let lost = build::is_null(column(&rel, &found)?)?;
            let fails = build::and(build::not(build::is_null(own)?)?, lost)?;
            Ok(Test::Rows { rel, fails })
        };
        let test = test();
        let test = cx.typed(test)?;
        let rule = format!("rows find their `{}` in `{}`", name.value, to.show());
        Some(Tested { rule, test })
    }

    fn reads(&self) -> Vec<Spanned<String>> {
        vec![self.to.value.table.clone()]
    }

    fn written(&self) -> String {
        self.show()
    }
}
