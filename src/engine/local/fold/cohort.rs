//! The fold of `CohortGrid`: cohorts followed over ages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
};

use super::super::intern::{Interner, Keys, with_precision};
use super::super::kernel::arrow_error;
use super::days::{DayEvent, Days, OfDays, Segments};
use super::people::{Reader, add, day_of, overflow};
use super::periods::{Active, Activity, Periods, by_period};
use super::{Fold, Morsel, ScanFacts};
use crate::document::DAY_MICROS;
use crate::engine::{EngineError, Extent, NodeId};
use crate::frame::{DataType, Frame, Schema, Value};
use crate::ir::cohorts::step_micros;
use crate::ir::{Ages, Calendar, CohortGrid, Expr, RelNode, RelRef, Returned, Steps};

/// Cohorts followed over ages.
pub(in super::super) struct CohortFold {
    rel: RelRef,
    needs: BTreeSet<String>,
    reader: Reader,
    by: Keys,
    calendar: Calendar,
}

/// One customer: the entry, and the activity in the order of its time.
#[derive(Default, Clone)]
struct History {
    entry: Option<Entry>,
    activity: Vec<(i64, Activity)>,
}

#[derive(Clone)]
struct Entry {
    order: Box<[u8]>,
    /// When, in days or microseconds.
    ticks: i64,
    by: Box<[u8]>,
}

/// Customers and the history of each.
#[derive(Default)]
pub(in super::super) struct CohortState {
    customers: Interner,
    histories: Vec<History>,
}

/// One cohort and segment.
#[derive(Default)]
pub(super) struct Cohort {
    size: i64,
    /// By cell, and one more: what is told of customers with so many cells, from the first on.
    cells: Vec<OfCell>,
}

/// One cell of a cohort.
#[derive(Clone, Copy, Default)]
struct OfCell {
    /// Customers who have lived through so many cells.
    complete: i64,
    /// Customers who count as retained in so many cells; for `exactly`, those who do in this cell.
    retained: i64,
    activity: Activity,
    /// What customers were worth in this cell or between it and the one before.
    gained: i128,
    /// What customers were worth who have not lived through this cell.
    lost: i128,
    /// Ticks that customers have lived of this cell, without those who lived through it.
    rest: i128,
}

/// The cells of every cohort.
struct Cells<'a> {
    brackets: Option<&'a [(i64, i64)]>,
    count: usize,
}

impl Cells<'_> {
    /// The number of cells that end before an age.
    fn before(&self, age: i64) -> usize {
        match self.brackets {
            Some(brackets) => brackets.partition_point(|&(_, high)| high < age),
            None => usize::try_from(age).map_or(0, |age| age.min(self.count)),
        }
    }

    /// The number of cells that begin at an age or before it.
    fn begun(&self, age: i64) -> usize {
        match self.brackets {
            Some(brackets) => brackets.partition_point(|&(low, _)| low <= age),
            None => self.before(age + 1),
        }
    }

    /// The first and the last age of a cell.
    fn ends(&self, cell: usize) -> (i64, i64) {
        self.brackets.map_or((cell as i64, cell as i64), |brackets| brackets[cell])
    }
}

impl Cohort {
    /// The customers of both together.
    fn merge(mut self, other: Cohort) -> Result<Cohort, EngineError> {
        self.size += other.size;
        self.make_room(other.cells.len());
        for (cell, other) in self.cells.iter_mut().zip(other.cells) {
            cell.complete += other.complete;
            cell.retained += other.retained;
            cell.activity.add(other.activity)?;
            cell.gained = add(cell.gained, other.gained)?;
            cell.lost = add(cell.lost, other.lost)?;
            cell.rest = add(cell.rest, other.rest)?;
        }
        Ok(self)
    }

    /// Makes room for so many entries.
    fn make_room(&mut self, entries: usize) {
        if self.cells.len() < entries {
            self.cells.resize(entries, OfCell::default());
        }
    }
}

impl Entry {
    /// What the first event is the smallest of.
    fn place(&self) -> (&[u8], &[u8]) {
        (&self.order, &self.by)
    }
}

impl History {
    fn enter(&mut self, entry: Entry) {
        if self.entry.as_ref().is_none_or(|known| entry.place() < known.place()) {
            self.entry = Some(entry);
        }
    }

