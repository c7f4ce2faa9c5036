//! Cohorts followed over ages: the node, and what it means.

use std::sync::Arc;

use super::expression::Expr;
use super::history::{Events, without_value};
use super::relation::{
    Built, JoinKind, Measure, MeasureFunc, Named, Rel, RelNode, RelRef, SortKey, WindowFunc,
    aggregate, column, distinct, extend, field_of, filter, join, named, project, series, window,
};
use super::typing::{TypeError, Typed, build, call};
use super::{Calendar, Func};
use crate::document::{DAY_MICROS, Interval, TimeUnit};
use crate::frame::{DataType, Field, Unit, Value};

crate::choice! {
    /// What counts as coming back.
    pub enum Returned {
        /// Active in the cell.
        Exactly = "exactly",
        /// Active in the cell or later.
        OnOrAfter = "on_or_after",
        /// Active in every cell up to this one.
        Through = "through",
    }
}

crate::choice! {
    /// What an age is counted in.
    pub enum Steps {
        /// Periods of the calendar.
        Calendar = "calendar",
        /// Steps of one length from each customer's entry.
        Rolling = "rolling",
    }
}

/// The cells of a cohort: which ages belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ages {
    /// Each age by itself, from 0 to the last; absent: that of the oldest cohort.
    Each { last: Option<i64> },
    /// From one age to another, both included; ascending and apart, with gaps or without.
    Brackets(Vec<(i64, i64)>),
}

/// Customers in cohorts of their entry, followed over ages.
///
/// Columns: `cohort` (date), the names of `by`, `age`, for brackets `age_to`, `period` (date, null
/// for rolling steps), `observed_share`, `size`, `eligible`, `retained`, `orders`, `value`,
/// `cumulative_value`; dense for every cohort that has customers and every cell.
///
/// With steps of the calendar, age 0 is the cohort's own period; age k is the k-th period of the age
/// unit after the one that holds the cohort's last day. With rolling steps, age k begins k steps
/// after the customer's entry. Eligible customers have lived through the cell; all that follows is
/// about them, and null where there are none.
#[derive(Debug)]
pub struct CohortGrid {
    pub input: RelRef,
    pub events: Events,
    /// Which events a customer may enter with; all if absent. The first of them is the entry.
    pub entering: Option<Expr>,
    /// Which events count as activity; all if absent.
    pub active: Option<Expr>,
    /// As of the entry.
    pub by: Vec<Named<Expr>>,
    pub cohort: TimeUnit,
    pub age: TimeUnit,
    pub steps: Steps,
    pub returned: Returned,
    pub ages: Ages,
    /// The first instant not observed, in microseconds since 1970-01-01T00:00Z.
    pub end: i64,
}

/// The length of a rolling step in microseconds: a month is 30 days, a quarter 90, a year 365.
pub fn step_micros(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second | TimeUnit::Minute | TimeUnit::Hour | TimeUnit::Day | TimeUnit::Week => {
            unit.micros().unwrap_or(DAY_MICROS)
        }
        TimeUnit::Month => 30 * DAY_MICROS,
        TimeUnit::Quarter => 90 * DAY_MICROS,
        TimeUnit::Year => 365 * DAY_MICROS,
    }
}

impl CohortGrid {
    /// The node as a relation.
    ///
    /// # Errors
    /// Two columns of the same name.
    pub fn build(self) -> Built {
        let money = self.events.unit(&self.input);
        let mut fields = vec![Field::new("cohort", DataType::Date)];
        for by in &self.by {
            fields.push(field_of(&by.name, &by.value, &self.input.schema));
        }
        let count = |name: &str| Field::new(name, DataType::Int64).with_unit(Unit::Count);
        let value =
            |name: &str| Field::new(name, self.events.value_type()).with_unit(money.clone());
        let age = |name: &str| {
            Field::new(name, DataType::Int64).with_unit(Unit::Time(self.age.word().into()))
        };
        fields.push(age("age"));
        if let Ages::Brackets(_) = self.ages {
            fields.push(age("age_to"));
        }
        fields.extend([
            Field::new("period", DataType::Date),
            Field::new("observed_share", DataType::Float64).with_unit(Unit::Share),
            count("size"),
            count("eligible"),
            count("retained"),
            count("orders"),
            value("value"),
            value("cumulative_value"),
        ]);
        Ok(Arc::new(Rel { node: RelNode::CohortGrid(self), schema: distinct(fields)? }))
    }

