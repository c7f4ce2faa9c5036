//! # accepted_values
//!
//! A column that holds nothing but the values of a list.
//!
//! What it does: fails for each row whose value is none of those listed.
//!
//! When to use it: states, kinds, countries: whatever a later expression compares with.
//!
//! Example:
//!
//! ```yaml
//! states: {from: orders, accepted_values: {column: status, in: [completed, returned]}}
//! ```
//!
//! Rules: null passes; `not_null` speaks of that. Texts compare by bytes. A value of the list that is not
//! of the column's type is a mistake.

use crate::checks::{Check, CheckContext, CheckKind, Test, Tested};
use crate::diagnostic::{Code, Spanned};
use crate::document::{Decode, Decoder, Field, Node, Options, Scalar};
use crate::ir::Func;
use crate::ir::typing::{build, call};

/// The registry's entry.
pub const KIND: CheckKind = CheckKind {
    name: "accepted_values",
    source: include_str!("accepted_values.rs"),
    row_level: true,
    fields,
    decode,
};

crate::options! {
    /// Which values are accepted where.
    struct AcceptedValues("`accepted_values`") {
        /// The column.
        column: Spanned<String>,
        /// The values it may hold.
        r#in: Vec<Scalar>,
    }
}

fn fields() -> Vec<Field> {
    AcceptedValues::fields()
}

fn decode(node: &Node, decoder: &mut Decoder) -> Option<Box<dyn Check>> {
    Some(Box::new(AcceptedValues::decode(node, decoder)?))
}

impl Check for AcceptedValues {
    fn plan(&self, cx: &mut CheckContext) -> Option<Tested> {
        let name = &self.column.value;
        let column = cx.column(name)?;
        if self.r#in.value.is_empty() {
            cx.report(Code::InvalidValue, self.r#in.span, "`in` lists at least one value");
            return None;
        }
        let values: Vec<_> = self
            .r#in
            .value
            .iter()
            .map(|scalar| cx.literal(scalar, &name.value, column.data_type))
            .collect();
        let mut arguments = vec![column];
        arguments.extend(values.into_iter().collect::<Option<Vec<_>>>()?);
        let fails = cx.typed(call(Func::In, arguments).and_then(build::not))?;
        let words: Vec<&str> =
            self.r#in.value.iter().map(|scalar| scalar.written.as_str()).collect();
        let rule =
            format!("rows have one of {} in `{}`", crate::diagnostic::list(&words), name.value);
        Some(Tested { rule, test: Test::Rows { rel: cx.table.rel.clone(), fails } })
    }

    fn written(&self) -> String {
        self.show()
    }
}