    fn act(&mut self, when: i64, activity: Activity) -> Result<(), EngineError> {
        // Mostly the last time or a later one.
        let place = match self.activity.last() {
            Some((last, _)) if *last < when => Err(self.activity.len()),
            _ => self.activity.binary_search_by_key(&when, |(when, _)| *when),
        };
        match place {
            Ok(place) => self.activity[place].1.add(activity)?,
            Err(place) => self.activity.insert(place, (when, activity)),
        }
        Ok(())
    }
}

impl CohortFold {
    pub fn new(rel: &RelRef, input: &Schema, calendar: &Calendar) -> Result<Self, EngineError> {
        let RelNode::CohortGrid(grid) = &rel.node else {
            return Err(EngineError::Internal("not a cohort grid".into()));
        };
        let by: Vec<&Expr> = grid.by.iter().map(|by| &by.value).collect();
        let more: Vec<&Expr> =
            by.iter().copied().chain(&grid.entering).chain(&grid.active).collect();
        let reader = Reader::new(&grid.events, &more, input, calendar)?;
        let by = Keys::new(by.iter().map(|expr| expr.data_type).collect())?;
        let needs = super::needs(rel).map(|(_, needs)| needs).unwrap_or_default();
        Ok(CohortFold { rel: Arc::clone(rel), needs, reader, by, calendar: calendar.clone() })
    }

    fn grid(&self) -> Result<&CohortGrid, EngineError> {
        match &self.rel.node {
            RelNode::CohortGrid(grid) => Ok(grid),
            _ => Err(EngineError::Internal("not a cohort grid".into())),
        }
    }

    fn day(&self, grid: &CohortGrid, ticks: i64) -> i32 {
        day_of(ticks, grid.events.time.data_type, &self.calendar)
    }

    /// The time of an event, as exact as its age asks for: ticks where steps are rolling, else the
    /// period. Where customers enter by other events, days tell what came before a cohort.
    fn when(&self, grid: &CohortGrid, ticks: i64) -> i64 {
        match (grid.steps, &grid.entering) {
            (Steps::Rolling, _) => ticks,
            (Steps::Calendar, Some(_)) => self.day(grid, ticks).into(),
            (Steps::Calendar, None) => self.calendar.period_of(grid.age, self.day(grid, ticks)),
        }
    }
}

impl Fold for CohortFold {
    type State = CohortState;

    fn needs(&self) -> BTreeSet<String> {
        self.needs.clone()
    }

    fn start(&self, _facts: &ScanFacts) -> CohortState {
        CohortState::default()
    }

    fn take(&self, state: &mut CohortState, morsel: &Morsel) -> Result<(), EngineError> {
        let grid = self.grid()?;
        let events = self.reader.read(morsel.batch, true)?;
        let by = match grid.by.is_empty() {
            true => None,
            false => Some(self.by.encode(&events.more[..grid.by.len()])?),
        };
        let mut flags = events.more[grid.by.len()..].iter().map(|flag| flag.as_boolean());
        let entering = grid.entering.as_ref().and_then(|_| flags.next());
        let active = grid.active.as_ref().and_then(|_| flags.next());
        let is = |flag: Option<&BooleanArray>, row: usize| {
            flag.is_none_or(|flag| flag.is_valid(row) && flag.value(row))
        };
        for row in (0..events.rows()).filter(|&row| events.is_event(row)) {
            let customer = state.customers.intern(events.customer(row))? as usize;
            if customer == state.histories.len() {
                state.histories.push(History::default());
            }
            let history = &mut state.histories[customer];
            let ticks = events.ticks(row);
            if is(entering, row) {
                let order = events.order(row);
                let segment = by.as_ref().map_or(&[][..], |by| by.row(row).data());
                let place = (order, segment);
                if history.entry.as_ref().is_none_or(|known| place < known.place()) {
                    let (order, by) = (order.into(), segment.into());
                    history.entry = Some(Entry { order, ticks, by });
                }
            }
            if is(active, row) {
                let value = events.value(row).unwrap_or(0);
                history.act(self.when(grid, ticks), Activity { orders: 1, value })?;
            }
        }
        Ok(())
    }