    /// The number of the age unit's period that holds a cohort's last day: age 0 ends with it.
    pub fn base_period(&self, calendar: &Calendar, cohort: i64) -> i64 {
        let last = calendar.period_start(self.cohort, cohort + 1) - 1;
        calendar.period_of(self.age, last)
    }

    /// The number of cells that end before an age.
    fn cells_before(&self, age: Expr) -> Typed {
        let Ages::Brackets(brackets) = &self.ages else { return Ok(age) };
        let mut arguments = Vec::new();
        for (cell, &(_, high)) in (0..).zip(brackets) {
            arguments.extend([build::le(age.clone(), Expr::int(high))?, Expr::int(cell)]);
        }
        arguments.push(Expr::int(brackets.len() as i64));
        call(Func::Case, arguments)
    }

    /// The number of cells that begin at an age or before it.
    fn cells_begun(&self, age: Expr) -> Typed {
        let Ages::Brackets(brackets) = &self.ages else { return build::add(age, Expr::int(1)) };
        let mut arguments = Vec::new();
        for (cell, &(low, _)) in (0..).zip(brackets) {
            arguments.extend([build::lt(age.clone(), Expr::int(low))?, Expr::int(cell)]);
        }
        arguments.push(Expr::int(brackets.len() as i64));
        call(Func::Case, arguments)
    }

    /// The first and the last age of a cell.
    fn ends(&self, cell: &Expr) -> Result<(Expr, Expr), TypeError> {
        let Ages::Brackets(brackets) = &self.ages else { return Ok((cell.clone(), cell.clone())) };
        let of = |end: fn(&(i64, i64)) -> i64| -> Typed {
            let mut arguments = Vec::new();
            for (number, bracket) in (0..).zip(brackets) {
                arguments.push(build::eq(cell.clone(), Expr::int(number))?);
                arguments.push(Expr::int(end(bracket)));
            }
            arguments.push(Expr::null(DataType::Int64));
            call(Func::Case, arguments)
        };
        Ok((of(|bracket| bracket.0)?, of(|bracket| bracket.1)?))
    }

    /// The end of what is observed, comparable with an event's time: for dates, the first day that
    /// is not observed to its end.
    fn end_value(&self) -> Typed {
        let end = Expr::literal(Value::Timestamp(self.end), DataType::Timestamp);
        build::cast(end, self.events.time.data_type)
    }

    /// The last instant or day of which something is seen.
    fn last_value(&self) -> Typed {
        let last = Expr::literal(Value::Timestamp(self.end - 1), DataType::Timestamp);
        build::cast(last, self.events.time.data_type)
    }

    /// The definition.
    ///
    /// # Errors
    /// Never for events typed against the input.
    pub fn expand(&self) -> Built {
        let keys: Vec<String> = std::iter::once("cohort".to_owned())
            .chain((0..self.by.len()).map(|index| format!("k{index}")))
            .collect();
        let by = self.by.iter().enumerate();
        let by = by.map(|(index, by)| named(format!("k{index}"), by.value.clone()));
        let flag = |flag: &Option<Expr>| flag.clone().unwrap_or_else(|| Expr::bool(true));
        let more = [named("active", flag(&self.active)), named("entering", flag(&self.entering))];
        let columns = self.events.columns(more.into_iter().chain(by));
        let events = self.events.present(&project(&self.input, columns)?)?;

        let entries = self.entries(&events, &keys[1..])?;
        let extent = self.extent(&entries)?;
        let people = join(&entries, &extent, vec![], JoinKind::Inner, false)?;
        let complete = self.cells_before(column(&people, "lived")?)?;
        let complete = call(Func::Least, vec![complete, column(&people, "cells")?])?;
        let people = extend(&people, vec![named("complete", complete)])?;
        let acts = self.acts(&events, &people, &keys)?;

        let grid = self.spine(&people, &extent, &keys)?;
        let grid = with_prefixes(&grid, &people, &keys, "complete", "eligible")?;
        let grid = self.with_activity(&grid, &acts, &keys)?;
        let grid = match self.returned {
            Returned::Exactly => extend(&grid, vec![named("retained", column(&grid, "exactly")?)])?,
            Returned::OnOrAfter | Returned::Through => {
                let staying = self.staying(&acts, &keys)?;
                with_prefixes(&grid, &staying, &keys, "prefix", "retained")?
            }
        };
        self.shown(&self.with_observed_share(&grid, &people, &keys)?)
    }

