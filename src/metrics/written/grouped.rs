//! Measures of groups of rows, read back as `per` and aggregates.

use super::{Found, Keys, Lacking, Reader, conjuncts, lacking, never_null};
use crate::document::quote::{Place, scalar};
use crate::document::{Decode, TimeUnit};
use crate::frame::DataType;
use crate::ir::parse::{PREVIOUS_COLUMN, previous_day};
use crate::ir::sql::sql_of_groups;
use crate::ir::typing::{TypeError, build, call};
use crate::ir::{Expr, ExprNode, Func, Measure, MeasureFunc, Named, named};
use crate::metrics::grouped::groups_of;
use crate::metrics::lowering::{Each, Level};
use crate::metrics::{GAP_COLUMN, ORDER_COLUMNS, PLACED_COLUMNS, PlacedRows, per_columns};

impl Found {
    /// The measure itself, if all that is read of its groups follows from their rows.
    pub(super) fn of_groups(self) -> Result<Self, Lacking> {
        let read = |measure: &Measure| {
            let read = measure.func.arguments().into_iter().chain(&measure.filter);
            read.flat_map(|expr| expr.columns())
                .any(|name| name.starts_with('#') && !name.starts_with(PREVIOUS_COLUMN))
        };
        if self.each.iter().flat_map(|each| &each.kept).any(|kept| read(&kept.value)) {
            return lacking("another row of the same customer, before or behind");
        }
        Ok(self)
    }
}

/// Groups of rows that have something in common, in the cells of the rows.
fn groups(per: Vec<Expr>, filter: Option<Expr>, kept: Vec<Named<Measure>>) -> Each {
    Each { level: Level::Rows, per, filter, kept, time: None, top: None }
}

