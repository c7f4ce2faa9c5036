//! The ways of customers: from each entry the time at which every step was reached.

use crate::document::Interval;
use crate::frame::{DataType, Value};
use crate::ir::relation::{self, Built, all_columns, column};
use crate::ir::typing::{TypeError, Typed, build, call};
use crate::ir::{
    Expr, Func, JoinKind, Measure, MeasureFunc, Named, RelRef, SortKey, WindowFunc, named,
};
use crate::stages::purchases::Purchases;

pub(super) const CUSTOMER: &str = "#customer";
pub(super) const TIME: &str = "#time";
/// The number of a step, from 1.
pub(super) const POSITION: &str = "#position";
/// The first moment too late for a step.
const END: &str = "#end";
/// What [`following`] finds.
pub(super) const FOUND: &str = "#found";

/// The column with the time at which a step was reached; null if it was not.
pub(super) fn reached(step: usize) -> String {
    format!("#reached{step}")
}

/// The column with the customers who reached a step.
pub(super) fn people_at(step: usize) -> String {
    format!("#people{step}")
}

/// The column with the customers who reached a step and from there, if only once, not a later one.
pub(super) fn stopped_between(step: usize, later: usize) -> String {
    format!("#stopped{step}_{later}")
}

/// How customers are followed.
pub(super) struct Ways {
    /// From every event of the first step, or from each customer's first.
    pub every: bool,
    pub window: Interval,
    pub as_of: i64,
    /// The type of customers.
    pub customer: DataType,
    /// The names of the dimensions.
    pub by: Vec<String>,
}

impl Ways {
    /// A row per entry: the customer, the time, the end of its window, and the dimensions.
    pub fn entries(&self, first: &Purchases) -> Built {
        let rel = present(first)?;
        let time = first.events.time.clone();
        let order: Vec<Expr> = std::iter::once(&time).chain(&first.events.tie).cloned().collect();
        let mut keys = vec![named(CUSTOMER, self.customer_of(first)?)];
        let mut measures = Vec::new();
        match self.every {
            true => keys.push(named(TIME, time)),
            false => measures.push(named(TIME, Measure::of(MeasureFunc::Min(time)))),
        }
        for by in &first.by {
            let value = MeasureFunc::First { value: by.value.clone(), order: order.clone() };
            measures.push(named(&by.name, Measure::of(value)));
        }
        let entries = relation::aggregate(&rel, keys, measures)?;
        let time = column(&entries, TIME)?;
        // Shifted as what it is: a window of days ends at a midnight if the entry is a date.
        let end = call(Func::Shift(self.window), vec![time.clone()])?;
        let mut columns = vec![
            named(CUSTOMER, column(&entries, CUSTOMER)?),
            named(reached(1), build::cast(time, DataType::Timestamp)?),
            named(END, build::cast(end, DataType::Timestamp)?),
        ];
        for name in &self.by {
            columns.push(named(name, column(&entries, name)?));
        }
        relation::project(&entries, columns)
    }

    /// One row: how many entries are left out because their window is still open. Where they are of fewer customers
    /// than `least`, it is those who are counted, so that whoever hides small counts hides this one too.
    pub fn still_open(&self, entries: &RelRef, least: u64) -> Built {
        let open = build::not(self.is_over(entries)?)?;
        let name = "entries whose window is still open";
        let count = Measure::filtered(MeasureFunc::CountRows, Some(open.clone()));
        let mut measures = vec![named(name, count)];
        if !self.every || least == 0 {
            return relation::aggregate(entries, Vec::new(), measures);
        }
        let customer = MeasureFunc::CountDistinct(column(entries, CUSTOMER)?);
        measures.push(named(CUSTOMER, Measure::filtered(customer, Some(open))));
        let counts = relation::aggregate(entries, Vec::new(), measures)?;
        let (entries, people) = (column(&counts, name)?, column(&counts, CUSTOMER)?);
        let least = Expr::int(i64::try_from(least).unwrap_or(i64::MAX));
        let told = build::choose(build::lt(people.clone(), least)?, people, entries)?;
        relation::project(&counts, vec![named(name, told)])
    }

    fn is_over(&self, entries: &RelRef) -> Typed {
        let as_of = Expr::literal(Value::Timestamp(self.as_of), DataType::Timestamp);
        build::le(column(entries, END)?, as_of)
    }