    /// One row per customer: `c`, `cohort`, the segments, `first`, `base`, `lived` (whole ages).
    fn entries(&self, events: &RelRef, segments: &[String]) -> Built {
        let events = filter(events, column(events, "entering")?)?;
        let order = self.events.order(&events, segments)?;
        let time = column(&events, "t")?;
        let mut measures = vec![named("first", Measure::of(MeasureFunc::Min(time)))];
        for name in segments {
            let value = column(&events, name)?;
            let first = MeasureFunc::First { value, order: order.clone() };
            measures.push(named(name, Measure::of(first)));
        }
        let entries = aggregate(&events, vec![named("c", column(&events, "c")?)], measures)?;
        let cohort = build::period_of(self.cohort, column(&entries, "first")?)?;
        let next = build::add(cohort.clone(), Expr::int(1))?;
        let day_before = Interval { months: 0, micros: -DAY_MICROS };
        let last = call(Func::Shift(day_before), vec![build::period_start(self.cohort, next)?])?;
        let entries = extend(
            &entries,
            vec![named("cohort", cohort), named("base", build::period_of(self.age, last)?)],
        )?;
        let lived = match self.steps {
            Steps::Calendar => {
                let running = build::period_of(self.age, self.end_value()?)?;
                build::sub(running, column(&entries, "base")?)?
            }
            Steps::Rolling => self.steps_since(&column(&entries, "first")?, self.end_value()?)?,
        };
        let lived = call(Func::Greatest, vec![Expr::int(0), lived])?;
        extend(&entries, vec![named("lived", lived)])
    }

    fn steps_since(&self, first: &Expr, to: Expr) -> Typed {
        call(Func::Steps(step_micros(self.age)), vec![first.clone(), to])
    }

    /// One row: `cells`, how many each cohort has.
    fn extent(&self, entries: &RelRef) -> Built {
        let oldest = |name: &str| -> Result<Named<Measure>, TypeError> {
            Ok(named(name, Measure::of(MeasureFunc::Min(column(entries, name)?))))
        };
        let oldest = aggregate(entries, vec![], vec![oldest("base")?, oldest("first")?])?;
        let cells = match &self.ages {
            Ages::Brackets(brackets) => Expr::int(brackets.len() as i64),
            Ages::Each { last: Some(last) } => Expr::int(last + 1),
            // Age 0 of the oldest cohort may still be running.
            Ages::Each { last: None } => {
                let last = match self.steps {
                    Steps::Calendar => {
                        let observed = build::period_of(self.age, self.last_value()?)?;
                        build::sub(observed, column(&oldest, "base")?)?
                    }
                    Steps::Rolling => {
                        self.steps_since(&column(&oldest, "first")?, self.last_value()?)?
                    }
                };
                build::add(call(Func::Greatest, vec![Expr::int(0), last])?, Expr::int(1))?
            }
        };
        project(&oldest, vec![named("cells", cells)])
    }

