//! What came after a row: the next ticket of its customer, the first contact that followed.

use super::lowering::Lowering;
use crate::diagnostic::{Code, Diagnostic, Spanned};
use crate::frame::DataType;
use crate::ir::parse::{NextTime, PREVIOUS_COLUMN, next_column};
use crate::ir::typing::common_type;
use crate::ir::{Expr, Named, Table};

/// The column with the number of rows of a cell that pass the condition of
/// [`Level::Counted`](super::Level::Counted).
pub const COUNTED_COLUMN: &str = "#counted";

/// For each row the first event of its customer that follows it.
#[derive(Debug, Clone)]
pub struct Following {
    /// The column of the rows with the time of that event, a timestamp; null if there is none.
    pub column: String,
    /// Whose events they are; absent: those of the rows' own table.
    pub table: Option<Table>,
    /// Whether the last day before is meant, a date, and of which rows of the rows' own table.
    pub before: Option<Before>,
}

/// The last day before that of a row on which its customer has a row that passes a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Before {
    pub condition: Option<Expr>,
}

impl Lowering<'_> {
    /// The customer and the time of the input; what is missing is noted.
    pub fn customer_and_time(&mut self) -> Option<(Named<Expr>, Expr)> {
        let (customer, time) =
            (self.subject.roles.customer.clone(), self.subject.roles.time.clone());
        if customer.is_none() {
            self.lacks("customer", "customer: COLUMN");
        }
        if time.is_none() {
            self.lacks("time", "time: COLUMN");
        }
        customer.zip(time)
    }

    /// The time of the next row of the same customer that is later; null if there is none.
    pub fn next_of_customer(&mut self) -> Option<Expr> {
        self.customer_and_time()?;
        if self.subject.roles.weight.as_ref().is_some_and(|weight| !weight.of_customers) {
            self.unweighable("other rows of the same customer may not have been drawn");
            return None;
        }
        Some(self.follows(next_column(None), None))
    }

    /// The time of the first row of another table for the same customer, at the time of this one or later; null if
    /// there is none.
    pub fn first_in(&mut self, name: &Spanned<String>) -> Option<Expr> {
        let own = self.customer_and_time();
        // A table that is not there is noted by whoever looks for it.
        let table = self.subject.others.get(&name.value)?.clone();
        let mut good = own.is_some();
        if table.roles.weight.is_some() {
            let message = format!(
                "the metric `{}` looks for what followed in `{}`, which is a sample: what is missing there may only \
                 not have been drawn",
                self.name, table.name
            );
            let help = "name the table that the sample was drawn from";
            let wrong = Diagnostic::at(Code::InvalidValue, name.span, message).help(help);
            self.diagnostics.push(wrong);
            good = false;
        }
        for (role, there) in
            [("customer", table.roles.customer.is_some()), ("time", table.roles.time.is_some())]
        {
            if !there && !table.roles.flawed {
                let message = format!(
                    "the metric `{}` needs the role `{role}` of `{}`, which does not have it",
                    self.name, table.name
                );
                let help = format!("say which column it is at the source: `{role}: COLUMN`");
                let lacks = Diagnostic::at(Code::MissingRole, name.span, message).help(help);
                self.diagnostics.push(lacks);
            }
            good &= there;
        }
        if !good {
            return None;
        }
        let (ours, theirs) =
            (own?.0.value.data_type, table.roles.customer.as_ref()?.value.data_type);
        if common_type(ours, theirs).is_none() {
            let message = format!(
                "the customer of `{}` is a {ours}, that of `{}` a {theirs}",
                self.subject.table, table.name
            );
            self.diagnostics.push(Diagnostic::at(Code::TypeMismatch, name.span, message));
            return None;
        }
        Some(self.follows(next_column(Some(&name.value)), Some(table)))
    }

    /// Asks for the next rows that an expression names; what is missing is noted.
    pub(super) fn follow(&mut self, wanted: &[NextTime]) -> Option<()> {
        let mut good = true;
        for NextTime { table, .. } in wanted {
            let found = match table {
                None => self.next_of_customer(),
                Some(table) => self.first_in(table),
            };
            good &= found.is_some();
        }
        good.then_some(())
    }

    /// What the column is called that holds the last day before, of rows that pass a condition.
    pub(super) fn previous_column(&mut self, before: &Before) -> String {
        let following = &self.asked().following;
        let known = following.iter().find(|following| following.before.as_ref() == Some(before));
        known.map_or_else(
            || format!("{PREVIOUS_COLUMN}{}", following.len()),
            |known| known.column.clone(),
        )
    }

    /// Asks for that column; what is missing is noted.
    pub(super) fn precede(&mut self, column: &str, before: Before) -> Option<()> {
        self.customer_and_time()?;
        let following = &mut self.asked().following;
        if !following.iter().any(|following| following.column == column) {
            let (column, before) = (column.to_owned(), Some(before));
            following.push(Following { column, table: None, before });
        }
        Some(())
    }

    fn follows(&mut self, column: String, table: Option<Table>) -> Expr {
        let following = &mut self.asked().following;
        if !following.iter().any(|following| following.column == column) {
            following.push(Following { column: column.clone(), table, before: None });
        }
        Expr::column(column, DataType::Timestamp)
    }
}
