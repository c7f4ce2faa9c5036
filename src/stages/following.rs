//! For each row the first event of its customer that follows it: in an order of both, as many events come before
//! a row as have been counted there, so the next one is that with the next number.

use crate::frame::DataType;
use crate::ir::relation::{self, Built, all_columns, column};
use crate::ir::typing::{build, common_type};
use crate::ir::{Expr, JoinKind, RelRef, Roles, SortKey, Table, WindowFunc, named};
use crate::metrics::{Before, Following};

const WHO: &str = "#who";
const WHEN: &str = "#when";
/// What comes first of what happens at one moment has the lower number.
const TURN: &str = "#turn";
const EVENT: &str = "#event";
const NUMBER: &str = "#number";
const NEXT: &str = "#next_time";

/// Rows with the columns of what follows them.
pub(super) fn with_following(rel: &RelRef, table: &Table, wanted: &[Following]) -> Built {
    let mut rel = rel.clone();
    for following in wanted {
        if let Some(before) = &following.before {
            rel = with_day_before(&rel, table, before, &following.column)?;
            continue;
        }
        let other = following.table.as_ref().unwrap_or(table);
        // A metric asks for this where both tables have both roles.
        let (Some((customer, time)), Some((theirs, then))) =
            (roles_of(&table.roles), roles_of(&other.roles))
        else {
            continue;
        };
        let who = common_type(customer.data_type, theirs.data_type).unwrap_or(customer.data_type);
        // Of the rows' own table a row does not follow itself, nor what came at the same moment.
        let same_moment = following.table.is_some();
        let (first, second) = if same_moment { (0, 1) } else { (1, 0) };
        let rows = moments(&table.rel, (&customer, &time), who, (first, 0))?;
        let events = moments(&other.rel, (&theirs, &then), who, (second, 1))?;
        let next = next_of(rows, events, SortKey::ascending(WHEN))?;
        let keys = vec![
            (build::cast(customer, who)?, WHO.to_owned()),
            (build::cast(time, DataType::Timestamp)?, WHEN.to_owned()),
        ];
        let added = vec![(NEXT.to_owned(), following.column.clone())];
        rel = relation::lookup(&rel, &next, keys, added)?;
    }
    Ok(rel)
}

/// Rows with the last day before theirs on which their customer has a row that passes a condition.
fn with_day_before(rel: &RelRef, table: &Table, before: &Before, column: &str) -> Built {
    // A metric asks for this where the table has both roles.
    let Some((customer, time)) = roles_of(&table.roles) else { return Ok(rel.clone()) };
    let who = customer.data_type;
    let day = build::cast(time, DataType::Date)?;
    let counted = match &before.condition {
        Some(condition) => relation::filter(&table.rel, condition.clone())?,
        None => table.rel.clone(),
    };
    // Backwards in time, where a day does not precede itself.
    let rows = moments(&table.rel, (&customer, &day), who, (1, 0))?;
    let events = moments(&counted, (&customer, &day), who, (0, 1))?;
    let days = next_of(rows, events, SortKey::descending(WHEN))?;
    let mut columns = all_columns(&days);
    for found in columns.iter_mut().filter(|found| found.name == WHEN || found.name == NEXT) {
        found.value = build::cast(found.value.clone(), DataType::Date)?;
    }
    let days = relation::project(&days, columns)?;
    let keys = vec![(customer, WHO.to_owned()), (day, WHEN.to_owned())];
    relation::lookup(rel, &days, keys, vec![(NEXT.to_owned(), column.to_owned())])
}

fn roles_of(roles: &Roles) -> Option<(Expr, Expr)> {
    Some((roles.customer.as_ref()?.value.clone(), roles.time.clone()?))
}

/// The moments at which each customer has a row, once.
fn moments(
    rel: &RelRef,
    (customer, time): (&Expr, &Expr),
    who: DataType,
    (turn, event): (i64, i64),
) -> Built {
    let customer = build::cast(customer.clone(), who)?;
    let somebody = build::not(build::is_null(customer.clone())?)?;
    let known = build::and(somebody, build::not(build::is_null(time.clone())?)?)?;
    let rel = relation::filter(rel, known)?;
    let keys =
        vec![named(WHO, customer), named(WHEN, build::cast(time.clone(), DataType::Timestamp)?)];
    let once = relation::aggregate(&rel, keys, Vec::new())?;
    relation::extend(&once, vec![named(TURN, Expr::int(turn)), named(EVENT, Expr::int(event))])
}

/// For each moment of rows the time of the event behind it.
fn next_of(rows: RelRef, events: RelRef, by_time: SortKey) -> Built {
    let all = relation::union(vec![rows, events])?;
    let order = vec![by_time, SortKey::ascending(TURN)];
    let number = vec![named(NUMBER, WindowFunc::RunningSum(EVENT.into()))];
    let all = relation::window(&all, vec![WHO.to_owned()], order, number)?;
    let is = |event| build::eq(column(&all, EVENT)?, Expr::int(event));
    let (rows, events) = (relation::filter(&all, is(0)?)?, relation::filter(&all, is(1)?)?);
    let rows = relation::project(
        &rows,
        vec![
            named(WHO, column(&rows, WHO)?),
            named(WHEN, column(&rows, WHEN)?),
            named(NUMBER, build::add(column(&rows, NUMBER)?, Expr::int(1))?),
        ],
    )?;
    let events = relation::project(
        &events,
        vec![
            named(WHO, column(&events, WHO)?),
            named(NUMBER, column(&events, NUMBER)?),
            named(NEXT, column(&events, WHEN)?),
        ],
    )?;
    let on = [WHO, NUMBER].map(|name| (name.to_owned(), name.to_owned())).to_vec();
    relation::join(&rows, &events, on, JoinKind::Left, false)
}