    /// One row per customer and age with activity: `c`, the keys, `complete`, `age`, `cell` (the
    /// first that does not end before the age), `inside` (whether the age lies in it), `orders`,
    /// `value`.
    fn acts(&self, events: &RelRef, people: &RelRef, keys: &[String]) -> Built {
        let seen = filter(events, column(events, "active")?)?;
        let seen = project(
            &seen,
            ["c", "t", "v"]
                .into_iter()
                .map(|name| Ok(named(name, column(&seen, name)?)))
                .collect::<Result<_, TypeError>>()?,
        )?;
        let mut acts = join(&seen, people, pairs(&["c".into()]), JoinKind::Inner, false)?;
        let time = column(&acts, "t")?;
        let age = match self.steps {
            Steps::Calendar => {
                if self.entering.is_some() {
                    let start = build::period_start(self.cohort, column(&acts, "cohort")?)?;
                    let day = build::cast(time.clone(), DataType::Date)?;
                    acts = filter(&acts, build::ge(day, start)?)?;
                }
                let period = build::period_of(self.age, time)?;
                let since = build::sub(period, column(&acts, "base")?)?;
                call(Func::Greatest, vec![Expr::int(0), since])?
            }
            Steps::Rolling => self.steps_since(&column(&acts, "first")?, time)?,
        };
        acts = extend(&acts, vec![named("age", age)])?;
        acts = filter(&acts, build::ge(column(&acts, "age")?, Expr::int(0))?)?;
        let mut groups = of(&acts, keys)?;
        for name in ["c", "complete", "age"] {
            groups.push(named(name, column(&acts, name)?));
        }
        let acts = aggregate(
            &acts,
            groups,
            vec![
                named("orders", Measure::of(MeasureFunc::CountRows)),
                named("value", Measure::of(MeasureFunc::Sum(column(&acts, "v")?))),
            ],
        )?;
        let age = column(&acts, "age")?;
        let acts = extend(&acts, vec![named("cell", self.cells_before(age.clone())?)])?;
        let inside = build::gt(self.cells_begun(age)?, column(&acts, "cell")?)?;
        extend(&acts, vec![named("inside", inside)])
    }

    /// Every cohort with customers, every cell: the keys, `base`, `size`, `cell`, `low`, `high`.
    fn spine(&self, people: &RelRef, extent: &RelRef, keys: &[String]) -> Built {
        let mut cohorts = of(people, keys)?;
        cohorts.push(named("base", column(people, "base")?));
        let size = vec![named("size", Measure::of(MeasureFunc::CountRows))];
        let cohorts = aggregate(people, cohorts, size)?;
        let cohorts = join(&cohorts, extent, vec![], JoinKind::Inner, false)?;
        let last = build::sub(column(&cohorts, "cells")?, Expr::int(1))?;
        let spine = series(&cohorts, Expr::int(0), last, "cell")?;
        let (low, high) = self.ends(&column(&spine, "cell")?)?;
        extend(&spine, vec![named("low", low), named("high", high)])
    }

    /// The grid with `exactly`, `orders`, `value` of each cell, and `cumulative_value`: of the
    /// customers who have lived through the cell, from their entry to its end.
    fn with_activity(&self, grid: &RelRef, acts: &RelRef, keys: &[String]) -> Built {
        let complete = column(acts, "complete")?;
        let lived = filter(acts, build::lt(column(acts, "cell")?, complete)?)?;
        let inside = Some(column(&lived, "inside")?);
        let sum = |name: &str| Ok(MeasureFunc::Sum(column(&lived, name)?));
        let customers = MeasureFunc::CountDistinct(column(&lived, "c")?);
        let mut cells = of(&lived, keys)?;
        cells.push(named("cell", column(&lived, "cell")?));
        let cells = aggregate(
            &lived,
            cells,
            vec![
                named("exactly", Measure::filtered(customers, inside.clone())),
                named("orders", Measure::filtered(sum("orders")?, inside.clone())),
                named("value", Measure::filtered(sum("value")?, inside)),
                named("gained", Measure::of(sum("value")?)),
            ],
        )?;
        // Whoever has not lived through a cell takes along what they were worth before it.
        let mut leaving = of(&lived, keys)?;
        leaving.push(named("cell", column(&lived, "complete")?));
        let leaving = aggregate(&lived, leaving, vec![named("lost", Measure::of(sum("value")?))])?;

        let on = cell_pairs(keys);
        let grid = join(grid, &cells, on.clone(), JoinKind::Left, true)?;
        let grid = join(&grid, &leaving, on, JoinKind::Left, true)?;
        let grid = zeroes(&grid, &["exactly", "orders", "value", "gained", "lost"])?;
        let net = build::sub(column(&grid, "gained")?, column(&grid, "lost")?)?;
        let grid = extend(&grid, vec![named("net", net)])?;
        let running = vec![named("cumulative_value", WindowFunc::RunningSum("net".into()))];
        window(&grid, keys.to_vec(), vec![SortKey::ascending("cell")], running)
    }

