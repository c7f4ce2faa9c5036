//! Which rows of a table to hide so that no small group of people can be read from it.
//!
//! **Primary** suppression hides the groups with fewer people than allowed. A group of nobody reveals
//! nothing and stays.
//!
//! **Complementary** suppression hides more, because totals stand beside their parts: a group that is hidden
//! alone is the total less the others. After it, these hold:
//!
//! 1. Of the parts of a visible total, none is hidden alone. By what that total says, each hidden part
//!    could have as few people as one and as many as are allowed to be seen.
//! 2. No hidden group follows from all that is visible together. Read as linear equations, what is visible
//!    leaves each hidden group undetermined. That holds for every column that adds up, not only for counts.
//! 3. Nor is it pinned down by the knowledge that hidden groups are not empty.
//!
//! Where a choice is left, the groups with the fewest people go, and parts go before totals. A total is hidden
//! only if it is small itself or if its parts do not suffice. Where people are counted in several groups, so
//! that the parts do not add up to the total, they are treated as if they did.
//!
//! **Invariants**
//! - The order of rows does not matter.
//! - What is hidden is never fewer than the small groups; a group of nobody is never hidden.
//!
//! References: Cox, L. H. (1980), "Suppression methodology and statistical disclosure control"; Hundepool
//! et al. (2012), "Statistical disclosure control", chapter 4.

mod cohorts;
mod equations;
mod funnels;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use cohorts::{CohortCell, suppressed_cells};
use equations::{Equation, MINUS_ONE, determined};
pub use funnels::suppressed_steps;

/// Which groups are too small to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmallGroups {
    /// The least number of people of a group that is shown.
    pub least: u64,
    /// Whether others are hidden where a total would reveal a small one.
    pub complementary: bool,
}

/// A row of a table of groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// A value of each dimension; `None` for the total over it.
    pub codes: Vec<Option<u32>>,
    pub people: u64,
}

/// Which groups to hide. The rows are those of some combinations of dimensions, each with all its groups
/// but empty ones, and each row once. A row with `None` is the total of those that say more and else the same.
///
/// Totals over what two combinations have in common count as shown even if they are not: each of the two
/// tells them. A table of two dimensions and 90,000 groups takes a fraction of a second, one of three and 40,000
/// a few seconds: the equations of hidden groups that hang together by totals are solved again after each
/// step.
pub fn suppressed(groups: &[Group], min_group_size: u64) -> Vec<bool> {
    let people = groups.iter().map(|group| group.people).collect();
    let codes: Vec<_> = groups.iter().map(|group| group.codes.clone()).collect();
    suppressed_populations(&codes, &[people], min_group_size)
}

/// The same for groups of which several populations are told, such as buyers and writers: which rows go because of
/// any of them. `populations` has the people of each row in each. Rows are hidden as a whole, so what one
/// population hides must leave nothing to be solved of the others: there a hidden row that has nobody of them is
/// taken to be known.
pub fn suppressed_populations(
    codes: &[Vec<Option<u32>>],
    populations: &[Vec<u64>],
    min_group_size: u64,
) -> Vec<bool> {
    let group = |(codes, &people): (&Vec<_>, &u64)| Group { codes: codes.clone(), people };
    let tables = populations
        .iter()
        .map(|people| Table::new(codes.iter().zip(people).map(group).collect(), min_group_size));
    let mut tables: Vec<Table> = tables.collect();
    // What covers a small population mostly covers a large one.
    tables.sort_by_cached_key(|table| (table.people.iter().sum::<u64>(), table.people.clone()));
    let Some(first) = tables.first() else { return vec![false; codes.len()] };
    // All have the same rows in the same order.
    let places: Vec<Option<usize>> =
        codes.iter().map(|codes| first.codes.binary_search(codes).ok()).collect();
    let mut hidden = vec![false; first.codes.len()];
    for table in &tables {
        hidden.iter_mut().zip(&table.hidden).for_each(|(hidden, own)| *hidden |= own);
    }
    loop {
        let before = hidden.clone();
        for table in &mut tables {
            table.hidden.clone_from(&hidden);
            table.complete();
            hidden.clone_from(&table.hidden);
        }
        if tables.len() == 1 || hidden == before {
            break;
        }
    }
    places.into_iter().map(|place| place.is_some_and(|place| hidden[place])).collect()
}

