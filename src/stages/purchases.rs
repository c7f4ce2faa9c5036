//! A table's sold orders as events of customers.

use super::context::StageContext;
use super::dimension::Dimension;
use crate::ir::relation::{self, all_columns};
use crate::ir::typing::{TypeError, build};
use crate::ir::{Events, Expr, Measure, MeasureFunc, Named, RelRef, Table, named};

/// Orders as events.
pub(super) struct Purchases {
    pub rel: RelRef,
    pub events: Events,
    /// The dimensions over `rel`.
    pub by: Vec<Named<Expr>>,
    /// The condition over `rel`, if one was given.
    pub active: Option<Expr>,
}

impl StageContext<'_> {
    /// The sold orders of a table, with dimensions, and with a condition that does not filter but
    /// says which orders count. `tied` if a customer's first order must be told apart from others of
    /// the same time.
    pub(super) fn purchases(
        &mut self,
        table: &Table,
        by: &[Dimension],
        active: Option<Expr>,
        tied: bool,
    ) -> Option<Purchases> {
        let (customer, time) = self.customer_and_time(table)?;
        let value = table.roles.value.as_ref().map(|value| value.expr.clone());
        let order = table.roles.order.clone().unwrap_or_default();
        let mut rel = table.rel.clone();
        if let Some(sold) = order.sold {
            rel = self.typed(relation::filter(&rel, sold))?;
        }
        let tie = match (tied || !by.is_empty(), table.roles.key.is_empty()) {
            (false, _) => Vec::new(),
            (true, false) => table.roles.key.clone(),
            // Without a key, all columns tell rows apart.
            (true, true) => all_columns(&table.rel).into_iter().map(|c| c.value).collect(),
        };
        let Some(id) = order.id else {
            let by = by.iter().map(Dimension::key).collect();
            let events = Events { customer, time, value, tie };
            return Some(Purchases { rel, events, by, active });
        };

        // Lines to orders: the earliest time, the summed value, the dimensions of the first line.
        let first_order: Vec<Expr> = std::iter::once(time.clone()).chain(tie).collect();
        let mut measures = vec![named("#time", Measure::of(MeasureFunc::Min(time.clone())))];
        if let Some(value) = &value {
            let sum = Measure::filtered(MeasureFunc::Sum(value.clone()), active.clone());
            let known = Measure::filtered(MeasureFunc::Count(value.clone()), active.clone());
            measures.push(named("#sum", sum));
            measures.push(named("#known", known));
        }
        if let Some(active) = &active {
            measures.push(named("#active", Measure::of(MeasureFunc::Max(active.clone()))));
        }
        for dimension in by {
            let first =
                MeasureFunc::First { value: dimension.expr.clone(), order: first_order.clone() };
            measures.push(named(&dimension.name, Measure::of(first)));
        }
        let keys = vec![named(&customer.name, customer.value.clone()), named("#id", id)];
        let lines = self.typed(relation::aggregate(&rel, keys, measures))?;
        let mut columns: Vec<Named<Expr>> = all_columns(&lines)
            .into_iter()
            .filter(|column| !matches!(column.name.as_str(), "#sum" | "#known"))
            .collect();
        if value.is_some() {
            columns.push(named("#value", self.typed(known_sum(&lines))?));
        }
        let rel = self.typed(relation::project(&lines, columns))?;
        let column = |name: &str| relation::column(&rel, name);
        let customer_column = self.typed(column(&customer.name))?;
        let events = Events {
            customer: named(&customer.name, customer_column),
            time: self.typed(column("#time"))?,
            value: value.is_some().then(|| self.typed(column("#value"))).flatten(),
            tie: vec![self.typed(column("#id"))?],
        };
        let active = match active {
            Some(_) => Some(self.typed(column("#active"))?),
            None => None,
        };
        let mut dimensions = Vec::new();
        for dimension in by {
            dimensions.push(named(&dimension.name, self.typed(column(&dimension.name))?));
        }
        Some(Purchases { rel, events, by: dimensions, active })
    }
}

/// The sum `#sum` of an order's lines; null if none of them has an amount, of which `#known` is the
/// count.
pub(super) fn known_sum(lines: &RelRef) -> Result<Expr, TypeError> {
    let sum = relation::column(lines, "#sum")?;
    let none = build::eq(relation::column(lines, "#known")?, Expr::int(0))?;
    let null = Expr::null(sum.data_type);
    build::choose(none, null, sum)
}