    fn merge(&self, mut left: CohortState, right: CohortState) -> Result<CohortState, EngineError> {
        let places = left.customers.absorb(&right.customers)?;
        left.histories.resize_with(left.customers.len(), History::default);
        for (customer, other) in right.histories.into_iter().enumerate() {
            let history = &mut left.histories[places[customer] as usize];
            if let Some(entry) = other.entry {
                history.enter(entry);
            }
            for (when, activity) in other.activity {
                history.act(when, activity)?;
            }
        }
        Ok(left)
    }

    fn finish(&self, state: CohortState) -> Result<Frame, EngineError> {
        let grid = self.grid()?;
        let follower = Follower::new(&self.rel, grid, &self.by, &self.calendar);
        let entered = || state.histories.iter().filter_map(|h| Some((h, h.entry.as_ref()?)));
        let mut cohorts: BTreeMap<(i64, &[u8]), Cohort> = BTreeMap::new();
        for (_, entry) in entered() {
            let number = follower.cohort_of(entry.ticks);
            cohorts.entry((number, entry.by.as_ref())).or_default().size += 1;
        }
        let first = entered().map(|(_, entry)| entry.ticks).min();
        let cells = follower.cells(&cohorts, first)?;
        for (history, entry) in entered() {
            let number = follower.cohort_of(entry.ticks);
            if let Some(cohort) = cohorts.get_mut(&(number, entry.by.as_ref())) {
                let begin = follower.begin(number);
                follower.follow(cohort, begin, entry.ticks, &history.activity, &cells)?;
            }
        }
        follower.table(&cohorts, &cells)
    }
}

/// Where a cohort begins: the period of age 0, and its first day.
#[derive(Clone, Copy)]
struct Begin {
    base: i64,
    start: i32,
}

/// What follows cohorts over their cells.
struct Follower<'a> {
    rel: &'a RelRef,
    grid: &'a CohortGrid,
    by: &'a Keys,
    calendar: &'a Calendar,
    end: End,
    /// The period of the age unit that is still running.
    running: i64,
}

impl<'a> Follower<'a> {
    fn new(rel: &'a RelRef, grid: &'a CohortGrid, by: &'a Keys, calendar: &'a Calendar) -> Self {
        let end = End::new(grid, calendar);
        let running = calendar.period_of(grid.age, end.day);
        Follower { rel, grid, by, calendar, end, running }
    }

    /// The cohort of whoever entered then.
    fn cohort_of(&self, ticks: i64) -> i64 {
        let day = day_of(ticks, self.grid.events.time.data_type, self.calendar);
        self.calendar.period_of(self.grid.cohort, day)
    }