/// The groups, and after them the totals over the dimensions that two combinations have in common.
fn with_common_totals(mut groups: Vec<Group>) -> Vec<Group> {
    let level_of =
        |group: &Group| -> Vec<bool> { group.codes.iter().map(Option::is_some).collect() };
    let mut levels: Vec<Vec<bool>> =
        groups.iter().map(level_of).collect::<BTreeSet<_>>().into_iter().collect();
    let mut next = 1;
    while next < levels.len() {
        for other in 0..next {
            let common: Vec<bool> =
                levels[next].iter().zip(&levels[other]).map(|(a, b)| *a && *b).collect();
            if levels.contains(&common) {
                continue;
            }
            let mut totals: BTreeMap<Vec<Option<u32>>, u64> = BTreeMap::new();
            for group in groups.iter().filter(|group| level_of(group) == levels[next]) {
                *totals.entry(kept(&group.codes, &common)).or_default() += group.people;
            }
            groups.extend(totals.into_iter().map(|(codes, people)| Group { codes, people }));
            levels.push(common);
        }
        next += 1;
    }
    groups
}

/// The codes of the total over all dimensions but some.
fn kept(codes: &[Option<u32>], level: &[bool]) -> Vec<Option<u32>> {
    codes.iter().zip(level).map(|(code, &kept)| code.filter(|_| kept)).collect()
}

/// The place of each row if they were sorted by a key.
fn places_in_order<T, K: Ord>(rows: &[T], key: impl Fn(&T) -> K) -> Vec<usize> {
    let mut sorted: Vec<usize> = (0..rows.len()).collect();
    sorted.sort_by_cached_key(|&row| key(&rows[row]));
    let mut places = vec![0; rows.len()];
    for (place, row) in sorted.into_iter().enumerate() {
        places[row] = place;
    }
    places
}

/// Whether one combination of dimensions has all of another, and more.
fn says_more(fine: &[bool], coarse: &[bool]) -> bool {
    coarse != fine && coarse.iter().zip(fine).all(|(coarse, fine)| coarse <= fine)
}

/// Every total with its parts, for each combination of dimensions that says more.
fn sums_of(groups: &[Group]) -> Vec<Sum> {
    let mut levels: BTreeMap<Vec<bool>, BTreeMap<&[Option<u32>], usize>> = BTreeMap::new();
    for (row, group) in groups.iter().enumerate() {
        let level = group.codes.iter().map(Option::is_some).collect();
        levels.entry(level).or_default().insert(&group.codes, row);
    }
    let mut sums = Vec::new();
    for (coarse, totals) in &levels {
        for (fine, parts) in &levels {
            if !says_more(fine, coarse) {
                continue;
            }
            let direct = !levels.keys().any(|it| says_more(fine, it) && says_more(it, coarse));
            let mut found: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            for (codes, &part) in parts {
                if let Some(&total) = totals.get(kept(codes, coarse).as_slice()) {
                    found.entry(total).or_default().push(part);
                }
            }
            sums.extend(found.into_iter().map(|(total, parts)| Sum { total, parts, direct }));
        }
    }
    sums
}

/// A total and its parts, as rows of a table.
struct Sum {
    total: usize,
    parts: Vec<usize>,
    /// There are no other totals between the total and the parts, which would say the same.
    direct: bool,
}

impl Sum {
    fn rows(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().copied().chain([self.total])
    }
}

/// A table on its way to being safe.
struct Table {
    /// The codes of the rows in ascending order, where they are groups.
    codes: Vec<Vec<Option<u32>>>,
    people: Vec<u64>,
    hidden: Vec<bool>,
    /// Which row goes first where one must go.
    order: Vec<usize>,
    sums: Vec<Sum>,
    min_group_size: u64,
}

impl Table {
    /// The rows in order, with their common totals; the small ones are hidden.
    fn new(groups: Vec<Group>, min_group_size: u64) -> Self {
        let mut sorted = with_common_totals(groups);
        sorted.sort_by(|a, b| a.codes.cmp(&b.codes));
        let small = |group: &Group| (1..min_group_size).contains(&group.people);
        Table {
            codes: sorted.iter().map(|group| group.codes.clone()).collect(),
            people: sorted.iter().map(|group| group.people).collect(),
            hidden: sorted.iter().map(small).collect(),
            order: places_in_order(&sorted, |group| {
                let totals = group.codes.iter().filter(|code| code.is_none()).count();
                (totals, group.people, group.codes.clone())
            }),
            sums: sums_of(&sorted),
            min_group_size,
        }
    }

    /// Whether a row is hidden and has anybody in it.
    fn hides(&self, row: usize) -> bool {
        self.hidden[row] && self.people[row] > 0
    }

    /// Hides rows until none can be solved.
    fn complete(&mut self) {
        let mut sums_with = vec![Vec::new(); self.people.len()];
        for (place, sum) in self.sums.iter().enumerate() {
            for row in sum.rows() {
                sums_with[row].push(place);
            }
        }
        let mut open: BTreeSet<usize> = (0..self.sums.len()).collect();
        loop {
            // Each sum for itself, until nothing changes.
            while let Some(place) = open.pop_first() {
                if let Some(row) = self.missing_in(&self.sums[place]) {
                    self.hidden[row] = true;
                    open.extend(&sums_with[row]);
                }
            }
            // All together.
            let mut solved: Vec<usize> = self.solved().into_iter().collect();
            solved.sort_by_key(|&row| self.order[row]);
            // A row may be helped by what was hidden for the one before: that is seen the next time.
            let before = open.len();
            for row in solved {
                if sums_with[row].iter().all(|sum| !open.contains(sum)) {
                    for helper in self.helpers_of(row, &sums_with) {
                        self.hidden[helper] = true;
                        open.extend(&sums_with[helper]);
                    }
                }
            }
            if open.len() == before {
                return;
            }
        }
    }

