//! Cells of a cohort triangle.

use std::collections::BTreeMap;

use super::{Sum, Table, places_in_order};

/// A cell of a cohort triangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CohortCell {
    /// `None` for all cohorts at an age together.
    pub cohort: Option<u32>,
    pub age: u32,
    /// Customers of the cohort who have lived through the age.
    pub eligible: u64,
    pub retained: u64,
}

impl CohortCell {
    /// Customers who have lived through the age and were not retained.
    pub fn lost(&self) -> u64 {
        self.eligible - self.retained.min(self.eligible)
    }
}

/// Which cells of a cohort triangle to hide. `nested` says that who is retained at an age was retained at all
/// ages before.
///
/// 1. A cohort with fewer customers than allowed is hidden at every age, and more cohorts with it, until no
///    size of a hidden cohort follows from the sizes of all at some ages.
/// 2. A cell is hidden if few customers are retained or few are lost: of 100 customers, 98 retained say as
///    much about two people as 2 retained do. None retained, or none lost, names nobody.
/// 3. Two cells of a cohort say by their difference how many it lost in between. Where they are nested, and
///    the difference is of few people, the later one is hidden. So it is where few customers have lived
///    through one age and not the next.
/// 4. Where all cohorts at an age are shown together, no cell of that age is hidden alone, and those hidden
///    have together not few retained and not few lost. The smallest cohort goes first; if there is none
///    left, the total does.
pub fn suppressed_cells(cells: &[CohortCell], nested: bool, min_group_size: u64) -> Vec<bool> {
    let few = |people: u64| (1..min_group_size).contains(&people);
    let mut hidden = by_cohort(cells, min_group_size);
    for (cell, hidden) in cells.iter().zip(&mut hidden) {
        *hidden |= few(cell.eligible) || few(cell.retained) || few(cell.lost());
    }
    let mut in_order: Vec<usize> =
        (0..cells.len()).filter(|&at| cells[at].cohort.is_some()).collect();
    in_order.sort_by_key(|&at| (cells[at].cohort, cells[at].age));
    let mut last: Option<CohortCell> = None;
    for at in in_order {
        let cell = cells[at];
        if hidden[at] {
            continue;
        }
        let before = last.filter(|last| last.cohort == cell.cohort);
        hidden[at] = before.is_some_and(|before| {
            few(before.eligible.abs_diff(cell.eligible))
                || nested && few(before.retained.abs_diff(cell.retained))
        });
        if !hidden[at] {
            last = Some(cell);
        }
    }
    let mut ages: BTreeMap<u32, (Option<usize>, Vec<usize>)> = BTreeMap::new();
    for (at, cell) in cells.iter().enumerate() {
        let (total, parts) = ages.entry(cell.age).or_default();
        if cell.cohort.is_some() { parts.push(at) } else { *total = Some(at) }
    }
    for (total, mut parts) in ages.into_values() {
        let Some(total) = total else { continue };
        parts.sort_by_key(|&at| (cells[at].eligible, cells[at].cohort));
        while !hidden[total] {
            let gone = || parts.iter().filter(|&&at| hidden[at]).map(|&at| cells[at]);
            let (retained, lost) = gone().fold((0, 0), |(retained, lost), cell| {
                (retained + cell.retained, lost + cell.lost())
            });
            if gone().count() != 1 && !few(retained) && !few(lost) {
                break;
            }
            let next = parts.iter().find(|&&at| !hidden[at] && cells[at].eligible > 0);
            hidden[next.copied().unwrap_or(total)] = true;
        }
    }
    hidden
}

/// The cells of cohorts that are hidden as a whole, and the totals that would tell their sizes.
fn by_cohort(cells: &[CohortCell], min_group_size: u64) -> Vec<bool> {
    // A row for each cohort, then one for each age that has a total.
    let mut cohorts: BTreeMap<u32, u64> = BTreeMap::new();
    for cell in cells {
        if let Some(cohort) = cell.cohort {
            let size = cohorts.entry(cohort).or_insert(cell.eligible);
            *size = cell.eligible.max(*size);
        }
    }
    let totals: BTreeMap<u32, u64> = cells
        .iter()
        .filter(|cell| cell.cohort.is_none())
        .map(|cell| (cell.age, cell.eligible))
        .collect();
    let row_of_cohort: BTreeMap<u32, usize> = cohorts.keys().copied().zip(0..).collect();
    let row_of_age: BTreeMap<u32, usize> = totals.keys().copied().zip(cohorts.len()..).collect();
    let mut parts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for cell in cells {
        if let (Some(cohort), Some(&total)) = (cell.cohort, row_of_age.get(&cell.age)) {
            parts.entry(total).or_default().push(row_of_cohort[&cohort]);
        }
    }
    let people: Vec<u64> = cohorts.into_values().chain(totals.into_values()).collect();
    let rows: Vec<(bool, u64, usize)> = people
        .iter()
        .zip(0..)
        .map(|(&people, row)| (row >= row_of_cohort.len(), people, row))
        .collect();
    let mut table = Table {
        codes: Vec::new(),
        hidden: people.iter().map(|people| (1..min_group_size).contains(people)).collect(),
        order: places_in_order(&rows, |&row| row),
        people,
        sums: parts.into_iter().map(|(total, parts)| Sum { total, parts, direct: true }).collect(),
        min_group_size,
    };
    table.complete();
    let row_of = |cell: &CohortCell| match cell.cohort {
        Some(cohort) => row_of_cohort[&cohort],
        None => row_of_age[&cell.age],
    };
    cells.iter().map(|cell| table.hidden[row_of(cell)]).collect()
}