    /// The cells of cohorts, the first customer of which entered at `first`.
    ///
    /// # Errors
    /// Too many of them.
    fn cells(
        &self,
        cohorts: &BTreeMap<(i64, &[u8]), Cohort>,
        first: Option<i64>,
    ) -> Result<Cells<'a>, EngineError> {
        let (grid, end) = (self.grid, &self.end);
        let oldest = cohorts.keys().next().map(|(number, _)| *number);
        let cells = Cells {
            brackets: match &grid.ages {
                Ages::Brackets(brackets) => Some(brackets),
                Ages::Each { .. } => None,
            },
            count: match (&grid.ages, oldest, first) {
                (Ages::Brackets(brackets), ..) => brackets.len(),
                (Ages::Each { last: Some(last) }, ..) => usize::try_from(last + 1).unwrap_or(0),
                (Ages::Each { last: None }, Some(oldest), Some(first)) => {
                    let last = match grid.steps {
                        Steps::Calendar => {
                            let observed = self.calendar.period_of(grid.age, end.last_day);
                            observed - grid.base_period(self.calendar, oldest)
                        }
                        Steps::Rolling => (end.last_ticks - first).div_euclid(end.step),
                    };
                    usize::try_from(last.max(0) + 1).unwrap_or(0)
                }
                (Ages::Each { last: None }, ..) => 0,
            },
        };
        self.extent(cohorts, cells.count).check()?;
        Ok(cells)
    }

    /// Where cohorts begin, by their numbers.
    fn begin(&self, number: i64) -> Begin {
        Begin {
            base: self.grid.base_period(self.calendar, number),
            start: self.calendar.period_start(self.grid.cohort, number),
        }
    }

    /// Follows a customer of a cohort, who entered at `entered`, through the activity, in order.
    fn follow(
        &self,
        cohort: &mut Cohort,
        Begin { base, start }: Begin,
        entered: i64,
        history: &[(i64, Activity)],
        cells: &Cells,
    ) -> Result<(), EngineError> {
        let (grid, end) = (self.grid, &self.end);
        cohort.make_room(cells.count + 1);
        let of = &mut cohort.cells[..];
        let age_of = |when: i64| match (grid.steps, &grid.entering) {
            (Steps::Rolling, _) => (when - entered).div_euclid(end.step),
            (Steps::Calendar, None) => (when - base).max(0),
            (Steps::Calendar, Some(_)) if when < start.into() => -1,
            (Steps::Calendar, Some(_)) => {
                (self.calendar.period_of(grid.age, when as i32) - base).max(0)
            }
        };
        let lived = match grid.steps {
            Steps::Calendar => self.running - base,
            Steps::Rolling => (end.ticks - entered).div_euclid(end.step),
        };
        let complete = cells.before(lived.max(0));
        let (mut last, mut unbroken, mut before, mut worth) = (None, 0, None, 0);
        for (when, activity) in history {
            let age = age_of(*when);
            if age < 0 {
                continue;
            }
            last = Some(age);
            let cell = cells.before(age);
            if cell >= complete {
                continue;
            }
            worth = add(worth, activity.value)?;
            let of_cell = &mut of[cell];
            of_cell.gained = add(of_cell.gained, activity.value)?;
            if cells.ends(cell).0 > age {
                continue;
            }
            of_cell.activity.add(*activity)?;
            if before != Some(cell) {
                before = Some(cell);
                unbroken += usize::from(unbroken == cell);
                of_cell.retained += i64::from(grid.returned == Returned::Exactly);
            }
        }
        of[complete].complete += 1;
        of[complete].lost = add(of[complete].lost, worth)?;
        match grid.returned {
            Returned::Exactly => {}
            Returned::OnOrAfter => {
                let begun = last.map_or(0, |last| cells.begun(last));
                of[begun.min(complete)].retained += 1;
            }
            Returned::Through => of[unbroken].retained += 1,
        }
        if grid.steps == Steps::Rolling && complete < cells.count {
            let lived = end.ticks - entered - cells.ends(complete).0 * end.step;
            of[complete].rest += i128::from(lived.max(0));
        }
        Ok(())
    }
}

/// The grid of customers whose events are gathered by day.
pub(super) struct GridOfDays<'a> {
    follower: Follower<'a>,
    numbers: Periods,
    ages: Periods,
    cohorts: BTreeMap<(i64, &'a [u8]), Cohort>,
    cells: Cells<'a>,
    oldest: i64,
    /// Where cohorts begin, by their numbers from the oldest on.
    begins: Vec<Begin>,
    /// Where each cohort stands, by its number from the oldest on and its segment.
    places: Vec<usize>,
    segments: &'a Segments,
}

impl<'a> GridOfDays<'a> {
    /// The cohorts and the cells that they will have.
    ///
    /// # Errors
    /// Too many cells.
    pub fn new(
        rel: &'a RelRef,
        grid: &'a CohortGrid,
        days: &Days,
        segments: &'a Segments,
        calendar: &'a Calendar,
    ) -> Result<Self, EngineError> {
        let follower = Follower::new(rel, grid, &segments.keys, calendar);
        let numbers = Periods::new(days.span, calendar, grid.cohort);
        let ages = Periods::new(days.span, calendar, grid.age);
        let mut cohorts: BTreeMap<(i64, &[u8]), Cohort> = BTreeMap::new();
        let mut sizes: HashMap<(i64, u32), i64> = HashMap::new();
        for (person, first) in days.firsts() {
            let number = numbers.of(first, calendar, grid.cohort);
            *sizes.entry((number, segments.of(person))).or_default() += 1;
        }
        for ((number, segment), size) in sizes {
            cohorts.entry((number, segments.get(segment))).or_default().size += size;
        }
        let first = days.span.map(|(first, _)| match grid.events.time.data_type {
            DataType::Date => first.into(),
            _ => calendar.midnight(first),
        });
        let cells = follower.cells(&cohorts, first)?;

        let oldest = cohorts.keys().next().map_or(0, |(number, _)| *number);
        let youngest = cohorts.keys().next_back().map_or(0, |(number, _)| *number);
        let width = segments.len();
        let mut codes: Vec<u32> = (0..width as u32).collect();
        codes.sort_by(|&a, &b| segments.get(a).cmp(segments.get(b)));
        let periods = usize::try_from(youngest - oldest + 1).unwrap_or(0);
        let mut places = vec![usize::MAX; periods * width];
        for (place, (number, segment)) in cohorts.keys().enumerate() {
            let code = codes.binary_search_by(|&code| segments.get(code).cmp(segment));
            if let Ok(code) = code {
                places[(number - oldest) as usize * width + codes[code] as usize] = place;
            }
        }
        let begins = (oldest..=youngest).map(|number| follower.begin(number)).collect();
        Ok(GridOfDays { follower, numbers, ages, cohorts, cells, oldest, begins, places, segments })
    }
}

