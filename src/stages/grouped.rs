//! Groups of the rows of a cell: customers, orders, or whatever rows have in common.

use super::dimension::Dimension;
use super::measured::{Measured, Measuring};
use crate::document::Portion;
use crate::ir::relation::{self, column};
use crate::ir::typing::{TypeError, build, call};
use crate::ir::{
    Expr, Func, JoinKind, Measure, MeasureFunc, Named, RelRef, SortKey, WindowFunc, named,
};
use crate::metrics::{Best, Each, ORDER_COLUMNS, per_columns};

/// Digits behind the point of a share of a number of groups that count: beyond them are those of doubles, which
/// would make 4 of 10% of 30.
const DIGITS: i64 = 9;

impl Measuring<'_> {
    /// The groups of each cell, with what is kept of them.
    pub(super) fn each(
        &self,
        each: &Each,
        dimensions: &[Dimension],
    ) -> Result<Measured, TypeError> {
        let period = |dimension: &Dimension| match &each.time {
            Some(_) => self.period_of(dimension),
            None => None,
        };
        let still: Vec<Dimension> =
            dimensions.iter().filter(|dimension| period(dimension).is_none()).cloned().collect();
        let Measured { mut rel, mut keys } = self.measured(&each.level, &still)?;
        if let Some(filter) = &each.filter {
            rel = relation::filter(&rel, filter.clone())?;
        }
        let per = per_columns(&each.per);
        let known = per.iter().map(|shared| build::not(build::is_null(shared.value.clone())?));
        let known = known.reduce(|one, other| build::or(one?, other?));
        if let Some(known) = known {
            rel = relation::filter(&rel, known?)?;
        }
        let names = per.iter().map(|shared| shared.name.clone()).collect();
        keys.extend(per);
        let mut rel = relation::aggregate(&rel, keys, each.kept.clone())?;
        let mut keys = Vec::new();
        for dimension in dimensions {
            let key = match (period(dimension), &each.time) {
                (Some(unit), Some(time)) => call(Func::DateTrunc(unit), vec![time.clone()])?,
                _ => column(&rel, &dimension.name)?,
            };
            keys.push(named(&dimension.name, key));
        }
        if let Some(best) = &each.top {
            (rel, keys) = top(&rel, keys, names, best)?;
        }
        Ok(Measured { rel, keys })
    }

    /// The column of the customer of a group, if its rows have that in common.
    pub(super) fn customer_of(&self, each: &Each) -> Option<Expr> {
        let customer = &self.table.roles.customer.as_ref()?.value;
        let is_customer = |shared: &&Named<Expr>| {
            let name = shared.value.as_column();
            shared.value == *customer || name.is_some_and(|name| name == ORDER_COLUMNS[0])
        };
        let found = per_columns(&each.per).iter().find(is_customer)?.name.clone();
        Some(Expr::column(found, customer.data_type))
    }
}

/// Columns of groups of which the best are taken: what they are ordered by, their place, how many the cell has.
const BY: &str = "#top_by";
const RANK: &str = "#rank";
const COUNT: &str = "#groups";

/// The best groups of each cell, and the columns of its dimensions.
fn top(
    groups: &RelRef,
    keys: Vec<Named<Expr>>,
    per: Vec<String>,
    Best { by, size }: &Best,
) -> Result<(RelRef, Vec<Named<Expr>>), TypeError> {
    // A cell is known by names of its own: a dimension may be called like a column of the groups.
    let cell = |place: usize| format!("#cell{place}");
    let numbered = keys.iter().enumerate();
    let mut added: Vec<Named<Expr>> =
        numbered.map(|(place, key)| named(cell(place), key.value.clone())).collect();
    added.push(named(BY, by.clone()));
    added.push(named("#one", Expr::int(1)));
    let groups = relation::extend(groups, added)?;
    let cells: Vec<String> = (0..keys.len()).map(cell).collect();
    let own = |rel: &RelRef| -> Result<Vec<Named<Expr>>, TypeError> {
        cells.iter().map(|name| Ok(named(name, column(rel, name)?))).collect()
    };
    let counts = vec![named(COUNT, Measure::of(MeasureFunc::CountRows))];
    let counts = relation::aggregate(&groups, own(&groups)?, counts)?;
    let on = cells.iter().map(|name| (name.clone(), name.clone())).collect();
    let counted = relation::join(&groups, &counts, on, JoinKind::Inner, true)?;
    let per = per.iter().map(SortKey::ascending);
    let order = [SortKey::descending(BY)].into_iter().chain(per).collect();
    let number = vec![named(RANK, WindowFunc::RunningSum("#one".into()))];
    let ranked = relation::window(&counted, cells.clone(), order, number)?;
    let most = match *size {
        Portion::Count(count) => Expr::int(i64::try_from(count).unwrap_or(i64::MAX)),
        Portion::Share(share) => {
            let part = build::mul(column(&ranked, COUNT)?, Expr::float(share))?;
            let part = call(Func::Round, vec![part, Expr::int(DIGITS)])?;
            call(Func::Ceil, vec![part])?
        }
    };
    let best = relation::filter(&ranked, build::le(column(&ranked, RANK)?, most)?)?;
    let mut named_keys = Vec::new();
    for (key, own) in keys.iter().zip(own(&best)?) {
        named_keys.push(named(&key.name, own.value));
    }
    Ok((best, named_keys))
}
