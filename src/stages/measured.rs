//! What is measured of one table: its rows, orders and customers, in groups.

use super::dimension::Dimension;
use super::following::with_following;
use super::purchases::known_sum;
use crate::document::TimeUnit;
use crate::frame::DataType;
use crate::ir::parse::next_of;
use crate::ir::relation::{self, Built, column};
use crate::ir::typing::{TypeError, build, call};
use crate::ir::{
    Expr, ExprNode, Func, JoinKind, Mark, Measure, MeasureFunc, Named, RelRef, SortKey, Table,
    WindowFunc, named,
};
use crate::metrics::{
    Asked, COUNTED_COLUMN, Dated, GAP_COLUMN, Level, ORDER_COLUMNS, PLACED_COLUMNS, PlacedRows,
    WEIGHT_COLUMN, WeightedValue,
};
use crate::models::WeightedQuantiles;

/// The column with the time of a customer's first order ever.
pub(super) const FIRST_TIME: &str = "#first_time";

/// A table and what metrics ask of it.
#[derive(Clone, Copy)]
pub(super) struct Measuring<'a> {
    pub table: &'a Table,
    pub asked: &'a Asked,
    pub as_of: i64,
    /// The level of intervals.
    pub level: f64,
}

/// Rows to measure, and the dimensions over them.
pub(super) struct Measured {
    pub rel: RelRef,
    pub keys: Vec<Named<Expr>>,
}

/// Which rows are orders.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Sold,
    /// Sold or returned.
    Placed,
    /// Returned, and dated by when.
    CameBack,
}