impl Reader<'_> {
    /// A measure of orders as one of groups of their lines.
    pub(super) fn of_orders(
        &self,
        table: usize,
        level: &Level,
        measure: &Measure,
    ) -> Result<Found, Lacking> {
        let Ok(Some((each, measure))) = self.as_groups(table, level, measure) else {
            return lacking("orders put together from their lines (`order.id`)");
        };
        Found { table, time: None, rows: None, each: Some(each), measure }.of_groups()
    }

    fn as_groups(
        &self,
        table: usize,
        level: &Level,
        measure: &Measure,
    ) -> Result<Option<(Each, Measure)>, TypeError> {
        let subject = &self.lowering.subjects[table];
        let roles = subject.roles;
        let Some(order) = roles.order.clone() else { return Ok(None) };
        let Some(id) = order.id else { return Ok(None) };
        let of = PlacedRows::new(roles, subject.as_of)?;
        let (condition, rows, time, came_back) = match level {
            Level::Orders(condition) => (condition, order.sold, &roles.time, None),
            Level::Placed(condition) => {
                (condition, of.placed.clone(), &roles.time, Some(of.returned.clone()))
            }
            Level::CameBack(condition) => {
                let returned = Some(of.returned.clone());
                (condition, returned.clone(), &order.returned_at, returned)
            }
            Level::Rows
            | Level::Gaps(_)
            | Level::Dated(_)
            | Level::Each(_)
            | Level::Whole
            | Level::Counted(_) => return Ok(None),
        };
        let customer = roles.customer.as_ref().map(|customer| customer.value.clone());
        let per: Vec<Expr> = customer.clone().into_iter().chain([id]).collect();
        let shared = per_columns(&per);
        let filter = build::all(rows.into_iter().chain(condition.clone()))?;
        let mut each = groups(per, filter, Vec::new());
        let mut keep = |name: &str, func: MeasureFunc| {
            let column = Expr::column(name, func.data_type());
            each.kept.push(named(name, Measure::of(func)));
            column
        };
        let [who, when, mut amount, mut units] = ORDER_COLUMNS;
        if came_back.is_some() {
            [_, amount, _, units, _] = PLACED_COLUMNS;
        }
        let mut columns: Vec<(&str, Expr)> = Vec::new();
        if let (Some(customer), Some(own)) = (&customer, shared.first()) {
            columns.push((who, Expr::column(&*own.name, customer.data_type)));
        }
        if let Some(value) = &roles.value {
            let sum = keep("#sum", MeasureFunc::Sum(value.expr.clone()));
            let known = keep("#known", MeasureFunc::Count(value.expr.clone()));
            let none = Expr::null(sum.data_type);
            let value = build::choose(build::gt(known, Expr::int(0))?, sum, none)?;
            columns.push((amount, value));
        }
        if let Some(quantity) = &of.quantity {
            columns.push((units, keep("#quantity", MeasureFunc::Sum(quantity.clone()))));
        }
        if let Some(returned) = came_back {
            let [flag, _, returned_value, _, returned_units] = PLACED_COLUMNS;
            let any = keep("#returned", MeasureFunc::Max(returned.clone()));
            columns.push((flag, build::coalesce(any, Expr::bool(false))?));
            for (name, part) in [(returned_value, of.value), (returned_units, of.returned_quantity)]
            {
                let Some(part) = part else { continue };
                let none = Expr::null(part.data_type);
                let part = build::choose(returned.clone(), part, none)?;
                columns.push((name, keep(name, MeasureFunc::Sum(part))));
            }
        }
        let time = time.clone().map(|time| keep("#time", MeasureFunc::Min(time)));
        columns.extend(time.clone().map(|time| (when, time)));
        each.time = time;
        let func = measure.func.try_map(|expr| replaced(expr, &columns).ok());
        let filter = measure.filter.as_ref().map(|filter| replaced(filter, &columns));
        let filter = filter.transpose()?;
        Ok(func.map(|func| (each, Measure::filtered(func, filter))))
    }

    /// A measure of the days between purchase days as one of the groups of a customer's rows of a day.
    pub(super) fn of_gaps(
        &self,
        table: usize,
        condition: &Option<Expr>,
        measure: &Measure,
    ) -> Result<Found, Lacking> {
        let Ok(Some((each, measure))) = self.gaps_as_groups(table, condition, measure) else {
            return lacking("the time between two purchase days of orders with lines (`order.id`)");
        };
        Found { table, time: None, rows: None, each: Some(each), measure }.of_groups()
    }

    fn gaps_as_groups(
        &self,
        table: usize,
        condition: &Option<Expr>,
        measure: &Measure,
    ) -> Result<Option<(Each, Measure)>, TypeError> {
        let subject = &self.lowering.subjects[table];
        let order = subject.roles.order.clone().unwrap_or_default();
        let (Some(customer), Some(time), None) =
            (&subject.roles.customer, &subject.roles.time, &order.id)
        else {
            return Ok(None);
        };
        let day = build::cast(time.clone(), DataType::Date)?;
        let per = vec![customer.value.clone(), day.clone()];
        let Some(from_first) = groups_of(subject, &per, Vec::new())?.from_first else {
            return Ok(None);
        };
        let before = previous_day(PREVIOUS_COLUMN, from_first);
        let between = ["#before", "#day"].map(|name| Expr::column(name, DataType::Date));
        let gap = call(Func::DateDiff(TimeUnit::Day), between.to_vec())?;
        let kept = vec![
            named("#before", Measure::of(before)),
            named("#day", Measure::of(MeasureFunc::Min(day))),
        ];
        let filter = build::all(order.sold.into_iter().chain(condition.clone()))?;
        let columns = [(GAP_COLUMN, gap)];
        let func = measure.func.try_map(|expr| replaced(expr, &columns).ok());
        let each = groups(per, filter, kept);
        Ok(func.map(|func| (each, Measure::filtered(func, measure.filter.clone()))))
    }

    /// The text of an expression over what is measured.
    pub(super) fn text_of(&self, found: &Found, expr: &Expr) -> Result<String, Lacking> {
        let subject = &self.lowering.subjects[found.table];
        let Some(each) = &found.each else { return self.text(expr) };
        let Ok(groups) = groups_of(subject, &each.per, each.kept.clone()) else {
            return lacking("groups of rows in the order of their time");
        };
        Ok(sql_of_groups(expr, &groups, subject.calendar, subject.as_of)?)
    }

    /// The keys that say what is put together and which of it is measured.
    pub(super) fn group_keys(&self, found: &Found) -> Result<Keys, Lacking> {
        let mut keys = Vec::new();
        let Some(each) = &found.each else { return Ok(keys) };
        let per = match each.per.as_slice() {
            [one] => scalar(&self.text(one)?, Place::Block),
            several => {
                let texts = several.iter().map(|expr| self.text(expr));
                let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
                let texts = texts.iter().map(|text| scalar(text, Place::Anywhere));
                format!("[{}]", texts.collect::<Vec<_>>().join(", "))
            }
        };
        keys.push(("per", per));
        if let Some(time) = &each.time {
            keys.push(("time", scalar(&self.text_of(found, time)?, Place::Block)));
        }
        if let Some(best) = &each.top {
            let by = scalar(&self.text_of(found, &best.by)?, Place::Anywhere);
            keys.push(("top", format!("{{by: {by}, size: {}}}", best.size.show())));
        }
        Ok(keys)
    }

    /// A share of groups and what is true of those that are its numerator; nothing for one of rows.
    pub(super) fn share_of_groups(
        &self,
        numerator: &Expr,
        n: &Expr,
    ) -> Result<Option<(Found, Expr)>, Lacking> {
        let (part, all) = (self.of_rows(numerator)?, self.of_rows(n)?);
        if all.each.is_some() {
            let of_all =
                part.table == all.table && part.each == all.each && all.measure.filter.is_none();
            let holds = part.measure.filter.clone();
            return match (&part.measure.func, &all.measure.func, holds) {
                (MeasureFunc::CountRows, MeasureFunc::Count(known), Some(holds))
                    if of_all && *known == holds =>
                {
                    Ok(Some((all, holds)))
                }
                (MeasureFunc::CountRows, MeasureFunc::CountRows, Some(holds))
                    if of_all && never_null(&holds, &[]) =>
                {
                    Ok(Some((all, holds)))
                }
                (MeasureFunc::CountReaching { .. } | MeasureFunc::CountVarying { .. }, ..) => {
                    lacking(
                        "customers by how many orders they have, which are put together from their lines (`order.id`)",
                    )
                }
                _ => lacking("a share of some groups of rows"),
            };
        }
        let MeasureFunc::CountDistinct(of) = &all.measure.func else { return Ok(None) };
        let filter = all.measure.filter.clone();
        if part.measure.filter != filter || part.table != all.table {
            return lacking("the time of a customer's first order ever");
        }
        let (kept, least) = match &part.measure.func {
            MeasureFunc::CountReaching { of: whose, weight, least } if whose == of => {
                let kept = match weight == &Expr::int(1) {
                    true => MeasureFunc::CountRows,
                    false => MeasureFunc::Sum(weight.clone()),
                };
                (kept, *least)
            }
            MeasureFunc::CountVarying { of: whose, by } if whose == of => {
                (MeasureFunc::CountDistinct(by.clone()), 2)
            }
            _ => return lacking("a share of some of what is counted once"),
        };
        let column = Expr::column("#kept", kept.data_type());
        let kept = vec![named("#kept", Measure::of(kept))];
        let each = Some(groups(vec![of.clone()], filter, kept));
        let Ok(holds) = build::ge(column, Expr::int(least)) else {
            return lacking("a share of groups of rows");
        };
        let measure = Measure::of(MeasureFunc::CountRows);
        let found =
            Found { table: all.table, time: None, rows: None, each, measure }.of_groups()?;
        Ok(Some((found, holds)))
    }

    /// The sides of a balance of groups.
    pub(super) fn sides_of_groups(
        &self,
        sides: [&Expr; 2],
        all: &Found,
    ) -> Result<[String; 2], Lacking> {
        let all_known: Vec<&Expr> = all.measure.filter.iter().flat_map(conjuncts).collect();
        let mut texts = Vec::new();
        let mut known = Vec::new();
        for side in sides {
            let found = self.of_rows(side)?;
            let own = found.measure.filter.iter().flat_map(conjuncts);
            let own = own.filter(|own| !all_known.contains(own)).cloned();
            let holds = build::all(own).ok().flatten().unwrap_or_else(|| Expr::bool(true));
            known.extend(build::is_null(holds.clone()).and_then(build::not));
            if found.each != all.each {
                return lacking("a balance of different groups of rows");
            }
            texts.push(self.text_of(&found, &holds)?);
        }
        match texts.try_into() {
            Ok(texts) if known.iter().eq(all_known) => Ok(texts),
            _ => lacking("a balance of some groups of rows"),
        }
    }
}

/// An expression with others in the place of columns.
fn replaced(expr: &Expr, columns: &[(&str, Expr)]) -> Result<Expr, TypeError> {
    match &expr.node {
        ExprNode::Column(name) => {
            let other = columns.iter().find(|(column, _)| *column == &**name);
            Ok(other.map_or_else(|| expr.clone(), |(_, other)| other.clone()))
        }
        ExprNode::Literal(_) => Ok(expr.clone()),
        ExprNode::Call(func, arguments) => {
            let arguments = arguments.iter().map(|argument| replaced(argument, columns));
            call(*func, arguments.collect::<Result<_, _>>()?)
        }
    }
}