    /// Entries whose window is over, with the time at which each further step was reached.
    pub fn follow(&self, entries: &RelRef, steps: &[Purchases]) -> Built {
        let mut entries = relation::filter(entries, self.is_over(entries)?)?;
        for (place, step) in steps.iter().enumerate() {
            let rel = present(step)?;
            let time = build::cast(step.events.time.clone(), DataType::Timestamp)?;
            let columns = vec![named(CUSTOMER, self.customer_of(step)?), named(TIME, time)];
            let events = relation::project(&rel, columns)?;
            entries = match self.every {
                false => after_first(&entries, &events, place + 1)?,
                true => after_every(&entries, &events, place + 1)?,
            };
        }
        Ok(entries)
    }

    /// The customers who reached each step, and those who stopped between any two.
    pub fn people(
        &self,
        followed: &RelRef,
        steps: usize,
    ) -> Result<Vec<Named<Measure>>, TypeError> {
        let missing = |step: usize| build::is_null(column(followed, &reached(step))?);
        let of = |name: String, which: Expr| {
            let customer = MeasureFunc::CountDistinct(column(followed, CUSTOMER)?);
            Ok(named(name, Measure::filtered(customer, Some(which))))
        };
        let mut measures = Vec::new();
        for step in 1..=steps {
            let came = build::not(missing(step)?)?;
            measures.push(of(people_at(step), came.clone())?);
            for later in step + 1..=steps {
                let stopped = build::and(came.clone(), missing(later)?)?;
                measures.push(of(stopped_between(step, later), stopped)?);
            }
        }
        Ok(measures)
    }

    fn customer_of(&self, events: &Purchases) -> Typed {
        build::cast(events.events.customer.value.clone(), self.customer)
    }
}

/// Rows that are somebody's and have a time.
fn present(events: &Purchases) -> Built {
    let (customer, time) = (events.events.customer.value.clone(), events.events.time.clone());
    let absent = build::or(build::is_null(customer)?, build::is_null(time)?)?;
    relation::filter(&events.rel, build::not(absent)?)
}

/// Where each customer has one entry, the next step is the least time among the events behind the step before:
/// one pass over the events, in which nothing is held but the customers.
fn after_first(entries: &RelRef, events: &RelRef, step: usize) -> Built {
    let key = |rel: &RelRef| Ok(vec![(column(rel, CUSTOMER)?, CUSTOMER.to_owned())]);
    const AFTER: &str = "#after";
    let added = vec![(reached(step), AFTER.to_owned()), (END.to_owned(), END.to_owned())];
    let found = relation::lookup(events, entries, key(events)?, added)?;
    let time = || column(&found, TIME);
    let within = build::and(
        build::gt(time()?, column(&found, AFTER)?)?,
        build::lt(time()?, column(&found, END)?)?,
    )?;
    let found = relation::filter(&found, within)?;
    let least = named(FOUND, Measure::of(MeasureFunc::Min(column(&found, TIME)?)));
    let of_customer = vec![named(CUSTOMER, column(&found, CUSTOMER)?)];
    let next = relation::aggregate(&found, of_customer, vec![least])?;
    relation::lookup(entries, &next, key(entries)?, vec![(FOUND.to_owned(), reached(step + 1))])
}

/// Where a customer has many, it is the first event behind each time at which the step before was reached.
fn after_every(entries: &RelRef, events: &RelRef, step: usize) -> Built {
    let at = column(entries, &reached(step))?;
    let there = relation::filter(entries, build::not(build::is_null(at.clone())?)?)?;
    let asked = vec![named(CUSTOMER, column(&there, CUSTOMER)?), named(TIME, at)];
    let asked = relation::aggregate(&there, asked, Vec::new())?;
    let events = since_entry(entries, events)?;
    let events = relation::aggregate(&events, all_columns(&events), Vec::new())?;
    let found = following(&asked, &events, &[CUSTOMER], true)?;
    let on = vec![(CUSTOMER.to_owned(), CUSTOMER.to_owned()), (reached(step), TIME.to_owned())];
    let both = relation::join(entries, &found, on, JoinKind::Left, false)?;
    let next = column(&both, FOUND)?;
    let within = build::lt(next.clone(), column(&both, END)?)?;
    let next = build::choose(within, next, Expr::null(DataType::Timestamp))?;
    let mut columns = all_columns(entries);
    columns.push(named(reached(step + 1), next));
    relation::project(&both, columns)
}