impl Measuring<'_> {
    /// The groups of the table that there are, with all measures.
    pub fn groups(&self, dimensions: &[Dimension]) -> Built {
        let mut levels: Vec<&Level> = Vec::new();
        for (level, _) in &self.asked.measures {
            if *level != Level::Rows && !levels.contains(&level) {
                levels.push(level);
            }
        }
        let times = self.times();
        let mut cells = match times.is_empty() {
            true => {
                let rows = self.measured(&Level::Rows, dimensions)?;
                relation::aggregate(&rows.rel, rows.keys, self.measures(&Level::Rows))?
            }
            // Cells in which something was answered, and such in which it was sent.
            false => {
                levels.insert(0, &Level::Rows);
                let mut parts = Vec::new();
                for level in std::iter::once(&Level::Rows).chain(&times) {
                    let of_level = self.measured(level, dimensions)?;
                    parts.push(relation::aggregate(&of_level.rel, of_level.keys, Vec::new())?);
                }
                let both = relation::union(parts)?;
                let keys = relation::all_columns(&both);
                relation::aggregate(&both, keys, Vec::new())?
            }
        };
        for level in levels {
            cells = self.join_level(&cells, level, dimensions)?;
        }
        for of in &self.asked.weighted_values {
            cells = self.join_quantile(&cells, of, dimensions)?;
        }
        Ok(cells)
    }

    /// The rows by each other time than that of the table that something is measured by.
    fn times(&self) -> Vec<Level> {
        let levels = self.asked.measures.iter().map(|(level, _)| level);
        let of_values = self.asked.weighted_values.iter().map(|value| &value.level);
        let mut times = Vec::new();
        for level in levels.chain(of_values) {
            let all = match level {
                Level::Dated(dated) => {
                    let all = Dated { time: dated.time.clone(), condition: None };
                    Level::Dated(Box::new(all))
                }
                Level::Each(each) if each.time.is_some() => level.clone(),
                _ => continue,
            };
            if !times.contains(&all) {
                times.push(all);
            }
        }
        times
    }

    fn measures(&self, level: &Level) -> Vec<Named<Measure>> {
        let of_level = self.asked.measures.iter().filter(|(other, _)| other == level);
        of_level.map(|(_, measure)| measure.clone()).collect()
    }

    /// Rows with the time of their customer's first sold order, if a metric asked for it.
    fn with_first_time(&self, rel: &RelRef) -> Built {
        let roles = &self.table.roles;
        let (true, Some(customer), Some(time)) =
            (self.asked.wants_first_time, &roles.customer, &roles.time)
        else {
            return Ok(rel.clone());
        };
        let first = self.first_times(customer, time)?;
        let key = vec![(customer.value.clone(), "customer".to_owned())];
        relation::lookup(rel, &first, key, vec![("first".into(), FIRST_TIME.into())])
    }

    fn first_times(&self, customer: &Named<Expr>, time: &Expr) -> Built {
        let mut rel = self.table.rel.clone();
        if let Some(sold) = self.table.roles.order.as_ref().and_then(|order| order.sold.clone()) {
            rel = relation::filter(&rel, sold)?;
        }
        let first = Measure::of(MeasureFunc::Min(time.clone()));
        let keys = vec![named("customer", customer.value.clone())];
        relation::aggregate(&rel, keys, vec![named("first", first)])
    }

    /// The cells with how many customers each of them is about: one column for each population that is
    /// measured, called what `name` makes of its number. What came back is no population but a part of one.
    pub(super) fn with_people(
        &self,
        cells: &RelRef,
        dimensions: &[Dimension],
        name: impl Fn(usize) -> String,
    ) -> Built {
        let Some(role) = &self.table.roles.customer else { return Ok(cells.clone()) };
        let mut levels = vec![&Level::Rows];
        for (level, _) in &self.asked.measures {
            let mut level = level;
            // Groups with a time of their own may lie in other cells than their rows.
            while let Level::Each(each) = level
                && each.time.is_none()
            {
                level = &each.level;
            }
            let population =
                !matches!(level, Level::CameBack(_) | Level::Whole | Level::Counted(_));
            if population && !levels.contains(&level) {
                levels.push(level);
            }
        }
        let mut counted = cells.clone();
        for (place, level) in levels.into_iter().enumerate() {
            let measured = self.measured(level, dimensions)?;
            let customer = match level {
                Level::Each(each) => match self.customer_of(each) {
                    Some(customer) => customer,
                    None => continue,
                },
                Level::Rows | Level::Dated(_) | Level::Whole | Level::Counted(_) => {
                    role.value.clone()
                }
                Level::Orders(_) | Level::Placed(_) | Level::CameBack(_) | Level::Gaps(_) => {
                    column(&measured.rel, ORDER_COLUMNS[0])?
                }
            };
            let people = Measure::of(MeasureFunc::CountDistinct(customer));
            let people = vec![named(name(place), people)];
            let people = relation::aggregate(&measured.rel, measured.keys, people)?;
            let on = dimensions.iter().map(|d| (d.name.clone(), d.name.clone())).collect();
            counted = relation::join(&counted, &people, on, JoinKind::Left, true)?;
        }
        Ok(counted)
    }

    /// What a level measures.
    pub(super) fn measured(
        &self,
        level: &Level,
        dimensions: &[Dimension],
    ) -> Result<Measured, TypeError> {
        match level {
            Level::Rows => {
                let rel = self.with_first_time(&self.table.rel)?;
                let mut rel = with_following(&rel, self.table, &self.asked.following)?;
                // A survey that was not answered lies in no period of answers.
                if let (Some(time), true) = (&self.table.roles.time, self.is_sent()) {
                    rel = relation::filter(&rel, build::not(build::is_null(time.clone())?)?)?;
                }
                Ok(Measured { rel, keys: dimensions.iter().map(Dimension::key).collect() })
            }
            Level::Orders(condition) => self.orders(condition, Which::Sold, dimensions),
            Level::Placed(condition) => self.orders(condition, Which::Placed, dimensions),
            Level::CameBack(condition) => self.orders(condition, Which::CameBack, dimensions),
            Level::Gaps(condition) => self.gaps(condition, dimensions),
            Level::Dated(dated) => self.dated_rows(dated, dimensions),
            Level::Whole => {
                let Measured { rel, .. } = self.measured(&Level::Rows, dimensions)?;
                Ok(Measured { rel, keys: Vec::new() })
            }
            Level::Counted(condition) => {
                let Measured { rel, keys } = self.measured(&Level::Rows, dimensions)?;
                let rel = relation::filter(&rel, condition.clone())?;
                let count = named(COUNTED_COLUMN, Measure::of(MeasureFunc::CountRows));
                Ok(Measured {
                    rel: relation::aggregate(&rel, keys, vec![count])?,
                    keys: Vec::new(),
                })
            }
            Level::Each(each) => self.each(each, dimensions),
        }
    }

    /// The cells with a quantile of weighted values.
    fn join_quantile(&self, cells: &RelRef, of: &WeightedValue, dimensions: &[Dimension]) -> Built {
        let Measured { mut rel, mut keys } = self.measured(&of.level, dimensions)?;
        if let Some(condition) = &of.condition {
            rel = relation::filter(&rel, condition.clone())?;
        }
        rel = relation::filter(&rel, build::not(build::is_null(of.value.clone())?)?)?;
        let value = build::cast(of.value.clone(), DataType::Float64)?;
        keys.push(named(WeightedQuantiles::VALUE, value));
        keys.push(named(WeightedQuantiles::WEIGHT, of.weight.clone()));
        let count = named(WeightedQuantiles::COUNT, Measure::of(MeasureFunc::CountRows));
        let values = relation::aggregate(&rel, keys, vec![count])?;
        let own = dimensions.iter().filter_map(|d| values.schema.field(&d.name).cloned());
        let z = crate::stats::normal_quantile(self.level);
        let function = WeightedQuantiles { keys: own.collect(), at: of.at, z };
        let found = relation::apply(vec![values], std::sync::Arc::new(function)).remove(0);
        let mut columns = Vec::new();
        for dimension in dimensions {
            columns.push(named(&dimension.name, column(&found, &dimension.name)?));
        }
        for (name, own) in WeightedQuantiles::COLUMNS.iter().zip(of.columns()) {
            columns.push(named(own, column(&found, name)?));
        }
        let found = relation::project(&found, columns)?;
        let on = dimensions.iter().map(|d| (d.name.clone(), d.name.clone())).collect();
        relation::join(cells, &found, on, JoinKind::Left, true)
    }

    /// The cells with the measures of a level that has rows of its own.
    fn join_level(&self, cells: &RelRef, level: &Level, dimensions: &[Dimension]) -> Built {
        let measured = self.measured(level, dimensions)?;
        let measures = self.measures(level);
        let counted = relation::aggregate(&measured.rel, measured.keys, measures.clone())?;
        // What is measured over all cells is the same in each.
        let own = dimensions.iter().filter(|d| counted.schema.field(&d.name).is_some());
        let on = own.map(|d| (d.name.clone(), d.name.clone())).collect();
        let joined = relation::join(cells, &counted, on, JoinKind::Left, true)?;
        let of_level: Vec<(Level, Named<Measure>)> =
            measures.into_iter().map(|measure| (level.clone(), measure)).collect();
        without_gaps(&joined, &of_level)
    }

    /// True if rows are surveys that tell when they were sent.
    fn is_sent(&self) -> bool {
        self.table.roles.marks.contains_key(&Mark::Sent)
    }

    /// Rows, the periods being those of another time than that of the table.
    fn dated_rows(
        &self,
        Dated { time, condition }: &Dated,
        dimensions: &[Dimension],
    ) -> Result<Measured, TypeError> {
        let mut rel = with_following(&self.table.rel, self.table, &self.asked.following)?;
        if let Some(condition) = condition {
            rel = relation::filter(&rel, condition.clone())?;
        }
        let mut keys = Vec::new();
        for dimension in dimensions {
            keys.push(match self.period_of(dimension) {
                Some(unit) => {
                    named(&dimension.name, call(Func::DateTrunc(unit), vec![time.clone()])?)
                }
                None => dimension.key(),
            });
        }
        Ok(Measured { rel, keys })
    }

    /// The unit of a dimension that is a period of the time role.
    pub(super) fn period_of(&self, dimension: &Dimension) -> Option<TimeUnit> {
        let time = self.table.roles.time.as_ref()?;
        dimension.grain.filter(|_| {
            matches!(&dimension.expr.node, ExprNode::Call(_, arguments)
                if arguments.as_slice() == std::slice::from_ref(time))
        })
    }

    /// Rows that are orders, or lines of them, and what says that one came back.
    fn order_rows(&self, condition: &Option<Expr>, which: Which) -> Result<RelRef, TypeError> {
        let roles = &self.table.roles;
        let order = roles.order.clone().unwrap_or_default();
        let mut rel = self.table.rel.clone();
        if let Some(condition) = condition {
            if condition.columns().into_iter().any(|name| next_of(name).is_some()) {
                rel = with_following(&rel, self.table, &self.asked.following)?;
            }
            rel = relation::filter(&rel, condition.clone())?;
        }
        if which == Which::Sold {
            return match order.sold {
                Some(sold) => relation::filter(&rel, sold),
                None => Ok(rel),
            };
        }
        let PlacedRows { returned, placed, returned_quantity, .. } =
            PlacedRows::new(roles, self.as_of)?;
        let [flag, _, _, _, units] = PLACED_COLUMNS;
        let quantity = match returned_quantity {
            Some(quantity) => {
                let none = Expr::null(quantity.data_type);
                Some(named(units, build::choose(returned.clone(), quantity, none)?))
            }
            None => None,
        };
        rel =
            relation::extend(&rel, [named(flag, returned)].into_iter().chain(quantity).collect())?;
        let kept = match which {
            Which::CameBack => Some(column(&rel, flag)?),
            Which::Sold | Which::Placed => placed,
        };
        match kept {
            Some(kept) => relation::filter(&rel, kept),
            None => Ok(rel),
        }
    }

    /// Orders, put together from their lines where there are order ids.
    ///
    /// Lines of one customer and id are one order; a dimension that differs between them splits it, but
    /// periods are those of the order's own time.
    fn orders(
        &self,
        condition: &Option<Expr>,
        which: Which,
        dimensions: &[Dimension],
    ) -> Result<Measured, TypeError> {
        let roles = &self.table.roles;
        let order = roles.order.clone().unwrap_or_default();
        let rows = self.order_rows(condition, which)?;
        let [customer, time, value, quantity] = ORDER_COLUMNS;
        let [flag, placed_value, returned_value, placed_quantity, returned_quantity] =
            PLACED_COLUMNS;
        let when = match which {
            Which::CameBack => order.returned_at.clone(),
            Which::Sold | Which::Placed => roles.time.clone(),
        };
        let mut parts = Vec::new();
        if let Some(role) = &roles.value {
            parts
                .push((if which == Which::Sold { value } else { placed_value }, role.expr.clone()));
        }
        if let Some(role) = &order.quantity {
            parts.push((
                if which == Which::Sold { quantity } else { placed_quantity },
                role.clone(),
            ));
        }
        if which != Which::Sold {
            if let Some(role) = &roles.value {
                let none = Expr::null(role.expr.data_type);
                let came_back = build::choose(column(&rows, flag)?, role.expr.clone(), none)?;
                parts.push((returned_value, came_back));
            }
            if rows.schema.field(returned_quantity).is_some() {
                parts.push((returned_quantity, column(&rows, returned_quantity)?));
            }
        }

        let still: Vec<&Dimension> =
            dimensions.iter().filter(|dimension| self.period_of(dimension).is_none()).collect();
        let mut keys: Vec<Named<Expr>> = still.iter().map(|dimension| dimension.key()).collect();
        if let Some(role) = &roles.customer {
            keys.push(named(customer, role.value.clone()));
        }
        let orders = match &order.id {
            // Each row is an order.
            None => {
                let mut columns = keys;
                columns.extend(when.clone().map(|when| named(time, when)));
                columns.extend(parts.into_iter().map(|(name, part)| named(name, part)));
                if let Some(weight) = &roles.weight {
                    columns.push(named(WEIGHT_COLUMN, weight.expr.clone()));
                }
                if which != Which::Sold {
                    columns.push(named(flag, column(&rows, flag)?));
                }
                relation::project(&rows, columns)?
            }
            Some(id) => {
                keys.push(named("#order_id", id.clone()));
                let mut measures = Vec::new();
                if let Some(weight) = &roles.weight {
                    let weight = Measure::of(MeasureFunc::Max(weight.expr.clone()));
                    measures.push(named(WEIGHT_COLUMN, weight));
                }
                if let Some(when) = &when {
                    measures.push(named(time, Measure::of(MeasureFunc::Min(when.clone()))));
                }
                if which != Which::Sold {
                    let any = MeasureFunc::Max(column(&rows, flag)?);
                    measures.push(named(flag, Measure::of(any)));
                }
                let money = [value, placed_value];
                for (name, part) in parts {
                    if money.contains(&name) {
                        let known = Measure::of(MeasureFunc::Count(part.clone()));
                        measures.push(named("#sum", Measure::of(MeasureFunc::Sum(part))));
                        measures.push(named("#known", known));
                    } else {
                        measures.push(named(name, Measure::of(MeasureFunc::Sum(part))));
                    }
                }
                let orders = relation::aggregate(&rows, keys, measures)?;
                match roles.value.is_some() {
                    true => {
                        let name = if which == Which::Sold { value } else { placed_value };
                        relation::extend(&orders, vec![named(name, known_sum(&orders)?)])?
                    }
                    false => orders,
                }
            }
        };
        self.dated(orders, dimensions)
    }

    /// Orders with their dimensions, the periods being those of the order's own time; and with the time
    /// of their customer's first order, if a metric asked for it.
    fn dated(&self, mut orders: RelRef, dimensions: &[Dimension]) -> Result<Measured, TypeError> {
        let [customer, time, _, _] = ORDER_COLUMNS;
        if self.asked.wants_first_time
            && let (Some(role), Some(when)) = (&self.table.roles.customer, &self.table.roles.time)
        {
            let first = self.first_times(role, when)?;
            let key = vec![(column(&orders, customer)?, "customer".to_owned())];
            let added = vec![("first".to_owned(), FIRST_TIME.to_owned())];
            orders = relation::lookup(&orders, &first, key, added)?;
        }
        let mut keys = Vec::new();
        for dimension in dimensions {
            let key = match self.period_of(dimension) {
                Some(unit) => call(Func::DateTrunc(unit), vec![column(&orders, time)?])?,
                None => column(&orders, &dimension.name)?,
            };
            keys.push(named(&dimension.name, key));
        }
        Ok(Measured { rel: orders, keys })
    }

    /// The purchase days of customers who had one before, once in each cell in which they bought that
    /// day, with the days since.
    fn gaps(
        &self,
        condition: &Option<Expr>,
        dimensions: &[Dimension],
    ) -> Result<Measured, TypeError> {
        let orders = self.orders(condition, Which::Sold, dimensions)?;
        let [who, when, _, _] = ORDER_COLUMNS;
        const DAY: &str = "#day";
        let somebody = build::not(build::is_null(column(&orders.rel, who)?)?)?;
        let bought = relation::filter(&orders.rel, somebody)?;
        let day = build::cast(column(&bought, when)?, DataType::Date)?;
        let bought = relation::extend(&bought, vec![named(DAY, day)])?;
        let keys = vec![named(who, column(&bought, who)?), named(DAY, column(&bought, DAY)?)];

        // The day before may lie in another cell, so the days are numbered over all of them.
        let days = relation::aggregate(&bought, keys.clone(), Vec::new())?;
        let days = relation::extend(&days, vec![named("#one", Expr::int(1))])?;
        let number = vec![named("#number", WindowFunc::RunningSum("#one".into()))];
        let order = vec![SortKey::ascending(DAY)];
        let days = relation::window(&days, vec![who.to_owned()], order, number)?;
        let next = build::add(column(&days, "#number")?, Expr::int(1))?;
        let before = relation::project(
            &days,
            vec![
                named(who, column(&days, who)?),
                named("#next", next),
                named("#before", column(&days, DAY)?),
            ],
        )?;
        let on = [(who, who), ("#number", "#next")];
        let on = on.map(|(left, right)| (left.to_owned(), right.to_owned())).to_vec();
        let pairs = relation::join(&days, &before, on, JoinKind::Inner, false)?;
        let between = [column(&pairs, "#before")?, column(&pairs, DAY)?].to_vec();
        let gap = call(Func::DateDiff(TimeUnit::Day), between)?;
        let gaps = relation::project(
            &pairs,
            vec![
                named(who, column(&pairs, who)?),
                named(DAY, column(&pairs, DAY)?),
                named(GAP_COLUMN, gap),
            ],
        )?;

        let cells: Vec<Named<Expr>> = orders.keys.into_iter().chain(keys).collect();
        let placed = relation::aggregate(&bought, cells, Vec::new())?;
        let on = [who, DAY].map(|name| (name.to_owned(), name.to_owned())).to_vec();
        let rel = relation::join(&placed, &gaps, on, JoinKind::Inner, false)?;
        let own =
            |dimension: &Dimension| Ok(named(&dimension.name, column(&rel, &dimension.name)?));
        let keys = dimensions.iter().map(own).collect::<Result<_, TypeError>>()?;
        Ok(Measured { keys, rel })
    }
}

/// Cells to which measures were joined: where there was nothing to measure, counts and sums are 0.
pub(super) fn without_gaps(joined: &RelRef, measures: &[(Level, Named<Measure>)]) -> Built {
    let mut zeroes = Vec::new();
    for (_, measure) in measures {
        if let MeasureFunc::CountRows
        | MeasureFunc::Count(_)
        | MeasureFunc::CountDistinct(_)
        | MeasureFunc::CountReaching { .. }
        | MeasureFunc::CountVarying { .. }
        | MeasureFunc::Sum(_) = measure.value.func
        {
            let value = column(joined, &measure.name)?;
            let zero = build::cast(Expr::int(0), value.data_type)?;
            zeroes.push(named(&measure.name, build::coalesce(value, zero)?));
        }
    }
    relation::extend(joined, zeroes)
}