    /// The first visible row of some that has anybody in it.
    fn first_visible(&self, rows: impl Iterator<Item = usize>) -> Option<usize> {
        rows.filter(|&row| !self.hidden[row] && self.people[row] > 0)
            .min_by_key(|&row| self.order[row])
    }

    /// A row that must go because of one sum.
    fn missing_in(&self, sum: &Sum) -> Option<usize> {
        let hidden = sum.parts.iter().filter(|&&row| self.hides(row));
        let (n, people) =
            hidden.fold((0_u64, 0_u64), |(n, people), &row| (n + 1, people + self.people[row]));
        let safe = if self.hides(sum.total) {
            n > 0
        } else {
            // The others have at least one person each; the rest could all be in one part.
            n == 0 || (n > 1 && people - (n - 1) >= self.min_group_size)
        };
        if safe { None } else { self.first_visible(sum.rows()) }
    }

    /// Visible rows to hide so that a hidden one is no longer determined: the rest of a box, or else the row
    /// closest to it.
    fn helpers_of(&self, row: usize, sums_with: &[Vec<usize>]) -> Vec<usize> {
        self.box_with(row).unwrap_or_else(|| self.nearest_to(row, sums_with).into_iter().collect())
    }

    /// The visible corners of a box: the rows whose every code is that of this row or that of another one.
    /// People moved between its corners by turns change no total. Of all boxes it is the one with the fewest
    /// people to hide.
    fn box_with(&self, row: usize) -> Option<Vec<usize>> {
        let codes = self.codes.get(row)?;
        let dimensions: Vec<usize> = (0..codes.len()).filter(|&at| codes[at].is_some()).collect();
        let corners_with = |other: &[Option<u32>]| -> Option<Vec<usize>> {
            let corner = |choice: u64| {
                let mut corner = codes.clone();
                for (bit, &at) in dimensions.iter().enumerate() {
                    if choice >> bit & 1 == 1 {
                        corner[at] = other[at];
                    }
                }
                // Corners with nobody and with one person cannot give any away.
                let row = self.codes.binary_search(&corner).ok()?;
                (self.people[row] > 1).then_some(row)
            };
            (1..1 << dimensions.len()).map(corner).collect()
        };
        let differs = |at: usize, other: &[Option<u32>]| match codes[at] {
            Some(_) => other[at].is_some() && other[at] != codes[at],
            None => other[at].is_none(),
        };
        let others = self.codes.iter().enumerate();
        let others = others.filter(|(_, other)| (0..codes.len()).all(|at| differs(at, other)));
        let boxes = others.filter_map(|(place, other)| {
            let mut corners = corners_with(other)?;
            corners.retain(|&corner| !self.hidden[corner]);
            let people: u64 = corners.iter().map(|&corner| self.people[corner]).sum();
            (!corners.is_empty()).then_some(((people, self.order[place]), corners))
        });
        boxes.min_by_key(|(key, _)| *key).map(|(_, corners)| corners)
    }

    /// The visible row closest to a hidden one: in a sum with it, in a sum with a row in such a sum, and
    /// so on.
    fn nearest_to(&self, row: usize, sums_with: &[Vec<usize>]) -> Option<usize> {
        let mut near = BTreeSet::from([row]);
        loop {
            let sums = near.iter().flat_map(|&row| &sums_with[row]);
            let mut wider: BTreeSet<usize> = sums.flat_map(|&sum| self.sums[sum].rows()).collect();
            wider.insert(row);
            let found = self.first_visible(wider.iter().copied());
            if found.is_some() || wider.len() == near.len() {
                return found;
            }
            near = wider;
        }
    }

    /// Hidden rows that the visible ones may determine, for one who knows that no hidden group is empty: a
    /// group of one person cannot have fewer. A total cannot either, but its parts see to that.
    fn solved(&self) -> BTreeSet<usize> {
        let equations = self.sums.iter().filter(|sum| sum.direct).map(|sum| {
            let parts = sum.parts.iter().map(|&row| (row, 1)).chain([(sum.total, MINUS_ONE)]);
            parts.filter(|&(row, _)| self.hides(row)).collect()
        });
        let equations = equations.filter(|equation: &Equation| !equation.is_empty()).collect();
        let totals: BTreeSet<usize> = self.sums.iter().map(|sum| sum.total).collect();
        determined(equations, |row| self.people[row] == 1 && !totals.contains(&row))
    }
}