impl OfDays for GridOfDays<'_> {
    /// By cohort, and the activity of the customer at hand.
    type Found = (Vec<Cohort>, Active);

    fn start(&self) -> Self::Found {
        let mut found: Vec<Cohort> = Vec::new();
        found.resize_with(self.cohorts.len(), Cohort::default);
        (found, Vec::new())
    }

    fn take(
        &self,
        (found, history): &mut Self::Found,
        person: u32,
        events: &[DayEvent],
    ) -> Result<(), EngineError> {
        let Follower { grid, calendar, .. } = self.follower;
        let number = self.numbers.of(events[0].day, calendar, grid.cohort);
        let age_of = |day: i32| self.ages.of(day, calendar, grid.age);
        let history = by_period(events, history, age_of);
        let segment = self.segments.of(person) as usize;
        let number = (number - self.oldest) as usize;
        let cohort = &mut found[self.places[number * self.segments.len() + segment]];
        self.follower.follow(cohort, self.begins[number], 0, history, &self.cells)
    }

    fn bytes(&self) -> usize {
        self.cohorts.len() * self.cells.count * size_of::<OfCell>()
    }

    fn table(mut self, found: Vec<Self::Found>) -> Result<Frame, EngineError> {
        let mut parts = found.into_iter().map(|(found, _)| found);
        let first = parts.next().unwrap_or_default();
        let found = parts.try_fold(first, |left, right| {
            let pairs = left.into_iter().zip(right);
            pairs.map(|(left, right)| left.merge(right)).collect::<Result<_, _>>()
        })?;
        for (cohort, found) in self.cohorts.values_mut().zip(found) {
            *cohort = Cohort { size: cohort.size, ..found };
        }
        self.follower.table(&self.cohorts, &self.cells)
    }
}

/// The end of what is observed, and a rolling step, in the ticks of the events.
struct End {
    ticks: i64,
    /// The last tick of which something is seen.
    last_ticks: i64,
    /// The first day that is not observed to its end.
    day: i32,
    last_day: i32,
    step: i64,
}

impl End {
    fn new(grid: &CohortGrid, calendar: &Calendar) -> End {
        let (day, last_day) = (calendar.date_of(grid.end), calendar.date_of(grid.end - 1));
        let step = step_micros(grid.age);
        match grid.events.time.data_type {
            DataType::Date => End {
                ticks: day.into(),
                last_ticks: last_day.into(),
                day,
                last_day,
                step: step / DAY_MICROS,
            },
            _ => End { ticks: grid.end, last_ticks: grid.end - 1, day, last_day, step },
        }
    }
}