/// Events of customers who entered, from their first entry on: what is held of a table is no more than that.
pub(super) fn since_entry(entries: &RelRef, events: &RelRef) -> Built {
    const ENTRY: &str = "#entry";
    let first = Measure::of(MeasureFunc::Min(column(entries, &reached(1))?));
    let of_customer = vec![named(CUSTOMER, column(entries, CUSTOMER)?)];
    let firsts = relation::aggregate(entries, of_customer, vec![named(ENTRY, first)])?;
    let key = vec![(column(events, CUSTOMER)?, CUSTOMER.to_owned())];
    let found = relation::lookup(events, &firsts, key, vec![(ENTRY.into(), ENTRY.into())])?;
    let since = build::ge(column(&found, TIME)?, column(&found, ENTRY)?)?;
    relation::project(&relation::filter(&found, since)?, all_columns(events))
}

/// For each row of `asked` the first event with the same keys behind its time, or also at it unless `later`: in
/// [`FOUND`]. Rows without one are left out. Keys and time are unique in both tables.
pub(super) fn following(asked: &RelRef, events: &RelRef, keys: &[&str], later: bool) -> Built {
    const IS_EVENT: &str = "#event";
    const TURN: &str = "#turn";
    const NUMBER: &str = "#number";
    const WANTED: &str = "#wanted";
    let own = |rel: &RelRef| -> Result<Vec<Named<Expr>>, TypeError> {
        keys.iter().map(|name| Ok(named(*name, column(rel, name)?))).collect()
    };
    // Of what happens at one time, events come first if they do not count as following.
    let part = |rel: &RelRef, is_event: bool| -> Built {
        let mut columns = own(rel)?;
        columns.extend([
            named(TIME, column(rel, TIME)?),
            named(IS_EVENT, Expr::int(i64::from(is_event))),
            named(TURN, Expr::int(i64::from(is_event != later))),
        ]);
        relation::project(rel, columns)
    };
    let both = relation::union(vec![part(asked, false)?, part(events, true)?])?;
    let order = vec![SortKey::ascending(TIME), SortKey::ascending(TURN)];
    let names = keys.iter().map(|name| (*name).to_owned()).collect();
    let number = vec![named(NUMBER, WindowFunc::RunningSum(IS_EVENT.into()))];
    let numbered = relation::window(&both, names, order, number)?;
    let which = |is_event: i64| -> Built {
        let is = build::eq(column(&numbered, IS_EVENT)?, Expr::int(is_event))?;
        relation::filter(&numbered, is)
    };
    let (asked, events) = (which(0)?, which(1)?);
    let mut columns = own(&asked)?;
    columns.push(named(TIME, column(&asked, TIME)?));
    columns.push(named(WANTED, build::add(column(&asked, NUMBER)?, Expr::int(1))?));
    let asked = relation::project(&asked, columns)?;
    let mut columns = own(&events)?;
    columns.push(named(FOUND, column(&events, TIME)?));
    columns.push(named(NUMBER, column(&events, NUMBER)?));
    let events = relation::project(&events, columns)?;
    let same = keys.iter().map(|name| ((*name).to_owned(), (*name).to_owned()));
    let on = same.chain([(WANTED.to_owned(), NUMBER.to_owned())]).collect();
    let found = relation::join(&asked, &events, on, JoinKind::Inner, false)?;
    let kept = all_columns(&found).into_iter().filter(|column| column.name != WANTED);
    relation::project(&found, kept.collect())
}

/// What stands at the row's [`POSITION`]: `of` gives it for a step.
pub(super) fn by_position(rel: &RelRef, steps: usize, of: &dyn Fn(usize) -> Typed) -> Typed {
    let mut arguments = Vec::new();
    for step in 1..steps {
        arguments.push(build::eq(column(rel, POSITION)?, Expr::int(step as i64))?);
        arguments.push(of(step)?);
    }
    arguments.push(of(steps)?);
    call(Func::Case, arguments)
}