    /// One row per customer: the keys and `prefix`, the number of cells, from the first on, in which
    /// the customer counts as retained.
    fn staying(&self, acts: &RelRef, keys: &[String]) -> Built {
        let person = |rel: &RelRef| -> Result<Vec<Named<Expr>>, TypeError> {
            let mut person = of(rel, keys)?;
            for name in ["c", "complete"] {
                person.push(named(name, column(rel, name)?));
            }
            Ok(person)
        };
        if self.returned == Returned::OnOrAfter {
            let last = Measure::of(MeasureFunc::Max(column(acts, "age")?));
            let last = aggregate(acts, person(acts)?, vec![named("last", last)])?;
            let begun = self.cells_begun(column(&last, "last")?)?;
            let prefix = call(Func::Least, vec![begun, column(&last, "complete")?])?;
            return extend(&last, vec![named("prefix", prefix)]);
        }
        // A customer's n-th cell with activity is cell n − 1 as long as none was left out.
        let inside = build::and(
            column(acts, "inside")?,
            build::lt(column(acts, "cell")?, column(acts, "complete")?)?,
        )?;
        let inside = filter(acts, inside)?;
        let mut cells = person(&inside)?;
        cells.push(named("cell", column(&inside, "cell")?));
        let cells = aggregate(&inside, cells, vec![])?;
        let cells = extend(&cells, vec![named("one", Expr::int(1))])?;
        let cells = window(
            &cells,
            vec!["c".into()],
            vec![SortKey::ascending("cell")],
            vec![named("number", WindowFunc::RunningSum("one".into()))],
        )?;
        let next = build::add(column(&cells, "cell")?, Expr::int(1))?;
        let unbroken = filter(&cells, build::eq(column(&cells, "number")?, next)?)?;
        let prefix = named("prefix", Measure::of(MeasureFunc::CountRows));
        aggregate(&unbroken, person(&unbroken)?, vec![prefix])
    }

    /// The grid with `observed_share` and `period`.
    fn with_observed_share(&self, grid: &RelRef, people: &RelRef, keys: &[String]) -> Built {
        let second = Func::Elapsed(TimeUnit::Second);
        if self.steps == Steps::Calendar {
            let (low, high) = (column(grid, "low")?, column(grid, "high")?);
            let start_of =
                |age: Expr| build::period_start(self.age, build::add(column(grid, "base")?, age)?);
            let period = build::choose(
                build::eq(low.clone(), Expr::int(0))?,
                build::period_start(self.cohort, column(grid, "cohort")?)?,
                start_of(low)?,
            )?;
            let start = build::cast(period.clone(), DataType::Timestamp)?;
            let stop = start_of(build::add(high, Expr::int(1))?)?;
            let stop = build::cast(stop, DataType::Timestamp)?;
            let end = Expr::literal(Value::Timestamp(self.end), DataType::Timestamp);
            let part = build::div(
                call(second, vec![start.clone(), end])?,
                call(second, vec![start, stop])?,
            )?;
            let part = call(Func::Least, vec![Expr::float(1.0), part])?;
            let observed = call(Func::Greatest, vec![Expr::float(0.0), part])?;
            return extend(grid, vec![named("period", period), named("observed_share", observed)]);
        }
        // Each customer lives in one cell at the end, or between two. Microseconds are whole numbers, of
        // which nothing is lost when most of a life is taken away.
        let step = step_micros(self.age);
        let living = build::lt(column(people, "complete")?, column(people, "cells")?)?;
        let living = filter(people, living)?;
        let (low, _) = self.ends(&column(&living, "complete")?)?;
        let lived = call(Func::Steps(1), vec![column(&living, "first")?, self.end_value()?])?;
        let lived = build::sub(lived, build::mul(low, Expr::int(step))?)?;
        let lived = call(Func::Greatest, vec![Expr::int(0), lived])?;
        let mut cells = of(&living, keys)?;
        cells.push(named("cell", column(&living, "complete")?));
        let rest = vec![named("rest", Measure::of(MeasureFunc::Sum(lived)))];
        let rest = aggregate(&living, cells, rest)?;
        let grid = join(grid, &rest, cell_pairs(keys), JoinKind::Left, true)?;
        let grid = zeroes(&grid, &["rest"])?;
        let ages = build::sub(column(&grid, "high")?, column(&grid, "low")?)?;
        let length = build::mul(build::add(ages, Expr::int(1))?, Expr::float(step as f64))?;
        let rest = build::cast(column(&grid, "rest")?, DataType::Float64)?;
        let part = build::div(rest, length)?;
        let observed = build::add(column(&grid, "eligible")?, part)?;
        let observed = build::div(observed, column(&grid, "size")?)?;
        let period = Expr::null(DataType::Date);
        extend(&grid, vec![named("period", period), named("observed_share", observed)])
    }