impl Follower<'_> {
    /// How many cells there are, and why.
    fn extent(&self, cohorts: &BTreeMap<(i64, &[u8]), Cohort>, cells: usize) -> Extent {
        let (grid, end) = (self.grid, &self.end);
        let day = |number: i64| Value::Date(self.calendar.period_start(grid.cohort, number));
        let mut numbers: Vec<i64> = cohorts.keys().map(|(number, _)| *number).collect();
        numbers.dedup();
        let oldest = numbers.first().map(|&first| {
            let size: i64 = cohorts
                .range((first, &[][..])..)
                .map_while(|((number, _), cohort)| (*number == first).then_some(cohort.size))
                .sum();
            let next = numbers.get(1).map(|&next| format!(", the next is {}", day(next)));
            format!("customers of the first cohort: {size}{}", next.unwrap_or_default())
        });
        Extent {
            rows: cohorts.len() as u128 * cells as u128,
            of: format!(
                "{} cohorts by {} and {cells} ages by {}",
                cohorts.len(),
                grid.cohort,
                grid.age
            ),
            span: numbers.first().map(|&first| (day(first), Value::Date(end.last_day))),
            first: oldest,
            node: NodeId::default(),
        }
    }

    fn table(
        &self,
        cohorts: &BTreeMap<(i64, &[u8]), Cohort>,
        cells: &Cells,
    ) -> Result<Frame, EngineError> {
        let (grid, end) = (self.grid, &self.end);
        let rows = cohorts.len() * cells.count;
        let (mut starts, mut periods) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let (mut ages, mut last_ages) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let (mut shares, mut sizes) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let mut counts = [(); 3].map(|()| Vec::with_capacity(rows));
        let mut sums = [(); 2].map(|()| Vec::with_capacity(rows));
        let mut segments: Vec<&[u8]> = Vec::new();
        let seconds = |from: i64, to: i64| (i128::from(to) - i128::from(from)) as f64 / 1e6;
        for (&(number, by), cohort) in cohorts {
            let start = self.calendar.period_start(grid.cohort, number);
            let base = grid.base_period(self.calendar, number);
            let start_of = |age: i64| self.calendar.period_start(grid.age, base + age);
            let mut cumulative = 0;
            let mut eligible: i64 = cohort.cells.iter().map(|of| of.complete).sum();
            let mut staying: i64 = cohort.cells.iter().map(|of| of.retained).sum();
            for (cell, of) in cohort.cells.iter().take(cells.count).enumerate() {
                let (low, high) = cells.ends(cell);
                eligible -= of.complete;
                staying -= of.retained;
                let net = of.gained.checked_sub(of.lost);
                cumulative = add(cumulative, net.ok_or_else(overflow)?)?;
                let retained = match grid.returned {
                    Returned::Exactly => of.retained,
                    Returned::OnOrAfter | Returned::Through => staying,
                };
                let (period, share) = match grid.steps {
                    Steps::Calendar => {
                        let period = if low == 0 { start } else { start_of(low) };
                        let from = self.calendar.midnight(period);
                        let to = self.calendar.midnight(start_of(high + 1));
                        let part = seconds(from, grid.end) / seconds(from, to);
                        (Some(period), part.clamp(0.0, 1.0))
                    }
                    Steps::Rolling => {
                        let length = (high - low + 1) as f64 * end.step as f64;
                        let rest = of.rest as f64 / length;
                        (None, (eligible as f64 + rest) / cohort.size as f64)
                    }
                };
                starts.push(start);
                segments.push(by);
                ages.push(low);
                last_ages.push(high);
                periods.push(period);
                shares.push(share);
                sizes.push(cohort.size);
                let activity = of.activity;
                let over = |count: i64| (eligible > 0).then_some(count);
                for (column, count) in counts.iter_mut().zip([eligible, retained, activity.orders])
                {
                    column.push(over(count));
                }
                for (column, sum) in sums.iter_mut().zip([activity.value, cumulative]) {
                    column.push((eligible > 0 && grid.events.value.is_some()).then_some(sum));
                }
            }
        }
        let schema = &self.rel.schema;
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Date32Array::from(starts))];
        if !grid.by.is_empty() {
            columns.extend(self.by.decode(segments.into_iter())?);
        }
        columns.push(Arc::new(Int64Array::from(ages)));
        if cells.brackets.is_some() {
            columns.push(Arc::new(Int64Array::from(last_ages)));
        }
        columns.push(Arc::new(Date32Array::from(periods)));
        columns.push(Arc::new(Float64Array::from(shares)));
        columns.push(Arc::new(Int64Array::from(sizes)));
        columns.extend(counts.map(|counts| Arc::new(Int64Array::from(counts)) as ArrayRef));
        let scale = match grid.events.value_type() {
            DataType::Decimal { scale, .. } => scale as i8,
            _ => 0,
        };
        for sums in sums {
            let sums = Decimal128Array::from(sums).with_precision_and_scale(38, scale);
            columns.push(Arc::new(sums.map_err(arrow_error)?));
        }
        for (column, field) in columns.iter_mut().zip(&schema.fields) {
            *column = with_precision(column, field.data_type)?;
        }
        Ok(Frame::new(schema.clone(), columns, rows)?)
    }
}