    /// The columns of the node; null after `size` where nobody has lived through the cell.
    fn shown(&self, grid: &RelRef) -> Built {
        let start = build::period_start(self.cohort, column(grid, "cohort")?)?;
        let mut columns = vec![named("cohort", start)];
        for (index, by) in self.by.iter().enumerate() {
            columns.push(named(&by.name, column(grid, &format!("k{index}"))?));
        }
        columns.push(named("age", column(grid, "low")?));
        if let Ages::Brackets(_) = self.ages {
            columns.push(named("age_to", column(grid, "high")?));
        }
        for name in ["period", "observed_share", "size"] {
            columns.push(named(name, column(grid, name)?));
        }
        let over = build::gt(column(grid, "eligible")?, Expr::int(0))?;
        for name in ["eligible", "retained", "orders", "value", "cumulative_value"] {
            let value = column(grid, name)?;
            let null = Expr::null(value.data_type);
            columns.push(named(name, build::choose(over.clone(), value, null)?));
        }
        let grid = project(grid, columns)?;
        without_value(&grid, self.events.value.is_none(), &["value", "cumulative_value"])
    }
}

fn of(rel: &RelRef, keys: &[String]) -> Result<Vec<Named<Expr>>, TypeError> {
    keys.iter().map(|name| Ok(named(name, column(rel, name)?))).collect()
}

fn pairs(keys: &[String]) -> Vec<(String, String)> {
    keys.iter().map(|name| (name.clone(), name.clone())).collect()
}

fn cell_pairs(keys: &[String]) -> Vec<(String, String)> {
    let mut on = pairs(keys);
    on.push(("cell".into(), "cell".into()));
    on
}

/// The rows with 0 where these columns are null.
fn zeroes(rel: &RelRef, names: &[&str]) -> Built {
    let zero = |name: &&str| -> Result<Named<Expr>, TypeError> {
        let value = column(rel, name)?;
        let zero = build::cast(Expr::int(0), value.data_type)?;
        Ok(named(*name, build::coalesce(value, zero)?))
    };
    extend(rel, names.iter().map(zero).collect::<Result<_, _>>()?)
}

/// The grid with a count of the customers for whom a number of cells, from the first on, has
/// something that this cell is one of.
fn with_prefixes(
    grid: &RelRef,
    people: &RelRef,
    keys: &[String],
    prefix: &str,
    name: &str,
) -> Built {
    let some = filter(people, build::gt(column(people, prefix)?, Expr::int(0))?)?;
    let mut lasts = of(&some, keys)?;
    lasts.push(named("cell", build::sub(column(&some, prefix)?, Expr::int(1))?));
    let ending = vec![named("ending", Measure::of(MeasureFunc::CountRows))];
    let lasts = aggregate(&some, lasts, ending)?;
    let joined = join(grid, &lasts, cell_pairs(keys), JoinKind::Left, true)?;
    let joined = zeroes(&joined, &["ending"])?;
    let running = vec![named(name, WindowFunc::RunningSum("ending".into()))];
    let counted = window(&joined, keys.to_vec(), vec![SortKey::descending("cell")], running)?;
    let kept = counted.schema.names().filter(|name| *name != "ending");
    project(
        &counted,
        kept.map(|name| Ok(named(name, column(&counted, name)?)))
            .collect::<Result<_, TypeError>>()?,
    )
}
